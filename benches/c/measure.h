/*  Watches processes from outside while they work: the messages they have counted, their CPU time, the switches of
    their threads. The measuring process has none of the library's sockets. It forks the processes that have them,
    sleeps, looks at them twice, and kills them: they work in endless loops and need not agree on an end.  */

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
    atomic_long sequence; /* the number of the last message received, where numbers can be missing */
};

/*  The memory that the processes share; otherwise they share only the library.  */
struct shared {
    struct counter counters[COUNTERS];
    _Alignas(128) atomic_int bound; /* the bound side can be connected to */
};

struct look {
    double realtime_s;  /* seconds since 1970, as strace -ttt prints them */
    double monotonic_s; /* for differences */
    double cpu_s;       /* of all processes together */
    long switches;      /* of all their threads together, voluntary or not */
    long messages[COUNTERS];
    long sequence[COUNTERS];
    long wire_bytes; /* that the loopback device has carried, with the headers of TCP and IP */
};

/*  The exit status of a program whose library cannot do the case.  */
#define CANNOT 3

/*  Ends the process, measuring or measured, with a text on stderr.  */
_Noreturn void die(const char *what, const char *why);

/*  As die, for a limit of the library, which is not a failure.  */
_Noreturn void cannot(const char *why);

/*  As die, with the text of errno.  */
_Noreturn void die_errno(const char *what);

/*  Shared memory for a struct shared, or for one that begins with it; zeroed.  */
void *new_shared(size_t size);

/*  Forks a child that ends when its parent does, however that ends.  */
pid_t fork_worker(void (*work)(const void *), const void *argument);

void nap(double seconds);

/*  Runs a busy loop on each processor until the measuring process ends, in place of other programs' work. Their
    CPU time is not counted.  */
void start_loops(void);

/*  Gives this process and its workers a network of their own, so that look->wire_bytes are theirs alone.  */
void leave_network(void);

/*  Raises the limit of descriptors to the system's maximum, for this process and its workers. Returns the limit.  */
long raise_descriptor_limit(void);

/*  Sleeps for a moment, and ends the measuring process if a worker has ended or the wait is too long.  */
void watch_until(int (*happened)(const void *), const void *argument, const char *what);
void watch_for(double seconds);

void look_at(const struct shared *shared, struct look *look);
long resident_bytes(pid_t pid);

/*  Prints the measurement, without an end of line:

        messages, seconds, CPU seconds, context switches, share of messages lost (- if it is below 0: none can be),
        real time at the begin and at the end, id of the measuring process  */
void print_measured(long messages, const struct look *begin, const struct look *end, double lost);

/*  The share of messages that a receiver has missed, of those it should have received between two looks.  */
double share_lost(long came, long sent);

/*  Kills and reaps all workers, and the loops.  */
void end_workers(void);

/*  The content of the messages to send; its values do not matter.  */
char *new_buffer(size_t size);

static inline void count(struct counter *counter, long messages)
{
    atomic_store_explicit(&counter->messages, messages, memory_order_relaxed);
}

#endif
