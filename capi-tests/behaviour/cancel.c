/*  A thread that is cancelled in a call that blocks ends, and its clean-up handlers run; the library
    goes on, and the socket can be closed, also in such a handler. */

#include "../lib/test.h"
#include <stdatomic.h>
#include <nanomsg/pair.h>
#include <nanomsg/pubsub.h>

enum call { RECEIVE, RECEIVE_CHUNK, SEND, SEND_CHUNK, POLL, DEVICE, REFLECT, CALLS };
static const char *const names[] = { "nn_recv", "nn_recv of NN_MSG", "nn_send", "nn_send of NN_MSG", "nn_poll" };

struct caller {
    enum call call;
    int s, other;
    void *chunk;      /* the message to send */
    int again;        /* calls for ever */
    int closes;       /* its clean-up handler closes the socket */
    atomic_int thread;
    int cleaned;
};

static void clean_up (void *argument)
{
    struct caller *caller = argument;
    if (caller->closes)
        check (nn_close (caller->s) == 0);
    caller->cleaned++;
}

static void *make_calls (void *argument)
{
    struct caller *caller = argument;
    char text[64];
    void *chunk;
    struct nn_pollfd item = { caller->s, NN_POLLIN, 0 };
    pthread_cleanup_push (clean_up, caller);
    caller->thread = thread_id ();
    do
        switch (caller->call) {
        case RECEIVE:
            nn_recv (caller->s, text, sizeof (text), 0);
            break;
        case RECEIVE_CHUNK:
            if (nn_recv (caller->s, &chunk, NN_MSG, 0) >= 0)
                nn_freemsg (chunk);
            break;
        case SEND:
            nn_send (caller->s, "hello", 5, 0);
            break;
        case SEND_CHUNK:
            caller->chunk = nn_allocmsg (5000, 0);
            nn_send (caller->s, &caller->chunk, NN_MSG, 0);
            break;
        case POLL:
            nn_poll (&item, 1, -1);
            break;
        case DEVICE:
            nn_device (caller->s, caller->other);
            break;
        default:
            nn_device (caller->s, -1);
        }
    while (caller->again);
    pthread_cleanup_pop (0);
    return NULL;
}

static int is_device (enum call call)
{
    return call == DEVICE || call == REFLECT;
}

static void start (struct caller *caller, pthread_t *thread)
{
    int is_raw = is_device (caller->call);
    caller->s = nn_socket (is_raw ? AF_SP_RAW : AF_SP, NN_PAIR);
    caller->other = is_raw ? nn_socket (AF_SP_RAW, NN_PAIR) : -1;
    check (caller->s >= 0);
    caller->thread = caller->cleaned = 0;
    *thread = 0;
}

static int is_cancelled (pthread_t thread)
{
    void *result;
    struct timespec end;
    clock_gettime (CLOCK_REALTIME, &end);
    end.tv_sec += LIMIT_MS / 1000;
    if (pthread_cancel (thread) != 0 || pthread_timedjoin_np (thread, &result, &end) != 0)
        fail ("a cancelled thread does not end");
    return result == PTHREAD_CANCELED;
}

/*  No message arrives, and the peer has no room. */
static void blocked (enum call call, const char *transport)
{
    struct caller caller = { .call = call };
    pthread_t thread;
    char address[NN_SOCKADDR_MAX];
    start (&caller, &thread);
    int peer = -1;
    if (call != SEND && call != SEND_CHUNK) {
        peer = open_socket (NN_PAIR);
        bind_to (caller.s, fresh_address (transport, address));
        connect_to (peer, address);
        wait_writable (peer);
    }
    thread = start_thread (make_calls, &caller);
    wait_until (caller.thread && is_asleep (caller.thread));
    int ended = is_cancelled (thread);
    if (is_device (call))
        check (ended && caller.cleaned == 1);
    else
        say ("%s, %s: cancelled %d, cleaned up %d", names[call], transport, ended, caller.cleaned);
    if (!only_ours ("nn_close waits for the cancelled call"))
        _exit (0);
    check (call != SEND_CHUNK || nn_freemsg (caller.chunk) == 0);
    close_socket (caller.s);
    if (caller.other >= 0)
        close_socket (caller.other);
    if (peer >= 0)
        close_socket (peer);
}

static void *talk (void *argument)
{
    int s = *(int *) argument;
    char text[8192];
    while (nn_send (s, "hello", 5, NN_DONTWAIT) >= 0 || nn_errno () == EAGAIN)
        nn_recv (s, text, sizeof (text), NN_DONTWAIT);
    return NULL;
}

/*  Ours alone: the cancellation may come at any moment. */
static void under_traffic (enum call call, const char *transport, int closes)
{
    for (int round = 0; round < 10; round++) {
        struct caller caller = { .call = call, .again = 1, .closes = closes };
        pthread_t thread;
        char address[NN_SOCKADDR_MAX];
        start (&caller, &thread);
        int peer = open_socket (NN_PAIR);
        bind_to (caller.s, fresh_address (transport, address));
        connect_to (peer, address);
        pthread_t talker = start_thread (talk, &peer);
        thread = start_thread (make_calls, &caller);
        wait_until (caller.thread);
        struct timespec moment = { 0, (long) round * 200000 };
        nanosleep (&moment, NULL);
        check (is_cancelled (thread) && caller.cleaned == 1);
        if (!closes)
            close_socket (caller.s);
        check_error (nn_close (caller.s), EBADF);
        if (caller.other >= 0)
            close_socket (caller.other);
        close_socket (peer);
        join_thread (talker);
    }
}

