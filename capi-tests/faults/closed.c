/*  A host closes descriptors that are not its own, those of this library among them. Calls may
    fail then, but nothing spins or hangs: the I/O thread makes a new poller, closing works, and
    sockets opened later work normally. */

#include "../lib/test.h"

#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

/*  Processor time of this process, in milliseconds. */
static double busy_ms (void)
{
    struct timespec time;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double) time.tv_sec * 1e3 + (double) time.tv_nsec / 1e6;
}

static void talk (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    bind_to (a, fresh_address (transport, address));
    connect_to (b, address);
    send_text (b, "to");
    expect_text (a, "to");
    send_text (a, "fro");
    expect_text (b, "fro");
    close_socket (a);
    close_socket (b);
}

/*  Closes the descriptors of a connected pair that `is_chosen` selects. */
static void close_some (const char *what, int (*is_chosen) (const char *kind), int linger)
{
    char address[NN_SOCKADDR_MAX], path[64], kind[64];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    set_int (b, NN_SOL_SOCKET, NN_LINGER, linger);
    bind_to (a, fresh_address ("tcp", address));
    connect_to (b, address);
    send_text (b, "x");
    expect_text (a, "x");
    int closed = 0;
    for (int descriptor = 3; descriptor < 200; descriptor++) {
        snprintf (path, sizeof (path), "/proc/self/fd/%d", descriptor);
        ssize_t size = readlink (path, kind, sizeof (kind) - 1);
        if (size < 0)
            continue;
        kind[size] = 0;
        if (is_chosen (kind))
            closed += close (descriptor) == 0;
    }
    check (closed > 0);
    /*  A timer of the I/O thread, and a call that waits for it. */
    int s = open_socket (NN_PAIR);
    set_int (s, NN_SOL_SOCKET, NN_SNDTIMEO, 100);
    fresh_address ("tcp", address);
    nn_bind (s, address);
    nn_send (s, "x", 1, 0);
    double busy = busy_ms ();
    int64_t begin = now_ms ();
    poll (NULL, 0, 500);
    busy = (busy_ms () - busy) / (double) (now_ms () - begin);
    begin = now_ms ();
    close_socket (s);
    close_socket (b);
    close_socket (a);
    int64_t time = now_ms () - begin;
    say ("%s: %d closed; then busy for %.0f %% of the time, and closing took %d ms", what, closed,
        busy * 100, (int) time);
    check (busy < 0.3);
    check (time < 15000);
    talk ("tcp");
    talk ("ipc");
}

static int is_any (const char *kind)
{
    return kind[0] != 0;
}

static int is_poller (const char *kind)
{
    return strstr (kind, "eventpoll") != NULL;
}

static int is_event (const char *kind)
{
    return strstr (kind, "eventfd") != NULL;
}

static int is_socket (const char *kind)
{
    return strncmp (kind, "socket:", 7) == 0;
}

int main (void)
{
    close_some ("all", is_any, 1000);
    close_some ("the poller", is_poller, 1000);
    close_some ("the poller, lingering for ever", is_poller, -1);
    close_some ("what wakes the I/O thread", is_event, 1000);
    close_some ("sockets", is_socket, 1000);
    return 0;
}
