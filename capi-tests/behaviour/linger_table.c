/*  What nn_close waits for, for each protocol and each state of its peers: one test for each row
    of the table "What nn_close waits for" in docs/RELIABILITY.md. "At once" is tested with a
    linger time that is longer than the time limit of the test. */

#include "../lib/plain.h"
#include <nanomsg/bus.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

/*  More than the kernel accepts for a peer that does not read. */
#define LARGE (8 * 1024 * 1024)
#define SHORT_MS 200

/*  Every protocol that sends, its peer, and whether it sends only in answer to a message. */
static const struct pattern {
    const char *name;
    int protocol, peer, answers;
} patterns[] = {
    { "PAIR", NN_PAIR, NN_PAIR, 0 },
    { "PUSH", NN_PUSH, NN_PULL, 0 },
    { "PUB", NN_PUB, NN_SUB, 0 },
    { "BUS", NN_BUS, NN_BUS, 0 },
    { "REQ", NN_REQ, NN_REP, 0 },
    { "SURVEYOR", NN_SURVEYOR, NN_RESPONDENT, 0 },
    { "REP", NN_REP, NN_REQ, 1 },
    { "RESPONDENT", NN_RESPONDENT, NN_SURVEYOR, 1 },
};
#define each_pattern(p)                                                        \
    for (const struct pattern *p = patterns;                                   \
         p < patterns + sizeof (patterns) / sizeof (*patterns); p++)

static int open_lingering (int protocol, int linger)
{
    int s = open_patient (protocol);
    set_int (s, 0, NN_LINGER, linger);
    return s;
}

static int64_t time_to_close (int s)
{
    int64_t before = now_ms ();
    close_socket (s);
    return now_ms () - before;
}

/*  Closes a socket with a linger time of LIMIT_MS, and fails if nn_close waits. */
static void closes_at_once (const char *what, const char *name, int s)
{
    int64_t took = time_to_close (s);
    if (took > LIMIT_MS / 2)
        fail ("%s, %s: nn_close took %d ms", what, name, (int) took);
    say ("%s, %s: closed at once", what, name);
}

static void wait_connected (int s)
{
    wait_until (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == 1);
}

static void wait_parted (int s)
{
    wait_until (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == 0);
}

