/*  NN_CONNECT_TIMEO: nn_connect waits for its first connection. */

#include "../lib/signals.h"
#include <nanomsg/ext.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

static const char *const all[] = { "inproc", "ipc", "tcp", "ws" };

static void wait_for (int s, int milliseconds)
{
    set_int (s, NN_SOL_SOCKET, NN_CONNECT_TIMEO, milliseconds);
}

/*  Whether the socket still has the endpoint that it got last. */
static int has_last_endpoint (int s)
{
    char text[NN_SOCKADDR_MAX];
    size_t size = sizeof (text);
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_LAST_ENDPOINT, text, &size) == 0);
    return size > 0;
}

/*  A call that has failed has added no endpoint. */
static void check_none (int s)
{
    check (!has_last_endpoint (s));
    check (nn_get_statistic (s, NN_STAT_INPROGRESS_CONNECTIONS) == 0);
    check (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == 0);
}

/*  The first message of a publisher has a receiver. */
static void connected (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    for (int i = 0; i < 20; i++) {
        int subscriber = open_patient (NN_SUB), publisher = open_patient (NN_PUB);
        nn_setsockopt (subscriber, NN_SUB, NN_SUB_SUBSCRIBE, "", 0);
        bind_to (subscriber, fresh_address (transport, address));
        wait_for (publisher, i % 2 ? -1 : LIMIT_MS);
        check (connect_to (publisher, address) == 1);
        check (nn_get_statistic (publisher, NN_STAT_CURRENT_CONNECTIONS) == 1);
        send_text (publisher, "first");
        expect_text (subscriber, "first");
        close_socket (publisher);
        close_socket (subscriber);
    }
}

/*  Nobody is there, another protocol is there, or the peer has no place. */
static void timed_out (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PAIR), stranger = open_patient (NN_PULL);
    fresh_address (transport, address);
    wait_for (s, 20);
    check_error (nn_connect (s, address), ETIMEDOUT);
    check_none (s);
    bind_to (stranger, address);
    check_error (nn_connect (s, address), ETIMEDOUT);
    check_none (s);
    close_socket (stranger);
    int bound = open_patient (NN_PAIR), first = open_patient (NN_PAIR);
    bind_when_free (bound, fresh_address (transport, address));
    wait_for (first, LIMIT_MS);
    connect_to (first, address);
    check_error (nn_connect (s, address), ETIMEDOUT);
    check_none (s);
    close_socket (first);
    wait_for (s, LIMIT_MS);
    check (connect_to (s, address) == 4);
    send_text (s, "at last");
    expect_text (bound, "at last");
    close_socket (bound);
    close_socket (s);
}

struct waiting
{
    int s, result, error, thread;
    const char *address;
};

static void *wait_in_connect (void *argument)
{
    struct waiting *waiting = argument;
    __atomic_store_n (&waiting->thread, thread_id (), __ATOMIC_SEQ_CST);
    waiting->result = nn_connect (waiting->s, waiting->address);
    waiting->error = nn_errno ();
    return NULL;
}

/*  Starts a call of nn_connect, and waits until it has added its endpoint and sleeps. */
static pthread_t begin_to_wait (struct waiting *waiting)
{
    pthread_t thread = start_thread (wait_in_connect, waiting);
    wait_until (has_last_endpoint (waiting->s)
        && is_asleep (__atomic_load_n (&waiting->thread, __ATOMIC_SEQ_CST)));
    return thread;
}

/*  Other threads use the socket meanwhile. */
static void late (const char *transport)
{
    char address[NN_SOCKADDR_MAX], other[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PUSH), receiver = open_patient (NN_PULL), early = open_patient (NN_PULL);
    wait_for (s, LIMIT_MS);
    bind_to (early, fresh_address ("inproc", other));
    struct waiting waiting = { s, 0, 0, 0, fresh_address (transport, address) };
    pthread_t thread = begin_to_wait (&waiting);
    connect_to (s, other);
    send_text (s, "meanwhile");
    expect_text (early, "meanwhile");
    bind_to (receiver, address);
    join_thread (thread);
    check (waiting.result == 1);
    close_socket (early);
    send_text (s, "then");
    expect_text (receiver, "then");
    close_socket (receiver);
    close_socket (s);
}

static void ended (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PAIR);
    wait_for (s, -1);
    fresh_address (transport, address);
    /*  By a signal. */
    int result, error;
    catch_signals (SA_RESTART);
    interrupted (result = nn_connect (s, address); error = nn_errno ());
    check (result == -1 && error == EINTR);
    check_none (s);
    /*  By nn_shutdown in another thread, which has guessed the id. */
    struct waiting waiting = { s, 0, 0, 0, address };
    pthread_t thread = begin_to_wait (&waiting);
    check (nn_shutdown (s, 2) == 0);
    join_thread (thread);
    check (waiting.result == -1 && waiting.error == EINVAL);
    check_none (s);
    /*  By nn_close. */
    waiting.thread = 0;
    thread = begin_to_wait (&waiting);
    close_socket (s);
    join_thread (thread);
    check (waiting.result == -1 && waiting.error == EBADF);
}

static void *terminate (void *unused)
{
    (void) unused;
    nn_term ();
    return NULL;
}

int main (void)
{
    int s = open_socket (NN_PAIR), value = 1;
    size_t size = sizeof (value);
    long long wide = 1;
    if (on_reference ()) {
        check_error (nn_setsockopt (s, 0, NN_CONNECT_TIMEO, &value, size), ENOPROTOOPT);
        check_error (nn_getsockopt (s, 0, NN_CONNECT_TIMEO, &value, &size), ENOPROTOOPT);
    }
    if (only_ours ("it has no such option")) {
        check (get_int (s, 0, NN_CONNECT_TIMEO) == 0);
        check_error (nn_setsockopt (s, 0, NN_CONNECT_TIMEO, &wide, sizeof (wide)), EINVAL);
        check_error (nn_setsockopt (s, 0, NN_CONNECT_TIMEO, NULL, size), EFAULT);
        wait_for (s, INT32_MIN);
        check (get_int (s, 0, NN_CONNECT_TIMEO) == INT32_MIN);
        /*  A wrong address fails at once. */
        check_error (nn_connect (s, NULL), EINVAL);
        check_error (nn_connect (s, "tcp://127.0.0.1:0"), EINVAL);
        check_error (nn_connect (s, "nonsense://x"), EPROTONOSUPPORT);
        for (int i = 0; i < 4; i++) {
            connected (all[i]);
            timed_out (all[i]);
            late (all[i]);
            ended (all[i]);
        }
        struct waiting waiting = { s, 0, 0, 0, "inproc://nobody" };
        pthread_t thread = begin_to_wait (&waiting), terminator = start_thread (terminate, NULL);
        join_thread (thread);
        join_thread (terminator);
        check (waiting.result == -1 && waiting.error == EBADF);
    }
    say ("done");
    return 0;
}
