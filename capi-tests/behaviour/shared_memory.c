/*  Shared memory under ipc: all patterns work as over the socket, and a connection has it only if both sides
    want that. */

#include "../lib/rings.h"
#include <nanomsg/bus.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

#define LARGE (5 * RING_BYTES + 77)
#define CONNECTIONS 64

static char body[LARGE], received[LARGE];

static void option (void)
{
    check (unsetenv ("NN_IPC_SHM") == 0);
    int value = 64 * 1024 * 1024 + 1, s = open_socket (NN_PAIR);
    check (get_int (s, NN_IPC, NN_IPC_SHM) == 0);
    check_error (nn_setsockopt (s, NN_IPC, NN_IPC_SHM, &value, sizeof (value)), EINVAL);
    value = -1;
    check_error (nn_setsockopt (s, NN_IPC, NN_IPC_SHM, &value, sizeof (value)), EINVAL);
    set_int (s, NN_IPC, NN_IPC_SHM, 5000);
    check (get_int (s, NN_IPC, NN_IPC_SHM) == 5000);
    close_socket (s);
    for (int i = 0; i < 3; i++) {
        static const char *const values[] = { "131072", "67108865", "much" };
        check (setenv ("NN_IPC_SHM", values[i], 1) == 0);
        s = open_socket (NN_PAIR);
        check (get_int (s, NN_IPC, NN_IPC_SHM) == (i == 0 ? 131072 : 0));
        close_socket (s);
    }
    check (unsetenv ("NN_IPC_SHM") == 0);
}

/*  Two sockets that are connected, each with so many rings. */
static void join_with (int rings, int bound, int connected, const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    check (count_rings () == 0);
    if (strcmp (transport, "abstract") == 0)
        snprintf (address, sizeof (address), "abstract://shared-memory-%d", (int) getpid ());
    else
        fresh_address (transport, address);
    bind_to (bound, address);
    connect_to (connected, address);
    wait_until (nn_get_statistic (bound, NN_STAT_CURRENT_CONNECTIONS) == 1
        && nn_get_statistic (connected, NN_STAT_CURRENT_CONNECTIONS) == 1);
    /*  The I/O thread frees memory that the peer has not accepted after it has made the connection. */
    wait_until (count_rings () == 2 * rings);
}

static void join (int bound, int connected, const char *transport)
{
    join_with (1, bound, connected, transport);
}

static void send_large (int s, unsigned int number)
{
    memset (body, (int) number, sizeof (body));
    check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
}

static void expect_large (int s, unsigned int number)
{
    memset (body, (int) number, sizeof (body));
    check (nn_recv (s, received, sizeof (received), 0) == sizeof (received));
    check (memcmp (body, received, sizeof (body)) == 0);
}

/*  Messages of every size between 0 and some, and larger than a ring, in both directions. */
static void converse (int a, int b)
{
    for (int size = 0; size < 3000; size += 7) {
        memset (body, size, (size_t) size);
        check (nn_send (a, body, (size_t) size, 0) == size);
        check (nn_recv (b, received, sizeof (received), 0) == size);
        check (memcmp (body, received, (size_t) size) == 0);
        send_text (b, "an answer");
        expect_text (a, "an answer");
    }
}

static void *send_some (void *s)
{
    for (unsigned int i = 0; i < 20; i++) {
        static char bytes[LARGE];
        check (nn_send (*(int *) s, bytes, sizeof (bytes), 0) == sizeof (bytes));
    }
    return NULL;
}

/*  Each side sends more than fits, and nobody receives before that. */
static void both_ways (int a, int b)
{
    pthread_t senders[2] = { start_thread (send_some, &a), start_thread (send_some, &b) };
    for (int i = 0; i < 20; i++) {
        check (nn_recv (a, received, sizeof (received), 0) == LARGE);
        check (nn_recv (b, received, sizeof (received), 0) == LARGE);
    }
    join_thread (senders[0]);
    join_thread (senders[1]);
}

static void pair (const char *transport)
{
    int a = sharing (NN_PAIR), b = sharing (NN_PAIR);
    join (a, b, transport);
    check (count_rings_files () == 0);
    converse (a, b);
    converse (b, a);
    both_ways (a, b);
    close_socket (b);
    close_socket (a);
    check (count_rings () == 0);
}

/*  A connection has rings only if both sides have the option. */
static void one_side (int bound)
{
    int a = bound ? sharing (NN_PAIR) : open_patient (NN_PAIR);
    int b = bound ? open_patient (NN_PAIR) : sharing (NN_PAIR);
    join_with (0, a, b, "ipc");
    converse (a, b);
    close_socket (a);
    close_socket (b);
}

