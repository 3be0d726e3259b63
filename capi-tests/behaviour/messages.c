/*  nn_allocmsg, nn_reallocmsg, nn_freemsg, and messages sent with NN_MSG. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

/*  A pointer result as an observation: its presence or its error. */
#define show_pointer(what, call)                                               \
    do {                                                                       \
        errno = 0;                                                             \
        void *pointer_ = (call);                                               \
        say ("%s: %s", what, pointer_ ? "a message" : error_name (nn_errno ()));\
        if (pointer_)                                                          \
            nn_freemsg (pointer_);                                             \
    } while (0)

static void allocation (void)
{
    show_pointer ("0 bytes", nn_allocmsg (0, 0));
    show_pointer ("1 byte", nn_allocmsg (1, 0));
    show_pointer ("type 1", nn_allocmsg (10, 1));
    show_pointer ("type -1", nn_allocmsg (10, -1));
    show_pointer ("the largest size", nn_allocmsg ((size_t) -1, 0));
    show_pointer ("3 less", nn_allocmsg ((size_t) -3, 0));
    show_pointer ("half of all", nn_allocmsg ((size_t) -1 / 2, 0));

    char *message = nn_allocmsg (10, 0);
    memcpy (message, "0123456789", 10);
    message = nn_reallocmsg (message, 100000);
    say ("grown: %.10s", message);
    memset (message, 'x', 100000);
    memcpy (message, "0123456789", 10);
    message = nn_reallocmsg (message, 5);
    say ("shrunk: %.5s", message);
    message = nn_reallocmsg (message, 9);
    say ("grown again: %.5s", message);
    errno = 0;
    void *huge = nn_reallocmsg (message, (size_t) -1);
    say ("the largest size: %s", huge ? "a message" : error_name (nn_errno ()));
    say ("and the message is still there: %.5s", message);
    message = nn_reallocmsg (message, 0);
    say ("0 bytes: %s", message ? "a message" : "NULL");
    show ("freed", nn_freemsg (message));

    if (only_ours ("NULL crashes it")) {
        check_error (nn_freemsg (NULL), EFAULT);
        check_error (nn_reallocmsg (NULL, 10), EFAULT);
    }
}

static void *text_message (const char *text)
{
    char *message = nn_allocmsg (strlen (text), 0);
    check (message != NULL);
    memcpy (message, text, strlen (text));
    return message;
}

static void *filled (size_t size)
{
    unsigned char *message = nn_allocmsg (size, 0);
    check (message != NULL);
    for (size_t i = 0; i < size; i++)
        message[i] = (unsigned char) (i * 7);
    return message;
}

static void exchange (const char *transport)
{
    static const size_t sizes[] = { 0, 1, 31, 32, 33, 100, 1000, 4096, 100000, 1048576 };
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    void *message = text_message ("kept"), *received = NULL;

    say ("%s", transport);
    show ("  sent with no peer", nn_send (a, &message, NN_MSG, NN_DONTWAIT));
    say ("  still the caller's: %.4s", (char *) message);
    show ("  sent on a bad id", nn_send (1000, &message, NN_MSG, 0));
    say ("  still the caller's: %.4s", (char *) message);

    fresh_address (transport, address);
    bind_to (a, address);
    connect_to (b, address);
    wait_writable (a);
    show ("  sent", nn_send (a, &message, NN_MSG, 0));
    int size = nn_recv (b, &received, NN_MSG, 0);
    say ("  received %d: %.4s", size, (char *) received);
    show ("  sent on", nn_send (b, &received, NN_MSG, 0));
    show ("  received", nn_recv (a, &received, NN_MSG, 0));
    received = nn_reallocmsg (received, 8);
    memcpy ((char *) received + 4, "more", 4);
    say ("  extended: %.8s", (char *) received);
    show ("  freed", nn_freemsg (received));

    for (size_t i = 0; i < sizeof (sizes) / sizeof (sizes[0]); i++) {
        message = filled (sizes[i]);
        check (nn_send (a, &message, NN_MSG, 0) == (int) sizes[i]);
        received = NULL;
        check (nn_recv (b, &received, NN_MSG, 0) == (int) sizes[i]);
        for (size_t place = 0; place < sizes[i]; place++)
            if (((unsigned char *) received)[place] != (unsigned char) (place * 7))
                fail ("%zu bytes arrived changed", sizes[i]);
        check (nn_freemsg (received) == 0);
    }
    message = text_message ("a message");
    check (nn_send (a, &message, NN_MSG, 0) == 9);
    say ("  into a buffer: %s", receive_text (b));
    send_text (a, "a buffer");
    size = nn_recv (b, &received, NN_MSG, 0);
    say ("  into a message: %.*s", size, (char *) received);
    nn_freemsg (received);

    received = NULL;
    show ("  nothing there", nn_recv (b, &received, NN_MSG, NN_DONTWAIT));
    say ("  and no message: %d", received == NULL);
    message = NULL;
    show ("  a NULL message", nn_send (a, &message, NN_MSG, 0));
    close_socket (a);
    close_socket (b);
}

/*  After a failed send the message belongs to the caller, whatever the reason. */
static void failures (void)
{
    int pull = open_socket (NN_PULL), rep = open_socket (NN_REP);
    void *message = text_message ("kept");
    show ("on PULL", nn_send (pull, &message, NN_MSG, 0));
    show ("on REP in the wrong state", nn_send (rep, &message, NN_MSG, 0));
    int pair = open_socket (NN_PAIR);
    set_int (pair, 0, NN_SNDTIMEO, 1);
    show ("timed out", nn_send (pair, &message, NN_MSG, 0));
    say ("still the caller's: %.4s", (char *) message);
    show ("freed", nn_freemsg (message));
    close_socket (pull);
    close_socket (rep);
    close_socket (pair);
}

static void protocols (void)
{
    int pub = open_patient (NN_PUB), sub = open_patient (NN_SUB);
    void *message, *received;
    nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "", 0);
    message = text_message ("to nobody");
    show ("published to nobody", nn_send (pub, &message, NN_MSG, 0));
    bind_to (pub, "inproc://messages-pub");
    connect_to (sub, "inproc://messages-pub");
    synchronise (pub, sub, "");
    message = text_message ("news");
    show ("published", nn_send (pub, &message, NN_MSG, 0));
    int size = nn_recv (sub, &received, NN_MSG, 0);
    say ("received: %.*s", size, (char *) received);
    nn_freemsg (received);
    close_socket (pub);
    close_socket (sub);

    int rep = open_patient (NN_REP), req = open_patient (NN_REQ);
    bind_to (rep, "inproc://messages-rep");
    connect_to (req, "inproc://messages-rep");
    message = text_message ("question");
    show ("asked", nn_send (req, &message, NN_MSG, 0));
    size = nn_recv (rep, &received, NN_MSG, 0);
    say ("received: %.*s", size, (char *) received);
    nn_freemsg (received);
    message = text_message ("answer");
    show ("answered", nn_send (rep, &message, NN_MSG, 0));
    size = nn_recv (req, &received, NN_MSG, 0);
    say ("received: %.*s", size, (char *) received);
    nn_freemsg (received);
    close_socket (rep);
    close_socket (req);
}

int main (void)
{
    allocation ();
    each_transport (transport)
        exchange (transport);
    failures ();
    protocols ();
    return 0;
}
