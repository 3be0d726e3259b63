/*  fd:// and socket://: endpoints on sockets that the program has opened. */

#include "../lib/plain.h"
#include <nanomsg/ext.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

/*  "SCHEME://NUMBER". */
static const char *address (const char *scheme, int descriptor)
{
    static char text[4][NN_SOCKADDR_MAX];
    static int next = 0;
    next = (next + 1) % 4;
    snprintf (text[next], sizeof (text[next]), "%s://%d", scheme, descriptor);
    return text[next];
}

static const char *last_address (int s)
{
    static char text[NN_SOCKADDR_MAX];
    size_t size = sizeof (text);
    check (nn_getsockopt (s, NN_SOL_SOCKET, NN_LAST_ENDPOINT, text, &size) == 0);
    return text;
}

/*  The socket behind a descriptor; 0 if it is not open. */
static ino_t socket_of (int descriptor)
{
    struct stat status;
    return fstat (descriptor, &status) == 0 ? status.st_ino : 0;
}

static void carry (int receiver, const char *address)
{
    int sender = open_patient (NN_PUSH);
    connect_to (sender, address);
    send_text (sender, address);
    expect_text (receiver, address);
    close_socket (sender);
}

/*  A listener is ours once the call has succeeded; who else has the socket keeps it. */
static void listeners (void)
{
    each_plain_transport (transport) {
        char target[NN_SOCKADDR_MAX];
        fresh_address (transport, target);
        int listener = plain_listen (target), other = dup (listener);
        int receiver = open_patient (NN_PULL);
        ino_t socket = socket_of (listener);
        int id = bind_to (receiver, address ("fd", listener));
        /*  The number may belong to something else by now. */
        check (socket_of (listener) != socket && socket_of (other) == socket);
        check (strcmp (last_address (receiver), target) == 0);
        carry (receiver, target);
        carry (receiver, target);
        check (nn_shutdown (receiver, id) == 0);
        /*  The other descriptor still listens, and the file is there. */
        close (plain_connect (target));
        bind_to (receiver, address ("fd", other));
        carry (receiver, target);
        close_socket (receiver);
        if (strcmp (transport, "ipc") == 0)
            check (unlink (target + 6) == 0);
    }
}

/*  Both halves of a pair belong to sockets of ours. */
static void pairs (void)
{
    static const char *const schemes[] = { "fd", "socket" };
    for (int i = 0; i < 2; i++) {
        int halves[2];
        check (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, halves) == 0);
        int one = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
        connect_to (one, address (schemes[i], halves[0]));
        connect_to (other, address (schemes[i], halves[1]));
        check (strncmp (last_address (one), schemes[i], strlen (schemes[i])) == 0);
        send_text (one, "there");
        expect_text (other, "there");
        send_text (other, "back");
        expect_text (one, "back");
        close_socket (other);
        close_socket (one);
    }
}

/*  The bytes are those of ipc with fd://, and those of tcp with socket:// or over TCP. */
static void mappings (void)
{
    static const unsigned char greeting[8] = { 0, 'S', 'P', 0, 0, 81, 0, 0 };
    for (int i = 0; i < 3; i++) {
        unsigned char bytes[64];
        int halves[2], s = open_patient (NN_PUSH);
        if (i == 2) {
            char target[NN_SOCKADDR_MAX];
            int listener = plain_listen (fresh_address ("tcp", target));
            halves[1] = plain_connect (target);
            halves[0] = accept (listener, NULL, NULL);
            close (listener);
        }
        else
            check (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, halves) == 0);
        size_t prefix = i == 0 ? 9 : 8;
        connect_to (s, address (i == 1 ? "socket" : "fd", halves[0]));
        check (write (halves[1], greeting, 8) == 8);
        send_text (s, "body");
        check (recv (halves[1], bytes, 8 + prefix + 4, MSG_WAITALL) == (ssize_t) (8 + prefix + 4));
        check (bytes[prefix + 7] == 4 && memcmp (bytes + 8 + prefix, "body", 4) == 0);
        check (i != 0 || bytes[8] == 1);
        /*  A lost connection is not made again; the endpoint stays until it is shut down. */
        close (halves[1]);
        wait_until (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == 0);
        check (nn_get_statistic (s, NN_STAT_INPROGRESS_CONNECTIONS) == 0);
        check (nn_get_statistic (s, NN_STAT_BROKEN_CONNECTIONS) == 1);
        check (nn_shutdown (s, 1) == 0);
        check_error (nn_shutdown (s, 1), EINVAL);
        close_socket (s);
    }
}

