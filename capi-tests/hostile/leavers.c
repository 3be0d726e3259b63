/*  Peers that come, say as much as they can, and go: what they said can still be
    received, but not without bounds. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

#define PEERS 150
#define MESSAGES 90

static void leavers (const char *transport)
{
    static char body[10000];
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    set_int (pull, 0, NN_RCVBUF, 1000000);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    honest_message (push, pull);
    long resident = memory_kib ("VmRSS");

    for (int i = 0; i < PEERS; i++) {
        int peer = plain_peer (address, NN_PUSH);
        for (int k = 0; k < MESSAGES; k++)
            check (plain_message (peer, address, body, sizeof (body)) == 0);
        shutdown (peer, SHUT_WR);
        wait_until (!is_open (peer)); /* all of it was read */
        close (peer);
    }
    wait_until (nn_get_statistic (pull, NN_STAT_CURRENT_CONNECTIONS) == 1);
    /*  135 MB were sent; 64 MiB are kept. */
    check_growth ("VmRSS", resident, 96 * 1024);

    int count = 0;
    while (nn_recv (pull, body, sizeof (body), NN_DONTWAIT) == sizeof (body))
        count++;
    check (count >= 50 * MESSAGES && count < PEERS * MESSAGES);
    honest_message (push, pull);

    /*  With that received there is room for what the next one leaves. */
    int peer = plain_peer (address, NN_PUSH);
    check (plain_message (peer, address, "last words", 10) == 0);
    close (peer);
    check (strcmp (receive_text (pull), "last words") == 0);
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    each_plain_transport (transport)
        leavers (transport);
    return 0;
}
