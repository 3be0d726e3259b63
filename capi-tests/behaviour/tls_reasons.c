/*  The events of failed TLS handshakes say who has refused whom, and why. The C library has neither. */

#include "../lib/events.h"
#include "../lib/plain.h"
#include "../lib/secure.h"
#include <nanomsg/pipeline.h>

/*  Fails unless the next failed handshake has this reason and this error, and `words` in its explanation. */
static void expect_failure (int events, int reason, int error, const char *words)
{
    struct received_event event = wait_for_event (events, NN_EVENT_HANDSHAKE_FAILED);
    if (event.head.reason != reason || event.head.error != error
            || !strstr (event.explanation, words))
        fail ("reason %d, error %s, \"%s\" instead of reason %d, error %s, \"%s\"",
            event.head.reason, error_name (event.head.error), event.explanation,
            reason, error_name (error), words);
}

static void certificates (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int server = open_server (NN_PULL), accepted = monitor (server);
    bind_to (server, fresh_address (transport, address));

    /*  The client does not trust the server. */
    int client = open_patient (NN_PUSH), connected = monitor (client);
    set_certificate (client, NN_TLS_CA_FILE, "other-ca");
    connect_to (client, address);
    expect_failure (connected, NN_REASON_CERTIFICATE, EACCES, "UnknownIssuer");
    expect_failure (accepted, NN_REASON_PEER, EPROTO, "alert");
    close_socket (client);
    close_socket (connected);
    close_socket (accepted);
    close_socket (server);

    /*  The client shows the server no certificate. */
    server = open_server (NN_PULL);
    accepted = monitor (server);
    set_certificate (server, NN_TLS_CA_FILE, "ca");
    set_int (server, NN_TLS, NN_TLS_AUTH, NN_TLS_AUTH_REQUIRED);
    bind_to (server, fresh_address (transport, address));
    client = open_client (NN_PUSH);
    connected = monitor (client);
    connect_to (client, address);
    expect_failure (accepted, NN_REASON_CERTIFICATE, EACCES, "certificate");
    expect_failure (connected, NN_REASON_PEER, EPROTO, "alert");
    close_socket (client);
    close_socket (connected);
    close_socket (accepted);
    close_socket (server);
}

static void other_peers (const char *transport)
{
    char address[NN_SOCKADDR_MAX], plain[NN_SOCKADDR_MAX];
    int server = open_server (NN_PULL), events = monitor (server);
    bind_to (server, fresh_address (transport, address));
    snprintf (plain, sizeof (plain), "tcp%s", strstr (address, "://"));

    int peer = plain_connect (plain);
    check (plain_send (peer, "GET / HTTP/1.1\r\n\r\n", 18) == 0);
    expect_failure (events, NN_REASON_INVALID, EPROTO, "corrupt");
    close (peer);
    close (plain_connect (plain));
    expect_failure (events, NN_REASON_PEER, ECONNRESET, "during the TLS handshake");

    close_socket (events);
    close_socket (server);
}

/*  A refusal that TLS has no part in is as without it. A client of ws names no protocol but that of
    the server which it wants. */
static void mismatch (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int server = open_server (NN_PULL), events = monitor (server), client = open_client (NN_PULL);
    bind_to (server, fresh_address (transport, address));
    connect_to (client, address);
    struct received_event event = wait_for_event (events, NN_EVENT_REFUSED);
    check (event.head.reason == NN_REASON_MISMATCH && event.head.error == 0);
    check (event.head.peer_protocol == (strcmp (transport, "tls+tcp") == 0 ? NN_PULL : 0));
    check (!event.explanation[0] && event.peer[0]);
    check (nn_get_statistic (server, NN_STAT_REFUSED_CONNECTIONS) > 0);
    check (nn_get_statistic (server, NN_STAT_HANDSHAKE_ERRORS) == 0);
    close_socket (client);
    close_socket (events);
    close_socket (server);
}

int main (void)
{
    if (!only_ours ("it has no TLS") || !has_tls ())
        return 0;
    each_secure_transport (transport) {
        certificates (transport);
        other_peers (transport);
        mismatch (transport);
    }
    mismatch ("ws");
    return 0;
}
