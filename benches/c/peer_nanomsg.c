/*  The libraries that speak the interface of <nanomsg/nn.h>: which one it is depends on what the loader finds.  */

#include "measure.h"
#include "peer.h"

#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

static const int PROTOCOLS[] = {
    [PEER_PAIR] = NN_PAIR, [PEER_PUSH] = NN_PUSH, [PEER_PULL] = NN_PULL, [PEER_PUB] = NN_PUB,
    [PEER_SUB] = NN_SUB,   [PEER_REQ] = NN_REQ,   [PEER_REP] = NN_REP,
};

static void check(int succeeded, const char *what)
{
    if (!succeeded)
        die(what, nn_strerror(nn_errno()));
}

int peer_open(enum pattern pattern, peer_socket *sock)
{
    int no_limit = -1;

    sock->number = nn_socket(AF_SP, PROTOCOLS[pattern]);
    if (sock->number < 0) {
        check(nn_errno() == EMFILE, "nn_socket");
        return -1;
    }
    check(nn_setsockopt(sock->number, NN_SOL_SOCKET, NN_RCVMAXSIZE, &no_limit, sizeof no_limit) == 0, "NN_RCVMAXSIZE");
    return 0;
}

void peer_bind(peer_socket sock, const char *address)
{
    check(nn_bind(sock.number, address) >= 0, "nn_bind");
}

void peer_connect(peer_socket sock, const char *address)
{
    check(nn_connect(sock.number, address) >= 0, "nn_connect");
}

void peer_connect_again(peer_socket sock, const char *address, long number)
{
    (void)number;
    peer_connect(sock, address);
}

void peer_subscribe(peer_socket sock, const void *topic, size_t size)
{
    check(nn_setsockopt(sock.number, NN_SUB, NN_SUB_SUBSCRIBE, topic, size) == 0, "NN_SUB_SUBSCRIBE");
}

void peer_keep_all(peer_socket sock)
{
    (void)sock;
}

void peer_send(peer_socket sock, const void *bytes, size_t size)
{
    check(nn_send(sock.number, bytes, size, 0) == (int)size, "nn_send");
}

void peer_receive(peer_socket sock, void *bytes, size_t size)
{
    check(nn_recv(sock.number, bytes, size, 0) == (int)size, "nn_recv");
}

void peer_hand_over(peer_socket sock, size_t size)
{
    void *message = nn_allocmsg(size, 0);

    check(message != NULL, "nn_allocmsg");
    check(nn_send(sock.number, &message, NN_MSG, 0) == (int)size, "nn_send");
}

void peer_take_over(peer_socket sock, size_t size)
{
    void *message;

    check(nn_recv(sock.number, &message, NN_MSG, 0) == (int)size, "nn_recv");
    check(nn_freemsg(message) == 0, "nn_freemsg");
}
