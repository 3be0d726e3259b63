/*  Eight threads make all calls at once, on sockets that the others open and close meanwhile:
    nothing hangs, and nothing is left behind. SECONDS_OF_RACES is the duration. */

#include "../lib/plain.h"
#include <nanomsg/bus.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

#define THREADS 8
#define SOCKETS 24

static char addresses[6][NN_SOCKADDR_MAX];
static int is_over;
static long calls[THREADS];

static void open_one (uint32_t *seed)
{
    static const int protocols[] = { NN_PAIR, NN_PUSH, NN_PULL, NN_REQ, NN_REP, NN_PUB,
        NN_SUB, NN_BUS };
    int s = nn_socket (next_random (seed) % 8 ? AF_SP : AF_SP_RAW,
        protocols[next_random (seed) % 8]);
    if (s < 0)
        return;
    int milliseconds = (int) (next_random (seed) % 6);
    nn_setsockopt (s, 0, NN_SNDTIMEO, &milliseconds, sizeof (int));
    nn_setsockopt (s, 0, NN_RCVTIMEO, &milliseconds, sizeof (int));
    nn_setsockopt (s, 0, NN_LINGER, &milliseconds, sizeof (int));
    nn_setsockopt (s, 0, NN_RECONNECT_IVL, &milliseconds, sizeof (int));
    nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0);
    if (s >= SOCKETS)
        nn_close (s);
}

static void send_one (int s, uint32_t *seed, int flags)
{
    static const char body[70000];
    size_t size = next_random (seed) % (next_random (seed) % 5 ? 100 : sizeof (body));
    if (next_random (seed) % 3) {
        nn_send (s, body, size, flags);
        return;
    }
    void *message = nn_allocmsg (size, 0);
    check (message != NULL);
    memset (message, 'm', size);
    if (nn_send (s, &message, NN_MSG, flags) < 0)
        check (nn_freemsg (message) == 0);
}

static void receive_one (int s, uint32_t *seed, int flags)
{
    char body[100];
    void *message;
    if (next_random (seed) % 3)
        nn_recv (s, body, sizeof (body), flags);
    else if (nn_recv (s, &message, NN_MSG, flags) >= 0)
        check (nn_freemsg (message) == 0);
}

static void poll_some (uint32_t *seed)
{
    struct nn_pollfd items[3];
    for (int i = 0; i < 3; i++) {
        items[i].fd = (int) (next_random (seed) % SOCKETS);
        items[i].events = (short) (1 + next_random (seed) % 3);
    }
    nn_poll (items, 3, (int) (next_random (seed) % 5));
}

static void *calling (void *argument)
{
    long *count = argument;
    uint32_t seed = (uint32_t) (count - calls) * 7919 + 1;
    while (!__atomic_load_n (&is_over, __ATOMIC_RELAXED)) {
        int s = (int) (next_random (&seed) % SOCKETS);
        int flags = next_random (&seed) % 4 ? NN_DONTWAIT : 0;
        const char *address = addresses[next_random (&seed) % 6];
        int descriptor;
        size_t size = sizeof (descriptor);
        switch (next_random (&seed) % 16) {
        case 0: case 1: open_one (&seed); break;
        case 2: nn_close (s); break;
        case 3: case 4: nn_bind (s, address); break;
        case 5: case 6: nn_connect (s, address); break;
        case 7: nn_shutdown (s, (int) (1 + next_random (&seed) % 4)); break;
        case 8: case 9: case 10: send_one (s, &seed, flags); break;
        case 11: case 12: case 13: receive_one (s, &seed, flags); break;
        case 14: poll_some (&seed); break;
        default:
            nn_getsockopt (s, 0, next_random (&seed) % 2 ? NN_SNDFD : NN_RCVFD,
                &descriptor, &size);
            nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS);
        }
        __atomic_add_fetch (count, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

int main (void)
{
    static const char *const transports[] = { "inproc", "inproc", "ipc", "ipc", "tcp", "tcp" };
    const char *seconds = getenv ("SECONDS_OF_RACES");
    pthread_t threads[THREADS];
    long before[THREADS];
    for (int i = 0; i < 6; i++)
        fresh_address (transports[i], addresses[i]);
    int threads_before = count_threads (), descriptors_before = count_descriptors ();
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread (calling, &calls[i]);
    for (int left = seconds ? atoi (seconds) : 5; left > 0; left--) {
        for (int i = 0; i < THREADS; i++)
            before[i] = __atomic_load_n (&calls[i], __ATOMIC_RELAXED);
        usleep (1000000);
        for (int i = 0; i < THREADS; i++)
            wait_until (__atomic_load_n (&calls[i], __ATOMIC_RELAXED) > before[i]);
    }
    __atomic_store_n (&is_over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        join_thread (threads[i]);
    nn_term ();
    wait_until (count_threads () == threads_before);
    if (count_descriptors () != descriptors_before)
        fail ("%d descriptors instead of %d", count_descriptors (), descriptors_before);
    return 0;
}
