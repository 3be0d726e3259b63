/*  Filtering at the publisher: what travels is what was subscribed to, if both sides want that. */

#include "../lib/plain.h"
#include <nanomsg/ext.h>
#include <nanomsg/pubsub.h>

#define PUB_NUMBER 0xf020
#define SUB_NUMBER 0xf021

static long long statistic (int s, int number)
{
    return (long long) nn_get_statistic (s, number);
}

static void subscribe (int s, const char *topic)
{
    check (nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, topic, strlen (topic)) == 0);
}

static int publisher (int filters)
{
    int s = open_patient (NN_PUB);
    set_int (s, NN_PUB, NN_PUB_FILTER, filters);
    return s;
}

static int subscriber (int filters)
{
    int s = open_patient (NN_SUB);
    set_int (s, NN_SUB, NN_SUB_FILTER_UPSTREAM, filters);
    return s;
}

static void options (void)
{
    char byte = 1;
    int value = 2, pub = open_socket (NN_PUB), sub = open_socket (NN_SUB);
    check (get_int (pub, NN_PUB, NN_PUB_FILTER) == 0);
    check (get_int (sub, NN_SUB, NN_SUB_FILTER_UPSTREAM) == 0);
    check_error (nn_setsockopt (pub, NN_PUB, NN_PUB_FILTER, &value, sizeof (value)), EINVAL);
    check_error (nn_setsockopt (sub, NN_SUB, NN_SUB_FILTER_UPSTREAM, &value, sizeof (value)), EINVAL);
    check_error (nn_setsockopt (pub, NN_PUB, NN_PUB_FILTER, &byte, 1), EINVAL);
    check_error (nn_setsockopt (pub, NN_PUB, NN_PUB_FILTER, NULL, sizeof (value)), EFAULT);
    check_error (nn_setsockopt (pub, NN_SUB, NN_SUB_FILTER_UPSTREAM, &value, sizeof (value)), ENOPROTOOPT);
    check_error (nn_setsockopt (sub, NN_PUB, NN_PUB_FILTER, &value, sizeof (value)), ENOPROTOOPT);
    check (get_int (pub, NN_PUB, NN_PUB_FILTER) == 0);
    check (statistic (sub, NN_STAT_CURRENT_SUBSCRIPTIONS) == 0);
    close_socket (pub);
    close_socket (sub);
}

/*  Each side may bind, and may have the option or not: the subscriber receives the same. */
static void each_way (const char *transport, int pub_binds, int pub_filters, int sub_filters)
{
    char address[NN_SOCKADDR_MAX];
    int pub = publisher (pub_filters), sub = subscriber (sub_filters);
    int filters = pub_filters && sub_filters;
    subscribe (sub, "a");
    subscribe (sub, "a");
    subscribe (sub, "ab");
    bind_to (pub_binds ? pub : sub, fresh_address (transport, address));
    connect_to (pub_binds ? sub : pub, address);
    synchronise (pub, sub, "a");
    /*  The second topic may come after the first. */
    wait_until (statistic (pub, NN_STAT_CURRENT_SUBSCRIPTIONS) == (filters ? 2 : 0));
    check (statistic (pub, NN_STAT_CURRENT_CONNECTIONS) == 1);
    for (int i = 0; i < 3; i++) {
        send_text (pub, "b is not wanted");
        send_text (pub, "abc");
        expect_text (sub, "abc");
    }
    subscribe (sub, "b");
    synchronise (pub, sub, "b");
    /*  All that were sent before it have come. */
    check (statistic (pub, NN_STAT_CURRENT_SUBSCRIPTIONS) == (filters ? 3 : 0));
    for (int i = 0; i < 2; i++)
        check (nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, "a", 1) == 0);
    if (filters)
        wait_until (statistic (pub, NN_STAT_CURRENT_SUBSCRIPTIONS) == 2);
    send_text (pub, "ac");
    send_text (pub, "abd");
    send_text (pub, "b");
    expect_text (sub, "abd");
    expect_text (sub, "b");
    check (nn_recv (sub, address, 1, NN_DONTWAIT) == -1);
    close_socket (sub);
    if (filters)
        wait_until (statistic (pub, NN_STAT_CURRENT_SUBSCRIPTIONS) == 0);
    close_socket (pub);
}

