/*  NN_ENDPOINT_STATISTICS and NN_PIPE_STATISTICS. The C library has neither. */

#include "../lib/events.h"
#include "../lib/plain.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/reqrep.h>

static struct nn_endpoint_statistics of_endpoint (int s, int endpoint)
{
    struct nn_endpoint_statistics statistics;
    size_t size = sizeof (statistics);
    memset (&statistics, 0x5a, size);
    statistics.endpoint = endpoint;
    if (nn_getsockopt (s, NN_SOL_SOCKET, NN_ENDPOINT_STATISTICS, &statistics, &size) != 0)
        fail ("NN_ENDPOINT_STATISTICS: %s", error_name (nn_errno ()));
    check (size == sizeof (statistics) && statistics.endpoint == endpoint);
    return statistics;
}

static struct nn_pipe_statistics of_pipe (int s, uint64_t pipe)
{
    struct nn_pipe_statistics statistics;
    size_t size = sizeof (statistics);
    memset (&statistics, 0x5a, size);
    statistics.pipe = pipe;
    if (nn_getsockopt (s, NN_SOL_SOCKET, NN_PIPE_STATISTICS, &statistics, &size) != 0)
        fail ("NN_PIPE_STATISTICS: %s", error_name (nn_errno ()));
    check (size == sizeof (statistics) && statistics.pipe == pipe);
    return statistics;
}

static int has_pipe (int s, uint64_t pipe)
{
    struct nn_pipe_statistics statistics = { .pipe = pipe };
    size_t size = sizeof (statistics);
    return nn_getsockopt (s, NN_SOL_SOCKET, NN_PIPE_STATISTICS, &statistics, &size) == 0;
}

static void arguments (void)
{
    struct nn_endpoint_statistics statistics = { .endpoint = 1 };
    struct nn_pipe_statistics pipe = { .pipe = 1 };
    char first[12] = { 0 };
    int s = open_patient (NN_PULL), one = 1, id = bind_to (s, "inproc://arguments");
    size_t size;
    int unknown[] = { 0, -1, id + 1 };
    for (int i = 0; i < 3; i++) {
        statistics.endpoint = unknown[i];
        size = sizeof (statistics);
        check_error (nn_getsockopt (s, 0, NN_ENDPOINT_STATISTICS, &statistics, &size), EINVAL);
        check (size == sizeof (statistics) && statistics.endpoint == unknown[i]);
    }
    size = sizeof (pipe);
    check_error (nn_getsockopt (s, 0, NN_PIPE_STATISTICS, &pipe, &size), EINVAL);
    pipe.pipe = (uint64_t) 1 << 40;
    check_error (nn_getsockopt (s, 0, NN_PIPE_STATISTICS, &pipe, &size), EINVAL);
    size = 7;
    check_error (nn_getsockopt (s, 0, NN_PIPE_STATISTICS, &pipe, &size), EINVAL);
    size = 3;
    check_error (nn_getsockopt (s, 0, NN_ENDPOINT_STATISTICS, &statistics, &size), EINVAL);
    check_error (nn_getsockopt (s, 0, NN_ENDPOINT_STATISTICS, NULL, &size), EFAULT);
    check_error (nn_setsockopt (s, 0, NN_ENDPOINT_STATISTICS, &one, sizeof (one)), ENOPROTOOPT);
    check_error (nn_setsockopt (s, 0, NN_PIPE_STATISTICS, &one, sizeof (one)), ENOPROTOOPT);

    /*  As much as there is room for, and the whole length. */
    memset (first, 0x5a, sizeof (first));
    memcpy (first, &id, sizeof (id));
    size = 8;
    check (nn_getsockopt (s, 0, NN_ENDPOINT_STATISTICS, first, &size) == 0);
    check (size == sizeof (statistics) && memcmp (first, &id, sizeof (id)) == 0);
    check (memcmp (first + 4, "\0\0\0\0\x5a\x5a\x5a\x5a", 8) == 0);
    close_socket (s);
}

