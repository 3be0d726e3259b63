/*  nn_device: what it refuses, what it forwards, what ends it. */

#include "../lib/signals.h"
#include <nanomsg/bus.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

/*  Static wherever it is used: on the reference its thread is never stopped. */
struct device {
    int one;
    int other;
    pthread_t thread;
    atomic_int id;
    int result;
    int error;
};

static void *run (void *argument)
{
    struct device *device = argument;
    int one = device->one, other = device->other;
    device->id = thread_id ();
    device->result = nn_device (one, other);
    device->error = nn_errno ();
    return NULL;
}

/*  Returns when the thread has read its arguments: on the reference the next test may begin before it ends. */
static void start (struct device *device, int one, int other)
{
    device->one = one;
    device->other = other;
    device->id = 0;
    device->thread = start_thread (run, device);
    wait_until (device->id);
}

/*  Closes its sockets, and waits until it has ended. */
static void end (struct device *device)
{
    if (!only_ours ("its threads may crash while their sockets are closed")) {
        device->result = -1;
        device->error = EBADF;
        return;
    }
    if (device->one >= 0)
        close_socket (device->one);
    if (device->other >= 0 && device->other != device->one)
        close_socket (device->other);
    join_thread (device->thread);
}

static void stop (const char *what, struct device *device)
{
    end (device);
    say ("%s ended: %d, %s", what, device->result, error_name (device->error));
}

static int open_raw (int protocol)
{
    int s = nn_socket (AF_SP_RAW, protocol);
    if (s < 0)
        fail ("nn_socket: %s", error_name (nn_errno ()));
    set_int (s, NN_SOL_SOCKET, NN_RECONNECT_IVL, 10);
    return s;
}

static int raw_at (int protocol, const char *address)
{
    int s = open_raw (protocol);
    bind_to (s, address);
    return s;
}

static int patient_at (int protocol, const char *address)
{
    int s = open_patient (protocol);
    connect_to (s, address);
    return s;
}

static void refusals (void)
{
    int cooked = open_socket (NN_PAIR), pair = open_raw (NN_PAIR);
    int push = open_raw (NN_PUSH), pull = open_raw (NN_PULL);
    int sub = open_raw (NN_SUB), req = open_raw (NN_REQ);
    int closed = open_raw (NN_PAIR);
    close_socket (closed);
    show ("no socket at all", nn_device (-1, -1));
    show ("  nor there", nn_device (-7, -1));
    show ("one that is closed, alone", nn_device (closed, -1));
    show ("  as the second", nn_device (-1, closed));
    show ("  with another", nn_device (pair, closed));
    show ("  before another", nn_device (closed, pair));
    show ("  with one that is cooked", nn_device (cooked, closed));
    show ("an id that was never given", nn_device (pair, 1000000));
    show ("cooked, alone", nn_device (cooked, -1));
    show ("  as the second", nn_device (pair, cooked));
    show ("  as the first", nn_device (cooked, pair));
    show ("PAIR and REQ", nn_device (pair, req));
    show ("PULL and SUB", nn_device (pull, sub));
    show ("PULL and PULL", nn_device (pull, pull));
    show ("PUSH and PUSH", nn_device (push, push));
    show ("PUSH, alone", nn_device (push, -1));
    if (only_ours ("it waits for a message first"))
        check_error (nn_device (pull, -1), ENOTSUP);
    close_socket (cooked);
    close_socket (pair);
    close_socket (push);
    close_socket (pull);
    close_socket (sub);
    close_socket (req);
}

static void two_ways (const char *transport)
{
    char one[NN_SOCKADDR_MAX], other[NN_SOCKADDR_MAX], text[32];
    static struct device device;
    fresh_address (transport, one);
    fresh_address (transport, other);
    start (&device, raw_at (NN_PAIR, one), raw_at (NN_PAIR, other));
    int a = patient_at (NN_PAIR, one), b = patient_at (NN_PAIR, other);
    for (int i = 0; i < 100; i++) {
        snprintf (text, sizeof (text), "there %d", i);
        send_text (a, text);
        snprintf (text, sizeof (text), "and back %d", i);
        send_text (b, text);
    }
    for (int i = 0; i < 100; i++) {
        snprintf (text, sizeof (text), "there %d", i);
        expect_text (b, text);
        snprintf (text, sizeof (text), "and back %d", i);
        expect_text (a, text);
    }
    nn_send (a, NULL, 0, 0);
    show ("an empty message", nn_recv (b, text, sizeof (text), 0));
    char *large = nn_allocmsg (500000, 0);
    memset (large, 'x', 500000);
    check (nn_send (b, &large, NN_MSG, 0) == 500000);
    check (nn_recv (a, &large, NN_MSG, 0) == 500000);
    check (large[0] == 'x' && memcmp (large, large + 1, 499999) == 0);
    nn_freemsg (large);
    close_socket (a);
    close_socket (b);
    stop (transport, &device);
}

