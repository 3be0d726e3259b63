/*  Programs that end without nn_close, or in the middle of it: exit(3) writes what nn_send has accepted, and does not wait for
    a peer that does not read. */

#include "../lib/secure.h"

#include "../lib/processes.h"
#include <nanomsg/bus.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

#define PROGRAMS 15
#define PATIENCE_MS 2000 /* the library gives up after 100 ms without progress */

/*  The sending protocol, its peer, and a number of messages that is small enough for none to be
    dropped. */
struct pattern {
    const char *name;
    int sends, receives;
    int most;
};

static const struct pattern patterns[] = {
    { "PUSH", NN_PUSH, NN_PULL, 20000 },
    { "PAIR", NN_PAIR, NN_PAIR, 20000 },
    { "PUB", NN_PUB, NN_SUB, 100 },
    { "BUS", NN_BUS, NN_BUS, 100 },
    { "REQ", NN_REQ, NN_REP, 1 },
};

/*  How a program ends. */
enum end { EXIT, EXIT_BY_ANOTHER_THREAD, EXIT_DURING_CLOSE, EXIT_DURING_OPEN, ENDS };

static void *leave (void *unused)
{
    (void) unused;
    exit (0);
}

static void *close_socket_of (void *s)
{
    close_socket (*(int *) s);
    return NULL;
}

/*  Opens and closes sockets until the process ends. */
static void *open_sockets (void *opened)
{
    for (;;) {
        int s = nn_socket (AF_SP, NN_PAIR);
        __atomic_add_fetch ((int *) opened, 1, __ATOMIC_RELAXED);
        nn_close (s);
    }
    return NULL;
}

/*  A program that sends the requested messages, and calls exit in its main thread, or in another
    one while the main thread is in nn_recv, or while another thread closes the socket or opens others. */
static pid_t start_sender (int protocol, const char *address, int messages, int flags, enum end end)
{
    pid_t child = start_process ();
    if (child == 0) {
        char byte;
        int s = open_socket (protocol), blocked = open_socket (NN_PAIR);
        connect_to (s, address);
        wait_until (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == 1);
        for (int i = 0; i < messages && nn_send (s, &i, sizeof (i), flags) == sizeof (i); i++)
            ;
        if (end == EXIT_BY_ANOTHER_THREAD) {
            start_thread (leave, NULL);
            nn_recv (blocked, &byte, 1, 0);
        }
        if (end == EXIT_DURING_CLOSE) {
            start_thread (close_socket_of, &s);
            wait_until (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == UINT64_MAX);
        }
        if (end == EXIT_DURING_OPEN) {
            static int opened;
            start_thread (open_sockets, &opened);
            wait_until (__atomic_load_n (&opened, __ATOMIC_RELAXED) > 0);
        }
        exit (0);
    }
    return child;
}

static void all_arrive (const char *transport, const struct pattern *pattern, int messages, enum end end)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (pattern->receives);
    if (pattern->receives == NN_SUB)
        check (nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0);
    bind_to (s, fresh_address (transport, address));
    for (int program = 0; program < PROGRAMS; program++) {
        pid_t sender = start_sender (pattern->sends, address, messages, 0, end);
        for (int i = 0, number; i < messages; i++) {
            check (nn_recv (s, &number, sizeof (number), 0) == sizeof (number));
            check (number == i);
        }
        join_process (sender);
    }
    close_socket (s);
}

/*  From one message up to as many as the pattern can take. */
static void each_number_arrives (const char *transport, const struct pattern *pattern)
{
    static const int messages[] = { 1, 10, 100, 20000 };
    for (int k = 0; k < 4 && messages[k] <= pattern->most; k++)
        for (enum end end = EXIT; end < ENDS; end++)
            all_arrive (transport, pattern, messages[k], end);
    say ("%s, %s: %d programs sent up to %d messages each and ended: all of them arrived", transport, pattern->name,
        PROGRAMS, pattern->most);
}

static void a_deaf_peer_is_not_waited_for (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int pull = open_socket (NN_PULL);
    bind_to (pull, fresh_address (transport, address));
    int64_t begin = now_ms ();
    join_process (start_sender (NN_PUSH, address, 100000000, NN_DONTWAIT, EXIT));
    say ("%s: a program whose peer does not read ended after %d ms", transport, (int) (now_ms () - begin));
    check (now_ms () - begin < PATIENCE_MS);
    close_socket (pull);
}

int main (void)
{
    static const char *const transports[] = { "tcp", "ipc", "ws", "tls+tcp" };
    const int count = has_tls () ? 4 : 3;
    secure_environment ();
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < (int) (sizeof (patterns) / sizeof (patterns[0])); k++)
            each_number_arrives (transports[i], &patterns[k]);
        a_deaf_peer_is_not_waited_for (transports[i]);
    }
    return 0;
}
