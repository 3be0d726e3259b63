/*  Measures the cost of many connections, sockets or subscriptions, and of being idle. Linked with a peer_*.c.

        growth connections ADDRESS COUNT    to one REP over tcp: memory, and what a call over one of them costs
        growth sockets COUNT                in one process: memory, and what a message between two of them costs
        growth subscriptions COUNT          of one SUB: memory, and what a message that matches one of them costs
        growth idle ADDRESS                 a process that waits for a message, and its connected peer

    Each printed line is a figure and its value. Times are measured with FEW first, then with COUNT, or with as many as the
    library or the limit of descriptors allows. The last line of `idle`, for a tracer, is the real time at the begin and at
    the end of the watched time, and the process that only watched.  */

#include "measure.h"
#include "peer.h"
#include "sockets.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FEW 10
#define MESSAGE_SIZE 64
#define MEASURED_S 1.0
#define IDLE_S 5.0
/*  A number of a publisher's messages in flight that no library has to drop.  */
#define BATCH 16
/*  Descriptors that are not connections.  */
#define SPARE_DESCRIPTORS 200

struct stage {
    struct shared shared;
    atomic_long goal;    /* the wanted number */
    atomic_long reached; /* the present number */
    atomic_int running;  /* messages must be exchanged, and counted */
    const char *address;
    pid_t server, client;
};

static long raised_limit(long wanted)
{
    long limit = raise_descriptor_limit();
    long possible = limit - SPARE_DESCRIPTORS;

    if (possible < wanted)
        fprintf(stderr, "growth: only %ld, because the limit of descriptors cannot be raised above %ld\n", possible, limit);
    return possible < wanted ? possible : wanted;
}

/*  --- Seen from outside ---  */

static int has_reached(const void *argument)
{
    const struct stage *stage = argument;

    return atomic_load(&stage->reached) == atomic_load(&stage->goal);
}

static int has_moved(const void *argument)
{
    const struct stage *stage = argument;

    return atomic_load(&stage->shared.counters[0].messages) != 0;
}

/*  Whether the server has accepted the wanted number of connections.  */
static int has_accepted(const void *argument)
{
    const struct stage *stage = argument;
    char path[32];
    DIR *descriptors;
    long count = 0;

    nap(0.02);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)stage->server);
    descriptors = opendir(path);
    if (descriptors == NULL)
        die_errno(path);
    while (readdir(descriptors) != NULL)
        count++;
    closedir(descriptors);
    return count > atomic_load(&stage->goal);
}

/*  Whether the workers are nearly idle: the work they began is done.  */
static int is_quiet(const void *argument)
{
    const struct stage *stage = argument;
    struct look before, after;

    look_at(&stage->shared, &before);
    nap(0.2);
    look_at(&stage->shared, &after);
    return after.cpu_s - before.cpu_s < 0.004;
}

/*  Microseconds of a message, or of a call, without the first tenth of the time.  */
static double measured_us(struct stage *stage)
{
    struct look begin, end;

    atomic_store(&stage->running, 1);
    watch_for(MEASURED_S / 10);
    look_at(&stage->shared, &begin);
    watch_for(MEASURED_S);
    look_at(&stage->shared, &end);
    atomic_store(&stage->running, 0);
    if (end.messages[0] == begin.messages[0])
        die("growth", "no message has come through");
    return (end.monotonic_s - begin.monotonic_s) * 1e6 / (double)(end.messages[0] - begin.messages[0]);
}

static void wait_until_running(struct stage *stage)
{
    while (!atomic_load(&stage->running))
        nap(0.001);
}

/*  --- Connections ---  */

static void serves(const void *argument)
{
    struct stage *stage = (struct stage *)argument;
    char buffer[MESSAGE_SIZE];
    peer_socket sock = opened(PEER_REP);

    peer_bind(sock, stage->address);
    tell_bound(&stage->shared);
    for (;;) {
        peer_receive(sock, buffer, sizeof buffer);
        peer_send(sock, buffer, sizeof buffer);
    }
}

/*  The one connection over which calls are made.  */
static void calls(const void *argument)
{
    struct stage *stage = (struct stage *)argument;
    char buffer[MESSAGE_SIZE] = {0};
    peer_socket sock = opened(PEER_REQ);
    long done;

    wait_until_bound(&stage->shared);
    peer_connect(sock, stage->address);
    for (done = 1;; done++) {
        wait_until_running(stage);
        peer_send(sock, buffer, sizeof buffer);
        peer_receive(sock, buffer, sizeof buffer);
        count(&stage->shared.counters[0], done);
    }
}

