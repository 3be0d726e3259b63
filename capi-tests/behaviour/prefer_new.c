/*  NN_RCV_PREFER_NEW and NN_CONFLATE: a slow receiver drops old messages. */

#include "../lib/test.h"
#include <nanomsg/bus.h>
#include <nanomsg/ext.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

static const char *const all[] = { "inproc", "ipc", "tcp", "ws" };
#define each(t) for (int i_ = 0; i_ < 4; i_++) for (const char *t = all[i_]; t; t = NULL)

/*  Two connected sockets; the receiver has the option. */
static void open_two (const char *transport, int option, int buffer, int receives, int sends, int *receiver,
    int *sender)
{
    char address[NN_SOCKADDR_MAX];
    *receiver = open_patient (receives);
    *sender = open_patient (sends);
    set_int (*receiver, NN_SOL_SOCKET, option, 1);
    set_int (*receiver, NN_SOL_SOCKET, NN_RCVBUF, buffer);
    if (receives == NN_SUB)
        check (nn_setsockopt (*receiver, NN_SUB, NN_SUB_SUBSCRIBE, "a", 1) == 0);
    bind_to (*receiver, fresh_address (transport, address));
    set_int (*sender, NN_SOL_SOCKET, NN_CONNECT_TIMEO, LIMIT_MS);
    connect_to (*sender, address);
}

/*  So many numbers in messages of this length are more than all buffers together take. */
#define LAST 20000
#define LENGTH 500

static void send_number (int s, const char *topic, int number)
{
    char text[LENGTH + 1];
    snprintf (text, sizeof (text), "%s%-*d", topic, LENGTH - (int) strlen (topic), number);
    send_text (s, text);
}

/*  Receives until the last number: the numbers increase. Returns how many there were. */
static int receive_until_last (int s, const char *topic)
{
    int number = 0, count = 0;
    while (number != LAST) {
        const char *text = receive_text (s);
        check (strncmp (text, topic, strlen (topic)) == 0);
        int next = atoi (text + strlen (topic));
        check (next > number);
        number = next;
        count++;
    }
    return count;
}

static void flood (const char *transport, int option, int receives, int sends)
{
    int receiver, sender;
    const char *topic = receives == NN_SUB ? "a" : "";
    open_two (transport, option, 4096, receives, sends, &receiver, &sender);
    /*  None of the calls waits for the receiver. */
    for (int i = 1; i <= LAST; i++)
        send_number (sender, topic, i);
    if (sends == NN_PUB || sends == NN_BUS) {
        /*  These drop what the connection does not take at the moment: then another end must be sent. After the last
            of them nothing is in flight. */
        struct nn_pollfd item = { receiver, NN_POLLIN, 0 };
        for (int end = LAST, number = 0, patience = 5; number < end; patience *= 2) {
            send_number (sender, topic, ++end);
            while (number < end && nn_poll (&item, 1, patience) == 1)
                number = atoi (receive_text (receiver) + strlen (topic));
        }
    }
    else {
        int count = receive_until_last (receiver, topic);
        /*  A message takes 512 bytes, and the queue takes one if it is not full. */
        if (strcmp (transport, "inproc") == 0)
            check (count == (option == NN_CONFLATE ? 1 : 4096 / 512));
        check (count < LAST);
    }
    check (nn_recv (receiver, NULL, 0, NN_DONTWAIT) == -1 && nn_errno () == EAGAIN);
    check (!is_readable (descriptor_of (receiver, NN_RCVFD), 0));
    close_socket (sender);
    close_socket (receiver);
}

