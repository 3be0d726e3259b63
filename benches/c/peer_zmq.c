/*  libzmq. All sockets of a process share one context, with its default of one I/O thread.  */

#include "measure.h"
#include "peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/*  The default is 1,023; the case of many sockets needs more.  */
#define MOST_SOCKETS 20000

static const int TYPES[] = {
    [PEER_PAIR] = ZMQ_PAIR, [PEER_PUSH] = ZMQ_PUSH, [PEER_PULL] = ZMQ_PULL, [PEER_PUB] = ZMQ_PUB,
    [PEER_SUB] = ZMQ_SUB,   [PEER_REQ] = ZMQ_REQ,   [PEER_REP] = ZMQ_REP,
};

static void *context;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void check(int succeeded, const char *what)
{
    if (!succeeded)
        die(what, zmq_strerror(zmq_errno()));
}

static void new_context(void)
{
    context = zmq_ctx_new();
    check(context != NULL, "zmq_ctx_new");
    check(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, MOST_SOCKETS) == 0, "ZMQ_MAX_SOCKETS");
}

static int open_as(int type, peer_socket *sock)
{
    pthread_once(&once, new_context);
    sock->pointer = zmq_socket(context, type);
    if (sock->pointer == NULL) {
        check(zmq_errno() == EMFILE, "zmq_socket");
        return -1;
    }
    return 0;
}

int peer_open(enum pattern pattern, peer_socket *sock)
{
    return open_as(TYPES[pattern], sock);
}

void peer_close(peer_socket sock)
{
    check(zmq_close(sock.pointer) == 0, "zmq_close");
}

void peer_bind(peer_socket sock, const char *address)
{
    check(zmq_bind(sock.pointer, address) == 0, "zmq_bind");
}

void peer_connect(peer_socket sock, const char *address)
{
    check(zmq_connect(sock.pointer, address) == 0, "zmq_connect");
}

/*  A REQ connects to an address only once. But an address can name the source address on the loopback network.  */
void peer_connect_again(peer_socket sock, const char *address, long number)
{
    char from_to[128];

    snprintf(from_to, sizeof from_to, "tcp://127.1.%ld.%ld:0;%s", number / 256, number % 256,
             address + strlen("tcp://"));
    peer_connect(sock, from_to);
}

void peer_subscribe(peer_socket sock, const void *topic, size_t size)
{
    check(zmq_setsockopt(sock.pointer, ZMQ_SUBSCRIBE, topic, size) == 0, "ZMQ_SUBSCRIBE");
}

void peer_filter(enum pattern pattern, peer_socket sock)
{
    (void)pattern, (void)sock;
    cannot("libzmq filters so without an option");
}

void peer_keep_all(peer_socket sock)
{
    int no_limit = 0;

    check(zmq_setsockopt(sock.pointer, ZMQ_SNDHWM, &no_limit, sizeof no_limit) == 0, "ZMQ_SNDHWM");
    check(zmq_setsockopt(sock.pointer, ZMQ_RCVHWM, &no_limit, sizeof no_limit) == 0, "ZMQ_RCVHWM");
}

void peer_send(peer_socket sock, const void *bytes, size_t size)
{
    check(zmq_send(sock.pointer, bytes, size, 0) == (int)size, "zmq_send");
}

void peer_receive(peer_socket sock, void *bytes, size_t size)
{
    check(zmq_recv(sock.pointer, bytes, size, 0) == (int)size, "zmq_recv");
}

int peer_try_receive(peer_socket sock, void *bytes, size_t size)
{
    int came = zmq_recv(sock.pointer, bytes, size, ZMQ_DONTWAIT);

    if (came < 0 && zmq_errno() == EAGAIN)
        return 0;
    check(came == (int)size, "zmq_recv");
    return 1;
}

int peer_descriptor(peer_socket sock)
{
    int descriptor;
    size_t size = sizeof descriptor;

    check(zmq_getsockopt(sock.pointer, ZMQ_FD, &descriptor, &size) == 0, "ZMQ_FD");
    return descriptor;
}

struct peer_set {
    int count;
    zmq_pollitem_t items[];
};

struct peer_set *peer_new_set(const peer_socket *socks, int count)
{
    struct peer_set *set = malloc(sizeof *set + (size_t)count * sizeof set->items[0]);
    int i;

    if (set == NULL)
        die_errno("malloc");
    set->count = count;
    for (i = 0; i < count; i++)
        set->items[i] = (zmq_pollitem_t){.socket = socks[i].pointer, .events = ZMQ_POLLIN};
    return set;
}

void peer_wait(struct peer_set *set)
{
    check(zmq_poll(set->items, set->count, -1) > 0, "zmq_poll");
}

int peer_has_message(const struct peer_set *set, int index)
{
    return set->items[index].revents & ZMQ_POLLIN;
}

struct peer_device peer_bind_device(const char *front, const char *back)
{
    struct peer_device device;

    check(open_as(ZMQ_ROUTER, &device.front) == 0, "ZMQ_ROUTER");
    check(open_as(ZMQ_DEALER, &device.back) == 0, "ZMQ_DEALER");
    peer_bind(device.front, front);
    peer_bind(device.back, back);
    return device;
}

void peer_run_device(struct peer_device device)
{
    zmq_proxy(device.front.pointer, device.back.pointer, NULL);
    check(0, "zmq_proxy");
}

void peer_hand_over(peer_socket sock, size_t size)
{
    zmq_msg_t message;

    check(zmq_msg_init_size(&message, size) == 0, "zmq_msg_init_size");
    check(zmq_msg_send(&message, sock.pointer, 0) == (int)size, "zmq_msg_send");
}

void peer_take_over(peer_socket sock, size_t size)
{
    zmq_msg_t message;

    check(zmq_msg_init(&message) == 0, "zmq_msg_init");
    check(zmq_msg_recv(&message, sock.pointer, 0) == (int)size, "zmq_msg_recv");
    check(zmq_msg_close(&message) == 0, "zmq_msg_close");
}
