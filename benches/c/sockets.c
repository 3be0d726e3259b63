#include "sockets.h"

#include <pthread.h>
#include <string.h>

struct sides {
    side sides[MOST_SIDES];
    int count;
    const void *job;
};

struct thread_of_side {
    side side;
    const void *job;
};

static void *runs_side(void *argument)
{
    const struct thread_of_side *thread = argument;

    thread->side(thread->job);
    return NULL;
}

static void runs_all_sides(const void *argument)
{
    const struct sides *all = argument;
    struct thread_of_side threads[MOST_SIDES];
    pthread_t ids[MOST_SIDES];
    int i;

    for (i = 0; i < all->count; i++) {
        threads[i] = (struct thread_of_side){all->sides[i], all->job};
        if (pthread_create(&ids[i], NULL, runs_side, &threads[i]) != 0)
            die_errno("pthread_create");
    }
    for (i = 0; i < all->count; i++)
        pthread_join(ids[i], NULL);
}

void start_sides(const char *address, const side *sides, int count, const void *job)
{
    struct sides all = {.count = count, .job = job};
    int i;

    memcpy(all.sides, sides, (size_t)count * sizeof *sides);
    if (strncmp(address, "inproc:", 7) == 0)
        fork_worker(runs_all_sides, &all);
    else
        for (i = 0; i < count; i++)
            fork_worker(sides[i], job);
}

peer_socket opened(enum pattern pattern)
{
    peer_socket sock;

    if (peer_open(pattern, &sock) < 0)
        cannot("there are no more sockets");
    return sock;
}

peer_socket bound(enum pattern pattern, const char *address)
{
    peer_socket sock = opened(pattern);

    peer_bind(sock, address);
    return sock;
}

void tell_bound(struct shared *shared)
{
    atomic_store(&shared->bound, 1);
}

void wait_until_bound(const struct shared *shared)
{
    while (!atomic_load(&shared->bound))
        nap(0.001);
}

peer_socket connected(const struct shared *shared, enum pattern pattern, const char *address)
{
    peer_socket sock = opened(pattern);

    wait_until_bound(shared);
    if (pattern == PEER_SUB)
        peer_subscribe(sock, "", 0);
    peer_connect(sock, address);
    return sock;
}
