/*  NN_WS_MSG_TYPE as a control message: the type of a single message. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/ws.h>

enum { NONE = 0, TEXT = NN_WS_MSG_TYPE_TEXT, BINARY = NN_WS_MSG_TYPE_BINARY };
static const char *const type_names[] = { "no type", "text", "binary" };

/*  Fills a control buffer with the type in `size` bytes; returns its length. */
static size_t fill (char *control, int type, size_t size)
{
    struct nn_cmsghdr *item = (struct nn_cmsghdr *) control;
    memset (control, 0, NN_CMSG_SPACE (size));
    item->cmsg_len = NN_CMSG_LEN (size);
    item->cmsg_level = NN_WS;
    item->cmsg_type = NN_WS_MSG_TYPE;
    if (size > 0)
        NN_CMSG_DATA (item)[0] = (unsigned char) type;
    return NN_CMSG_SPACE (size);
}

static void send_as (int s, const char *text, int type)
{
    char control[64];
    struct nn_iovec part = { (void *) text, strlen (text) };
    struct nn_msghdr header = { &part, 1, NULL, 0 };
    if (type != NONE) {
        header.msg_control = control;
        header.msg_controllen = fill (control, type, 1);
    }
    check (nn_sendmsg (s, &header, 0) == (int) strlen (text));
}

/*  The control message with the type; NULL if there is none. */
static struct nn_cmsghdr *find_type (struct nn_msghdr *header)
{
    struct nn_cmsghdr *item = NN_CMSG_FIRSTHDR (header);
    while (item && item->cmsg_len > 0) {
        if (item->cmsg_level == NN_WS && item->cmsg_type == NN_WS_MSG_TYPE)
            return item;
        item = NN_CMSG_NXTHDR (header, item);
    }
    return NULL;
}

/*  Receives a message and prints it with all its control messages. */
static void receive (const char *what, int s, size_t room)
{
    static char body[100001];
    char control[256] = { 0 };
    struct nn_iovec part = { body, sizeof (body) };
    struct nn_msghdr header = { &part, 1, control, room };
    int size = nn_recvmsg (s, &header, 0);
    if (size < 0)
        fail ("nn_recvmsg: %s", error_name (nn_errno ()));
    struct nn_cmsghdr *type = find_type (&header);
    say ("%s: %d bytes, %s", what, size,
        type_names[type ? NN_CMSG_DATA (type)[0] : NONE]);
    for (struct nn_cmsghdr *item = NN_CMSG_FIRSTHDR (&header); item && item->cmsg_len > 0;
          item = NN_CMSG_NXTHDR (&header, item))
        say ("  level %d, type %d, %d words behind the header", item->cmsg_level, item->cmsg_type,
            (int) ((item->cmsg_len - sizeof (struct nn_cmsghdr)) / sizeof (size_t)));
}

static void join (int bound, int other, const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    bind_to (bound, fresh_address (transport, address));
    connect_to (other, address);
}

/*  From both sides, for each value of the option. */
static void single_messages (int option)
{
    int ends[2] = { open_patient (NN_PAIR), open_patient (NN_PAIR) };
    for (int i = 0; i < 2; i++)
        if (option != NONE)
            set_int (ends[i], NN_WS, NN_WS_MSG_TYPE, option);
    join (ends[0], ends[1], "ws");
    say ("the option says %s", type_names[option]);
    for (int i = 0; i < 2; i++)
        for (int type = NONE; type <= BINARY; type++) {
            send_as (ends[i], "a message", type);
            receive (type_names[type], ends[!i], 256);
        }
    close_socket (ends[1]);
    close_socket (ends[0]);
}

/*  Large messages; body and control message in memory of the library. */
static void memory (void)
{
    int one = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
    join (one, other, "ws");
    for (int i = 0; i < 4; i++) {
        int type = i % 2 ? TEXT : BINARY, from = i / 2 ? one : other, to = i / 2 ? other : one;
        void *body = nn_allocmsg (100000, 0), *control = nn_allocmsg (NN_CMSG_SPACE (1), 0);
        memset (body, 'm', 100000);
        fill (control, type, 1);
        struct nn_iovec part = { &body, NN_MSG };
        struct nn_msghdr header = { &part, 1, &control, NN_MSG };
        check (nn_sendmsg (from, &header, 0) == 100000);
        check (nn_recvmsg (to, &header, 0) == 100000);
        struct nn_cmsghdr *item = find_type (&header);
        check (item != NULL && NN_CMSG_DATA (item)[0] == type);
        check (nn_freemsg (body) == 0 && nn_freemsg (control) == 0);
    }
    say ("large messages have types, too");
    /*  An int, as for the option. */
    char control[64];
    struct nn_iovec part = { "x", 1 };
    struct nn_msghdr header = { &part, 1, control, fill (control, TEXT, sizeof (int)) };
    show ("the type in an int", nn_sendmsg (one, &header, 0));
    receive ("in an int", other, 256);
    close_socket (other);
    close_socket (one);
}

/*  If there is no room for the type, it is left out; nn_recv gets the body alone. */
static void short_buffers (void)
{
    int one = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
    join (one, other, "ws");
    size_t whole = NN_CMSG_SPACE (sizeof (size_t)) + NN_CMSG_SPACE (1);
    for (size_t room = 0; room <= whole; room += 8) {
        char what[32];
        snprintf (what, sizeof (what), "room for %d", (int) room);
        send_as (one, "text", TEXT);
        receive (what, other, room);
    }
    send_as (one, "text", TEXT);
    expect_text (other, "text");
    close_socket (other);
    close_socket (one);
}

