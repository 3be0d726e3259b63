/*  PAIR: one peer at a time. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

static void both_ways (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    bind_to (a, fresh_address (transport, address));
    connect_to (b, address);
    send_text (b, "from b");
    send_text (b, "from b again");
    send_text (a, "from a");
    say ("%s: %s", transport, receive_text (a));
    say ("  %s", receive_text (b));
    say ("  %s", receive_text (a));
    close_socket (a);
    close_socket (b);
}

/*  A second peer gets nothing until the first has disconnected; then it takes its place. */
static void one_peer (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), first = open_patient (NN_PAIR);
    int second = open_patient (NN_PAIR);
    bind_to (a, fresh_address (transport, address));
    connect_to (first, address);
    send_text (first, "hello");
    expect_text (a, "hello");
    connect_to (second, address);
    for (int i = 0; i < 10; i++) {
        send_text (a, "for the first");
        expect_text (first, "for the first");
        send_text (first, "to a");
        expect_text (a, "to a");
    }
    say ("%s: the first keeps its place", transport);
    show ("  the second has", nn_recv (second, address, 1, NN_DONTWAIT));
    close_socket (first);

    /*  Messages of the second peer are lost while it is refused. */
    struct nn_pollfd item = { a, NN_POLLIN, 0 };
    int64_t end = now_ms () + LIMIT_MS;
    do {
        check (now_ms () < end);
        nn_send (second, "the second is here", 18, NN_DONTWAIT);
    } while (nn_poll (&item, 1, 10) != 1);
    say ("  then %s", receive_text (a));
    close_socket (second);
    close_socket (a);
}

/*  A socket of another protocol is not a peer. */
static void another_protocol (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int pair = open_patient (NN_PAIR), push = open_patient (NN_PUSH);
    int peer = open_patient (NN_PAIR);
    bind_to (pair, fresh_address (transport, address));
    connect_to (push, address);
    connect_to (peer, address);
    send_text (peer, "from a peer");
    expect_text (pair, "from a peer");
    show ("  PUSH can send", nn_send (push, "x", 1, NN_DONTWAIT));
    send_text (pair, "to the peer");
    say ("  %s", receive_text (peer));
    close_socket (push);
    close_socket (pair);
    close_socket (peer);
}

/*  Bound and connected to itself. */
static void itself (void)
{
    if (!only_ours ("it aborts there"))
        return;
    int s = open_patient (NN_PAIR);
    bind_to (s, "inproc://itself");
    connect_to (s, "inproc://itself");
    for (int i = 0; i < 3; i++) {
        send_text (s, "to myself");
        expect_text (s, "to myself");
    }
    check (nn_recv (s, &s, 1, NN_DONTWAIT) == -1);
    close_socket (s);

    s = open_patient (NN_PAIR);
    connect_to (s, "inproc://itself");
    bind_to (s, "inproc://itself");
    send_text (s, "to myself");
    expect_text (s, "to myself");
    close_socket (s);
}

int main (void)
{
    each_transport (transport)
        both_ways (transport);
    one_peer ("ipc");
    one_peer ("tcp");
    each_transport (transport)
        another_protocol (transport);
    itself ();
    return 0;
}
