/*  Many connections at once, most of them useless, and a subscriber that never reads: the others
    are served, and memory stays bounded. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

#define CROWD 400

static void crowd (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    static int peers[CROWD];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    honest_message (push, pull);
    long resident = memory_kib ("VmRSS");

    for (int i = 0; i < CROWD; i++) {
        peers[i] = plain_connect (address);
        if (i % 4 >= 1) /* the others send nothing */
            check (plain_header (peers[i], NN_PUSH) == 0);
        if (i % 4 == 2)
            check (plain_message (peers[i], address, "one of many", 11) == 0);
        if (i % 4 == 3)
            check (plain_length (peers[i], address, 1000000) == 0);
        if (i % 50 == 0)
            honest_message (push, pull);
    }
    honest_message (push, pull);
    int second = open_patient (NN_PUSH);
    connect_to (second, address);
    honest_message (second, pull);
    check_growth ("VmRSS", resident, 32 * 1024);
    for (int i = 0; i < CROWD; i++) {
        close (peers[i]);
        if (i % 50 == 0)
            honest_message (push, pull);
    }
    honest_message (push, pull);
    honest_message (second, pull);
    close_socket (push);
    close_socket (second);
    close_socket (pull);
}

/*  A subscriber that never reads delays no other one and takes no more than its share of memory. */
static void stalled (const char *transport)
{
    static char body[1000];
    char address[NN_SOCKADDR_MAX];
    int pub = open_patient (NN_PUB), sub = open_patient (NN_SUB);
    bind_to (pub, fresh_address (transport, address));
    nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "honest", 6);
    int peer = plain_peer (address, NN_SUB);
    connect_to (sub, address);
    synchronise (pub, sub, "honest");
    long resident = memory_kib ("VmRSS");
    memset (body, 'x', sizeof (body));
    for (int i = 0; i < 50000; i++) {
        check (nn_send (pub, body, sizeof (body), 0) == sizeof (body));
        if (i % 100 == 0) {
            synchronise (pub, sub, "honest");
            honest_message (pub, sub);
        }
    }
    check_growth ("VmRSS", resident, 32 * 1024);
    close (peer);
    synchronise (pub, sub, "honest");
    close_socket (pub);
    close_socket (sub);
}

/*  A worker that never reads: the pipeline fills up, and nn_send fails with EAGAIN. */
static void stalled_worker (const char *transport)
{
    static char body[10000];
    char address[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH);
    bind_to (push, fresh_address (transport, address));
    int peer = plain_peer (address, NN_PULL);
    wait_writable (push);
    long resident = memory_kib ("VmRSS");
    int out = descriptor_of (push, NN_SNDFD);
    do {
        while (nn_send (push, body, sizeof (body), NN_DONTWAIT) > 0)
            ;
        check (nn_errno () == EAGAIN);
    } while (is_readable (out, QUIET_MS));
    check_growth ("VmRSS", resident, 8 * 1024);
    set_int (push, 0, NN_LINGER, 0);
    close_socket (push);
    close (peer);
}

int main (void)
{
    limit_descriptors (4096);
    each_plain_transport (transport) {
        crowd (transport);
        stalled (transport);
        stalled_worker (transport);
    }
    return 0;
}
