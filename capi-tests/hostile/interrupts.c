/*  A signal that is handled ends the call in which its thread is, whatever the call does at that moment:
    none is lost. Signals come at random moments after the call has begun. */

#include "../lib/signals.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

#define SIGNALS 1000

enum call { RECEIVE, SEND, POLL, DEVICE, JUNK };
static const char *const names[] = { "nn_recv", "nn_send", "nn_poll", "nn_device", "nn_recv under junk" };

static atomic_int begun, ended, is_over;

struct caller {
    enum call call;
    int s, other;
};

static void *make_calls (void *argument)
{
    struct caller *caller = argument;
    struct nn_pollfd item = { caller->s, NN_POLLIN, 0 };
    char text[8];
    while (begun < SIGNALS) {
        begun++;
        if (caller->call == SEND)
            check_error (nn_send (caller->s, "x", 1, 0), EINTR);
        else if (caller->call == POLL)
            check_error (nn_poll (&item, 1, -1), EINTR);
        else if (caller->call == DEVICE)
            check_error (nn_device (caller->s, caller->other), EINTR);
        else
            check_error (nn_recv (caller->s, text, sizeof (text), 0), EINTR);
        ended++;
    }
    return NULL;
}

static int64_t now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/*  Lets some microseconds pass, without giving the processor away. */
static void pass (int64_t us)
{
    int64_t end = now_ns () + 1000 * us;
    while (now_ns () < end)
        ;
}

static void *flood (void *address)
{
    int s = open_socket (NN_PUB);
    connect_to (s, address);
    while (!is_over)
        nn_send (s, "junk", 4, NN_DONTWAIT);
    close_socket (s);
    return NULL;
}

static void interrupted_calls (enum call call)
{
    struct caller caller = { call, -1, -1 };
    char address[NN_SOCKADDR_MAX];
    pthread_t flooder = 0;
    int lost = 0;
    begun = ended = handled = is_over = 0;
    if (call == DEVICE) {
        caller.s = nn_socket (AF_SP_RAW, NN_PULL);
        caller.other = nn_socket (AF_SP_RAW, NN_PUSH);
    } else
        caller.s = open_socket (call == JUNK ? NN_SUB : NN_PAIR);
    if (call == JUNK) {
        check (nn_setsockopt (caller.s, NN_SUB, NN_SUB_SUBSCRIBE, "wanted", 6) == 0);
        bind_to (caller.s, fresh_address ("tcp", address));
        flooder = start_thread (flood, address);
    }
    pthread_t thread = start_thread (make_calls, &caller);
    srand (1);
    for (int number = 1; number <= SIGNALS; number++) {
        wait_until (begun == number);
        pass (call == JUNK ? 500 + rand () % 1000 : 20 + rand () % 200);
        check (pthread_kill (thread, SIGUSR1) == 0);
        for (int64_t end = now_ms () + 1000; ended < number;)
            if (now_ms () > end) {
                lost++;
                check (pthread_kill (thread, SIGUSR1) == 0);
                end = now_ms () + 1000;
            } else
                sched_yield ();
    }
    join_thread (thread);
    is_over = 1;
    if (flooder)
        join_thread (flooder);
    fprintf (stderr, "%s: %d of %d signals lost\n", names[call], lost, SIGNALS);
    /*  A thread that loses the processor between `begun` and the call may be sent its signal too early. */
    check (lost <= (call == JUNK ? 0 : 3));
    check (handled == SIGNALS + lost);
    close_socket (caller.s);
    if (caller.other >= 0)
        close_socket (caller.other);
}

int main (void)
{
    catch_signals (SA_RESTART);
    for (enum call call = RECEIVE; call <= JUNK; call++)
        interrupted_calls (call);
    return 0;
}
