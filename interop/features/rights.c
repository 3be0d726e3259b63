/*  Which environment variables count:

        rights ADDRESS CA REPORT

    The address is one of tls+tcp, at which a PULL socket listens. Prints a line for each variable, with what comes of it, and
    first whether the program has more rights than its caller. CA is the file of a certificate that is trusted in any case, and
    REPORT the file of the address in NN_MONITOR. */

#include <nanomsg/ext.h>
#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/tls.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/*  Milliseconds for a connection that must come about, and for one that must not. */
#define LONG 20000
#define SHORT 300

/*  Prints what comes of a call. */
static void show (const char *variable, int result)
{
    const char *text = "works";
    if (result < 0)
        text = nn_errno () == EINVAL ? "EINVAL" : nn_errno () == ETIMEDOUT ? "ETIMEDOUT" : nn_strerror (nn_errno ());
    printf ("%s: %s\n", variable, text);
}

static int open_socket (int limit)
{
    int s = nn_socket (AF_SP, NN_PUSH);
    nn_setsockopt (s, NN_SOL_SOCKET, NN_CONNECT_TIMEO, &limit, sizeof (limit));
    return s;
}

static void set_name (int s)
{
    nn_setsockopt (s, NN_TLS, NN_TLS_SERVER_NAME, "localhost", 9);
}

int main (int count, char **arguments)
{
    int secure = getauxval (AT_SECURE) != 0, one = 1;
    if (count < 4)
        return 2;
    printf ("AT_SECURE: %d\n", secure);

    int s = open_socket (LONG);
    printf ("NN_MONITOR: %s\n", access (arguments[3], F_OK) == 0 ? "works" : "ignored");
    set_name (s);
    show ("NN_TLS_CA_FILE", nn_connect (s, arguments[1]));
    nn_close (s);

    s = open_socket (LONG);
    show ("NN_TLS_CERT_FILE", nn_bind (s, "tls+tcp://127.0.0.1:0"));
    nn_close (s);

    s = open_socket (secure ? LONG : SHORT);
    nn_setsockopt (s, NN_TLS, NN_TLS_CA_FILE, arguments[2], strlen (arguments[2]));
    show ("NN_TLS_SERVER_NAME", nn_connect (s, arguments[1]));
    nn_close (s);

    s = open_socket (secure ? SHORT : LONG);
    nn_setsockopt (s, NN_TLS, NN_TLS_SYSTEM_ROOTS, &one, sizeof (one));
    set_name (s);
    show ("SSL_CERT_FILE", nn_connect (s, arguments[1]));
    nn_close (s);
    return 0;
}
