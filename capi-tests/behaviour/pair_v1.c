/*  PAIR v1: as PAIR, with a hop count in front of each message. */

#include "../lib/plain.h"
#include <nanomsg/ext.h>
#include <nanomsg/pair.h>

static long long invalid_messages (int s)
{
    return (long long) nn_get_statistic (s, NN_STAT_INVALID_MESSAGES);
}

static void both_ways (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR_V1), b = open_patient (NN_PAIR_V1);
    int second = open_patient (NN_PAIR_V1), old = open_patient (NN_PAIR);
    bind_to (a, fresh_address (transport, address));
    connect_to (old, address);
    connect_to (b, address);
    send_text (b, "from b");
    expect_text (a, "from b");
    connect_to (second, address);
    send_text (a, "from a");
    expect_text (b, "from a");
    check_error (nn_send (old, "x", 1, NN_DONTWAIT), EAGAIN);
    check_error (nn_recv (second, address, 1, NN_DONTWAIT), EAGAIN);
    /*  A second peer is refused until the first has disconnected. */
    close_socket (b);
    wait_writable (second);
    send_text (a, "to the second");
    expect_text (second, "to the second");
    check (get_int (a, NN_SOL_SOCKET, NN_PROTOCOL) == NN_PAIR_V1);
    check (invalid_messages (a) == 0);
    close_socket (a);
    close_socket (second);
    close_socket (old);
}

/*  The bytes of both directions. A wrong count drops its message, and not the connection. */
static void on_the_wire (const char *transport)
{
    static const struct { const char *bytes; size_t size; const char *text; } messages[] = {
        { "\0\0\0\1one", 7, "one" }, { "\0\0\0\0none", 8, "none" }, { "", 0, NULL },
        { "\0\0\0", 3, NULL }, { "\0\0\0\x08" "eight", 9, "eight" }, { "\0\0\0\x09" "nine", 8, NULL },
        { "\0\0\0\xff" "255", 7, NULL }, { "\0\0\1\1" "257", 7, NULL }, { "\x80\0\0\1x", 5, NULL },
        { "\0\0\0\1last", 8, "last" },
    };
    char address[NN_SOCKADDR_MAX];
    unsigned char bytes[64], expected[64];
    int s = open_patient (NN_PAIR_V1), dropped = 0;
    bind_to (s, fresh_address (transport, address));
    int peer = plain_peer (address, 17);
    for (size_t i = 0; i < sizeof (messages) / sizeof (messages[0]); i++)
        check (plain_message (peer, address, messages[i].bytes, messages[i].size) == 0);
    for (size_t i = 0; i < sizeof (messages) / sizeof (messages[0]); i++) {
        if (messages[i].text)
            expect_text (s, messages[i].text);
        else
            dropped++;
    }
    check (invalid_messages (s) == dropped);
    send_text (s, "hi");
    /*  The greeting, and the message. */
    memcpy (expected, "\0SP\0\0\x11\0\0", 8);
    size_t size = 8 + plain_prefix (address, 6, expected + 8);
    memcpy (expected + size, "\0\0\0\1hi", 6);
    size += 6;
    check (recv (peer, bytes, size, MSG_WAITALL) == (ssize_t) size);
    check (memcmp (bytes, expected, size) == 0);
    close (peer);
    close_socket (s);
}

/*  Sends a message with a protocol header of so many bytes. */
static int send_after (int s, const void *bytes, size_t size)
{
    char control[64];
    struct nn_iovec part = { (void *) "x", 1 };
    struct nn_cmsghdr *item = (struct nn_cmsghdr *) control;
    memset (control, 0, sizeof (control));
    item->cmsg_len = NN_CMSG_SPACE (sizeof (size) + size);
    item->cmsg_level = PROTO_SP;
    item->cmsg_type = SP_HDR;
    memcpy (NN_CMSG_DATA (item), &size, sizeof (size));
    memcpy (NN_CMSG_DATA (item) + sizeof (size), bytes, size);
    struct nn_msghdr header = { &part, 1, control, item->cmsg_len };
    return nn_sendmsg (s, &header, NN_DONTWAIT);
}

static void raw_headers (void)
{
    char address[NN_SOCKADDR_MAX];
    int raw = nn_socket (AF_SP_RAW, NN_PAIR_V1), peer = open_patient (NN_PAIR_V1);
    bind_to (raw, fresh_address ("inproc", address));
    connect_to (peer, address);
    wait_writable (raw);
    check_error (nn_send (raw, "x", 1, NN_DONTWAIT), EINVAL);
    check_error (send_after (raw, "\0\0\0", 3), EINVAL);
    check_error (send_after (raw, "\0\0\0\0\0", 5), EINVAL);
    check_error (send_after (raw, "\0\0\1\0", 4), EINVAL);
    check_error (send_after (raw, "\0\0\0\xff", 4), EINVAL);
    check (send_after (raw, "\0\0\0\x07", 4) == 1);
    expect_text (peer, "x");
    check (send_after (raw, "\0\0\0\x08", 4) == 1);
    check_error (nn_recv (peer, address, 1, NN_DONTWAIT), EAGAIN);
    check (invalid_messages (peer) == 1);
    close_socket (raw);
    close_socket (peer);
}

static void *run_device (void *sockets)
{
    int *s = sockets;
    nn_device (s[0], s[1]);
    return NULL;
}

/*  Two devices that send each other what they receive: the message ends after NN_MAXTTL hops. */
static void no_loop_without_end (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    pthread_t threads[2];
    int one[2], two[2];
    one[0] = one[1] = nn_socket (AF_SP_RAW, NN_PAIR_V1);
    two[0] = two[1] = nn_socket (AF_SP_RAW, NN_PAIR_V1);
    one[1] = two[1] = -1;
    bind_to (one[0], fresh_address (transport, address));
    connect_to (two[0], address);
    wait_writable (one[0]);
    wait_writable (two[0]);
    for (int hops = 0; hops < 3; hops++)
        check (send_after (one[0], "\0\0\0\0", 4) == 1);
    check (pthread_create (&threads[0], NULL, run_device, one) == 0);
    check (pthread_create (&threads[1], NULL, run_device, two) == 0);
    wait_until (invalid_messages (one[0]) + invalid_messages (two[0]) == 3);
    close_socket (one[0]);
    close_socket (two[0]);
    for (int i = 0; i < 2; i++)
        check (pthread_join (threads[i], NULL) == 0);
}

int main (void)
{
    if (!only_ours ("it has no PAIR v1")) {
        check_error (nn_socket (AF_SP, NN_PAIR_V1), EINVAL);
        check_error (nn_socket (AF_SP_RAW, NN_PAIR_V1), EINVAL);
        return 0;
    }
    each_transport (transport) {
        both_ways (transport);
        no_loop_without_end (transport);
    }
    each_plain_transport (transport)
        on_the_wire (transport);
    raw_headers ();
    return 0;
}
