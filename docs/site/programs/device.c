/*  Clients, a device, and a server that they do not know. */

/* ANCHOR: program */
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <pthread.h>
#include <stdio.h>

static int front, back;

static void *forward (void *unused)
{
    /*  Ends when one of the sockets is closed. */
    nn_device (front, back);
    return unused;
}

int main (void)
{
    char text[16];
    pthread_t thread;
    int client = nn_socket (AF_SP, NN_REQ), server = nn_socket (AF_SP, NN_REP);

    front = nn_socket (AF_SP_RAW, NN_REP);
    back = nn_socket (AF_SP_RAW, NN_REQ);
    nn_bind (front, "inproc://front");
    nn_bind (back, "inproc://back");
    pthread_create (&thread, NULL, forward, NULL);

    nn_connect (client, "inproc://front");
    nn_connect (server, "inproc://back");
    nn_send (client, "ping", 5, 0);
    nn_recv (server, text, sizeof (text), 0);
    nn_send (server, "pong", 5, 0);
    nn_recv (client, text, sizeof (text), 0);
    printf ("%s\n", text); /* pong */

    nn_close (client);
    nn_close (server);
    nn_close (front);
    pthread_join (thread, NULL);
    return nn_close (back);
}
/* ANCHOR_END: program */
