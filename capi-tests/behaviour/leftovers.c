/*  After the last nn_close no thread and no descriptor of the library is left,
    and a fork is clean. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

static int threads_before, descriptors_before;

static void nothing_left (const char *after)
{
    /*  The kernel may list a joined thread for a moment longer. */
    wait_until (count_threads () == threads_before);
    say ("%s: threads %+d, descriptors %+d", after,
        count_threads () - threads_before, count_descriptors () - descriptors_before);
}

static void exchange (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    bind_to (a, fresh_address (transport, address));
    connect_to (b, address);
    check (descriptor_of (a, NN_SNDFD) >= 0 && descriptor_of (a, NN_RCVFD) >= 0);
    check (descriptor_of (b, NN_SNDFD) >= 0 && descriptor_of (b, NN_RCVFD) >= 0);
    send_text (a, "x");
    expect_text (b, "x");
    send_text (b, "y");
    expect_text (a, "y");
    close_socket (a);
    close_socket (b);
}

static void use_in_child (const char *what)
{
    pid_t child = start_process ();
    if (child == 0) {
        each_transport (transport)
            exchange (transport);
        _exit (0);
    }
    join_process (child);
    say ("a child uses the library, %s", what);
}

/*  Connections that were never established. */
static void unconnected (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PUSH);
    connect_to (s, fresh_address (transport, address));
    connect_to (s, address);
    set_int (s, 0, NN_LINGER, 0);
    struct nn_pollfd item = { s, NN_POLLOUT, 0 };
    nn_poll (&item, 1, 30);
    close_socket (s);
}

/*  Sockets that are closed with messages in flight in both directions. */
static void in_the_middle (const char *transport)
{
    static char body[5000];
    char address[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    wait_writable (push);
    for (int i = 0; i < 20; i++)
        nn_send (push, body, sizeof (body), NN_DONTWAIT);
    set_int (push, 0, NN_LINGER, 0);
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    use_in_child ("before its parent did");
    threads_before = count_threads ();
    descriptors_before = count_descriptors ();

    close_socket (open_socket (NN_PAIR));
    nothing_left ("opened and closed");
    each_transport (transport) {
        say ("%s", transport);
        for (int i = 0; i < 3; i++)
            exchange (transport);
        nothing_left ("  messages exchanged");
        unconnected (transport);
        nothing_left ("  never connected");
        in_the_middle (transport);
        nothing_left ("  closed with messages under way");
        use_in_child ("after its parent closed everything");
        nothing_left ("  after the child");
    }
    if (only_ours ("it always has a worker thread")) {
        int s = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
        bind_to (s, "inproc://no-thread");
        connect_to (other, "inproc://no-thread");
        send_text (s, "x");
        expect_text (other, "x");
        check (count_threads () == threads_before);
        check (count_descriptors () == descriptors_before);
        close_socket (s);
        check (count_threads () == threads_before);
        check (count_descriptors () == descriptors_before);
        close_socket (other);
    }
    if (only_ours ("with sockets open at the fork it hangs in the child")) {
        char address[NN_SOCKADDR_MAX];
        int s = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
        bind_to (s, fresh_address ("tcp", address));
        connect_to (other, address);
        send_text (s, "x");
        expect_text (other, "x");
        use_in_child ("while its parent has sockets open");
        send_text (s, "y");
        expect_text (other, "y");
        close_socket (s);
        close_socket (other);
        nothing_left ("after that");
    } else {
        say ("a child uses the library, while its parent has sockets open");
        nothing_left ("after that");
    }
    return 0;
}
