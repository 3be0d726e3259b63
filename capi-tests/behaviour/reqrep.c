/*  REQ and REP: states, cancelling, sending again. */

#include "../lib/test.h"
#include <nanomsg/reqrep.h>

static void states (void)
{
    char byte;
    int req = open_patient (NN_REQ), rep = open_patient (NN_REP);
    show ("REQ receives without a request", nn_recv (req, &byte, 1, 0));
    show ("  not waiting", nn_recv (req, &byte, 1, NN_DONTWAIT));
    show ("REP sends without a request", nn_send (rep, "x", 1, 0));
    show ("  not waiting", nn_send (rep, "x", 1, NN_DONTWAIT));
    show ("REP receives with no peer", nn_recv (rep, &byte, 1, NN_DONTWAIT));

    show ("REQ sends with no peer", nn_send (req, "question", 8, NN_DONTWAIT));
    show ("  and receives", nn_recv (req, &byte, 1, NN_DONTWAIT));
    connect_to (req, "inproc://states");
    bind_to (rep, "inproc://states");
    say ("a peer came: %s", receive_text (rep));
    show ("REQ receives before the reply", nn_recv (req, &byte, 1, NN_DONTWAIT));
    send_text (rep, "answer");
    show ("REP sends twice", nn_send (rep, "x", 1, 0));
    say ("REQ receives: %s", receive_text (req));
    show ("  twice", nn_recv (req, &byte, 1, 0));

    set_int (req, 0, NN_RCVTIMEO, 1);
    send_text (req, "late");
    show ("no reply in time", nn_recv (req, &byte, 1, 0));
    show ("  the request is still pending", nn_recv (req, &byte, 1, NN_DONTWAIT));
    set_int (req, 0, NN_RCVTIMEO, LIMIT_MS);
    expect_text (rep, "late");
    send_text (rep, "late answer");
    say ("  and its reply comes: %s", receive_text (req));

    send_text (req, "to be dropped");
    expect_text (rep, "to be dropped");
    show ("REP receives without having replied", nn_recv (rep, &byte, 1, NN_DONTWAIT));
    show ("  and cannot reply any more", nn_send (rep, "x", 1, 0));
    close_socket (req);
    close_socket (rep);
}

static void round_trips (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int req = open_patient (NN_REQ), rep = open_patient (NN_REP);
    bind_to (rep, fresh_address (transport, address));
    connect_to (req, address);
    for (int i = 0; i < 200; i++) {
        char text[32];
        snprintf (text, sizeof (text), "question %d", i);
        send_text (req, text);
        expect_text (rep, text);
        snprintf (text, sizeof (text), "answer %d", i);
        send_text (rep, text);
        expect_text (req, text);
    }
    say ("%s: 200 round trips", transport);

    /*  A new request cancels the one before: the reply to that one is dropped. */
    send_text (req, "first");
    expect_text (rep, "first");
    send_text (req, "second");
    send_text (rep, "to the first");
    expect_text (rep, "second");
    send_text (rep, "to the second");
    say ("  %s", receive_text (req));

    /*  Without a reply the same request comes again. */
    set_int (req, NN_REQ, NN_REQ_RESEND_IVL, 20);
    send_text (req, "again and again");
    for (int i = 0; i < 3; i++)
        expect_text (rep, "again and again");
    send_text (rep, "enough");
    say ("  %s", receive_text (req));
    close_socket (req);
    close_socket (rep);
}

/*  When the connection that carried the request ends, the request is sent over another one at
    once. */
static void resend (const char *transport)
{
    char first[NN_SOCKADDR_MAX], second[NN_SOCKADDR_MAX];
    int req = open_patient (NN_REQ);
    int one = open_patient (NN_REP), two = open_patient (NN_REP);
    bind_to (one, fresh_address (transport, first));
    connect_to (req, first);
    send_text (req, "who is there");
    expect_text (one, "who is there");
    bind_to (two, fresh_address (transport, second));
    connect_to (req, second);
    close_socket (one);
    expect_text (two, "who is there");
    send_text (two, "the second");
    say ("%s: %s", transport, receive_text (req));
    close_socket (req);
    close_socket (two);
}

/*  Requests are balanced, and each reply returns to its requester. */
static void many_clients (const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[32];
    int rep = open_patient (NN_REP), clients[8];
    bind_to (rep, fresh_address (transport, address));
    for (int i = 0; i < 8; i++) {
        clients[i] = open_patient (NN_REQ);
        connect_to (clients[i], address);
        snprintf (text, sizeof (text), "client %d", i);
        send_text (clients[i], text);
    }
    for (int i = 0; i < 8; i++) {
        const char *question = receive_text (rep);
        snprintf (text, sizeof (text), "%.31s", question);
        send_text (rep, text);
    }
    for (int i = 0; i < 8; i++) {
        snprintf (text, sizeof (text), "client %d", i);
        expect_text (clients[i], text);
        close_socket (clients[i]);
    }
    say ("%s: eight clients have their own replies", transport);
    close_socket (rep);
}

static void *serve (void *argument)
{
    int rep = *(int *) argument;
    char body[64];
    int size;
    while ((size = nn_recv (rep, body, sizeof (body), 0)) >= 0)
        if (nn_send (rep, body, (size_t) size, 0) != size)
            break;
    if (nn_errno () != EBADF)
        fail ("the server ended with %s", error_name (nn_errno ()));
    return NULL;
}

/*  A requester disconnects while its request is answered: the answer is accepted, and dropped. */
static void gone_client (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int rep = open_patient (NN_REP), req = open_patient (NN_REQ);
    int writable = descriptor_of (rep, NN_SNDFD);
    bind_to (rep, fresh_address (transport, address));
    connect_to (req, address);
    send_text (req, "and away");
    expect_text (rep, "and away");
    close_socket (req);
    wait_until (nn_get_statistic (rep, NN_STAT_CURRENT_CONNECTIONS) == 0);
    say ("%s: writable: %d", transport, is_readable (writable, 0));
    show ("  an answer to nobody", nn_send (rep, "to nobody", 9, 0));
    say ("  writable: %d", is_readable (writable, 0));
    show ("  another one", nn_send (rep, "to nobody", 9, 0));
    pthread_t server = start_thread (serve, &rep);
    req = open_patient (NN_REQ);
    connect_to (req, address);
    send_text (req, "still there?");
    say ("  %s", receive_text (req));
    close_socket (req);
    close_socket (rep);
    join_thread (server);
}

int main (void)
{
    states ();
    each_transport (transport) {
        round_trips (transport);
        resend (transport);
        many_clients (transport);
        gone_client (transport);
    }
    return 0;
}
