/*  Peers of a publisher that filters, which send it malformed subscriptions, too many, too long ones, and ever new
    ones. Each harms only itself: it gets everything, or nothing; an honest subscriber gets what it wants. */

#include "../lib/plain.h"
#include <nanomsg/ext.h>
#include <nanomsg/pubsub.h>

#define SUB_NUMBER 0xf021

static int pub, sub;
static char address[NN_SOCKADDR_MAX];

static long long statistic (int number)
{
    return (long long) nn_get_statistic (pub, number);
}

static void open_both (const char *transport)
{
    pub = open_patient (NN_PUB);
    set_int (pub, NN_PUB, NN_PUB_FILTER, 1);
    bind_to (pub, fresh_address (transport, address));
    sub = open_patient (NN_SUB);
    set_int (sub, NN_SUB, NN_SUB_FILTER_UPSTREAM, 1);
    check (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "honest", 6) == 0);
    connect_to (sub, address);
    synchronise (pub, sub, "honest");
    check (statistic (NN_STAT_CURRENT_SUBSCRIPTIONS) == 1);
}

static void close_both (void)
{
    close_socket (sub);
    close_socket (pub);
}

/*  Whether the peer gets these bytes before nothing has come for some milliseconds; it closes the connection. */
static int gets (int peer, const char *text, int patience)
{
    static char bytes[1 << 16];
    size_t length = strlen (text), kept = 0;
    ssize_t size;
    int found = 0;
    while (!found && is_readable (peer, patience)
            && (size = recv (peer, bytes + kept, sizeof (bytes) - kept, 0)) > 0) {
        kept += (size_t) size;
        found = memmem (bytes, kept, text, length) != NULL;
        if (kept > length) {
            memmove (bytes, bytes + kept - length, length);
            kept = length;
        }
    }
    close (peer);
    return found;
}

/*  Messages that are no subscriptions, and subscriptions that end what never began. */
static void malformed (void)
{
    int peer = plain_peer (address, SUB_NUMBER);
    check (plain_message (peer, address, "", 0) == 0);
    check (plain_message (peer, address, "\0a", 2) == 0);
    check (plain_message (peer, address, "\3a", 2) == 0);
    check (plain_message (peer, address, "\xff", 1) == 0);
    check (plain_message (peer, address, "\2never", 6) == 0);
    check (plain_message (peer, address, "\2", 1) == 0);
    check (plain_message (peer, address, "\1twice", 6) == 0);
    check (plain_message (peer, address, "\1twice", 6) == 0);
    check (plain_message (peer, address, "\2twice", 6) == 0);
    check (plain_message (peer, address, "\1last", 5) == 0);
    wait_until (statistic (NN_STAT_INVALID_MESSAGES) == 4);
    wait_until (statistic (NN_STAT_CURRENT_SUBSCRIPTIONS) == 2);
    send_text (pub, "twice");
    honest_message (pub, sub);
    check (!gets (peer, "twice", QUIET_MS));
    wait_until (statistic (NN_STAT_CURRENT_SUBSCRIPTIONS) == 1);
}

/*  More topics than a peer may have: it gets everything. */
static void too_many (void)
{
    char topic[32];
    int peer = plain_peer (address, SUB_NUMBER);
    for (int i = 0; i <= 65536; i++) {
        int size = snprintf (topic, sizeof (topic), "\1topic/%d", i);
        check (plain_message (peer, address, topic, (size_t) size) == 0);
        if (i == 30000)
            honest_message (pub, sub);
    }
    /*  That of the honest one, and one for everything. */
    wait_until (statistic (NN_STAT_CURRENT_SUBSCRIPTIONS) == 2);
    send_text (pub, "something else");
    check (gets (peer, "something else", LIMIT_MS));
    honest_message (pub, sub);
    wait_until (statistic (NN_STAT_CURRENT_SUBSCRIPTIONS) == 1);
}

