/*  The process may have one open descriptor: poll(2) refuses to wait for more. A waiting call
    still keeps its time limit, and does not busy-wait. */

#include "../lib/test.h"
#include <nanomsg/pair.h>

static void allow (rlim_t count)
{
    struct rlimit limit;
    check (getrlimit (RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = count;
    check (setrlimit (RLIMIT_NOFILE, &limit) == 0);
}

static int64_t processor_ms (void)
{
    struct timespec time;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t) time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/*  Makes a call of 300 ms, and fails unless it kept its time limit without using the processor. */
static void wait_in_vain (const char *what, int s, int sends)
{
    char text[8];
    set_int (s, NN_SOL_SOCKET, NN_RCVTIMEO, 300);
    set_int (s, NN_SOL_SOCKET, NN_SNDTIMEO, 300);
    int64_t begin = now_ms (), used = processor_ms ();
    int result = sends ? nn_send (s, "x", 1, 0) : nn_recv (s, text, sizeof (text), 0);
    int error = nn_errno ();
    used = processor_ms () - used;
    int64_t time = now_ms () - begin;
    fprintf (stderr, "%s: %d ms, of which %d of processor time\n", what, (int) time, (int) used);
    check (result == -1 && error == ETIMEDOUT);
    check (time >= 299 && time < 300 + LIMIT_MS / 4 && used < 100);
}

int main (void)
{
    int receiver = open_socket (NN_PAIR), sender = open_socket (NN_PAIR);
    int connected = open_patient (NN_PAIR), peer = open_patient (NN_PAIR);
    char address[NN_SOCKADDR_MAX];
    bind_to (connected, fresh_address ("tcp", address));
    connect_to (peer, address);
    /*  Both sockets already have the descriptors with which they wait. */
    send_text (peer, "ready");
    expect_text (connected, "ready");
    allow (1);
    wait_in_vain ("nn_recv without a peer", receiver, 0);
    wait_in_vain ("nn_send without a peer", sender, 1);
    wait_in_vain ("nn_recv from a peer", connected, 0);
    say ("time limits are kept");
    if (only_ours ("its poll(2) must not fail")) {
        char text[8];
        allow (0);
        wait_in_vain ("nn_recv", receiver, 0);
        wait_in_vain ("nn_recv from a peer", connected, 0);
        send_text (peer, "hello");
        set_int (connected, NN_SOL_SOCKET, NN_RCVTIMEO, LIMIT_MS);
        check (nn_recv (connected, text, sizeof (text), 0) == 5);
    }
    allow (1024);
    return 0;
}