/*  Each peer has a place of its own; unwanted messages displace none; a peer that has gone keeps its last one. */
static void places (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int subscriber = open_patient (NN_SUB), publishers[3], seen = 0;
    set_int (subscriber, NN_SOL_SOCKET, NN_CONFLATE, 1);
    nn_setsockopt (subscriber, NN_SUB, NN_SUB_SUBSCRIBE, "a", 1);
    nn_setsockopt (subscriber, NN_SUB, NN_SUB_SUBSCRIBE, "end", 3);
    bind_to (subscriber, fresh_address (transport, address));
    for (int i = 0; i < 3; i++) {
        char text[16];
        publishers[i] = open_patient (NN_PUB);
        set_int (publishers[i], NN_SOL_SOCKET, NN_CONNECT_TIMEO, LIMIT_MS);
        connect_to (publishers[i], address);
        send_text (publishers[i], "a, older");
        snprintf (text, sizeof (text), "a%d", i);
        send_text (publishers[i], text);
        for (int j = 0; j < 1000; j++)
            send_text (publishers[i], "b, not wanted");
    }
    for (int i = 0; i < 3; i++)
        close_socket (publishers[i]);
    wait_until (nn_get_statistic (subscriber, NN_STAT_CURRENT_CONNECTIONS) == 0);
    for (int i = 0; i < 3; i++) {
        const char *text = receive_text (subscriber);
        check (strlen (text) == 2 && text[0] == 'a');
        seen |= 1 << (text[1] - '0');
    }
    check (seen == 7);
    check (nn_recv (subscriber, NULL, 0, NN_DONTWAIT) == -1 && nn_errno () == EAGAIN);
    close_socket (subscriber);
}

/*  A blocked receiver gets what comes, and poll(2) sees it, with messages of any size. */
static void sizes (const char *transport)
{
    static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 100000, 1000000 };
    static char out[1000000], in[1000000];
    int receiver, sender;
    open_two (transport, NN_CONFLATE, 100, NN_PULL, NN_PUSH, &receiver, &sender);
    for (size_t i = 0; i < sizeof (lengths) / sizeof (lengths[0]); i++) {
        memset (out, (int) ('a' + i), lengths[i]);
        check (nn_send (sender, out, lengths[i], 0) == (int) lengths[i]);
        if (i % 2)
            wait_readable (receiver);
        check (nn_recv (receiver, in, sizeof (in), 0) == (int) lengths[i]);
        check (memcmp (in, out, lengths[i]) == 0);
    }
    close_socket (sender);
    close_socket (receiver);
}

static void options (void)
{
    static const int names[] = { NN_RCV_PREFER_NEW, NN_CONFLATE };
    static const int with[] = { NN_PAIR, NN_PULL, NN_SUB, NN_BUS };
    static const int without[] = { NN_REQ, NN_REP, NN_SURVEYOR, NN_RESPONDENT, NN_PUSH, NN_PUB };
    for (int n = 0; n < 2; n++) {
        int value = 1;
        size_t size = sizeof (value);
        for (int i = 0; i < 4; i++) {
            int s = open_socket (with[i]);
            check (get_int (s, 0, names[n]) == 0);
            set_int (s, 0, names[n], 1);
            value = 2;
            check_error (nn_setsockopt (s, 0, names[n], &value, sizeof (value)), EINVAL);
            value = -1;
            check_error (nn_setsockopt (s, 0, names[n], &value, sizeof (value)), EINVAL);
            check_error (nn_setsockopt (s, 0, names[n], &value, 1), EINVAL);
            check (get_int (s, 0, names[n]) == 1);
            close_socket (s);
        }
        for (int i = 0; i < 6; i++) {
            int s = open_socket (without[i]);
            value = 1;
            check_error (nn_setsockopt (s, 0, names[n], &value, sizeof (value)), ENOPROTOOPT);
            check_error (nn_getsockopt (s, 0, names[n], &value, &size), ENOPROTOOPT);
            close_socket (s);
        }
    }
}

int main (void)
{
    if (on_reference ()) {
        int s = open_socket (NN_SUB), value = 1;
        check_error (nn_setsockopt (s, 0, NN_RCV_PREFER_NEW, &value, sizeof (value)), ENOPROTOOPT);
        check_error (nn_setsockopt (s, 0, NN_CONFLATE, &value, sizeof (value)), ENOPROTOOPT);
        close_socket (s);
    }
    if (only_ours ("it has no such options")) {
        static const int pairs[][2] = { { NN_PULL, NN_PUSH }, { NN_PAIR, NN_PAIR }, { NN_SUB, NN_PUB },
            { NN_BUS, NN_BUS } };
        options ();
        each (transport) {
            for (int i = 0; i < 4; i++) {
                flood (transport, NN_RCV_PREFER_NEW, pairs[i][0], pairs[i][1]);
                flood (transport, NN_CONFLATE, pairs[i][0], pairs[i][1]);
            }
            places (transport);
            sizes (transport);
        }
    }
    say ("done");
    return 0;
}
