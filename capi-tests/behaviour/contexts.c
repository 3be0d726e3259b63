/*  Contexts: sockets that share the connections of another one. The C library has none. */

#include "../lib/events.h"
#include <nanomsg/ext.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

#define CONTEXTS 64
#define ROUNDS 20

static int share (int s, int parent)
{
    return nn_setsockopt (s, NN_SOL_SOCKET, NN_SHARE, &parent, sizeof (parent));
}

static int context_of (int parent)
{
    int s = open_patient (get_int (parent, NN_SOL_SOCKET, NN_PROTOCOL));
    check (share (s, parent) == 0);
    return s;
}

static void refused (void)
{
    int rep = open_socket (NN_REP), req = open_socket (NN_REQ), s = open_socket (NN_REP);
    int push = open_socket (NN_PUSH), raw = nn_socket (AF_SP_RAW, NN_REP);
    char long_value[5] = { 0 };
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_SHARE, long_value, 5), EINVAL);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_SHARE, &rep, 0), EINVAL);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_SHARE, NULL, 4), EFAULT);
    check_error (nn_setsockopt (s, NN_REP, NN_SHARE, &rep, sizeof (rep)), ENOPROTOOPT);
    check_error (nn_setsockopt (-1, NN_SOL_SOCKET, NN_SHARE, &rep, sizeof (rep)), EBADF);
    check_error (share (s, -1), EINVAL);
    check_error (share (s, 65535), EINVAL);
    check_error (share (s, s), EINVAL);
    check_error (share (s, req), EINVAL);
    check_error (share (s, raw), EINVAL);
    check_error (share (raw, rep), ENOTSUP);
    check_error (share (push, push), ENOTSUP);
    check (get_int (s, NN_SOL_SOCKET, NN_SHARE) == -1);
    int bound = open_socket (NN_REP);
    bind_to (bound, "inproc://bound");
    check_error (share (bound, rep), EFSM);
    /*  After all these the socket can still become a context, once. */
    check (share (s, rep) == 0 && get_int (s, NN_SOL_SOCKET, NN_SHARE) == rep);
    check_error (share (s, rep), EFSM);
    check_error (share (rep, bound), EFSM);
    check_error (nn_bind (s, "inproc://own"), ENOTSUP);
    check_error (nn_connect (s, "inproc://own"), ENOTSUP);
    check_error (nn_shutdown (s, 1), EINVAL);
    check_error (nn_device (s, rep), EINVAL);
    /*  A context of a context is one of the parent. */
    int other = context_of (s);
    check (get_int (other, NN_SOL_SOCKET, NN_SHARE) == rep);
    int all[] = { rep, req, s, push, raw, bound, other };
    for (int i = 0; i < 7; i++)
        close_socket (all[i]);
}

/*  A server that works on all requests at once: it polls the descriptors of its contexts, answers the
    requests in any order, and some later than others. */
static void *serve (void *argument)
{
    int *servers = argument;
    struct pollfd items[CONTEXTS];
    char requests[CONTEXTS][64];
    int due[CONTEXTS] = { 0 };
    unsigned seed = 1;
    for (int i = 0; i < CONTEXTS; i++) {
        items[i].fd = descriptor_of (servers[i], NN_RCVFD);
        items[i].events = POLLIN;
    }
    for (;;) {
        check (poll (items, CONTEXTS, 1) >= 0);
        for (int i = 0; i < CONTEXTS; i++) {
            if (due[i] > 0 && --due[i] == 0) {
                char reply[80] = "re ";
                strcat (reply, requests[i]);
                send_text (servers[i], reply);
            }
            /*  While a request is being worked on, this context takes no other one. */
            if (due[i] > 0 || !(items[i].revents & POLLIN))
                continue;
            int size = nn_recv (servers[i], requests[i], 63, NN_DONTWAIT);
            if (size < 0 && nn_errno () == EBADF)
                return NULL;
            /*  Another context may have been faster. */
            check (size > 0 || nn_errno () == EAGAIN);
            if (size > 0) {
                requests[i][size] = 0;
                due[i] = 1 + rand_r (&seed) % 20;
            }
        }
    }
}

