/*  A thread of real-time priority, and two ordinary ones on the same processor that use the same
    sockets: an ordinary thread that has lost the processor while it held a lock runs again, so
    that no call of the first one takes long. And a thread that sets an option gets the socket's
    lock, although others take it again and again; how soon depends on the machine, and is only
    printed. */

#include "../lib/test.h"

#include <sched.h>

#include <nanomsg/pair.h>

#define RUN_MS 2000

static int a, b;
static volatile int is_over;
static long turns[3];
static double slowest;

static double now_precisely (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

static void stay_on_one_processor (void)
{
    cpu_set_t first;
    CPU_ZERO (&first);
    CPU_SET (0, &first);
    check (sched_setaffinity (0, sizeof (first), &first) == 0);
}

/*  The time that a call took, if it was the longest so far. */
static void note_since (double begin)
{
    double time = now_precisely () - begin;
    if (time > slowest)
        slowest = time;
}

static void *urgent (void *unused)
{
    while (!is_over) {
        double begin = now_precisely ();
        nn_send (a, "urgent", 6, NN_DONTWAIT);
        note_since (begin);
        usleep ((useconds_t) (5 + turns[0]++ % 7));
    }
    return unused;
}

static void *set_options (void *unused)
{
    while (!is_over) {
        double begin = now_precisely ();
        set_int (b, NN_SOL_SOCKET, NN_RCVBUF, 128 * 1024);
        note_since (begin);
        usleep (100);
        turns[0]++;
    }
    return unused;
}

static void *send_on (void *alone)
{
    if (alone)
        stay_on_one_processor ();
    while (!is_over)
        turns[1] += nn_send (a, "x", 1, NN_DONTWAIT) >= 0;
    return NULL;
}

static void *receive_on (void *alone)
{
    char message[16];
    if (alone)
        stay_on_one_processor ();
    while (!is_over)
        turns[2] += nn_recv (b, message, sizeof (message), NN_DONTWAIT) >= 0;
    return NULL;
}

static void run (const char *what, void *(*body) (void *), int priority, double bound)
{
    char address[NN_SOCKADDR_MAX];
    pthread_t thread;
    pthread_attr_t attributes;
    struct sched_param parameters = { priority };
    cpu_set_t first;
    is_over = 0;
    slowest = 0;
    memset (turns, 0, sizeof (turns));
    a = open_patient (NN_PAIR);
    b = open_patient (NN_PAIR);
    bind_to (a, fresh_address ("inproc", address));
    connect_to (b, address);
    pthread_attr_init (&attributes);
    if (priority) {
        CPU_ZERO (&first);
        CPU_SET (0, &first);
        pthread_attr_setinheritsched (&attributes, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy (&attributes, SCHED_FIFO);
        pthread_attr_setschedparam (&attributes, &parameters);
        pthread_attr_setaffinity_np (&attributes, sizeof (first), &first);
    }
    if (pthread_create (&thread, &attributes, body, NULL) != 0) {
        say ("SKIPPED %s: it takes a privilege", what);
    } else {
        void *alone = priority ? turns : NULL;
        pthread_t sender = start_thread (send_on, alone), receiver = start_thread (receive_on, alone);
        poll (NULL, 0, RUN_MS);
        is_over = 1;
        join_thread (thread);
        join_thread (sender);
        join_thread (receiver);
        say ("%s: slowest call %.1f ms in %ld; others sent %ld and received %ld", what, slowest,
            turns[0], turns[1], turns[2]);
        check (turns[0] > 100 && turns[1] > 100 && turns[2] > 100);
        check (bound == 0 || slowest < bound);
    }
    close_socket (a);
    close_socket (b);
}

int main (void)
{
    /*  The kernel stops a real-time thread that never sleeps after 950 ms, so that others can
        run. */
    run ("a real-time thread", urgent, 10, 200);
    run ("a thread that sets options", set_options, 0, 0);
    return 0;
}
