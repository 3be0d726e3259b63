/*  nn_poll: what it reports, what it refuses, what wakes it. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

static void refusals (void)
{
    int pair = open_socket (NN_PAIR), push = open_socket (NN_PUSH);
    int sub = open_socket (NN_SUB);
    struct nn_pollfd items[2] = { { pair, NN_POLLIN, 0 }, { 1000, NN_POLLIN, 0 } };

    show ("nothing, no time", nn_poll (NULL, 0, 0));
    show ("nothing, 10 ms", nn_poll (NULL, 0, 10));
    show ("nothing of something", nn_poll (items, 0, 0));
    show ("a bad id among good ones", nn_poll (items, 2, 0));
    items[1].fd = -1;
    show ("-1", nn_poll (items, 2, 0));
    items[1].fd = push;
    show ("POLLIN of PUSH", nn_poll (items, 2, 0));
    items[1].fd = sub;
    items[1].events = NN_POLLOUT;
    show ("POLLOUT of SUB", nn_poll (items, 2, 0));
    items[1].fd = pair;
    items[1].events = 0;
    show ("no events", nn_poll (items, 2, 0));
    if (only_ours ("it crashes on such a list")) {
        check_error (nn_poll (NULL, 1, 0), EFAULT);
        check_error (nn_poll (items, -1, 0), EINVAL);
    }
    close_socket (pair);
    close_socket (push);
    close_socket (sub);
}

static void reports (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    struct nn_pollfd items[3] = {
        { a, NN_POLLIN | NN_POLLOUT, 0 },
        { b, NN_POLLIN, 0 },
        { b, NN_POLLOUT, 0 },
    };
    say ("%s", transport);
    show ("  not connected", nn_poll (items, 3, 0));
    bind_to (a, fresh_address (transport, address));
    connect_to (b, address);
    wait_writable (a);
    wait_writable (b);
    show ("  connected", nn_poll (items, 3, LIMIT_MS));
    say ("  %d %d %d", items[0].revents, items[1].revents, items[2].revents);
    send_text (a, "x");
    wait_readable (b);
    items[0].revents = items[1].revents = items[2].revents = 99;
    show ("  sent", nn_poll (items, 3, -1));
    say ("  %d %d %d", items[0].revents, items[1].revents, items[2].revents);
    expect_text (b, "x");
    items[0].events = NN_POLLIN;
    show ("  received", nn_poll (items, 2, 0));
    show ("  and 10 ms later", nn_poll (items, 2, 10));
    close_socket (a);
    close_socket (b);
}

static void *send_one (void *argument)
{
    int *ids = argument;
    wait_until (is_asleep (ids[1]));
    send_text (ids[0], "wake up");
    return NULL;
}

/*  A sleeping nn_poll wakes when a message comes, or a peer. */
static void waking (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    struct nn_pollfd item = { b, NN_POLLOUT, 0 };
    fresh_address (transport, address);
    connect_to (b, address);
    bind_to (a, address);
    show ("  a peer came", nn_poll (&item, 1, LIMIT_MS));
    item.events = NN_POLLIN;
    int ids[2] = { a, thread_id () };
    pthread_t thread = start_thread (send_one, ids);
    show ("  a message came", nn_poll (&item, 1, -1));
    say ("  %s", receive_text (b));
    join_thread (thread);
    close_socket (a);
    close_socket (b);
}

static void many (void)
{
    int sockets[64], senders[64];
    struct nn_pollfd items[64];
    char address[NN_SOCKADDR_MAX];
    for (int i = 0; i < 64; i++) {
        sockets[i] = open_patient (NN_PULL);
        senders[i] = open_patient (NN_PUSH);
        bind_to (sockets[i], fresh_address ("inproc", address));
        connect_to (senders[i], address);
        items[i].fd = sockets[i];
        items[i].events = NN_POLLIN;
    }
    for (int i = 0; i < 64; i += 8) {
        send_text (senders[i], "x");
        wait_readable (sockets[i]);
    }
    show ("of 64, ready", nn_poll (items, 64, LIMIT_MS));
    int sum = 0;
    for (int i = 0; i < 64; i++)
        sum += items[i].revents ? i : 0;
    say ("their sum: %d", sum);
    for (int i = 0; i < 64; i++) {
        close_socket (sockets[i]);
        close_socket (senders[i]);
    }
}

int main (void)
{
    refusals ();
    each_transport (transport) {
        reports (transport);
        waking (transport);
    }
    many ();
    return 0;
}