/*  The numbers of the contexts that have a reply, found by nn_poll or by poll(2). */
static int ready (int *clients, int by_descriptors, int *found)
{
    int count = 0;
    struct pollfd descriptors[CONTEXTS];
    struct nn_pollfd items[CONTEXTS];
    for (int i = 0; i < CONTEXTS; i++) {
        descriptors[i].fd = by_descriptors ? descriptor_of (clients[i], NN_RCVFD) : -1;
        descriptors[i].events = POLLIN;
        items[i].fd = clients[i];
        items[i].events = NN_POLLIN;
    }
    int result = by_descriptors ? poll (descriptors, CONTEXTS, LIMIT_MS) : nn_poll (items, CONTEXTS, LIMIT_MS);
    check (result > 0);
    for (int i = 0; i < CONTEXTS; i++)
        if (by_descriptors ? descriptors[i].revents & POLLIN : items[i].revents & NN_POLLIN)
            found[count++] = i;
    check (count == result);
    return count;
}

static void many (const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[64], expected[80];
    int servers[CONTEXTS], clients[CONTEXTS], rounds[CONTEXTS] = { 0 }, found[CONTEXTS];
    pthread_t server;
    servers[0] = open_patient (NN_REP);
    clients[0] = open_patient (NN_REQ);
    bind_to (servers[0], fresh_address (transport, address));
    connect_to (clients[0], address);
    for (int i = 1; i < CONTEXTS; i++) {
        servers[i] = context_of (servers[0]);
        clients[i] = context_of (clients[0]);
    }
    check (pthread_create (&server, NULL, serve, servers) == 0);
    for (int i = 0; i < CONTEXTS; i++) {
        snprintf (text, sizeof (text), "context %d, round 0", i);
        send_text (clients[i], text);
    }
    for (int done = 0; done < CONTEXTS * ROUNDS;) {
        int count = ready (clients, done % 2, found);
        for (int f = 0; f < count; f++, done++) {
            int i = found[f];
            snprintf (expected, sizeof (expected), "re context %d, round %d", i, rounds[i]);
            if (strcmp (receive_text_now (clients[i]), expected) != 0)
                fail ("not \"%s\"", expected);
            check_error (nn_recv (clients[i], text, sizeof (text), NN_DONTWAIT), EFSM);
            if (++rounds[i] < ROUNDS) {
                snprintf (text, sizeof (text), "context %d, round %d", i, rounds[i]);
                send_text (clients[i], text);
            }
        }
    }
    /*  Ends the calls of all contexts. */
    close_socket (servers[0]);
    check (pthread_join (server, NULL) == 0);
    for (int i = 1; i < CONTEXTS; i++)
        close_socket (servers[i]);
    /*  The parent first, or last. */
    for (int i = 0; i < CONTEXTS; i++)
        close_socket (clients[strcmp (transport, "tcp") == 0 ? i : CONTEXTS - 1 - i]);
}

static void cancelled (const char *transport)
{
    char address[NN_SOCKADDR_MAX], byte;
    int rep = open_patient (NN_REP), req = open_patient (NN_REQ);
    bind_to (rep, fresh_address (transport, address));
    connect_to (req, address);
    int req2 = context_of (req), rep2 = context_of (rep);
    send_text (req2, "first");
    expect_text (rep2, "first");
    send_text (req2, "second");
    expect_text (rep, "second");
    send_text (rep2, "to the first");
    send_text (rep, "to the second");
    expect_text (req2, "to the second");
    check_error (nn_recv (req2, &byte, 1, NN_DONTWAIT), EFSM);

    /*  A reply for a context that was closed is dropped. */
    send_text (req2, "nobody waits");
    expect_text (rep2, "nobody waits");
    close_socket (req2);
    send_text (rep2, "too late");
    send_text (req, "still there");
    expect_text (rep2, "still there");
    send_text (rep2, "yes");
    expect_text (req, "yes");

    /*  Sent again after a time that is the context's own. */
    req2 = context_of (req);
    set_int (req2, NN_REQ, NN_REQ_RESEND_IVL, 20);
    check (get_int (req, NN_REQ, NN_REQ_RESEND_IVL) == 60000);
    send_text (req2, "again and again");
    for (int i = 0; i < 3; i++)
        expect_text (rep, "again and again");
    send_text (rep, "enough");
    expect_text (req2, "enough");

    /*  A request that a context has received and not answered is forgotten with it. The one before may have been
        sent once more before its reply came. */
    send_text (req, "to be sent again");
    const char *request;
    while (strcmp (request = receive_text (rep2), "again and again") == 0)
        ;
    check (strcmp (request, "to be sent again") == 0);
    close_socket (rep2);
    check_error (nn_send (rep, "x", 1, NN_DONTWAIT), EFSM);

    /*  Options and timeouts. */
    set_int (req2, NN_SOL_SOCKET, NN_RCVTIMEO, 1);
    send_text (req2, "never answered");
    check_error (nn_recv (req2, &byte, 1, 0), ETIMEDOUT);
    check (get_int (req, NN_SOL_SOCKET, NN_RCVTIMEO) == LIMIT_MS);
    set_int (req2, NN_SOL_SOCKET, NN_SNDPRIO, 3);
    check (get_int (req, NN_SOL_SOCKET, NN_SNDPRIO) == 3);

    close_socket (req);
    check_error (nn_recv (req2, &byte, 1, 0), EBADF);
    check_error (nn_send (req2, "x", 1, 0), EBADF);
    check_error (share (open_socket (NN_REQ), req2), EINVAL);
    close_socket (req2);
    close_socket (rep);
}

