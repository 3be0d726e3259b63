/*  Peers of tls+tcp and wss that do not speak TLS, stop in the middle of it, or reach the library
    through a network that cuts and changes bytes: nothing that was not sent is received, only
    their own connections end, and other peers are served in the meantime. */

#include "../lib/plain.h"
#include "../lib/secure.h"
#include <nanomsg/pipeline.h>

/*  Half-open handshakes: four times as many as a listener has at once. */
#define HALF_OPEN 1000
/*  The most that a listener has at once, and the memory for each, in KiB. */
#define PLACES 256
#define PLACE_KIB 80
/*  A handshake of both sides, their greetings and the first messages. */
#define CONVERSATION 4000

static long long count (int s, int number)
{
    return (long long) nn_get_statistic (s, number);
}

/*  The address without TLS of the same port. */
static const char *plain_of (const char *address, char *buffer)
{
    snprintf (buffer, NN_SOCKADDR_MAX, "tcp://%s", strstr (address, "://") + 3);
    return buffer;
}

/*  Bytes that are no TLS. */
static void no_tls (const char *transport)
{
    static const struct { const char *bytes; size_t size; } all[] = {
        { "\0SP\0\0\120\0\0", 8 }, { "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27 },
        { "\x16\x03\x01\xff\xff", 5 }, { "\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00", 10 },
        { "\x15\x03\x03\x00\x02\x02\x28", 7 }, { "\x17\x03\x03\x00\x10", 5 },
        { "\x80\x2e\x01\x03\x01", 5 },
    };
    char address[NN_SOCKADDR_MAX], plain[NN_SOCKADDR_MAX];
    char noise[4096];
    uint32_t seed = 7;
    int pull = open_server (NN_PULL), push = open_client (NN_PUSH);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    honest_message (push, pull);
    /*  On a slow machine the handshake with the peer may have failed at first. */
    long long errors = count (pull, NN_STAT_ACCEPT_ERRORS);
    for (int i = 0; i < 50; i++) {
        int peer = plain_connect (plain_of (address, plain));
        if (i < (int) (sizeof (all) / sizeof (*all)))
            plain_send (peer, all[i].bytes, all[i].size);
        else {
            for (int j = 0; j < (int) sizeof (noise); j++)
                noise[j] = (char) next_random (&seed);
            /*  Some begin as TLS does. */
            if (i % 2)
                memcpy (noise, "\x16\x03\x03\x10\x00\x01\x00\x0f\xfc\x03\x03", 11);
            plain_send (peer, noise, sizeof (noise));
        }
        shutdown (peer, SHUT_WR);
        expect_cut (peer);
        honest_message (push, pull);
    }
    check (count (pull, NN_STAT_ACCEPTED_CONNECTIONS) == 1);
    wait_until (count (pull, NN_STAT_ACCEPT_ERRORS) == errors + 50);
    close_socket (push);
    close_socket (pull);
}

/*  TLS to a port without it, and the other way round. */
static void mismatch (void)
{
    char address[NN_SOCKADDR_MAX], secure[NN_SOCKADDR_MAX + 4];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH), wrong = open_client (NN_PUSH);
    bind_to (pull, fresh_address ("tcp", address));
    connect_to (push, address);
    snprintf (secure, sizeof (secure), "tls+tcp://%s", address + 6);
    connect_to (wrong, secure);
    wait_until (count (wrong, NN_STAT_CONNECT_ERRORS) >= 3);
    honest_message (push, pull);
    close_socket (wrong);
    close_socket (push);
    close_socket (pull);
}

/*  Messages between honest peers, until there is a reason to stop. */
struct honest {
    int push, pull;
    int stop;
    long messages;
};

