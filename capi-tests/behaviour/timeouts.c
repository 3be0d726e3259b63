/*  NN_SNDTIMEO and NN_RCVTIMEO. */

#include "../lib/test.h"
#include <nanomsg/pair.h>

static void timed (const char *what, int s, int option, int limit)
{
    char byte;
    set_int (s, 0, option, limit);
    int result = option == NN_SNDTIMEO ? nn_send (s, "x", 1, 0)
                                       : nn_recv (s, &byte, 1, 0);
    say ("%s, %d ms: %d, %s", what, limit, result, error_name (nn_errno ()));
}

static void *send_late (void *argument)
{
    int *ids = argument;
    wait_until (is_asleep (ids[1]));
    send_text (ids[0], "just in time");
    return NULL;
}

int main (void)
{
    int a = open_socket (NN_PAIR), b = open_socket (NN_PAIR);
    timed ("send with no peer", a, NN_SNDTIMEO, 0);
    timed ("send with no peer", a, NN_SNDTIMEO, 1);
    timed ("send with no peer", a, NN_SNDTIMEO, 60);
    timed ("receive with no peer", a, NN_RCVTIMEO, 0);
    timed ("receive with no peer", a, NN_RCVTIMEO, 1);
    timed ("receive with no peer", a, NN_RCVTIMEO, 60);
    show ("not waiting", nn_send (a, "x", 1, NN_DONTWAIT));

    bind_to (a, "inproc://timeouts");
    connect_to (b, "inproc://timeouts");
    wait_writable (a);
    timed ("receive nothing", b, NN_RCVTIMEO, 60);
    set_int (b, 0, NN_RCVTIMEO, LIMIT_MS);
    int ids[2] = { a, thread_id () };
    pthread_t thread = start_thread (send_late, ids);
    say ("%s", receive_text (b));
    join_thread (thread);

    /*  A full peer makes a sender wait too. */
    static char body[100000];
    set_int (a, 0, NN_SNDTIMEO, 50);
    int result, count = 0;
    while ((result = nn_send (a, body, sizeof (body), 0)) > 0)
        count++;
    say ("sent to a full peer: %s, after some: %d", error_name (nn_errno ()), count > 0);
    for (; count > 0; count--)
        check (nn_recv (b, body, sizeof (body), 0) == sizeof (body));
    show ("and all of them were received", nn_recv (b, body, 1, NN_DONTWAIT));
    close_socket (a);
    close_socket (b);
    return 0;
}
