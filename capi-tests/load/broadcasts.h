/*  Publishers and buses. They may drop messages for which a slow peer has no room. First they
    wait for their peers every few messages, so that nothing may be missing; then they do not
    wait, so that gaps are allowed and nothing worse. */

#ifndef LOAD_BROADCASTS_H
#define LOAD_BROADCASTS_H

#include "rounds.h"
#include <nanomsg/bus.h>
#include <nanomsg/pubsub.h>

#define LISTENERS 4
/*  This number of small messages fits any lane. */
#define WINDOW 50
#define SMALL 200
/*  The number of the message after which the sender no longer waits. */
#define MARK(total) ((total) / 2)

/*  Sends `total` messages; at the end only some that must arrive. */
static void broadcast (int s, const char *topic, uint32_t total, uint32_t *seed,
    struct count *heard, long listeners)
{
    for (uint32_t i = 0; i < total; i++) {
        uint32_t size = (uint32_t) sizeof (struct stamp) + next_random (seed) % SMALL;
        must_send (s, topic, (struct stamp) { 0, i, total, size }, seed);
        if (i < MARK (total) && (i + 1) % WINDOW == 0)
            await_count (heard, listeners * (i + 1));
    }
}

struct listener {
    int s;
    const char *topic;
    uint32_t seed;
    struct count *heard;
    atomic_int has_ended;
};

/*  Receives all messages up to the mark, and any after that, until it gets the end. */
static void *hearing (void *argument)
{
    struct listener *listener = argument;
    struct order order = { { 0 } };
    for (;;) {
        struct stamp stamp;
        must_receive (listener->s, listener->topic, &stamp, &listener->seed);
        if (stamp.flow == END_FLOW) {
            atomic_store (&listener->has_ended, 1);
            return NULL;
        }
        if (stamp.number < MARK (stamp.total))
            is_next (&order, stamp);
        else
            in_order (&order, stamp);
        account (stamp);
        add (listener->heard, 1);
    }
}

static void start_listening (struct listener *listener, pthread_t *thread, struct round *round,
    struct count *heard)
{
    listener->seed = own_seed (round);
    listener->heard = heard;
    listener->has_ended = 0;
    *thread = begin (round, hearing, listener);
}

/*  Sends the end until the receiver has got it. */
static int has_ended (int s, struct listener *listener, uint32_t *seed)
{
    if (!atomic_load (&listener->has_ended))
        must_send (s, listener->topic,
            (struct stamp) { END_FLOW, 0, 0, sizeof (struct stamp) }, seed);
    return atomic_load (&listener->has_ended);
}

/*  Two topics; each subscriber wants one of them, and some subscribe late. */
static void publications (struct round *round)
{
    struct count heard = NO_COUNT;
    struct listener listeners[LISTENERS];
    pthread_t threads[LISTENERS];
    int s = open_patient (NN_PUB);
    uint32_t total = WINDOW * (2 + next_random (&round->seed) % 20);
    bind_to (s, round->address[0]);
    for (int i = 0; i < LISTENERS; i++) {
        listeners[i].s = open_patient (NN_SUB);
        listeners[i].topic = "wanted";
        check (nn_setsockopt (listeners[i].s, NN_SUB, NN_SUB_SUBSCRIBE, "wanted", 6) == 0);
        check (nn_setsockopt (listeners[i].s, NN_SUB, NN_SUB_SUBSCRIBE, "want nothing", 12) == 0);
        connect_to (listeners[i].s, round->address[0]);
    }
    wait_until (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == LISTENERS);
    for (int i = 0; i < LISTENERS; i++)
        start_listening (&listeners[i], &threads[i], round, &heard);
    for (int i = 0; i < WINDOW; i++)
        must_send (s, "unwanted", (struct stamp) { 1, 0, 0, sizeof (struct stamp) }, &round->seed);
    broadcast (s, "wanted", total, &round->seed, &heard, LISTENERS);
    for (int i = 0; i < LISTENERS; i++) {
        wait_until (has_ended (s, &listeners[i], &round->seed));
        join_thread (threads[i]);
        close_socket (listeners[i].s);
    }
    close_socket (s);
}

/*  Three nodes, each connected to the others; one of them sends. */
static void buses (struct round *round)
{
    struct count heard = NO_COUNT;
    struct listener nodes[ADDRESSES];
    pthread_t threads[ADDRESSES];
    uint32_t total = WINDOW * (2 + next_random (&round->seed) % 20);
    for (int i = 0; i < ADDRESSES; i++) {
        nodes[i].s = open_patient (NN_BUS);
        nodes[i].topic = "";
        bind_to (nodes[i].s, round->address[i]);
        for (int k = 0; k < i; k++)
            connect_to (nodes[i].s, round->address[k]);
    }
    for (int i = 0; i < ADDRESSES; i++)
        wait_until (nn_get_statistic (nodes[i].s, NN_STAT_CURRENT_CONNECTIONS) == ADDRESSES - 1);
    for (int i = 1; i < ADDRESSES; i++)
        start_listening (&nodes[i], &threads[i], round, &heard);
    broadcast (nodes[0].s, "", total, &round->seed, &heard, ADDRESSES - 1);
    for (int i = 1; i < ADDRESSES; i++) {
        wait_until (has_ended (nodes[0].s, &nodes[i], &round->seed));
        join_thread (threads[i]);
        close_socket (nodes[i].s);
    }
    close_socket (nodes[0].s);
}

#endif