static void patterns (void)
{
    int push = sharing (NN_PUSH), pull = sharing (NN_PULL);
    join (pull, push, "ipc");
    for (unsigned int i = 0; i < 100; i++) {
        if (i >= 2)
            expect_large (pull, i - 2);
        send_large (push, i);
    }
    expect_large (pull, 98);
    expect_large (pull, 99);
    close_socket (push);
    close_socket (pull);

    int req = sharing (NN_REQ), rep = sharing (NN_REP);
    join (rep, req, "ipc");
    for (unsigned int i = 0; i < 20; i++) {
        send_large (req, i);
        expect_large (rep, i);
        send_large (rep, i + 100);
        expect_large (req, i + 100);
    }
    close_socket (req);
    close_socket (rep);

    int pub = sharing (NN_PUB), sub = sharing (NN_SUB);
    check (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0);
    join (pub, sub, "ipc");
    synchronise (pub, sub, "x");
    for (unsigned int i = 0; i < 20; i++) {
        send_large (pub, i);
        expect_large (sub, i);
    }
    close_socket (sub);
    close_socket (pub);

    int surveyor = sharing (NN_SURVEYOR), respondent = sharing (NN_RESPONDENT);
    join (surveyor, respondent, "ipc");
    send_large (surveyor, 1);
    expect_large (respondent, 1);
    send_large (respondent, 2);
    expect_large (surveyor, 2);
    close_socket (surveyor);
    close_socket (respondent);

    int one = sharing (NN_BUS), other = sharing (NN_BUS);
    join (one, other, "ipc");
    send_large (one, 1);
    expect_large (other, 1);
    close_socket (one);
    close_socket (other);
    check (count_rings () == 0);
}

/*  What was sent before nn_close is received after it. */
static void linger (void)
{
    int push = sharing (NN_PUSH), pull = sharing (NN_PULL);
    set_int (push, 0, NN_LINGER, -1);
    join (pull, push, "ipc");
    for (unsigned int i = 0; i < 3; i++)
        send_text (push, "kept");
    close_socket (push);
    for (unsigned int i = 0; i < 3; i++)
        expect_text (pull, "kept");
    close_socket (pull);
}

/*  A message that is too long ends the connection, as over the socket. */
static void limit (void)
{
    int push = sharing (NN_PUSH), pull = sharing (NN_PULL);
    set_int (pull, 0, NN_RCVMAXSIZE, 1000);
    join (pull, push, "ipc");
    check (nn_send (push, body, 1001, 0) == 1001);
    /*  Until both sides have the next connection, a message may be lost with this one. */
    wait_until (nn_get_statistic (pull, NN_STAT_ACCEPTED_CONNECTIONS) == 2
        && nn_get_statistic (push, NN_STAT_ESTABLISHED_CONNECTIONS) == 2);
    send_text (push, "short");
    expect_text (pull, "short");
    close_socket (push);
    close_socket (pull);
}

/*  Beyond the bound, connections have none. */
static void bound (void)
{
    char address[NN_SOCKADDR_MAX];
    int pull = sharing (NN_PULL), pushes[CONNECTIONS + 6];
    int all = (int) (sizeof (pushes) / sizeof (pushes[0]));
    bind_to (pull, fresh_address ("ipc", address));
    for (int i = 0; i < all; i++) {
        pushes[i] = sharing (NN_PUSH);
        connect_to (pushes[i], address);
    }
    wait_until (nn_get_statistic (pull, NN_STAT_CURRENT_CONNECTIONS) == (uint64_t) all);
    for (int i = 0; i < all; i++)
        send_text (pushes[i], "one");
    for (int i = 0; i < all; i++)
        expect_text (pull, "one");
    wait_until (count_rings () == 2 * CONNECTIONS);
    for (int i = 0; i < all; i++)
        close_socket (pushes[i]);
    wait_until (nn_get_statistic (pull, NN_STAT_CURRENT_CONNECTIONS) == 0);
    /*  The socket loses a connection before the memory of that is freed. */
    wait_until (count_rings () == 0);
    close_socket (pull);
}

/*  A forked child has none of the memory, and its end disturbs nobody. The descriptors are closed by then. */
static void fork_child (void)
{
    int a = sharing (NN_PAIR), b = sharing (NN_PAIR);
    join (a, b, "ipc");
    pid_t child = start_process ();
    if (child == 0)
        _exit (count_rings () == 0 ? 0 : 1);
    join_process (child);
    converse (a, b);
    close_socket (a);
    close_socket (b);
}

int main (void)
{
    if (!only_ours ("it has no shared memory")) {
        int value = 1, s = open_socket (NN_PAIR);
        check_error (nn_setsockopt (s, NN_IPC, NN_IPC_SHM, &value, sizeof (value)), ENOPROTOOPT);
        close_socket (s);
        return 0;
    }
    int descriptors = count_descriptors ();
    option ();
    if (!has_shared_memory ()) {
        int a = sharing (NN_PAIR), b = sharing (NN_PAIR);
        join_with (0, a, b, "ipc");
        converse (a, b);
        close_socket (a);
        close_socket (b);
        return 0;
    }
    pair ("ipc");
    pair ("abstract");
    one_side (0);
    one_side (1);
    patterns ();
    linger ();
    limit ();
    bound ();
    fork_child ();
    check (count_rings () == 0);
    wait_until (count_descriptors () == descriptors);
    return 0;
}
