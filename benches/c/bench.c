/*  Measures one case with the library of the linked peer_*.c.

        bench KIND ADDRESS SIZE WARM_UP SECONDS

        latency     a message goes back and forth between two PAIR sockets; two messages to a round trip
        flow        one PUSH sends as fast as it can to one PULL
        handover    flow, with messages in the library's own memory
        fanout      one PUB sends as fast as it can to eight SUB; the messages delivered to all of them together are counted
        calls       eight REQ call one REP, which sends the request back
        topics      one PUB sends messages of eight topics in turn as fast as it can, and each of eight SUB has subscribed to one
        filtered    topics, with the messages filtered by the PUB

    SIZE is the length of a message in bytes. Over inproc all sockets are in one process; otherwise those that bind are
    in one process and those that connect in another. Each of the eight has a thread. The warm-up begins when every counter
    has moved; after WARM_UP seconds it measures for SECONDS, and prints the line of print_measured;
    for `topics` and `filtered` also the bytes that the network has carried.  */

#include "measure.h"
#include "peer.h"
#include "sockets.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kind;

struct job {
    const struct kind *kind;
    const char *address;
    size_t size;
    struct shared *shared;
};

/*  A thread's part of the measurement.  */
struct part {
    const struct job *job;
    int index;
};

struct kind {
    const char *name;
    void (*binds)(const struct job *);
    void *(*connects)(void *part);
    int connecting; /* the number of threads */
    int counters;
    int messages_per_count;
    int numbered; /* the messages have numbers, which show the losses */
    int topics;   /* 0: all messages are for all */
    int filters;  /* the publisher filters */
};

/*  All sockets that this side binds.  */
static peer_socket binds_one(const struct job *job, enum pattern pattern)
{
    peer_socket sock = bound(pattern, job->address);

    tell_bound(job->shared);
    return sock;
}

static void sends_first(const struct job *job)
{
    char *buffer = new_buffer(job->size);
    peer_socket sock = binds_one(job, PEER_PAIR);
    long done;

    for (done = 1;; done++) {
        peer_send(sock, buffer, job->size);
        peer_receive(sock, buffer, job->size);
        count(&job->shared->counters[0], done);
    }
}

static void *sends_back(void *argument)
{
    const struct part *part = argument;
    char *buffer = new_buffer(part->job->size);
    peer_socket sock = connected(part->job->shared, PEER_PAIR, part->job->address);

    for (;;) {
        peer_receive(sock, buffer, part->job->size);
        peer_send(sock, buffer, part->job->size);
    }
    return NULL;
}

static void pulls(const struct job *job)
{
    char *buffer = new_buffer(job->size);
    peer_socket sock = binds_one(job, PEER_PULL);
    long done;

    for (done = 1;; done++) {
        peer_receive(sock, buffer, job->size);
        count(&job->shared->counters[0], done);
    }
}

static void *pushes(void *argument)
{
    const struct part *part = argument;
    char *buffer = new_buffer(part->job->size);
    peer_socket sock = connected(part->job->shared, PEER_PUSH, part->job->address);

    for (;;)
        peer_send(sock, buffer, part->job->size);
    return NULL;
}

static void takes_over(const struct job *job)
{
    peer_socket sock = binds_one(job, PEER_PULL);
    long done;

    for (done = 1;; done++) {
        peer_take_over(sock, job->size);
        count(&job->shared->counters[0], done);
    }
}

static void *hands_over(void *argument)
{
    const struct part *part = argument;
    peer_socket sock = connected(part->job->shared, PEER_PUSH, part->job->address);

    for (;;)
        peer_hand_over(sock, part->job->size);
    return NULL;
}

static int all_have_moved(const void *argument)
{
    const struct job *job = argument;
    int i;

    for (i = 0; i < job->kind->counters; i++)
        if (atomic_load_explicit(&job->shared->counters[i].messages, memory_order_relaxed) == 0)
            return 0;
    return 1;
}

/*  With topics, the topic of a message is its first byte: its number, from 'a' on. The number of the message follows.  */
static char *number_in(const struct job *job, char *message)
{
    return message + (job->kind->topics > 0);
}

/*  Sends slowly until all subscribers receive; then as fast as it can.  */
static void publishes(const struct job *job)
{
    char *buffer = new_buffer(job->size);
    peer_socket sock = opened(PEER_PUB);
    long number;
    int all = 0;

    if (job->kind->filters)
        peer_filter(PEER_PUB, sock);
    peer_bind(sock, job->address);
    tell_bound(job->shared);
    for (number = 1;; number++) {
        if (job->kind->topics > 0)
            buffer[0] = (char)('a' + number % job->kind->topics);
        memcpy(number_in(job, buffer), &number, sizeof number);
        peer_send(sock, buffer, job->size);
        if (!all) {
            nap(0.001);
            all = all_have_moved(job);
        }
    }
}

