/*  Random bytes, the same in every run, sent to every kind of socket: after a correct header and
    without one, as frames and otherwise. */

#include "../lib/plain.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

#define ROUNDS 60

static void random_bytes (uint32_t *seed, unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char) next_random (seed);
}

/*  One peer that sends nonsense of some kind and disconnects. */
static void nonsense (uint32_t *seed, const char *address, int protocol)
{
    unsigned char bytes[4096];
    size_t size = next_random (seed) % sizeof (bytes);
    int frames = (int) (next_random (seed) % 8);
    int peer = plain_connect (address);
    random_bytes (seed, bytes, size);
    switch (next_random (seed) % 4) {
    case 0: /* no header */
        plain_send (peer, bytes, size);
        break;
    case 1: /* a header, then anything */
        plain_header (peer, protocol);
        plain_send (peer, bytes, size);
        break;
    case 2: /* correct frames of random content */
        plain_header (peer, protocol);
        for (int i = 0; i < frames; i++)
            plain_message (peer, address, bytes, next_random (seed) % (size + 1));
        break;
    case 3: /* a correct frame, then anything */
        plain_header (peer, protocol);
        plain_message (peer, address, bytes, size / 2);
        plain_send (peer, bytes + size / 2, size - size / 2);
        break;
    }
    if (next_random (seed) % 2)
        shutdown (peer, SHUT_WR);
    close (peer);
}

/*  A well-behaved pair, whose messages must arrive all the time. */
static void exchange (int bound, int connected, int protocol)
{
    static int count = 0;
    char text[64];
    if (protocol == NN_REP) {
        /*  The server answers all requests, nonsense too. */
        struct nn_pollfd items[2] = { { bound, NN_POLLIN, 0 }, { connected, NN_POLLIN, 0 } };
        snprintf (text, sizeof (text), "question %d", ++count);
        send_text (connected, text);
        for (;;) {
            check (nn_poll (items, 2, LIMIT_MS) > 0);
            if (items[1].revents & NN_POLLIN)
                break;
            void *message;
            int size = nn_recv (bound, &message, NN_MSG, NN_DONTWAIT);
            if (size < 0)
                continue;
            check (nn_send (bound, &message, NN_MSG, 0) == size);
        }
        expect_text (connected, text);
    }
    else if (protocol == NN_SUB)
        honest_message (connected, bound);
    else if (protocol == NN_PULL)
        honest_message (connected, bound);
    else
        honest_message (bound, connected);
}

static void around (const char *transport, int bound_protocol, int other_protocol,
    uint32_t seed)
{
    char address[NN_SOCKADDR_MAX];
    int bound = open_patient (bound_protocol), honest = open_patient (other_protocol);
    bind_to (bound, fresh_address (transport, address));
    connect_to (honest, address);
    if (bound_protocol == NN_SUB) {
        nn_setsockopt (bound, NN_SUB, NN_SUB_SUBSCRIBE, "honest", 6);
        synchronise (honest, bound, "honest");
    }
    if (bound_protocol == NN_PUB) {
        nn_setsockopt (honest, NN_SUB, NN_SUB_SUBSCRIBE, "honest", 6);
        synchronise (bound, honest, "honest");
    }
    exchange (bound, honest, bound_protocol);
    for (int i = 0; i < ROUNDS; i++) {
        nonsense (&seed, address, other_protocol);
        exchange (bound, honest, bound_protocol);
    }
    close_socket (bound);
    close_socket (honest);
}

int main (void)
{
    long resident = memory_kib ("VmRSS");
    uint32_t seed = 1;
    each_plain_transport (transport) {
        around (transport, NN_PULL, NN_PUSH, seed++);
        around (transport, NN_SUB, NN_PUB, seed++);
        around (transport, NN_PUB, NN_SUB, seed++);
        around (transport, NN_REP, NN_REQ, seed++);
        around (transport, NN_PAIR, NN_PAIR, seed++);
    }
    check_growth ("VmRSS", resident, 32 * 1024);
    return 0;
}