/*  Long topics of many peers: the memory for them is bounded. */
static void too_long (void)
{
    enum { PEERS = 40, LENGTH = 1000000, EACH = 4 };
    static char topic[LENGTH];
    int peers[PEERS];
    long before = memory_kib ("VmRSS");
    for (int i = 0; i < PEERS; i++) {
        peers[i] = plain_peer (address, SUB_NUMBER);
        for (int j = 0; j < EACH; j++) {
            memset (topic, 'a' + j, LENGTH);
            topic[0] = 1;
            topic[1] = (char) ('A' + i);
            check (plain_message (peers[i], address, topic, LENGTH) == 0);
        }
    }
    honest_message (pub, sub);
    wait_until (statistic (NN_STAT_CURRENT_CONNECTIONS) == PEERS + 1);
    /*  64 MiB, the messages that are on their way, and what the allocator keeps. */
    check_growth ("VmRSS", before, 120 * 1024);
    for (int i = 0; i < PEERS; i++)
        close (peers[i]);
    wait_until (statistic (NN_STAT_CURRENT_SUBSCRIPTIONS) == 1);
}

/*  Subscribes and unsubscribes as fast as it can. */
static int stops;

static void *toggle (void *argument)
{
    (void) argument;
    char messages[2048];
    size_t size = 0;
    int peer = plain_peer (address, SUB_NUMBER);
    for (int i = 0; i < 60; i++) {
        unsigned char body[3] = { (unsigned char) (1 + i % 2), 't', (unsigned char) i };
        size += plain_prefix (address, sizeof (body), (unsigned char *) messages + size);
        memcpy (messages + size, body, sizeof (body));
        size += sizeof (body);
    }
    while (!__atomic_load_n (&stops, __ATOMIC_ACQUIRE))
        check (plain_send (peer, messages, size) == 0);
    close (peer);
    return NULL;
}

static void flood (void)
{
    pthread_t threads[2];
    stops = 0;
    for (int i = 0; i < 2; i++)
        check (pthread_create (&threads[i], NULL, toggle, NULL) == 0);
    wait_until (statistic (NN_STAT_CURRENT_CONNECTIONS) == 3);
    for (int i = 0; i < 2000; i++)
        honest_message (pub, sub);
    __atomic_store_n (&stops, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        check (pthread_join (threads[i], NULL) == 0);
    wait_until (statistic (NN_STAT_CURRENT_SUBSCRIPTIONS) == 1);
}

/*  A publisher that never reads: the changes for it are bounded, and the subscriber's calls return. */
static void silent_publisher (const char *transport)
{
    enum { LENGTH = 10000 };
    static char topic[LENGTH];
    char there[NN_SOCKADDR_MAX];
    int s = open_patient (NN_SUB), listener = plain_listen (fresh_address (transport, there));
    set_int (s, NN_SUB, NN_SUB_FILTER_UPSTREAM, 1);
    set_int (s, NN_SOL_SOCKET, NN_LINGER, 0);
    connect_to (s, there);
    int peer = plain_accept (listener);
    check (plain_header (peer, 0xf020) == 0);
    check (plain_message (peer, there, "x", 1) == 0);
    long before = memory_kib ("VmRSS");
    for (int i = 0; i < 5000; i++) {
        memset (topic, 'a' + i % 20, LENGTH);
        memcpy (topic, &i, sizeof (i));
        check (nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, topic, LENGTH) == 0);
        check (nn_setsockopt (s, NN_SUB, NN_SUB_UNSUBSCRIBE, topic, LENGTH) == 0);
    }
    check_growth ("VmRSS", before, 50 * 1024);
    close_socket (s);
    close (peer);
    close (listener);
}

int main (void)
{
    each_plain_transport (transport) {
        open_both (transport);
        malformed ();
        too_many ();
        too_long ();
        flood ();
        close_both ();
        silent_publisher (transport);
    }
    return 0;
}
