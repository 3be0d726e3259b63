/*  A forked child shares the descriptors of its parent: those of connections and listeners, of
    NN_RCVFD and NN_SNDFD, and the I/O thread's. It uses the library, ends with exit(3), or lives
    on. The parent notices nothing: messages come, descriptors are readable when they should be,
    a connection that it closes ends for the peer at once, and nothing keeps the processor busy.
    A child that is forked by a signal handler in a blocked call returns from that call. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <time.h>

/*  A child that lives until the descriptor is closed. */
struct held {
    pid_t child;
    int let_go;
};

struct pair {
    int bound, connected;
};

static struct pair open_pair (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    struct pair pair = { open_patient (NN_PAIR), open_patient (NN_PAIR) };
    bind_to (pair.bound, fresh_address (transport, address));
    connect_to (pair.connected, address);
    send_text (pair.connected, "hello");
    expect_text (pair.bound, "hello");
    send_text (pair.bound, "hello");
    expect_text (pair.connected, "hello");
    return pair;
}

static void close_pair (struct pair pair)
{
    close_socket (pair.bound);
    close_socket (pair.connected);
}

/*  A child that uses the library, and keeps what it has inherited until it is let go. */
static struct held hold (const char *transport, struct pair inherited)
{
    int ends[2], ready[2];
    char byte = 0;
    check (pipe (ends) == 0 && pipe (ready) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        close (ends[1]);
        check_error (nn_send (inherited.bound, "x", 1, 0), EBADF);
        struct pair own = open_pair (transport);
        struct nn_pollfd item = { own.bound, NN_POLLIN, 0 };
        check (nn_poll (&item, 1, 1) == 0);
        check (!is_readable (descriptor_of (own.bound, NN_RCVFD), 0));
        check (write (ready[1], &byte, 1) == 1);
        check (read (ends[0], &byte, 1) == 0);
        close_pair (own);
        exit (0);
    }
    close (ends[0]);
    check (read (ready[0], &byte, 1) == 1);
    close (ready[0]);
    close (ready[1]);
    return (struct held){ child, ends[1] };
}

static void let_go (struct held held)
{
    close (held.let_go);
    join_process (held.child);
}

/*  The processor time of this process in milliseconds. */
static int processor_ms (void)
{
    return (int) (clock () / (CLOCKS_PER_SEC / 1000));
}

/*  Messages and descriptors of the parent, before and after the end of the child. */
static void messages_go_on (const char *transport)
{
    struct pair pair = open_pair (transport);
    int incoming = descriptor_of (pair.bound, NN_RCVFD);
    check (is_readable (descriptor_of (pair.connected, NN_SNDFD), LIMIT_MS));
    struct held held = hold (transport, pair);
    for (int i = 0; i < 20; i++) {
        check (!is_readable (incoming, 0));
        send_text (pair.connected, "to the parent");
        check (is_readable (incoming, LIMIT_MS));
        struct nn_pollfd item = { pair.bound, NN_POLLIN, 0 };
        check (nn_poll (&item, 1, LIMIT_MS) == 1);
        expect_text (pair.bound, "to the parent");
        if (i == 10)
            let_go (held);
    }
    close_pair (pair);
}

/*  The peer of a socket that the parent closes, while the child has a copy of the connection. */
static void the_peer_sees_the_end (const char *transport, int closes_bound)
{
    struct pair pair = open_pair (transport);
    int closed = closes_bound ? pair.bound : pair.connected;
    int left = closes_bound ? pair.connected : pair.bound;
    struct held held = hold (transport, pair);
    close_socket (closed);
    wait_until (nn_get_statistic (left, NN_STAT_CURRENT_CONNECTIONS) == 0);
    int before = processor_ms ();
    poll (NULL, 0, 200);
    int used = processor_ms () - before;
    if (used > 100)
        fail ("%s: after the close the library uses the processor: %d of 200 ms", transport, used);
    let_go (held);
    close_socket (left);
}

/*  What the handler has started, in the parent; 0 in the child. */
static volatile pid_t forked = -1;

static void fork_now (int signal)
{
    (void) signal;
    forked = fork ();
}

/*  A call that blocks when the signal comes, and goes on in both processes. */
struct interrupted {
    const char *transport;
    int s, polls;
    volatile int thread;
};

static void *fork_in_a_call (void *argument)
{
    struct interrupted *call = argument;
    struct nn_pollfd item = { call->s, NN_POLLIN, 0 };
    char byte;
    call->thread = thread_id ();
    int result = call->polls ? nn_poll (&item, 1, -1) : nn_recv (call->s, &byte, 1, 0);
    int error = result < 0 ? nn_errno () : 0;
    if (error != EINTR && (forked != 0 || error != EBADF))
        fail ("%s: %s instead of EINTR", call->transport, error_name (error));
    if (forked == 0) {
        check_error (nn_recv (call->s, &byte, 1, 0), EBADF);
        close_pair (open_pair (call->transport));
        _exit (0);
    }
    return NULL;
}

/*  A signal handler forks while the thread is blocked in a call. */
static void a_handler_forks (const char *transport, int polls)
{
    struct pair pair = open_pair (transport);
    struct interrupted call = { transport, pair.bound, polls, 0 };
    struct sigaction action = { .sa_handler = fork_now };
    check (sigaction (SIGUSR1, &action, NULL) == 0);
    set_int (pair.bound, NN_SOL_SOCKET, NN_RCVTIMEO, -1);
    forked = -1;
    pthread_t thread = start_thread (fork_in_a_call, &call);
    wait_until (call.thread && is_asleep (call.thread));
    check (pthread_kill (thread, SIGUSR1) == 0);
    join_thread (thread);
    for (int i = 0; i < 20; i++) {
        send_text (pair.connected, "to the parent");
        expect_text (pair.bound, "to the parent");
    }
    join_process (forked);
    close_pair (pair);
}

int main (void)
{
    each_transport (transport) {
        a_handler_forks (transport, 0);
        a_handler_forks (transport, 1);
        messages_go_on (transport);
        the_peer_sees_the_end (transport, 0);
        the_peer_sees_the_end (transport, 1);
    }
    return 0;
}