/*  Requests and their answers pass through several devices, and return to their senders. */
static void questions (const char *transport, int asks, int answers)
{
    char addresses[3][NN_SOCKADDR_MAX], text[64];
    static struct device first, second;
    for (int i = 0; i < 3; i++)
        fresh_address (transport, addresses[i]);
    start (&first, raw_at (answers, addresses[0]), raw_at (asks, addresses[1]));
    int inner = open_raw (answers);
    connect_to (inner, addresses[1]);
    start (&second, raw_at (asks, addresses[2]), inner);

    int server = patient_at (answers, addresses[2]), clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = patient_at (asks, addresses[0]);
        /*  A survey is lost unless all devices are connected. */
        int64_t end = now_ms () + LIMIT_MS;
        do {
            if (now_ms () > end)
                fail ("client %d is not heard", i);
            send_text (clients[i], "hello");
        } while (!is_readable (descriptor_of (server, NN_RCVFD), 50));
        snprintf (text, sizeof (text), "client %d is there", i);
        send_text (clients[i], text);
        while (strcmp (receive_text (server), text) != 0)
            ;
    }
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3; i++) {
            snprintf (text, sizeof (text), "client %d, round %d", i, round);
            send_text (clients[i], text);
        }
        for (int i = 0; i < 3; i++) {
            snprintf (text, sizeof (text), "%.40s", receive_text (server));
            send_text (server, text);
        }
        for (int i = 0; i < 3; i++) {
            snprintf (text, sizeof (text), "client %d, round %d", i, round);
            expect_text (clients[i], text);
        }
    }
    say ("%s: each of three clients has its own answers", transport);
    for (int i = 0; i < 3; i++)
        close_socket (clients[i]);
    close_socket (server);
    stop ("  the second", &second);
    stop ("  the first", &first);
}

static void one_way (const char *transport, int reversed)
{
    char in[NN_SOCKADDR_MAX], out[NN_SOCKADDR_MAX], text[32];
    static struct device device;
    int pull = raw_at (NN_PULL, fresh_address (transport, in));
    int push = raw_at (NN_PUSH, fresh_address (transport, out));
    start (&device, reversed ? push : pull, reversed ? pull : push);
    int a = patient_at (NN_PUSH, in), b = patient_at (NN_PULL, out);
    for (int i = 0; i < 1000; i++) {
        snprintf (text, sizeof (text), "message %d", i);
        send_text (a, text);
        if (i >= 100) {
            snprintf (text, sizeof (text), "message %d", i - 100);
            expect_text (b, text);
        }
    }
    close_socket (a);
    close_socket (b);
    stop (transport, &device);
}

/*  Sends a message until it arrives: the C library's device drops it while another is in flight. */
static void pass (int from, int to, const char *text)
{
    do
        send_text (from, text);
    while (!is_readable (descriptor_of (to, NN_RCVFD), 1000) && !only_ours ("it has dropped a message"));
    expect_text (to, text);
}

/*  Devices forward all topics; the subscriber selects. */
static void publications (void)
{
    static struct device device;
    int sub = raw_at (NN_SUB, "inproc://publications-in");
    check (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0);
    start (&device, raw_at (NN_PUB, "inproc://publications-out"), sub);
    int pub = patient_at (NN_PUB, "inproc://publications-in");
    int reader = patient_at (NN_SUB, "inproc://publications-out");
    check (nn_setsockopt (reader, NN_SUB, NN_SUB_SUBSCRIBE, "news", 4) == 0);
    synchronise (pub, reader, "news");
    send_text (pub, "gossip");
    pass (pub, reader, "news of the day");
    close_socket (pub);
    close_socket (reader);
    stop ("PUB and SUB", &device);
}

/*  A device of one socket sends back what it receives. */
static void reflected (const char *transport, int second)
{
    char address[NN_SOCKADDR_MAX];
    static struct device device;
    int bus = raw_at (NN_BUS, fresh_address (transport, address));
    start (&device, bus, bus);
    stop ("both are one", &device);

    bus = raw_at (NN_BUS, fresh_address (transport, address));
    start (&device, second ? -1 : bus, second ? bus : -1);
    int one = patient_at (NN_BUS, address), two = patient_at (NN_BUS, address);
    synchronise (one, two, "");
    synchronise (two, one, "");
    pass (one, two, "from one");
    pass (two, one, "from two");
    close_socket (one);
    close_socket (two);
    stop (transport, &device);

    int pair = raw_at (NN_PAIR, fresh_address (transport, address));
    start (&device, pair, -1);
    one = patient_at (NN_PAIR, address);
    send_text (one, "echo");
    say ("  %s", receive_text (one));
    close_socket (one);
    stop ("  PAIR", &device);
}

