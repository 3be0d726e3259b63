/*  Measures shapes of conversation that lie between a flood and a ping-pong, with the library of the peer_*.c that this
    is linked with.

        shapes KIND ADDRESS SIZE WARM_UP SECONDS COUNT PAUSE

        answer   a PAIR sends COUNT messages, and the other one answers with one; a sample is the whole round
        back     the same from PUSH to PULL, and back by another PUSH to another PULL
        work     a ping-pong of two PAIR, of which the first works PAUSE us between two of them; half of the round
        self     one thread sends by its PUSH, and receives by its own PULL; a sample is both
        push     a PUSH sends COUNT messages each PAUSE us to one PULL; a sample is the age of a message that comes
        pub      a PUB sends one message each PAUSE us to COUNT SUB; a sample is the age of a message that comes
        spread   one PUSH sends as fast as it can to COUNT PULL
        gather   COUNT PUSH send as fast as they can to one PULL
        fan      one PUB sends as fast as it can to COUNT SUB; counted is what is delivered

    SIZE is the length of a message in bytes, at least 8. The side that binds is one process, the side that connects
    another; over inproc both are threads of one. Printed is one line:

        messages, seconds, CPU seconds, median and 99th percentile of the samples in us (- where there are none)  */

#include "measure.h"
#include "peer.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*  A histogram of samples in ns: 32 steps to each doubling.  */
#define STEPS 32
#define CELLS (STEPS * 40)
#define MOST_PEERS 1024

struct record {
    struct shared shared;
    _Alignas(128) atomic_long cells[CELLS];
    atomic_long connected;
    _Alignas(128) struct counter peers[MOST_PEERS];
};

struct job {
    const struct kind *kind;
    const char *address;
    char second_address[256];
    size_t size;
    int count;
    double pause_ns;
    struct record *record;
};

