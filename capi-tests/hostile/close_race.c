/*  Peers that disconnect while nn_close runs, with NN_LINGER -1. What they had not read is gone
    with them, so nn_close has nothing to wait for. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

#define PEERS 16
#define ROUNDS 1500

/*  The longest time, in milliseconds, that nn_close may take. */
#define MOST_MS 5000

static int peers[PEERS];
static pthread_barrier_t barrier;
static uint32_t seed = 2463534242u;

static void pause_briefly (uint32_t loops)
{
    for (volatile uint32_t i = 0; i < loops; i++)
        ;
}

/*  Closes the peers of each round, at the moment when nn_close may begin. */
static void *leave (void *unused)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        pthread_barrier_wait (&barrier);
        for (int i = 0; i < PEERS; i++)
            close (peers[i]);
        pthread_barrier_wait (&barrier);
    }
    return unused;
}

static void give_up (int number)
{
    static const char text[] = "nn_close still waits, though every peer has gone\n";
    (void) number;
    if (write (STDERR_FILENO, text, sizeof (text) - 1) > 0)
        _exit (1);
    _exit (2);
}

static int64_t now_us (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C (1000000) + time.tv_nsec / 1000;
}

/*  Returns how long nn_close took, in microseconds. */
static int64_t one_round (const char *transport)
{
    char address[NN_SOCKADDR_MAX], header[8];
    int push = open_patient (NN_PUSH);
    set_int (push, 0, NN_LINGER, -1);
    bind_to (push, fresh_address (transport, address));
    for (int i = 0; i < PEERS; i++)
        peers[i] = plain_peer (address, NN_PULL);
    for (int i = 0; i < PEERS; i++)
        check (recv (peers[i], header, 8, MSG_WAITALL) == 8);
    wait_until (nn_get_statistic (push, NN_STAT_CURRENT_CONNECTIONS) == PEERS);
    for (int i = 0; i < PEERS; i++)
        check (nn_send (push, "left unread", 11, 0) == 11);
    alarm (MOST_MS / 1000);
    pthread_barrier_wait (&barrier);
    pause_briefly (next_random (&seed) % 8000);
    int64_t begin = now_us ();
    close_socket (push);
    int64_t took = now_us () - begin;
    alarm (0);
    pthread_barrier_wait (&barrier);
    return took;
}

int main (void)
{
    int64_t longest = 0;
    signal (SIGALRM, give_up);
    check (pthread_barrier_init (&barrier, NULL, 2) == 0);
    pthread_t leaver = start_thread (leave, NULL);
    each_plain_transport (transport)
        for (int round = 0; round < ROUNDS; round++) {
            int64_t took = one_round (transport);
            if (took > longest)
                longest = took;
        }
    join_thread (leaver);
    say ("%d times %d peers went while nn_close ran; the longest took %lld us", 2 * ROUNDS, PEERS,
        (long long) longest);
    return 0;
}
