#define _GNU_SOURCE /* asprintf */

/*  Measures shapes of conversation between a flood and a ping-pong, and crowds, with the library of the linked peer_*.c.

        shapes KIND ADDRESS SIZE WARM_UP SECONDS COUNT PAUSE [loops]

        answer   a PAIR sends COUNT messages, and the other one answers with one; a sample is a round trip
        back     the same from PUSH to PULL, and back by another PUSH to another PULL
        work     a ping-pong of two PAIR; the first works PAUSE us between two round trips; a sample is half a round trip
        self     one thread sends by its PUSH, and receives by its own PULL; a sample is a send and its receive
        push     a PUSH sends COUNT messages each PAUSE us to one PULL; a sample is the age of a received message
        pub      a PUB sends one message each PAUSE us to COUNT SUB; a sample is the age of a received message
        stages   a PUSH sends one each PAUSE us to a PULL, whose thread forwards it by another PUSH to another PULL; a sample
                 is the age at the last one; without a pause it is a flood and has no samples
        ask      COUNT REQ call one REP, and each works PAUSE us after an answer; a sample is a call
        serve    COUNT REQ call one REP, which works PAUSE us before each answer; a sample is a call
        device   COUNT REQ call one REP through a device; a sample is a call
        short    COUNT threads open a REQ, connect it, call one REP, and close it; a sample is all of that
        poll     one thread waits for COUNT REP by the library's own call, and answers; another one has a REQ for each and
                 calls by one after the other; a sample is a call
        epoll    the same, but the thread waits by epoll, on the descriptors that the library gives for that
        spread   one PUSH sends as fast as it can to COUNT PULL
        gather   COUNT PUSH send as fast as they can to one PULL
        fan      one PUB sends as fast as it can to COUNT SUB; delivered messages are counted

    SIZE is the length of a message in bytes, at least 16. The side that binds is one process, the side that connects
    another, and each of three stages and each part of a device is one; over inproc all are threads of one process. The
    warm-up begins when a message has come from each of the COUNT; after WARM_UP seconds it measures for SECONDS; with
    `loops`, while a busy loop runs on each processor. It prints one line: that of print_measured, and then

        median and 99th percentile of the samples in us (- where there are none)

    The CPU time does not include that of the work, nor that of waiting for the time of the next message.  */

#include "measure.h"
#include "peer.h"
#include "sockets.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

/*  A histogram of samples in ns: 2^STEP_BITS steps to each doubling.  */
#define STEP_BITS 7
#define STEPS (1 << STEP_BITS)
#define CELLS (STEPS * 36)
#define MOST_PEERS 1024
/*  A shorter pause is spent in a busy loop, not asleep.  */
#define SHORTEST_NAP_NS 200000

struct record {
    struct shared shared;
    _Alignas(128) atomic_long cells[CELLS];
    _Alignas(128) atomic_long worked_ns; /* CPU time that is not the library's */
    atomic_int senders;                  /* in a receiver: the number of senders it has received from */
    _Alignas(128) struct counter peers[MOST_PEERS];
};

struct job {
    const struct kind *kind;
    const char *address;
    size_t size;
    int count;
    uint64_t pause_ns;
    struct record *record;
};

/*  The condition on received messages that starts the warm-up.  */
enum hearing { ONE_COUNTER, A_COUNTER_EACH, ALL_SENDERS };

struct kind {
    const char *name;
    side sides[MOST_SIDES]; /* the first of them are set */
    enum hearing hearing;
    int numbered; /* the messages have numbers, which show the losses */
};

/*  The first bytes of a message.  */
struct stamp {
    uint64_t sent_ns; /* or 0: its age is not a sample */
    long number;      /* of the message, or of its sender */
};

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static void work_until(const struct job *job, uint64_t moment)
{
    uint64_t start;

    if (now_ns() >= moment)
        return;
    start = read_clock(CLOCK_THREAD_CPUTIME_ID);
    while (now_ns() < moment)
        ;
    atomic_fetch_add_explicit(&job->record->worked_ns, (long)(read_clock(CLOCK_THREAD_CPUTIME_ID) - start), memory_order_relaxed);
}

