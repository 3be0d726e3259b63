/*  A round: one conversation of one pattern over one transport, from opening its sockets to
    closing them. Several run at any time. */

#ifndef LOAD_ROUNDS_H
#define LOAD_ROUNDS_H

#include "messages.h"

/*  Transports, and addresses of a driver for each of them. */
static const char *const all_transports[] = { "inproc", "ipc", "tcp", "ws" };
#define TRANSPORTS 4
#define ADDRESSES 3

/*  A message of this sender ends its receiver. */
#define END_FLOW 1000

struct round {
    int transport;
    /*  Reused by the next round of the same driver. */
    char (*address)[NN_SOCKADDR_MAX];
    uint32_t seed;
    char name[64];
};

/*  A thread of a round. */
struct part {
    void *(*body) (void *);
    void *argument;
    const char *name;
};

static void *take_part (void *argument)
{
    struct part part = *(struct part *) argument;
    free (argument);
    taking_part = part.name;
    return part.body (part.argument);
}

static pthread_t begin (struct round *round, void *(*body) (void *), void *argument)
{
    struct part *part = malloc (sizeof (*part));
    *part = (struct part) { body, argument, round->name };
    return start_thread (take_part, part);
}

/*  The start of the random numbers of one thread of a round; each thread has its own sequence. */
static uint32_t own_seed (struct round *round)
{
    return next_random (&round->seed) * 2654435761u | 1;
}

/*  The largest amount that a sender could send while no socket received, by transport. */
static atomic_long largest_flood[TRANSPORTS];

static void note_flood (struct round *round, long bytes)
{
    atomic_long *largest = &largest_flood[round->transport];
    long before = atomic_load (largest);
    while (bytes > before && !atomic_compare_exchange_weak (largest, &before, bytes))
        ;
}

#endif
