/*  A blocked call ends with EINTR when a signal handler ran, with SA_RESTART and
    without, and works when it is called again. */

#include "../lib/test.h"
#include <stdatomic.h>
#include <nanomsg/pair.h>
#include <nanomsg/reqrep.h>

static atomic_int handled;
static atomic_int returned;

static void handler (int number)
{
    (void) number;
    handled++;
}

/*  Sends the signal until the call has returned: a signal that comes before the
    call sleeps does not count. */
static void *interrupt (void *argument)
{
    pthread_t target = *(pthread_t *) argument;
    int64_t end = now_ms () + LIMIT_MS;
    while (!returned) {
        if (now_ms () > end)
            fail ("the call does not end");
        check (pthread_kill (target, SIGUSR1) == 0);
        poll (NULL, 0, 5);
    }
    return NULL;
}

enum call { RECEIVE, SEND, POLL, RECEIVE_TIMED, SEND_TIMED, POLL_TIMED };
static const char *const names[] = { "nn_recv", "nn_send", "nn_poll",
    "nn_recv with a time limit", "nn_send with a time limit",
    "nn_poll with a time limit" };

static void interrupted (enum call call, int s)
{
    char byte;
    int result = 0, error;
    struct nn_pollfd item = { s, NN_POLLIN, 0 };
    int limit = call >= RECEIVE_TIMED ? 10 * LIMIT_MS : -1;
    pthread_t self = pthread_self ();

    set_int (s, 0, NN_SNDTIMEO, limit);
    set_int (s, 0, NN_RCVTIMEO, limit);
    handled = 0;
    returned = 0;
    pthread_t thread = start_thread (interrupt, &self);
    if (call == RECEIVE || call == RECEIVE_TIMED)
        result = nn_recv (s, &byte, 1, 0);
    else if (call == SEND || call == SEND_TIMED)
        result = nn_send (s, "x", 1, 0);
    else
        result = nn_poll (&item, 1, limit);
    error = nn_errno ();
    returned = 1;
    join_thread (thread);
    say ("  %s: %d, %s, handler ran: %d", names[call], result, error_name (error),
        handled > 0);
}

static void with_flags (const char *what, int flags)
{
    struct sigaction action;
    memset (&action, 0, sizeof (action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction (SIGUSR1, &action, NULL);

    say ("%s, no peer", what);
    int s = open_socket (NN_PAIR);
    for (enum call call = RECEIVE; call <= POLL_TIMED; call++)
        interrupted (call, s);
    close_socket (s);

    each_transport (transport) {
        char address[NN_SOCKADDR_MAX];
        say ("%s, %s", what, transport);
        int req = open_socket (NN_REQ), rep = open_socket (NN_REP);
        bind_to (rep, fresh_address (transport, address));
        connect_to (req, address);
        interrupted (RECEIVE, rep);
        interrupted (POLL, rep);
        set_int (rep, 0, NN_RCVTIMEO, LIMIT_MS);
        send_text (req, "after the signal");
        say ("  %s", receive_text (rep));
        interrupted (RECEIVE, req);
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
