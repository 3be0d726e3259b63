/*  BUS: each socket receives from all others; raw sockets see where a message came from. */

#include "../lib/test.h"
#include <nanomsg/bus.h>

/*  Sends until the other socket receives it; drops what that socket had received before. */
static void meet (int sender, int receiver)
{
    char text[64];
    int64_t end = now_ms () + LIMIT_MS;
    const char *got;
    snprintf (text, sizeof (text), "from %d to %d", sender, receiver);
    for (int heard = 0; !heard;) {
        if (now_ms () > end)
            fail ("not heard: %s", text);
        send_text (sender, text);
        is_readable (descriptor_of (receiver, NN_RCVFD), 10);
        while (strcmp (got = receive_text_now (receiver), "EAGAIN") != 0)
            heard |= strcmp (got, text) == 0;
    }
}

/*  A bus of sockets, each of which is connected to each other one. */
static void connect_all (const char *transport, int *nodes, int count)
{
    char addresses[8][NN_SOCKADDR_MAX];
    for (int i = 0; i < count; i++) {
        nodes[i] = open_patient (NN_BUS);
        bind_to (nodes[i], fresh_address (transport, addresses[i]));
        for (int j = 0; j < i; j++)
            connect_to (nodes[i], addresses[j]);
    }
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            if (i != j)
                meet (nodes[i], nodes[j]);
    for (int i = 0; i < count; i++)
        send_text (nodes[i], "we have met");
    for (int i = 0; i < count; i++)
        for (int met = 0; met < count - 1;)
            met += strcmp (receive_text (nodes[i]), "we have met") == 0;
}

static void everyone_hears (const char *transport)
{
    char text[32];
    int nodes[4];
    connect_all (transport, nodes, 4);
    for (int round = 0; round < 50; round++) {
        int heard[4][4] = { { 0 } };
        for (int i = 0; i < 4; i++) {
            snprintf (text, sizeof (text), "%d in round %d", i, round);
            send_text (nodes[i], text);
        }
        for (int i = 0; i < 4; i++) {
            for (int j = 0; j < 3; j++) {
                int who = -1, when = -1;
                check (sscanf (receive_text (nodes[i]), "%d in round %d", &who, &when) == 2);
                check (who >= 0 && who < 4 && who != i && when == round);
                check (heard[i][who]++ == 0);
            }
            check (nn_recv (nodes[i], text, 1, NN_DONTWAIT) == -1);
        }
    }
    say ("%s: four sockets, 50 rounds", transport);
    for (int i = 1; i < 4; i++)
        close_socket (nodes[i]);
    show ("  and one to nobody", nn_send (nodes[0], "hello?", 6, 0));
    close_socket (nodes[0]);
}

static void alone (void)
{
    char byte;
    int s = open_socket (NN_BUS), value = 0;
    struct nn_pollfd item = { s, NN_POLLIN | NN_POLLOUT, 0 };
    show ("send to nobody", nn_send (s, "x", 1, 0));
    show ("  not waiting", nn_send (s, "x", 1, NN_DONTWAIT));
    show ("receive from nobody", nn_recv (s, &byte, 1, NN_DONTWAIT));
    show ("poll", nn_poll (&item, 1, 0));
    say ("  writable and not readable: %d", item.revents == NN_POLLOUT);
    show ("an option", nn_setsockopt (s, NN_BUS, 1, &value, sizeof (value)));
    close_socket (s);
}

/*  The control buffer with a protocol header of so many bytes. */
static size_t put_header (char *control, const void *bytes, size_t size)
{
    struct nn_cmsghdr *item = (struct nn_cmsghdr *) control;
    item->cmsg_len = NN_CMSG_SPACE (sizeof (size) + size);
    item->cmsg_level = PROTO_SP;
    item->cmsg_type = SP_HDR;
    memcpy (NN_CMSG_DATA (item), &size, sizeof (size));
    memcpy (NN_CMSG_DATA (item) + sizeof (size), bytes, size);
    return item->cmsg_len;
}

/*  A message that a raw socket forwards does not return to its sender. */
static void raw (const char *transport)
{
    char address[NN_SOCKADDR_MAX], body[64], control[256];
    int hub = nn_socket (AF_SP_RAW, NN_BUS), one = open_patient (NN_BUS);
    int two = open_patient (NN_BUS);
    set_int (hub, 0, NN_RCVTIMEO, LIMIT_MS);
    bind_to (hub, fresh_address (transport, address));
    connect_to (one, address);
    connect_to (two, address);
    synchronise (hub, one, "");
    synchronise (hub, two, "");
    send_text (hub, "ready");
    while (strcmp (receive_text (one), "ready") != 0)
        ;

    struct nn_iovec part = { body, sizeof (body) };
    struct nn_msghdr header = { &part, 1, control, sizeof (control) };
    size_t size;
    memset (control, 0, sizeof (control));
    send_text (one, "from one");
    show (transport, nn_recvmsg (hub, &header, 0));
    struct nn_cmsghdr *item = NN_CMSG_FIRSTHDR (&header);
    memcpy (&size, NN_CMSG_DATA (item), sizeof (size));
    say ("  header of %zu bytes", size);
    part.iov_len = 8;
    header.msg_controllen = item->cmsg_len;
    show ("  sent on", nn_sendmsg (hub, &header, 0));
    send_text (hub, "to both");
    while (strcmp (receive_text (two), "ready") != 0)
        ;
    say ("  the other one hears: %s", receive_text (two));
    say ("  and then: %s", receive_text (two));
    say ("  the first one hears: %s", receive_text (one));

    /*  Invalid headers. */
    unsigned char bytes[16] = { 0 };
    for (size_t length = 0; length <= sizeof (bytes); length += 4) {
        char what[64];
        snprintf (what, sizeof (what), "  header of %zu bytes", length);
        header.msg_controllen = put_header (control, bytes, length);
        show (what, nn_sendmsg (hub, &header, 0));
    }
    send_text (hub, "last");
    int heard = 0;
    while (strcmp (receive_text (two), "last") != 0)
        heard++;
    say ("  heard of these: %d", heard);
    close_socket (hub);
    close_socket (one);
    close_socket (two);
}

int main (void)
{
    alone ();
    each_transport (transport) {
        everyone_hears (transport);
        raw (transport);
    }
    return 0;
}
