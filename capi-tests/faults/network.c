/*  A network that drops, delays and reorders packets, and is cut: the test makes two network
    namespaces, each with one interface (tun), and a cable between them: a process that carries
    the packets from one to the other, with the requested faults. No packet leaves them. Requests
    are answered when the cut has ended, also by a peer that took the place of the one that got
    them. A pipeline loses nothing while its connection lives, however bad the network is, and
    only what was in flight if the peer dies during a cut. */

#include "../lib/plain.h"
#include "../lib/network.h"
#include <linux/if_tun.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/reqrep.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define NEAR "10.211.0.1"
#define FAR "10.211.0.2"
#define REQUESTS "tcp://" FAR ":5701"
#define PIPELINE "tcp://" FAR ":5702"
#define SIZE 1000

/* ---- the cable -------------------------------------------------------------- */

/*  The faults of the cable; in memory that all processes of the test share. */
struct weather {
    atomic_int lost;      /* of a hundred packets */
    atomic_int doubled;   /* of a hundred packets */
    atomic_int delay;     /* in milliseconds, of every packet */
    atomic_int more;      /* up to so many more, so that packets overtake each other */
    atomic_int carried, dropped, overtaken;
};

static struct weather *weather;

struct packet {
    int64_t due;
    int to;
    ssize_t size; /* 0 when the place is free */
    char bytes[1600];
};

static void carry (int ends[2])
{
    enum { PLACES = 4000 };
    static struct packet packets[PLACES];
    uint32_t seed = 7;
    int64_t last[2] = { 0, 0 };
    for (;;) {
        struct pollfd items[2] = { { ends[0], POLLIN, 0 }, { ends[1], POLLIN, 0 } };
        int64_t now = now_ms (), next = now + 1000;
        for (int i = 0; i < PLACES; i++) {
            struct packet *packet = &packets[i];
            if (packet->size == 0)
                continue;
            if (packet->due <= now) {
                /*  An interface that is down accepts no packets. */
                if (write (packet->to, packet->bytes, (size_t) packet->size) > 0)
                    weather->carried++;
                packet->size = 0;
            } else if (packet->due < next)
                next = packet->due;
        }
        poll (items, 2, (int) (next - now));
        for (int end = 0, place = 0; end < 2; end++) {
            char bytes[1600];
            ssize_t size;
            while ((size = read (ends[end], bytes, sizeof (bytes))) > 0) {
                int copies = (int) (next_random (&seed) % 100) < weather->doubled ? 2 : 1;
                if ((int) (next_random (&seed) % 100) < weather->lost)
                    copies = 0;
                while (copies > 0 && place < PLACES && packets[place].size != 0)
                    place++;
                if (copies == 0 || place == PLACES) {
                    weather->dropped++;
                    continue;
                }
                for (; copies > 0 && place < PLACES; place++) {
                    if (packets[place].size != 0)
                        continue;
                    uint32_t more = next_random (&seed) % (uint32_t) (weather->more + 1);
                    packets[place].due = now_ms () + weather->delay + more;
                    packets[place].to = ends[!end];
                    packets[place].size = size;
                    memcpy (packets[place].bytes, bytes, (size_t) size);
                    weather->overtaken += packets[place].due < last[end];
                    last[end] = packets[place].due;
                    copies--;
                }
            }
        }
    }
}

static void set_weather (int lost, int doubled, int delay, int more)
{
    weather->lost = lost;
    weather->doubled = doubled;
    weather->delay = delay;
    weather->more = more;
}

/* ---- the two sides ---------------------------------------------------------- */

static pid_t far_side; /* has the other namespace, and carries the packets */

static void set_address (const char *interface, unsigned long what, const char *address)
{
    struct ifreq value;
    memset (&value, 0, sizeof (value));
    struct sockaddr_in *in = (struct sockaddr_in *) &value.ifr_addr;
    in->sin_family = AF_INET;
    check (inet_pton (AF_INET, address, &in->sin_addr) == 1);
    check (request (interface, what, &value) == 0);
}

/*  An interface of this process's namespace, as the descriptor of its cable's end; -1 when the
    system has none. */