/*  A subscriber that waits in nn_recv sends its subscriptions when a publisher comes. */
static void *publish_until_told (void *argument)
{
    int *state = argument;
    while (!__atomic_load_n (&state[1], __ATOMIC_ACQUIRE)) {
        send_text (state[0], "news");
        poll (NULL, 0, 1);
    }
    return NULL;
}

static void sleeping_subscriber (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    pthread_t thread;
    int state[2] = { publisher (1), 0 }, sub = subscriber (1);
    subscribe (sub, "n");
    connect_to (sub, fresh_address (transport, address));
    bind_to (state[0], address);
    check (pthread_create (&thread, NULL, publish_until_told, state) == 0);
    expect_text (sub, "news");
    __atomic_store_n (&state[1], 1, __ATOMIC_RELEASE);
    check (pthread_join (thread, NULL) == 0);
    close_socket (sub);
    close_socket (state[0]);
}

/*  The number in the peer's header. */
static int number_from (int descriptor)
{
    unsigned char header[8];
    check (recv (descriptor, header, sizeof (header), MSG_WAITALL) == sizeof (header));
    check (memcmp (header, "\0SP\0", 4) == 0 && header[6] == 0 && header[7] == 0);
    return header[4] << 8 | header[5];
}

/*  A dialer proposes filtering; a peer that answers with another number is an old one, and gets the old greeting. */
static void old_listener (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int sub = subscriber (1), listener = plain_listen (fresh_address (transport, address));
    set_int (sub, NN_SOL_SOCKET, NN_RECONNECT_IVL, LIMIT_MS);
    subscribe (sub, "a");
    connect_to (sub, address);
    int peer = plain_accept (listener);
    check (number_from (peer) == SUB_NUMBER);
    check (plain_header (peer, NN_PUB) == 0);
    expect_cut (peer);
    peer = plain_accept (listener);
    check (number_from (peer) == NN_SUB);
    check (plain_header (peer, NN_PUB) == 0);
    check (plain_message (peer, address, "b", 1) == 0);
    check (plain_message (peer, address, "abc", 3) == 0);
    expect_text (sub, "abc");
    /*  Not a byte of a subscription. */
    subscribe (sub, "c");
    check (plain_message (peer, address, "c", 1) == 0);
    expect_text (sub, "c");
    check (is_open (peer) && recv (peer, address, 1, MSG_DONTWAIT) == -1);
    close (peer);
    close (listener);
    close_socket (sub);
}

