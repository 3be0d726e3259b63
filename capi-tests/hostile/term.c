/*  nn_term while four threads open sockets: when it has returned, no socket is open, and none
    can be opened. It can be called once in a process, so each try has its own. */

#include "../lib/plain.h"
#include <nanomsg/pair.h>

#define TRIES 200
#define THREADS 4
#define MOST 10000

struct opener {
    int count;
    int sockets[MOST];
};

static struct opener openers[THREADS];

static void *opening (void *argument)
{
    struct opener *opener = argument;
    for (int count = 0; count < MOST; count++) {
        int s = nn_socket (AF_SP, NN_PAIR);
        if (s < 0) {
            check (nn_errno () == ETERM);
            break;
        }
        opener->sockets[count] = s;
        __atomic_store_n (&opener->count, count + 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void one_try (int wanted)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread (opening, &openers[i]);
    for (int i = 0; i < THREADS; i++)
        while (__atomic_load_n (&openers[i].count, __ATOMIC_RELAXED) < wanted)
            sched_yield ();
    nn_term ();
    for (int i = 0; i < THREADS; i++)
        join_thread (threads[i]);
    for (int i = 0; i < THREADS; i++) {
        for (int k = 0; k < openers[i].count; k++) {
            if (nn_close (openers[i].sockets[k]) == 0)
                fail ("socket %d of %d is still open", k, openers[i].count);
        }
    }
}

int main (void)
{
    for (int i = 0; i < TRIES; i++) {
        pid_t child = start_process ();
        if (child == 0) {
            one_try (1 + i % 20);
            _exit (0);
        }
        join_process (child);
    }
    return 0;
}
