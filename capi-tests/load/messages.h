/*  Messages that name their sender and number, and the check of them: none is lost, duplicated,
    damaged, or out of order. */

#ifndef LOAD_MESSAGES_H
#define LOAD_MESSAGES_H

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>
#include <stdatomic.h>

/*  The longest message, far more than a lane holds. */
#define LONGEST 200000

/*  The first bytes of a message; the rest is a piece of `pattern`. */
struct stamp {
    uint32_t flow;   /* who sent it */
    uint32_t number; /* its number among those of this sender, from 0 */
    uint32_t total;  /* the number of messages of this sender; 0 if unknown */
    uint32_t size;   /* of the whole message */
};

static unsigned char pattern[LONGEST + 256];

static void make_pattern (void)
{
    uint32_t seed = 4711;
    for (size_t i = 0; i < sizeof (pattern); i++)
        pattern[i] = (unsigned char) next_random (&seed);
}

static const unsigned char *piece_of (struct stamp stamp)
{
    return pattern + (stamp.flow * 7 + stamp.number * 31) % 256;
}

/*  Mostly small, sometimes larger than a lane stores inline, seldom larger than a lane. */
static uint32_t random_size (uint32_t *seed)
{
    uint32_t limit = next_random (seed) % 16 ? 100 : next_random (seed) % 8 ? 6000 : LONGEST;
    return (uint32_t) sizeof (struct stamp) + next_random (seed) % (limit - (uint32_t) sizeof (struct stamp));
}

/*  The conversation of the calling thread, for the text of a failure. */
static __thread const char *taking_part = "nothing";

#define broken(format, ...) fail ("%s: " format, taking_part, ##__VA_ARGS__)

/* ---- sending ------------------------------------------------------------- */

/*  Sends one message, after `topic`, by one of the functions that can. Returns as nn_send,
    without the topic. */
static int send_stamped (int s, const char *topic, struct stamp stamp, uint32_t *seed, int flags)
{
    size_t before = strlen (topic), rest = stamp.size - sizeof (stamp);
    int sent;
    if (next_random (seed) % 3 == 0) {
        struct nn_iovec parts[3] = { { (void *) topic, before }, { &stamp, sizeof (stamp) },
            { (void *) piece_of (stamp), rest } };
        struct nn_msghdr header = { parts, 3, NULL, 0 };
        sent = nn_sendmsg (s, &header, flags);
    } else {
        char *message = nn_allocmsg (before + stamp.size, 0);
        check (message != NULL);
        memcpy (message, topic, before);
        memcpy (message + before, &stamp, sizeof (stamp));
        memcpy (message + before + sizeof (stamp), piece_of (stamp), rest);
        if (next_random (seed) % 2) {
            sent = nn_send (s, &message, NN_MSG, flags);
            if (sent < 0)
                check (nn_freemsg (message) == 0);
        } else {
            sent = nn_send (s, message, before + stamp.size, flags);
            check (nn_freemsg (message) == 0);
        }
    }
    return sent < 0 ? sent : sent - (int) before;
}

static void must_send (int s, const char *topic, struct stamp stamp, uint32_t *seed)
{
    if (send_stamped (s, topic, stamp, seed, 0) != (int) stamp.size)
        broken ("message %u of sender %u is not sent: %s", stamp.number, stamp.flow,
            error_name (nn_errno ()));
}

/* ---- receiving ----------------------------------------------------------- */

/*  Receives one message, by one of the functions that can, and compares all of it. Returns as
    nn_recv, without the topic. */
static int receive_stamped (int s, const char *topic, struct stamp *stamp, uint32_t *seed,
    int flags)
{
    size_t before = strlen (topic);
    char *message = NULL;
    int size;
    if (next_random (seed) % 2) {
        size = nn_recv (s, &message, NN_MSG, flags);
    } else {
        struct nn_iovec part = { &message, NN_MSG };
        struct nn_msghdr header = { &part, 1, NULL, 0 };
        size = nn_recvmsg (s, &header, flags);
    }
    if (size < 0)
        return size;
    if ((size_t) size < before + sizeof (*stamp) || memcmp (message, topic, before) != 0)
        broken ("%d bytes that nobody sent", size);
    size -= (int) before;
    memcpy (stamp, message + before, sizeof (*stamp));
    if (stamp->size != (uint32_t) size)
        broken ("message %u of sender %u has %d bytes instead of %u", stamp->number,
            stamp->flow, size, stamp->size);
    if (memcmp (message + before + sizeof (*stamp), piece_of (*stamp),
          (size_t) size - sizeof (*stamp)) != 0)
        broken ("message %u of sender %u was changed on its way", stamp->number, stamp->flow);
    check (nn_freemsg (message) == 0);
    return size;
}

static void must_receive (int s, const char *topic, struct stamp *stamp, uint32_t *seed)
{
    if (receive_stamped (s, topic, stamp, seed, 0) < 0)
        broken ("nothing is received: %s", error_name (nn_errno ()));
}

/* ---- the book ------------------------------------------------------------ */

/*  What one receiver has received from each sender, in order. */
struct order {
    uint32_t next[64];
};

static void in_order (struct order *order, struct stamp stamp)
{
    uint32_t *next = &order->next[stamp.flow % 64];
    if (stamp.number < *next)
        broken ("message %u of sender %u comes after message %u", stamp.number, stamp.flow,
            *next - 1);
    *next = stamp.number + 1;
}

/*  As `in_order`, and no message is missing. */
static void is_next (struct order *order, struct stamp stamp)
{
    if (stamp.number != order->next[stamp.flow % 64])
        broken ("message %u of sender %u is lost, message %u is there",
            order->next[stamp.flow % 64], stamp.flow, stamp.number);
    in_order (order, stamp);
}

/*  A number that only grows, and that threads can wait for. */
struct count {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    long value;
};

#define NO_COUNT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

static void add (struct count *count, long more)
{
    pthread_mutex_lock (&count->lock);
    count->value += more;
    pthread_cond_broadcast (&count->changed);
    pthread_mutex_unlock (&count->lock);
}

#define await_count(count, value) await_count_at (__FILE__, __LINE__, count, value)
static void await_count_at (const char *file, int line, struct count *count, long value)
{
    struct timespec end;
    clock_gettime (CLOCK_REALTIME, &end);
    end.tv_sec += LIMIT_MS / 1000;
    pthread_mutex_lock (&count->lock);
    while (count->value < value)
        if (pthread_cond_timedwait (&count->changed, &count->lock, &end) == ETIMEDOUT)
            fail_at (file, line, "%s: %ld instead of %ld", taking_part, count->value, value);
    pthread_mutex_unlock (&count->lock);
}

/*  Messages received in the whole run. */
static atomic_long all_messages, all_bytes;

static void account (struct stamp stamp)
{
    atomic_fetch_add_explicit (&all_messages, 1, memory_order_relaxed);
    atomic_fetch_add_explicit (&all_bytes, stamp.size, memory_order_relaxed);
}

#endif