/*  A listener says nothing before the peer has, and answers in kind. */
static void old_dialer (const char *transport)
{
    char address[NN_SOCKADDR_MAX], byte;
    int pub = publisher (1);
    bind_to (pub, fresh_address (transport, address));
    int old = plain_connect (address), new = plain_connect (address), other = plain_connect (address);
    wait_until (statistic (pub, NN_STAT_ACCEPTED_CONNECTIONS) == 3);
    check (recv (old, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    check (plain_header (old, NN_SUB) == 0 && plain_header (new, SUB_NUMBER) == 0);
    check (plain_header (other, NN_PAIR) == 0);
    check (number_from (old) == NN_PUB && number_from (new) == PUB_NUMBER);
    expect_cut (other);
    close (old);
    close (new);
    close_socket (pub);
}

/*  The bytes that a plain peer with these subscriptions gets until a message that all get. */
static size_t bytes_until_end (int descriptor)
{
    static char bytes[1 << 16];
    size_t total = 0, kept = 0;
    do {
        ssize_t size = recv (descriptor, bytes + kept, sizeof (bytes) - kept, 0);
        check (size > 0);
        total += (size_t) size;
        kept += (size_t) size;
        if (kept > 4096) {
            memmove (bytes, bytes + kept - 64, 64);
            kept = 64;
        }
    } while (kept < 3 || memcmp (bytes + kept - 3, "END", 3) != 0);
    return total;
}

/*  Eight subscribers of one topic each: with filtering each gets an eighth of the bytes. */
static void on_the_wire (const char *transport, int filters)
{
    enum { SUBSCRIBERS = 8, MESSAGES = 100, SIZE = 100 };
    char address[NN_SOCKADDR_MAX], topic[3] = { 1, 'a', 0 }, message[SIZE] = { 0 };
    int peers[SUBSCRIBERS], pub = publisher (1);
    bind_to (pub, fresh_address (transport, address));
    for (int i = 0; i < SUBSCRIBERS; i++) {
        peers[i] = plain_peer (address, filters ? SUB_NUMBER : NN_SUB);
        check (number_from (peers[i]) == (filters ? PUB_NUMBER : NN_PUB));
        topic[1] = (char) ('a' + i);
        if (filters)
            check (plain_message (peers[i], address, topic, 2) == 0
                && plain_message (peers[i], address, "\1END", 4) == 0);
    }
    wait_until (statistic (pub, NN_STAT_CURRENT_CONNECTIONS) == SUBSCRIBERS);
    wait_until (statistic (pub, NN_STAT_CURRENT_SUBSCRIPTIONS) == (filters ? 2 * SUBSCRIBERS : 0));
    for (int i = 0; i < MESSAGES * SUBSCRIBERS; i++) {
        message[0] = (char) ('a' + i % SUBSCRIBERS);
        check (nn_send (pub, message, SIZE, 0) == SIZE);
    }
    send_text (pub, "END");
    size_t prefix = strcmp (transport, "ipc") == 0 ? 9 : 8, total = 0;
    size_t wanted = (filters ? MESSAGES : MESSAGES * SUBSCRIBERS) * (prefix + SIZE) + prefix + 3;
    for (int i = 0; i < SUBSCRIBERS; i++) {
        size_t bytes = bytes_until_end (peers[i]);
        if (bytes != wanted)
            fail ("%zu bytes instead of %zu", bytes, wanted);
        total += bytes;
        close (peers[i]);
    }
    fprintf (stderr, "%s, %s: %zu bytes of %d messages to %d subscribers\n", transport,
        filters ? "filtering" : "not filtering", total, MESSAGES * SUBSCRIBERS, SUBSCRIBERS);
    close_socket (pub);
}

static void *run_device (void *sockets)
{
    int *s = sockets;
    nn_device (s[0], s[1]);
    return NULL;
}

/*  A device subscribes to everything; its own publisher filters. */
static void device (const char *transport)
{
    char front[NN_SOCKADDR_MAX], back[NN_SOCKADDR_MAX];
    pthread_t thread;
    int raw[2] = { nn_socket (AF_SP_RAW, NN_SUB), nn_socket (AF_SP_RAW, NN_PUB) };
    int pub = publisher (1), sub = subscriber (1);
    set_int (raw[0], NN_SUB, NN_SUB_FILTER_UPSTREAM, 1);
    set_int (raw[1], NN_PUB, NN_PUB_FILTER, 1);
    subscribe (raw[0], "");
    subscribe (sub, "a");
    bind_to (raw[0], fresh_address (transport, front));
    bind_to (raw[1], fresh_address (transport, back));
    connect_to (pub, front);
    connect_to (sub, back);
    check (pthread_create (&thread, NULL, run_device, raw) == 0);
    synchronise (pub, sub, "a");
    check (statistic (pub, NN_STAT_CURRENT_SUBSCRIPTIONS) == 1);
    check (statistic (raw[1], NN_STAT_CURRENT_SUBSCRIPTIONS) == 1);
    send_text (pub, "b");
    send_text (pub, "a");
    expect_text (sub, "a");
    close_socket (raw[0]);
    close_socket (raw[1]);
    check (pthread_join (thread, NULL) == 0);
    close_socket (pub);
    close_socket (sub);
}

int main (void)
{
    static const char *const all[] = { "inproc", "ipc", "tcp", "ws" };
    if (!only_ours ("it does not filter")) {
        int value = 1, pub = open_socket (NN_PUB), sub = open_socket (NN_SUB);
        check_error (nn_setsockopt (pub, NN_PUB, NN_PUB_FILTER, &value, sizeof (value)), ENOPROTOOPT);
        check (nn_setsockopt (sub, NN_SUB, NN_SUB_FILTER_UPSTREAM, &value, sizeof (value)) == -1);
        close_socket (pub);
        close_socket (sub);
        return 0;
    }
    options ();
    for (int t = 0; t < 4; t++) {
        for (int way = 0; way < 8; way++)
            each_way (all[t], way & 1, way >> 1 & 1, way >> 2);
        sleeping_subscriber (all[t]);
        device (all[t]);
    }
    each_plain_transport (transport) {
        old_listener (transport);
        old_dialer (transport);
        on_the_wire (transport, 0);
        on_the_wire (transport, 1);
    }
    return 0;
}