/*  All other connections, which carry no messages.  */
static void stays_connected(const void *argument)
{
    struct stage *stage = (struct stage *)argument;
    peer_socket sock = opened(PEER_REQ);
    long connections = 1; /* the caller's connection */

    wait_until_bound(&stage->shared);
    for (;;) {
        for (; connections < atomic_load(&stage->goal); connections++)
            peer_connect_again(sock, stage->address, connections);
        atomic_store(&stage->reached, connections);
        nap(0.001);
    }
}

static void connections(struct stage *stage, long wanted)
{
    double few_us;
    long server_bytes, client_bytes;

    wanted = raised_limit(wanted);
    atomic_store(&stage->goal, FEW);
    stage->server = fork_worker(serves, stage);
    stage->client = fork_worker(stays_connected, stage);
    fork_worker(calls, stage);
    watch_until(has_reached, stage, "few connections");
    watch_until(has_accepted, stage, "few connections accepted");
    few_us = measured_us(stage);
    watch_until(is_quiet, stage, "rest");
    server_bytes = resident_bytes(stage->server);
    client_bytes = resident_bytes(stage->client);

    atomic_store(&stage->goal, wanted);
    watch_until(has_reached, stage, "many connections");
    watch_until(has_accepted, stage, "many connections accepted");
    watch_until(is_quiet, stage, "rest after many connections");
    server_bytes = resident_bytes(stage->server) - server_bytes;
    client_bytes = resident_bytes(stage->client) - client_bytes;
    printf("count\t%ld\n", wanted);
    printf("bytes\t%ld\n", server_bytes / (wanted - FEW));
    printf("bytes of who connects\t%ld\n", client_bytes / (wanted - FEW));
    printf("few us\t%.3f\n", few_us);
    printf("many us\t%.3f\n", measured_us(stage));
}

/*  --- Sockets ---  */

static void *echoes(void *argument)
{
    char buffer[MESSAGE_SIZE];
    peer_socket *sock = argument;

    for (;;) {
        peer_receive(*sock, buffer, sizeof buffer);
        peer_send(*sock, buffer, sizeof buffer);
    }
    return NULL;
}

static void opens_sockets(const void *argument)
{
    struct stage *stage = (struct stage *)argument;
    char buffer[MESSAGE_SIZE] = {0};
    peer_socket one = opened(PEER_PAIR), other = opened(PEER_PAIR), idle;
    pthread_t thread;
    long done, sockets = 2;

    peer_bind(one, "inproc://two-of-many");
    peer_connect(other, "inproc://two-of-many");
    if (pthread_create(&thread, NULL, echoes, &other) != 0)
        die_errno("pthread_create");
    for (done = 2;; done += 2) {
        while (!atomic_load(&stage->running)) {
            while (sockets < atomic_load(&stage->goal)) {
                if (peer_open(PEER_PAIR, &idle) < 0)
                    atomic_store(&stage->goal, sockets);
                else
                    sockets++;
            }
            atomic_store(&stage->reached, sockets);
            nap(0.001);
        }
        peer_send(one, buffer, sizeof buffer);
        peer_receive(one, buffer, sizeof buffer);
        count(&stage->shared.counters[0], done);
    }
}

/*  --- Subscriptions ---  */

#define TOPIC "topic/"

/*  A topic is a prefix of its messages, and none is a prefix of another one. The last byte of a message is the
    flag "counts": other messages only find out whether the last subscription has reached the publisher.  */
static size_t topic(char *message, long number)
{
    return (size_t)sprintf(message, TOPIC "%010ld", number);
}

struct subscriber {
    struct stage *stage;
    sem_t batch_came;
    atomic_long heard; /* the number of subscriptions for which a message of the last one has arrived */
};

static void *subscribes(void *argument)
{
    struct subscriber *subscriber = argument;
    struct stage *stage = subscriber->stage;
    char message[MESSAGE_SIZE] = {0};
    peer_socket sock = opened(PEER_SUB);
    long came = 0, subscriptions = 0;

    wait_until_bound(&stage->shared);
    peer_keep_all(sock);
    peer_connect(sock, "inproc://topics");
    for (;;) {
        if (came % BATCH == 0) {
            for (; subscriptions < atomic_load(&stage->goal); subscriptions++)
                peer_subscribe(sock, message, topic(message, subscriptions));
            atomic_store(&stage->reached, subscriptions);
        }
        peer_receive(sock, message, sizeof message);
        if (message[MESSAGE_SIZE - 1] == 0) {
            if (atol(message + strlen(TOPIC)) == subscriptions - 1)
                atomic_store(&subscriber->heard, subscriptions);
        } else if (++came % BATCH == 0) {
            count(&stage->shared.counters[0], came);
            sem_post(&subscriber->batch_came);
        }
    }
    return NULL;
}

