/*  Calls from exit handlers and from destructors of the program, when the thread-local values of
    the main thread are gone: they work as before. Accepted messages are delivered, and no thread
    or descriptor is left after nn_close. */

#include "../lib/test.h"

#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

#define MESSAGES 47
#define SIZE 20000 /* more than the kernel takes at once */

static int sender = -1, one = -1, other = -1, descriptors, runs_late;

static void work (void)
{
    char address[NN_SOCKADDR_MAX];
    static char message[SIZE];
    expect_text (other, "before");
    send_text (other, "answer");
    expect_text (one, "answer");
    for (int i = 0; i < MESSAGES; i++) {
        message[0] = (char) i;
        check (nn_send (sender, message, SIZE, 0) == SIZE);
    }
    close_socket (sender);
    close_socket (one);
    close_socket (other);
    wait_until (count_threads () == 1);
    check (count_descriptors () == descriptors);
    /*  The library can be used again. */
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    bind_to (a, fresh_address ("ipc", address));
    connect_to (b, address);
    send_text (b, "x");
    expect_text (a, "x");
    close_socket (b);
    nn_term ();
    wait_until (count_threads () == 1);
    check (count_descriptors () == descriptors);
}

static void handler (void)
{
    if (!runs_late)
        work ();
}

__attribute__ ((destructor)) static void destructor (void)
{
    if (runs_late && sender >= 0)
        work ();
}

static void check_exit (const char *transport, int late)
{
    char address[NN_SOCKADDR_MAX], pair_address[NN_SOCKADDR_MAX];
    static char message[SIZE];
    fresh_address (strcmp (transport, "inproc") ? transport : "ipc", address);
    fresh_address (transport, pair_address);
    int receiver = -1;
    pid_t child = start_process ();
    if (child == 0) {
        runs_late = late;
        descriptors = count_descriptors ();
        sender = open_patient (NN_PUSH);
        set_int (sender, NN_SOL_SOCKET, NN_SNDBUF, MESSAGES * SIZE);
        set_int (sender, NN_SOL_SOCKET, NN_LINGER, LIMIT_MS);
        one = open_patient (NN_PAIR);
        other = open_patient (NN_PAIR);
        connect_to (sender, address);
        bind_to (one, pair_address);
        connect_to (other, pair_address);
        /*  This thread receives, so that it creates the thread-local values that are gone later. */
        send_text (other, "hello");
        expect_text (one, "hello");
        send_text (one, "before");
        wait_writable (sender);
        atexit (handler);
        exit (0);
    }
    receiver = open_patient (NN_PULL);
    set_int (receiver, NN_SOL_SOCKET, NN_RCVMAXSIZE, SIZE);
    bind_to (receiver, address);
    for (int i = 0; i < MESSAGES; i++) {
        check (nn_recv (receiver, message, SIZE, 0) == SIZE);
        check (message[0] == (char) i);
    }
    join_process (child);
    close_socket (receiver);
    say ("%s, %s: %d of %d messages delivered, nothing left", transport,
        late ? "destructor" : "exit handler", MESSAGES, MESSAGES);
}

int main (void)
{
    each_transport (transport)
        for (int late = 0; late < 2; late++)
            check_exit (transport, late);
    return 0;
}
