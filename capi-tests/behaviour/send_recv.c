/*  nn_send and nn_recv: sizes, truncation, NULL buffers, NN_DONTWAIT. */

#include "../lib/test.h"
#include <nanomsg/pair.h>

/*  A byte of a message's content, by its position. */
static unsigned char content (size_t place)
{
    return (unsigned char) (place * 31 + place / 251);
}

static void sizes (const char *transport, int sender, int receiver)
{
    static const int all[] = { 0, 1, 7, 8, 63, 64, 65, 255, 256, 1000, 4096, 65535,
        65536, 100000, 131072, 131073, 500000, 1048576 };
    static unsigned char out[1048576], in[1048577];
    long total = 0;
    for (size_t i = 0; i < sizeof (out); i++)
        out[i] = content (i);
    for (size_t i = 0; i < sizeof (all) / sizeof (all[0]); i++) {
        int sent = nn_send (sender, out, (size_t) all[i], 0);
        memset (in, 0, sizeof (in));
        int received = nn_recv (receiver, in, sizeof (in), 0);
        if (sent != all[i] || received != all[i])
            fail ("%s: of %d bytes, %d were sent and %d received", transport, all[i],
                sent, received);
        if (memcmp (in, out, (size_t) received) != 0)
            fail ("%s: %d bytes arrived changed", transport, all[i]);
        total += received;
    }
    say ("%s: %ld bytes", transport, total);
}

static void truncation (int sender, int receiver)
{
    char text[16];
    for (size_t room = 0; room <= 12; room += 4) {
        send_text (sender, "truncated");
        memset (text, '.', sizeof (text));
        int size = nn_recv (receiver, text, room, 0);
        say ("  %zu bytes of room: %d, \"%.13s\"", room, size, text);
    }
    send_text (sender, "dropped");
    show ("  NULL of 0 bytes", nn_recv (receiver, NULL, 0, 0));
    send_text (sender, "next");
    say ("  then \"%s\"", receive_text (receiver));
}

static void bad_buffers (int sender, int receiver)
{
    show ("  send NULL of 5 bytes", nn_send (sender, NULL, 5, 0));
    show ("  send NULL of 0 bytes", nn_send (sender, NULL, 0, 0));
    show ("  received", nn_recv (receiver, NULL, 0, 0));
    if (only_ours ("it crashes on such a buffer")) {
        check_error (nn_send (sender, NULL, NN_MSG, 0), EFAULT);
        send_text (sender, "still there");
        wait_readable (receiver);
        check_error (nn_recv (receiver, NULL, 5, 0), EFAULT);
        check_error (nn_recv (receiver, NULL, NN_MSG, 0), EFAULT);
        check_error (nn_recv (receiver, NULL, 5, NN_DONTWAIT), EFAULT);
        expect_text (receiver, "still there");
    }
    char byte;
    show ("  nothing there", nn_recv (receiver, &byte, 1, NN_DONTWAIT));
}

/*  The library sends a copy of its own. */
static void copies (int sender, int receiver)
{
    char text[] = "original";
    nn_send (sender, text, 8, 0);
    memcpy (text, "changed!", 8);
    say ("  received \"%s\"", receive_text (receiver));
}

#define LONG 300000
#define LONG_COUNT 40
#define SHORT_COUNT 4000

static int two_threads_send;

/*  Sends messages of one length, each filled with its number, and changes the memory at once. */
static void *send_long (void *unused)
{
    static unsigned char text[LONG];
    for (int number = 0; number < LONG_COUNT; number++) {
        memset (text, number, sizeof (text));
        check (nn_send (two_threads_send, text, sizeof (text), 0) == sizeof (text));
        memset (text, 0xff, sizeof (text));
    }
    return unused;
}

static void *send_short (void *unused)
{
    for (int number = 0; number < SHORT_COUNT; number++)
        check (nn_send (two_threads_send, &number, sizeof (number), 0) == sizeof (number));
    return unused;
}

/*  A long message that is written in parts stays whole, and each thread's messages in order. */
static void two_threads (int sender, int receiver)
{
    static unsigned char text[LONG + 1];
    int long_count = 0, short_count = 0, number;
    two_threads_send = sender;
    pthread_t first = start_thread (send_long, NULL), second = start_thread (send_short, NULL);
    while (long_count < LONG_COUNT || short_count < SHORT_COUNT) {
        int size = nn_recv (receiver, text, sizeof (text), 0);
        if (size == sizeof (number)) {
            memcpy (&number, text, sizeof (number));
            check (number == short_count++);
            continue;
        }
        check (size == LONG);
        check (text[0] == long_count++);
        check (memcmp (text, text + 1, LONG - 1) == 0);
    }
    join_thread (first);
    join_thread (second);
    say ("  %d long and %d short messages of two threads", long_count, short_count);
}

static void order (int sender, int receiver)
{
    int number, expected = 0;
    for (int i = 0; i < 1000; i++) {
        if (nn_send (sender, &i, sizeof (i), NN_DONTWAIT) == sizeof (i))
            continue;
        check (nn_errno () == EAGAIN);
        check (nn_recv (receiver, &number, sizeof (number), 0) == sizeof (number));
        check (number == expected++);
        i--;
    }
    while (expected < 1000) {
        check (nn_recv (receiver, &number, sizeof (number), 0) == sizeof (number));
        check (number == expected++);
    }
    say ("  1000 messages in order");
}

int main (void)
{
    each_transport (transport) {
        char address[NN_SOCKADDR_MAX], byte;
        int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
        fresh_address (transport, address);
        say ("%s", transport);
        show ("  send with no peer", nn_send (a, "x", 1, NN_DONTWAIT));
        show ("  receive with no peer", nn_recv (a, &byte, 1, NN_DONTWAIT));
        bind_to (a, address);
        show ("  send bound, with no peer", nn_send (a, "x", 1, NN_DONTWAIT));
        connect_to (b, address);
        wait_writable (a);
        wait_writable (b);
        show ("  nothing there", nn_recv (a, &byte, 1, NN_DONTWAIT));
        sizes (transport, a, b);
        sizes (transport, b, a);
        truncation (a, b);
        bad_buffers (b, a);
        copies (a, b);
        order (a, b);
        order (b, a);
        two_threads (a, b);
        two_threads (b, a);
        close_socket (a);
        close_socket (b);
    }
    return 0;
}