/*  What was sent is delivered when the socket is closed. */
static void closing (void)
{
    int halves[2];
    check (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, halves) == 0);
    int sender = open_patient (NN_PUSH), receiver = open_patient (NN_PULL);
    connect_to (sender, address ("fd", halves[0]));
    connect_to (receiver, address ("fd", halves[1]));
    for (int i = 0; i < 1000; i++)
        send_text (sender, "message");
    close_socket (sender);
    for (int i = 0; i < 1000; i++)
        expect_text (receiver, "message");
    close_socket (receiver);
}

/*  A call that waits in vain leaves the descriptor to the program, at the end of its connection. */
static void timed (void)
{
    int halves[2], s = open_socket (NN_PAIR), other = open_patient (NN_PAIR), greeted = 0;
    char byte;
    /*  First the descriptors of the I/O thread, and of a thread that waits. */
    bind_to (s, "ipc://timed.ipc");
    set_int (s, NN_SOL_SOCKET, NN_CONNECT_TIMEO, 10);
    check_error (nn_connect (s, "inproc://nobody"), ETIMEDOUT);
    check (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, halves) == 0);
    ino_t socket = socket_of (halves[0]);
    int count = count_descriptors ();
    check_error (nn_connect (s, address ("fd", halves[0])), ETIMEDOUT);
    check (socket_of (halves[0]) == socket);
    /*  A greeting, unless the time was over before the I/O thread came to that; and the end. */
    ssize_t size;
    while ((size = read (halves[1], &byte, 1)) == 1)
        greeted++;
    check (size == 0 && (greeted == 8 || greeted == 0));
    wait_until (count_descriptors () <= count);
    check (close (halves[0]) == 0);
    close (halves[1]);

    set_int (s, NN_SOL_SOCKET, NN_CONNECT_TIMEO, -1);
    check (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, halves) == 0);
    socket = socket_of (halves[0]);
    connect_to (other, address ("fd", halves[1]));
    connect_to (s, address ("fd", halves[0]));
    check (socket_of (halves[0]) != socket);
    send_text (s, "in time");
    expect_text (other, "in time");
    close_socket (s);
    close_socket (other);
}

/*  The call fails, and the descriptor stays as it was. */
static void refuse (int s, int descriptor, int bind_error, int connect_error)
{
    int flags = fcntl (descriptor, F_GETFL), closes = fcntl (descriptor, F_GETFD);
    int count = count_descriptors ();
    const char *schemes[] = { "fd", "socket" };
    for (int i = 0; i < 2; i++) {
        check_error (nn_bind (s, address (schemes[i], descriptor)), bind_error);
        check_error (nn_connect (s, address (schemes[i], descriptor)), connect_error);
    }
    check (fcntl (descriptor, F_GETFL) == flags && fcntl (descriptor, F_GETFD) == closes);
    check (count_descriptors () == count);
}

static void bad_descriptors (void)
{
    int s = open_socket (NN_PAIR), pipes[2], halves[2];
    /*  The I/O thread and its descriptors. */
    bind_to (s, "inproc://bad-descriptors");
    bind_to (s, "ipc://bad-descriptors.ipc");
    check_error (nn_bind (s, "fd://"), EINVAL);
    check_error (nn_bind (s, "fd://4294967303"), EINVAL);
    check_error (nn_bind (s, "socket://name"), EINVAL);
    check_error (nn_connect (s, "socket://-1"), EINVAL);
    check_error (nn_bind (s, "fd://no-such-name"), ENOENT);
    check_error (nn_connect (s, "fd://no-such-name"), ENOENT);
    /*  What is not all digits is a name. */
    check_error (nn_bind (s, "fd://-1"), ENOENT);
    check_error (nn_connect (s, "fd://7a"), ENOENT);
    int unused = next_descriptor ();
    refuse (s, unused, ENOTSOCK, ENOTSOCK);
    check (pipe (pipes) == 0);
    refuse (s, pipes[0], ENOTSOCK, ENOTSOCK);
    close (pipes[0]);
    close (pipes[1]);
    int datagrams = socket (AF_INET, SOCK_DGRAM, 0);
    refuse (s, datagrams, EINVAL, EINVAL);
    close (datagrams);
    int fresh = socket (AF_INET, SOCK_STREAM, 0);
    refuse (s, fresh, EINVAL, EINVAL);
    close (fresh);
    check (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, halves) == 0);
    refuse (s, halves[0], EINVAL, EINVAL);
    close (halves[0]);
    close (halves[1]);
    check (nn_get_statistic (s, NN_STAT_BIND_ERRORS) == 5 + 5 * 2);
    char target[NN_SOCKADDR_MAX];
    int listener = plain_listen (fresh_address ("tcp", target));
    check_error (nn_connect (s, address ("fd", listener)), EINVAL);
    check (socketpair (AF_UNIX, SOCK_STREAM, 0, halves) == 0);
    check_error (nn_bind (s, address ("fd", halves[0])), EINVAL);
    check (!(fcntl (listener, F_GETFL) & O_NONBLOCK) && !(fcntl (halves[0], F_GETFL) & O_NONBLOCK));
    close (listener);
    close (halves[0]);
    close (halves[1]);
    close_socket (s);
}

