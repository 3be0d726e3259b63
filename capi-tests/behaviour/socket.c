/*  nn_socket and nn_close: domains, protocols, ids, limits, bad ids. */

#include "../lib/test.h"
#include <limits.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

static const struct { int number; const char *name; } protocols[] = {
    { NN_PAIR, "PAIR" }, { NN_PUB, "PUB" }, { NN_SUB, "SUB" },
    { NN_REQ, "REQ" }, { NN_REP, "REP" }, { NN_PUSH, "PUSH" },
    { NN_PULL, "PULL" },
};

/*  Every call on an id that is not a socket. */
static void every_call (const char *which, int s)
{
    int value = 1;
    size_t size = sizeof (value);
    char body[4] = "abc";
    struct nn_iovec part = { body, 3 };
    struct nn_msghdr header = { &part, 1, NULL, 0 };
    struct nn_pollfd item = { s, NN_POLLIN, 0 };

    say ("%s", which);
    show ("  nn_bind", nn_bind (s, "inproc://nobody"));
    show ("  nn_bind to NULL", nn_bind (s, NULL));
    show ("  nn_connect", nn_connect (s, "inproc://nobody"));
    show ("  nn_connect to NULL", nn_connect (s, NULL));
    show ("  nn_shutdown", nn_shutdown (s, 1));
    show ("  nn_setsockopt", nn_setsockopt (s, 0, NN_SNDBUF, &value, size));
    show ("  nn_setsockopt NULL", nn_setsockopt (s, 0, NN_SNDBUF, NULL, size));
    show ("  nn_getsockopt", nn_getsockopt (s, 0, NN_SNDBUF, &value, &size));
    show ("  nn_getsockopt NULL", nn_getsockopt (s, 0, NN_SNDBUF, NULL, &size));
    show ("  nn_send", nn_send (s, body, 3, NN_DONTWAIT));
    show ("  nn_send NULL", nn_send (s, NULL, 3, NN_DONTWAIT));
    show ("  nn_recv", nn_recv (s, body, 3, NN_DONTWAIT));
    show ("  nn_sendmsg", nn_sendmsg (s, &header, NN_DONTWAIT));
    show ("  nn_sendmsg NULL", nn_sendmsg (s, NULL, NN_DONTWAIT));
    show ("  nn_recvmsg", nn_recvmsg (s, &header, NN_DONTWAIT));
    show ("  nn_recvmsg NULL", nn_recvmsg (s, NULL, NN_DONTWAIT));
    show ("  nn_poll", nn_poll (&item, 1, 0));
    show ("  nn_close", nn_close (s));
}

static void domains_and_protocols (void)
{
    show ("domain 0", nn_socket (0, NN_PAIR));
    show ("domain -1", nn_socket (-1, NN_PAIR));
    show ("domain 3", nn_socket (3, NN_PAIR));
    show ("domain 0, protocol 0", nn_socket (0, 0));
    show ("protocol 0", nn_socket (AF_SP, 0));
    show ("protocol -1", nn_socket (AF_SP, -1));
    show ("protocol 18", nn_socket (AF_SP, 18));
    show ("protocol 65536 + PAIR", nn_socket (AF_SP, 65536 + NN_PAIR));
    show ("raw, protocol 0", nn_socket (AF_SP_RAW, 0));

    for (size_t i = 0; i < sizeof (protocols) / sizeof (protocols[0]); i++) {
        for (int domain = AF_SP; domain <= AF_SP_RAW; domain++) {
            int s = nn_socket (domain, protocols[i].number);
            check (s >= 0);
            say ("%s%s: id %d, domain %d, protocol %d", protocols[i].name,
                domain == AF_SP_RAW ? " raw" : "", s,
                get_int (s, NN_SOL_SOCKET, NN_DOMAIN),
                get_int (s, NN_SOL_SOCKET, NN_PROTOCOL));
            show ("  closed", nn_close (s));
        }
    }
}

static void ids (void)
{
    int s[4];
    for (int i = 0; i < 4; i++)
        show ("opened", s[i] = open_socket (NN_PAIR));
    close_socket (s[1]);
    show ("opened after 1 was closed", s[1] = open_socket (NN_PAIR));
    close_socket (s[1]);
    show ("closed twice", nn_close (s[1]));
    every_call ("a closed id", s[1]);
    close_socket (s[0]);
    close_socket (s[2]);
    close_socket (s[3]);
    show ("opened after all were closed", s[0] = open_socket (NN_PAIR));
    close_socket (s[0]);
}

static void limit (void)
{
    static int opened[70000];
    static char seen[70000];
    int count = 0, s;

    limit_descriptors (RLIM_INFINITY);
    while (count < 70000 && (s = nn_socket (AF_SP, NN_PAIR)) >= 0)
        opened[count++] = s;
    say ("with too many open: %s", error_name (nn_errno ()));
    show ("with too many open, domain 0", nn_socket (0, NN_PAIR));
    show ("with too many open, protocol 0", nn_socket (AF_SP, 0));
    /*  The ids are 0, 1, 2 …, in any order. */
    for (int i = 0; i < count; i++) {
        check (opened[i] >= 0 && opened[i] < count && !seen[opened[i]]);
        seen[opened[i]] = 1;
    }
    close_socket (opened[count / 2]);
    s = open_socket (NN_PAIR);
    say ("the closed one is used again: %d", s == opened[count / 2]);
    show ("and then no more", nn_socket (AF_SP, NN_PAIR));
    for (int i = 0; i < count; i++)
        close_socket (opened[i]);
    if (only_ours ("its limit is 512 sockets"))
        check (count == 65536);
}

int main (void)
{
    every_call ("before the first socket", 0);
    domains_and_protocols ();
    int s = open_socket (NN_PAIR);
    every_call ("-1", -1);
    every_call ("the smallest int", INT_MIN);
    every_call ("one too many", s + 1);
    every_call ("100000", 100000);
    every_call ("the largest int", INT_MAX);
    close_socket (s);
    ids ();
    limit ();
    return 0;
}
