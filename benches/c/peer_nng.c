/*  nng, with its own interface.  */

#include "measure.h"
#include "peer.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>

#include <stdlib.h>
#include <string.h>

static int (*const OPEN[])(nng_socket *) = {
    [PEER_PAIR] = nng_pair0_open, [PEER_PUSH] = nng_push0_open, [PEER_PULL] = nng_pull0_open,
    [PEER_PUB] = nng_pub0_open,   [PEER_SUB] = nng_sub0_open,   [PEER_REQ] = nng_req0_open,
    [PEER_REP] = nng_rep0_open,
};

static void check(int result, const char *what)
{
    if (result != 0)
        die(what, nng_strerror(result));
}

static nng_socket of(peer_socket sock)
{
    nng_socket its = {(uint32_t)sock.number};

    return its;
}

static int open_with(int (*open)(nng_socket *), peer_socket *sock)
{
    nng_socket its;
    int result = open(&its);

    if (result == NNG_ENOMEM || result == NNG_ENOFILES)
        return -1;
    check(result, "nng_open");
    check(nng_socket_set_size(its, NNG_OPT_RECVMAXSZ, 0), NNG_OPT_RECVMAXSZ);
    sock->number = (int)its.id;
    return 0;
}

int peer_open(enum pattern pattern, peer_socket *sock)
{
    return open_with(OPEN[pattern], sock);
}

void peer_close(peer_socket sock)
{
    check(nng_close(of(sock)), "nng_close");
}

static int is_secure(const char *address)
{
    return strncmp(address, "tls+", 4) == 0 || strncmp(address, "wss:", 4) == 0;
}

void peer_bind(peer_socket sock, const char *address)
{
    nng_listener listener;

    check(nng_listener_create(&listener, of(sock), address), "nng_listener_create");
    if (is_secure(address))
        check(nng_listener_set_string(listener, NNG_OPT_TLS_CERT_KEY_FILE, getenv("NN_TLS_CERT_FILE")),
              NNG_OPT_TLS_CERT_KEY_FILE);
    check(nng_listener_start(listener, 0), "nng_listener_start");
}

void peer_connect(peer_socket sock, const char *address)
{
    nng_dialer dialer;

    check(nng_dialer_create(&dialer, of(sock), address), "nng_dialer_create");
    if (is_secure(address)) {
        check(nng_dialer_set_string(dialer, NNG_OPT_TLS_CA_FILE, getenv("NN_TLS_CA_FILE")), NNG_OPT_TLS_CA_FILE);
        check(nng_dialer_set_string(dialer, NNG_OPT_TLS_SERVER_NAME, getenv("NN_TLS_SERVER_NAME")),
              NNG_OPT_TLS_SERVER_NAME);
    }
    check(nng_dialer_start(dialer, 0), "nng_dialer_start");
}

void peer_connect_again(peer_socket sock, const char *address, long number)
{
    (void)number;
    peer_connect(sock, address);
}

void peer_subscribe(peer_socket sock, const void *topic, size_t size)
{
    check(nng_socket_set(of(sock), NNG_OPT_SUB_SUBSCRIBE, topic, size), NNG_OPT_SUB_SUBSCRIBE);
}

void peer_filter(enum pattern pattern, peer_socket sock)
{
    (void)pattern, (void)sock;
    cannot("nng filters at the subscriber only");
}

void peer_keep_all(peer_socket sock)
{
    (void)sock;
}

void peer_send(peer_socket sock, const void *bytes, size_t size)
{
    /*  Without NNG_FLAG_ALLOC nng only reads the bytes.  */
    check(nng_send(of(sock), (void *)bytes, size, 0), "nng_send");
}

static int receive(peer_socket sock, void *bytes, size_t size, int flags)
{
    size_t came = size;
    int result = nng_recv(of(sock), bytes, &came, flags);

    if (result == NNG_EAGAIN)
        return 0;
    check(result, "nng_recv");
    if (came != size)
        die("nng_recv", "a message of another size");
    return 1;
}

void peer_receive(peer_socket sock, void *bytes, size_t size)
{
    receive(sock, bytes, size, 0);
}

int peer_try_receive(peer_socket sock, void *bytes, size_t size)
{
    return receive(sock, bytes, size, NNG_FLAG_NONBLOCK);
}

int peer_descriptor(peer_socket sock)
{
    int descriptor;

    check(nng_socket_get_int(of(sock), NNG_OPT_RECVFD, &descriptor), NNG_OPT_RECVFD);
    return descriptor;
}

struct peer_set *peer_new_set(const peer_socket *socks, int count)
{
    (void)socks, (void)count;
    cannot("nng has no call that waits for several sockets");
}

void peer_wait(struct peer_set *set)
{
    (void)set;
}

int peer_has_message(const struct peer_set *set, int index)
{
    (void)set, (void)index;
    return 0;
}

struct peer_device peer_bind_device(const char *front, const char *back)
{
    struct peer_device device;

    check(open_with(nng_rep0_open_raw, &device.front), "nng_rep0_open_raw");
    check(open_with(nng_req0_open_raw, &device.back), "nng_req0_open_raw");
    peer_bind(device.front, front);
    peer_bind(device.back, back);
    return device;
}

void peer_run_device(struct peer_device device)
{
    check(nng_device(of(device.front), of(device.back)), "nng_device");
}

void peer_hand_over(peer_socket sock, size_t size)
{
    nng_msg *message;

    check(nng_msg_alloc(&message, size), "nng_msg_alloc");
    check(nng_sendmsg(of(sock), message, 0), "nng_sendmsg");
}

void peer_take_over(peer_socket sock, size_t size)
{
    nng_msg *message;

    check(nng_recvmsg(of(sock), &message, 0), "nng_recvmsg");
    if (nng_msg_len(message) != size)
        die("nng_recvmsg", "a message of another size");
    nng_msg_free(message);
}