/*  A device joins two buses: each socket receives from all others, and none from itself. */
static void joined_buses (void)
{
    static struct device device;
    char byte;
    start (&device, raw_at (NN_BUS, "inproc://bus-one"), raw_at (NN_BUS, "inproc://bus-two"));
    int one = patient_at (NN_BUS, "inproc://bus-one");
    int two = patient_at (NN_BUS, "inproc://bus-two");
    synchronise (one, two, "");
    synchronise (two, one, "");
    pass (one, two, "there");
    pass (two, one, "and back");
    show ("nothing else is heard", nn_recv (one, &byte, 1, NN_DONTWAIT));
    show ("  on either side", nn_recv (two, &byte, 1, NN_DONTWAIT));
    close_socket (one);
    close_socket (two);
    stop ("joined buses", &device);
}

/*  A message that cannot be forwarded is not received: the sender has to wait, and nothing is
    lost. */
static void back_pressure (const char *transport)
{
    char in[NN_SOCKADDR_MAX], out[NN_SOCKADDR_MAX], body[1000] = { 0 };
    static struct device device;
    uint32_t sent = 0;
    start (&device, raw_at (NN_PULL, fresh_address (transport, in)),
        raw_at (NN_PUSH, fresh_address (transport, out)));
    int a = patient_at (NN_PUSH, in), b = patient_at (NN_PULL, out);
    set_int (a, 0, NN_SNDTIMEO, 200);
    for (;; sent++) {
        memcpy (body, &sent, sizeof (sent));
        if (nn_send (a, body, sizeof (body), 0) != (int) sizeof (body))
            break;
    }
    check (nn_errno () == ETIMEDOUT);
    for (uint32_t i = 0; i < sent; i++) {
        uint32_t number;
        check (nn_recv (b, body, sizeof (body), 0) == (int) sizeof (body));
        memcpy (&number, body, sizeof (number));
        check (number == i);
    }
    show (transport, nn_recv (b, body, sizeof (body), NN_DONTWAIT));
    close_socket (a);
    close_socket (b);
    stop ("  a full one", &device);
}

/*  The number of times that a thread of this process has gone to sleep. */
static long sleeps_of (int thread)
{
    char path[64], line[128];
    long count = -1;
    snprintf (path, sizeof (path), "/proc/self/task/%d/status", thread);
    FILE *file = fopen (path, "re");
    check (file);
    while (fgets (line, sizeof (line), file))
        sscanf (line, "voluntary_ctxt_switches: %ld", &count);
    fclose (file);
    check (count >= 0);
    return count;
}

/*  Whether the thread sleeps all the time. */
static int stays_asleep (int thread)
{
    long before = sleeps_of (thread);
    poll (NULL, 0, QUIET_MS);
    return is_asleep (thread) && sleeps_of (thread) == before;
}

/*  The thread comes to sleep, and then nothing wakes it. It may have slept for a lock before. */
static void check_quiet (struct device *device)
{
    wait_until (device->id && stays_asleep (device->id));
}

static int threads_at_first;

/*  One thread forwards in both directions, and sleeps while there is nothing to do. */
static void frugal (void)
{
    static struct device device;
    char body[100000] = { 0 };
    if (!only_ours ("it has two more threads, and takes what it cannot forward"))
        return;
    /*  The I/O thread of earlier sockets exists for a moment longer. */
    wait_until (count_threads () == threads_at_first);
    start (&device, raw_at (NN_PAIR, "inproc://frugal-one"),
        raw_at (NN_PAIR, "inproc://frugal-two"));
    int a = patient_at (NN_PAIR, "inproc://frugal-one");
    int b = patient_at (NN_PAIR, "inproc://frugal-two");
    send_text (a, "x");
    expect_text (b, "x");
    check (count_threads () == threads_at_first + 1);
    check_quiet (&device);
    /*  The same with messages queued in front of it. */
    set_int (a, 0, NN_SNDTIMEO, QUIET_MS);
    while (nn_send (a, body, sizeof (body), 0) == (int) sizeof (body))
        ;
    check (nn_errno () == ETIMEDOUT);
    check_quiet (&device);
    /*  The other direction is not blocked. */
    send_text (b, "and back");
    expect_text (a, "and back");
    close_socket (a);
    close_socket (b);
    end (&device);
    check (device.result == -1 && device.error == EBADF);
}

/*  Closing either socket ends it, wherever it waits. */
static void either_end (void)
{
    static const int pairs[][2] = { { NN_PULL, NN_PUSH }, { NN_PAIR, NN_PAIR } };
    static struct device device;
    for (int i = 0; i < 4; i++) {
        start (&device, open_raw (pairs[i / 2][0]), open_raw (pairs[i / 2][1]));
        if (only_ours ("its threads may crash, or stay in the other socket")) {
            wait_until (device.id && is_asleep (device.id));
            close_socket (i % 2 ? device.other : device.one);
            join_thread (device.thread);
            check (device.result == -1 && device.error == EBADF);
            close_socket (i % 2 ? device.one : device.other);
        } else {
            end (&device);
        }
    }
    say ("either socket ends it");
}

