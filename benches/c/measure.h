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

/*  The exit status of a program whose library cannot do what is to be measured.  */
#define CANNOT 3

/*  The process that measures, or the one that is measured, ends and says why.  */
_Noreturn void die(const char *what, const char *why);

/*  As die, where it is a limit of the library's and no failure.  */
_Noreturn void cannot(const char *why);

/*  As die, with the text of errno.  */
_Noreturn void die_errno(const char *what);

/*  Memory for a struct shared, or for what begins with one; zeroed.  */
void *new_shared(size_t size);

/*  The child ends when its parent does, however that ends.  */
pid_t fork_worker(void (*work)(const void *), const void *argument);

void nap(double seconds);

/*  A loop on each processor, until the process that measures ends: other programs' work. Their time is not looked at.  */
void start_loops(void);

/*  As many descriptors as the system lets this process have, and its workers. Returns how many.  */
long raise_descriptor_limit(void);

/*  Naps, and ends the process that measures if a worker has ended or this lasts too long.  */
void watch_until(int (*happened)(const void *), const void *argument, const char *what);
void watch_for(double seconds);

void look_at(const struct shared *shared, struct look *look);
long resident_bytes(pid_t pid);

/*  Prints what was measured, without an end of line:

        messages, seconds, CPU seconds, context switches, share of messages lost (- if it is below 0: none can be),
        realtime at the begin and at the end, process that did nothing but measure  */
void print_measured(long messages, const struct look *begin, const struct look *end, double lost);

/*  The share of messages that a receiver lacks, of those it should have had between two looks.  */
double share_lost(long came, long sent);

/*  Kills and reaps all workers, and the loops.  */
void end_workers(void);

/*  The bytes of a message that the library is to send; their values do not matter.  */
char *new_buffer(size_t size);

static inline void count(struct counter *counter, long messages)
{
    atomic_store_explicit(&counter->messages, messages, memory_order_relaxed);
}

#endif
