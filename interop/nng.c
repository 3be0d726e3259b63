/*  A conversation on nng, in the versions of each protocol that ours has. */

#include "library.h"

#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <nng/protocol/bus0/bus.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pair1/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/protocol/survey0/respond.h>
#include <nng/protocol/survey0/survey.h>

static const struct
{
    const char *role;
    int (*open) (nng_socket *);
} protocols[] = {
    { "pair", nng_pair0_open },
    { "pair1", nng_pair1_open },
    { "req", nng_req0_open },
    { "rep", nng_rep0_open },
    { "push", nng_push0_open },
    { "pull", nng_pull0_open },
    { "pub", nng_pub0_open },
    { "sub", nng_sub0_open },
    { "surveyor", nng_surveyor0_open },
    { "respondent", nng_respondent0_open },
    { "bus", nng_bus0_open },
};

static nng_socket s;
/*  Whether nng_close is to be called. With a BUS, nng 1.5.2 sometimes never returns from it: over
    TLS in one of ten conversations, also between two sockets of nng. */
static int closes = 1;

/*  Fails if the call did. */
static void must (const char *what, int error)
{
    if (error)
        fail ("%s: %s", what, nng_strerror (error));
}

void library_open (const char *role, int text)
{
    size_t i = 0, count = sizeof (protocols) / sizeof (protocols[0]);
    while (i < count && strcmp (protocols[i].role, role) != 0)
        i++;
    if (i == count)
        fail ("%s: there is no such role", role);
    if (text)
        fail ("this release of nng sends no texts");
    must ("opening", protocols[i].open (&s));
    closes = strcmp (role, "bus") != 0;
    must ("setting a time limit", nng_socket_set_ms (s, NNG_OPT_SENDTIMEO, LIMIT_MS));
    /*  The limit of messages; that of frames over ws, 1 MiB, is not changed. */
    must ("taking any size", nng_socket_set_size (s, NNG_OPT_RECVMAXSZ, 0));
    if (strcmp (role, "sub") == 0)
        must ("subscribing", nng_socket_set (s, NNG_OPT_SUB_SUBSCRIBE, "", 0));
    if (strcmp (role, "surveyor") == 0)
        must ("setting the deadline", nng_socket_set_ms (s, NNG_OPT_SURVEYOR_SURVEYTIME, LIMIT_MS));
}

/*  Whether an address is one of TLS. The certificates are in the variables of our library. */
static int is_secure (const char *address)
{
    return strncmp (address, "tls", 3) == 0 || strncmp (address, "wss", 3) == 0;
}

int library_bind (const char *address)
{
    nng_listener listener;
    must ("nng_listener_create", nng_listener_create (&listener, s, address));
    if (is_secure (address))
        must ("setting the certificate", nng_listener_set_string (listener,
            NNG_OPT_TLS_CERT_KEY_FILE, getenv ("NN_TLS_CERT_FILE")));
    int error = nng_listener_start (listener, 0);
    if (error == NNG_EADDRINUSE) {
        nng_listener_close (listener);
        return 0;
    }
    must ("nng_listener_start", error);
    return 1;
}

void library_connect (const char *address)
{
    nng_dialer dialer;
    must ("nng_dialer_create", nng_dialer_create (&dialer, s, address));
    if (is_secure (address)) {
        must ("setting the CA", nng_dialer_set_string (dialer, NNG_OPT_TLS_CA_FILE,
            getenv ("NN_TLS_CA_FILE")));
        must ("setting the name", nng_dialer_set_string (dialer, NNG_OPT_TLS_SERVER_NAME,
            getenv ("NN_TLS_SERVER_NAME")));
    }
    must ("nng_dialer_start", nng_dialer_start (dialer, 0));
}

void library_send (const void *message, size_t size)
{
    /*  nng copies the message, and does not write to it. */
    must ("nng_send", nng_send (s, (void *) message, size, 0));
}

long library_receive (void *message, size_t size, int timeout)
{
    nng_msg *received;
    must ("setting a time limit", nng_socket_set_ms (s, NNG_OPT_RECVTIMEO, timeout));
    int error = nng_recvmsg (s, &received, 0);
    if (error == NNG_ETIMEDOUT)
        return -1;
    must ("nng_recvmsg", error);
    size_t length = nng_msg_len (received);
    memcpy (message, nng_msg_body (received), length < size ? length : size);
    nng_msg_free (received);
    return (long) length;
}

void library_close (void)
{
    /*  The end of the program closes the connection: all messages have been delivered. */
    if (closes)
        must ("nng_close", nng_close (s));
}
