/*  NN_SNDFD and NN_RCVFD are readable exactly while the call with NN_DONTWAIT would not fail
    with EAGAIN. */

#include "../lib/test.h"
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

static int can_send (int s)
{
    return is_readable (descriptor_of (s, NN_SNDFD), 0);
}

static int can_receive (int s)
{
    return is_readable (descriptor_of (s, NN_RCVFD), 0);
}

/*  Sends until there is no room for a while, and no thread is about to make some: the descriptor must agree with
    every result. */
static long fill (int s, const char *body, size_t size)
{
    int out = descriptor_of (s, NN_SNDFD);
    long sent = 0;
    for (;;) {
        int promised = is_readable (out, 4 * QUIET_MS), is_last = others_are_asleep ();
        int result = nn_send (s, body, size, NN_DONTWAIT);
        if (result == (int) size) {
            sent++;
            continue;
        }
        check (nn_errno () == EAGAIN);
        if (promised)
            fail ("NN_SNDFD was readable, and nn_send said EAGAIN");
        if (is_last)
            return sent;
    }
}

static long drain (int s, char *body, size_t size, long expected)
{
    int in = descriptor_of (s, NN_RCVFD);
    long received = 0;
    while (received < expected) {
        check (is_readable (in, LIMIT_MS));
        check (is_readable (in, 0)); /* level-triggered: still readable */
        if (nn_recv (s, body, size, NN_DONTWAIT) != (int) size)
            fail ("NN_RCVFD was readable, and nn_recv said %s",
                error_name (nn_errno ()));
        received++;
    }
    check (!is_readable (in, 0));
    check (nn_recv (s, body, size, NN_DONTWAIT) == -1 && nn_errno () == EAGAIN);
    return received;
}

static void pipes (const char *transport)
{
    static char body[10000];
    char address[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    say ("%s", transport);
    say ("  alone: %d %d", can_send (push), can_receive (pull));
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    wait_writable (push);
    say ("  connected: %d %d", can_send (push), can_receive (pull));
    for (int round = 0; round < 2; round++) {
        long sent = fill (push, body, sizeof (body));
        say ("  filled: %d %d", can_send (push), can_receive (pull));
        check (sent > 0);
        check (drain (pull, body, sizeof (body), sent) == sent);
        wait_writable (push);
        say ("  drained: %d %d", can_send (push), can_receive (pull));
    }
    close_socket (pull);
    wait_until (!can_send (push));
    say ("  alone again: %d", can_send (push));
    close_socket (push);
}

static void requests (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int req = open_patient (NN_REQ), rep = open_patient (NN_REP);
    say ("%s, REQ and REP", transport);
    say ("  alone: %d %d %d %d", can_send (req), can_receive (req), can_send (rep),
        can_receive (rep));
    bind_to (rep, fresh_address (transport, address));
    connect_to (req, address);
    send_text (req, "question");
    wait_readable (rep);
    say ("  asked: %d %d %d %d", can_send (req), can_receive (req), can_send (rep),
        can_receive (rep));
    expect_text (rep, "question");
    say ("  heard: %d %d %d %d", can_send (req), can_receive (req), can_send (rep),
        can_receive (rep));
    send_text (rep, "answer");
    wait_readable (req);
    say ("  answered: %d %d %d %d", can_send (req), can_receive (req), can_send (rep),
        can_receive (rep));
    expect_text (req, "answer");
    say ("  done: %d %d %d %d", can_send (req), can_receive (req), can_send (rep),
        can_receive (rep));
    close_socket (req);
    close_socket (rep);
}

/*  A message without a subscription never makes SUB readable. */
static void subscriptions (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int pub = open_patient (NN_PUB), sub = open_patient (NN_SUB);
    say ("%s, PUB and SUB", transport);
    say ("  alone: %d %d", can_send (pub), can_receive (sub));
    bind_to (pub, fresh_address (transport, address));
    connect_to (sub, address);
    nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "yes", 3);
    synchronise (pub, sub, "yes");
    say ("  connected: %d %d", can_send (pub), can_receive (sub));
    send_text (pub, "yes, one");
    wait_readable (sub);
    say ("  published: %d %d", can_send (pub), can_receive (sub));
    expect_text (sub, "yes, one");
    if (only_ours ("its descriptor rises for messages that nobody subscribed to")) {
        for (int i = 0; i < 10; i++)
            send_text (pub, "no");
        check (!is_readable (descriptor_of (sub, NN_RCVFD), QUIET_MS));
        check (nn_recv (sub, address, 1, NN_DONTWAIT) == -1 && nn_errno () == EAGAIN);
        send_text (pub, "yes, two");
        wait_readable (sub);
        expect_text (sub, "yes, two");
        check (!can_receive (sub));
    }
    close_socket (pub);
    close_socket (sub);
}

int main (void)
{
    each_transport (transport) {
        pipes (transport);
        requests (transport);
        subscriptions (transport);
    }
    return 0;
}
