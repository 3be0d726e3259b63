/*  Mixed traffic: every pattern over every transport at the same time, with connections that are
    opened and closed. All messages are compared and counted; after each part of the run
    everything is closed, and no thread, no descriptor and no memory may be left. SECONDS_OF_LOAD
    is its duration, SEED selects the rounds. */

#include "broadcasts.h"
#include "pipelines.h"
#include "questions.h"
#include <malloc.h>

#define DRIVERS 4
#define PARTS 10

#define KINDS 8
static const struct kind {
    const char *name;
    void (*run) (struct round *);
} kinds[KINDS] = { { "fan-in", fan_in }, { "leaving readers", leaving_readers },
    { "flood", flood }, { "pair", pair }, { "requests", requests }, { "surveys", surveys },
    { "publications", publications }, { "buses", buses } };

struct driver {
    char addresses[TRANSPORTS][ADDRESSES][NN_SOCKADDR_MAX];
    uint32_t seed;
    int64_t end;
};

static atomic_long rounds[TRANSPORTS][KINDS];

static void *driving (void *argument)
{
    struct driver *driver = argument;
    while (now_ms () < driver->end) {
        int transport = (int) (next_random (&driver->seed) % TRANSPORTS);
        int kind = (int) (next_random (&driver->seed) % KINDS);
        struct round round = { transport, driver->addresses[transport],
            next_random (&driver->seed), "" };
        snprintf (round.name, sizeof (round.name), "%s over %s, seed %u", kinds[kind].name,
            all_transports[transport], round.seed);
        taking_part = round.name;
        kinds[kind].run (&round);
        atomic_fetch_add (&rounds[transport][kind], 1);
    }
    return NULL;
}

/* ---- fairness: eight senders to one reader, alone on the machine -------------- */

/*  So many that it takes almost a second: in less time the scheduler decides the shares as much
    as the receiver does. With the sanitizer a tenth of them takes longer. */
#ifdef __SANITIZE_THREAD__
#define FAIR_MESSAGES 400000L
#else
#define FAIR_MESSAGES 4000000L
#endif

struct fair_sender {
    const char *address;
    uint32_t flow;
    atomic_int *is_over;
};

static void *fair_sending (void *argument)
{
    struct fair_sender *sender = argument;
    uint32_t message[16] = { sender->flow };
    int s = open_patient (NN_PUSH);
    set_int (s, NN_SOL_SOCKET, NN_LINGER, 0);
    set_int (s, NN_SOL_SOCKET, NN_SNDTIMEO, 100);
    connect_to (s, sender->address);
    while (!atomic_load (sender->is_over))
        if (nn_send (s, message, sizeof (message), 0) < 0)
            check (nn_errno () == ETIMEDOUT);
    close_socket (s);
    return NULL;
}

static void fairness (const char *transport, const char *address)
{
    struct fair_sender senders[SENDERS];
    pthread_t threads[SENDERS];
    long came[SENDERS] = { 0 }, least = FAIR_MESSAGES, all = 0;
    atomic_int is_over = 0;
    int s = open_patient (NN_PULL);
    bind_to (s, address);
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct fair_sender) { address, i, &is_over };
        threads[i] = start_thread (fair_sending, &senders[i]);
    }
    wait_until (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == SENDERS);
    for (; all < FAIR_MESSAGES; all++) {
        uint32_t message[16];
        check (nn_recv (s, message, sizeof (message), 0) == sizeof (message));
        came[message[0]]++;
    }
    for (int i = 0; i < SENDERS; i++)
        least = came[i] < least ? came[i] : least;
    say ("%-6s fairness: of eight senders, none got less than %.2f of its share", transport,
        (double) least * SENDERS / (double) all);
    if (least < all / SENDERS / 2)
        fail ("that is less than half");
    atomic_store (&is_over, 1);
    for (int i = 0; i < SENDERS; i++)
        join_thread (threads[i]);
    close_socket (s);
}

