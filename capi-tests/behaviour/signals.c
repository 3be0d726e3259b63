/*  A blocked call ends with EINTR when a signal handler ran, with SA_RESTART and
    without, and works when it is called again. */

#include "../lib/signals.h"
#include <nanomsg/pair.h>
#include <nanomsg/reqrep.h>

enum call { RECEIVE, SEND, POLL, RECEIVE_TIMED, SEND_TIMED, POLL_TIMED };
static const char *const names[] = { "nn_recv", "nn_send", "nn_poll",
    "nn_recv with a time limit", "nn_send with a time limit",
    "nn_poll with a time limit" };

static int call_on (enum call call, int s, int limit)
{
    char byte;
    struct nn_pollfd item = { s, NN_POLLIN, 0 };
    if (call == RECEIVE || call == RECEIVE_TIMED)
        return nn_recv (s, &byte, 1, 0);
    if (call == SEND || call == SEND_TIMED)
        return nn_send (s, "x", 1, 0);
    return nn_poll (&item, 1, limit);
}

static void interrupt_call (enum call call, int s)
{
    int result, error;
    int limit = call >= RECEIVE_TIMED ? 10 * LIMIT_MS : -1;
    set_int (s, 0, NN_SNDTIMEO, limit);
    set_int (s, 0, NN_RCVTIMEO, limit);
    interrupted (result = call_on (call, s, limit); error = nn_errno ());
    say ("  %s: %d, %s, handler ran: %d", names[call], result, error_name (error),
        handled > 0);
}

static void with_flags (const char *what, int flags)
{
    catch_signals (flags);
    say ("%s, no peer", what);
    int s = open_socket (NN_PAIR);
    for (enum call call = RECEIVE; call <= POLL_TIMED; call++)
        interrupt_call (call, s);
    close_socket (s);

    each_transport (transport) {
        char address[NN_SOCKADDR_MAX];
        say ("%s, %s", what, transport);
        int req = open_socket (NN_REQ), rep = open_socket (NN_REP);
        bind_to (rep, fresh_address (transport, address));
        connect_to (req, address);
        interrupt_call (RECEIVE, rep);
        interrupt_call (POLL, rep);
        set_int (rep, 0, NN_RCVTIMEO, LIMIT_MS);
        send_text (req, "after the signal");
        say ("  %s", receive_text (rep));
        interrupt_call (RECEIVE, req);
        send_text (rep, "answer after the signal");
        set_int (req, 0, NN_RCVTIMEO, LIMIT_MS);
        say ("  %s", receive_text (req));
        close_socket (req);
        close_socket (rep);
    }
}

int main (void)
{
    with_flags ("without SA_RESTART", 0);
    with_flags ("with SA_RESTART", SA_RESTART);
    return 0;
}
