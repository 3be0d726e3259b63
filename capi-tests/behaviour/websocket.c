/*  ws: addresses, NN_WS_MSG_TYPE, messages of all sizes, limits. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>
#include <nanomsg/ws.h>

#define LONGEST 3145729

static char out[LONGEST], in[LONGEST];

static void addresses (void)
{
    static const char *const formats[] = { "ws://127.0.0.1:%d", "ws://*:%d",
        "ws://127.0.0.1", "ws://127.0.0.1/path", "ws://127.0.0.1:%d/", "ws://127.0.0.1:%d/a/path?q=1",
        "ws://127.0.0.1:", "ws://127.0.0.1:65536", "ws://127.0.0.1:port",
        "ws://", "ws://*", "ws:/x", "WS://127.0.0.1:%d", "ws://[::1]:%d", "ws://-host:%d",
        "ws://a..host:%d", "ws://a host:%d", "ws://no-such-interface0:%d",
        "ws://no-such-interface0;127.0.0.1:%d", "ws://127.0.0.1;127.0.0.1:%d",
        "ws://127.0.0.1;*:%d" };
    for (size_t i = 0; i < sizeof (formats) / sizeof (formats[0]); i++)
        try_port (formats[i]);
}

static void message_type (void)
{
    int s = open_socket (NN_PAIR), value;
    long long wide = 1;
    char part[3];
    size_t size = sizeof (part);
    say ("NN_WS_MSG_TYPE: %d", get_int (s, NN_WS, NN_WS_MSG_TYPE));
    for (value = -1; value < 5; value++) {
        show ("set", nn_setsockopt (s, NN_WS, NN_WS_MSG_TYPE, &value, sizeof (value)));
        say ("%d: now %d", value, get_int (s, NN_WS, NN_WS_MSG_TYPE));
    }
    show ("with 8 bytes", nn_setsockopt (s, NN_WS, NN_WS_MSG_TYPE, &wide, sizeof (wide)));
    show ("with 3 bytes", nn_setsockopt (s, NN_WS, NN_WS_MSG_TYPE, &wide, 3));
    show ("unknown, set", nn_setsockopt (s, NN_WS, 2, &wide, sizeof (int)));
    show ("unknown, get", nn_getsockopt (s, NN_WS, 2, part, &size));
    show ("into 3 bytes", nn_getsockopt (s, NN_WS, NN_WS_MSG_TYPE, part, &size));
    say ("its size is %d", (int) size);
    close_socket (s);
}

/*  From both sides, whichever is masked. */
static void sizes (int type)
{
    static const size_t lengths[] = { 0, 1, 3, 125, 126, 127, 128, 4095, 4096, 4097, 16383, 16384,
        65535, 65536, 65537, 1048576, 1048577, LONGEST };
    char address[NN_SOCKADDR_MAX];
    int bound = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
    set_int (bound, NN_WS, NN_WS_MSG_TYPE, type);
    set_int (other, NN_WS, NN_WS_MSG_TYPE, type);
    set_int (bound, 0, NN_RCVMAXSIZE, -1);
    set_int (other, 0, NN_RCVMAXSIZE, -1);
    set_int (other, NN_TCP, NN_TCP_NODELAY, 1);
    bind_to (bound, fresh_address ("ws", address));
    strcat (address, "/path");
    connect_to (other, address);
    for (size_t i = 0; i < sizeof (lengths) / sizeof (lengths[0]); i++)
        for (int turn = 0; turn < 2; turn++) {
            int from = turn ? bound : other, to = turn ? other : bound;
            int length = (int) lengths[i];
            for (int place = 0; place < length; place++)
                out[place] = (char) ('a' + (place + length) % 23);
            check (nn_send (from, out, lengths[i], 0) == length);
            check (nn_recv (to, in, sizeof (in), 0) == length);
            check (memcmp (in, out, lengths[i]) == 0);
        }
    say ("type %d: every size went through, both ways", type);
    /*  A message in the library's own memory, sent without a copy, is masked as well. */
    static const int own[] = { 100000, LONGEST };
    for (int i = 0; i < 2; i++) {
        void *message = nn_allocmsg ((size_t) own[i], 0);
        memset (message, 'm', (size_t) own[i]);
        check (nn_send (other, &message, NN_MSG, 0) == own[i]);
        check (nn_recv (bound, &message, NN_MSG, 0) == own[i]);
        check (memchr (message, 'm', 1) == message);
        check (memcmp (message, (char *) message + 1, (size_t) own[i] - 1) == 0);
        nn_freemsg (message);
    }
    close_socket (other);
    close_socket (bound);
}

static void request (void)
{
    char address[NN_SOCKADDR_MAX];
    int rep = open_patient (NN_REP), req = open_patient (NN_REQ);
    fresh_address ("ws", address);
    connect_to (req, address);
    bind_to (rep, address);
    for (int i = 0; i < 100; i++) {
        send_text (req, "a question");
        expect_text (rep, "a question");
        send_text (rep, "an answer");
        expect_text (req, "an answer");
    }
    say ("connected before bound, a hundred requests were answered");
    close_socket (req);
    close_socket (rep);
}

/*  Invalid text, and a message over the limit: the receiver does not get them. */
static void refused (void)
{
    char address[NN_SOCKADDR_MAX];
    for (int is_text = 0; is_text < 2; is_text++) {
        int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
        set_int (pull, 0, NN_RCVMAXSIZE, 9);
        set_int (push, NN_WS, NN_WS_MSG_TYPE, is_text ? NN_WS_MSG_TYPE_TEXT : NN_WS_MSG_TYPE_BINARY);
        bind_to (pull, fresh_address ("ws", address));
        connect_to (push, address);
        send_text (push, "123456789");
        expect_text (pull, "123456789");
        send_text (push, is_text ? "text \xff" : "1234567890");
        /*  The C library never reconnects after a connection was closed so; ours does. */
        int other = open_patient (NN_PUSH);
        connect_to (other, address);
        send_text (other, "next");
        expect_text (pull, "next");
        if (only_ours ("it does not connect again after a close frame")) {
            wait_until (nn_get_statistic (push, NN_STAT_ESTABLISHED_CONNECTIONS) >= 2);
            send_text (push, "returned");
            expect_text (pull, "returned");
        }
        say ("%s did not come", is_text ? "a wrong text" : "a message that is too long");
        close_socket (other);
        close_socket (push);
        close_socket (pull);
    }
}

int main (void)
{
    addresses ();
    message_type ();
    sizes (NN_WS_MSG_TYPE_BINARY);
    sizes (NN_WS_MSG_TYPE_TEXT);
    request ();
    refused ();
    return 0;
}
