/*  nn_get_statistic: messages and bytes, and the past and present of connections. */

#include "../lib/plain.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/reqrep.h>

static const struct { int number; const char *name; } statistics[] = {
    { NN_STAT_ESTABLISHED_CONNECTIONS, "established" },
    { NN_STAT_ACCEPTED_CONNECTIONS, "accepted" },
    { NN_STAT_CONNECT_ERRORS, "connect errors" },
    { NN_STAT_BIND_ERRORS, "bind errors" },
    { NN_STAT_ACCEPT_ERRORS, "accept errors" },
    { NN_STAT_CURRENT_EP_ERRORS, "endpoints in error" },
    { NN_STAT_INPROGRESS_CONNECTIONS, "in progress" },
    { NN_STAT_CURRENT_SND_PRIORITY, "send priority" },
    { NN_STAT_CURRENT_CONNECTIONS, "current" },
    { NN_STAT_MESSAGES_SENT, "messages sent" },
    { NN_STAT_MESSAGES_RECEIVED, "messages received" },
    { NN_STAT_BYTES_SENT, "bytes sent" },
    { NN_STAT_BYTES_RECEIVED, "bytes received" },
};

static void show_all (const char *what, int s)
{
    for (size_t i = 0; i < sizeof (statistics) / sizeof (statistics[0]); i++)
        say ("  %s, %s: %lld", what, statistics[i].name,
            (long long) nn_get_statistic (s, statistics[i].number));
}

static long long statistic (int s, int number)
{
    return (long long) nn_get_statistic (s, number);
}

/*  For the side that ends a connection it is dropped, for the other one it is broken. */
static void ends (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int bound = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
    bind_to (bound, fresh_address (transport, address));
    int id = connect_to (other, address);
    wait_writable (bound);
    check (nn_shutdown (other, id) == 0);
    wait_until (statistic (bound, NN_STAT_BROKEN_CONNECTIONS) == 1);
    wait_until (statistic (other, NN_STAT_DROPPED_CONNECTIONS) == 1);
    check (statistic (bound, NN_STAT_DROPPED_CONNECTIONS) == 0);
    check (statistic (other, NN_STAT_BROKEN_CONNECTIONS) == 0);
    close_socket (other);
    close_socket (bound);
}

/*  An endpoint is in error from its first failure until it has a connection. */
static void errors (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PUSH), peer = open_patient (NN_PULL);
    fresh_address (transport, address);
    int id = connect_to (s, address);
    wait_until (statistic (s, NN_STAT_CONNECT_ERRORS) >= 2);
    say ("%s, nobody there: endpoints in error %lld, established %lld", transport,
        statistic (s, NN_STAT_CURRENT_EP_ERRORS),
        statistic (s, NN_STAT_ESTABLISHED_CONNECTIONS));
    bind_to (peer, address);
    wait_writable (s);
    say ("  then somebody: endpoints in error %lld, established %lld, in progress %lld",
        statistic (s, NN_STAT_CURRENT_EP_ERRORS),
        statistic (s, NN_STAT_ESTABLISHED_CONNECTIONS),
        statistic (s, NN_STAT_INPROGRESS_CONNECTIONS));
    close_socket (peer);
    if (only_ours ("an endpoint that was shut down counts for ever")) {
        wait_until (statistic (s, NN_STAT_CURRENT_EP_ERRORS) == 1);
        check (nn_shutdown (s, id) == 0);
        check (statistic (s, NN_STAT_CURRENT_EP_ERRORS) == 0);
        check (statistic (s, NN_STAT_INPROGRESS_CONNECTIONS) == 0);
    }
    close_socket (s);
}

/*  A connected endpoint of inproc is in progress while no socket is bound. */
static void in_progress (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PUSH), peer = open_patient (NN_PULL);
    int id = connect_to (s, fresh_address ("inproc", address));
    say ("in progress: %lld", statistic (s, NN_STAT_INPROGRESS_CONNECTIONS));
    bind_to (peer, address);
    wait_writable (s);
    say ("then %lld", statistic (s, NN_STAT_INPROGRESS_CONNECTIONS));
    close_socket (peer);
    wait_until (statistic (s, NN_STAT_INPROGRESS_CONNECTIONS) == 1);
    check (nn_shutdown (s, id) == 0);
    if (only_ours ("an endpoint that was shut down counts for ever"))
        check (statistic (s, NN_STAT_INPROGRESS_CONNECTIONS) == 0);
    close_socket (s);
}

/*  The priority of the peer that the next message goes to. */
static void send_priority (int protocol, int peer_protocol, const char *transport)
{
    char high[NN_SOCKADDR_MAX], low[NN_SOCKADDR_MAX];
    int s = open_patient (protocol);
    int one = open_patient (peer_protocol), two = open_patient (peer_protocol);
    say ("%s, send priority without a peer: %lld", transport,
        statistic (s, NN_STAT_CURRENT_SND_PRIORITY));
    bind_to (one, fresh_address (transport, high));
    bind_to (two, fresh_address (transport, low));
    set_int (s, 0, NN_SNDPRIO, 7);
    connect_to (s, low);
    wait_until (statistic (s, NN_STAT_CURRENT_SND_PRIORITY) == 7);
    set_int (s, 0, NN_SNDPRIO, 3);
    connect_to (s, high);
    wait_until (statistic (s, NN_STAT_CURRENT_SND_PRIORITY) == 3);
    close_socket (one);
    wait_until (statistic (s, NN_STAT_CURRENT_SND_PRIORITY) == 7);
    close_socket (two);
    wait_until (statistic (s, NN_STAT_CURRENT_CONNECTIONS) == 0);
    if (only_ours ("it answers as if it had failed when the last peer has gone"))
        check (statistic (s, NN_STAT_CURRENT_SND_PRIORITY) == 0);
    close_socket (s);
}