static void publishes(const void *argument)
{
    static struct subscriber subscriber;
    struct stage *stage = (struct stage *)argument;
    char message[MESSAGE_SIZE] = {0};
    peer_socket sock = opened(PEER_PUB);
    pthread_t thread;
    long number = 0, subscriptions = 0, i;

    subscriber.stage = stage;
    sem_init(&subscriber.batch_came, 0, 0);
    peer_keep_all(sock);
    peer_bind(sock, "inproc://topics");
    tell_bound(&stage->shared);
    if (pthread_create(&thread, NULL, subscribes, &subscriber) != 0)
        die_errno("pthread_create");
    for (;;) {
        if (subscriptions != atomic_load(&stage->goal)) {
            /*  The subscriber sees the new goal at its next message.  */
            message[MESSAGE_SIZE - 1] = 0;
            while (atomic_load(&subscriber.heard) != atomic_load(&stage->goal)) {
                topic(message, subscriptions == 0 ? 0 : subscriptions - 1);
                peer_send(sock, message, sizeof message);
                if (atomic_load(&stage->reached) == atomic_load(&stage->goal))
                    subscriptions = atomic_load(&stage->reached);
                nap(0.001);
            }
            message[MESSAGE_SIZE - 1] = 1;
        }
        if (!atomic_load(&stage->running)) {
            nap(0.001);
            continue;
        }
        for (i = 0; i < BATCH; i++, number += 7919) {
            topic(message, number % subscriptions);
            peer_send(sock, message, sizeof message);
        }
        sem_wait(&subscriber.batch_came);
    }
}

/*  --- Sockets or subscriptions: all in one process ---  */

static void in_one_process(struct stage *stage, void (*work)(const void *), long wanted)
{
    double few_us;
    long bytes;

    atomic_store(&stage->goal, FEW);
    stage->server = fork_worker(work, stage);
    watch_until(has_reached, stage, "the first ones");
    few_us = measured_us(stage);
    watch_until(is_quiet, stage, "rest");
    bytes = resident_bytes(stage->server);

    atomic_store(&stage->goal, wanted);
    watch_until(has_reached, stage, "many of them");
    watch_until(is_quiet, stage, "rest after many of them");
    bytes = resident_bytes(stage->server) - bytes;
    wanted = atomic_load(&stage->reached);
    printf("count\t%ld\n", wanted);
    printf("bytes\t%ld\n", bytes / (wanted - FEW));
    printf("few us\t%.3f\n", few_us);
    printf("many us\t%.3f\n", measured_us(stage));
}

/*  --- Nothing to do ---  */

static void waits(const void *argument)
{
    struct stage *stage = (struct stage *)argument;
    char buffer[MESSAGE_SIZE];
    peer_socket sock = opened(PEER_PULL);
    long done;

    peer_bind(sock, stage->address);
    tell_bound(&stage->shared);
    for (done = 1;; done++) {
        peer_receive(sock, buffer, sizeof buffer);
        count(&stage->shared.counters[0], done);
    }
}

static void sends_once(const void *argument)
{
    struct stage *stage = (struct stage *)argument;
    char buffer[MESSAGE_SIZE] = {0};
    peer_socket sock = opened(PEER_PUSH);

    wait_until_bound(&stage->shared);
    peer_connect(sock, stage->address);
    peer_send(sock, buffer, sizeof buffer);
    pause();
}

static void idle(struct stage *stage)
{
    struct look begin, end;

    fork_worker(waits, stage);
    fork_worker(sends_once, stage);
    watch_until(has_moved, stage, "the only message");
    watch_for(1);
    look_at(&stage->shared, &begin);
    watch_for(IDLE_S);
    look_at(&stage->shared, &end);
    printf("watched\t%.6f\t%.6f\t%d\n", begin.realtime_s, end.realtime_s, (int)getpid());
}

int main(int argc, char **argv)
{
    struct stage *stage = new_shared(sizeof *stage);
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "connections") == 0 && argc == 4) {
        stage->address = argv[2];
        connections(stage, atol(argv[3]));
    } else if (strcmp(what, "sockets") == 0 && argc == 3) {
        in_one_process(stage, opens_sockets, raised_limit(atol(argv[2])));
    } else if (strcmp(what, "subscriptions") == 0 && argc == 3) {
        in_one_process(stage, publishes, atol(argv[2]));
    } else if (strcmp(what, "idle") == 0 && argc == 3) {
        stage->address = argv[2];
        idle(stage);
    } else {
        fprintf(stderr, "usage: growth connections ADDRESS COUNT | sockets COUNT | subscriptions COUNT | idle ADDRESS\n");
        return EXIT_FAILURE;
    }
    end_workers();
    return EXIT_SUCCESS;
}
