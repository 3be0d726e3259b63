/*  A message for a peer that has disconnected reaches no other one: the answer is accepted, as
    by the C library, and dropped, however many peers have come and gone in the meantime. */

#include "../lib/plain.h"
#include <nanomsg/bus.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

/*  Truncated connection ids would repeat after a power of two. */
static const int others[] = { 255, 2047 };
#define each_count(count)                                                      \
    for (int count_ = 0; count_ < 2; count_++)                                 \
        for (int count = others[count_]; count; count = 0)
#define NEWCOMERS 3000

/*  A peer that knows that it is connected. */
static int newcomer (const char *address, int protocol)
{
    unsigned char greeting[8];
    int peer = plain_peer (address, protocol);
    check (recv (peer, greeting, sizeof (greeting), MSG_WAITALL) == sizeof (greeting));
    return peer;
}

/*  Connections that the socket has or had, and those it has now. */
#define wait_for(s, ever, now)                                                 \
    wait_until (nn_get_statistic (s, NN_STAT_ACCEPTED_CONNECTIONS) >= (uint64_t) (ever) \
        && nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == (uint64_t) (now))

/*  `count` peers that connect to `s` and disconnect again. */
static void come_and_go (int s, const char *address, int protocol, int count)
{
    uint64_t before = nn_get_statistic (s, NN_STAT_ACCEPTED_CONNECTIONS);
    for (int i = 0; i < count; i++)
        close (newcomer (address, protocol));
    wait_for (s, before + (uint64_t) count, 0);
}

/*  A message in one write, so that no part of it waits for the other side's acknowledgement. */
static void say_to (int peer, const char *address, const char *head, const char *text)
{
    unsigned char bytes[128];
    size_t size = plain_prefix (address, strlen (head) + strlen (text), bytes);
    size += (size_t) sprintf ((char *) bytes + size, "%s%s", head, text);
    check (plain_send (peer, bytes, size) == 0);
}

/*  The bytes in front of a request, or of a survey. */
#define QUESTION "\200\1\1\1"

/*  The next message for `peer` is `text`, behind `skip` bytes. */
#define expect_plain(peer, address, skip, text)                                \
    expect_plain_at (__LINE__, peer, address, skip, text)
static void expect_plain_at (int line, int peer, const char *address, size_t skip,
    const char *text)
{
    char bytes[64];
    unsigned char prefix[9];
    size_t size = plain_prefix (address, skip + strlen (text), prefix);
    check (recv (peer, bytes, size, MSG_WAITALL) == (ssize_t) size);
    if (memcmp (bytes, prefix, size) != 0)
        fail_at (__FILE__, line, "a message came that was not meant for this peer");
    size = skip + strlen (text);
    check (recv (peer, bytes, size, MSG_WAITALL) == (ssize_t) size);
    if (memcmp (bytes + skip, text, size - skip) != 0)
        fail_at (__FILE__, line, "\"%.*s\" instead of \"%s\"", (int) (size - skip), bytes + skip,
            text);
}

/*  `answers` is a socket that receives requests at `address`, `front` the one with the connections. */
static void stranger (int front, int answers, const char *address, int asks, int count)
{
    int gone = newcomer (address, asks);
    say_to (gone, address, QUESTION, "secret");
    expect_text (answers, "secret");
    close (gone);
    wait_for (front, 1, 0);
    come_and_go (front, address, asks, count);
    int peer = newcomer (address, asks);
    wait_for (front, count + 2, 1);
    check (is_readable (descriptor_of (answers, NN_SNDFD), 0));
    send_text (answers, "the answer to the secret");
    check_error (nn_send (answers, "again", 5, NN_DONTWAIT), EFSM);
    say_to (peer, address, QUESTION, "own");
    expect_text (answers, "own");
    send_text (answers, "own answer");
    expect_plain (peer, address, strlen (QUESTION), "own answer");
    close (peer);
    wait_for (front, count + 2, 0);
}