static void surveys (const char *transport)
{
    char address[NN_SOCKADDR_MAX], byte;
    int surveyor = open_patient (NN_SURVEYOR), respondent = open_patient (NN_RESPONDENT);
    bind_to (surveyor, fresh_address (transport, address));
    connect_to (respondent, address);
    wait_until (nn_get_statistic (surveyor, NN_STAT_CURRENT_CONNECTIONS) == 1);
    int surveyor2 = context_of (surveyor), respondent2 = context_of (respondent);
    send_text (surveyor, "one");
    send_text (surveyor2, "two");
    expect_text (respondent2, "one");
    expect_text (respondent, "two");
    send_text (respondent, "to two");
    send_text (respondent2, "to one");
    expect_text (surveyor, "to one");
    expect_text (surveyor2, "to two");
    /*  A deadline that is the context's own. */
    set_int (surveyor2, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, 20);
    send_text (surveyor2, "three");
    check_error (nn_recv (surveyor2, &byte, 1, 0), ETIMEDOUT);
    check_error (nn_recv (surveyor2, &byte, 1, 0), EFSM);
    check_error (nn_recv (surveyor, &byte, 1, NN_DONTWAIT), EAGAIN);
    int all[] = { surveyor2, respondent, surveyor, respondent2 };
    for (int i = 0; i < 4; i++)
        close_socket (all[i]);
}

static void subscribe (int s, const char *topic)
{
    check (nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, topic, strlen (topic)) == 0);
}

static void subscriptions (const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[1000] = "b";
    int pub = open_patient (NN_PUB), sub = open_patient (NN_SUB);
    bind_to (pub, fresh_address (transport, address));
    connect_to (sub, address);
    int all = context_of (sub), early = open_patient (NN_SUB);
    subscribe (early, "b");
    check (share (early, sub) == 0);
    subscribe (sub, "a");
    subscribe (all, "");
    synchronise (pub, all, "x");
    send_text (pub, "a1");
    send_text (pub, "b1");
    send_text (pub, "c1");
    expect_text (sub, "a1");
    expect_text (early, "b1");
    expect_text (all, "a1");
    expect_text (all, "b1");
    expect_text (all, "c1");
    /*  `early` does not receive: `all` gets everything, and `early` as much as it has room for. */
    for (int i = 0; i < 1000; i++) {
        check (nn_send (pub, text, sizeof (text), 0) == sizeof (text));
        check (nn_recv (all, text, sizeof (text), 0) == sizeof (text));
    }
    int kept = 0;
    while (nn_recv (early, text, sizeof (text), NN_DONTWAIT) > 0)
        kept++;
    check (kept > 100 && kept < 200);
    check_error (nn_recv (sub, text, sizeof (text), NN_DONTWAIT), EAGAIN);
    close_socket (sub);
    check_error (nn_recv (all, text, sizeof (text), 0), EBADF);
    close_socket (all);
    close_socket (early);
    close_socket (pub);
}

