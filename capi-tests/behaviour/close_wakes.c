/*  nn_close wakes all calls that wait on the socket; they return EBADF. */

#include "../lib/test.h"
#include <stdatomic.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

struct call {
    int socket;
    int sends;
    atomic_int thread;
    int result;
    int error;
};

static void *blocked (void *argument)
{
    struct call *call = argument;
    char byte;
    call->thread = thread_id ();
    call->result = call->sends ? nn_send (call->socket, "x", 1, 0)
                               : nn_recv (call->socket, &byte, 1, 0);
    call->error = nn_errno ();
    return NULL;
}

static void wake (const char *what, int s, int senders, int receivers)
{
    struct call calls[8];
    pthread_t threads[8];
    int count = senders + receivers;
    for (int i = 0; i < count; i++) {
        calls[i].socket = s;
        calls[i].sends = i < senders;
        calls[i].thread = 0;
        threads[i] = start_thread (blocked, &calls[i]);
    }
    for (int i = 0; i < count; i++)
        wait_until (calls[i].thread && is_asleep (calls[i].thread));
    show (what, nn_close (s));
    for (int i = 0; i < count; i++) {
        join_thread (threads[i]);
        say ("  %s: %d, %s", calls[i].sends ? "nn_send" : "nn_recv", calls[i].result,
            error_name (calls[i].error));
    }
    show ("  closed again", nn_close (s));
}

static void *send_always (void *argument)
{
    struct call *call = argument;
    while ((call->result = nn_send (call->socket, "busy", 4, 0)) == 4)
        ;
    call->error = nn_errno ();
    return NULL;
}

static void *receive_always (void *argument)
{
    struct call *call = argument;
    char body[8];
    while ((call->result = nn_recv (call->socket, body, sizeof (body), 0)) == 4)
        call->thread++;
    call->error = nn_errno ();
    return NULL;
}

/*  Closed in the middle of a flood, the sender first or the receiver first. */
static void flood (const char *transport, int sender_first)
{
    char address[NN_SOCKADDR_MAX];
    struct call sender = { open_socket (NN_PUSH), 1, 0, 0, 0 };
    struct call receiver = { open_socket (NN_PULL), 0, 0, 0, 0 };
    bind_to (receiver.socket, fresh_address (transport, address));
    connect_to (sender.socket, address);
    set_int (sender.socket, 0, NN_LINGER, 0);
    pthread_t sending = start_thread (send_always, &sender);
    pthread_t receiving = start_thread (receive_always, &receiver);
    wait_until (receiver.thread > 100);
    close_socket (sender_first ? sender.socket : receiver.socket);
    join_thread (sender_first ? sending : receiving);
    close_socket (sender_first ? receiver.socket : sender.socket);
    join_thread (sender_first ? receiving : sending);
    if (sender.error != EBADF || receiver.error != EBADF)
        fail ("%s, %s first: %s and %s", transport, sender_first ? "sender" : "receiver",
            error_name (sender.error), error_name (receiver.error));
}

int main (void)
{
    wake ("one receiver", open_socket (NN_PAIR), 0, 1);
    wake ("one sender", open_socket (NN_PAIR), 1, 0);
    wake ("three of each", open_socket (NN_PAIR), 3, 3);
    each_transport (transport) {
        char address[NN_SOCKADDR_MAX];
        int a = open_socket (NN_PAIR), b = open_patient (NN_PAIR);
        bind_to (a, fresh_address (transport, address));
        connect_to (b, address);
        wait_writable (b);
        send_text (b, "connected");
        expect_text (a, "connected");
        wake (transport, a, 0, 4);
        close_socket (b);
    }
    if (only_ours ("it crashes when closed in the middle of a flood")) {
        each_transport (transport)
            for (int i = 0; i < 6; i++)
                flood (transport, i % 2);
    }
    return 0;
}
