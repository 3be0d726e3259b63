/*  STAR: each socket receives from all others, and forwards what it receives. */

#include "../lib/plain.h"
#include <nanomsg/bus.h>
#include <nanomsg/ext.h>
#include <nanomsg/star.h>

static long long statistic (int s, int number)
{
    return (long long) nn_get_statistic (s, number);
}

/*  A hub and its members, which are connected to nothing else. */
static void connect_star (const char *transport, int hub, int *members, int count)
{
    char address[NN_SOCKADDR_MAX];
    bind_to (hub, fresh_address (transport, address));
    for (int i = 0; i < count; i++) {
        members[i] = open_patient (NN_STAR);
        connect_to (members[i], address);
        wait_until (statistic (members[i], NN_STAT_CURRENT_CONNECTIONS) == 1);
    }
    wait_until (statistic (hub, NN_STAT_CURRENT_CONNECTIONS) == count);
}

/*  Everyone hears everyone, though the program never touches the hub before the end. */
static void everyone_hears (const char *transport)
{
    char text[32];
    int hub = open_patient (NN_STAR), members[3];
    connect_star (transport, hub, members, 3);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 3; i++) {
            snprintf (text, sizeof (text), "%d in round %d", i, round);
            send_text (members[i], text);
            for (int j = 0; j < 3; j++)
                if (j != i)
                    expect_text (members[j], text);
        }
    }
    for (int i = 0; i < 3; i++) {
        check (nn_recv (members[i], text, 1, NN_DONTWAIT) == -1);
        check (statistic (members[i], NN_STAT_MESSAGES_RECEIVED) == 100);
    }
    for (int i = 0; i < 150; i++)
        check (sscanf (receive_text (hub), "%*d in round %*d") == 0);
    send_text (hub, "from the hub");
    for (int i = 0; i < 3; i++) {
        expect_text (members[i], "from the hub");
        close_socket (members[i]);
    }
    close_socket (hub);
}

/*  A large message passes through the hub unchanged. */
static void large (const char *transport)
{
    enum { SIZE = 500000 };
    int hub = open_patient (NN_STAR), members[2];
    char *sent = malloc (SIZE), *received = malloc (SIZE);
    for (int i = 0; i < SIZE; i++)
        sent[i] = (char) (i * 131 >> 7);
    connect_star (transport, hub, members, 2);
    check (nn_send (members[0], sent, SIZE, 0) == SIZE);
    check (nn_recv (members[1], received, SIZE, 0) == SIZE);
    check (memcmp (sent, received, SIZE) == 0);
    check (nn_recv (hub, received, SIZE, 0) == SIZE);
    check (memcmp (sent, received, SIZE) == 0);
    close_socket (hub);
    close_socket (members[0]);
    close_socket (members[1]);
    free (sent);
    free (received);
}

/*  The bytes of mangos: the protocol is 0x640, the count of a new message 0. */
static void on_the_wire (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    unsigned char bytes[64], expected[64];
    int hub = open_patient (NN_STAR);
    bind_to (hub, fresh_address (transport, address));
    int one = plain_peer (address, 0x640), two = plain_peer (address, 0x640);
    memcpy (expected, "\0SP\0\x06\x40\0\0", 8);
    for (int i = 0; i < 2; i++) {
        check (recv (i ? one : two, bytes, 8, MSG_WAITALL) == 8);
        check (memcmp (bytes, expected, 8) == 0);
    }
    wait_until (statistic (hub, NN_STAT_CURRENT_CONNECTIONS) == 2);
    send_text (hub, "hi");
    size_t size = plain_prefix (address, 6, expected);
    memcpy (expected + size, "\0\0\0\0hi", 6);
    for (int i = 0; i < 2; i++) {
        check (recv (i ? one : two, bytes, size + 6, MSG_WAITALL) == (ssize_t) size + 6);
        check (memcmp (bytes, expected, size + 6) == 0);
    }
    /*  Dropped: too many hops, a byte that must be 0, and too short. */
    static const char *const wrong[] = { "\0\0\0\x08no", "\0\0\0\xffno", "\0\0\1\0no", "\x80\0\0\0no" };
    for (size_t i = 0; i < sizeof (wrong) / sizeof (wrong[0]); i++)
        check (plain_message (one, address, wrong[i], 6) == 0);
    check (plain_message (one, address, "\0\0", 2) == 0);
    check (plain_message (one, address, "\0\0\0\x07yo", 6) == 0);
    memcpy (expected + size, "\0\0\0\x08yo", 6);
    check (recv (two, bytes, size + 6, MSG_WAITALL) == (ssize_t) size + 6);
    check (memcmp (bytes, expected, size + 6) == 0);
    expect_text (hub, "yo");
    check (statistic (hub, NN_STAT_INVALID_MESSAGES) == 5);
    check (recv (one, bytes, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    close (one);
    close (two);
    close_socket (hub);
}

/*  In a loop of three a message ends after NN_MAXTTL hops; sockets of BUS are no peers. */
static void loop (const char *transport)
{
    char addresses[3][NN_SOCKADDR_MAX];
    int members[3], bus = open_patient (NN_BUS);
    for (int i = 0; i < 3; i++) {
        members[i] = open_patient (NN_STAR);
        set_int (members[i], NN_SOL_SOCKET, NN_MAXTTL, 3);
        bind_to (members[i], fresh_address (transport, addresses[i]));
    }
    connect_to (bus, addresses[0]);
    for (int i = 0; i < 3; i++)
        connect_to (members[i], addresses[(i + 1) % 3]);
    for (int i = 0; i < 3; i++)
        wait_until (statistic (members[i], NN_STAT_CURRENT_CONNECTIONS) == 2);
    send_text (members[0], "x");
    /*  It goes round in both directions: with the counts 0 to 2 it is received, with 3 it is dropped. */
    for (int i = 0; i < 3; i++)
        for (int copy = 0; copy < 2; copy++)
            expect_text (members[i], "x");
    for (int i = 0; i < 3; i++)
        check (nn_recv (members[i], addresses[0], 1, NN_DONTWAIT) == -1);
    check (statistic (bus, NN_STAT_CURRENT_CONNECTIONS) == 0);
    close_socket (bus);
    for (int i = 0; i < 3; i++)
        close_socket (members[i]);
}

static void raw_headers (void)
{
    char byte;
    int raw = nn_socket (AF_SP_RAW, NN_STAR);
    check_error (nn_send (raw, "x", 1, NN_DONTWAIT), EINVAL);
    check_error (nn_recv (raw, &byte, 1, NN_DONTWAIT), EAGAIN);
    check_error (nn_setsockopt (raw, NN_STAR, 1, "", 0), ENOPROTOOPT);
    close_socket (raw);
}

int main (void)
{
    if (!only_ours ("it has no STAR")) {
        check_error (nn_socket (AF_SP, NN_STAR), EINVAL);
        check_error (nn_socket (AF_SP_RAW, NN_STAR), EINVAL);
        return 0;
    }
    each_transport (transport) {
        everyone_hears (transport);
        large (transport);
        loop (transport);
    }
    each_plain_transport (transport)
        on_the_wire (transport);
    raw_headers ();
    return 0;
}
