/*  nn_sendmsg and nn_recvmsg: scattered buffers, and the protocol header of raw
    sockets as a control message. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/reqrep.h>

static int a, b;

static void scattered (void)
{
    char first[4], second[4], third[64];
    struct nn_iovec out[3] = { { "AB", 2 }, { NULL, 0 }, { "CDEFGH", 6 } };
    struct nn_iovec in[3] = { { first, 3 }, { second, 0 }, { third, sizeof (third) } };
    struct nn_msghdr header = { out, 3, NULL, 0 };

    show ("three parts sent", nn_sendmsg (a, &header, 0));
    header.msg_iov = in;
    show ("received in three", nn_recvmsg (b, &header, 0));
    say ("  %.3s %.5s", first, third);

    header.msg_iov = out;
    show ("sent again", nn_sendmsg (a, &header, 0));
    header.msg_iov = in;
    header.msg_iovlen = 1;
    show ("received in one of 3 bytes", nn_recvmsg (b, &header, 0));
    say ("  %.3s", first);

    header.msg_iov = NULL;
    header.msg_iovlen = 0;
    show ("no parts sent", nn_sendmsg (a, &header, 0));
    show ("received in no parts", nn_recvmsg (b, &header, 0));
    send_text (a, "dropped");
    show ("received in no parts", nn_recvmsg (b, &header, 0));
}

static void bad_calls (void)
{
    void *message = nn_allocmsg (4, 0);
    char bytes[16];
    struct nn_iovec two[2] = { { &message, NN_MSG }, { bytes, 4 } };
    struct nn_iovec huge[2] = { { bytes, (size_t) -2 }, { bytes, 4 } };
    struct nn_iovec null = { NULL, 4 };
    struct nn_msghdr header = { two, 2, NULL, 0 };

    show ("send NULL", nn_sendmsg (a, NULL, 0));
    show ("receive NULL", nn_recvmsg (b, NULL, NN_DONTWAIT));
    header.msg_iovlen = -1;
    show ("send -1 parts", nn_sendmsg (a, &header, 0));
    show ("receive -1 parts", nn_recvmsg (b, &header, NN_DONTWAIT));
    header.msg_iovlen = 2;
    show ("send NN_MSG in two parts", nn_sendmsg (a, &header, 0));
    send_text (a, "x");
    wait_readable (b);
    show ("receive NN_MSG in two parts", nn_recvmsg (b, &header, 0));
    header.msg_iov = huge;
    show ("send more than memory holds", nn_sendmsg (a, &header, 0));
    header.msg_iov = &null;
    header.msg_iovlen = 1;
    show ("send 4 bytes of NULL", nn_sendmsg (a, &header, 0));
    nn_freemsg (message);
    if (only_ours ("it crashes on such a header")) {
        while (nn_recv (b, bytes, sizeof (bytes), NN_DONTWAIT) >= 0)
            ;
        send_text (a, "kept");
        wait_readable (b);
        check_error (nn_recvmsg (b, &header, 0), EFAULT);
        header.msg_iov = NULL;
        check_error (nn_sendmsg (a, &header, 0), EFAULT);
        check_error (nn_recvmsg (b, &header, 0), EFAULT);
        expect_text (b, "kept");
    }
}

static void iteration (void)
{
    char control[256];
    struct nn_msghdr header = { NULL, 0, control, sizeof (control) };
    memset (control, 0, sizeof (control));
    say ("no header: %d", NN_CMSG_FIRSTHDR (NULL) == NULL);
    header.msg_controllen = NN_CMSG_SPACE (0) - 1;
    say ("too short: %d", NN_CMSG_FIRSTHDR (&header) == NULL);

    header.msg_controllen = NN_CMSG_SPACE (5) + NN_CMSG_SPACE (8);
    struct nn_cmsghdr *first = (struct nn_cmsghdr *) control;
    first->cmsg_len = NN_CMSG_SPACE (5);
    struct nn_cmsghdr *second =
        (struct nn_cmsghdr *) (control + NN_CMSG_SPACE (5));
    second->cmsg_len = NN_CMSG_SPACE (8);
    struct nn_cmsghdr *found = NN_CMSG_FIRSTHDR (&header);
    say ("the first: %d", found == first);
    found = NN_CMSG_NXTHDR (&header, found);
    say ("the second: %d", found == second);
    say ("its data: %d", NN_CMSG_DATA (second) == (unsigned char *) (second + 1));
    say ("the end: %d", NN_CMSG_NXTHDR (&header, second) == NULL);
    second->cmsg_len = 1000;
    say ("one that is too long: %d", NN_CMSG_NXTHDR (&header, first) == NULL);
}

/*  Control messages with wrong lengths: the call returns, and the message is sent without a
    header or not sent. */