/*  The descriptors that systemd passes have numbers from 3 on, and names. The program runs itself again, as systemd
    runs a service. */
static void passed (void)
{
    char text[32], expected[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL);
    snprintf (text, sizeof (text), "%d", (int) getpid ());
    setenv ("LISTEN_PID", "1", 1);
    check_error (nn_bind (s, "fd://two"), ENOENT);
    setenv ("LISTEN_PID", text, 1);
    setenv ("LISTEN_FDS", "1", 1);
    check_error (nn_bind (s, "fd://two"), ENOENT);
    setenv ("LISTEN_FDS", "2", 1);
    check_error (nn_bind (s, "fd://three"), ENOENT);
    check_error (nn_connect (s, "fd://two"), EINVAL);
    for (int i = 0; i < 2; i++) {
        int id = bind_to (s, "fd://two");
        check (fcntl (4, F_GETFD) == FD_CLOEXEC);
        snprintf (expected, sizeof (expected), "%s", last_address (s));
        check (strncmp (expected, "tcp://127.0.0.1:", 16) == 0);
        carry (s, expected);
        /*  It stays open, so that its name can be bound again. */
        check (nn_shutdown (s, id) == 0);
        check (socket_of (4));
    }
    bind_to (s, "fd://one");
    check (strcmp (last_address (s), expected) != 0);
    carry (s, last_address (s));
    /*  Without names each has the same one. */
    unsetenv ("LISTEN_FDNAMES");
    check_error (nn_bind (s, "fd://two"), ENOENT);
    bind_to (s, "fd://unknown");
    /*  An empty name keeps its place. */
    setenv ("LISTEN_FDNAMES", ":two", 1);
    bind_to (s, "fd://two");
    check (strcmp (last_address (s), expected) == 0);
    close_socket (s);
}

static void run_passed (const char *program)
{
    pid_t child = start_process ();
    if (child == 0) {
        char target[NN_SOCKADDR_MAX];
        int one = fcntl (plain_listen (fresh_address ("tcp", target)), F_DUPFD, 10);
        int two = fcntl (plain_listen (fresh_address ("tcp", target)), F_DUPFD, 10);
        check (dup2 (one, 3) == 3 && dup2 (two, 4) == 4);
        setenv ("LISTEN_FDNAMES", "one:two", 1);
        execl (program, program, "passed", (char *) NULL);
        fail ("execl: %s", strerror (errno));
    }
    join_process (child);
}

int main (int count, char **arguments)
{
    if (count > 1) {
        passed ();
        return 0;
    }
    if (on_reference ()) {
        int s = open_socket (NN_PAIR);
        check_error (nn_bind (s, "fd://7"), EPROTONOSUPPORT);
        check_error (nn_connect (s, "fd://7"), EPROTONOSUPPORT);
        check_error (nn_connect (s, "socket://7"), EPROTONOSUPPORT);
        close_socket (s);
    }
    if (only_ours ("it has no such transport")) {
        listeners ();
        pairs ();
        mappings ();
        closing ();
        timed ();
        bad_descriptors ();
        run_passed (arguments[0]);
    }
    say ("done");
    return 0;
}