struct kind {
    const char *name;
    void (*binds)(const struct job *);
    void (*connects)(const struct job *);
    int has_samples;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void work_until(uint64_t moment)
{
    while (now_ns() < moment)
        ;
}

static int cell_of(uint64_t ns)
{
    int power = 63 - __builtin_clzll(ns | 1);
    int step = power >= 5 ? (int)((ns >> (power - 5)) & (STEPS - 1)) : 0;
    int cell = power * STEPS + step;

    return cell < CELLS ? cell : CELLS - 1;
}

static double value_of(int cell)
{
    return (double)(1ull << (cell / STEPS)) * (1.0 + (double)(cell % STEPS) / STEPS);
}

static void sample(const struct job *job, uint64_t ns)
{
    atomic_fetch_add_explicit(&job->record->cells[cell_of(ns)], 1, memory_order_relaxed);
}

static void add(const struct job *job, int peer, long messages)
{
    atomic_fetch_add_explicit(&job->record->peers[peer].messages, messages, memory_order_relaxed);
}

static peer_socket new_socket(enum pattern pattern)
{
    peer_socket sock;

    if (peer_open(pattern, &sock) < 0)
        die("peer_open", "no more sockets");
    return sock;
}

static peer_socket bound(enum pattern pattern, const char *address)
{
    peer_socket sock = new_socket(pattern);

    peer_bind(sock, address);
    return sock;
}

static void is_bound(const struct job *job)
{
    atomic_store(&job->record->shared.bound, 1);
}

static peer_socket connected(const struct job *job, enum pattern pattern, const char *address)
{
    peer_socket sock = new_socket(pattern);

    while (!atomic_load(&job->record->shared.bound))
        nap(0.001);
    if (pattern == PEER_SUB)
        peer_subscribe(sock, "", 0);
    peer_connect(sock, address);
    return sock;
}

/*  COUNT messages there, one back: the side that begins.  */
static void begins(const struct job *job, peer_socket out, peer_socket in)
{
    char *buffer = new_buffer(job->size);
    int i;

    for (;;) {
        uint64_t start = now_ns();
        for (i = 0; i < job->count; i++)
            peer_send(out, buffer, job->size);
        peer_receive(in, buffer, job->size);
        sample(job, now_ns() - start);
        add(job, 0, job->count + 1);
    }
}

static void answers(const struct job *job, peer_socket out, peer_socket in)
{
    char *buffer = new_buffer(job->size);
    int i;

    for (;;) {
        for (i = 0; i < job->count; i++)
            peer_receive(in, buffer, job->size);
        peer_send(out, buffer, job->size);
    }
}

static void answer_binds(const struct job *job)
{
    peer_socket sock = bound(PEER_PAIR, job->address);

    is_bound(job);
    answers(job, sock, sock);
}

static void answer_connects(const struct job *job)
{
    peer_socket sock = connected(job, PEER_PAIR, job->address);

    begins(job, sock, sock);
}

static void back_binds(const struct job *job)
{
    peer_socket in = bound(PEER_PULL, job->address), out = bound(PEER_PUSH, job->second_address);

    is_bound(job);
    answers(job, out, in);
}

static void back_connects(const struct job *job)
{
    peer_socket out = connected(job, PEER_PUSH, job->address), in = connected(job, PEER_PULL, job->second_address);

    begins(job, out, in);
}

static void work_connects(const struct job *job)
{
    peer_socket sock = connected(job, PEER_PAIR, job->address);
    char *buffer = new_buffer(job->size);

    for (;;) {
        uint64_t start = now_ns();
        peer_send(sock, buffer, job->size);
        peer_receive(sock, buffer, job->size);
        sample(job, (now_ns() - start) / 2);
        add(job, 0, 2);
        work_until(now_ns() + (uint64_t)job->pause_ns);
    }
}

static void self_both(const struct job *job)
{
    peer_socket in = bound(PEER_PULL, job->address);
    peer_socket out;
    char *buffer = new_buffer(job->size);

    is_bound(job);
    out = connected(job, PEER_PUSH, job->address);
    for (;;) {
        uint64_t start = now_ns();
        peer_send(out, buffer, job->size);
        peer_receive(in, buffer, job->size);
        sample(job, now_ns() - start);
        add(job, 0, 1);
    }
}

static void rests(const struct job *job)
{
    (void)job;
    for (;;)
        nap(1);
}

static void receives(const struct job *job, peer_socket sock, int peer)
{
    char *buffer = new_buffer(job->size);
    uint64_t sent;

    for (;;) {
        peer_receive(sock, buffer, job->size);
        memcpy(&sent, buffer, sizeof sent);
        if (job->kind->has_samples && sent != 0)
            sample(job, now_ns() - sent);
        add(job, peer, 1);
    }
}

static int all_hear(const struct job *job, int peers)
{
    int i;

    for (i = 0; i < peers; i++)
        if (atomic_load_explicit(&job->record->peers[i].messages, memory_order_relaxed) == 0)
            return 0;
    return 1;
}

/*  Sends at its pace, when each receiver has been heard of: a long pause is slept through, a short one is not.  */
static void sends_paced(const struct job *job, peer_socket sock, int each_time, int receivers)
{
    char *buffer = new_buffer(job->size);
    uint64_t next = 0;
    int i;

    memset(buffer, 0, job->size);
    while (!all_hear(job, receivers)) {
        peer_send(sock, buffer, job->size);
        nap(0.001);
    }
    next = now_ns();
    for (;;) {
        for (i = 0; i < each_time; i++) {
            uint64_t now = job->kind->has_samples ? now_ns() : 1;
            memcpy(buffer, &now, sizeof now);
            peer_send(sock, buffer, job->size);
        }
        if (job->pause_ns == 0)
            continue;
        next += (uint64_t)job->pause_ns;
        if (job->pause_ns >= 200000 && next > now_ns())
            nap((double)(next - now_ns()) / 1e9);
        else
            work_until(next);
    }
}

static void push_binds(const struct job *job)
{
    peer_socket sock = bound(PEER_PULL, job->address);

    is_bound(job);
    receives(job, sock, 0);
}

static void push_connects(const struct job *job)
{
    sends_paced(job, connected(job, PEER_PUSH, job->address), job->count, 1);
}

struct part {
    const struct job *job;
    enum pattern pattern;
    int index;
};

static void *one_of_many(void *argument)
{
    struct part part = *(struct part *)argument;
    peer_socket sock = connected(part.job, part.pattern, part.job->address);
    char *buffer;

    if (part.pattern != PEER_PUSH)
        receives(part.job, sock, part.index);
    buffer = new_buffer(part.job->size);
    for (;;)
        peer_send(sock, buffer, part.job->size);
    return NULL;
}

static void many(const struct job *job, enum pattern pattern)
{
    struct part *parts = calloc((size_t)job->count, sizeof *parts);
    pthread_attr_t attributes;
    pthread_t thread;
    int i;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    for (i = 0; i < job->count; i++) {
        parts[i] = (struct part){job, pattern, i};
        if (pthread_create(&thread, &attributes, one_of_many, &parts[i]) != 0)
            die_errno("pthread_create");
    }
    rests(job);
}

static void many_pull(const struct job *job)
{
    many(job, PEER_PULL);
}

static void many_push(const struct job *job)
{
    many(job, PEER_PUSH);
}

static void many_sub(const struct job *job)
{
    many(job, PEER_SUB);
}

static void pub_binds(const struct job *job)
{
    peer_socket sock = bound(PEER_PUB, job->address);

    is_bound(job);
    sends_paced(job, sock, 1, job->count);
}

static void spread_binds(const struct job *job)
{
    peer_socket sock = bound(PEER_PUSH, job->address);

    is_bound(job);
    sends_paced(job, sock, 1, job->count);
}

static void gather_binds(const struct job *job)
{
    peer_socket sock = bound(PEER_PULL, job->address);

    is_bound(job);
    receives(job, sock, 0);
}

static const struct kind KINDS[] = {
    {"answer", answer_binds, answer_connects, 1}, {"back", back_binds, back_connects, 1},
    {"work", answer_binds, work_connects, 1},     {"self", self_both, rests, 1},
    {"push", push_binds, push_connects, 1},       {"pub", pub_binds, many_sub, 1},
    {"spread", spread_binds, many_pull, 0},       {"gather", gather_binds, many_push, 0},
    {"fan", pub_binds, many_sub, 0},
};

static void binding(const void *job)
{
    ((const struct job *)job)->kind->binds(job);
}

static void connecting(const void *job)
{
    ((const struct job *)job)->kind->connects(job);
}

static void *connecting_thread(void *job)
{
    connecting(job);
    return NULL;
}

/*  Over inproc: both sides are threads of one process.  */
static void both_sides(const void *job)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, connecting_thread, (void *)job) != 0)
        die_errno("pthread_create");
    binding(job);
}

