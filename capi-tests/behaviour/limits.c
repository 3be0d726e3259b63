/*  NN_RCVMAXSIZE, NN_SNDBUF, NN_RCVBUF: how much may be in flight. */

#include "../lib/test.h"
#include <nanomsg/pipeline.h>

static char body[2000001], in[2000001];

/*  A message of the allowed size passes; one byte more drops the connection, which is then made
    again. */
static void largest (const char *transport, int limit)
{
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    set_int (pull, 0, NN_RCVMAXSIZE, limit);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    check (nn_send (push, body, (size_t) limit, 0) == limit);
    say ("%s, %d bytes: %d", transport, limit, nn_recv (pull, in, sizeof (in), 0));
    check (nn_send (push, body, (size_t) limit + 1, 0) == limit + 1);

    /*  Messages sent while the connection ends may be lost with it. */
    struct nn_pollfd item = { pull, NN_POLLIN, 0 };
    int64_t end = now_ms () + LIMIT_MS;
    do {
        check (now_ms () < end);
        check (nn_send (push, body, (size_t) (limit > 9 ? 9 : limit), 0) >= 0);
    } while (nn_poll (&item, 1, 10) != 1);
    say ("  one more, and then %d", nn_recv (pull, in, sizeof (in), 0));
    close_socket (push);
    close_socket (pull);
}

static void unlimited (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    set_int (pull, 0, NN_RCVMAXSIZE, -1);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    check (nn_send (push, body, 2000000, 0) == 2000000);
    say ("%s, no limit: %d", transport, nn_recv (pull, in, sizeof (in), 0));
    close_socket (push);
    close_socket (pull);
}

/*  The smallest buffers still let one message of any size through. */
static void smallest_buffers (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    set_int (pull, 0, NN_RCVBUF, 1);
    set_int (push, 0, NN_SNDBUF, 1);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    for (int i = 0; i < 5; i++) {
        check (nn_send (push, body, 5000, 0) == 5000);
        check (nn_recv (pull, in, sizeof (in), 0) == 5000);
    }
    say ("%s, buffers of 1 byte: 5 messages", transport);
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    largest ("tcp", 1000);
    largest ("ipc", 1000);
    largest ("tcp", 1048576);
    largest ("ipc", 1048576);
    largest ("tcp", 0);
    each_transport (transport) {
        unlimited (transport);
        smallest_buffers (transport);
    }
    return 0;
}
