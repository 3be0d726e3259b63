/*  A request and its reply, within one process.  */

/* ANCHOR: program */
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <stdio.h>

int main (void)
{
    char text[16];
    int server = nn_socket (AF_SP, NN_REP), client = nn_socket (AF_SP, NN_REQ);

    if (nn_bind (server, "ipc:///tmp/hello.ipc") < 0 || nn_connect (client, "ipc:///tmp/hello.ipc") < 0) {
        puts (nn_strerror (nn_errno ()));
        return 1;
    }
    nn_send (client, "hello", 6, 0);
    nn_recv (server, text, sizeof (text), 0);
    printf ("%s\n", text); /* hello */
    nn_send (server, "world", 6, 0);
    nn_recv (client, text, sizeof (text), 0);
    printf ("%s\n", text); /* world */
    return nn_close (client) < 0 || nn_close (server) < 0;
}
/* ANCHOR_END: program */