/*  The result of a device that gets a signal. */
static int error_by_signal (int one, int other)
{
    int result, error;
    interrupted (result = nn_device (one, other); error = nn_errno ());
    check (result == -1);
    return error;
}

static void signals (void)
{
    catch_signals (SA_RESTART);
    int pull = open_raw (NN_PULL), push = open_raw (NN_PUSH), bus = open_raw (NN_BUS);
    say ("one way, by a signal: %s", error_name (error_by_signal (pull, push)));
    say ("alone, by a signal: %s", error_name (error_by_signal (bus, -1)));
    close_socket (pull);
    close_socket (push);
    close_socket (bus);
}

/*  In two directions it goes on, though the handler runs in its thread. */
static void signal_in_both_directions (void)
{
    static struct device device;
    catch_signals (0);
    start (&device, raw_at (NN_REP, "inproc://asked"), raw_at (NN_REQ, "inproc://answers"));
    int client = patient_at (NN_REQ, "inproc://asked");
    int server = patient_at (NN_REP, "inproc://answers");
    handled = 0;
    for (int round = 0; round < 3; round++) {
        send_text (client, "question");
        expect_text (server, "question");
        send_text (server, "answer");
        expect_text (client, "answer");
        wait_until (is_asleep (device.id));
        check (pthread_kill (device.thread, SIGUSR1) == 0);
        wait_until (handled == round + 1);
    }
    say ("in both directions it goes on after %d signals", handled);
    close_socket (client);
    close_socket (server);
    end (&device);
}

static void timeouts (void)
{
    int pull = open_raw (NN_PULL), push = open_raw (NN_PUSH);
    int one = open_raw (NN_PAIR), other = open_raw (NN_PAIR);
    static struct device device;
    set_int (pull, 0, NN_RCVTIMEO, 10);
    bind_to (push, "inproc://timeouts");
    int reader = patient_at (NN_PULL, "inproc://timeouts");
    wait_writable (push);
    show ("nothing comes for too long", nn_device (pull, push));
    close_socket (reader);
    set_int (one, 0, NN_RCVTIMEO, 10);
    set_int (other, 0, NN_RCVTIMEO, 10);
    bind_to (one, "inproc://timeouts-one");
    bind_to (other, "inproc://timeouts-other");
    int a = patient_at (NN_PAIR, "inproc://timeouts-one");
    int b = patient_at (NN_PAIR, "inproc://timeouts-other");
    wait_writable (one);
    wait_writable (other);
    show ("  in either direction", nn_device (one, other));
    close_socket (a);
    close_socket (b);
    close_socket (one);
    close_socket (other);
    close_socket (pull);
    close_socket (push);

    pull = raw_at (NN_PULL, "inproc://timeouts-in");
    push = open_raw (NN_PUSH);
    set_int (push, 0, NN_SNDTIMEO, 10);
    a = patient_at (NN_PUSH, "inproc://timeouts-in");
    send_text (a, "nobody wants this");
    start (&device, pull, push);
    join_thread (device.thread);
    say ("nobody takes it: %d, %s", device.result, error_name (device.error));
    close_socket (a);
    close_socket (pull);
    close_socket (push);
}

static void terminated (void)
{
    struct device devices[3];
    if (!only_ours ("its threads may crash while their sockets are closed"))
        return;
    start (&devices[0], open_raw (NN_PAIR), open_raw (NN_PAIR));
    start (&devices[1], open_raw (NN_PULL), open_raw (NN_PUSH));
    start (&devices[2], open_raw (NN_BUS), -1);
    for (int i = 0; i < 3; i++)
        wait_until (devices[i].id && is_asleep (devices[i].id));
    nn_term ();
    for (int i = 0; i < 3; i++) {
        join_thread (devices[i].thread);
        check (devices[i].result == -1 && devices[i].error == EBADF);
    }
    check_error (nn_device (0, 1), EBADF);
}

int main (void)
{
    threads_at_first = count_threads ();
    refusals ();
    each_transport (transport) {
        two_ways (transport);
        questions (transport, NN_REQ, NN_REP);
        questions (transport, NN_SURVEYOR, NN_RESPONDENT);
        one_way (transport, 0);
        one_way (transport, 1);
        reflected (transport, 0);
        reflected (transport, 1);
        back_pressure (transport);
    }
    publications ();
    joined_buses ();
    frugal ();
    either_end ();
    signals ();
    signal_in_both_directions ();
    timeouts ();
    terminated ();
    return 0;
}
