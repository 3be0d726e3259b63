/*  nn_term before the process's first nn_socket does nothing. After the first nn_socket,
    successful or not, it ends the use of the library for good. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pubsub.h>

static void nothing (void)
{
}

static void term_alone (void)
{
    nn_term ();
    nn_term ();
}

static void messages (void)
{
    check (nn_freemsg (nn_allocmsg (10, 0)) == 0);
}

static void symbols (void)
{
    int value;
    check (nn_symbol (0, &value) != NULL);
    check (nn_strerror (EFSM) != NULL);
}

static void calls_on_no_socket (void)
{
    int value = 1;
    check_error (nn_send (0, "x", 1, 0), EBADF);
    check_error (nn_recv (0, &value, sizeof (value), 0), EBADF);
    check_error (nn_bind (0, "inproc://x"), EBADF);
    check_error (nn_setsockopt (0, 0, NN_SNDBUF, &value, sizeof (value)), EBADF);
    check_error (nn_close (0), EBADF);
}

static void bad_domain (void)
{
    check_error (nn_socket (0, NN_PAIR), EAFNOSUPPORT);
}

static void bad_protocol (void)
{
    check_error (nn_socket (AF_SP, 0), EINVAL);
}

static void one_that_is_closed (void)
{
    close_socket (open_socket (NN_PUB));
}

static void one_that_is_open (void)
{
    open_socket (NN_PUB);
}

/*  In a process of its own: `before`, nn_term, and then a socket. */
static void in_a_process (const char *name, void (*before) (void))
{
    pid_t child = start_process ();
    if (child == 0) {
        before ();
        nn_term ();
        show (name, nn_socket (AF_SP, NN_PAIR));
        _exit (0);
    }
    join_process (child);
}

int main (void)
{
    in_a_process ("nn_term as the first call", nothing);
    in_a_process ("after nn_term twice", term_alone);
    in_a_process ("after a message", messages);
    in_a_process ("after a symbol", symbols);
    in_a_process ("after calls on no socket", calls_on_no_socket);
    in_a_process ("after a socket of a bad domain", bad_domain);
    in_a_process ("after a socket of a bad protocol", bad_protocol);
    in_a_process ("after a socket that is closed", one_that_is_closed);
    in_a_process ("after a socket that is open", one_that_is_open);

    if (!only_ours ("a child inherits that, and the sockets without their threads"))
        return 0;
    /*  A child starts afresh: it has no socket to terminate, and may open some. */
    open_socket (NN_PAIR);
    for (int terminated = 0; terminated < 2; terminated++) {
        pid_t child = start_process ();
        if (child == 0) {
            nn_term ();
            close_socket (open_socket (NN_PAIR));
            nn_term ();
            check_error (nn_socket (AF_SP, NN_PAIR), ETERM);
            _exit (0);
        }
        join_process (child);
        nn_term ();
    }
    check_error (nn_socket (AF_SP, NN_PAIR), ETERM);
    return 0;
}