static void work(const struct job *job)
{
    if (job->pause_ns > 0)
        work_until(job, now_ns() + job->pause_ns);
}

/*  --- Samples ---  */

static int cell_of(uint64_t ns)
{
    int power = 63 - __builtin_clzll(ns | 1);
    uint64_t steps = power >= STEP_BITS ? ns >> (power - STEP_BITS) : ns << (STEP_BITS - power);
    int cell = power * STEPS + (int)(steps & (STEPS - 1));

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

static struct counter *counter_of(const struct job *job, int peer)
{
    return &job->record->peers[peer];
}

static long counted(const struct counter *counter)
{
    return atomic_load_explicit(&counter->messages, memory_order_relaxed);
}

static int all_hear(const struct job *job, int peers)
{
    int i;

    for (i = 0; i < peers; i++)
        if (counted(counter_of(job, i)) == 0)
            return 0;
    return 1;
}

/*  --- Addresses and sockets ---  */

/*  The address itself for 0, and others from 1 on: the next port, or another file or name. They are not freed.  */
static const char *nth_address(const struct job *job, int index)
{
    const char *colon = strrchr(job->address, ':');
    char *address;
    int failed;

    if (strncmp(job->address, "tcp:", 4) == 0 || strncmp(job->address, "ws:", 3) == 0)
        failed = asprintf(&address, "%.*s:%d", (int)(colon - job->address), job->address, atoi(colon + 1) + index) < 0;
    else
        failed = asprintf(&address, index == 0 ? "%s" : "%s-%d", job->address, index) < 0;
    if (failed)
        die_errno("asprintf");
    return address;
}

static peer_socket bound_at(const struct job *job, enum pattern pattern, int index)
{
    return bound(pattern, nth_address(job, index));
}

static peer_socket connected_to(const struct job *job, enum pattern pattern, int index)
{
    return connected(&job->record->shared, pattern, nth_address(job, index));
}

static void is_bound(const struct job *job)
{
    tell_bound(&job->record->shared);
}

/*  --- Messages there, one back ---  */

static void begins(const struct job *job, peer_socket out, peer_socket in)
{
    char *buffer = new_buffer(job->size);
    long done;
    int i;

    for (done = job->count + 1;; done += job->count + 1) {
        uint64_t start = now_ns();
        for (i = 0; i < job->count; i++)
            peer_send(out, buffer, job->size);
        peer_receive(in, buffer, job->size);
        sample(job, now_ns() - start);
        count(counter_of(job, 0), done);
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

static void pair_answers(const void *job)
{
    peer_socket sock = bound_at(job, PEER_PAIR, 0);

    is_bound(job);
    answers(job, sock, sock);
}

static void pair_begins(const void *job)
{
    peer_socket sock = connected_to(job, PEER_PAIR, 0);

    begins(job, sock, sock);
}

static void pull_answers(const void *job)
{
    peer_socket in = bound_at(job, PEER_PULL, 0), out = bound_at(job, PEER_PUSH, 1);

    is_bound(job);
    answers(job, out, in);
}

static void push_begins(const void *job)
{
    peer_socket out = connected_to(job, PEER_PUSH, 0), in = connected_to(job, PEER_PULL, 1);

    begins(job, out, in);
}

static void pair_works(const void *argument)
{
    const struct job *job = argument;
    peer_socket sock = connected_to(job, PEER_PAIR, 0);
    char *buffer = new_buffer(job->size);
    long done;

    for (done = 2;; done += 2) {
        uint64_t start = now_ns();
        peer_send(sock, buffer, job->size);
        peer_receive(sock, buffer, job->size);
        sample(job, (now_ns() - start) / 2);
        count(counter_of(job, 0), done);
        work(job);
    }
}

static void sends_to_itself(const void *argument)
{
    const struct job *job = argument;
    peer_socket in = bound_at(job, PEER_PULL, 0), out;
    char *buffer = new_buffer(job->size);
    long done;

    is_bound(job);
    out = connected_to(job, PEER_PUSH, 0);
    for (done = 1;; done++) {
        uint64_t start = now_ns();
        peer_send(out, buffer, job->size);
        peer_receive(in, buffer, job->size);
        sample(job, now_ns() - start);
        count(counter_of(job, 0), done);
    }
}

/*  --- One direction ---  */

static void receives(const struct job *job, peer_socket sock, int peer)
{
    struct counter *counter = counter_of(job, peer);
    char *buffer = new_buffer(job->size);
    struct stamp stamp;
    long done;

    for (done = 1;; done++) {
        peer_receive(sock, buffer, job->size);
        memcpy(&stamp, buffer, sizeof stamp);
        if (stamp.sent_ns != 0)
            sample(job, now_ns() - stamp.sent_ns);
        atomic_store_explicit(&counter->sequence, stamp.number, memory_order_relaxed);
        count(counter, done);
    }
}

static void waits_until(const struct job *job, uint64_t moment)
{
    uint64_t now = now_ns();

    if (job->pause_ns < SHORTEST_NAP_NS)
        work_until(job, moment);
    else if (now < moment)
        nap((double)(moment - now) / 1e9);
}

/*  Sends slowly until each receiver has received something; then at its rate, or as fast as it can.  */
static void sends(const struct job *job, peer_socket sock, int each_time, int receivers)
{
    char *buffer = new_buffer(job->size);
    struct stamp stamp = {0, 1};
    uint64_t next;
    int i;

    for (; !all_hear(job, receivers); stamp.number++) {
        memcpy(buffer, &stamp, sizeof stamp);
        peer_send(sock, buffer, job->size);
        /*  Each subscriber gets all of them, and must not be kept busy while others connect.  */
        nap(job->kind->numbered ? 0.001 + 0.00002 * receivers : 0.001);
    }
    for (next = now_ns();; next += job->pause_ns) {
        if (job->pause_ns > 0)
            waits_until(job, next);
        for (i = 0; i < each_time; i++, stamp.number++) {
            stamp.sent_ns = job->pause_ns > 0 ? now_ns() : 0;
            memcpy(buffer, &stamp, sizeof stamp);
            peer_send(sock, buffer, job->size);
        }
    }
}

static void one_pulls(const void *job)
{
    peer_socket sock = bound_at(job, PEER_PULL, 0);

    is_bound(job);
    receives(job, sock, 0);
}

static void pushes_some(const void *argument)
{
    const struct job *job = argument;

    sends(job, connected_to(job, PEER_PUSH, 0), job->count, 1);
}

static void sends_to_many(const struct job *job, enum pattern pattern)
{
    peer_socket sock = bound_at(job, pattern, 0);

    is_bound(job);
    sends(job, sock, 1, job->count);
}

static void pushes_to_many(const void *job)
{
    sends_to_many(job, PEER_PUSH);
}

static void publishes(const void *job)
{
    sends_to_many(job, PEER_PUB);
}

/*  Its messages have the number of their sender.  */
static void pulls_from_many(const void *argument)
{
    const struct job *job = argument;
    peer_socket sock = bound_at(job, PEER_PULL, 0);
    char *buffer = new_buffer(job->size), *heard = calloc((size_t)job->count, 1);
    struct stamp stamp;
    int senders = 0;
    long done;

    is_bound(job);
    for (done = 1;; done++) {
        peer_receive(sock, buffer, job->size);
        if (senders < job->count) {
            memcpy(&stamp, buffer, sizeof stamp);
            senders += !heard[stamp.number];
            heard[stamp.number] = 1;
            atomic_store(&job->record->senders, senders);
        }
        count(counter_of(job, 0), done);
    }
}

/*  --- Three stages ---  */

static void passes_on(const void *argument)
{
    const struct job *job = argument;
    peer_socket in = bound_at(job, PEER_PULL, 0), out = bound_at(job, PEER_PUSH, 1);
    char *buffer = new_buffer(job->size);

    is_bound(job);
    for (;;) {
        peer_receive(in, buffer, job->size);
        peer_send(out, buffer, job->size);
    }
}

static void pulls_last(const void *job)
{
    receives(job, connected_to(job, PEER_PULL, 1), 0);
}

/*  --- Calls ---  */

static void replies(const struct job *job, peer_socket sock, int works)
{
    char *buffer = new_buffer(job->size);

    for (;;) {
        peer_receive(sock, buffer, job->size);
        if (works)
            work(job);
        peer_send(sock, buffer, job->size);
    }
}

static void one_replies(const void *job)
{
    peer_socket sock = bound_at(job, PEER_REP, 0);

    is_bound(job);
    replies(job, sock, 0);
}

static void one_works_and_replies(const void *job)
{
    peer_socket sock = bound_at(job, PEER_REP, 0);

    is_bound(job);
    replies(job, sock, 1);
}

static void replies_behind_device(const void *job)
{
    replies(job, connected_to(job, PEER_REP, 1), 0);
}

static void is_device(const void *job)
{
    struct peer_device device = peer_bind_device(nth_address(job, 0), nth_address(job, 1));

    is_bound(job);
    peer_run_device(device);
}

/*  --- Many, each with a thread ---  */

struct part {
    const struct job *job;
    void (*runs)(const struct job *, int index);
    int index;
};

static void *runs_part(void *argument)
{
    const struct part *part = argument;

    part->runs(part->job, part->index);
    return NULL;
}

static void many(const struct job *job, void (*runs)(const struct job *, int index))
{
    struct part *parts = calloc((size_t)job->count, sizeof *parts);
    pthread_attr_t attributes;
    pthread_t thread;
    int i;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    for (i = 0; i < job->count; i++) {
        parts[i] = (struct part){job, runs, i};
        if (pthread_create(&thread, &attributes, runs_part, &parts[i]) != 0)
            die_errno("pthread_create");
    }
    pthread_join(thread, NULL);
}

static void pulls(const struct job *job, int index)
{
    receives(job, connected_to(job, PEER_PULL, 0), index);
}

static void subscribes(const struct job *job, int index)
{
    receives(job, connected_to(job, PEER_SUB, 0), index);
}

static void floods(const struct job *job, int index)
{
    peer_socket sock = connected_to(job, PEER_PUSH, 0);
    char *buffer = new_buffer(job->size);
    struct stamp stamp = {0, index};

    memcpy(buffer, &stamp, sizeof stamp);
    for (;;)
        peer_send(sock, buffer, job->size);
}

static void asks_and_works(const struct job *job, int index, int works)
{
    peer_socket sock = connected_to(job, PEER_REQ, 0);
    char *buffer = new_buffer(job->size);
    long done;

    for (done = 1;; done++) {
        uint64_t start = now_ns();
        peer_send(sock, buffer, job->size);
        peer_receive(sock, buffer, job->size);
        sample(job, now_ns() - start);
        count(counter_of(job, index), done);
        if (works)
            work(job);
    }
}

static void asks_only(const struct job *job, int index)
{
    asks_and_works(job, index, 0);
}

static void asks_between_work(const struct job *job, int index)
{
    asks_and_works(job, index, 1);
}

static void asks_shortly(const struct job *job, int index)
{
    const char *address = nth_address(job, 0);
    char *buffer = new_buffer(job->size);
    long done;

    wait_until_bound(&job->record->shared);
    for (done = 1;; done++) {
        uint64_t start = now_ns();
        peer_socket sock = opened(PEER_REQ);
        peer_connect(sock, address);
        peer_send(sock, buffer, job->size);
        peer_receive(sock, buffer, job->size);
        peer_close(sock);
        sample(job, now_ns() - start);
        count(counter_of(job, index), done);
    }
}

static void many_pull(const void *job)
{
    many(job, pulls);
}

static void many_subscribe(const void *job)
{
    many(job, subscribes);
}

static void many_flood(const void *job)
{
    many(job, floods);
}

static void many_ask(const void *job)
{
    many(job, asks_only);
}

static void many_ask_between_work(const void *job)
{
    many(job, asks_between_work);
}

static void many_ask_shortly(const void *job)
{
    many(job, asks_shortly);
}

/*  --- One thread for many sockets ---  */

static peer_socket *bound_replies(const struct job *job)
{
    peer_socket *socks = calloc((size_t)job->count, sizeof *socks);
    int i;

    for (i = 0; i < job->count; i++)
        socks[i] = bound_at(job, PEER_REP, i);
    is_bound(job);
    return socks;
}

static void replies_to_all(const struct job *job, peer_socket sock, char *buffer)
{
    while (peer_try_receive(sock, buffer, job->size))
        peer_send(sock, buffer, job->size);
}

static void polls(const void *argument)
{
    const struct job *job = argument;
    peer_socket *socks = bound_replies(job);
    struct peer_set *set = peer_new_set(socks, job->count);
    char *buffer = new_buffer(job->size);
    int i;

    for (;;) {
        peer_wait(set);
        for (i = 0; i < job->count; i++)
            if (peer_has_message(set, i))
                replies_to_all(job, socks[i], buffer);
    }
}

static void polls_descriptors(const void *argument)
{
    const struct job *job = argument;
    peer_socket *socks = bound_replies(job);
    char *buffer = new_buffer(job->size);
    int poll = epoll_create1(0), i, ready;

    for (i = 0; i < job->count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, peer_descriptor(socks[i]), &event) < 0)
            die_errno("epoll_ctl");
    }
    for (;;) {
        struct epoll_event events[64];
        ready = epoll_wait(poll, events, 64, -1);
        if (ready < 0)
            die_errno("epoll_wait");
        for (i = 0; i < ready; i++)
            replies_to_all(job, socks[events[i].data.u32], buffer);
    }
}

static void asks_in_turn(const void *argument)
{
    const struct job *job = argument;
    peer_socket *socks = calloc((size_t)job->count, sizeof *socks);
    char *buffer = new_buffer(job->size);
    long done;
    int i;

    for (i = 0; i < job->count; i++)
        socks[i] = connected_to(job, PEER_REQ, i);
    for (done = 1;; done++) {
        uint64_t start = now_ns();
        i = (int)(done % job->count);
        peer_send(socks[i], buffer, job->size);
        peer_receive(socks[i], buffer, job->size);
        sample(job, now_ns() - start);
        count(counter_of(job, 0), done);
    }
}

/*  --- All of it ---  */

static const struct kind KINDS[] = {
    {"answer", {pair_answers, pair_begins}, ONE_COUNTER, 0},
    {"back", {pull_answers, push_begins}, ONE_COUNTER, 0},
    {"work", {pair_answers, pair_works}, ONE_COUNTER, 0},
    {"self", {sends_to_itself}, ONE_COUNTER, 0},
    {"push", {one_pulls, pushes_some}, ONE_COUNTER, 0},
    {"pub", {publishes, many_subscribe}, A_COUNTER_EACH, 1},
    {"stages", {passes_on, pushes_some, pulls_last}, ONE_COUNTER, 0},
    {"ask", {one_replies, many_ask_between_work}, A_COUNTER_EACH, 0},
    {"serve", {one_works_and_replies, many_ask}, A_COUNTER_EACH, 0},
    {"device", {is_device, many_ask, replies_behind_device}, A_COUNTER_EACH, 0},
    {"short", {one_replies, many_ask_shortly}, A_COUNTER_EACH, 0},
    {"poll", {polls, asks_in_turn}, ONE_COUNTER, 0},
    {"epoll", {polls_descriptors, asks_in_turn}, ONE_COUNTER, 0},
    {"spread", {pushes_to_many, many_pull}, A_COUNTER_EACH, 0},
    {"gather", {pulls_from_many, many_flood}, ALL_SENDERS, 0},
    {"fan", {publishes, many_subscribe}, A_COUNTER_EACH, 1},
};

static int has_begun(const void *argument)
{
    const struct job *job = argument;

    if (job->kind->hearing == ALL_SENDERS)
        return atomic_load(&job->record->senders) == job->count;
    return all_hear(job, job->kind->hearing == A_COUNTER_EACH ? job->count : 1);
}

/*  The figures of one moment, seen from outside.  */
struct view {
    struct look look;
    long messages, sequences; /* of all counters */
    long cells[CELLS];
};

static void view(const struct record *record, struct view *view)
{
    int i;

    look_at(&record->shared, &view->look);
    view->look.cpu_s -= (double)atomic_load_explicit(&record->worked_ns, memory_order_relaxed) / 1e9;
    for (i = 0; i < MOST_PEERS; i++) {
        view->messages += counted(&record->peers[i]);
        view->sequences += atomic_load_explicit(&record->peers[i].sequence, memory_order_relaxed);
    }
    for (i = 0; i < CELLS; i++)
        view->cells[i] = atomic_load_explicit(&record->cells[i], memory_order_relaxed);
}

static void print_percentile(const struct view *begin, const struct view *end, double share)
{
    long all = 0, seen = 0;
    int i;

    for (i = 0; i < CELLS; i++)
        all += end->cells[i] - begin->cells[i];
    if (all == 0) {
        printf("\t-");
        return;
    }
    for (i = 0; i < CELLS - 1; i++) {
        seen += end->cells[i] - begin->cells[i];
        if ((double)seen >= share * (double)all)
            break;
    }
    printf("\t%.3f", value_of(i) / 1000);
}

int main(int argc, char **argv)
{
    static struct view begin, end;
    struct job job = {0};
    long messages;
    size_t i;

    for (i = 0; (argc == 8 || argc == 9) && i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(argv[1], KINDS[i].name) == 0)
            job.kind = &KINDS[i];
    if (job.kind == NULL || atol(argv[3]) < (long)sizeof(struct stamp) || atoi(argv[6]) < 1 || atoi(argv[6]) > MOST_PEERS) {
        fprintf(stderr, "usage: shapes KIND ADDRESS SIZE WARM_UP SECONDS COUNT PAUSE [loops]\n"
                        "There are these kinds:");
        for (i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
            fprintf(stderr, " %s", KINDS[i].name);
        fprintf(stderr, "\nA message has at least %zu bytes; there are at most %d peers.\n", sizeof(struct stamp), MOST_PEERS);
        return EXIT_FAILURE;
    }
    job.address = argv[2];
    job.size = (size_t)atol(argv[3]);
    job.count = atoi(argv[6]);
    job.pause_ns = (uint64_t)(atof(argv[7]) * 1000);
    job.record = new_shared(sizeof *job.record);
    raise_descriptor_limit();
    if (argc == 9)
        start_loops();
    for (i = 0; i < MOST_SIDES && job.kind->sides[i] != NULL;)
        i++;
    start_sides(job.address, job.kind->sides, (int)i, &job);
    watch_until(has_begun, &job, "the first message");
    watch_for(atof(argv[4]));
    view(job.record, &begin);
    watch_for(atof(argv[5]));
    view(job.record, &end);
    end_workers();
    messages = end.messages - begin.messages;
    if (messages == 0)
        die("shapes", "no message has come through");
    print_measured(messages, &begin.look, &end.look,
                   job.kind->numbered ? share_lost(messages, end.sequences - begin.sequences) : -1);
    print_percentile(&begin, &end, 0.5);
    print_percentile(&begin, &end, 0.99);
    printf("\n");
    return EXIT_SUCCESS;
}
