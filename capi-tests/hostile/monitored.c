/*  A socket with a monitor, while peers that are none come in a loop, its subscribers come and go or do
    not read, and another thread changes the monitor and disconnects peers. The socket's well-behaved
    connection goes on, and memory stays. */

#include "../lib/events.h"
#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

#define ROUNDS 400

static char address[NN_SOCKADDR_MAX];
static int monitored;

static void *strangers (void *unused)
{
    uint32_t seed = 7;
    (void) unused;
    for (int round = 0; round < ROUNDS; round++) {
        int peer = plain_connect (address);
        if (next_random (&seed) % 2)
            plain_header (peer, next_random (&seed) % 2 ? NN_PUSH : NN_PUB);
        if (next_random (&seed) % 2)
            plain_send (peer, "stranger", 8);
        close (peer);
    }
    return NULL;
}

static void *subscribers (void *unused)
{
    (void) unused;
    for (int round = 0; round < ROUNDS; round++) {
        int events = open_socket (NN_SUB);
        set_int (events, NN_SOL_SOCKET, NN_RCVTIMEO, 1);
        set_text (events, NN_SUB, NN_SUB_SUBSCRIBE, "");
        connect_to (events, round % 2 ? "inproc://one" : "inproc://other");
        nn_recv (events, NULL, 0, 0);
        close_socket (events);
    }
    return NULL;
}

/*  The numbers are those of connections only by chance. */
static void *changes (void *unused)
{
    (void) unused;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t pipe = (uint64_t) round;
        set_text (monitored, NN_SOL_SOCKET, NN_MONITOR, "inproc://other");
        set_text (monitored, NN_SOL_SOCKET, NN_MONITOR, "");
        set_int (monitored, NN_SOL_SOCKET, NN_PEER_INFO, round % 2);
        nn_setsockopt (monitored, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, sizeof (pipe));
        set_text (monitored, NN_SOL_SOCKET, NN_MONITOR, "inproc://one");
    }
    return NULL;
}

static void everything (const char *transport)
{
    int peer = open_patient (NN_PUSH), slow = open_patient (NN_SUB);
    monitored = open_patient (NN_PULL);
    set_int (monitored, NN_SOL_SOCKET, NN_RCVMAXSIZE, 1000);
    bind_to (monitored, fresh_address (transport, address));
    set_text (monitored, NN_SOL_SOCKET, NN_MONITOR, "inproc://one");
    set_text (slow, NN_SUB, NN_SUB_SUBSCRIBE, "");
    connect_to (slow, "inproc://one");
    connect_to (slow, "inproc://other");
    connect_to (peer, address);
    honest_message (peer, monitored);
    long before = memory_kib ("VmData");
    pthread_t threads[] = { start_thread (strangers, NULL), start_thread (subscribers, NULL),
        start_thread (changes, NULL) };
    for (int round = 0; round < ROUNDS; round++)
        honest_message (peer, monitored);
    for (int i = 0; i < 3; i++)
        join_thread (threads[i]);
    honest_message (peer, monitored);
    /*  The stacks of the threads, and a full lane. */
    check_growth ("VmData", before, 64 * 1024);
    close_socket (monitored);
    while (nn_recv (slow, NULL, 0, NN_DONTWAIT) >= 0)
        ;
    close_socket (slow);
    close_socket (peer);
}

int main (void)
{
    each_plain_transport (transport)
        everything (transport);
    return 0;
}
