/*  Frames that are too long, or of a wrong type: the connection is dropped before memory is
    allocated for the length, and every other connection goes on. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

#define MOST_KIB (16 * 1024)

static char body[1048577], in[1048577];

static void lengths (const char *transport, int limit)
{
    static const uint64_t forbidden[] = { 1ull << 24, 1ull << 31, (1ull << 31) - 1,
        1ull << 32, (1ull << 32) - 1, 1ull << 40, 1ull << 62, 1ull << 63,
        (1ull << 63) - 1, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 7, UINT64_MAX - 8 };
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    set_int (pull, 0, NN_RCVMAXSIZE, limit);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    honest_message (push, pull);

    /*  A message of exactly the limit passes, and the connection stays. */
    int peer = plain_peer (address, NN_PUSH);
    for (int i = 0; i < 3; i++) {
        check (plain_message (peer, address, body, (size_t) limit) == 0);
        check (nn_recv (pull, in, sizeof (in), 0) == limit);
    }
    /*  With one byte more the connection ends, even before the body begins. */
    check (plain_length (peer, address, (uint64_t) limit + 1) == 0);
    expect_cut (peer);
    peer = plain_peer (address, NN_PUSH);
    plain_message (peer, address, body, (size_t) limit + 1);
    expect_cut (peer);
    honest_message (push, pull);

    long data = memory_kib ("VmData"), resident = memory_kib ("VmRSS");
    for (size_t i = 0; i < sizeof (forbidden) / sizeof (forbidden[0]); i++) {
        peer = plain_peer (address, NN_PUSH);
        check (plain_message (peer, address, "first", 5) == 0);
        plain_length (peer, address, forbidden[i]);
        plain_send (peer, body, 100);
        expect_cut (peer);
        expect_text (pull, "first");
        honest_message (push, pull);
    }
    check_growth ("VmData", data, MOST_KIB);
    check_growth ("VmRSS", resident, MOST_KIB);
    check (nn_recv (pull, in, sizeof (in), NN_DONTWAIT) == -1);
    close_socket (push);
    close_socket (pull);
}

/*  Without a limit a length may exceed all memory: the program does not end. */
static void no_limit (const char *transport)
{
    static const uint64_t lengths[] = { 1ull << 47, 1ull << 62, (1ull << 63) - 1, 1ull << 63,
        UINT64_MAX - 8, UINT64_MAX };
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    set_int (pull, 0, NN_RCVMAXSIZE, -1);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    long resident = memory_kib ("VmRSS");
    for (size_t i = 0; i < sizeof (lengths) / sizeof (lengths[0]); i++) {
        int peer = plain_peer (address, NN_PUSH);
        plain_length (peer, address, lengths[i]);
        plain_send (peer, body, 1000);
        close (peer);
        honest_message (push, pull);
    }
    check_growth ("VmRSS", resident, MOST_KIB);
    close_socket (push);
    close_socket (pull);
}

/*  In ipc a byte in front of the length is the type of the frame. */
static void kinds (void)
{
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    bind_to (pull, fresh_address ("ipc", address));
    connect_to (push, address);
    for (int kind = 0; kind < 256; kind++) {
        if (kind == 1)
            continue;
        unsigned char frame[9 + 5] = { (unsigned char) kind, 0, 0, 0, 0, 0, 0, 0, 5,
            'w', 'r', 'o', 'n', 'g' };
        int peer = plain_peer (address, NN_PUSH);
        check (plain_message (peer, address, "first", 5) == 0);
        plain_send (peer, frame, sizeof (frame));
        expect_cut (peer);
        expect_text (pull, "first");
        if (kind % 16 == 0)
            honest_message (push, pull);
    }
    check (nn_recv (pull, in, sizeof (in), NN_DONTWAIT) == -1);
    close_socket (push);
    close_socket (pull);
}

/*  Frames that end early deliver nothing; frames sent in pieces are reassembled. */
static void pieces (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    unsigned char bytes[64];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    size_t size = plain_prefix (address, 6, bytes);
    memcpy (bytes + size, "broken", 6);
    size += 6;
    for (size_t i = 1; i < size; i++) {
        int peer = plain_peer (address, NN_PUSH);
        check (plain_send (peer, bytes, i) == 0);
        close (peer);
        send_text (push, "whole");
        expect_text (pull, "whole");
    }
    int peer = plain_peer (address, NN_PUSH);
    for (size_t i = 0; i < size; i++) {
        check (plain_send (peer, bytes + i, 1) == 0);
        poll (NULL, 0, 1);
    }
    expect_text (pull, "broken");
    for (int i = 0; i < 1000; i++)
        check (plain_message (peer, address, "", 0) == 0);
    for (int i = 0; i < 1000; i++)
        check (nn_recv (pull, in, sizeof (in), 0) == 0);
    close (peer);
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    memset (in, 1, sizeof (in)); /* The program's own memory is allocated before measuring. */
    memset (body, 2, sizeof (body));
    each_plain_transport (transport) {
        lengths (transport, 1048576);
        lengths (transport, 100);
        no_limit (transport);
        pieces (transport);
    }
    kinds ();
    return 0;
}
