/*  A ring of bytes through which one thread sends messages to another one. The bytes are copied in and out. A
    thread that finds it empty or full sleeps on a futex; compiled with SPIN, it never sleeps.  */

#ifndef RING_H
#define RING_H

#include <stdatomic.h>
#include <stddef.h>

#define RING_SIZE 262144 /* bytes; a power of two, since positions wrap around */

/*  On separate cache lines, so that fields which the other side seldom reads are not taken from this side's cache
    with each message.  */
struct side {
    _Alignas(128) atomic_ulong position; /* only grows */
    unsigned long seen;                  /* where the other side was when this one last looked */
    _Alignas(128) atomic_uint waits;     /* this side sleeps until the other one moves */
};

struct ring {
    struct side writer, reader;
    char bytes[RING_SIZE];
};

/*  A message may be longer than the ring. ring_read ends the process if the next one has another size.  */
void ring_write(struct ring *ring, const void *bytes, size_t size);
void ring_read(struct ring *ring, void *bytes, size_t size);

#endif
