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

/* ---- a subscriber that never reads ----------------------------------------------- */

#define ENDPOINTS 4000
#define NUMBERS 50000

/*  Each endpoint is two events. */
static void *endpoints (void *unused)
{
    char own[NN_SOCKADDR_MAX];
    (void) unused;
    for (int round = 0; round < ENDPOINTS; round++) {
        memset (own, 'x', sizeof (own) - 1);
        own[sizeof (own) - 1] = 0;
        memcpy (own, "inproc://", 9);
        check (nn_shutdown (monitored, bind_to (monitored, own)) == 0);
    }
    return NULL;
}

static void *numbers (void *argument)
{
    int peer = *(int *) argument;
    for (int number = 0; number < NUMBERS; number++)
        check (nn_send (peer, &number, sizeof (number), 0) == sizeof (number));
    return NULL;
}

/*  It stops neither the messages of the socket nor the calls that cause events, and learns how many it has missed. */
static void never_read (const char *transport)
{
    int peer = open_patient (NN_PUSH), events;
    monitored = open_patient (NN_PULL);
    events = monitor (monitored);
    bind_to (monitored, fresh_address (transport, address));
    connect_to (peer, address);
    pthread_t threads[] = { start_thread (endpoints, NULL), start_thread (numbers, &peer) };
    for (int expected = 0; expected < NUMBERS; expected++) {
        int number = -1;
        check (nn_recv (monitored, &number, sizeof (number), 0) == sizeof (number));
        check (number == expected);
    }
    for (int i = 0; i < 2; i++)
        join_thread (threads[i]);
    /*  A few more are of the connection. */
    uint64_t came = 0, lost = 0;
    while (came + lost < 2 * ENDPOINTS) {
        struct received_event event = next_event (events);
        if (event.head.kind == NN_EVENT_LOST)
            lost += event.head.value;
        else
            came++;
    }
    check (lost > 0 && came > 0);
    fprintf (stderr, "%s: %d messages, %llu events and %llu lost ones\n", transport, NUMBERS,
        (unsigned long long) came, (unsigned long long) lost);
    close_socket (monitored);
    close_socket (events);
    close_socket (peer);
}

int main (void)
{
    each_plain_transport (transport)
        never_read (transport);
    each_plain_transport (transport)
        everything (transport);
    return 0;
}
