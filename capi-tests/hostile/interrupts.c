/*  A handled signal ends the call of its thread, at any moment of the call: none is lost.
    Signals arrive at random moments after the call has blocked signals for the first time. Before
    that, during its first try, a signal counts as one that came before the call. */

#include "../lib/test.h"
#include <dlfcn.h>
#include <stdatomic.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

#define SIGNALS 1000

enum call { RECEIVE, SEND, POLL, DEVICE, JUNK };
static const char *const names[] = { "nn_recv", "nn_send", "nn_poll", "nn_device", "nn_recv under junk" };

/*  The numbers of the calls that have begun, have blocked signals, and have ended. */
static atomic_int begun, held, ended;
static atomic_int is_over;

/*  This thread makes the calls. */
static _Thread_local int is_caller;

static void handle_signal (int number)
{
    (void) number;
}

/*  Calls block signals with this. */
int pthread_sigmask (int how, const sigset_t *set, sigset_t *before)
{
    __typeof__ (&pthread_sigmask) real = (__typeof__ (real)) dlsym (RTLD_NEXT, "pthread_sigmask");
    int error = real (how, set, before);
    if (is_caller && set && sigismember (set, SIGUSR1))
        held = begun;
    return error;
}

struct caller {
    enum call call;
    int s, other;
};

static void *make_calls (void *argument)
{
    struct caller *caller = argument;
    struct nn_pollfd item = { caller->s, NN_POLLIN, 0 };
    char text[8];
    is_caller = 1;
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

/*  Waits for some microseconds, without yielding the processor. */
static void pass (int64_t us)
{
    int64_t end = now_ns () + 1000 * us;
    while (now_ns () < end)
        ;
}

/*  Waits for a call to come so far, without a pause: a signal comes some microseconds later. */
static void await (atomic_int *count, int number, enum call call, const char *failure)
{
    for (int64_t end = now_ms () + LIMIT_MS; *count < number; sched_yield ())
        if (now_ms () > end)
            fail ("%s: call %d %s", names[call], number, failure);
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
    begun = held = ended = is_over = 0;
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
        await (&held, number, call, "does not begin");
        pass (call == JUNK ? 500 + rand () % 1000 : 20 + rand () % 200);
        check (pthread_kill (thread, SIGUSR1) == 0);
        await (&ended, number, call, "is not ended by its signal");
    }
    join_thread (thread);
    is_over = 1;
    if (flooder)
        join_thread (flooder);
    close_socket (caller.s);
    if (caller.other >= 0)
        close_socket (caller.other);
}

int main (void)
{
    struct sigaction action;
    memset (&action, 0, sizeof (action));
    action.sa_handler = handle_signal;
    action.sa_flags = SA_RESTART;
    check (sigaction (SIGUSR1, &action, NULL) == 0);
    for (enum call call = RECEIVE; call <= JUNK; call++)
        interrupted_calls (call);
    return 0;
}
