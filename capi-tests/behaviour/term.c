/*  nn_term closes all sockets, wakes all calls, and no socket can be opened after it. */

#include "../lib/test.h"
#include <stdatomic.h>
#include <nanomsg/pair.h>

static atomic_int waiting;
static int error_of_wait;

static void *wait_for_message (void *argument)
{
    char byte;
    waiting = thread_id ();
    if (nn_recv (*(int *) argument, &byte, 1, 0) != -1)
        fail ("a message from nowhere");
    error_of_wait = nn_errno ();
    return NULL;
}

int main (void)
{
    char address[NN_SOCKADDR_MAX], byte;
    int value = 1;
    size_t size = sizeof (value);
    struct nn_pollfd item = { 0, NN_POLLIN, 0 };

    int s = open_socket (NN_PAIR), other = open_socket (NN_PAIR);
    show ("bound", nn_bind (s, fresh_address ("tcp", address)));
    show ("connected", nn_connect (other, address));
    pthread_t thread = start_thread (wait_for_message, &s);
    wait_until (waiting && is_asleep (waiting));
    nn_term ();
    join_thread (thread);
    say ("the waiting call: %s", error_name (error_of_wait));

    show ("nn_socket", nn_socket (AF_SP, NN_PAIR));
    show ("nn_socket of a bad domain", nn_socket (0, NN_PAIR));
    show ("nn_socket of a bad protocol", nn_socket (AF_SP, 0));
    item.fd = s;
    show ("nn_bind", nn_bind (s, "inproc://x"));
    show ("nn_connect", nn_connect (s, "inproc://x"));
    show ("nn_shutdown", nn_shutdown (s, 1));
    show ("nn_setsockopt", nn_setsockopt (s, 0, NN_SNDBUF, &value, size));
    show ("nn_getsockopt", nn_getsockopt (s, 0, NN_SNDBUF, &value, &size));
    show ("nn_send", nn_send (s, "x", 1, 0));
    show ("nn_recv", nn_recv (s, &byte, 1, 0));
    show ("nn_poll", nn_poll (&item, 1, 0));
    show ("nn_close", nn_close (s));
    show ("nn_close of the other", nn_close (other));
    nn_term ();
    show ("after a second nn_term", nn_socket (AF_SP, NN_PAIR));
    void *message = nn_allocmsg (10, 0);
    say ("messages live on: %d", message != NULL);
    show ("freed", nn_freemsg (message));
    return 0;
}
