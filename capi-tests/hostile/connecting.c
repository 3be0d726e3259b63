/*  Peers connect to one socket and disconnect at once, again and again. Round trips of another
    socket in the same process must hardly slow down: the mean stays below ten times, and what 99
    of 100 take at most stays below 50 ms plus twice that of the same round trips while the same
    peers connect to another process, which takes as much processor time. The slowest ones are
    not judged: the machine may have stopped this process in a single one of thousands. */

#include "../lib/plain.h"

#include <nanomsg/pipeline.h>

#define FLOODERS 2
#define FLOOD_TIME 2000
#define MOST_ROUND_TRIPS 1000000

static double now_precisely (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

/*  The first bytes of a correct ws peer. */
static const char upgrade[] =
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: pull.sp.nanomsg.org\r\n\r\n";

static void flood (const char *address, int asks)
{
    struct sockaddr_storage storage;
    struct linger at_once = { 1, 0 };
    socklen_t size = plain_address (address, &storage);
    for (;;) {
        int peer = socket (storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /*  Otherwise all ports would soon be in TIME-WAIT. */
        if (storage.ss_family == AF_INET && !asks)
            setsockopt (peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof (at_once));
        if (connect (peer, (struct sockaddr *) &storage, size) == 0 && asks)
            send (peer, upgrade, sizeof (upgrade) - 1, MSG_NOSIGNAL);
        close (peer);
    }
}

/*  Of round trips, in milliseconds. */
struct figures {
    double mean, slow, slowest;
};

static int by_time (const void *left, const void *right)
{
    double a = *(const double *) left, b = *(const double *) right;
    return (a > b) - (a < b);
}

static struct figures round_trips (int s, int milliseconds)
{
    static double times[MOST_ROUND_TRIPS];
    int count = 0;
    double begin = now_precisely (), last = begin;
    while (last < begin + milliseconds && count < MOST_ROUND_TRIPS) {
        send_text (s, "ping");
        wait_readable (s);
        expect_text (s, "ping");
        double now = now_precisely ();
        times[count++] = now - last;
        last = now;
    }
    qsort (times, (size_t) count, sizeof (times[0]), by_time);
    return (struct figures) { (last - begin) / count, times[count - 1 - count / 100], times[count - 1] };
}

/*  Round trips while peers connect to an address. */
static struct figures under_flood (int s, const char *address, int asks)
{
    pid_t flooders[FLOODERS];
    for (int i = 0; i < FLOODERS; i++)
        if ((flooders[i] = start_process ()) == 0)
            flood (address, asks);
    struct figures figures = round_trips (s, FLOOD_TIME);
    for (int i = 0; i < FLOODERS; i++) {
        kill (flooders[i], SIGKILL);
        waitpid (flooders[i], NULL, 0);
    }
    return figures;
}

/*  The same while they connect to another process, which accepts and closes. */
static struct figures beside_flood (int s, const char *transport, int asks)
{
    char address[NN_SOCKADDR_MAX];
    int listener = plain_listen (fresh_address (transport, address));
    pid_t other = start_process ();
    if (other == 0)
        for (;;)
            close (accept (listener, NULL, NULL));
    close (listener);
    struct figures figures = under_flood (s, address, asks);
    kill (other, SIGKILL);
    waitpid (other, NULL, 0);
    return figures;
}

static void check_flood (const char *what, int s, const char *transport, int protocol, int is_taken)
{
    char address[NN_SOCKADDR_MAX], asked[NN_SOCKADDR_MAX + 4];
    int flooded = open_patient (protocol), peer = -1;
    int asks = strcmp (transport, "ws") == 0;
    bind_to (flooded, fresh_address (transport, address));
    if (is_taken) { /* a PAIR socket refuses the others */
        peer = open_patient (protocol);
        connect_to (peer, address);
        send_text (peer, "here");
        expect_text (flooded, "here");
    }
    snprintf (asked, sizeof (asked), asks ? "tcp%s" : "%s", asks ? address + 2 : address);
    struct figures beside = beside_flood (s, asks ? "tcp" : transport, asks);
    struct figures under = under_flood (s, asked, asks);
    say ("%s: %llu accepted; mean %.3f ms instead of %.3f, 99 of 100 below %.1f ms instead of %.1f, slowest %.1f ms "
        "instead of %.1f", what, (unsigned long long) nn_get_statistic (flooded, NN_STAT_ACCEPTED_CONNECTIONS),
        under.mean, beside.mean, under.slow, beside.slow, under.slowest, beside.slowest);
    check (under.slow < 50 + 2 * beside.slow);
    check (under.mean < 10 * beside.mean);
    close_socket (flooded);
    if (peer >= 0)
        close_socket (peer);
}

int main (void)
{
    char address[NN_SOCKADDR_MAX];
    fresh_address ("tcp", address);
    pid_t echo = start_process ();
    if (echo == 0) {
        int s = open_socket (NN_PAIR);
        bind_to (s, address);
        for (;;)
            send_text (s, receive_text (s));
    }
    int s = open_patient (NN_PAIR);
    connect_to (s, address);
    round_trips (s, 100);
    check_flood ("ipc", s, "ipc", NN_PULL, 0);
    check_flood ("tcp", s, "tcp", NN_PULL, 0);
    check_flood ("ipc, turned away", s, "ipc", NN_PAIR, 1);
    check_flood ("tcp, turned away", s, "tcp", NN_PAIR, 1);
    check_flood ("ws, with a full upgrade", s, "ws", NN_PULL, 0);
    close_socket (s);
    kill (echo, SIGKILL);
    waitpid (echo, NULL, 0);
    return 0;
}
