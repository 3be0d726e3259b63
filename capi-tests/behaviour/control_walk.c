/*  Walking the control data of a received message finds the control messages that came with it
    and no other, whatever the buffer held before and however long it is. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>
#include <nanomsg/ws.h>

#define MOST 512
#define HEADER sizeof (struct nn_cmsghdr)

/*  The previous content of a buffer: a repeated byte, or a plausible length. */
static const size_t contents[] = { (size_t) 0x5a5a5a5a5a5a5a5a, 0, 1, 8, 16, 24, 32, 48, (size_t) 0x0101010101010101,
    SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2 };

struct pair {
    const char *name;
    int from, to;
    /*  Bytes of the protocol header, and of what is received as the first control message. */
    size_t header;
    int has_type;
};

/*  The number of control messages in `room` bytes with the previous content `content`. */
static int walk (const struct pair *pair, size_t room, size_t content)
{
    _Alignas (16) unsigned char control[MOST + 64];
    char body[16];
    struct nn_iovec part = { body, sizeof (body) };
    struct nn_msghdr message = { &part, 1, control, room };
    int found = 0;
    for (size_t i = 0; i < sizeof (control); i += sizeof (content))
        memcpy (control + i, &content, sizeof (content));
    check (nn_send (pair->from, "body", 4, 0) == 4);
    check (nn_recvmsg (pair->to, &message, 0) == 4);
    for (struct nn_cmsghdr *at = NN_CMSG_FIRSTHDR (&message); at; at = NN_CMSG_NXTHDR (&message, at)) {
        size_t length = found == 0 ? NN_CMSG_LEN (sizeof (size_t) + pair->header) : NN_CMSG_LEN (1);
        int is_header = at->cmsg_level == PROTO_SP && at->cmsg_type == SP_HDR;
        int is_type = at->cmsg_level == NN_WS && at->cmsg_type == NN_WS_MSG_TYPE;
        if (!(found == 0 ? is_header : is_type) || at->cmsg_len < length || ++found > 2)
            fail ("%s, %d bytes that held %zx: found a control message that did not come", pair->name,
                (int) room, content);
    }
    for (size_t i = room; i < sizeof (control); i++)
        check (control[i] == ((const unsigned char *) &content)[i % sizeof (content)]);
    return found;
}

static void every_room (const struct pair *pair, size_t content)
{
    size_t one = NN_CMSG_SPACE (sizeof (size_t) + pair->header), two = one + NN_CMSG_SPACE (1);
    for (size_t room = 0; room <= MOST; room++) {
        int expected = room < one ? 0 : !pair->has_type || room < two ? 1 : 2;
        int found = walk (pair, room, content);
        if (found != expected)
            fail ("%s, %d bytes that held %zx: found %d instead of %d", pair->name, (int) room, content,
                found, expected);
    }
}

/*  A request is received into a buffer with more room than it needs, and answered with the same
    header. */
static void answered_with_the_same_buffer (const char *address)
{
    _Alignas (16) unsigned char control[MOST];
    char body[16];
    struct nn_iovec part = { body, sizeof (body) };
    struct nn_msghdr message = { &part, 1, control, sizeof (control) };
    int raw = nn_socket (AF_SP_RAW, NN_REP), req = open_patient (NN_REQ);
    bind_to (raw, address);
    connect_to (req, address);
    memset (control, 0x5a, sizeof (control));
    for (int i = 0; i < 3; i++) {
        send_text (req, "question");
        part.iov_len = sizeof (body);
        check (nn_recvmsg (raw, &message, 0) == 8);
        part.iov_len = 8;
        check (nn_sendmsg (raw, &message, 0) == 8);
        say ("the answer: %s", receive_text (req));
    }
    close_socket (req);
    close_socket (raw);
}

int main (void)
{
    struct { const char *name, *transport; int from, domain, to; size_t header; int has_type; } cases[] = {
        { "PAIR", "inproc", NN_PAIR, AF_SP, NN_PAIR, 0, 0 },
        { "raw PAIR", "tcp", NN_PAIR, AF_SP_RAW, NN_PAIR, 0, 0 },
        { "raw REP", "inproc", NN_REQ, AF_SP_RAW, NN_REP, 8, 0 },
        { "raw RESPONDENT", "ipc", NN_SURVEYOR, AF_SP_RAW, NN_RESPONDENT, 8, 0 },
        { "PAIR over ws", "ws", NN_PAIR, AF_SP, NN_PAIR, 0, 1 },
    };
    char address[NN_SOCKADDR_MAX];
    for (size_t i = 0; i < sizeof (cases) / sizeof (*cases); i++) {
        struct pair pair = { cases[i].name, open_patient (cases[i].from),
            nn_socket (cases[i].domain, cases[i].to), cases[i].header, cases[i].has_type };
        check (pair.to >= 0);
        set_int (pair.to, 0, NN_RCVTIMEO, LIMIT_MS);
        bind_to (pair.to, fresh_address (cases[i].transport, address));
        connect_to (pair.from, address);
        wait_writable (pair.from);
        /*  A survey goes to the connected peers only, and connecting takes a moment. */
        if (cases[i].from == NN_SURVEYOR)
            wait_until (nn_get_statistic (pair.from, NN_STAT_CURRENT_CONNECTIONS) == 1);
        every_room (&pair, contents[0]);
        say ("%s: what came is found in every room, and nothing else", pair.name);
        if (only_ours ("it finds what a buffer held that looks like a control message"))
            for (size_t k = 1; k < sizeof (contents) / sizeof (*contents); k++)
                every_room (&pair, contents[k]);
        close_socket (pair.from);
        close_socket (pair.to);
    }
    answered_with_the_same_buffer (fresh_address ("inproc", address));
    return 0;
}
