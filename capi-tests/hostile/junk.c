/*  Peers flood a socket with unwanted messages. A call still keeps its time limit, and does not
    keep other calls out of the socket for long. The delay of a thread of this program that only
    sleeps shows how late a call may be. */

#include "../lib/test.h"
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <stdatomic.h>

#define FLOODERS 3
#define ROUNDS 15
#define LIMIT_OF_A_CALL 100

static char address[NN_SOCKADDR_MAX];
static atomic_int is_over;
static int publishes;

static int64_t now_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*  Publishes another topic, or sends requests without a header. */
static void *flood (void *unused)
{
    int s = publishes ? open_socket (NN_PUB) : nn_socket (AF_SP_RAW, NN_REQ);
    (void) unused;
    connect_to (s, address);
    while (!is_over)
        nn_send (s, "nobody wants this", 16, NN_DONTWAIT);
    close_socket (s);
    return NULL;
}

static int by_value (const void *left, const void *right)
{
    int64_t a = *(const int64_t *) left, b = *(const int64_t *) right;
    return (a > b) - (a < b);
}

static int64_t median (int64_t *times, int count)
{
    qsort (times, (size_t) count, sizeof (*times), by_value);
    return times[count / 2];
}

static int64_t lateness[ROUNDS];

/*  A thread that only sleeps, for as long as the calls do. */
static void *only_sleep (void *unused)
{
    (void) unused;
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec time = { 0, LIMIT_OF_A_CALL * 1000000 };
        int64_t begin = now_us ();
        nanosleep (&time, NULL);
        lateness[round] = now_us () - begin - LIMIT_OF_A_CALL * 1000;
    }
    return NULL;
}

#define OPTIONS 100000
static int64_t waits[OPTIONS];
static int options_set;

/*  Sets an option repeatedly, and measures how long that takes. */
static void *set_options (void *argument)
{
    int s = *(int *) argument;
    for (options_set = 0; !is_over && options_set < OPTIONS; options_set++) {
        int64_t begin = now_us ();
        set_int (s, NN_SOL_SOCKET, NN_RCVTIMEO, LIMIT_OF_A_CALL);
        waits[options_set] = now_us () - begin;
        poll (NULL, 0, 1);
    }
    return NULL;
}

static void flooded (const char *what, int protocol, const char *transport)
{
    int s = open_socket (protocol);
    int64_t times[ROUNDS], at_once[ROUNDS];
    char text[64];
    publishes = protocol == NN_SUB;
    is_over = 0;
    if (publishes)
        check (nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, "wanted", 6) == 0);
    set_int (s, NN_SOL_SOCKET, NN_RCVTIMEO, LIMIT_OF_A_CALL);
    bind_to (s, fresh_address (transport, address));
    pthread_t flooders[FLOODERS], sleeper, setter;
    for (int number = 0; number < FLOODERS; number++)
        flooders[number] = start_thread (flood, NULL);
    wait_until (get_int (s, NN_SOL_SOCKET, NN_RCVTIMEO) && nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == FLOODERS);
    sleeper = start_thread (only_sleep, NULL);
    setter = start_thread (set_options, &s);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin = now_us ();
        check_error (nn_recv (s, text, sizeof (text), 0), ETIMEDOUT);
        times[round] = now_us () - begin - LIMIT_OF_A_CALL * 1000;
        begin = now_us ();
        check_error (nn_recv (s, text, sizeof (text), NN_DONTWAIT), EAGAIN);
        at_once[round] = now_us () - begin;
    }
    join_thread (sleeper);
    is_over = 1;
    join_thread (setter);
    for (int number = 0; number < FLOODERS; number++)
        join_thread (flooders[number]);
    close_socket (s);
    int64_t late = median (times, ROUNDS), at_best = median (lateness, ROUNDS);
    int64_t now = median (at_once, ROUNDS), option = median (waits, options_set);
    fprintf (stderr, "%s, %s: late by %.1f ms (longest %.1f), only sleeping %.1f (%.1f), NN_DONTWAIT %.1f (%.1f), "
        "an option %.2f (%.2f)\n", what, transport, (double) late / 1e3, (double) times[ROUNDS - 1] / 1e3,
        (double) at_best / 1e3, (double) lateness[ROUNDS - 1] / 1e3, (double) now / 1e3,
        (double) at_once[ROUNDS - 1] / 1e3, (double) option / 1e3, (double) waits[options_set - 1] / 1e3);
    check (late <= at_best + 10000);
    check (now <= at_best + 15000);
    check (option <= at_best + 2000);
}

/*  NN_RCVFD becomes readable although no edge announces the message behind the unwanted ones. */
static void wanted_behind_junk (const char *transport)
{
    int sub = open_patient (NN_SUB), pub = open_patient (NN_PUB);
    check (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "wanted", 6) == 0);
    set_int (sub, NN_SOL_SOCKET, NN_RCVBUF, 1024 * 1024);
    bind_to (pub, fresh_address (transport, address));
    connect_to (sub, address);
    synchronise (pub, sub, "wanted");
    int descriptor = descriptor_of (sub, NN_RCVFD);
    for (int number = 0; number < 3000; number++)
        send_text (pub, "junk");
    /*  A publisher may drop any message. */
    for (int64_t end = now_ms () + LIMIT_MS; !is_readable (descriptor, 10);) {
        check (now_ms () < end);
        send_text (pub, "wanted");
    }
    expect_text (sub, "wanted");
    close_socket (sub);
    close_socket (pub);
}

int main (void)
{
    each_transport (transport)
        wanted_behind_junk (transport);
    each_transport (transport)
        flooded ("SUB", NN_SUB, transport);
    each_transport (transport)
        flooded ("REP", NN_REP, transport);
    return 0;
}