static int make_interface (const char *interface, const char *address)
{
    struct ifreq value;
    memset (&value, 0, sizeof (value));
    strcpy (value.ifr_name, interface);
    value.ifr_flags = IFF_TUN | IFF_NO_PI;
    int end = open ("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (end < 0 || ioctl (end, TUNSETIFF, &value) != 0)
        return -1;
    set_address (interface, SIOCSIFADDR, address);
    set_address (interface, SIOCSIFNETMASK, "255.255.255.0");
    switch_interface (interface, 1);
    return end;
}

static void enter_far_side (void)
{
    char path[64];
    snprintf (path, sizeof (path), "/proc/%d/ns/net", (int) far_side);
    int namespace = open (path, O_RDONLY | O_CLOEXEC);
    check (namespace >= 0 && setns (namespace, CLONE_NEWNET) == 0);
    close (namespace);
}

/*  Makes both sides and the cable; returns whether that worked. */
static int lay_cable (void)
{
    int made[2], ends[2];
    char byte;
    if (!leave_network ())
        return 0;
    ends[0] = make_interface ("near", NEAR);
    if (ends[0] < 0) {
        say ("SKIPPED: this system has no /dev/net/tun");
        return 0;
    }
    weather = mmap (NULL, sizeof (*weather), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
        -1, 0);
    check (weather != MAP_FAILED && pipe2 (made, O_CLOEXEC) == 0);
    set_weather (0, 0, 1, 0);
    far_side = start_process ();
    if (far_side == 0) {
        check (unshare (CLONE_NEWNET) == 0);
        ends[1] = make_interface ("far", FAR);
        check (ends[1] >= 0 && write (made[1], "!", 1) == 1);
        carry (ends);
    }
    close (ends[0]);
    check (is_readable (made[0], LIMIT_MS) && read (made[0], &byte, 1) == 1);
    close (made[0]);
    close (made[1]);
    return 1;
}

/* ---- the peer on the far side ---------------------------------------------- */

struct peer {
    pid_t process;
    int numbers; /* numbers of the messages that it received, in order of arrival */
};

/*  Answers requests, and reports the numbers of the messages from the pipeline. */
static struct peer start_peer (const char *name)
{
    struct peer peer;
    int numbers[2];
    static char body[SIZE];
    check (pipe2 (numbers, O_CLOEXEC) == 0);
    peer.process = start_process ();
    if (peer.process) {
        close (numbers[1]);
        peer.numbers = numbers[0];
        return peer;
    }
    enter_far_side ();
    int rep = open_socket (NN_REP), pull = open_socket (NN_PULL);
    bind_to (rep, REQUESTS);
    bind_to (pull, PIPELINE);
    int ready = -1;
    check (write (numbers[1], &ready, sizeof (ready)) == sizeof (ready));
    struct nn_pollfd items[2] = { { rep, NN_POLLIN, 0 }, { pull, NN_POLLIN, 0 } };
    for (;;) {
        check (nn_poll (items, 2, -1) > 0);
        if (items[0].revents) {
            receive_text (rep);
            send_text (rep, name);
        }
        if (items[1].revents) {
            int number;
            check (nn_recv (pull, body, sizeof (body), 0) == SIZE);
            memcpy (&number, body, sizeof (number));
            check (write (numbers[1], &number, sizeof (number)) == sizeof (number));
        }
    }
}

static int next_number (struct peer *peer)
{
    int number;
    if (!is_readable (peer->numbers, 3 * LIMIT_MS))
        fail ("nothing more comes through the pipeline");
    check (read (peer->numbers, &number, sizeof (number)) == sizeof (number));
    return number;
}

static void end_peer (struct peer *peer)
{
    kill (peer->process, SIGKILL);
    check (waitpid (peer->process, NULL, 0) == peer->process);
}

/* ---- scenes ----------------------------------------------------------------- */

static void push_number (int push, int number)
{
    static char body[SIZE];
    memcpy (body, &number, sizeof (number));
    check (nn_send (push, body, SIZE, 0) == SIZE);
}

static void ask (int req, const char *expected)
{
    send_text (req, "who?");
    expect_text (req, expected);
}

static void bad_weather (int req, int push, struct peer *peer)
{
    int64_t start = now_ms ();
    int carried = weather->carried, dropped = weather->dropped, overtaken = weather->overtaken;
    set_weather (3, 1, 2, 6);
    for (int i = 0; i < 500; i++)
        push_number (push, i);
    for (int i = 0; i < 20; i++)
        ask (req, "one");
    for (int i = 0; i < 500; i++)
        check (next_number (peer) == i);
    say ("bad weather: 500 of 500 messages in order and 20 of 20 requests answered in %lld ms, "
         "while of %d packets %d were dropped and %d overtaken", (long long) (now_ms () - start),
        weather->carried - carried, weather->dropped - dropped, weather->overtaken - overtaken);
    check (weather->dropped > dropped && weather->overtaken > overtaken);
}

/*  A cut that is too short to end a connection. */
static void cut_and_heal (int req, int push, struct peer *peer)
{
    set_weather (100, 0, 0, 0);
    send_text (req, "who?");
    for (int i = 0; i < 500; i++)
        push_number (push, i);
    check (!is_readable (peer->numbers, 1000) && !is_readable (descriptor_of (req, NN_RCVFD), 0));
    set_weather (0, 0, 1, 0);
    int64_t start = now_ms ();
    expect_text (req, "one");
    for (int i = 0; i < 500; i++)
        check (next_number (peer) == i);
    say ("a cut of a second: the request is answered, 500 of 500 messages are there, %lld ms "
         "after it healed", (long long) (now_ms () - start));
}

/*  The peer behind the cut dies, and another one takes its place: the old connection breaks when
    the cut ends. */
static void cut_and_replaced (int req, int push, struct peer *peer)
{
    enum { BEFORE = 200, AFTER = 200 };
    int during = 0;
    for (int i = 0; i < BEFORE; i++)
        push_number (push, i);
    for (int i = 0; i < BEFORE; i++)
        check (next_number (peer) == i);
    set_weather (100, 0, 0, 0);
    send_text (req, "who?");
    while (is_readable (descriptor_of (push, NN_SNDFD), 4 * QUIET_MS))
        push_number (push, BEFORE + during++);
    uint64_t broken = nn_get_statistic (push, NN_STAT_BROKEN_CONNECTIONS);
    end_peer (peer);
    *peer = start_peer ("two");
    check (next_number (peer) == -1);
    set_weather (0, 0, 1, 0);
    int64_t start = now_ms ();
    expect_text (req, "two");
    int64_t answered = now_ms () - start;
    wait_until (nn_get_statistic (push, NN_STAT_BROKEN_CONNECTIONS) > broken);
    for (int i = 0; i < AFTER; i++)
        push_number (push, BEFORE + during + i);
    /*  Messages in flight are lost as one run; all others arrive, once and in order. */
    int first = next_number (peer), lost = first - BEFORE;
    check (lost >= 0 && lost <= during);
    for (int i = first + 1; i < BEFORE + during + AFTER; i++)
        check (next_number (peer) == i);
    say ("a peer that dies behind a cut: the request is answered by the next one after %lld ms; "
         "of the %d messages of %d bytes that were taken before EAGAIN, the first %d are lost with "
         "the connection; those after it broke are all there", (long long) answered, during, SIZE,
        lost);
}

/*  The network is cut while no peer is connected, and restored. */
static void connected_through_a_cut (void)
{
    set_weather (100, 0, 0, 0);
    int req = open_patient (NN_REQ);
    connect_to (req, REQUESTS);
    send_text (req, "who?");
    check (!is_readable (descriptor_of (req, NN_RCVFD), 500));
    switch_interface ("near", 0);
    check (!is_readable (descriptor_of (req, NN_RCVFD), 500));
    switch_interface ("near", 1);
    set_weather (0, 0, 1, 0);
    expect_text (req, "two");
    close_socket (req);
    say ("a request sent while there was no network is answered when there is one");
}

int main (void)
{
    if (!lay_cable ())
        return 0;
    struct peer peer = start_peer ("one");
    check (next_number (&peer) == -1);
    int req = open_patient (NN_REQ), push = open_patient (NN_PUSH);
    set_int (req, NN_REQ, NN_REQ_RESEND_IVL, 500);
    set_int (push, 0, NN_SNDBUF, 1000000);
    connect_to (req, REQUESTS);
    connect_to (push, PIPELINE);
    ask (req, "one");
    bad_weather (req, push, &peer);
    cut_and_heal (req, push, &peer);
    cut_and_replaced (req, push, &peer);
    connected_through_a_cut ();
    end_peer (&peer);
    close_socket (push);
    close_socket (req);
    return 0;
}
