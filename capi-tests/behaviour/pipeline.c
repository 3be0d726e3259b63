/*  PUSH and PULL: directions, load balancing, fair queueing. */

#include "../lib/test.h"
#include <nanomsg/pipeline.h>

static void directions (void)
{
    char byte;
    int push = open_socket (NN_PUSH), pull = open_socket (NN_PULL);
    show ("receive on PUSH", nn_recv (push, &byte, 1, 0));
    show ("receive on PUSH, not waiting", nn_recv (push, &byte, 1, NN_DONTWAIT));
    show ("send on PULL", nn_send (pull, "x", 1, 0));
    show ("send on PULL, not waiting", nn_send (pull, "x", 1, NN_DONTWAIT));
    show ("send on PUSH", nn_send (push, "x", 1, NN_DONTWAIT));
    show ("receive on PULL", nn_recv (pull, &byte, 1, NN_DONTWAIT));
    close_socket (push);
    close_socket (pull);
}

/*  Two receivers get a message each in turn. */
static void sharing (const char *transport)
{
    char first[NN_SOCKADDR_MAX], second[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH);
    int one = open_patient (NN_PULL), two = open_patient (NN_PULL);
    bind_to (one, fresh_address (transport, first));
    bind_to (two, fresh_address (transport, second));
    connect_to (push, first);
    connect_to (push, second);

    /*  Both are connected when both have received something. Each message is received before the next is sent. */
    int seen_one = 0, seen_two = 0;
    int64_t end = now_ms () + LIMIT_MS;
    while (!seen_one || !seen_two) {
        check (now_ms () < end);
        send_text (push, "warm-up");
        struct nn_pollfd items[2] = { { one, NN_POLLIN, 0 }, { two, NN_POLLIN, 0 } };
        check (nn_poll (items, 2, LIMIT_MS) == 1);
        seen_one |= items[0].revents != 0;
        seen_two |= items[1].revents != 0;
        expect_text (items[0].revents ? one : two, "warm-up");
    }
    for (int i = 0; i < 10; i++) {
        send_text (push, "shared");
        send_text (push, "shared");
        expect_text (one, "shared");
        expect_text (two, "shared");
    }
    say ("%s: ten each", transport);
    show ("  and no more", nn_recv (one, first, 1, NN_DONTWAIT));
    show ("  and no more", nn_recv (two, first, 1, NN_DONTWAIT));
    close_socket (push);
    close_socket (one);
    close_socket (two);
}

/*  Messages of two senders are received in turn. */
static void gathering (void)
{
    int pull = open_patient (NN_PULL);
    int one = open_patient (NN_PUSH), two = open_patient (NN_PUSH);
    bind_to (pull, "inproc://gathering");
    connect_to (one, "inproc://gathering");
    connect_to (two, "inproc://gathering");
    for (int i = 0; i < 4; i++) {
        send_text (one, "1");
        send_text (two, "2");
    }
    int ones = 0, twos = 0;
    for (int i = 0; i < 8; i++) {
        if (*receive_text (pull) == '1')
            ones++;
        else
            twos++;
        check (ones - twos <= 1 && twos - ones <= 1);
    }
    say ("in turn: %d and %d", ones, twos);
    close_socket (pull);
    close_socket (one);
    close_socket (two);
}

struct flow { int socket; int count; long sum; };

static void *send_numbers (void *argument)
{
    struct flow *flow = argument;
    for (int i = 1; i <= flow->count; i++)
        if (nn_send (flow->socket, &i, sizeof (i), 0) != sizeof (i))
            fail ("nn_send: %s", error_name (nn_errno ()));
    return NULL;
}

static void *receive_numbers (void *argument)
{
    struct flow *flow = argument;
    int number;
    for (int i = 0; i < flow->count; i++) {
        if (nn_recv (flow->socket, &number, sizeof (number), 0) != sizeof (number))
            fail ("nn_recv: %s", error_name (nn_errno ()));
        flow->sum += number;
    }
    return NULL;
}

/*  Several threads on each side of one pair of sockets: nothing is lost or
    delivered twice. */
static void many_threads (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    struct flow senders[4], receivers[4];
    pthread_t threads[8];
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    for (int i = 0; i < 4; i++) {
        senders[i] = (struct flow) { push, 3000, 0 };
        receivers[i] = (struct flow) { pull, 3000, 0 };
        threads[i] = start_thread (send_numbers, &senders[i]);
        threads[4 + i] = start_thread (receive_numbers, &receivers[i]);
    }
    long sum = 0;
    for (int i = 0; i < 8; i++)
        join_thread (threads[i]);
    for (int i = 0; i < 4; i++)
        sum += receivers[i].sum;
    say ("%s: 12000 messages of four threads to four, sum %ld", transport, sum);
    show ("  and no more", nn_recv (pull, address, 1, NN_DONTWAIT));
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    directions ();
    each_transport (transport)
        sharing (transport);
    gathering ();
    each_transport (transport)
        many_threads (transport);
    return 0;
}
