/*  NN_MONITOR: the events of a socket. The C library has no such option. */

#include "../lib/events.h"
#include "../lib/plain.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/tcp.h>

/*  A wrong value changes nothing. */
static void wrong_values (void)
{
    char address[NN_SOCKADDR_MAX], other[NN_SOCKADDR_MAX], value[256];
    char longest[NN_SOCKADDR_MAX + 10];
    size_t size = sizeof (value);
    int s = open_patient (NN_PULL), taken = open_patient (NN_PAIR);
    int events = monitor (s);
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_MONITOR, address, &size) == 0);
    check (size == strlen (address));

    memset (longest, 'x', sizeof (longest));
    memcpy (longest, "inproc://", 9);
    bind_to (taken, fresh_address ("inproc", other));
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, "tcp://127.0.0.1:5555", 20), EINVAL);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, "inproc", 6), EINVAL);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, "inproc://a\0b", 12), EINVAL);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, "\1\0\0", 4), EINVAL);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, NULL, 4), EFAULT);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, longest, NN_SOCKADDR_MAX),
        ENAMETOOLONG);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, other, strlen (other)), EADDRINUSE);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, address, strlen (address)),
        EADDRINUSE);
    check_error (nn_setsockopt (s, NN_TCP, NN_MONITOR, address, strlen (address)), EINVAL);
    check_error (nn_setsockopt (-1, NN_SOL_SOCKET, NN_MONITOR, "", 0), EBADF);
    memset (value, 0, sizeof (value));
    size = sizeof (value);
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_MONITOR, value, &size) == 0);
    check (strcmp (value, address) == 0 && size == strlen (address));

    /*  The monitor still works, and ends when it is asked to. */
    bind_to (s, fresh_address ("inproc", other));
    struct received_event event = expect_event (events, NN_EVENT_LISTENING);
    check (strcmp (event.local, other) == 0 && event.head.endpoint == 1);
    check (event.head.socket == s && event.head.pipe == 0);
    check (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, "", 0) == 0);
    event = expect_event (events, NN_EVENT_CLOSED);
    check (event.head.endpoint == 0);
    expect_no_event (events);
    check (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, NULL, 0) == 0);
    size = sizeof (value);
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_MONITOR, value, &size) == 0 && size == 0);

    /*  Another monitor at the same address: the subscriber has connected again. */
    set_text (s, NN_SOL_SOCKET, NN_MONITOR, address);
    check (nn_shutdown (s, 1) == 0);
    event = expect_event (events, NN_EVENT_CLOSED);
    check (event.head.endpoint == 1);
    close_socket (taken);
    close_socket (s);
    expect_event (events, NN_EVENT_CLOSED);
    close_socket (events);
}

/*  A monitor is no socket of the program. */
static void takes_no_number (void)
{
    int s = open_patient (NN_PULL), events = monitor (s);
    int next = open_patient (NN_PULL);
    check (next == events + 1);
    check (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == 0);
    check (count_threads () <= 2);
    close_socket (next);
    close_socket (s);
    close_socket (events);
}

/*  Of the bound side: a connection is announced before its first message, and its end after its
    last one. */
static void bound (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), events = monitor (s);
    int id = bind_to (s, fresh_address (transport, address));
    struct received_event event = expect_event (events, NN_EVENT_LISTENING);
    check (event.head.endpoint == id && strcmp (event.local, address) == 0);
    uint64_t last = event.head.time;
    for (int round = 0; round < 20; round++) {
        int peer = open_patient (NN_PUSH);
        connect_to (peer, address);
        send_text (peer, "first");
        send_text (peer, "last");
        expect_text (s, "first");
        event = event_with (events, NN_DONTWAIT);
        check (event.head.kind == NN_EVENT_ACCEPTED);
        check (event.head.endpoint == id && event.head.pipe != 0);
        check (event.head.peer_protocol == NN_PUSH && event.head.socket == s);
        check (strncmp (event.peer, transport, strlen (transport)) == 0);
        check (strcmp (event.local, address) == 0);
        check (event.head.time >= last);
        uint64_t pipe = event.head.pipe;
        close_socket (peer);
        wait_until ((int) nn_get_statistic (s, NN_STAT_BROKEN_CONNECTIONS) == round + 1);
        expect_no_event (events);
        expect_text (s, "last");
        event = expect_event (events, NN_EVENT_DISCONNECTED);
        check (event.head.pipe == pipe && event.head.endpoint == id);
        check (event.head.reason == NN_REASON_PEER && event.head.error == 0);
        last = event.head.time;
    }
    /*  At the end, this side is the reason. */
    int peer = open_patient (NN_PUSH);
    connect_to (peer, address);
    expect_event (events, NN_EVENT_ACCEPTED);
    close_socket (s);
    event = expect_event (events, NN_EVENT_DISCONNECTED);
    check (event.head.reason == NN_REASON_LOCAL);
    expect_event (events, NN_EVENT_CLOSED);
    expect_no_event (events);
    close_socket (peer);
    close_socket (events);
}

