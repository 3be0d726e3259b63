/*  Peers connect, send as much as they can, and disconnect, or stay: what they sent can still be
    received, within bounds. The bounds are of memory, for messages of any size. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

#define PEERS 150
#define MESSAGES 90

static void leavers (const char *transport)
{
    static char body[10000];
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    set_int (pull, 0, NN_RCVBUF, 1000000);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    honest_message (push, pull);
    long resident = memory_kib ("VmRSS");

    for (int i = 0; i < PEERS; i++) {
        int peer = plain_peer (address, NN_PUSH);
        for (int k = 0; k < MESSAGES; k++)
            check (plain_message (peer, address, body, sizeof (body)) == 0);
        shutdown (peer, SHUT_WR);
        wait_until (!is_open (peer)); /* all of it was read */
        close (peer);
    }
    wait_until (nn_get_statistic (pull, NN_STAT_CURRENT_CONNECTIONS) == 1);
    /*  135 MB were sent; 64 MiB are kept. */
    check_growth ("VmRSS", resident, 96 * 1024);

    int count = 0;
    while (nn_recv (pull, body, sizeof (body), NN_DONTWAIT) == sizeof (body))
        count++;
    check (count >= 50 * MESSAGES && count < PEERS * MESSAGES);
    honest_message (push, pull);

    /*  When that is received there is room for what the next peer leaves. */
    int peer = plain_peer (address, NN_PUSH);
    check (plain_message (peer, address, "last words", 10) == 0);
    close (peer);
    check (strcmp (receive_text (pull), "last words") == 0);
    close_socket (push);
    close_socket (pull);
}

/*  What is kept for disconnected peers, and what malloc may add to it. */
#define KEPT_KIB (64 * 1024)
#define SLACK_KIB (12 * 1024)

/*  `count` times the same message, in one run. */
static size_t repeat (char *bytes, const char *address, size_t body, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += plain_prefix (address, body, (unsigned char *) bytes + size);
        memset (bytes + size, 'x', body);
        size += body;
    }
    return size;
}

/*  Each of `peers` sends `count` messages of `body` bytes and disconnects. */
static void small_words (const char *transport, int peers, size_t body, int count)
{
    static char bytes[2 << 20];
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL);
    set_int (pull, 0, NN_RCVBUF, 8 << 20);
    bind_to (pull, fresh_address (transport, address));
    long resident = memory_kib ("VmRSS");
    size_t size = repeat (bytes, address, body, count);
    for (int i = 0; i < peers; i++) {
        int peer = plain_peer (address, NN_PUSH);
        check (plain_send (peer, bytes, size) == 0);
        shutdown (peer, SHUT_WR);
        char greeting[8];
        check (recv (peer, greeting, 8, MSG_WAITALL) == 8);
        check (recv (peer, greeting, 1, 0) <= 0); /* all of it was read */
        close (peer);
    }
    wait_until (nn_get_statistic (pull, NN_STAT_CURRENT_CONNECTIONS) == 0);
    long grown = memory_kib ("VmRSS") - resident;
    say ("%s, %d peers that left %d messages of %zu bytes each: +%ld KiB", transport, peers, count,
        body, grown);
    check (grown < KEPT_KIB + SLACK_KIB);
    int kept = 0;
    while (nn_recv (pull, bytes, sizeof (bytes), NN_DONTWAIT) >= 0)
        kept++;
    check (kept >= count);
    close_socket (pull);
}

#define STAYING 100
/*  NN_RCVBUF, by default; what one read of the kernel may bring, if each message of nine bytes
    takes sixteen; and blocks. */
#define PER_PEER_KIB (128 + 2 * 128 + 64)

/*  Peers that stay, and send as much as they can while the socket does not receive. */
static void stayers (const char *transport, size_t body)
{
    static char bytes[1 << 20];
    static int peers[STAYING];
    static size_t sent[STAYING];
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL);
    bind_to (pull, fresh_address (transport, address));
    long resident = memory_kib ("VmRSS");
    size_t size = repeat (bytes, address, body, (int) (sizeof (bytes) / (body + 9)));
    for (int i = 0; i < STAYING; i++)
        peers[i] = plain_peer (address, NN_PUSH);
    for (int64_t last = now_ms (); now_ms () - last < QUIET_MS; poll (NULL, 0, 1)) {
        for (int i = 0; i < STAYING; i++) {
            ssize_t part = send (peers[i], bytes + sent[i], size - sent[i],
                MSG_NOSIGNAL | MSG_DONTWAIT);
            check (part >= 0 || errno == EAGAIN);
            sent[i] += part > 0 ? (size_t) part : 0;
            last = part > 0 ? now_ms () : last;
        }
    }
    long grown = (memory_kib ("VmRSS") - resident) / STAYING;
    say ("%s, %d peers that send messages of %zu bytes, which nobody receives: +%ld KiB each",
        transport, STAYING, body, grown);
    check (grown < PER_PEER_KIB);
    for (int i = 0; i < STAYING; i++)
        close (peers[i]);
    close_socket (pull);
}

/*  In a process of its own, since malloc keeps memory that others freed. It may take as long as the test. */
#define apart(call)                                                            \
    do {                                                                       \
        int status_;                                                           \
        pid_t child_ = start_process ();                                       \
        if (child_ == 0) {                                                     \
            call;                                                              \
            _exit (0);                                                         \
        }                                                                      \
        check (waitpid (child_, &status_, 0) == child_ && status_ == 0);       \
    } while (0)

int main (void)
{
    each_plain_transport (transport) {
        apart (leavers (transport));
        apart (small_words (transport, 400, 0, 100000));
        apart (small_words (transport, 200, 1, 100000));
        apart (stayers (transport, 0));
        apart (stayers (transport, 1));
        apart (stayers (transport, 5000));
    }
    /*  Each message takes less than the bookkeeping for it. */
    apart (small_words ("ipc", 40000, 0, 1));
    apart (small_words ("ipc", 8000, 1100, 1));
    return 0;
}