static void *exchange (void *argument)
{
    struct honest *honest = argument;
    while (!__atomic_load_n (&honest->stop, __ATOMIC_SEQ_CST)) {
        send_text (honest->push, "honest");
        expect_text (honest->pull, "honest");
        __atomic_add_fetch (&honest->messages, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/*  Waits until so many more messages were exchanged. */
static void expect_exchanged (struct honest *honest, long messages)
{
    long target = __atomic_load_n (&honest->messages, __ATOMIC_SEQ_CST) + messages;
    wait_until (__atomic_load_n (&honest->messages, __ATOMIC_SEQ_CST) >= target);
}

/*  A peer that stops in the middle of its handshake: after nothing, after part of a record, or after
    most of the longest message that there is. */
static int half_open_peer (const char *address, int kind)
{
    static unsigned char record[5 + 16384];
    int peer = plain_connect (address);
    if (kind == 1)
        check (plain_send (peer, "\x16\x03\x01\x02\x00\x01", 6) == 0);
    if (kind == 2) {
        memcpy (record, "\x16\x03\x01\x40\x00", 5);
        for (int i = 0; i < 3; i++) {
            /*  A hello of 65,535 bytes. */
            memcpy (record + 5, i == 0 ? "\x01\x00\xff\xff" : "\0\0\0\0", 4);
            /*  Fails if it is the turn of another peer meanwhile. */
            plain_send (peer, record, sizeof (record));
        }
    }
    return peer;
}

/*  Handshakes that are never finished take bounded memory. Peers that exist exchange messages all the
    time, and new ones get the places of those that are silent. */
static void half_open (void)
{
    char address[NN_SOCKADDR_MAX], plain[NN_SOCKADDR_MAX];
    static int peers[HALF_OPEN];
    pthread_t thread;
    struct honest honest = { open_client (NN_PUSH), open_server (NN_PULL), 0, 0 };
    int pull = open_server (NN_PULL), push = open_client (NN_PUSH);
    bind_to (honest.pull, fresh_address ("tls+tcp", address));
    connect_to (honest.push, address);
    bind_to (pull, fresh_address ("tls+tcp", address));
    connect_to (push, address);
    honest_message (push, pull);
    check (pthread_create (&thread, NULL, exchange, &honest) == 0);
    expect_exchanged (&honest, 1);

    long before = memory_kib ("VmData"), most = 0;
    long long errors = count (pull, NN_STAT_ACCEPT_ERRORS);
    for (int i = 0; i < HALF_OPEN; i++) {
        peers[i] = half_open_peer (plain_of (address, plain), i % 3);
        long grown = memory_kib ("VmData") - before;
        most = grown > most ? grown : most;
        if (i % 10 == 0)
            honest_message (push, pull);
    }
    expect_exchanged (&honest, 100);
    int late = open_client (NN_PUSH);
    connect_to (late, address);
    honest_message (late, pull);
    long long ended = count (pull, NN_STAT_ACCEPT_ERRORS) - errors;
    expect_exchanged (&honest, 100);
    for (int i = 0; i < 10; i++)
        honest_message (push, pull);
    /*  It had not to wait until all of them were over. */
    check (ended < HALF_OPEN);
    if (most > (long) PLACES * PLACE_KIB)
        fail ("VmData has grown by %ld KiB", most);
    fprintf (stderr, "%d half-open handshakes: %ld KiB, %.1f for each of %d places; %lld had ended when a new"
        " peer was accepted\n", HALF_OPEN, most, (double) most / PLACES, PLACES, ended);

    for (int i = 0; i < HALF_OPEN; i++)
        expect_cut (peers[i]);
    __atomic_store_n (&honest.stop, 1, __ATOMIC_SEQ_CST);
    check (pthread_join (thread, NULL) == 0);
    close_socket (late);
    close_socket (push);
    close_socket (pull);
    close_socket (honest.push);
    close_socket (honest.pull);
}

/* ---- a network that cuts and changes bytes ------------------------------------- */

struct relay {
    int listener;
    char server[NN_SOCKADDR_MAX];
    int cuts;           /* cut each connection, or change a byte */
    int step;           /* after so many bytes more than the one before */
    int connections;    /* that were relayed */
    pthread_t thread;
};

/*  Relays one connection. Both directions together have `left` bytes; then it is cut, or one
    byte is changed. A change that makes one side wait for more, or that means nothing, does
    not end the connection: then the relay does. */
static void relay_one (struct relay *relay, int client, int left)
{
    int server = plain_connect (relay->server), ends[2] = { client, server };
    unsigned char bytes[512];
    for (;;) {
        struct pollfd items[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
        if (poll (items, 2, 100) == 0)
            break;
        int from = items[0].revents ? 0 : 1;
        ssize_t size = recv (ends[from], bytes, sizeof (bytes), 0);
        if (size <= 0)
            break;
        if (size >= left && left > 0) {
            if (relay->cuts)
                size = left;
            else
                bytes[left - 1] ^= 0x20;
        }
        if (plain_send (ends[!from], bytes, (size_t) size) != 0)
            break;
        left -= (int) size;
        if (left <= (relay->cuts ? 0 : -CONVERSATION))
            break;
    }
    close (client);
    close (server);
}

static void *relay_all (void *argument)
{
    struct relay *relay = argument;
    for (int left = 1; left < CONVERSATION; left += relay->step) {
        relay_one (relay, plain_accept (relay->listener), left);
        relay->connections++;
    }
    close (relay->listener);
    return NULL;
}

/*  A client that reaches its server through a relay. Its messages are numbered; those that arrive are
    whole and unchanged, and each arrives once. */
static void bad_network (const char *transport, int version, int cuts, int step)
{
    char address[NN_SOCKADDR_MAX], through[NN_SOCKADDR_MAX], plain[NN_SOCKADDR_MAX];
    char text[64], expected[64];
    static unsigned char has_come[1 << 24]; /* a bit for each number */
    struct relay relay = { .cuts = cuts, .step = step };
    int pull = open_server (NN_PULL), push = open_client (NN_PUSH), last = -1;
    set_int (push, NN_TLS, NN_TLS_MAX_VERSION, version);
    set_int (push, NN_SOL_SOCKET, NN_SNDTIMEO, 10);
    set_int (push, NN_SOL_SOCKET, NN_RECONNECT_IVL, 1);
    bind_to (pull, fresh_address (transport, address));
    plain_of (address, relay.server);
    fresh_address (transport, through);
    relay.listener = plain_listen (plain_of (through, plain));
    check (pthread_create (&relay.thread, NULL, relay_all, &relay) == 0);
    connect_to (push, through);
    int64_t end = now_ms () + 3 * LIMIT_MS;
    memset (has_come, 0, sizeof (has_come));
    for (int number = 0; pthread_tryjoin_np (relay.thread, NULL) != 0; number++) {
        check (now_ms () < end && number < 8 * (int) sizeof (has_come));
        snprintf (text, sizeof (text), "message number %08d", number);
        if (nn_send (push, text, strlen (text), 0) < 0)
            check (nn_errno () == ETIMEDOUT);
        int size;
        while ((size = nn_recv (pull, text, sizeof (text), NN_DONTWAIT)) >= 0) {
            text[size] = 0;
            int got = atoi (text + 15);
            snprintf (expected, sizeof (expected), "message number %08d", got);
            if (strcmp (text, expected) != 0 || got < 0 || got > number
                  || has_come[got / 8] & 1 << got % 8)
                fail ("received: %s", text);
            has_come[got / 8] |= (unsigned char) (1 << got % 8);
            last = got;
        }
        check (nn_errno () == EAGAIN);
    }
    /*  Most cuts were after the handshake. */
    check (last > 0);
    fprintf (stderr, "%s, TLS 1.%d: %d connections, the last message %d\n", transport,
        version == NN_TLS_1_2 ? 2 : 3, relay.connections, last);
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    if (!has_tls ())
        return 0;
    limit_descriptors (4 * HALF_OPEN);
    each_secure_transport (transport) {
        no_tls (transport);
        bad_network (transport, NN_TLS_1_3, 0, 13);
    }
    /*  At every byte, unless the program runs under a tool that makes it slow. */
    const char *given = getenv ("CUT_STEP");
    int step = given ? atoi (given) : 1;
    bad_network ("tls+tcp", NN_TLS_1_2, 1, step);
    bad_network ("tls+tcp", NN_TLS_1_3, 1, step);
    bad_network ("wss", NN_TLS_1_3, 1, step);
    mismatch ();
    half_open ();
    return 0;
}
