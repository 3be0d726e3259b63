/*  Two thousand peers send the first message of a TLS handshake and nothing after it, and come
    again as soon as they are disconnected. From another address than an honest peer's they do not
    keep that out; from the same one it has a fair chance. */

#include "../lib/plain.h"
#include "../lib/secure.h"
#include <netinet/in.h>
#include <nanomsg/pipeline.h>
#include <sys/epoll.h>

#define FLOOD 2000
#define HONEST 5

struct flood {
    struct sockaddr_in server, from;
    char hello[4096];
    size_t size;
    int stop;
    long ended;         /* connections that the listener has ended */
    int events;         /* the epoll descriptor */
    pthread_t thread;
};

/*  The first message of a client of the library. */
static size_t client_hello (char *buffer, size_t size)
{
    char address[NN_SOCKADDR_MAX], secure[NN_SOCKADDR_MAX + 4];
    int listener = plain_listen (fresh_address ("tcp", address)), s = open_client (NN_PUSH);
    snprintf (secure, sizeof (secure), "tls+tcp://%s", address + 6);
    connect_to (s, secure);
    int peer = plain_accept (listener);
    size_t got = 0;
    while (got < 5 || got < 5 + (size_t) ((unsigned char) buffer[3] << 8 | (unsigned char) buffer[4])) {
        ssize_t more = recv (peer, buffer + got, size - got, 0);
        check (more > 0);
        got += (size_t) more;
    }
    close (peer);
    close (listener);
    close_socket (s);
    return got;
}

static void flood_watch (struct flood *flood, int descriptor, uint32_t events, int operation)
{
    struct epoll_event event = { events, { .fd = descriptor } };
    check (epoll_ctl (flood->events, operation, descriptor, &event) == 0);
}

static void flood_connect (struct flood *flood)
{
    int one = 1, peer = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    check (peer >= 0);
    check (setsockopt (peer, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof (one)) == 0);
    check (bind (peer, (struct sockaddr *) &flood->from, sizeof (flood->from)) == 0);
    if (connect (peer, (struct sockaddr *) &flood->server, sizeof (flood->server)) != 0)
        check (errno == EINPROGRESS);
    flood_watch (flood, peer, EPOLLOUT, EPOLL_CTL_ADD);
}

static void *flood_run (void *argument)
{
    struct flood *flood = argument;
    struct epoll_event events[64];
    char bytes[4096];
    for (int i = 0; i < FLOOD; i++)
        flood_connect (flood);
    while (!__atomic_load_n (&flood->stop, __ATOMIC_SEQ_CST)) {
        int count = epoll_wait (flood->events, events, 64, 10);
        for (int i = 0; i < count; i++) {
            int peer = events[i].data.fd;
            ssize_t size = 0;
            if (events[i].events == EPOLLOUT) {
                if (send (peer, flood->hello, flood->size, MSG_NOSIGNAL) == (ssize_t) flood->size) {
                    flood_watch (flood, peer, EPOLLIN, EPOLL_CTL_MOD);
                    continue;
                }
            }
            else
                size = recv (peer, bytes, sizeof (bytes), 0);
            if (size > 0)
                continue;
            close (peer);
            __atomic_add_fetch (&flood->ended, 1, __ATOMIC_SEQ_CST);
            flood_connect (flood);
        }
    }
    return NULL;
}

static long flood_ended (struct flood *flood)
{
    return __atomic_load_n (&flood->ended, __ATOMIC_SEQ_CST);
}

/*  A flood from this address; honest peers come from 127.0.0.1. Its connections stay open until the end of the program. */
static void flood_from (const char *from)
{
    static struct flood flood;
    struct sockaddr_storage storage;
    char address[NN_SOCKADDR_MAX], plain[NN_SOCKADDR_MAX];
    int pull = open_server (NN_PULL);
    bind_to (pull, fresh_address ("tls+tcp", address));
    memset (&flood, 0, sizeof (flood));
    flood.size = client_hello (flood.hello, sizeof (flood.hello));
    snprintf (plain, sizeof (plain), "tcp://%s", strstr (address, "://") + 3);
    plain_address (plain, &storage);
    memcpy (&flood.server, &storage, sizeof (flood.server));
    flood.from.sin_family = AF_INET;
    check (inet_pton (AF_INET, from, &flood.from.sin_addr) == 1);
    flood.events = epoll_create1 (EPOLL_CLOEXEC);
    check (flood.events >= 0);
    check (pthread_create (&flood.thread, NULL, flood_run, &flood) == 0);
    /*  Each place has been taken, and given away. */
    wait_until (flood_ended (&flood) > FLOOD);

    int honest[HONEST];
    for (int i = 0; i < HONEST; i++) {
        int64_t start = now_ms ();
        long before = flood_ended (&flood);
        honest[i] = open_client (NN_PUSH);
        connect_to (honest[i], address);
        honest_message (honest[i], pull);
        fprintf (stderr, "flood from %s: an honest peer was in after %d ms and %lld attempts; %ld others were ended"
            " meanwhile\n", from, (int) (now_ms () - start),
            (long long) nn_get_statistic (honest[i], NN_STAT_CONNECT_ERRORS) + 1, flood_ended (&flood) - before);
    }
    /*  All are served. */
    for (int i = 0; i < HONEST; i++)
        honest_message (honest[i], pull);
    int64_t start = now_ms ();
    close_socket (pull);
    fprintf (stderr, "flood from %s: the listener was closed in %d ms\n", from, (int) (now_ms () - start));
    __atomic_store_n (&flood.stop, 1, __ATOMIC_SEQ_CST);
    check (pthread_join (flood.thread, NULL) == 0);
    close (flood.events);
    for (int i = 0; i < HONEST; i++)
        close_socket (honest[i]);
}

int main (void)
{
    if (!has_tls ())
        return 0;
    limit_descriptors (4 * FLOOD);
    flood_from ("127.0.0.2");
    flood_from ("127.0.0.1");
    return 0;
}
