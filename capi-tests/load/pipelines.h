/*  Pipelines and pairs: many senders and several receivers of one socket, senders that come and
    go, bursts, and senders that are faster than their receiver. */

#ifndef LOAD_PIPELINES_H
#define LOAD_PIPELINES_H

#include "rounds.h"

#define SENDERS 8
#define READERS 3

/* ---- eight senders, three threads that receive from one socket ------------ */

struct fan_in {
    struct round *round;
    uint32_t each;     /* messages of a sender */
    int pull;
    atomic_uchar *seen; /* by sender and number */
    struct count came;
};

struct member {
    struct fan_in *fan_in;
    uint32_t flow;
    uint32_t seed;
};

/*  Sends half of its messages on one connection and half on another if it switches. */
static void *fan_in_sender (void *argument)
{
    struct member *member = argument;
    struct fan_in *fan_in = member->fan_in;
    int s = open_patient (NN_PUSH);
    int changes_over = next_random (&member->seed) % 4 == 0;
    set_int (s, NN_SOL_SOCKET, NN_LINGER, LIMIT_MS);
    int id = connect_to (s, fan_in->round->address[0]);
    for (uint32_t i = 0; i < fan_in->each; i++) {
        /*  Messages of a new connection may overtake those of the old one, so it counts as a
            sender of its own. */
        int is_late = changes_over && i >= fan_in->each / 2;
        if (changes_over && i == fan_in->each / 2) {
            check (nn_shutdown (s, id) == 0);
            connect_to (s, fan_in->round->address[0]);
        }
        struct stamp stamp = { member->flow + (is_late ? SENDERS : 0), i, fan_in->each,
            random_size (&member->seed) };
        must_send (s, "", stamp, &member->seed);
        if (next_random (&member->seed) % 64 == 0)
            sched_yield (); /* the end of a burst */
    }
    close_socket (s);
    return NULL;
}

static void *fan_in_reader (void *argument)
{
    struct member *member = argument;
    struct fan_in *fan_in = member->fan_in;
    struct order order = { { 0 } };
    for (;;) {
        struct stamp stamp;
        must_receive (fan_in->pull, "", &stamp, &member->seed);
        if (stamp.flow == END_FLOW)
            return NULL;
        in_order (&order, stamp);
        check (stamp.flow < 2 * SENDERS && stamp.number < fan_in->each);
        if (atomic_exchange (&fan_in->seen[stamp.flow % SENDERS * fan_in->each + stamp.number], 1))
            broken ("message %u of sender %u comes twice", stamp.number, stamp.flow);
        account (stamp);
        add (&fan_in->came, 1);
    }
}

static void fan_in (struct round *round)
{
    struct fan_in fan_in = { round, 100 + next_random (&round->seed) % 400,
        open_patient (NN_PULL), NULL, NO_COUNT };
    struct member senders[SENDERS], readers[READERS];
    pthread_t sending[SENDERS], reading[READERS];
    fan_in.seen = calloc (SENDERS, fan_in.each);
    bind_to (fan_in.pull, round->address[0]);
    for (uint32_t i = 0; i < READERS; i++) {
        readers[i] = (struct member) { &fan_in, i, own_seed (round) };
        reading[i] = begin (round, fan_in_reader, &readers[i]);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct member) { &fan_in, i, own_seed (round) };
        sending[i] = begin (round, fan_in_sender, &senders[i]);
    }
    long all = (long) SENDERS * fan_in.each;
    if (next_random (&round->seed) % 4 == 0) {
        await_count (&fan_in.came, all / 2);
        descriptor_of (fan_in.pull, NN_RCVFD); /* in the middle of blocked calls */
    }
    for (int i = 0; i < SENDERS; i++)
        join_thread (sending[i]);
    await_count (&fan_in.came, all);
    int last = open_patient (NN_PUSH);
    set_int (last, NN_SOL_SOCKET, NN_LINGER, LIMIT_MS);
    connect_to (last, round->address[0]);
    for (uint32_t i = 0; i < READERS; i++)
        must_send (last, "", (struct stamp) { END_FLOW, i, 0, sizeof (struct stamp) }, &round->seed);
    for (int i = 0; i < READERS; i++)
        join_thread (reading[i]);
    close_socket (last);
    close_socket (fan_in.pull);
    free (fan_in.seen);
}

/* ---- readers that come and go: what they leave behind is lost -------------- */

struct leaver {
    struct round *round;
    struct count *came;
    uint32_t seed;
};