/*  Two connections of an endpoint, of which one ends: its messages still count for the endpoint. */
static void messages (const char *transport)
{
    char address[NN_SOCKADDR_MAX], other[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), first = open_patient (NN_PUSH), second = open_patient (NN_PUSH);
    int events = monitor_topic (s, "\5");
    int idle = bind_to (s, fresh_address (transport, other));
    int id = bind_to (s, fresh_address (transport, address));
    int own = connect_to (first, address);
    uint64_t pipe = expect_event (events, NN_EVENT_ACCEPTED).head.pipe;
    connect_to (second, address);
    uint64_t last = expect_event (events, NN_EVENT_ACCEPTED).head.pipe;
    send_text (first, "a");
    send_text (first, "bcd");
    send_text (second, "efghi");
    for (int i = 0; i < 3; i++)
        receive_text (s);

    struct nn_pipe_statistics one = of_pipe (s, pipe), two = of_pipe (s, last);
    check (one.endpoint == id && one.is_connected == 1);
    check (one.messages_received == 2 && one.bytes_received == 4);
    check (one.messages_sent == 0 && one.bytes_sent == 0);
    check (one.messages_dropped == 0 && one.messages_missed == 0);
    check (two.messages_received == 1 && two.bytes_received == 5);
    struct nn_endpoint_statistics all = of_endpoint (s, id);
    check (all.messages_received == 3 && all.bytes_received == 9 && all.messages_sent == 0);
    check (all.connections == 2 && all.current_connections == 2);
    check (all.connect_attempts == 0 && all.connect_errors == 0);
    all = of_endpoint (s, idle);
    check (all.messages_received == 0 && all.connections == 0 && all.current_connections == 0);
    all = of_endpoint (first, own);
    check (all.messages_sent == 2 && all.bytes_sent == 4 && all.connections == 1);
    check (all.connect_attempts == 1 && all.connect_errors == 0);

    send_text (first, "last");
    close_socket (first);
    wait_until (of_pipe (s, pipe).is_connected == 0);
    all = of_endpoint (s, id);
    check (all.messages_received == 3 && all.current_connections == 1);
    expect_text (s, "last");
    all = of_endpoint (s, id);
    check (all.messages_received == 4 && all.bytes_received == 13);
    check_error (nn_recv (s, other, sizeof (other), NN_DONTWAIT), EAGAIN);
    check (!has_pipe (s, pipe));
    all = of_endpoint (s, id);
    check (all.messages_received == 4 && all.connections == 2 && all.broken_connections == 1);
    check (nn_setsockopt (s, NN_SOL_SOCKET, NN_PIPE_CLOSE, &last, sizeof (last)) == 0);
    wait_until (of_endpoint (s, id).dropped_connections == 1);
    close_socket (second);
    close_socket (events);
    close_socket (s);
}

/*  Failures, each of its endpoint. */
static void failures (const char *transport)
{
    char address[NN_SOCKADDR_MAX], other[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PAIR), peer = open_patient (NN_PAIR);
    set_int (s, NN_SOL_SOCKET, NN_RECONNECT_IVL, 10);
    int bound = bind_to (s, fresh_address (transport, address));
    int connected = connect_to (s, fresh_address (transport, other));
    wait_until (of_endpoint (s, connected).connect_errors >= 3);
    struct nn_endpoint_statistics statistics = of_endpoint (s, connected);
    check (statistics.connect_attempts >= statistics.connect_errors);
    check (statistics.connect_attempts <= statistics.connect_errors + 1);
    check (statistics.connections == 0);

    close (plain_connect (address));
    wait_until (of_endpoint (s, bound).handshake_errors == 1);
    close (plain_peer (address, NN_PULL));
    wait_until (of_endpoint (s, bound).refused_connections == 1);
    statistics = of_endpoint (s, bound);
    check (statistics.handshake_errors == 1 && statistics.connect_errors == 0);
    check (statistics.connect_attempts == 0 && statistics.current_connections == 0);

    bind_to (peer, other);
    wait_until (of_endpoint (s, connected).current_connections == 1);
    statistics = of_endpoint (s, connected);
    check (statistics.connections == 1 && statistics.connect_attempts == statistics.connect_errors + 1);
    check (nn_shutdown (s, connected) == 0);
    size_t size = sizeof (statistics);
    check_error (nn_getsockopt (s, 0, NN_ENDPOINT_STATISTICS, &statistics, &size), EINVAL);
    close_socket (peer);
    close_socket (s);
}

