/*  A thousand hostile connections of a kind at once, beside a well-behaved one: each of them is
    disconnected, whatever it does; memory stays below `PER_PEER` for each; and the other
    connection goes on. Its rate, compared with before, is measured and not judged: the hostile
    process runs on the same machine. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>
#include <nanomsg/ws.h>
#include <sys/epoll.h>

#define PEERS 1000
#define PER_PEER 24 /* KiB */
#define MESSAGES 20000

enum kind { SILENT, SLOW, ENDLESS, LENGTH, PROTOCOL };

struct attack {
    const char *name, *transport;
    enum kind kind;
};

static const struct attack attacks[] = {
    { "say nothing", "tcp", SILENT },
    { "say nothing", "ipc", SILENT },
    { "say nothing", "ws", SILENT },
    { "send one byte a second", "tcp", SLOW },
    { "send one byte a second", "ws", SLOW },
    { "send header fields without end", "ws", ENDLESS },
    { "announce 2^63 bytes", "tcp", LENGTH },
    { "announce 2^63 bytes", "ipc", LENGTH },
    { "speak a wrong protocol", "tcp", PROTOCOL },
    { "speak a wrong protocol", "ipc", PROTOCOL },
};

/* ---- the hostile process ---------------------------------------------------- */

/*  ws uses the address of tcp. */
static int enter (const char *address)
{
    char plain[NN_SOCKADDR_MAX + 8];
    int is_ws = strncmp (address, "ws://", 5) == 0;
    snprintf (plain, sizeof (plain), "%s%s", is_ws ? "tcp://" : "", address + (is_ws ? 5 : 0));
    return plain_connect (plain);
}

static void speak (int peer, const struct attack *attack, const char *address, int turn)
{
    static const char upgrade[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n";
    static const unsigned char header[8] = { 0, 'S', 'P', 0, 0, NN_PUSH, 0, 0 };
    int is_ws = strcmp (attack->transport, "ws") == 0;
    switch (attack->kind) {
    case SILENT:
        break;
    case SLOW:
        if (turn < 7)
            plain_send (peer, is_ws ? upgrade + turn : (const char *) header + turn, 1);
        break;
    case ENDLESS:
        if (turn == 0)
            plain_send (peer, upgrade, sizeof (upgrade) - 1);
        plain_send (peer, "X-More: and more and more and more\r\n", 36);
        break;
    case LENGTH:
        if (turn == 0 && plain_header (peer, NN_PUSH) == 0)
            plain_length (peer, address, (uint64_t) 1 << 63);
        break;
    case PROTOCOL:
        if (turn == 0)
            plain_header (peer, NN_PULL);
        break;
    }
}

/*  Opens all connections, continues with each until it is disconnected, and reports how long the
    last one lasted. */
static void besiege (const struct attack *attack, const char *address, int told)
{
    static int peers[PEERS];
    int open = PEERS;
    int64_t turns = 0;
    for (int i = 0; i < PEERS; i++) {
        peers[i] = enter (address);
        speak (peers[i], attack, address, 0);
    }
    int64_t start = now_ms ();
    check (write (told, &start, sizeof (start)) == sizeof (start));
    while (open > 0) {
        if (now_ms () - start > CUT_MS)
            fail ("%d of those that %s are still there", open, attack->name);
        /*  In ENDLESS, one header field on each connection every 10 ms. */
        int64_t pace = attack->kind == ENDLESS ? 10 : 1000;
        int is_turn = now_ms () - start >= (turns + 1) * pace;
        turns += is_turn;
        for (int i = 0; i < PEERS; i++) {
            if (peers[i] >= 0 && !is_open (peers[i])) {
                close (peers[i]);
                peers[i] = -1;
                open--;
            }
            if (peers[i] >= 0 && is_turn)
                speak (peers[i], attack, address, (int) turns);
        }
        poll (NULL, 0, 10);
    }
    int64_t lasted = now_ms () - start;
    check (write (told, &lasted, sizeof (lasted)) == sizeof (lasted));
    _exit (0);
}

/* ---- the honest ones --------------------------------------------------------- */

static int pull, push;

static void *receive_all (void *nothing)
{
    char text[64];
    for (int i = 0; i < MESSAGES; i++) {
        int number = -1;
        check (nn_recv (pull, text, sizeof (text), 0) == (int) sizeof (text));
        memcpy (&number, text, sizeof (number));
        check (number == i);
    }
    return nothing;
}

/*  Messages a second. */
static double rate (void)
{
    char text[64] = { 0 };
    struct timespec from, to;
    pthread_t receiver = start_thread (receive_all, NULL);
    clock_gettime (CLOCK_MONOTONIC, &from);
    for (int i = 0; i < MESSAGES; i++) {
        memcpy (text, &i, sizeof (i));
        check (nn_send (push, text, sizeof (text), 0) == sizeof (text));
    }
    join_thread (receiver);
    clock_gettime (CLOCK_MONOTONIC, &to);
    return MESSAGES
        / ((double) (to.tv_sec - from.tv_sec) + (double) (to.tv_nsec - from.tv_nsec) / 1e9);
}

static double middle_of_five (void)
{
    double rates[5];
    for (int i = 0; i < 5; i++) {
        double next = rate ();
        int place = i;
        for (; place > 0 && rates[place - 1] > next; place--)
            rates[place] = rates[place - 1];
        rates[place] = next;
    }
    return rates[2];
}

static void one (const struct attack *attack)
{
    char address[NN_SOCKADDR_MAX];
    int told[2];
    int64_t time;
    check (pipe2 (told, O_CLOEXEC) == 0);
    fresh_address (attack->transport, address);
    pid_t child = start_process ();
    if (child == 0) {
        raise (SIGSTOP); /* until the attack begins */
        besiege (attack, address, told[1]);
    }
    close (told[1]);
    pull = open_patient (NN_PULL);
    push = open_patient (NN_PUSH);
    bind_to (pull, address);
    connect_to (push, address);
    double before = middle_of_five ();
    int descriptors = count_descriptors ();
    long resident = memory_kib ("VmRSS");
    int status;
    check (waitpid (child, &status, WUNTRACED) == child && WIFSTOPPED (status));
    kill (child, SIGCONT);
    check (is_readable (told[0], LIMIT_MS));
    check (read (told[0], &time, sizeof (time)) == sizeof (time));
    double during = middle_of_five ();
    long grown = memory_kib ("VmRSS") - resident;
    check (is_readable (told[0], CUT_MS));
    check (read (told[0], &time, sizeof (time)) == sizeof (time));
    check (waitpid (child, &status, 0) == child && status == 0);
    close (told[0]);
    /*  Each socket keeps one descriptor for a sleeping call, from the first such call on. */
    wait_until (count_descriptors () <= descriptors - 1 + 2);
    say ("%s, 1000 that %s: honest rate %.2f of what it was, +%ld KiB, the last cut off after "
         "%.1f s", attack->transport, attack->name, during / before, grown, (double) time / 1000);
    if (grown > (long) PEERS * PER_PEER)
        fail ("that is too much memory");
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    limit_descriptors (4096);
    for (size_t i = 0; i < sizeof (attacks) / sizeof (attacks[0]); i++)
        one (&attacks[i]);
    return 0;
}
