/*  Watches processes from outside while they work: how many messages they have counted, what CPU time they have used,
    how often their threads were switched.

    The process that measures has none of the library's sockets. It forks those that have, sleeps, looks at them twice,
    and kills them: they work in endless loops and need not agree on an end.  */

#ifndef MEASURE_H
#define MEASURE_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#define COUNTERS 8
#define MOST_PROCESSES 3

/*  Each counter has one writer, and cache lines of its own.  */
struct counter {
    _Alignas(128) atomic_long messages;
    atomic_long sequence; /* the number of the last message that came, where numbers can be missing */
};

/*  What the processes share, and all that they share besides the library.  */
struct shared {
    struct counter counters[COUNTERS];
    _Alignas(128) atomic_int bound; /* the one side can be connected to */
};

struct look {
    double realtime_s;  /* seconds since 1970, as strace -ttt prints them */
    double monotonic_s; /* for differences */
    double cpu_s;       /* of all processes together */
    long switches;      /* of all their threads together, voluntary or not */
    long messages[COUNTERS];
    long sequence[COUNTERS];
};

/*  The process that measures, or the one that is measured, ends and says why.  */
_Noreturn void die(const char *what, const char *why);

/*  As die, with the text of errno.  */
_Noreturn void die_errno(const char *what);

/*  Memory for a struct shared, or for what begins with one; zeroed.  */
void *new_shared(size_t size);

/*  The child ends when its parent does, however that ends.  */
pid_t fork_worker(void (*work)(const void *), const void *argument);

void nap(double seconds);

/*  Naps, and ends the process that measures if a worker has ended or this lasts too long.  */
void watch_until(int (*happened)(const void *), const void *argument, const char *what);
void watch_for(double seconds);

void look_at(const struct shared *shared, struct look *look);
long resident_bytes(pid_t pid);

/*  Kills and reaps all workers.  */
void end_workers(void);

/*  The bytes of a message that the library is to send; their values do not matter.  */
char *new_buffer(size_t size);

static inline void count(struct counter *counter, long messages)
{
    atomic_store_explicit(&counter->messages, messages, memory_order_relaxed);
}

#endif
