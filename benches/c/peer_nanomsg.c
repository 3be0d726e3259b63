/*  The libraries with the interface of <nanomsg/nn.h>; the loader decides which one.  */

#include "measure.h"
#include "peer.h"

#include <nanomsg/ext.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>

#include <stdlib.h>

static const int PROTOCOLS[] = {
    [PEER_PAIR] = NN_PAIR, [PEER_PUSH] = NN_PUSH, [PEER_PULL] = NN_PULL, [PEER_PUB] = NN_PUB,
    [PEER_SUB] = NN_SUB,   [PEER_REQ] = NN_REQ,   [PEER_REP] = NN_REP,
};

static void check(int succeeded, const char *what)
{
    if (!succeeded)
        die(what, nn_strerror(nn_errno()));
}

static int open_in(int domain, enum pattern pattern, peer_socket *sock)
{
    int no_limit = -1;

    sock->number = nn_socket(domain, PROTOCOLS[pattern]);
    if (sock->number < 0) {
        check(nn_errno() == EMFILE, "nn_socket");
        return -1;
    }
    check(nn_setsockopt(sock->number, NN_SOL_SOCKET, NN_RCVMAXSIZE, &no_limit, sizeof no_limit) == 0, "NN_RCVMAXSIZE");
    return 0;
}

int peer_open(enum pattern pattern, peer_socket *sock)
{
    return open_in(AF_SP, pattern, sock);
}

void peer_close(peer_socket sock)
{
    check(nn_close(sock.number) == 0, "nn_close");
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

void peer_filter(enum pattern pattern, peer_socket sock)
{
    int on = 1;
    int result = pattern == PEER_PUB ? nn_setsockopt(sock.number, NN_PUB, NN_PUB_FILTER, &on, sizeof on)
                                     : nn_setsockopt(sock.number, NN_SUB, NN_SUB_FILTER_UPSTREAM, &on, sizeof on);

    if (result < 0 && nn_errno() == ENOPROTOOPT)
        cannot("libnanomsg filters at the subscriber only");
    check(result == 0, "NN_PUB_FILTER");
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

int peer_try_receive(peer_socket sock, void *bytes, size_t size)
{
    int came = nn_recv(sock.number, bytes, size, NN_DONTWAIT);

    if (came < 0 && nn_errno() == EAGAIN)
        return 0;
    check(came == (int)size, "nn_recv");
    return 1;
}

int peer_descriptor(peer_socket sock)
{
    int descriptor;
    size_t size = sizeof descriptor;

    check(nn_getsockopt(sock.number, NN_SOL_SOCKET, NN_RCVFD, &descriptor, &size) == 0, "NN_RCVFD");
    return descriptor;
}

struct peer_set {
    int count;
    struct nn_pollfd items[];
};

struct peer_set *peer_new_set(const peer_socket *socks, int count)
{
    struct peer_set *set = malloc(sizeof *set + (size_t)count * sizeof set->items[0]);
    int i;

    if (set == NULL)
        die_errno("malloc");
    set->count = count;
    for (i = 0; i < count; i++)
        set->items[i] = (struct nn_pollfd){socks[i].number, NN_POLLIN, 0};
    return set;
}

void peer_wait(struct peer_set *set)
{
    check(nn_poll(set->items, set->count, -1) > 0, "nn_poll");
}

int peer_has_message(const struct peer_set *set, int index)
{
    return set->items[index].revents & NN_POLLIN;
}

struct peer_device peer_bind_device(const char *front, const char *back)
{
    struct peer_device device;

    check(open_in(AF_SP_RAW, PEER_REP, &device.front) == 0, "nn_socket");
    check(open_in(AF_SP_RAW, PEER_REQ, &device.back) == 0, "nn_socket");
    peer_bind(device.front, front);
    peer_bind(device.back, back);
    return device;
}

void peer_run_device(struct peer_device device)
{
    nn_device(device.front.number, device.back.number);
    check(0, "nn_device");
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
