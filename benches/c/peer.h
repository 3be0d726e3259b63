/*  What the benchmark needs of a messaging library. Each peer_*.c says it in the words of one library, with the plain
    calls that its users write and with its defaults: the one option that is set lifts a limit on the size of a message.
    For TLS each takes its files from the environment: NN_TLS_CA_FILE, NN_TLS_CERT_FILE and NN_TLS_SERVER_NAME.

    One program is built from each of these files. A call that fails ends the process and says why.  */

#ifndef PEER_H
#define PEER_H

#include <stddef.h>

enum pattern { PEER_PAIR, PEER_PUSH, PEER_PULL, PEER_PUB, PEER_SUB, PEER_REQ, PEER_REP };

/*  The library's identifier of a socket.  */
typedef union {
    int number;
    void *pointer;
} peer_socket;

/*  0, or -1 if the library cannot open more sockets.  */
int peer_open(enum pattern pattern, peer_socket *sock);
void peer_close(peer_socket sock);

void peer_bind(peer_socket sock, const char *address);
void peer_connect(peer_socket sock, const char *address);
/*  One of several connections of a socket to the same address, each with a number of its own.  */
void peer_connect_again(peer_socket sock, const char *address, long number);
void peer_subscribe(peer_socket sock, const void *topic, size_t size);

/*  Lets the publisher send to each subscriber only what that has subscribed to, before connecting; of a PUB and of its SUB.  */
void peer_filter(enum pattern pattern, peer_socket sock);

/*  Lifts the library's limit on messages in flight, before connecting; the caller keeps their number low. Only
    libzmq, which learns late that a message was received, would drop messages of which only a few are in flight.  */
void peer_keep_all(peer_socket sock);

/*  The bytes are copied, into the library and out of it. peer_receive ends the process unless the message has `size`
    bytes.  */
void peer_send(peer_socket sock, const void *bytes, size_t size);
void peer_receive(peer_socket sock, void *bytes, size_t size);

/*  As peer_receive, but does not wait. Returns whether there was a message.  */
int peer_try_receive(peer_socket sock, void *bytes, size_t size);

/*  A descriptor that is readable when a message has come, or at least becomes readable then, so that the caller
    has to receive all messages before it waits again.  */
int peer_descriptor(peer_socket sock);

/*  Sockets for which one thread waits by the library's own call.  */
struct peer_set;
struct peer_set *peer_new_set(const peer_socket *socks, int count);
/*  Waits until at least one of them has a message.  */
void peer_wait(struct peer_set *set);
int peer_has_message(const struct peer_set *set, int index);

/*  Forwards requests and replies between the REQ that connect to one address and the REP that connect to the
    other. peer_run_device does not return.  */
struct peer_device {
    peer_socket front, back;
};
struct peer_device peer_bind_device(const char *front, const char *back);
void peer_run_device(struct peer_device device);

/*  The message is in the library's own memory, which it need not copy. It is not filled, and is freed by its
    receiver.  */
void peer_hand_over(peer_socket sock, size_t size);
void peer_take_over(peer_socket sock, size_t size);

#endif