static void read_exactly (int descriptor, size_t size)
{
    char bytes[65536];
    while (size > 0) {
        ssize_t got = recv (descriptor, bytes, size < sizeof (bytes) ? size : sizeof (bytes), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            fail ("the connection ended, and %zu bytes were to come", size);
        size -= (size_t) got;
    }
}

/*  Bytes on the wire of a message of `size` bytes. */
static size_t on_the_wire (const struct pattern *pattern, const char *address, size_t size)
{
    int has_header = pattern->protocol / 16 == NN_PROTO_REQREP || pattern->protocol / 16 == NN_PROTO_SURVEY;
    return size + (has_header ? 4 : 0) + (strncmp (address, "ipc", 3) == 0 ? 9 : 8);
}

/*  A bound socket and its plain peer, which has sent its greeting and, if the socket can send
    only in answer to a message, that message. */
static int with_peer (const struct pattern *pattern, const char *transport, int linger, char *address,
    int *peer)
{
    static const char question[] = "\x80\0\0\1question";
    char text[16];
    int s = open_lingering (pattern->protocol, linger);
    bind_to (s, fresh_address (transport, address));
    *peer = plain_peer (address, pattern->peer);
    read_exactly (*peer, 8);
    wait_connected (s);
    if (pattern->answers) {
        check (plain_message (*peer, address, question, sizeof (question) - 1) == 0);
        check (nn_recv (s, text, sizeof (text), 0) == 8);
    }
    return s;
}

/*  The peer has read everything: nn_close does not wait, not even for an answer. */
static void delivered (const struct pattern *pattern, const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int peer, s = with_peer (pattern, transport, LIMIT_MS, address, &peer);
    send_text (s, "message");
    read_exactly (peer, on_the_wire (pattern, address, 7));
    closes_at_once ("the peer has it", pattern->name, s);
    close (peer);
}

/*  nn_close does not wait because of a message that was not received, or not answered. */
static void unanswered (const struct pattern *pattern, const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int peer, s = with_peer (pattern, transport, LIMIT_MS, address, &peer);
    closes_at_once ("nothing was sent", pattern->name, s);
    close (peer);
}

/*  There was never a peer. */
static void alone (const struct pattern *pattern, const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_lingering (pattern->protocol, LIMIT_MS);
    connect_to (s, fresh_address (transport, address));
    show (pattern->name, nn_send (s, "message", 7, NN_DONTWAIT));
    closes_at_once ("never connected", pattern->name, s);
}

/*  A peer has connected, and sends nothing. */
static void before_the_greeting (const struct pattern *pattern, const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_lingering (pattern->protocol, LIMIT_MS);
    bind_to (s, fresh_address (transport, address));
    int peer = plain_connect (address);
    read_exactly (peer, 8);
    show (pattern->name, nn_send (s, "message", 7, NN_DONTWAIT));
    closes_at_once ("before the greeting", pattern->name, s);
    close (peer);
}

/*  The peer has disconnected, and no other has connected. */
static void lost (const struct pattern *pattern, const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int peer, s = with_peer (pattern, transport, LIMIT_MS, address, &peer);
    send_text (s, "message");
    close (peer);
    wait_parted (s);
    show (pattern->name, nn_send (s, "another", 7, NN_DONTWAIT));
    closes_at_once ("connection lost", pattern->name, s);
}

/*  The peer reads nothing: nn_close waits for the linger time, and the rest is lost. */
static void not_reading (const struct pattern *pattern, const char *transport)
{
    static char body[LARGE];
    char address[NN_SOCKADDR_MAX];
    for (int linger = 0; linger <= SHORT_MS; linger += SHORT_MS) {
        int peer, s = with_peer (pattern, transport, linger, address, &peer);
        check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
        int64_t took = time_to_close (s);
        if (took < linger || took > linger + LIMIT_MS / 2)
            fail ("%s, %s: nn_close took %d ms with NN_LINGER %d", transport, pattern->name, (int) took, linger);
        expect_cut (peer);
    }
}

struct closing {
    int socket, thread;
};

static void *close_it (void *argument)
{
    struct closing *closing = argument;
    __atomic_store_n (&closing->thread, thread_id (), __ATOMIC_SEQ_CST);
    close_socket (closing->socket);
    return NULL;
}

static void wait_until_waiting (struct closing *closing)
{
    int thread;
    wait_until ((thread = __atomic_load_n (&closing->thread, __ATOMIC_SEQ_CST)) && is_asleep (thread));
}

/*  The peer reads nothing at first, then everything or until it is closed. */
static void reads_late (const struct pattern *pattern, const char *transport, int everything)
{
    static char body[LARGE];
    char address[NN_SOCKADDR_MAX];
    int peer, s = with_peer (pattern, transport, -1, address, &peer);
    check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
    struct closing closing = { s, 0 };
    pthread_t thread = start_thread (close_it, &closing);
    wait_until_waiting (&closing);
    if (everything)
        read_exactly (peer, on_the_wire (pattern, address, sizeof (body)));
    else
        close (peer);
    join_thread (thread);
    if (everything)
        expect_cut (peer);
}

/*  nn_shutdown does not wait; nn_close waits for what it has left, for a linger time of its own. */
static void after_shutdown (const struct pattern *pattern, const char *transport)
{
    static char body[LARGE];
    char address[NN_SOCKADDR_MAX];
    int peer, s = with_peer (pattern, transport, -1, address, &peer);
    check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
    check (nn_shutdown (s, 1) == 0);
    set_int (s, 0, NN_LINGER, SHORT_MS);
    int64_t took = time_to_close (s);
    check (took >= SHORT_MS && took < LIMIT_MS / 2);
    expect_cut (peer);

    s = with_peer (pattern, transport, LIMIT_MS, address, &peer);
    check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
    int64_t before = now_ms ();
    check (nn_shutdown (s, 1) == 0);
    check (now_ms () - before < LIMIT_MS / 2);
    struct closing closing = { s, 0 };
    pthread_t thread = start_thread (close_it, &closing);
    wait_until_waiting (&closing);
    read_exactly (peer, on_the_wire (pattern, address, sizeof (body)));
    join_thread (thread);
    expect_cut (peer);
}

/*  REQ keeps a request itself while no connection has room for it. nn_close does not wait for
    that request, but for those that a connection has taken. */
static void request_without_room (const char *transport)
{
    static const struct pattern req = { "REQ", NN_REQ, NN_REP, 0 };
    static char body[LARGE];
    char address[NN_SOCKADDR_MAX];
    int peer, s = with_peer (&req, transport, LIMIT_MS, address, &peer);
    size_t count = 0;
    for (; nn_get_statistic (s, NN_STAT_CURRENT_SND_PRIORITY) != 0; count++)
        check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
    send_text (s, "without room");
    struct closing closing = { s, 0 };
    pthread_t thread = start_thread (close_it, &closing);
    wait_until_waiting (&closing);
    read_exactly (peer, count * on_the_wire (&req, address, sizeof (body)));
    check (recv (peer, body, 1, 0) == 0);
    join_thread (thread);
    close (peer);
}

/*  Over inproc the peer has each message at once, and keeps it. */
static void within_the_process (void)
{
    char address[NN_SOCKADDR_MAX];
    int push = open_lingering (NN_PUSH, LIMIT_MS), pull = open_patient (NN_PULL);
    bind_to (pull, fresh_address ("inproc", address));
    connect_to (push, address);
    send_text (push, "message");
    closes_at_once ("within the process", "PUSH", push);
    if (only_ours ("it loses what was sent just before nn_close"))
        expect_text (pull, "message");
    close_socket (pull);
}

/*  A raw REQ keeps no request: without a peer it accepts none. */
static void raw (void)
{
    int s = nn_socket (AF_SP_RAW, NN_REQ);
    set_int (s, 0, NN_LINGER, LIMIT_MS);
    show ("raw REQ", nn_send (s, "\x80\0\0\1message", 11, NN_DONTWAIT));
    closes_at_once ("never connected", "raw REQ", s);
}

int main (void)
{
    each_plain_transport (transport) {
        each_pattern (pattern) {
            delivered (pattern, transport);
            unanswered (pattern, transport);
            alone (pattern, transport);
            before_the_greeting (pattern, transport);
            lost (pattern, transport);
        }
    }
    within_the_process ();
    raw ();
    if (!only_ours ("it never waits"))
        return 0;
    each_plain_transport (transport) {
        each_pattern (pattern) {
            not_reading (pattern, transport);
            reads_late (pattern, transport, 1);
            reads_late (pattern, transport, 0);
            after_shutdown (pattern, transport);
        }
        request_without_room (transport);
    }
    return 0;
}
