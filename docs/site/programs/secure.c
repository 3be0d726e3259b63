/*  A server with a certificate, and a client that verifies it. */

/* ANCHOR: program */
#include <nanomsg/ext.h>
#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/tls.h>
#include <stdio.h>
#include <string.h>

static int must (int result)
{
    if (result < 0)
        printf ("%s\n", nn_strerror (nn_errno ()));
    return result;
}

int main (void)
{
    char text[NN_SOCKADDR_MAX], address[NN_SOCKADDR_MAX];
    size_t size = sizeof (text);
    int port, server = nn_socket (AF_SP, NN_PULL), client = nn_socket (AF_SP, NN_PUSH);

    must (nn_setsockopt (server, NN_TLS, NN_TLS_CERT_FILE, "server.pem", 10));
    must (nn_bind (server, "tls+tcp://127.0.0.1:0"));
    must (nn_getsockopt (server, NN_SOL_SOCKET, NN_LAST_ENDPOINT, text, &size));
    sscanf (text, "tls+tcp://127.0.0.1:%d", &port);

    /*  The certificate is for the name localhost. */
    must (nn_setsockopt (client, NN_TLS, NN_TLS_CA_FILE, "ca.pem", 6));
    snprintf (address, sizeof (address), "tls+tcp://localhost:%d", port);
    must (nn_connect (client, address));
    must (nn_send (client, "sealed", 7, 0));
    must (nn_recv (server, text, sizeof (text), 0));
    printf ("%s\n", text); /* sealed */
    return nn_close (client) < 0 || nn_close (server) < 0;
}
/* ANCHOR_END: program */
