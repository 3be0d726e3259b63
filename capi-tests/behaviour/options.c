/*  nn_setsockopt and nn_getsockopt: defaults, ranges, lengths, levels. */

#include "../lib/test.h"
#include <limits.h>
#include <nanomsg/inproc.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>

#define OPTION(name) { name, #name }
static const struct { int number; const char *name; } options[] = {
    OPTION (NN_LINGER), OPTION (NN_SNDBUF), OPTION (NN_RCVBUF),
    OPTION (NN_SNDTIMEO), OPTION (NN_RCVTIMEO), OPTION (NN_RECONNECT_IVL),
    OPTION (NN_RECONNECT_IVL_MAX), OPTION (NN_SNDPRIO), OPTION (NN_RCVPRIO),
    OPTION (NN_IPV4ONLY), OPTION (NN_RCVMAXSIZE), OPTION (NN_MAXTTL),
};
#define OPTIONS ((int) (sizeof (options) / sizeof (options[0])))

static void defaults (int s)
{
    for (int i = 0; i < OPTIONS; i++)
        say ("%s: %d", options[i].name, get_int (s, 0, options[i].number));
}

/*  Sets a value and prints the result and the new value of the option. */
static void try_value (int s, int i, int value)
{
    errno = 0;
    int result = nn_setsockopt (s, 0, options[i].number, &value, sizeof (value));
    say ("%s = %d: %s, now %d", options[i].name, value,
        result == 0 ? "done" : error_name (nn_errno ()),
        get_int (s, 0, options[i].number));
}

static void ranges (int s)
{
    static const int values[] = { INT_MIN, -1, 0, 1, 2, 8, 16, 17, 255, 256,
        100000, INT_MAX };
    for (int i = 0; i < OPTIONS; i++) {
        if (options[i].number == NN_LINGER)
            continue;
        for (size_t v = 0; v < sizeof (values) / sizeof (values[0]); v++)
            try_value (s, i, values[v]);
    }
    /*  NN_LINGER is always read as 0: tests of language bindings assert it. */
    try_value (s, 0, 0);
    try_value (s, 0, 250);
    try_value (s, 0, -1);
}

static void lengths (int s)
{
    long long wide = 1;
    for (int i = 0; i < OPTIONS; i++) {
        say ("%s", options[i].name);
        show ("  set with 0 bytes", nn_setsockopt (s, 0, options[i].number, &wide, 0));
        show ("  set with 1 byte", nn_setsockopt (s, 0, options[i].number, &wide, 1));
        show ("  set with 3 bytes", nn_setsockopt (s, 0, options[i].number, &wide, 3));
        show ("  set with 8 bytes", nn_setsockopt (s, 0, options[i].number, &wide, 8));
        show ("  set with NULL", nn_setsockopt (s, 0, options[i].number, NULL, 4));
        show ("  set with NULL of 0 bytes",
            nn_setsockopt (s, 0, options[i].number, NULL, 0));
    }

    /*  Equal bytes, as the order of bytes depends on the processor. */
    unsigned char bytes[16];
    int equal = 0x01010101;
    show ("set to equal bytes", nn_setsockopt (s, 0, NN_SNDBUF, &equal, sizeof (equal)));
    for (size_t room = 0; room <= 8; room += 2) {
        size_t size = room;
        memset (bytes, 0xee, sizeof (bytes));
        int result = nn_getsockopt (s, 0, NN_SNDBUF, bytes, &size);
        say ("get with %zu bytes of room: %d, length %zu, bytes %02x %02x %02x %02x %02x",
            room, result, size, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]);
    }
    size_t size = 4;
    show ("get into NULL", nn_getsockopt (s, 0, NN_SNDBUF, NULL, &size));
    size = 0;
    show ("get into NULL of 0 bytes", nn_getsockopt (s, 0, NN_SNDBUF, NULL, &size));
    say ("its length is %zu", size);
    if (only_ours ("a NULL length crashes it")) {
        check_error (nn_getsockopt (s, 0, NN_SNDBUF, bytes, NULL), EFAULT);
        check_error (nn_getsockopt (s, 0, NN_SOCKET_NAME, bytes, NULL), EFAULT);
        check_error (nn_getsockopt (s, 0, NN_SNDBUF, NULL, NULL), EFAULT);
    }
}