static void cooked (const char *transport, int asks, int answers)
{
    each_count (count) {
        char address[NN_SOCKADDR_MAX];
        int rep = open_patient (answers);
        bind_to (rep, fresh_address (transport, address));
        stranger (rep, rep, address, asks, count);
        close_socket (rep);
    }
}

static int sides[2];

static void *device (void *nothing)
{
    check_error (nn_device (sides[0], sides[1]), EBADF);
    return nothing;
}

static void through_a_device (const char *transport, int asks, int answers)
{
    each_count (count) {
        char address[NN_SOCKADDR_MAX], behind[NN_SOCKADDR_MAX];
        int rep = open_patient (answers);
        sides[0] = nn_socket (AF_SP_RAW, answers);
        sides[1] = nn_socket (AF_SP_RAW, asks);
        bind_to (sides[0], fresh_address (transport, address));
        bind_to (sides[1], fresh_address ("inproc", behind));
        connect_to (rep, behind);
        pthread_t thread = start_thread (device, NULL);
        stranger (sides[0], rep, address, asks, count);
        close_socket (sides[0]);
        join_thread (thread);
        close_socket (sides[1]);
        close_socket (rep);
    }
}

/*  A message with its header, as a raw socket shows it. */
struct raw {
    char body[64];
    char control[256];
    size_t control_size;
};

static void receive_raw (int s, struct raw *message)
{
    struct nn_iovec run = { message->body, sizeof (message->body) };
    struct nn_msghdr header = { &run, 1, message->control, sizeof (message->control) };
    int size = nn_recvmsg (s, &header, 0);
    check (size >= 0 && size < (int) sizeof (message->body));
    message->body[size] = 0;
    message->control_size = header.msg_controllen;
}

static void send_raw (int s, struct raw *message, const char *body)
{
    struct nn_iovec run = { (void *) (uintptr_t) body, strlen (body) };
    struct nn_msghdr header = { &run, 1, message->control, message->control_size };
    check (nn_sendmsg (s, &header, 0) == (int) strlen (body));
}

/*  A program that keeps the header of the first message, and sends with it and with the newest
    one each time that another peer has sent something. A reply reaches the peer that its header
    names, a message of BUS all but that one. */
static void raw (const char *transport, int speaks, int hears)
{
    static struct raw first, next;
    struct raw *reaching = hears == NN_BUS ? &first : &next;
    struct raw *passing_by = hears == NN_BUS ? &next : &first;
    const char *head = hears == NN_BUS ? "" : QUESTION;
    char address[NN_SOCKADDR_MAX];
    int s = nn_socket (AF_SP_RAW, hears);
    set_int (s, 0, NN_RCVTIMEO, LIMIT_MS);
    bind_to (s, fresh_address (transport, address));
    int gone = newcomer (address, speaks);
    say_to (gone, address, head, "secret");
    receive_raw (s, &first);
    check (strcmp (first.body, "secret") == 0);
    close (gone);
    wait_for (s, 1, 0);
    for (int i = 0; i < NEWCOMERS; i++) {
        int peer = newcomer (address, speaks);
        say_to (peer, address, head, "own");
        receive_raw (s, &next);
        send_raw (s, passing_by, "not for this peer");
        send_raw (s, reaching, "for this peer");
        expect_plain (peer, address, strlen (head), "for this peer");
        close (peer);
    }
    close_socket (s);
}

int main (void)
{
    each_plain_transport (transport) {
        cooked (transport, NN_REQ, NN_REP);
        cooked (transport, NN_SURVEYOR, NN_RESPONDENT);
        through_a_device (transport, NN_REQ, NN_REP);
        through_a_device (transport, NN_SURVEYOR, NN_RESPONDENT);
        raw (transport, NN_REQ, NN_REP);
        raw (transport, NN_SURVEYOR, NN_RESPONDENT);
        raw (transport, NN_BUS, NN_BUS);
    }
    return 0;
}
