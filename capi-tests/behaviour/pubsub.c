/*  PUB and SUB: topics, copies, messages without a subscriber. */

#include "../lib/test.h"
#include <nanomsg/pubsub.h>

static void subscribe (int sub, const char *topic)
{
    check (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, topic, strlen (topic)) == 0);
}

static void unsubscribe (int sub, const char *topic)
{
    check (nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, topic, strlen (topic)) == 0);
}

static void directions (void)
{
    char byte;
    int pub = open_socket (NN_PUB), sub = open_socket (NN_SUB);
    show ("receive on PUB", nn_recv (pub, &byte, 1, 0));
    show ("send on SUB", nn_send (sub, "x", 1, 0));
    show ("publish to nobody", nn_send (pub, "x", 1, 0));
    show ("publish to nobody, not waiting", nn_send (pub, "x", 1, NN_DONTWAIT));
    show ("receive with no peer", nn_recv (sub, &byte, 1, NN_DONTWAIT));
    close_socket (pub);
    close_socket (sub);
}

/*  Publishes every text and then a last one that always arrives; prints what the subscriber
    received. */
static void heard (int pub, int sub, const char *what)
{
    static const char *const texts[] = { "a", "ab", "abc", "abcd", "abd", "b",
        "ba", "x", "news/sport", "news/weather", "newspaper" };
    char line[256] = "";
    for (size_t i = 0; i < sizeof (texts) / sizeof (texts[0]); i++)
        send_text (pub, texts[i]);
    send_text (pub, "~end");
    for (;;) {
        const char *text = receive_text (sub);
        if (strcmp (text, "~end") == 0)
            break;
        snprintf (line + strlen (line), sizeof (line) - strlen (line), " \"%.20s\"", text);
    }
    say ("  %s:%s", what, line);
}

static void topics (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int pub = open_patient (NN_PUB), sub = open_patient (NN_SUB);
    bind_to (pub, fresh_address (transport, address));
    connect_to (sub, address);
    subscribe (sub, "~");
    synchronise (pub, sub, "~");
    say ("%s", transport);
    heard (pub, sub, "nothing");
    subscribe (sub, "abc");
    heard (pub, sub, "abc");
    subscribe (sub, "news/");
    heard (pub, sub, "and news/");
    subscribe (sub, "abc");
    unsubscribe (sub, "abc");
    heard (pub, sub, "abc twice, once less");
    unsubscribe (sub, "abc");
    heard (pub, sub, "no abc");
    subscribe (sub, "a");
    subscribe (sub, "abd");
    unsubscribe (sub, "a");
    heard (pub, sub, "abd, no a");
    subscribe (sub, "");
    heard (pub, sub, "everything");
    unsubscribe (sub, "");
    unsubscribe (sub, "news/");
    unsubscribe (sub, "abd");
    heard (pub, sub, "nothing again");
    close_socket (pub);
    close_socket (sub);
}

static void bytes (void)
{
    int pub = open_patient (NN_PUB), sub = open_patient (NN_SUB);
    char body[600];
    bind_to (pub, "inproc://bytes");
    connect_to (sub, "inproc://bytes");
    subscribe (sub, "~");
    synchronise (pub, sub, "~");
    nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "\0\1\377", 3);
    nn_send (pub, "\0\1\376", 3, 0);
    nn_send (pub, "\0\1", 2, 0);
    nn_send (pub, "\0\1\377!", 4, 0);
    show ("a topic of any bytes", nn_recv (sub, body, sizeof (body), 0));
    memset (body, 't', sizeof (body));
    nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, body, 500);
    nn_send (pub, body, 499, 0);
    nn_send (pub, body, 600, 0);
    show ("a topic of 500 bytes", nn_recv (sub, body, sizeof (body), 0));
    for (int i = 0; i < 256; i++) {
        char topic[2] = { 'k', (char) i };
        check (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, topic, 2) == 0);
    }
    int received = 0;
    for (int i = 0; i < 256; i++) {
        char topic[3] = { 'k', (char) i, '.' };
        nn_send (pub, topic, 3, 0);
        received += nn_recv (sub, body, sizeof (body), 0) == 3 && body[1] == (char) i;
    }
    say ("256 topics: %d heard", received);
    for (int i = 0; i < 256; i += 2) {
        char topic[2] = { 'k', (char) i };
        check (nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, topic, 2) == 0);
    }
    for (int i = 0; i < 256; i++) {
        char topic[3] = { 'k', (char) i, '.' };
        nn_send (pub, topic, 3, 0);
    }
    send_text (pub, "~");
    for (received = 0; nn_recv (sub, body, sizeof (body), 0) == 3; received++)
        check (body[1] % 2 != 0);
    say ("half of them: %d heard", received);
    close_socket (pub);
    close_socket (sub);
}

/*  An empty message goes to those that subscribed to everything. */
static void empty_message (void)
{
    int pub = open_patient (NN_PUB), sub = open_patient (NN_SUB);
    bind_to (pub, "inproc://empty");
    connect_to (sub, "inproc://empty");
    subscribe (sub, "~");
    synchronise (pub, sub, "~");
    if (only_ours ("an empty message matches every subscription there")) {
        send_text (pub, "");
        send_text (pub, "~after the empty one");
        expect_text (sub, "~after the empty one");
    }
    subscribe (sub, "");
    send_text (pub, "");
    show ("an empty message", nn_recv (sub, NULL, 0, 0));
    close_socket (pub);
    close_socket (sub);
}

/*  Each subscriber has a copy of its own. */
static void copies (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int pub = open_patient (NN_PUB), subs[8];
    bind_to (pub, fresh_address (transport, address));
    for (int i = 0; i < 8; i++) {
        subs[i] = open_patient (NN_SUB);
        subscribe (subs[i], i % 2 ? "odd" : "even");
        subscribe (subs[i], "~");
        connect_to (subs[i], address);
    }
    for (int i = 0; i < 8; i++)
        synchronise (pub, subs[i], "~");
    send_text (pub, "odd news");
    send_text (pub, "even news");
    send_text (pub, "~last");
    for (int i = 0; i < 8; i++) {
        const char *text;
        while (*(text = receive_text (subs[i])) == '~')
            ;
        if (strcmp (text, i % 2 ? "odd news" : "even news") != 0)
            fail ("subscriber %d received \"%s\"", i, text);
        expect_text (subs[i], "~last");
        close_socket (subs[i]);
    }
    say ("%s: eight subscribers have their copies", transport);
    close_socket (pub);
}

/*  Several publishers reach one subscriber. */
static void several (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int sub = open_patient (NN_SUB), one = open_patient (NN_PUB);
    int two = open_patient (NN_PUB);
    bind_to (sub, fresh_address (transport, address));
    subscribe (sub, "");
    connect_to (one, address);
    connect_to (two, address);
    synchronise (one, sub, "one");
    synchronise (two, sub, "two");
    send_text (one, "from one");
    expect_text (sub, "from one");
    send_text (two, "from two");
    expect_text (sub, "from two");
    say ("%s: both publishers are heard", transport);
    close_socket (sub);
    close_socket (one);
    close_socket (two);
}

int main (void)
{
    directions ();
    each_transport (transport) {
        topics (transport);
        copies (transport);
        several (transport);
    }
    empty_message ();
    bytes ();
    return 0;
}