static void names (void)
{
    char name[80], longest[65];
    size_t size;
    for (int i = 0; i < 3; i++) {
        int s = open_socket (NN_PAIR);
        check (s == i); /* no other socket is open */
        memset (name, 0, sizeof (name));
        size = sizeof (name);
        show ("the name", nn_getsockopt (s, 0, NN_SOCKET_NAME, name, &size));
        say ("  is \"%s\", length %zu", name, size);
    }
    memset (longest, 'n', sizeof (longest));
    show ("a name of 5 bytes", nn_setsockopt (1, 0, NN_SOCKET_NAME, "hello", 5));
    memset (name, 0, sizeof (name));
    size = sizeof (name);
    nn_getsockopt (1, 0, NN_SOCKET_NAME, name, &size);
    say ("  is \"%s\", length %zu", name, size);
    memset (name, 0, sizeof (name));
    size = 2;
    show ("read into 2 bytes", nn_getsockopt (1, 0, NN_SOCKET_NAME, name, &size));
    say ("  is \"%s\", length %zu", name, size);
    show ("a name of 64 bytes", nn_setsockopt (1, 0, NN_SOCKET_NAME, longest, 64));
    show ("a name of 63 bytes", nn_setsockopt (1, 0, NN_SOCKET_NAME, longest, 63));
    memset (name, 0, sizeof (name));
    size = sizeof (name);
    nn_getsockopt (1, 0, NN_SOCKET_NAME, name, &size);
    say ("  length %zu, %zu", size, strlen (name));
    show ("an empty name", nn_setsockopt (1, 0, NN_SOCKET_NAME, "", 0));
    size = sizeof (name);
    nn_getsockopt (1, 0, NN_SOCKET_NAME, name, &size);
    say ("  length %zu", size);
    show ("a NULL name", nn_setsockopt (1, 0, NN_SOCKET_NAME, NULL, 3));
    for (int i = 0; i < 3; i++)
        close_socket (i);
}

