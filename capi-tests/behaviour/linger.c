/*  NN_LINGER: messages that nn_send accepted before nn_close are delivered. The C library
    accepts the option and ignores it: it loses the last messages. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

#define COUNT 1000
#define SIZE 1024

/*  Sends everything, closes at once and ends. The linger time is `linger`. */
static pid_t start_sender (const char *address, int linger)
{
    char body[SIZE];
    pid_t child = start_process ();
    if (child)
        return child;
    int push = open_patient (NN_PUSH);
    set_int (push, 0, NN_LINGER, linger);
    connect_to (push, address);
    memset (body, 'x', sizeof (body));
    for (int i = 0; i < COUNT; i++) {
        memcpy (body, &i, sizeof (i));
        check (nn_send (push, body, sizeof (body), 0) == SIZE);
    }
    close_socket (push);
    _exit (0);
}

static void receive_all (int pull)
{
    char body[SIZE + 1];
    int number;
    for (int i = 0; i < COUNT; i++) {
        int size = nn_recv (pull, body, sizeof (body), 0);
        if (size != SIZE)
            fail ("message %d of %d: %d, %s", i, COUNT, size, error_name (nn_errno ()));
        memcpy (&number, body, sizeof (number));
        check (number == i && body[SIZE - 1] == 'x');
    }
}

static void between_processes (const char *transport, int linger)
{
    char address[NN_SOCKADDR_MAX];
    fresh_address (transport, address);
    pid_t sender = start_sender (address, linger);
    int pull = open_patient (NN_PULL);
    bind_to (pull, address);
    receive_all (pull);
    join_process (sender);
    close_socket (pull);
}

/*  With the default of one second. The receiver begins to read only after the sender's program
    has ended. */
static void read_later (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    fresh_address (transport, address);
    pid_t sender = start_process ();
    if (sender == 0) {
        int push = open_patient (NN_PUSH);
        connect_to (push, address);
        for (int i = 0; i < 20; i++)
            check (nn_send (push, &i, sizeof (i), 0) == sizeof (i));
        close_socket (push);
        _exit (0);
    }
    int pull = open_patient (NN_PULL);
    bind_to (pull, address);
    join_process (sender);
    for (int i = 0; i < 20; i++) {
        int number;
        check (nn_recv (pull, &number, sizeof (number), 0) == sizeof (number));
        check (number == i);
    }
    close_socket (pull);
}

/*  In one process, over any transport: closed with messages in flight. */
static void in_one_process (const char *transport)
{
    static char body[SIZE];
    char address[NN_SOCKADDR_MAX];
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    set_int (push, 0, NN_LINGER, LIMIT_MS);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    for (int i = 0; i < 50; i++)
        check (nn_send (push, body, sizeof (body), 0) == SIZE);
    close_socket (push);
    for (int i = 0; i < 50; i++)
        check (nn_recv (pull, body, sizeof (body), 0) == SIZE);
    check (nn_recv (pull, body, sizeof (body), NN_DONTWAIT) == -1);
    close_socket (pull);
}

/*  A reply as the last thing a program does. */
static void last_word (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    bind_to (a, fresh_address (transport, address));
    connect_to (b, address);
    send_text (a, "ping");
    expect_text (b, "ping");
    send_text (b, "bye");
    close_socket (b);
    expect_text (a, "bye");
    close_socket (a);
}

/*  Waiting ends: without limit, nn_close waits only while there is a peer to deliver to; with 0
    it does not wait. */
static void nobody_reads (void)
{
    static char body[100000];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    char address[NN_SOCKADDR_MAX];
    bind_to (pull, fresh_address ("tcp", address));
    connect_to (push, address);
    wait_writable (push);
    while (nn_send (push, body, sizeof (body), NN_DONTWAIT) > 0)
        ;
    set_int (push, 0, NN_LINGER, 0);
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    int s = open_socket (NN_PAIR);
    say ("by default nn_getsockopt says %d", get_int (s, 0, NN_LINGER));
    set_int (s, 0, NN_LINGER, 500);
    say ("after 500 was set it says %d", get_int (s, 0, NN_LINGER));
    close_socket (s);
    if (!only_ours ("it loses what was sent just before nn_close"))
        return 0;
    between_processes ("tcp", LIMIT_MS);
    between_processes ("ipc", LIMIT_MS);
    between_processes ("tcp", -1);
    between_processes ("ipc", -1);
    read_later ("tcp");
    read_later ("ipc");
    each_transport (transport) {
        in_one_process (transport);
        last_word (transport);
    }
    nobody_reads ();
    return 0;
}
