/*  No library: what the kernel and the machine allow, for the same programs to measure.

    Over ipc and tcp it is a blocking socket with the framing of the SP protocols, which writes each message at once. But a
    PUSH gathers messages in a buffer, and writes when it is full, unless it was built with AT_ONCE. A receiver reads a
    buffer at a time. Over inproc it is a ring of bytes between two threads, one for each direction: the bytes are copied in
    and out, and a thread that finds it empty or full sleeps on a futex; built with SPIN, it never sleeps.

    Every message takes an uncontended lock, as in a library that any thread may call. A socket has one connection, a REP
    any number.  */

#include "measure.h"
#include "peer.h"
#include "ring.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH_SIZE 131072 /* bytes */
#define LONGEST_PREFIX 9

#ifdef AT_ONCE
#define GATHERS(pattern) 0
#else
#define GATHERS(pattern) ((pattern) == PEER_PUSH)
#endif

/*  One ring for each direction.  */
static struct ring rings[2];

struct bare {
    enum pattern pattern;
    pthread_mutex_t lock;
    int fd;         /* the connection that was used last, or -1 */
    int listener;   /* or -1 */
    int poll;       /* of a REP: the listener and all connections, or -1 */
    size_t prefix;  /* bytes before a message: its length, and over ipc a type */
    size_t batched; /* bytes in the buffer: still to be written by a PUSH, received by any other */
    size_t taken;   /* of these, already received */
    struct ring *out, *in; /* inproc, else NULL */
    char batch[BATCH_SIZE];
};

static struct bare *of(peer_socket sock)
{
    return sock.pointer;
}

int peer_open(enum pattern pattern, peer_socket *sock)
{
    struct bare *bare = calloc(1, sizeof *bare);

    if (bare == NULL)
        die_errno("calloc");
    if (pattern == PEER_PUB || pattern == PEER_SUB)
        cannot("this pattern has no counterpart");
    bare->pattern = pattern;
    bare->fd = bare->listener = bare->poll = -1;
    pthread_mutex_init(&bare->lock, NULL);
    sock->pointer = bare;
    return 0;
}

void peer_close(peer_socket sock)
{
    struct bare *bare = of(sock);

    if (bare->fd >= 0)
        close(bare->fd);
    if (bare->listener >= 0)
        close(bare->listener);
    if (bare->poll >= 0)
        close(bare->poll);
    free(bare);
}

/*  Binds or connects a new socket of the kernel's. Returns it.  */
static int kernel_socket(struct bare *bare, const char *address, int (*join)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int local = strncmp(address, "ipc://", 6) == 0;
    int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    int result;

    if (fd < 0)
        die_errno("socket");
    if (local) {
        strncpy(path.sun_path, address + 6, sizeof path.sun_path - 1);
        result = join(fd, (struct sockaddr *)&path, sizeof path);
    } else {
        port.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
        result = join(fd, (struct sockaddr *)&port, sizeof port);
    }
    if (result < 0)
        die_errno(address);
    bare->prefix = local ? 9 : 8;
    return fd;
}

static void no_delay(int fd)
{
    int yes = 1;

    /*  Fails over ipc, which has no such option.  */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void watch(struct bare *bare, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(bare->poll, EPOLL_CTL_ADD, fd, &event) < 0)
        die_errno("epoll_ctl");
}

static int accepted(struct bare *bare)
{
    int fd = accept(bare->listener, NULL, NULL);

    if (fd < 0)
        die_errno("accept");
    no_delay(fd);
    return fd;
}

static int is_inproc(const char *address)
{
    return strncmp(address, "inproc:", 7) == 0;
}

void peer_bind(peer_socket sock, const char *address)
{
    struct bare *bare = of(sock);

    if (is_inproc(address)) {
        bare->out = &rings[0];
        bare->in = &rings[1];
        return;
    }
    bare->listener = kernel_socket(bare, address, bind);
    if (listen(bare->listener, 128) < 0)
        die_errno("listen");
    if (bare->pattern == PEER_REP) {
        bare->poll = epoll_create1(0);
        watch(bare, bare->listener);
    }
}

void peer_connect(peer_socket sock, const char *address)
{
    struct bare *bare = of(sock);

    if (is_inproc(address)) {
        bare->out = &rings[1];
        bare->in = &rings[0];
        return;
    }
    bare->fd = kernel_socket(bare, address, connect);
    no_delay(bare->fd);
}

void peer_connect_again(peer_socket sock, const char *address, long number)
{
    (void)number;
    peer_connect(sock, address);
}

void peer_subscribe(peer_socket sock, const void *topic, size_t size)
{
    (void)sock, (void)topic, (void)size;
    die("bare", "there are no topics");
}

/*  Of a REP: the next connection with something to read. Returns 0 if there is none within this time.  */
static int next_connection(struct bare *bare, int timeout_ms)
{
    struct epoll_event event;
    int ready;

    while ((ready = epoll_wait(bare->poll, &event, 1, timeout_ms)) > 0) {
        if (event.data.fd != bare->listener) {
            bare->fd = event.data.fd;
            return 1;
        }
        watch(bare, accepted(bare));
    }
    if (ready < 0)
        die_errno("epoll_wait");
    return 0;
}

/*  The one connection, or for a REP the next one with something to read.  */
static void choose_connection(struct bare *bare)
{
    if (bare->poll >= 0)
        next_connection(bare, -1);
    else if (bare->fd < 0)
        bare->fd = accepted(bare);
}