static void send_priority_when_full (void)
{
    static char body[300000]; /* more than any queue holds beside it */
    int s = open_socket (NN_PUSH), one = open_socket (NN_PULL), two = open_socket (NN_PULL);
    bind_to (one, "inproc://full-high");
    bind_to (two, "inproc://full-low");
    set_int (s, 0, NN_SNDPRIO, 1);
    connect_to (s, "inproc://full-high");
    set_int (s, 0, NN_SNDPRIO, 16);
    connect_to (s, "inproc://full-low");
    check (statistic (s, NN_STAT_CURRENT_SND_PRIORITY) == 1);
    check (nn_send (s, body, sizeof (body), NN_DONTWAIT) == (int) sizeof (body));
    check (statistic (s, NN_STAT_CURRENT_SND_PRIORITY) == 16);
    check (nn_send (s, body, sizeof (body), NN_DONTWAIT) == (int) sizeof (body));
    check (statistic (s, NN_STAT_CURRENT_SND_PRIORITY) == 0);
    check (nn_recv (one, body, sizeof (body), NN_DONTWAIT) == (int) sizeof (body));
    check (statistic (s, NN_STAT_CURRENT_SND_PRIORITY) == 1);
    close_socket (s);
    close_socket (one);
    close_socket (two);
}

/*  A listener without a descriptor to accept with is in error until it has one. */
static void accept_errors (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL);
    bind_to (s, fresh_address ("ipc", address));
    struct sockaddr_storage storage;
    socklen_t size = plain_address (address, &storage);
    int peer = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check (peer >= 0);
    rlim_t before = limit_descriptors ((rlim_t) next_descriptor ());
    check (connect (peer, (struct sockaddr *) &storage, size) == 0);
    wait_until (statistic (s, NN_STAT_ACCEPT_ERRORS) >= 2);
    check (statistic (s, NN_STAT_CURRENT_EP_ERRORS) == 1);
    limit_descriptors (before);
    wait_until (statistic (s, NN_STAT_ACCEPTED_CONNECTIONS) == 1);
    check (statistic (s, NN_STAT_CURRENT_EP_ERRORS) == 0);
    close (peer);
    close_socket (s);
}

static void bind_errors (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_socket (NN_PAIR), other = open_socket (NN_PAIR);
    bind_to (s, fresh_address ("tcp", address));
    check_error (nn_bind (other, address), EADDRINUSE);
    if (only_ours ("it counts no errors of nn_bind"))
        check (statistic (other, NN_STAT_BIND_ERRORS) == 1);
    say ("endpoints in error, since there is no endpoint: %lld",
        statistic (other, NN_STAT_CURRENT_EP_ERRORS));
    close_socket (s);
    close_socket (other);
}

int main (void)
{
    show ("of no socket", (int64_t) nn_get_statistic (0, NN_STAT_MESSAGES_SENT));
    int s = open_socket (NN_PAIR);
    show ("unknown", (int64_t) nn_get_statistic (s, 0));
    show ("unknown", (int64_t) nn_get_statistic (s, 100));
    show ("unknown", (int64_t) nn_get_statistic (s, -1));
    show ("of a bad id", (int64_t) nn_get_statistic (-1, NN_STAT_MESSAGES_SENT));
    show_all ("new", s);
    close_socket (s);

    for (int i = 0; i < 2; i++) {
        const char *transport = i ? "tcp" : "ipc";
        char address[NN_SOCKADDR_MAX];
        int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
        bind_to (a, fresh_address (transport, address));
        connect_to (b, address);
        wait_writable (a);
        wait_writable (b);
        say ("%s", transport);
        send_text (a, "twelve bytes");
        expect_text (b, "twelve bytes");
        send_text (a, "");
        expect_text (b, "");
        send_text (b, "back");
        expect_text (a, "back");
        show ("  fails", nn_recv (a, address, 1, NN_DONTWAIT));
        show_all ("bound", a);
        show_all ("connected", b);
        close_socket (b);
        wait_until (nn_get_statistic (a, NN_STAT_CURRENT_CONNECTIONS) == 0);
        show_all ("left alone", a);
        close_socket (a);
    }
    ends ("ipc");
    ends ("tcp");
    ends ("ws");
    if (only_ours ("over inproc it counts no ends"))
        ends ("inproc");
    errors ("ipc");
    errors ("tcp");
    errors ("ws");
    in_progress ();
    static const char *const all[] = { "inproc", "ipc", "tcp", "ws" };
    for (int i = 0; i < 4; i++) {
        send_priority (NN_PUSH, NN_PULL, all[i]);
        send_priority (NN_REQ, NN_REP, all[i]);
    }
    if (only_ours ("a peer that is full does not count as such"))
        send_priority_when_full ();
    if (only_ours ("it answers with the errors of nn_bind, which it does not count"))
        accept_errors ();
    bind_errors ();
    return 0;
}