static void *publish (void *argument)
{
    while (nn_send (*(int *) argument, "junk", 4, 0) >= 0)
        ;
    return NULL;
}

/*  Ours alone: a call that never sleeps, since unwanted messages keep arriving. */
static void under_junk (const char *transport)
{
    struct caller caller = { .call = RECEIVE };
    char address[NN_SOCKADDR_MAX];
    caller.s = open_socket (NN_SUB);
    check (nn_setsockopt (caller.s, NN_SUB, NN_SUB_SUBSCRIBE, "wanted", 6) == 0);
    int publisher = open_socket (NN_PUB);
    bind_to (caller.s, fresh_address (transport, address));
    connect_to (publisher, address);
    pthread_t flood = start_thread (publish, &publisher);
    wait_until (nn_get_statistic (caller.s, NN_STAT_CURRENT_CONNECTIONS) == 1);
    pthread_t thread = start_thread (make_calls, &caller);
    wait_until (caller.thread);
    poll (NULL, 0, QUIET_MS);
    check (is_cancelled (thread) && caller.cleaned == 1);
    close_socket (caller.s);
    close_socket (publisher);
    join_thread (flood);
}

/*  A socket, and the messages that one thread has sent or received there. */
struct counter {
    int s;
    atomic_int count;
    void *chunk; /* the message to send */
};

static void free_unsent (void *argument)
{
    struct counter *counter = argument;
    check (!counter->chunk || nn_freemsg (counter->chunk) == 0);
}

static void *send_numbers (void *argument)
{
    struct counter *counter = argument;
    pthread_cleanup_push (free_unsent, counter);
    for (;;) {
        counter->chunk = nn_allocmsg (sizeof (int), 0);
        *(int *) counter->chunk = counter->count;
        if (nn_send (counter->s, &counter->chunk, NN_MSG, 0) < 0)
            break;
        counter->chunk = NULL;
        counter->count++;
    }
    pthread_cleanup_pop (1);
    return NULL;
}

static void *receive_numbers (void *argument)
{
    struct counter *counter = argument;
    void *chunk;
    while (nn_recv (counter->s, &chunk, NN_MSG, 0) == sizeof (int)) {
        check (*(int *) chunk == counter->count && nn_freemsg (chunk) == 0);
        counter->count++;
    }
    return NULL;
}

static int next_number (int s)
{
    int number;
    check (nn_recv (s, &number, sizeof (number), 0) == sizeof (number));
    return number;
}

/*  Ours alone: a cancelled call has sent and received nothing, so its thread knows of each message. The end of the thread that
    receives is counted if `receives`, otherwise that of the one that sends. */
static void counted (const char *transport, int receives)
{
    for (int round = 0; round < 8; round++) {
        struct counter sent = { .s = open_socket (NN_PAIR) }, received = { .s = open_socket (NN_PAIR) };
        char address[NN_SOCKADDR_MAX];
        bind_to (sent.s, fresh_address (transport, address));
        connect_to (received.s, address);
        pthread_t sender = start_thread (send_numbers, &sent), receiver = start_thread (receive_numbers, &received);
        wait_until (received.count > 1000 * round);
        check (is_cancelled (receives ? receiver : sender));
        if (receives)
            check (next_number (received.s) == received.count);
        else {
            int end = -1;
            wait_until (received.count == sent.count);
            check (is_cancelled (receiver));
            check (nn_send (sent.s, &end, sizeof (end), 0) == sizeof (end));
            check (next_number (received.s) == end);
        }
        close_socket (sent.s);
        close_socket (received.s);
        if (receives)
            join_thread (sender);
    }
}

/*  A message that was not sent, because the thread was cancelled, still belongs to the caller. */
static void *send_message (void *argument)
{
    void **chunk = argument;
    int s = open_socket (NN_PAIR);
    nn_send (s, chunk, NN_MSG, 0);
    return NULL;
}

int main (void)
{
    each_transport (transport)
        for (enum call call = 0; call < CALLS; call++) {
            if (is_device (call) && !only_ours ("a device that is cancelled may crash"))
                continue;
            /*  In a process of its own, since the C library may fail in later tests. */
            pid_t child = start_process ();
            if (child == 0) {
                blocked (call, transport);
                exit (0);
            }
            join_process (child);
        }
    if (!only_ours ("its locks are left behind"))
        return 0;
    each_transport (transport)
        for (enum call call = 0; call < CALLS; call++)
            if (call != SEND && call != SEND_CHUNK) {
                under_traffic (call, transport, 0);
                under_traffic (call, transport, 1);
            }
    each_transport (transport) {
        under_traffic (SEND, transport, 0);
        under_traffic (SEND, transport, 1);
    }
    each_transport (transport)
        under_junk (transport);
    each_transport (transport) {
        counted (transport, 0);
        counted (transport, 1);
    }
    void *chunk = nn_allocmsg (100000, 0);
    memset (chunk, 'x', 100000);
    pthread_t thread = start_thread (send_message, &chunk);
    poll (NULL, 0, QUIET_MS);
    check (is_cancelled (thread));
    check (((char *) chunk)[99999] == 'x' && nn_freemsg (chunk) == 0);
    nn_term ();
    return 0;
}
