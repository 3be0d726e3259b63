/*  A process forks while another of its threads uses the library for the first time, or waits
    and spins for messages: the child uses the library normally. Each round is a new process, in
    which the fork comes a little later. ROUNDS is how many, 300 by default. */

#include "../lib/test.h"

#include <nanomsg/pair.h>

static int fresh;
static volatile int is_calling;

/*  The first call of the process that blocks. */
static void *receive (void *unused)
{
    char byte;
    is_calling = 1;
    nn_recv (fresh, &byte, 1, 0);
    return unused;
}

/*  The first call of the process. */
static void *open_one (void *unused)
{
    is_calling = 1;
    close_socket (open_socket (NN_PAIR));
    return unused;
}

/*  The child: a wait that ends by its timeout, and a message over a connection. */
static void use_library (void)
{
    char address[NN_SOCKADDR_MAX], byte;
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    set_int (a, NN_SOL_SOCKET, NN_RCVTIMEO, 1);
    check_error (nn_recv (a, &byte, 1, 0), ETIMEDOUT);
    set_int (a, NN_SOL_SOCKET, NN_RCVTIMEO, LIMIT_MS);
    bind_to (a, fresh_address ("ipc", address));
    connect_to (b, address);
    send_text (b, "x");
    expect_text (a, "x");
    close_socket (a);
    close_socket (b);
}

static void round_of (void *(*body) (void *), int opens_first, int delay)
{
    pid_t process = start_process ();
    if (process == 0) {
        if (opens_first) {
            fresh = open_socket (NN_PAIR);
            set_int (fresh, NN_SOL_SOCKET, NN_RCVTIMEO, 50);
        }
        start_thread (body, NULL);
        while (!is_calling)
            ;
        for (volatile int i = 0; i < delay; i++)
            ;
        pid_t child = start_process ();
        if (child == 0) {
            use_library ();
            _exit (0);
        }
        join_process (child);
        _exit (0);
    }
    join_process (process);
}

int main (void)
{
    const char *rounds = getenv ("ROUNDS");
    int count = rounds ? atoi (rounds) : 300;
    int64_t begin = now_ms ();
    for (int i = 0; i < count; i++)
        round_of (i % 2 ? receive : open_one, i % 2, i * 37 % 4000);
    say ("%d forks during a first call: every child used the library (%d ms)", count,
        (int) (now_ms () - begin));
    return 0;
}
