/*  Peers with a wrong handshake lose their connection, and no other peer does. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

static const unsigned char wrong_headers[][8] = {
    { 1, 'S', 'P', 0, 0, 80, 0, 0 },
    { 0, 's', 'P', 0, 0, 80, 0, 0 },
    { 0, 'S', 'p', 0, 0, 80, 0, 0 },
    { 0, 'S', 'P', 1, 0, 80, 0, 0 },
    { 0, 'S', 'P', 0, 0, 80, 0, 1 },
    { 0, 'S', 'P', 0, 0, 80, 1, 0 },
    { 0, 'S', 'P', 0, 0, 80, 255, 255 },
    { 0, 'S', 'P', 0, 0, 81, 0, 0 },
    { 0, 'S', 'P', 0, 0, 0, 0, 0 },
    { 0, 'S', 'P', 0, 0, 16, 0, 0 },
    { 0, 'S', 'P', 0, 0, 49, 0, 0 },
    { 0, 'S', 'P', 0, 80, 0, 0, 0 },
    { 0, 'S', 'P', 0, 1, 80, 0, 0 },
    { 0, 'S', 'P', 0, 255, 255, 0, 0 },
    { 0, 0, 0, 0, 0, 0, 0, 0 },
    { 255, 255, 255, 255, 255, 255, 255, 255 },
    { 'G', 'E', 'T', ' ', '/', ' ', 'H', 'T' },
    { 0x16, 3, 1, 2, 0, 1, 0, 1 },
};
#define WRONG (sizeof (wrong_headers) / sizeof (wrong_headers[0]))

/*  To a socket that listens. */
static void listener (const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[64];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    honest_message (push, pull);
    for (size_t i = 0; i < WRONG; i++) {
        int peer = plain_connect (address);
        plain_send (peer, wrong_headers[i], 8);
        expect_cut (peer);
        honest_message (push, pull);
    }

    /*  With a message right behind the wrong header: it is not delivered. */
    for (size_t i = 0; i < WRONG; i++) {
        int peer = plain_connect (address);
        unsigned char bytes[8 + 9 + 5];
        memcpy (bytes, wrong_headers[i], 8);
        size_t size = 8 + plain_prefix (address, 5, bytes + 8);
        memcpy (bytes + size, "wrong", 5);
        plain_send (peer, bytes, size + 5);
        expect_cut (peer);
        send_text (push, "right");
        expect_text (pull, "right");
    }

    /*  Peers that disconnect at once, or in the middle of their header. */
    for (size_t i = 0; i < 8; i++) {
        int peer = plain_connect (address);
        plain_send (peer, "\0SP\0\0\120\0", i);
        close (peer);
        honest_message (push, pull);
    }

    /*  In pieces, and together with the first message: as good as any. */
    const unsigned char right[8] = { 0, 'S', 'P', 0, 0, 80, 0, 0 };
    unsigned char bytes[64];
    memcpy (bytes, right, 8);
    size_t size = 8 + plain_prefix (address, 6, bytes + 8);
    memcpy (bytes + size, "pieces", 6);
    size += 6;
    int peer = plain_connect (address);
    for (size_t i = 0; i < size; i++) {
        check (plain_send (peer, bytes + i, 1) == 0);
        poll (NULL, 0, 1);
    }
    expect_text (pull, "pieces");
    close (peer);
    peer = plain_connect (address);
    check (plain_send (peer, bytes, size) == 0);
    expect_text (pull, "pieces");

    /*  A message that was complete before its sender disconnected. The peer reads the library's
        header first: closing with unread bytes would be a reset. */
    check (recv (peer, text, 8, MSG_WAITALL) == 8);
    check (plain_message (peer, address, "goodbye", 7) == 0);
    close (peer);
    expect_text (pull, "goodbye");
    check (nn_recv (pull, text, sizeof (text), NN_DONTWAIT) == -1);
    honest_message (push, pull);
    close_socket (push);
    close_socket (pull);
}

/*  To a socket that connects: it tries again until a correct peer is there. */
static void dialer (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    int server = (fresh_address (transport, address), plain_listen (address));
    connect_to (push, address);
    for (size_t i = 0; i < WRONG; i++) {
        unsigned char header[8];
        memcpy (header, wrong_headers[i], 8);
        /*  Here a PUSH is refused and a PULL would be accepted. */
        if (header[0] == 0 && header[4] == 0 && header[5] == 81)
            header[5] = 80;
        int peer = plain_accept (server);
        plain_send (peer, header, 8);
        expect_cut (peer);
    }
    for (int i = 0; i < 20; i++)
        close (plain_accept (server));
    close (server);
    if (strcmp (transport, "ipc") == 0)
        unlink (address + 6);
    bind_when_free (pull, address);
    send_text (push, "honest at last");
    expect_text (pull, "honest at last");
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    each_plain_transport (transport) {
        listener (transport);
        dialer (transport);
    }
    return 0;
}