/*  Of the connected side. */
static void connected (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PUSH), events = monitor (s);
    int id = connect_to (s, fresh_address (transport, address));
    struct received_event event;
    event = wait_for_event (events, NN_EVENT_RETRY);
    check (event.head.endpoint == id && strcmp (event.peer, address) == 0);
    check (event.head.error != 0 && event.head.value == 10);
    int peer = open_patient (NN_PULL);
    bind_to (peer, address);
    event = wait_for_event (events, NN_EVENT_CONNECTED);
    check (event.head.endpoint == id && event.head.pipe != 0 && event.head.error == 0);
    check (event.head.peer_protocol == NN_PULL && strcmp (event.peer, address) == 0);
    uint64_t pipe = event.head.pipe;
    close_socket (peer);
    event = expect_event (events, NN_EVENT_DISCONNECTED);
    check (event.head.pipe == pipe && event.head.reason == NN_REASON_PEER);
    event = expect_event (events, NN_EVENT_RETRY);
    check (event.head.error == 0 && event.head.value == 10);
    do
        event = next_event (events);
    while (event.head.kind == NN_EVENT_CONNECTING);
    check (event.head.kind == NN_EVENT_RETRY && event.head.error != 0);
    check (nn_shutdown (s, id) == 0);
    event = wait_for_event (events, NN_EVENT_CLOSED);
    check (event.head.endpoint == id);
    close_socket (s);
    close_socket (events);
}

/*  Events have the address that the system has chosen. */
static void chosen (const char *given)
{
    char address[NN_SOCKADDR_MAX];
    size_t size = sizeof (address);
    int s = open_patient (NN_PULL), events = monitor (s), id = bind_to (s, given);
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_LAST_ENDPOINT, address, &size) == 0);
    check (strncmp (address, given, 6) == 0 && strcmp (address, given) != 0);
    check (strcmp (expect_event (events, NN_EVENT_LISTENING).local, address) == 0);
    close (plain_connect (address));
    check (strcmp (expect_event (events, NN_EVENT_HANDSHAKE_FAILED).local, address) == 0);
    check (nn_shutdown (s, id) == 0);
    check (strcmp (expect_event (events, NN_EVENT_CLOSED).local, address) == 0);
    close_socket (s);
    close_socket (events);
}

/*  Binding fails. */
static void bind_failed (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), other = open_patient (NN_PULL), events = monitor (s);
    bind_to (other, fresh_address ("inproc", address));
    check_error (nn_bind (s, address), EADDRINUSE);
    struct received_event event = expect_event (events, NN_EVENT_BIND_FAILED);
    check (event.head.error == EADDRINUSE && event.head.endpoint == 0);
    check (strcmp (event.local, address) == 0);
    check (bind_to (s, fresh_address ("inproc", address)) == 1);
    close_socket (other);
    close_socket (s);
    close_socket (events);
}

