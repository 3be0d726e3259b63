/*  Thousands of peers that vanish at the same moment. A request passes from one lost peer to the
    next, and each loss is noticed only by writing to that peer. */

#include "../lib/plain.h"
#include <nanomsg/reqrep.h>

#define PEERS 4000

/*  The library's side: a request is sent when `PEERS` have connected; it ends up at the peer
    that connects last. */
static void ask_all (const char *address, int ready, int gone)
{
    char byte;
    int req = open_patient (NN_REQ);
    set_int (req, NN_REQ, NN_REQ_RESEND_IVL, 600000);
    bind_to (req, address);
    check (write (ready, "!", 1) == 1);
    wait_until (nn_get_statistic (req, NN_STAT_CURRENT_CONNECTIONS) == PEERS);
    send_text (req, "question");
    check (write (ready, "!", 1) == 1);
    check (read (gone, &byte, 1) == 1);
    int rep = open_patient (NN_REP);
    connect_to (rep, address);
    expect_text (rep, "question");
    send_text (rep, "answer");
    expect_text (req, "answer");
    wait_until (nn_get_statistic (req, NN_STAT_CURRENT_CONNECTIONS) == 1);
    close_socket (rep);
    close_socket (req);
}

static void await_byte (int descriptor)
{
    char byte;
    if (!is_readable (descriptor, 3 * LIMIT_MS) || read (descriptor, &byte, 1) != 1)
        fail ("the library's side has ended");
}

static void vanish (const char *transport)
{
    static int peers[PEERS];
    char address[NN_SOCKADDR_MAX];
    int ready[2], gone[2], status;
    const struct linger reset = { 1, 0 };
    fresh_address (transport, address);
    check (pipe2 (ready, O_CLOEXEC) == 0 && pipe2 (gone, O_CLOEXEC) == 0);
    pid_t library = start_process ();
    if (library == 0) {
        ask_all (address, ready[1], gone[0]);
        _exit (0);
    }
    close (ready[1]);
    await_byte (ready[0]);
    for (int i = 0; i < PEERS; i++)
        peers[i] = plain_peer (address, NN_REP);
    await_byte (ready[0]);
    /*  The library is stopped meanwhile, so it sees all losses at once. */
    check (kill (library, SIGSTOP) == 0 && waitpid (library, &status, WUNTRACED) == library);
    for (int i = 0; i < PEERS; i++) {
        setsockopt (peers[i], SOL_SOCKET, SO_LINGER, &reset, sizeof (reset));
        close (peers[i]);
    }
    check (kill (library, SIGCONT) == 0 && write (gone[1], "!", 1) == 1);
    join_process (library);
    close (ready[0]);
    close (gone[0]);
    close (gone[1]);
    say ("%s: %d peers vanish at once; the request is answered by the next that comes", transport, PEERS);
}

int main (void)
{
    limit_descriptors (PEERS + 100);
    each_plain_transport (transport)
        vanish (transport);
    return 0;
}
