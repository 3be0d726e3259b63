/*  SIGPIPE never reaches the host: a write to a peer that was killed is just a lost connection,
    also while SIGPIPE would end the program. */

#include "../lib/test.h"
#include <nanomsg/pipeline.h>

/*  A process that receives one message and then waits to be killed. */
static pid_t start_peer (const char *address)
{
    pid_t child = start_process ();
    if (child)
        return child;
    int pull = open_patient (NN_PULL);
    connect_to (pull, address);
    receive_text (pull);
    for (;;)
        pause ();
}

static void killed_peer (const char *transport)
{
    static char body[10000];
    char address[NN_SOCKADDR_MAX];
    fresh_address (transport, address);
    pid_t peer = start_peer (address);
    int push = open_patient (NN_PUSH);
    set_int (push, 0, NN_LINGER, 0);
    bind_to (push, address);
    send_text (push, "hello");
    kill (peer, SIGKILL);
    /*  Until the loss is noticed, each write goes to a broken connection. */
    while (nn_send (push, body, sizeof (body), NN_DONTWAIT) == sizeof (body))
        continue;
    say ("%s: %s", transport, error_name (nn_errno ()));
    waitpid (peer, NULL, 0);
    wait_until (nn_send (push, body, sizeof (body), NN_DONTWAIT) == -1
        && !is_readable (descriptor_of (push, NN_SNDFD), 0));
    close_socket (push);
}

/*  A peer that closes without reading what was sent to it. */
static void reset (void)
{
    char address[NN_SOCKADDR_MAX];
    static const unsigned char header[8] = { 0, 'S', 'P', 0, 0, 81, 0, 0 };
    unsigned char theirs[8];
    int port = free_port (), push = open_patient (NN_PUSH);
    snprintf (address, sizeof (address), "tcp://127.0.0.1:%d", port);
    set_int (push, 0, NN_LINGER, 0);
    bind_to (push, address);
    for (int i = 0; i < 20; i++) {
        struct sockaddr_in peer;
        struct linger linger = { 1, 0 };
        memset (&peer, 0, sizeof (peer));
        peer.sin_family = AF_INET;
        peer.sin_port = htons ((uint16_t) port);
        peer.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
        int descriptor = socket (AF_INET, SOCK_STREAM, 0);
        check (connect (descriptor, (struct sockaddr *) &peer, sizeof (peer)) == 0);
        check (write (descriptor, header, 8) == 8);
        check (recv (descriptor, theirs, 8, MSG_WAITALL) == 8);
        setsockopt (descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof (linger));
        wait_writable (push);
        nn_send (push, "one", 3, NN_DONTWAIT);
        close (descriptor);
        nn_send (push, "two", 3, NN_DONTWAIT);
        nn_send (push, "three", 5, NN_DONTWAIT);
        wait_until (!is_readable (descriptor_of (push, NN_SNDFD), 0));
    }
    say ("twenty peers reset their connections");
    close_socket (push);
}

int main (void)
{
    signal (SIGPIPE, SIG_DFL);
    killed_peer ("ipc");
    killed_peer ("tcp");
    reset ();
    say ("still alive");
    return 0;
}