static void write_all(int fd, struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t done = writev(fd, parts, count);

        if (done < 0)
            die_errno("writev");
        for (; count > 0 && (size_t)done >= parts->iov_len; parts++, count--)
            done -= (ssize_t)parts->iov_len;
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
}

/*  0 at the end of the connection.  */
static size_t read_or_end(int fd, char *bytes, size_t size)
{
    ssize_t done = read(fd, bytes, size);

    if (done < 0 && errno != ECONNRESET)
        die_errno("read");
    return done < 0 ? 0 : (size_t)done;
}

static size_t read_some(int fd, char *bytes, size_t size)
{
    size_t done = read_or_end(fd, bytes, size);

    /*  When the other side has been killed, this one is killed soon too.  */
    if (done == 0)
        pause();
    return done;
}

/*  Reads from a connection that has something to read; a REP closes connections that have ended.  */
static void read_first(struct bare *bare)
{
    for (;;) {
        choose_connection(bare);
        bare->taken = 0;
        bare->batched = read_or_end(bare->fd, bare->batch, BATCH_SIZE);
        if (bare->batched > 0)
            return;
        if (bare->poll < 0)
            pause();
        close(bare->fd);
    }
}

void peer_filter(enum pattern pattern, peer_socket sock)
{
    (void)pattern, (void)sock;
    cannot("there are no publishers");
}

void peer_keep_all(peer_socket sock)
{
    (void)sock;
}

void peer_send(peer_socket sock, const void *bytes, size_t size)
{
    struct bare *bare = of(sock);

    pthread_mutex_lock(&bare->lock);
    if (bare->out != NULL) {
        ring_write(bare->out, bytes, size);
    } else {
        uint64_t length = htobe64(size);
        char prefix[LONGEST_PREFIX] = {1};
        struct iovec parts[3];
        int gathers = GATHERS(bare->pattern);
        int gather = gathers && bare->prefix + size <= BATCH_SIZE;

        if (bare->fd < 0)
            choose_connection(bare);
        memcpy(prefix + bare->prefix - sizeof length, &length, sizeof length);
        if (!gather || bare->batched + bare->prefix + size > BATCH_SIZE) {
            parts[0] = (struct iovec){bare->batch, gathers ? bare->batched : 0};
            parts[1] = (struct iovec){prefix, bare->prefix};
            parts[2] = (struct iovec){(void *)bytes, size};
            write_all(bare->fd, parts, gather ? 1 : 3);
            if (gathers)
                bare->batched = 0;
        }
        if (gather) {
            memcpy(bare->batch + bare->batched, prefix, bare->prefix);
            memcpy(bare->batch + bare->batched + bare->prefix, bytes, size);
            bare->batched += bare->prefix + size;
        }
    }
    pthread_mutex_unlock(&bare->lock);
}

void peer_receive(peer_socket sock, void *bytes, size_t size)
{
    struct bare *bare = of(sock);

    pthread_mutex_lock(&bare->lock);
    if (bare->in != NULL) {
        ring_read(bare->in, bytes, size);
    } else {
        uint64_t length;
        size_t here;

        if (bare->taken == bare->batched)
            read_first(bare);
        if (bare->batched - bare->taken < bare->prefix) {
            memmove(bare->batch, bare->batch + bare->taken, bare->batched - bare->taken);
            bare->batched -= bare->taken;
            bare->taken = 0;
            while (bare->batched < bare->prefix)
                bare->batched += read_some(bare->fd, bare->batch + bare->batched, BATCH_SIZE - bare->batched);
        }
        memcpy(&length, bare->batch + bare->taken + bare->prefix - sizeof length, sizeof length);
        if (be64toh(length) != size)
            die("bare", "a message of another size");
        bare->taken += bare->prefix;
        here = bare->batched - bare->taken < size ? bare->batched - bare->taken : size;
        memcpy(bytes, bare->batch + bare->taken, here);
        bare->taken += here;
        while (here < size)
            here += read_some(bare->fd, (char *)bytes + here, size - here);
    }
    pthread_mutex_unlock(&bare->lock);
}

int peer_try_receive(peer_socket sock, void *bytes, size_t size)
{
    if (!next_connection(of(sock), 0))
        return 0;
    peer_receive(sock, bytes, size);
    return 1;
}

int peer_descriptor(peer_socket sock)
{
    return of(sock)->poll;
}

struct peer_set {
    int count;
    struct pollfd items[];
};

struct peer_set *peer_new_set(const peer_socket *socks, int count)
{
    struct peer_set *set = malloc(sizeof *set + (size_t)count * sizeof set->items[0]);
    int i;

    if (set == NULL)
        die_errno("malloc");
    set->count = count;
    for (i = 0; i < count; i++)
        set->items[i] = (struct pollfd){.fd = peer_descriptor(socks[i]), .events = POLLIN};
    return set;
}

void peer_wait(struct peer_set *set)
{
    if (poll(set->items, (nfds_t)set->count, -1) < 0)
        die_errno("poll");
}

int peer_has_message(const struct peer_set *set, int index)
{
    return set->items[index].revents & POLLIN;
}

struct peer_device peer_bind_device(const char *front, const char *back)
{
    (void)front, (void)back;
    cannot("there are no devices");
}

void peer_run_device(struct peer_device device)
{
    (void)device;
}

void peer_hand_over(peer_socket sock, size_t size)
{
    (void)sock, (void)size;
    die("bare", "there is no memory of the library's own");
}

void peer_take_over(peer_socket sock, size_t size)
{
    peer_hand_over(sock, size);
}