static int has_begun(const void *argument)
{
    const struct job *job = argument;
    int peers = job->kind->connects == many_pull || job->kind->connects == many_sub ? job->count : 1;

    return all_hear(job, peers);
}

static long messages_of(const struct record *record)
{
    long sum = 0;
    int i;

    for (i = 0; i < MOST_PEERS; i++)
        sum += atomic_load_explicit(&record->peers[i].messages, memory_order_relaxed);
    return sum;
}

static void copy_cells(const struct record *record, long *cells)
{
    int i;

    for (i = 0; i < CELLS; i++)
        cells[i] = atomic_load_explicit(&record->cells[i], memory_order_relaxed);
}

static double percentile(const long *begin, const long *end, double share)
{
    long all = 0, seen = 0;
    int i;

    for (i = 0; i < CELLS; i++)
        all += end[i] - begin[i];
    for (i = 0; i < CELLS - 1; i++) {
        seen += end[i] - begin[i];
        if ((double)seen >= share * (double)all)
            break;
    }
    return value_of(i) / 1000;
}

/*  Another address: the next port, or another file or name.  */
static void name_second(struct job *job)
{
    const char *colon = strrchr(job->address, ':');

    if (strncmp(job->address, "tcp:", 4) == 0 || strncmp(job->address, "ws:", 3) == 0)
        snprintf(job->second_address, sizeof job->second_address, "%.*s:%d", (int)(colon - job->address), job->address,
                 atoi(colon + 1) + 1);
    else
        snprintf(job->second_address, sizeof job->second_address, "%s-back", job->address);
}

int main(int argc, char **argv)
{
    static long begin_cells[CELLS], end_cells[CELLS];
    struct look begin, end;
    struct job job = {0};
    long messages;
    size_t i;

    for (i = 0; argc == 8 && i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(argv[1], KINDS[i].name) == 0)
            job.kind = &KINDS[i];
    if (job.kind == NULL || atol(argv[3]) < (long)sizeof(uint64_t) || atoi(argv[6]) < 1 || atoi(argv[6]) > MOST_PEERS) {
        fprintf(stderr, "usage: shapes answer|back|work|self|push|pub|spread|gather|fan ADDRESS SIZE WARM_UP SECONDS COUNT PAUSE\n");
        return EXIT_FAILURE;
    }
    job.address = argv[2];
    name_second(&job);
    job.size = (size_t)atol(argv[3]);
    job.count = atoi(argv[6]);
    job.pause_ns = atof(argv[7]) * 1000;
    job.record = new_shared(sizeof *job.record);
    if (strncmp(job.address, "inproc:", 7) == 0) {
        fork_worker(both_sides, &job);
    } else {
        fork_worker(binding, &job);
        fork_worker(connecting, &job);
    }
    watch_until(has_begun, &job, "the first message");
    watch_for(atof(argv[4]));
    look_at(&job.record->shared, &begin);
    messages = messages_of(job.record);
    copy_cells(job.record, begin_cells);
    watch_for(atof(argv[5]));
    look_at(&job.record->shared, &end);
    messages = messages_of(job.record) - messages;
    copy_cells(job.record, end_cells);
    end_workers();
    printf("%ld\t%.6f\t%.6f", messages, end.monotonic_s - begin.monotonic_s, end.cpu_s - begin.cpu_s);
    if (job.kind->has_samples)
        printf("\t%.2f\t%.2f\n", percentile(begin_cells, end_cells, 0.5), percentile(begin_cells, end_cells, 0.99));
    else
        printf("\t-\t-\n");
    return EXIT_SUCCESS;
}
