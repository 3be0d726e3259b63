/*  Programs that end without nn_close: exit(3) writes what nn_send has accepted, and does not wait for
    a peer that does not read. */

#include "../lib/test.h"

#include <nanomsg/pipeline.h>

#define PROGRAMS 15
#define PATIENCE_MS 2000 /* the library gives up after 100 ms without progress */

/*  A program that sends what it is told, and returns from main. */
static pid_t start_sender (const char *address, int messages, int flags)
{
    pid_t child = start_process ();
    if (child == 0) {
        int s = open_socket (NN_PUSH);
        connect_to (s, address);
        wait_writable (s);
        for (int i = 0; i < messages && nn_send (s, &i, sizeof (i), flags) == sizeof (i); i++)
            ;
        exit (0);
    }
    return child;
}

static void all_arrive (const char *transport, int messages)
{
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL);
    bind_to (pull, fresh_address (transport, address));
    for (int program = 0; program < PROGRAMS; program++) {
        pid_t sender = start_sender (address, messages, 0);
        for (int i = 0, number; i < messages; i++) {
            check (nn_recv (pull, &number, sizeof (number), 0) == sizeof (number));
            check (number == i);
        }
        join_process (sender);
    }
    say ("%s: %d programs sent %d messages each and ended: all of them arrived", transport, PROGRAMS, messages);
    close_socket (pull);
}

static void a_deaf_peer_is_not_waited_for (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int pull = open_socket (NN_PULL);
    bind_to (pull, fresh_address (transport, address));
    int64_t begin = now_ms ();
    join_process (start_sender (address, 100000000, NN_DONTWAIT));
    say ("%s: a program whose peer does not read ended after %d ms", transport, (int) (now_ms () - begin));
    check (now_ms () - begin < PATIENCE_MS);
    close_socket (pull);
}

int main (void)
{
    static const char *const transports[] = { "tcp", "ipc", "ws" };
    static const int messages[] = { 1, 10, 100, 20000 };
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 4; k++)
            all_arrive (transports[i], messages[k]);
        a_deaf_peer_is_not_waited_for (transports[i]);
    }
    return 0;
}