/*  Other transports have no types; over inproc a type stays with its message, so that a device
    behind inproc can forward it. */
static void other_transports (void)
{
    each_transport (transport) {
        int one = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
        join (one, other, transport);
        send_as (one, "a message", NONE);
        receive (transport, other, 256);
        send_as (one, "a message", TEXT);
        if (strcmp (transport, "inproc") != 0)
            receive (transport, other, 256);
        else if (only_ours ("inproc drops the type")) {
            char control[256] = { 0 };
            struct nn_msghdr header = { NULL, 0, control, sizeof (control) };
            check (nn_recvmsg (other, &header, 0) == 9);
            struct nn_cmsghdr *item = find_type (&header);
            check (item != NULL && NN_CMSG_DATA (item)[0] == TEXT);
        }
        close_socket (other);
        close_socket (one);
    }
}

static void *forward (void *argument)
{
    int *ends = argument;
    nn_device (ends[0], ends[1]);
    return NULL;
}

static void through_a_device (void)
{
    int middle[2] = { nn_socket (AF_SP_RAW, NN_PAIR), nn_socket (AF_SP_RAW, NN_PAIR) };
    int one = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
    join (middle[0], one, "ws");
    join (middle[1], other, "ws");
    pthread_t thread = start_thread (forward, middle);
    for (int type = NONE; type <= BINARY; type++) {
        send_as (one, "a message", type);
        receive ("through a device", other, 256);
    }
    close_socket (middle[0]);
    close_socket (middle[1]);
    join_thread (thread);
    close_socket (one);
    close_socket (other);
}

/*  A request that is sent again keeps its type. Its header is not text, so here the type is not
    that of the option. */
static void requests (void)
{
    char address[NN_SOCKADDR_MAX];
    int req = open_patient (NN_REQ), rep = open_patient (NN_REP);
    set_int (req, NN_WS, NN_WS_MSG_TYPE, TEXT);
    bind_to (rep, fresh_address ("ws", address));
    connect_to (req, address);
    send_as (req, "a question", BINARY);
    receive ("a request", rep, 256);
    close_socket (rep);
    rep = open_patient (NN_REP);
    set_int (rep, NN_WS, NN_WS_MSG_TYPE, TEXT);
    bind_when_free (rep, address);
    receive ("sent again", rep, 256);
    send_as (rep, "an answer", BINARY);
    receive ("its reply", req, 256);
    close_socket (req);
    close_socket (rep);
}

/*  Each of several receivers gets the type. */
static void published (void)
{
    char address[NN_SOCKADDR_MAX];
    int pub = open_patient (NN_PUB), subs[2];
    bind_to (pub, fresh_address ("ws", address));
    for (int i = 0; i < 2; i++) {
        subs[i] = open_patient (NN_SUB);
        check (nn_setsockopt (subs[i], NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0);
        connect_to (subs[i], address);
        synchronise (pub, subs[i], "");
    }
    while (nn_recv (subs[0], address, sizeof (address), NN_DONTWAIT) >= 0)
        ;
    send_as (pub, "a publication", TEXT);
    /*  Messages that synchronised the second may arrive at the first until then, and are binary. */
    for (int i = 0; i < 2; i++) {
        char body[64], control[256] = { 0 };
        struct nn_iovec part = { body, sizeof (body) };
        struct nn_msghdr header = { &part, 1, control, sizeof (control) };
        struct nn_cmsghdr *item;
        do {
            check (nn_recvmsg (subs[i], &header, 0) > 0);
            item = find_type (&header);
            check (item != NULL);
            check ((NN_CMSG_DATA (item)[0] == TEXT) == (strncmp (body, "a pub", 5) == 0));
        } while (strncmp (body, "a pub", 5) != 0);
        close_socket (subs[i]);
    }
    say ("all subscribers hear of the type");
    close_socket (pub);
}

/*  An unknown type is refused, and so is one without data. */
static void unknown_types (void)
{
    char control[64];
    int one = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
    void *body = nn_allocmsg (1, 0);
    struct nn_iovec part = { "x", 1 }, own = { &body, NN_MSG };
    struct nn_msghdr header = { &part, 1, control, 0 };
    join (one, other, "ws");
    wait_writable (one);
    for (int type = 0; type < 256; type++) {
        if (type == TEXT || type == BINARY)
            continue;
        header.msg_controllen = fill (control, type, 1);
        header.msg_iov = type % 2 ? &part : &own;
        check_error (nn_sendmsg (one, &header, 0), EINVAL);
    }
    header.msg_controllen = fill (control, TEXT, 0);
    check_error (nn_sendmsg (one, &header, 0), EINVAL);
    check (nn_freemsg (body) == 0);
    send_text (one, "the first to come");
    expect_text (other, "the first to come");
    close_socket (other);
    close_socket (one);
}

int main (void)
{
    for (int option = NONE; option <= BINARY; option++)
        single_messages (option);
    memory ();
    short_buffers ();
    other_transports ();
    through_a_device ();
    requests ();
    published ();
    if (only_ours ("any byte becomes the frame's opcode, and the peer ends the connection"))
        unknown_types ();
    return 0;
}
