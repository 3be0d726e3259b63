/*  NN_SNDPRIO and NN_RCVPRIO: they hold for endpoints created afterwards. */

#include "../lib/test.h"
#include <nanomsg/pipeline.h>

/*  All messages go to the highest priority while it has room. */
static void sending (const char *transport)
{
    char high[NN_SOCKADDR_MAX], low[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH);
    int one = open_patient (NN_PULL), two = open_patient (NN_PULL);
    bind_to (one, fresh_address (transport, high));
    bind_to (two, fresh_address (transport, low));
    set_int (push, 0, NN_SNDPRIO, 2);
    connect_to (push, low);
    send_text (push, "to the only one");
    say ("%s: the only one has %s", transport, receive_text (two));
    set_int (push, 0, NN_SNDPRIO, 1);
    connect_to (push, high);

    /*  After the first message that arrives there, all go there. */
    struct nn_pollfd items[2] = { { one, NN_POLLIN, 0 }, { two, NN_POLLIN, 0 } };
    int64_t end = now_ms () + LIMIT_MS;
    for (;;) {
        check (now_ms () < end);
        send_text (push, "which one?");
        check (nn_poll (items, 2, LIMIT_MS) >= 1);
        if (items[0].revents)
            break;
        expect_text (two, "which one?");
    }
    expect_text (one, "which one?");
    for (int i = 0; i < 20; i++) {
        send_text (push, "to the first");
        expect_text (one, "to the first");
    }
    say ("  then twenty for the higher priority");
    show ("  the lower has", nn_recv (two, high, 1, NN_DONTWAIT));
    close_socket (one);

    /*  Messages sent to the ending connection may be lost; then the lower priority is served. */
    end = now_ms () + LIMIT_MS;
    do {
        check (now_ms () < end);
        send_text (push, "the lower again");
    } while (nn_poll (&items[1], 1, 10) != 1);
    say ("  and then %s", receive_text (two));
    close_socket (push);
    close_socket (two);
}

/*  Messages of a higher priority are received first. */
static void receiving (void)
{
    int pull = open_patient (NN_PULL), push[3];
    static const char *const addresses[] = { "inproc://prio-a", "inproc://prio-b",
        "inproc://prio-c" };
    static const int priorities[] = { 9, 1, 5 };
    char line[64] = "";
    for (int i = 0; i < 3; i++) {
        set_int (pull, 0, NN_RCVPRIO, priorities[i]);
        bind_to (pull, addresses[i]);
        push[i] = open_patient (NN_PUSH);
        connect_to (push[i], addresses[i]);
        wait_writable (push[i]);
    }
    for (int i = 0; i < 3; i++) {
        send_text (push[i], addresses[i] + 14);
        send_text (push[i], addresses[i] + 14);
    }
    for (int i = 0; i < 6; i++)
        snprintf (line + strlen (line), sizeof (line) - strlen (line), " %.8s",
            receive_text (pull));
    say ("a has priority 9, b 1, c 5:%s", line);
    for (int i = 0; i < 3; i++)
        close_socket (push[i]);
    close_socket (pull);
}

/*  When the higher priority is full, the lower one is next. */
static void overflow (void)
{
    int push = open_patient (NN_PUSH);
    int one = open_patient (NN_PULL), two = open_patient (NN_PULL);
    static char body[20000], in[20000];
    bind_to (one, "inproc://overflow-high");
    bind_to (two, "inproc://overflow-low");
    set_int (push, 0, NN_SNDPRIO, 1);
    connect_to (push, "inproc://overflow-high");
    set_int (push, 0, NN_SNDPRIO, 16);
    connect_to (push, "inproc://overflow-low");
    wait_writable (push);
    int sent = 0;
    while (!is_readable (descriptor_of (two, NN_RCVFD), 0)) {
        check (nn_send (push, body, sizeof (body), 0) == (int) sizeof (body));
        sent++;
    }
    check (sent > 1);
    int high = 0;
    while (nn_recv (one, in, sizeof (in), NN_DONTWAIT) > 0)
        high++;
    check (nn_recv (two, in, sizeof (in), NN_DONTWAIT) > 0);
    say ("the overflow goes to the lower priority: %d", high + 1 == sent);
    close_socket (push);
    close_socket (one);
    close_socket (two);
}

int main (void)
{
    each_transport (transport)
        sending (transport);
    receiving ();
    overflow ();
    return 0;
}