static void *subscribes(void *argument)
{
    const struct part *part = argument;
    const struct job *job = part->job;
    struct counter *counter = &job->shared->counters[part->index];
    char topic = (char)('a' + part->index);
    char *buffer = new_buffer(job->size);
    peer_socket sock = opened(PEER_SUB);
    long done, number;

    if (job->kind->filters)
        peer_filter(PEER_SUB, sock);
    peer_subscribe(sock, &topic, job->kind->topics > 0);
    wait_until_bound(job->shared);
    peer_connect(sock, job->address);
    for (done = 1;; done++) {
        peer_receive(sock, buffer, job->size);
        memcpy(&number, number_in(job, buffer), sizeof number);
        atomic_store_explicit(&counter->sequence, number, memory_order_relaxed);
        count(counter, done);
    }
    return NULL;
}

static void replies(const struct job *job)
{
    char *buffer = new_buffer(job->size);
    peer_socket sock = binds_one(job, PEER_REP);

    for (;;) {
        peer_receive(sock, buffer, job->size);
        peer_send(sock, buffer, job->size);
    }
}

static void *requests(void *argument)
{
    const struct part *part = argument;
    char *buffer = new_buffer(part->job->size);
    peer_socket sock = connected(part->job->shared, PEER_REQ, part->job->address);
    long done;

    for (done = 1;; done++) {
        peer_send(sock, buffer, part->job->size);
        peer_receive(sock, buffer, part->job->size);
        count(&part->job->shared->counters[part->index], done);
    }
    return NULL;
}

static const struct kind KINDS[] = {
    {"latency", sends_first, sends_back, 1, 1, 2, 0, 0, 0},
    {"flow", pulls, pushes, 1, 1, 1, 0, 0, 0},
    {"handover", takes_over, hands_over, 1, 1, 1, 0, 0, 0},
    {"fanout", publishes, subscribes, COUNTERS, COUNTERS, 1, 1, 0, 0},
    {"calls", replies, requests, COUNTERS, COUNTERS, 1, 0, 0, 0},
    {"topics", publishes, subscribes, COUNTERS, COUNTERS, 1, 1, COUNTERS, 0},
    {"filtered", publishes, subscribes, COUNTERS, COUNTERS, 1, 1, COUNTERS, 1},
};

static void one_side_binds(const void *job)
{
    ((const struct job *)job)->kind->binds(job);
}

static void other_side_connects(const void *argument)
{
    const struct job *job = argument;
    pthread_t threads[COUNTERS];
    struct part parts[COUNTERS];
    int i;

    for (i = 0; i < job->kind->connecting; i++) {
        parts[i].job = job;
        parts[i].index = i;
        if (pthread_create(&threads[i], NULL, job->kind->connects, &parts[i]) != 0)
            die_errno("pthread_create");
    }
    pthread_join(threads[0], NULL);
}

static void print(const struct kind *kind, const struct look *begin, const struct look *end)
{
    long messages = 0, sent = 0;
    int i;

    for (i = 0; i < kind->counters; i++) {
        messages += end->messages[i] - begin->messages[i];
        sent += end->sequence[i] - begin->sequence[i];
    }
    if (kind->topics > 0)
        sent /= kind->topics;
    print_measured(messages * kind->messages_per_count, begin, end, kind->numbered ? share_lost(messages, sent) : -1);
    if (kind->topics > 0)
        printf("\t%ld", end->wire_bytes - begin->wire_bytes);
    printf("\n");
}

int main(int argc, char **argv)
{
    static const side SIDES[] = {one_side_binds, other_side_connects};
    struct job job;
    struct look begin, end;
    size_t i;

    job.kind = NULL;
    for (i = 0; argc == 6 && i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(argv[1], KINDS[i].name) == 0)
            job.kind = &KINDS[i];
    if (job.kind == NULL || atol(argv[3]) < (job.kind->numbered ? (long)sizeof(long) + (job.kind->topics > 0) : 1)) {
        fprintf(stderr, "usage: bench latency|flow|handover|fanout|calls|topics|filtered ADDRESS SIZE WARM_UP SECONDS\n"
                        "The messages of a fanout bear a number and have at least %zu bytes, with a topic one more.\n",
                sizeof(long));
        return EXIT_FAILURE;
    }
    job.address = argv[2];
    job.size = (size_t)atol(argv[3]);
    job.shared = new_shared(sizeof *job.shared);

    if (job.kind->topics > 0)
        leave_network();
    start_sides(job.address, SIDES, 2, &job);
    watch_until(all_have_moved, &job, "the first message");
    watch_for(atof(argv[4]));
    look_at(job.shared, &begin);
    watch_for(atof(argv[5]));
    look_at(job.shared, &end);
    end_workers();
    print(job.kind, &begin, &end);
    return EXIT_SUCCESS;
}
