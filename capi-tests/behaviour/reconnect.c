/*  Connect before bind; a lost connection is made again by itself. */

#include "../lib/test.h"
#include <nanomsg/pipeline.h>

static void connect_first (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    connect_to (push, fresh_address (transport, address));
    say ("%s", transport);
    show ("  nobody there yet", nn_send (push, "x", 1, NN_DONTWAIT));
    bind_to (pull, address);
    send_text (push, "hello");
    say ("  %s", receive_text (pull));

    /*  The bound socket is closed and opened again, several times. */
    for (int i = 0; i < 3; i++) {
        close_socket (pull);
        wait_until (!is_readable (descriptor_of (push, NN_SNDFD), 0));
        show ("  nobody there", nn_send (push, "x", 1, NN_DONTWAIT));
        pull = open_patient (NN_PULL);
        bind_when_free (pull, address);
        send_text (push, "hello again");
        say ("  %s", receive_text (pull));
    }

    /*  The connecting socket is closed, and another one is opened. */
    for (int i = 0; i < 3; i++) {
        close_socket (push);
        push = open_patient (NN_PUSH);
        connect_to (push, address);
        send_text (push, "another");
        say ("  %s", receive_text (pull));
    }
    close_socket (push);
    close_socket (pull);
}

/*  A process that binds on request, receives one message, reports it and waits to be killed. */
static pid_t start_server (const char *address, int told, int said)
{
    char go;
    pid_t child = start_process ();
    if (child)
        return child;
    check (read (told, &go, 1) == 1);
    int pull = open_patient (NN_PULL);
    bind_when_free (pull, address);
    const char *text = receive_text (pull);
    check (write (said, text, strlen (text)) == (ssize_t) strlen (text));
    for (;;)
        pause ();
}

/*  The peer is killed and another process takes its place: the connection is made again by
    itself. */
static void killed (const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[64];
    int said[2], tell[2][2];
    pid_t servers[2];
    fresh_address (transport, address);
    check (pipe (said) == 0);
    for (int i = 0; i < 2; i++) {
        check (pipe (tell[i]) == 0);
        servers[i] = start_server (address, tell[i][0], said[1]);
    }
    int push = open_patient (NN_PUSH);
    connect_to (push, address);
    say ("%s", transport);
    for (int i = 0; i < 2; i++) {
        check (write (tell[i][1], "!", 1) == 1);
        snprintf (text, sizeof (text), "to server %d", i + 1);
        send_text (push, text);
        check (is_readable (said[0], LIMIT_MS));
        ssize_t size = read (said[0], text, sizeof (text));
        say ("  %.*s", (int) size, text);
        kill (servers[i], SIGKILL);
        waitpid (servers[i], NULL, 0);
        wait_until (!is_readable (descriptor_of (push, NN_SNDFD), 0));
    }
    close_socket (push);
    for (int i = 0; i < 2; i++) {
        close (said[i]);
        close (tell[i][0]);
        close (tell[i][1]);
    }
}

int main (void)
{
    each_transport (transport)
        connect_first (transport);
    killed ("ipc");
    killed ("tcp");
    return 0;
}
