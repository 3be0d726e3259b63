/*  nn_term closes all sockets together: with peers that read nothing it waits the linger time
    once, and not once for each socket. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

#define SOCKETS 10
#define LINGER_MS 1000

/*  More than the kernel accepts for a peer that does not read. */
#define BODY (8 * 1024 * 1024)

/*  A PUSH socket with such a message for its peer, which reads nothing after the greeting. */
static void open_stuck_socket (const char *transport)
{
    static char body[BODY];
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PUSH);
    set_int (s, 0, NN_LINGER, LINGER_MS);
    bind_to (s, fresh_address (transport, address));
    plain_peer (address, NN_PULL);
    wait_writable (s);
    check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
}

/*  All peers but one read nothing; that one reads until its end, and gets everything. */
static void *read_all (void *argument)
{
    static char bytes[65536];
    int64_t *total = argument;
    int descriptor = (int) *total;
    ssize_t size;
    *total = 0;
    while ((size = recv (descriptor, bytes, sizeof (bytes), 0)) > 0)
        *total += size;
    return NULL;
}

static void one_process (const char *transport)
{
    char address[NN_SOCKADDR_MAX] = { 0 };
    for (int i = 0; i < SOCKETS; i++)
        open_stuck_socket (transport);
    int s = open_patient (NN_PUSH), count = 0;
    set_int (s, 0, NN_LINGER, LINGER_MS);
    bind_to (s, fresh_address (transport, address));
    int64_t total = plain_peer (address, NN_PULL);
    wait_writable (s);
    while (nn_send (s, address, sizeof (address), NN_DONTWAIT) > 0)
        count++;
    pthread_t reader = start_thread (read_all, &total);
    int64_t before = now_ms ();
    nn_term ();
    int64_t took = now_ms () - before;
    join_thread (reader);
    int64_t each = (int64_t) sizeof (address) + (strcmp (transport, "ipc") == 0 ? 9 : 8);
    check (total == 8 + count * each);
    say ("%s: nn_term of %d sockets whose peers do not read took %d ms, with NN_LINGER %d", transport,
        SOCKETS, (int) took, LINGER_MS);
    check (took >= LINGER_MS && took < 3 * LINGER_MS);
    check_error (nn_close (s), EBADF);
}

int main (void)
{
    each_plain_transport (transport) {
        pid_t child = start_process ();
        if (child == 0) {
            one_process (transport);
            _exit (0);
        }
        join_process (child);
    }
    return 0;
}