static void levels (void)
{
    int pair = open_socket (NN_PAIR), req = open_socket (NN_REQ);
    int sub = open_socket (NN_SUB), pub = open_socket (NN_PUB);
    int value = 1, number;
    size_t size;
    static const int unknown[] = { 0, 18, 100, -1, INT_MAX, INT_MIN };
    static const int bad_levels[] = { NN_INPROC, -5, -100, 1, 1000, NN_REQ, NN_SUB,
        INT_MAX };

    for (size_t i = 0; i < sizeof (unknown) / sizeof (unknown[0]); i++) {
        size = sizeof (number);
        say ("socket option %d", unknown[i]);
        show ("  set", nn_setsockopt (pair, 0, unknown[i], &value, sizeof (value)));
        show ("  get", nn_getsockopt (pair, 0, unknown[i], &number, &size));
        show ("  tcp set", nn_setsockopt (pair, NN_TCP, unknown[i], &value, sizeof (value)));
        show ("  tcp get", nn_getsockopt (pair, NN_TCP, unknown[i], &number, &size));
        show ("  req get", nn_getsockopt (req, NN_REQ, unknown[i], &number, &size));
    }
    for (size_t i = 0; i < sizeof (bad_levels) / sizeof (bad_levels[0]); i++) {
        size = sizeof (number);
        say ("level %d", bad_levels[i]);
        show ("  set", nn_setsockopt (pair, bad_levels[i], 1, &value, sizeof (value)));
        show ("  set NULL", nn_setsockopt (pair, bad_levels[i], 1, NULL, 4));
        show ("  get", nn_getsockopt (pair, bad_levels[i], 1, &number, &size));
        show ("  get NULL", nn_getsockopt (pair, bad_levels[i], 1, NULL, &size));
    }
    if (only_ours ("negating the smallest int is undefined there")) {
        check_error (nn_setsockopt (pair, INT_MIN, 1, &value, 4), ENOPROTOOPT);
        check_error (nn_getsockopt (pair, INT_MIN, 1, &number, &size), ENOPROTOOPT);
    }

    say ("read-only options");
    show ("  NN_DOMAIN", nn_setsockopt (pair, 0, NN_DOMAIN, &value, 4));
    show ("  NN_PROTOCOL", nn_setsockopt (pair, 0, NN_PROTOCOL, &value, 4));
    show ("  NN_SNDFD", nn_setsockopt (pair, 0, NN_SNDFD, &value, 4));
    show ("  NN_RCVFD", nn_setsockopt (pair, 0, NN_RCVFD, &value, 4));

    say ("NN_TCP_NODELAY: %d", get_int (pair, NN_TCP, NN_TCP_NODELAY));
    show ("  = 2", (value = 2, nn_setsockopt (pair, NN_TCP, NN_TCP_NODELAY, &value, 4)));
    show ("  = -1", (value = -1, nn_setsockopt (pair, NN_TCP, NN_TCP_NODELAY, &value, 4)));
    show ("  = 1", (value = 1, nn_setsockopt (pair, NN_TCP, NN_TCP_NODELAY, &value, 4)));
    say ("  now %d", get_int (pair, NN_TCP, NN_TCP_NODELAY));
    show ("  with 2 bytes", nn_setsockopt (pair, NN_TCP, NN_TCP_NODELAY, &value, 2));
    show ("  NULL", nn_setsockopt (pair, NN_TCP, NN_TCP_NODELAY, NULL, 4));

    say ("NN_REQ_RESEND_IVL: %d", get_int (req, NN_REQ, NN_REQ_RESEND_IVL));
    show ("  = 20", (value = 20, nn_setsockopt (req, NN_REQ, NN_REQ_RESEND_IVL, &value, 4)));
    say ("  now %d", get_int (req, NN_REQ, NN_REQ_RESEND_IVL));
    show ("  with 2 bytes", nn_setsockopt (req, NN_REQ, NN_REQ_RESEND_IVL, &value, 2));
    show ("  NULL", nn_setsockopt (req, NN_REQ, NN_REQ_RESEND_IVL, NULL, 4));
    show ("  on PAIR", nn_setsockopt (pair, NN_REQ, NN_REQ_RESEND_IVL, &value, 4));
    show ("  at SUB's level", nn_setsockopt (req, NN_SUB, NN_REQ_RESEND_IVL, &value, 4));

    say ("NN_SUB_SUBSCRIBE");
    show ("  on SUB", nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "topic", 5));
    show ("  on PUB", nn_setsockopt (pub, NN_SUB, NN_SUB_SUBSCRIBE, "topic", 5));
    show ("  at REQ's level", nn_setsockopt (sub, NN_REQ, NN_SUB_SUBSCRIBE, "topic", 5));
    show ("  NULL", nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, NULL, 5));
    size = sizeof (number);
    show ("  get", nn_getsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, &number, &size));
    show ("  unknown option", nn_setsockopt (sub, NN_SUB, 3, "topic", 5));
    nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "kept", 4);
    show ("NN_SUB_UNSUBSCRIBE", nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, "topic", 5));
    show ("  again", nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, "topic", 5));
    show ("  a part of one", nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, "kep", 3));
    show ("  NULL", nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, NULL, 4));
    show ("  the last one", nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, "kept", 4));
    if (only_ours ("it crashes where no subscription is left"))
        check (nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, "kept", 4) == 0);

    close_socket (pair);
    close_socket (req);
    close_socket (sub);
    close_socket (pub);
}

/*  A socket that cannot send has no NN_SNDFD, one that cannot receive no NN_RCVFD. */
static void descriptors (void)
{
    static const struct { int protocol; const char *name; } sockets[] = {
        { NN_PAIR, "PAIR" }, { NN_PUB, "PUB" }, { NN_SUB, "SUB" },
        { NN_REQ, "REQ" }, { NN_REP, "REP" }, { NN_PUSH, "PUSH" },
        { NN_PULL, "PULL" },
    };
    for (size_t i = 0; i < sizeof (sockets) / sizeof (sockets[0]); i++) {
        int s = open_socket (sockets[i].protocol), number = -1;
        size_t size = sizeof (number);
        say ("%s", sockets[i].name);
        show ("  NN_SNDFD", nn_getsockopt (s, 0, NN_SNDFD, &number, &size));
        show ("  NN_RCVFD", nn_getsockopt (s, 0, NN_RCVFD, &number, &size));
        close_socket (s);
    }
    int s = open_socket (NN_PAIR);
    say ("asked twice, the same one: %d",
        descriptor_of (s, NN_RCVFD) == descriptor_of (s, NN_RCVFD));
    close_socket (s);
}

int main (void)
{
    int s = open_socket (NN_PAIR);
    defaults (s);
    ranges (s);
    lengths (s);
    close_socket (s);
    names ();
    levels ();
    descriptors ();
    return 0;
}