static void false_lengths (void)
{
    static const size_t lengths[] = { 0, 1, 15, 16, 17, 24, 25, 1000, (size_t) -1,
        (size_t) -16, SIZE_MAX / 2 + 1 };
    char control[64], in[64];
    struct nn_iovec part = { "x", 1 };
    struct nn_msghdr header = { &part, 1, control, sizeof (control) };
    if (!only_ours ("it loops for ever, or reads beyond the buffer"))
        return;
    for (size_t i = 0; i < sizeof (lengths) / sizeof (lengths[0]); i++) {
        for (int level = 0; level <= PROTO_SP; level++) {
            struct nn_cmsghdr *item = (struct nn_cmsghdr *) control;
            memset (control, 0xff, sizeof (control));
            item->cmsg_len = lengths[i];
            item->cmsg_level = level;
            item->cmsg_type = SP_HDR;
            int steps = 0;
            for (item = NN_CMSG_FIRSTHDR (&header); item && steps < 100; steps++)
                item = NN_CMSG_NXTHDR (&header, item);
            check (steps < 100);
            int sent = nn_sendmsg (a, &header, NN_DONTWAIT);
            check (sent == 1 || (sent == -1 && nn_errno () == EINVAL));
            if (sent == 1)
                check (nn_recv (b, in, sizeof (in), 0) == 1);
        }
    }
    void *nothing = NULL;
    header.msg_control = &nothing;
    header.msg_controllen = NN_MSG;
    check_error (nn_sendmsg (a, &header, NN_DONTWAIT), EFAULT);
}

/*  Prints the control messages of a received message. Pipe ids and request ids vary, so of the protocol's header it
    prints only the length, and the top bit of each word, which marks the last one. */
static void show_control (struct nn_msghdr *header)
{
    for (struct nn_cmsghdr *item = NN_CMSG_FIRSTHDR (header); item;
          item = NN_CMSG_NXTHDR (header, item)) {
        say ("  control: level %d, type %d, length %zu", item->cmsg_level, item->cmsg_type, item->cmsg_len);
        if (item->cmsg_level != PROTO_SP || item->cmsg_type != SP_HDR)
            continue;
        size_t size;
        unsigned char *data = NN_CMSG_DATA (item);
        memcpy (&size, data, sizeof (size));
        say ("    header of %zu bytes", size);
        for (size_t word = 0; word < size / 4; word++)
            say ("    word %zu: top bit %d", word, data[sizeof (size) + word * 4] >> 7);
    }
}

