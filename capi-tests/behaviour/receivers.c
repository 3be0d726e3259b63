/*  A thread that waits in nn_recv may read from the network itself. Whatever it does next,
    messages must be noticed as promptly as if it had never waited. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

enum { RECEIVERS = 4, ROUNDS = 500 };

struct receiver {
    int socket;
    long sum;
    int count;
};

/*  Receives numbers up to a zero. */
static void *receive_numbers (void *argument)
{
    struct receiver *receiver = argument;
    int number;
    do {
        int size = nn_recv (receiver->socket, &number, sizeof (number), 0);
        if (size != sizeof (number))
            fail ("nn_recv: %d, %s", size, error_name (nn_errno ()));
        receiver->sum += number;
        receiver->count++;
    } while (number);
    return NULL;
}

/*  Two sockets of which one has just waited in nn_recv, on each transport. */
static void waited (const char *transport, int *sender, int *receiver)
{
    char address[NN_SOCKADDR_MAX];
    *sender = open_patient (NN_PAIR);
    *receiver = open_patient (NN_PAIR);
    bind_to (*sender, fresh_address (transport, address));
    connect_to (*receiver, address);
    for (int i = 1; i >= 0; i--) {
        struct receiver state = { *receiver, 0, 0 };
        pthread_t thread = start_thread (receive_numbers, &state);
        for (int number = i * 3; number >= 0; number--)
            if (nn_send (*sender, &number, sizeof (number), 0) != sizeof (number))
                fail ("nn_send: %s", error_name (nn_errno ()));
        join_thread (thread);
    }
}

static void done (int a, int b)
{
    close_socket (a);
    close_socket (b);
}

int main (void)
{
    each_transport (transport) {
        int a, b;
        char address[NN_SOCKADDR_MAX];
        say ("%s", transport);

        waited (transport, &a, &b);
        send_text (a, "seen by a descriptor");
        wait_readable (b);
        say ("  %s", receive_text_now (b));
        done (a, b);

        waited (transport, &a, &b);
        send_text (a, "seen by a call that does not wait");
        wait_until (nn_recv (b, address, sizeof (address), NN_DONTWAIT) >= 0);
        say ("  seen by a call that does not wait");
        done (a, b);

        waited (transport, &a, &b);
        send_text (a, "seen by nn_poll");
        struct nn_pollfd item = { b, NN_POLLIN, 0 };
        show ("  nn_poll", nn_poll (&item, 1, LIMIT_MS));
        say ("  %s", receive_text_now (b));
        done (a, b);

        waited (transport, &a, &b);
        close_socket (a);
        wait_until (nn_get_statistic (b, NN_STAT_CURRENT_CONNECTIONS) == 0);
        say ("  a peer that leaves is noticed");
        close_socket (b);

        waited (transport, &a, &b);
        for (int i = 0; i < 100; i++)
            send_text (a, "left to be received");
        close_socket (a);
        for (int i = 0; i < 100 && !on_reference (); i++)
            expect_text (b, "left to be received");
        close_socket (b);

        /*  Several threads wait on one socket, and each message wakes one of them. */
        int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
        bind_to (push, fresh_address (transport, address));
        connect_to (pull, address);
        struct receiver receivers[RECEIVERS];
        pthread_t threads[RECEIVERS];
        for (int i = 0; i < RECEIVERS; i++) {
            receivers[i] = (struct receiver) { pull, 0, 0 };
            threads[i] = start_thread (receive_numbers, &receivers[i]);
        }
        for (int number = ROUNDS; number > -RECEIVERS; number--) {
            int value = number > 0 ? number : 0;
            if (nn_send (push, &value, sizeof (value), 0) != sizeof (value))
                fail ("nn_send: %s", error_name (nn_errno ()));
        }
        long sum = 0, count = 0;
        for (int i = 0; i < RECEIVERS; i++) {
            join_thread (threads[i]);
            sum += receivers[i].sum;
            count += receivers[i].count;
        }
        say ("  %d receivers: %ld messages, sum %ld", RECEIVERS, count, sum);
        done (push, pull);
    }
    return 0;
}
