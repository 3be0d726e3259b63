/*  Without free descriptors a listener cannot accept: its connections go on, and it accepts
    again when descriptors are free. */

#include "../lib/events.h"
#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

/*  A child with descriptors of its own: it opens the requested number of connections, and closes
    them all on 0. */
static pid_t start_peers (const char *address, int commands[2], int answers[2])
{
    pid_t child = start_process ();
    if (child)
        return child;
    int peers[64], count = 0;
    unsigned char more;
    close (commands[1]); /* so that the end of the commands is seen */
    close (answers[0]);
    while (read (commands[0], &more, 1) == 1) {
        if (more == 0)
            while (count > 0)
                close (peers[--count]);
        for (; more > 0; more--) {
            char text[16];
            int size = snprintf (text, sizeof (text), "peer %d", count);
            peers[count] = plain_peer (address, NN_PUSH);
            plain_message (peers[count], address, text, (size_t) size);
            count++;
        }
        check (write (answers[1], "!", 1) == 1);
    }
    _exit (0);
}

static void command (int commands, int answers, unsigned char count)
{
    char answer;
    check (write (commands, &count, 1) == 1);
    check (is_readable (answers, LIMIT_MS));
    check (read (answers, &answer, 1) == 1);
}

/*  The number of messages from peers that are there now or arrive soon. */
static int messages (int pull)
{
    char text[64];
    struct nn_pollfd item = { pull, NN_POLLIN, 0 };
    int count = 0;
    while (nn_poll (&item, 1, 4 * QUIET_MS) == 1) {
        check (nn_recv (pull, text, sizeof (text), NN_DONTWAIT) > 0);
        check (strncmp (text, "peer ", 5) == 0);
        count++;
    }
    return count;
}

/*  While peers wait that cannot be accepted, a listener tries again now and then, and sleeps in
    between: measured over a second by its failures, and by the number of times that the process
    went to sleep. */
static void rests (int pull)
{
    struct rusage before, after;
    struct timespec from, to;
    uint64_t failures = nn_get_statistic (pull, NN_STAT_ACCEPT_ERRORS);
    getrusage (RUSAGE_SELF, &before);
    clock_gettime (CLOCK_MONOTONIC, &from);
    wait_until (nn_get_statistic (pull, NN_STAT_ACCEPT_ERRORS) >= failures + 10);
    getrusage (RUSAGE_SELF, &after);
    clock_gettime (CLOCK_MONOTONIC, &to);
    failures = nn_get_statistic (pull, NN_STAT_ACCEPT_ERRORS) - failures;
    double elapsed = (double) (to.tv_sec - from.tv_sec)
        + (double) (to.tv_nsec - from.tv_nsec) / 1e9;
    long used = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000
        + (after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1000
        + (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000
        + (after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1000;
    say ("without descriptors: %d attempts in %.2f s, %ld ms of processor time",
        (int) failures, elapsed, used);
    /*  One in 100 ms; fewer on a slow machine. */
    check ((double) failures <= elapsed * 10 + 2);
}

static void exhausted (const char *transport, int raise_limit)
{
    char address[NN_SOCKADDR_MAX];
    int commands[2], answers[2];
    fresh_address (transport, address);
    check (pipe (commands) == 0 && pipe (answers) == 0);
    pid_t child = start_peers (address, commands, answers);

    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    int events = monitor (pull);
    bind_to (pull, address);
    connect_to (push, address);
    honest_message (push, pull);
    check (descriptor_of (pull, NN_RCVFD) >= 0); /* nn_poll may want it */

    /*  Room for a few more, and twenty come. */
    rlim_t before = limit_descriptors ((rlim_t) next_descriptor () + 8);
    command (commands[1], answers[0], 20);
    int heard = messages (pull);
    check (heard < 20);
    rests (pull);
    struct received_event event = wait_for_event (events, NN_EVENT_ACCEPT_FAILED);
    check (event.head.error == EMFILE && event.head.endpoint > 0 && event.head.reason == 0);
    for (int i = 0; i < 20; i++)
        heard += honest_message (push, pull);

    /*  Opening more fails with an error, or works with the descriptors that are left. */
    int s = nn_socket (AF_SP, NN_PULL);
    if (s >= 0) {
        char other[NN_SOCKADDR_MAX];
        if (nn_bind (s, fresh_address ("ipc", other)) < 0)
            check (nn_errno () == EMFILE);
        close_socket (s);
    } else
        check (nn_errno () == EMFILE);

    /*  Descriptors become free: by a higher limit, or because peers disconnect. */
    if (raise_limit) {
        limit_descriptors (before);
        while (heard < 20) {
            const char *text = receive_text (pull);
            check (strncmp (text, "peer ", 5) == 0);
            heard++;
        }
        command (commands[1], answers[0], 0);
    } else {
        command (commands[1], answers[0], 0);
        messages (pull);
    }
    command (commands[1], answers[0], 5);
    for (int i = 0; i < 5; i++)
        check (strncmp (receive_text (pull), "peer ", 5) == 0);
    honest_message (push, pull);
    limit_descriptors (before);
    close (commands[1]);
    join_process (child);
    close (commands[0]);
    close (answers[0]);
    close (answers[1]);
    close_socket (events);
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    each_plain_transport (transport) {
        exhausted (transport, 1);
        exhausted (transport, 0);
    }
    return 0;
}
