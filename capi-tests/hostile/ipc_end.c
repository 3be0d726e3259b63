/*  What an ipc peer sees of nn_close: first the end of the data, with everything still to be
    read, and the end of both directions only when it has read all. Some peers drop what they
    have not read when they see that. A peer that does not read delays nn_close by 100 ms. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

#define MESSAGES 20

/*  After this time, in milliseconds, a peer that was not scheduled may see the end. */
#define TRUSTED_MS 50
/*  The longest time, in milliseconds, that nn_close may take for a peer that does not read. */
#define MOST_MS 1000

static void *close_it (void *s)
{
    close_socket (*(int *) s);
    return NULL;
}

/*  A PUSH with NN_LINGER -1, and a peer that has everything in its kernel and has read nothing. */
static int open_both (int *peer)
{
    char address[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH);
    set_int (push, 0, NN_LINGER, -1);
    bind_to (push, fresh_address ("ipc", address));
    *peer = plain_peer (address, NN_PULL);
    for (int i = 0; i < MESSAGES; i++)
        send_text (push, "a message");
    return push;
}

/*  Returns whether the peer was fast enough to see anything. */
static int sees_the_end (void)
{
    char bytes[4096];
    int peer, push = open_both (&peer), is_trusted;
    int64_t begin = now_ms ();
    pthread_t closer = start_thread (close_it, &push);
    struct pollfd item = { peer, POLLRDHUP, 0 };
    check (poll (&item, 1, LIMIT_MS) == 1);
    is_trusted = now_ms () - begin < TRUSTED_MS;
    if (is_trusted && item.revents & POLLHUP)
        fail ("the end has come before anything was read");
    size_t size = 0;
    ssize_t count;
    while ((count = recv (peer, bytes, sizeof (bytes), 0)) > 0)
        size += (size_t) count;
    check (count == 0 && size == 8 + MESSAGES * (9 + strlen ("a message")));
    close (peer);
    join_thread (closer);
    return is_trusted;
}

int main (void)
{
    wait_until (sees_the_end ());
    int peer, push = open_both (&peer);
    int64_t begin = now_ms ();
    close_socket (push);
    int took = (int) (now_ms () - begin);
    close (peer);
    if (took > MOST_MS)
        fail ("nn_close took %d ms", took);
    say ("nn_close took %d ms for a peer that does not read", took);
    return 0;
}