/*  Messages that a slow subscriber gets, and those that are dropped for it: together all. */
static void dropped (const char *transport)
{
    enum { COUNT = 1000 };
    char address[NN_SOCKADDR_MAX];
    static char text[1000];
    int pub = open_patient (NN_PUB), slow = open_patient (NN_SUB);
    int events = monitor_topic (pub, "\5");
    set_int (pub, NN_SOL_SOCKET, NN_SNDBUF, 1000);
    set_int (slow, NN_SOL_SOCKET, NN_RCVBUF, 1000);
    check (nn_setsockopt (slow, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0);
    int id = bind_to (pub, fresh_address (transport, address));
    connect_to (slow, address);
    uint64_t pipe = expect_event (events, NN_EVENT_ACCEPTED).head.pipe;
    wait_until (of_endpoint (pub, id).current_connections == 1);
    for (int i = 0; i < COUNT; i++)
        check (nn_send (pub, text, sizeof (text), 0) == sizeof (text));
    struct nn_pipe_statistics statistics = of_pipe (pub, pipe);
    check (statistics.messages_sent + statistics.messages_dropped == COUNT);
    check (statistics.bytes_sent == statistics.messages_sent * sizeof (text));
    check (statistics.messages_dropped == nn_get_statistic (pub, NN_STAT_MESSAGES_DROPPED));
    if (strcmp (transport, "inproc") == 0)
        check (statistics.messages_dropped > COUNT / 2);
    uint64_t number = statistics.messages_dropped;
    close_socket (slow);
    wait_until (!has_pipe (pub, pipe));
    struct nn_endpoint_statistics all = of_endpoint (pub, id);
    check (all.messages_dropped == number && all.messages_sent == COUNT - number);
    close_socket (events);
    close_socket (pub);
}

/*  Messages that make room for newer ones. */
static void displaced (void)
{
    int s = open_patient (NN_PULL), peer = open_patient (NN_PUSH);
    set_int (s, NN_SOL_SOCKET, NN_CONFLATE, 1);
    int id = bind_to (s, "inproc://displaced");
    connect_to (peer, "inproc://displaced");
    for (int i = 0; i < 9; i++)
        send_text (peer, "old");
    send_text (peer, "new");
    expect_text (s, "new");
    struct nn_endpoint_statistics statistics = of_endpoint (s, id);
    check (statistics.messages_received == 1 && statistics.bytes_received == 3);
    check (statistics.messages_missed == 9);
    close_socket (peer);
    close_socket (s);
}

/*  What contexts receive counts for the connection that it came from, as what the parent receives does. */
static void contexts (const char *transport)
{
    char address[NN_SOCKADDR_MAX], request[8];
    int s = open_patient (NN_REQ), context = open_patient (NN_REQ), rep = open_patient (NN_REP);
    check (nn_setsockopt (context, NN_SOL_SOCKET, NN_SHARE, &s, sizeof (s)) == 0);
    int events = monitor_topic (s, "\4");
    int bound = bind_to (rep, fresh_address (transport, address));
    int id = connect_to (s, address);
    uint64_t pipe = expect_event (events, NN_EVENT_CONNECTED).head.pipe;
    for (int i = 0; i < 2; i++) {
        int asking = i ? s : context;
        send_text (asking, "ask");
        check (nn_recv (rep, request, sizeof (request), 0) == 3);
        send_text (rep, "reply");
        expect_text (asking, "reply");
    }
    struct nn_endpoint_statistics statistics = of_endpoint (context, id);
    check (statistics.messages_sent == 2 && statistics.bytes_sent == 6);
    check (statistics.messages_received == 2 && statistics.bytes_received == 10);
    check (of_pipe (context, pipe).messages_received == 2 && of_pipe (s, pipe).bytes_received == 10);
    statistics = of_endpoint (rep, bound);
    check (statistics.messages_received == 2 && statistics.bytes_sent == 10);

    /*  The connection has ended when the reply is received. */
    send_text (context, "ask");
    check (nn_recv (rep, request, sizeof (request), 0) == 3);
    send_text (rep, "reply");
    wait_readable (context);
    close_socket (rep);
    wait_until (!has_pipe (s, pipe));
    expect_text (context, "reply");
    check (of_endpoint (s, id).messages_received == 3 && of_endpoint (s, id).bytes_received == 15);
    close_socket (context);
    close_socket (s);
    close_socket (events);
}

int main (void)
{
    if (!only_ours ("it has neither of these options")) {
        struct nn_pipe_statistics statistics = { .pipe = 1 };
        size_t size = sizeof (statistics);
        int s = open_socket (NN_PULL);
        check_error (nn_getsockopt (s, 0, NN_ENDPOINT_STATISTICS, &statistics, &size), ENOPROTOOPT);
        check_error (nn_getsockopt (s, 0, NN_PIPE_STATISTICS, &statistics, &size), ENOPROTOOPT);
        close_socket (s);
        return 0;
    }
    arguments ();
    each_transport (transport) {
        messages (transport);
        dropped (transport);
        contexts (transport);
    }
    failures ("ipc");
    failures ("tcp");
    displaced ();
    return 0;
}