/*  Peers that are no peers. */
static void refused (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PAIR), events = monitor (s);
    int id = bind_to (s, fresh_address (transport, address));
    struct received_event event;
    expect_event (events, NN_EVENT_LISTENING);

    int peer = plain_connect (address);
    check (plain_send (peer, "GET / HTTP/1.1\r\n\r\n", 18) == 0);
    event = expect_event (events, NN_EVENT_HANDSHAKE_FAILED);
    check (event.head.reason == NN_REASON_INVALID && event.head.error == EPROTO);
    check (event.head.endpoint == id && event.head.pipe == 0);
    close (peer);
    close (plain_connect (address));
    event = expect_event (events, NN_EVENT_HANDSHAKE_FAILED);
    check (event.head.reason == NN_REASON_PEER || event.head.reason == NN_REASON_NETWORK);
    check (nn_get_statistic (s, NN_STAT_HANDSHAKE_ERRORS) == 2);

    peer = plain_peer (address, NN_PUB);
    event = expect_event (events, NN_EVENT_REFUSED);
    check (event.head.reason == NN_REASON_MISMATCH && event.head.peer_protocol == NN_PUB);
    close (peer);

    peer = plain_peer (address, NN_PAIR);
    expect_event (events, NN_EVENT_ACCEPTED);
    int second = plain_connect (address);
    event = expect_event (events, NN_EVENT_REFUSED);
    check (event.head.reason == NN_REASON_BUSY);
    check (nn_get_statistic (s, NN_STAT_REFUSED_CONNECTIONS) == 2);
    expect_cut (second);

    /*  The peer that was accepted sends a message that is too long. */
    check (plain_length (peer, address, (uint64_t) 1 << 40) == 0);
    event = expect_event (events, NN_EVENT_DISCONNECTED);
    check (event.head.reason == NN_REASON_INVALID && event.head.error == EMSGSIZE);
    expect_cut (peer);
    if (strcmp (transport, "tcp") == 0) {
        /*  A reset. */
        struct linger linger = { 1, 0 };
        peer = plain_peer (address, NN_PAIR);
        event = expect_event (events, NN_EVENT_ACCEPTED);
        check (strncmp (event.peer, "tcp://127.0.0.1:", 16) == 0);
        setsockopt (peer, SOL_SOCKET, SO_LINGER, &linger, sizeof (linger));
        close (peer);
        event = expect_event (events, NN_EVENT_DISCONNECTED);
        check (event.head.reason == NN_REASON_NETWORK && event.head.error == ECONNRESET);
        check (strncmp (event.peer, "tcp://127.0.0.1:", 16) == 0);
    }
    close_socket (s);
    expect_event (events, NN_EVENT_CLOSED);
    close_socket (events);
}

/*  A peer that is killed. */
static void killed (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), events = monitor (s);
    bind_to (s, fresh_address (transport, address));
    pid_t child = start_process ();
    if (child == 0) {
        int peer = open_patient (NN_PUSH);
        connect_to (peer, address);
        send_text (peer, "alive");
        pause ();
        _exit (0);
    }
    expect_text (s, "alive");
    wait_for_event (events, NN_EVENT_ACCEPTED);
    kill (child, SIGKILL);
    struct received_event event = expect_event (events, NN_EVENT_DISCONNECTED);
    check (event.head.reason == NN_REASON_PEER);
    check (waitpid (child, NULL, 0) == child);
    close_socket (s);
    close_socket (events);
}

/*  Any number of subscribers, each with its topics. */
static void topics (void)
{
    char address[NN_SOCKADDR_MAX], where[NN_SOCKADDR_MAX];
    size_t size = sizeof (where);
    const char topic[] = { NN_EVENT_CLOSED };
    int s = open_patient (NN_PULL), all = monitor (s), few = open_patient (NN_SUB);
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_MONITOR, where, &size) == 0);
    check (nn_setsockopt (few, NN_SUB, NN_SUB_SUBSCRIBE, topic, 1) == 0);
    connect_to (few, where);
    for (int round = 0; round < 3; round++)
        check (nn_shutdown (s, bind_to (s, fresh_address ("inproc", address))) == 0);
    for (int round = 0; round < 3; round++) {
        expect_event (all, NN_EVENT_LISTENING);
        expect_event (all, NN_EVENT_CLOSED);
        check (expect_event (few, NN_EVENT_CLOSED).head.endpoint == round + 1);
    }
    close_socket (s);
    close_socket (few);
    close_socket (all);
}

