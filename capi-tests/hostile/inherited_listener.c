/*  A forked child has the listener's descriptor, and keeps it. When the parent has closed its
    socket, the address is free, and no peer reaches the child. */

#include "../lib/plain.h"
#include <nanomsg/pair.h>

/*  Whether a connection to the address is refused. */
static int is_refused (const char *address)
{
    struct sockaddr_storage storage;
    socklen_t size = plain_address (address, &storage);
    int descriptor = socket (storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = connect (descriptor, (struct sockaddr *) &storage, size);
    int is_so = result != 0 && (errno == ECONNREFUSED || errno == ENOENT);
    close (descriptor);
    return is_so;
}

static void one (const char *transport, int by_shutdown)
{
    char address[NN_SOCKADDR_MAX], kept[NN_SOCKADDR_MAX + 8];
    int s = open_patient (NN_PAIR);
    int endpoint = bind_to (s, fresh_address (transport, address));
    int is_ipc = strcmp (transport, "ipc") == 0;
    if (is_ipc) {
        /*  The file is removed with the endpoint; the listener can still be reached by its other
            name. */
        snprintf (kept, sizeof (kept), "%s-kept", address);
        check (link (address + 6, kept + 6) == 0);
    }
    check (!is_refused (address));

    int wait_here[2];
    check (pipe (wait_here) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        char byte;
        close (wait_here[1]);
        _exit (read (wait_here[0], &byte, 1) == 0 ? 0 : 1);
    }
    close (wait_here[0]);
    if (by_shutdown)
        check (nn_shutdown (s, endpoint) == 0);
    else
        close_socket (s);
    if (!is_refused (address) || (is_ipc && !is_refused (kept)))
        fail ("%s: the child still listens", transport);

    int next = open_patient (NN_PAIR), peer = open_patient (NN_PAIR);
    bind_to (next, address);
    connect_to (peer, address);
    honest_message (peer, next);
    close (wait_here[1]);
    join_process (child);
    close_socket (peer);
    close_socket (next);
    if (by_shutdown)
        close_socket (s);
    if (is_ipc)
        unlink (kept + 6);
}

int main (void)
{
    each_plain_transport (transport) {
        one (transport, 0);
        one (transport, 1);
    }
    return 0;
}