static void *leaving_reader (void *argument)
{
    struct leaver *leaver = argument;
    for (int visit = 0; visit < 4; visit++) {
        struct order order = { { 0 } };
        int s = open_patient (NN_PULL);
        connect_to (s, leaver->round->address[0]);
        for (uint32_t left = 1 + next_random (&leaver->seed) % 100; left > 0; left--) {
            struct stamp stamp;
            must_receive (s, "", &stamp, &leaver->seed);
            in_order (&order, stamp);
            account (stamp);
        }
        close_socket (s);
    }
    add (leaver->came, 1);
    return NULL;
}

static void leaving_readers (struct round *round)
{
    struct count done = NO_COUNT;
    struct leaver leavers[READERS];
    pthread_t reading[READERS];
    int s = open_patient (NN_PUSH);
    bind_to (s, round->address[0]);
    for (int i = 0; i < READERS; i++) {
        leavers[i] = (struct leaver) { round, &done, own_seed (round) };
        reading[i] = begin (round, leaving_reader, &leavers[i]);
    }
    set_int (s, NN_SOL_SOCKET, NN_SNDTIMEO, 5);
    for (uint32_t i = 0;; i++) {
        struct stamp stamp = { 0, i, 0, random_size (&round->seed) };
        if (send_stamped (s, "", stamp, &round->seed, 0) < 0)
            check (nn_errno () == ETIMEDOUT);
        pthread_mutex_lock (&done.lock);
        int are_gone = done.value == READERS;
        pthread_mutex_unlock (&done.lock);
        if (are_gone)
            break;
    }
    for (int i = 0; i < READERS; i++)
        join_thread (reading[i]);
    set_int (s, NN_SOL_SOCKET, NN_LINGER, 0);
    close_socket (s);
}

/* ---- a sender that is faster than its reader -------------------------------- */

/*  Far more than the lanes and the kernel's buffers hold. */
#define FLOOD_BYTES (64 << 20)

static void flood (struct round *round)
{
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    struct order order = { { 0 } };
    struct stamp stamp = { 0, 0, 0, 4000 };
    long taken = 0;
    bind_to (pull, round->address[0]);
    connect_to (push, round->address[0]);
    wait_writable (push);
    while (send_stamped (push, "", stamp, &round->seed, NN_DONTWAIT) >= 0) {
        stamp.number++;
        taken += stamp.size;
        if (taken > FLOOD_BYTES)
            broken ("%ld bytes were taken from a sender that nobody reads from", taken);
    }
    check (nn_errno () == EAGAIN);
    note_flood (round, taken);
    for (uint32_t i = 0; i < stamp.number; i++) {
        struct stamp came;
        must_receive (pull, "", &came, &round->seed);
        is_next (&order, came);
        account (came);
    }
    close_socket (push);
    close_socket (pull);
}

/* ---- a pair that talks in both directions at once --------------------------- */

struct talk {
    int s;
    uint32_t each;
    uint32_t seed, listeners_seed;
    int asks; /* for the descriptor, in the middle */
    struct count *heard_here, *heard_there;
};

static void *talking (void *argument)
{
    struct talk *talk = argument;
    for (uint32_t i = 0; i < talk->each; i++) {
        struct stamp stamp = { 0, i, talk->each, random_size (&talk->seed) };
        must_send (talk->s, "", stamp, &talk->seed);
        if (next_random (&talk->seed) % 50 == 0)
            await_count (talk->heard_there, (long) i + 1); /* then the next is a lone one */
    }
    return NULL;
}

static void *listening (void *argument)
{
    struct talk *talk = argument;
    struct order order = { { 0 } };
    for (uint32_t i = 0; i < talk->each; i++) {
        struct stamp stamp;
        if (talk->asks && i > talk->each / 2) {
            wait_readable (talk->s);
            if (receive_stamped (talk->s, "", &stamp, &talk->listeners_seed, NN_DONTWAIT) < 0)
                broken ("a readable socket has nothing: %s", error_name (nn_errno ()));
        } else {
            must_receive (talk->s, "", &stamp, &talk->listeners_seed);
        }
        is_next (&order, stamp);
        account (stamp);
        add (talk->heard_here, 1);
    }
    return NULL;
}

static void pair (struct round *round)
{
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    uint32_t each = 200 + next_random (&round->seed) % 1000;
    struct count at_a = NO_COUNT, at_b = NO_COUNT;
    struct talk talks[2] = {
        { a, each, own_seed (round), own_seed (round), next_random (&round->seed) % 2, &at_a, &at_b },
        { b, each, own_seed (round), own_seed (round), next_random (&round->seed) % 2, &at_b, &at_a },
    };
    bind_to (a, round->address[0]);
    connect_to (b, round->address[0]);
    pthread_t threads[4] = { begin (round, talking, &talks[0]), begin (round, talking, &talks[1]),
        begin (round, listening, &talks[0]), begin (round, listening, &talks[1]) };
    for (int i = 0; i < 4; i++)
        join_thread (threads[i]);
    close_socket (a);
    close_socket (b);
}

#endif
