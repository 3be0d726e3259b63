#include "ring.h"

#include "measure.h"

#include <linux/futex.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*  The number of bytes that can be read (by the reader) or written (by the writer), as far as this side has seen.  */
static size_t seen_ready(const struct ring *ring, const struct side *self)
{
    unsigned long position = atomic_load_explicit(&self->position, memory_order_relaxed);

    return self == &ring->reader ? self->seen - position : RING_SIZE - (position - self->seen);
}

/*  The known number if it is enough; else the current one.  */
static size_t ready(struct ring *ring, struct side *self, size_t enough)
{
    if (seen_ready(ring, self) < enough)
        self->seen = atomic_load(self == &ring->reader ? &ring->writer.position : &ring->reader.position);
    return seen_ready(ring, self);
}

static void wait_ready(struct ring *ring, struct side *self, size_t least)
{
    while (ready(ring, self, least) < least) {
#ifndef SPIN
        atomic_store(&self->waits, 1);
        if (ready(ring, self, least) < least)
            syscall(SYS_futex, &self->waits, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
        atomic_store(&self->waits, 0);
#endif
    }
}

static void move(struct side *self, struct side *other, size_t size)
{
    atomic_store(&self->position, atomic_load_explicit(&self->position, memory_order_relaxed) + size);
    if (atomic_load(&other->waits) != 0 && atomic_exchange(&other->waits, 0) != 0)
        syscall(SYS_futex, &other->waits, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*  Copies as much as is possible now, at `offset` after the position. Returns how much.  */
static size_t copy(struct ring *ring, struct side *self, size_t offset, char *bytes, size_t size)
{
    size_t possible = ready(ring, self, offset + size) - offset;
    size_t start = (atomic_load_explicit(&self->position, memory_order_relaxed) + offset) % RING_SIZE;
    size_t first;

    size = size < possible ? size : possible;
    first = size < RING_SIZE - start ? size : RING_SIZE - start;
    if (self == &ring->reader) {
        memcpy(bytes, ring->bytes + start, first);
        memcpy(bytes + first, ring->bytes, size - first);
    } else {
        memcpy(ring->bytes + start, bytes, first);
        memcpy(ring->bytes, bytes + first, size - first);
    }
    return size;
}

/*  The length goes before the bytes. A message that fits moves the position once.  */
static void through_ring(struct ring *ring, struct side *self, struct side *other, char *bytes, size_t size)
{
    uint64_t length = size;
    size_t done = 0;

    wait_ready(ring, self, sizeof length);
    copy(ring, self, 0, (char *)&length, sizeof length);
    if (length != size)
        die("bare", "a message of another size");
    done = copy(ring, self, sizeof length, bytes, size);
    move(self, other, sizeof length + done);
    while (done < size) {
        size_t more;

        wait_ready(ring, self, 1);
        more = copy(ring, self, 0, bytes + done, size - done);
        move(self, other, more);
        done += more;
    }
}

void ring_write(struct ring *ring, const void *bytes, size_t size)
{
    through_ring(ring, &ring->writer, &ring->reader, (char *)bytes, size);
}

void ring_read(struct ring *ring, void *bytes, size_t size)
{
    through_ring(ring, &ring->reader, &ring->writer, bytes, size);
}