/*  A subscriber that does not read misses events, and gets their number. */
static void too_slow (void)
{
    char address[NN_SOCKADDR_MAX], where[NN_SOCKADDR_MAX];
    size_t size = sizeof (where);
    int s = open_patient (NN_PULL), fast = monitor_topic (s, "\15"), slow = open_patient (NN_SUB);
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_MONITOR, where, &size) == 0);
    set_text (slow, NN_SUB, NN_SUB_SUBSCRIBE, "");
    set_int (slow, NN_SOL_SOCKET, NN_RCVBUF, 20000);
    connect_to (slow, where);
    fresh_address ("inproc", address);
    for (int round = 0; round < 1000; round++) {
        check (nn_shutdown (s, bind_to (s, address)) == 0);
        check (expect_event (fast, NN_EVENT_CLOSED).head.endpoint == round + 1);
    }
    uint64_t came = 0, lost = 0;
    while (came + lost < 2000) {
        struct received_event event = next_event (slow);
        if (event.head.kind == NN_EVENT_LOST)
            lost += event.head.value;
        else
            came++;
    }
    check (came + lost == 2000 && lost > 1000 && came > 50);
    /*  Now it is in time again. */
    bind_to (s, address);
    expect_event (slow, NN_EVENT_LISTENING);
    close_socket (s);
    close_socket (slow);
    close_socket (fast);
}

/*  Without reading, 1024 events are kept. */
static void backlog (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), events = monitor (s);
    fresh_address ("inproc", address);
    memset (address + strlen (address), 'x', NN_SOCKADDR_MAX - 1 - strlen (address));
    address[NN_SOCKADDR_MAX - 1] = 0;
    for (int round = 0; round < 512; round++)
        check (nn_shutdown (s, bind_to (s, address)) == 0);
    for (int round = 0; round < 512; round++) {
        expect_event (events, NN_EVENT_LISTENING);
        expect_event (events, NN_EVENT_CLOSED);
    }
    close_socket (s);
    close_socket (events);
}

/*  A publisher drops messages for a subscriber that does not read. */
static void dropped (void)
{
    char address[NN_SOCKADDR_MAX], message[1000];
    int publisher = open_patient (NN_PUB), events = monitor_topic (publisher, "\13\15");
    int subscriber = open_patient (NN_SUB);
    set_text (events, NN_SUB, NN_SUB_SUBSCRIBE, "\13");
    set_text (subscriber, NN_SUB, NN_SUB_SUBSCRIBE, "");
    set_int (subscriber, NN_SOL_SOCKET, NN_RCVBUF, 10000);
    bind_to (publisher, fresh_address ("inproc", address));
    connect_to (subscriber, address);
    memset (message, 'x', sizeof (message));
    for (int count = 0; count < 100; count++)
        check (nn_send (publisher, message, sizeof (message), NN_DONTWAIT) == sizeof (message));
    uint64_t drops = nn_get_statistic (publisher, NN_STAT_MESSAGES_DROPPED);
    check (drops >= 80 && drops <= 95);
    struct received_event event = expect_event (events, NN_EVENT_DROPPED);
    check (event.head.value == 1);
    close_socket (publisher);
    event = expect_event (events, NN_EVENT_DROPPED);
    check (event.head.value == drops - 1);
    close_socket (subscriber);
    close_socket (events);
}

/*  Monitors of monitors' subscribers, in a circle, and nn_term. */
static void circle (void)
{
    int one = open_patient (NN_SUB), other = open_patient (NN_SUB);
    set_text (one, NN_SUB, NN_SUB_SUBSCRIBE, "");
    set_text (other, NN_SUB, NN_SUB_SUBSCRIBE, "");
    set_text (one, NN_SOL_SOCKET, NN_MONITOR, "inproc://circle-one");
    set_text (other, NN_SOL_SOCKET, NN_MONITOR, "inproc://circle-other");
    connect_to (one, "inproc://circle-other");
    connect_to (other, "inproc://circle-one");
    wait_for_event (one, NN_EVENT_CONNECTED);
    nn_term ();
    check_error (nn_recv (one, NULL, 0, NN_DONTWAIT), EBADF);
}

int main (void)
{
    if (!only_ours ("it has no NN_MONITOR")) {
        int s = open_socket (NN_PULL);
        check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, "\1\0\0", 4), ENOPROTOOPT);
        close_socket (s);
        return 0;
    }
    wrong_values ();
    takes_no_number ();
    each_transport (transport)
        bound (transport);
    bound ("ws");
    connected ("ipc");
    connected ("tcp");
    connected ("ws");
    chosen ("tcp://127.0.0.1:0");
    bind_failed ();
    each_plain_transport (transport) {
        refused (transport);
        killed (transport);
    }
    topics ();
    too_slow ();
    backlog ();
    dropped ();
    circle ();
    return 0;
}