/*  When the parent is closed, each call of a context fails, and only that it is closed is left to do. */
static void orphaned (void)
{
    int parent = open_socket (NN_REQ), s = context_of (parent), fd, value = 1;
    char text[NN_SOCKADDR_MAX] = "";
    size_t size = sizeof (text);
    struct nn_iovec body = { text, 1 };
    struct nn_msghdr header = { &body, 1, NULL, 0 };
    struct nn_pollfd polled = { s, NN_POLLIN | NN_POLLOUT, 0 };
    static const int read[] = { NN_LINGER, NN_SNDTIMEO, NN_SOCKET_NAME, NN_DOMAIN, NN_PROTOCOL, NN_SNDFD,
        NN_RCVFD, NN_SHARE, NN_MONITOR, NN_LAST_ENDPOINT, NN_ENDPOINT_ADDRESS };
    static const int written[] = { NN_LINGER, NN_SNDTIMEO, NN_SHARE, NN_PEER_INFO };
    fd = get_int (s, NN_SOL_SOCKET, NN_RCVFD);
    check (!is_readable (fd, 0));
    close_socket (parent);
    check (is_readable (fd, LIMIT_MS));
    check_error (nn_send (s, "x", 1, 0), EBADF);
    check_error (nn_recv (s, text, 1, 0), EBADF);
    check_error (nn_sendmsg (s, &header, 0), EBADF);
    check_error (nn_recvmsg (s, &header, 0), EBADF);
    check_error (nn_poll (&polled, 1, -1), EBADF);
    check_error (nn_bind (s, "inproc://orphan"), EBADF);
    check_error (nn_connect (s, "inproc://orphan"), EBADF);
    check_error (nn_shutdown (s, 1), EBADF);
    for (size_t i = 0; i < sizeof (read) / sizeof (read[0]); i++)
        check_error (nn_getsockopt (s, NN_SOL_SOCKET, read[i], text, &size), EBADF);
    for (size_t i = 0; i < sizeof (written) / sizeof (written[0]); i++)
        check_error (nn_setsockopt (s, NN_SOL_SOCKET, written[i], &value, sizeof (value)), EBADF);
    check_error (nn_getsockopt (s, NN_REQ, NN_REQ_RESEND_IVL, text, &size), EBADF);
    check_error (nn_setsockopt (s, NN_REQ, NN_REQ_RESEND_IVL, &value, sizeof (value)), EBADF);
    check (nn_get_statistic (s, NN_STAT_MESSAGES_SENT) == (uint64_t) -1 && nn_errno () == EBADF);
    close_socket (s);
    check_error (nn_close (s), EBADF);
}

static void *receive_closed (void *argument)
{
    char byte;
    check_error (nn_recv (*(int *) argument, &byte, 1, 0), EBADF);
    return NULL;
}

/*  nn_term ends blocked calls of contexts as those of all sockets. */
static void terminated (void)
{
    int parent = open_socket (NN_REP), contexts[8];
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        contexts[i] = open_socket (NN_REP);
        check (share (contexts[i], parent) == 0);
        check (pthread_create (&threads[i], NULL, receive_closed, &contexts[i]) == 0);
    }
    nn_term ();
    for (int i = 0; i < 8; i++)
        check (pthread_join (threads[i], NULL) == 0);
}

/*  What a socket publishes ends when it becomes a context; then the option is that of the parent. */
static void monitored (void)
{
    char text[NN_SOCKADDR_MAX];
    size_t size = sizeof (text);
    int parent = open_socket (NN_REP), s = open_socket (NN_REP), other = open_socket (NN_REP);
    int events = open_patient (NN_SUB);
    set_text (events, NN_SUB, NN_SUB_SUBSCRIBE, "");
    set_text (s, NN_SOL_SOCKET, NN_MONITOR, "inproc://before");
    connect_to (events, "inproc://before");
    check (share (s, parent) == 0);
    expect_event (events, NN_EVENT_CLOSED);
    set_text (other, NN_SOL_SOCKET, NN_MONITOR, "inproc://before");
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_MONITOR, text, &size) == 0 && size == 0);
    set_text (s, NN_SOL_SOCKET, NN_MONITOR, "inproc://afterwards");
    size = sizeof (text);
    check (nn_getsockopt (parent, NN_SOL_SOCKET, NN_MONITOR, text, &size) == 0);
    check (strcmp (text, "inproc://afterwards") == 0);
    close_socket (s);
    close_socket (parent);
    close_socket (other);
    close_socket (events);
}

int main (void)
{
    int s = open_socket (NN_REP), other = open_socket (NN_REP);
    if (on_reference ())
        check_error (share (s, other), ENOPROTOOPT);
    close_socket (s);
    close_socket (other);
    if (!only_ours ("it has no contexts"))
        return 0;
    refused ();
    monitored ();
    orphaned ();
    each_transport (transport)
    {
        many (transport);
        cancelled (transport);
        surveys (transport);
        subscriptions (transport);
    }
    terminated ();
    return 0;
}