static void raw_reply (const char *transport)
{
    char address[NN_SOCKADDR_MAX], body[64], control[256];
    int req = open_patient (NN_REQ), rep = nn_socket (AF_SP_RAW, NN_REP);
    set_int (rep, 0, NN_RCVTIMEO, LIMIT_MS);
    fresh_address (transport, address);
    bind_to (rep, address);
    connect_to (req, address);
    say ("%s", transport);

    /*  The header in the caller's buffer. */
    struct nn_iovec part = { body, sizeof (body) };
    struct nn_msghdr header = { &part, 1, control, sizeof (control) };
    memset (control, 0, sizeof (control));
    send_text (req, "question");
    show ("  received", nn_recvmsg (rep, &header, 0));
    header.msg_controllen = ((struct nn_cmsghdr *) control)->cmsg_len;
    show_control (&header);
    part.iov_base = "answer";
    part.iov_len = 6;
    show ("  answered", nn_sendmsg (rep, &header, 0));
    say ("  %s", receive_text (req));

    /*  The header in a message of its own, the body too. */
    void *own_control = NULL, *own_body = NULL;
    part.iov_base = &own_body;
    part.iov_len = NN_MSG;
    header.msg_control = &own_control;
    header.msg_controllen = NN_MSG;
    send_text (req, "again");
    show ("  received", nn_recvmsg (rep, &header, 0));
    show_control (&header);
    show ("  answered", nn_sendmsg (rep, &header, 0));
    say ("  %s", receive_text (req));

    /*  A control buffer that is too short to receive into. */
    part.iov_base = body;
    part.iov_len = sizeof (body);
    memset (control, 0x55, sizeof (control));
    header.msg_control = control;
    header.msg_controllen = 8;
    send_text (req, "short");
    show ("  received", nn_recvmsg (rep, &header, 0));
    int touched = 0;
    for (size_t i = 0; i < sizeof (control); i++)
        touched += control[i] != 0x55;
    say ("  bytes written to the short control: %d", touched);
    close_socket (req);
    close_socket (rep);
}

/*  A raw REQ makes its own header, here by hand. */
static void raw_request (void)
{
    char body[64], control[256];
    int req = nn_socket (AF_SP_RAW, NN_REQ), rep = open_patient (NN_REP);
    set_int (req, 0, NN_RCVTIMEO, LIMIT_MS);
    set_int (req, 0, NN_SNDTIMEO, LIMIT_MS);
    bind_to (rep, "inproc://sendmsg-raw");
    connect_to (req, "inproc://sendmsg-raw");
    const unsigned char id[4] = { 0x80, 1, 2, 3 };
    size_t size = sizeof (id);
    struct nn_iovec part = { "question", 8 };
    struct nn_msghdr header = { &part, 1, control,
        NN_CMSG_SPACE (sizeof (size) + sizeof (id)) };
    struct nn_cmsghdr *item = (struct nn_cmsghdr *) control;
    memset (control, 0, sizeof (control));
    item->cmsg_len = header.msg_controllen;
    item->cmsg_level = PROTO_SP;
    item->cmsg_type = SP_HDR;
    memcpy (NN_CMSG_DATA (item), &size, sizeof (size));
    memcpy (NN_CMSG_DATA (item) + sizeof (size), id, sizeof (id));
    show ("asked by hand", nn_sendmsg (req, &header, 0));
    say ("  %s", receive_text (rep));
    send_text (rep, "answer");
    part.iov_base = body;
    part.iov_len = sizeof (body);
    memset (control, 0, sizeof (control));
    header.msg_controllen = sizeof (control);
    show ("answered", nn_recvmsg (req, &header, 0));
    item = NN_CMSG_FIRSTHDR (&header);
    memcpy (&size, NN_CMSG_DATA (item), sizeof (size));
    say ("  header of %zu bytes, the same: %d", size,
        memcmp (NN_CMSG_DATA (item) + sizeof (size), id, sizeof (id)) == 0);
    close_socket (req);
    close_socket (rep);
}

/*  A cooked socket's message has an empty header. */
static void cooked (void)
{
    char body[64], control[256];
    struct nn_iovec part = { body, sizeof (body) };
    struct nn_msghdr header = { &part, 1, control, sizeof (control) };
    memset (control, 0, sizeof (control));
    send_text (a, "cooked");
    show ("on a cooked socket", nn_recvmsg (b, &header, 0));
    header.msg_controllen = ((struct nn_cmsghdr *) control)->cmsg_len;
    show_control (&header);
}

int main (void)
{
    a = open_patient (NN_PAIR);
    b = open_patient (NN_PAIR);
    bind_to (a, "inproc://sendmsg");
    connect_to (b, "inproc://sendmsg");
    wait_writable (a);
    wait_writable (b);
    scattered ();
    bad_calls ();
    cooked ();
    false_lengths ();
    close_socket (a);
    close_socket (b);
    iteration ();
    each_transport (transport)
        raw_reply (transport);
    raw_request ();
    return 0;
}
