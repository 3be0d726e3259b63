/*  Standard streams. Descriptors 0, 1 and 2 belong to the host even when it has closed them:
    what it writes there goes to no peer. And NN_PRINT_ERRORS neither blocks nor raises a signal,
    whatever standard error is. */

#include "../lib/plain.h"

#include <nanomsg/pair.h>

static void check_none_is_ours (void)
{
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (fcntl (descriptor, F_GETFD) != -1)
            _exit (10 + descriptor);
}

/*  All operations that open a descriptor, with 0, 1 and 2 closed. */
static void use_without_streams (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    for (int descriptor = 0; descriptor < 3; descriptor++)
        close (descriptor);
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    bind_to (a, fresh_address (transport, address));
    check_none_is_ours ();
    connect_to (b, address);
    for (int i = 0; i < 10; i++) {
        send_text (b, "there");
        expect_text (a, "there");
        send_text (a, "back");
        expect_text (b, "back");
        check_none_is_ours ();
    }
    descriptor_of (a, NN_RCVFD);
    descriptor_of (b, NN_SNDFD);
    check_none_is_ours ();
    wait_writable (b);
    send_text (b, "last");
    wait_readable (a);
    check_none_is_ours ();
    close_socket (a);
    close_socket (b);
    check_none_is_ours ();
}

/*  Errors occur in a caller's thread and in the I/O thread, and are printed. */
static void print_errors (int standard_error)
{
    char address[NN_SOCKADDR_MAX];
    setenv ("NN_PRINT_ERRORS", "1", 1);
    signal (SIGPIPE, SIG_DFL);
    dup2 (standard_error, STDERR_FILENO);
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    for (int i = 0; i < 10; i++) {
        connect_to (open_patient (NN_PAIR), fresh_address ("tcp", address));
        connect_to (open_patient (NN_PAIR), fresh_address ("ipc", address));
    }
    bind_to (a, fresh_address ("tcp", address));
    connect_to (b, address);
    send_text (b, "still there");
    expect_text (a, "still there");
    close_socket (a);
    close_socket (b);
    nn_term ();
}

static void fill (int descriptor)
{
    fcntl (descriptor, F_SETFL, O_NONBLOCK);
    while (write (descriptor, "xxxxxxxx", 8) > 0)
        ;
    fcntl (descriptor, F_SETFL, 0);
}

static void check_printing (const char *what, int is_socket, int reads, int fills)
{
    int ends[2];
    check (is_socket ? socketpair (AF_UNIX, SOCK_STREAM, 0, ends) == 0 : pipe (ends) == 0);
    if (fills)
        fill (ends[1]);
    int64_t begin = now_ms ();
    pid_t child = start_process ();
    if (child == 0) {
        close (ends[0]);
        print_errors (ends[1]);
        _exit (0);
    }
    if (!fills && !reads)
        close (ends[0]);
    close (ends[1]);
    join_process (child);
    say ("errors are printed to %s: %d ms", what, (int) (now_ms () - begin));
    if (reads) {
        char line[64] = "";
        check (read (ends[0], line, sizeof (line) - 1) > 0);
        check (strncmp (line, "nanomsg: ", 9) == 0);
    }
    if (fills || reads)
        close (ends[0]);
}

int main (void)
{
    static const char *const names[] = { "inproc", "ipc", "tcp", "ws" };
    for (int i = 0; i < 4; i++) {
        pid_t child = start_process ();
        if (child == 0) {
            use_without_streams (names[i]);
            _exit (0);
        }
        join_process (child);
    }
    for (int is_socket = 0; is_socket < 2; is_socket++) {
        check_printing (is_socket ? "a socket" : "a pipe", is_socket, 1, 0);
        check_printing ("one that is full", is_socket, 0, 1);
        check_printing ("one that nobody has open", is_socket, 0, 0);
    }
    return 0;
}