/* ---- the run ------------------------------------------------------------------- */

/*  Bytes that malloc has allocated and that were not freed. */
static long in_use (void)
{
    struct mallinfo2 info = mallinfo2 ();
    return (long) (info.uordblks + info.hblkhd);
}

/*  Growth of `value` from one part to the next: the slope of the fitted line. */
static double slope (const long *value, int count)
{
    double middle = (count - 1) / 2.0, mean = 0, above = 0, below = 0;
    for (int i = 0; i < count; i++)
        mean += (double) value[i] / count;
    for (int i = 0; i < count; i++) {
        above += (i - middle) * ((double) value[i] - mean);
        below += (i - middle) * (i - middle);
    }
    return above / below;
}

int main (void)
{
    static struct driver drivers[DRIVERS];
    const char *seconds = getenv ("SECONDS_OF_LOAD"), *seed = getenv ("SEED");
    uint32_t first = seed ? (uint32_t) atoi (seed) : 1;
    int64_t part = (seconds ? atoi (seconds) : 60) * 1000L / PARTS;
    long resident[PARTS], used[PARTS];
    make_pattern ();
    for (int i = 0; i < DRIVERS; i++)
        for (int t = 0; t < TRANSPORTS; t++)
            for (int a = 0; a < ADDRESSES; a++)
                fresh_address (all_transports[t], drivers[i].addresses[t][a]);

    int threads = count_threads (), descriptors = count_descriptors ();
    for (int t = 0; t < TRANSPORTS; t++)
        fairness (all_transports[t], drivers[0].addresses[t][0]);
    for (int i = 0; i < PARTS; i++) {
        pthread_t driving_threads[DRIVERS];
        int64_t end = now_ms () + part;
        for (int k = 0; k < DRIVERS; k++) {
            drivers[k].seed = first * 2654435761u + (uint32_t) (i * DRIVERS + k) * 40503u + 1;
            drivers[k].end = end;
            driving_threads[k] = start_thread (driving, &drivers[k]);
        }
        for (int k = 0; k < DRIVERS; k++)
            pthread_join (driving_threads[k], NULL);
        wait_until (count_threads () == threads);
        if (count_descriptors () != descriptors)
            fail ("%d descriptors instead of %d", count_descriptors (), descriptors);
        /*  Without the memory that malloc caches. */
        malloc_trim (0);
        resident[i] = memory_kib ("VmRSS");
        used[i] = in_use ();
        say ("part %d: resident %ld KiB, allocated %ld bytes", i + 1, resident[i], used[i]);
    }

    for (int t = 0; t < TRANSPORTS; t++) {
        long sum = 0, fewest = rounds[t][0];
        for (int k = 0; k < KINDS; k++) {
            sum += rounds[t][k];
            fewest = rounds[t][k] < fewest ? rounds[t][k] : fewest;
        }
        say ("%-6s %ld rounds, %ld or more of each pattern; a sender got rid of %ld KiB at most"
             " while nobody received", all_transports[t], sum, fewest, largest_flood[t] / 1024);
        check (sum > 0);
    }
    say ("%ld messages, %ld MiB, all as they were sent", all_messages, all_bytes >> 20);
    say ("resident memory: %ld KiB at most; at rest %+.1f KiB from one part to the next",
        memory_kib ("VmHWM"), slope (resident + 1, PARTS - 1));
    say ("allocated memory at rest: %+.1f bytes from one part to the next", slope (used + 1, PARTS - 1));
    /*  The first part is left out: it contains allocations that occur once. */
    if (used[PARTS - 1] > used[1] + 64 * 1024)
        fail ("memory is lost");
#ifndef __SANITIZE_THREAD__ /* which records every access to memory */
    if (resident[PARTS - 1] > resident[1] + 8 * 1024)
        fail ("memory is not given back");
#endif
    return 0;
}
