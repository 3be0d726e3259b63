/*  The records of a burst over TLS, as a network sees them: messages that wait for room are sealed together, in records
    of full length. */

#include "../lib/plain.h"
#include "../lib/secure.h"
#include <nanomsg/pipeline.h>

#define QUEUE (8 * 1024 * 1024)
#define MESSAGE 100
#define FULL_RECORD 16384

/*  A network with one connection, which sees the records of the client. It takes no more of them while it is stopped. */
struct network {
    int listener, is_stopped;
    char server[NN_SOCKADDR_MAX];
    /*  Counted since the network was stopped. */
    int is_counting;
    long records, full_records;
};

struct parser {
    unsigned char header[5];
    int header_size;
    int left;
};

static void parse (struct parser *parser, struct network *network, const unsigned char *bytes, ssize_t size)
{
    while (size > 0) {
        if (parser->left > 0) {
            int step = parser->left < size ? parser->left : (int) size;
            parser->left -= step;
            bytes += step;
            size -= step;
            continue;
        }
        parser->header[parser->header_size++] = *bytes++;
        size--;
        if (parser->header_size < 5)
            continue;
        parser->left = parser->header[3] << 8 | parser->header[4];
        parser->header_size = 0;
        if (network->is_counting) {
            network->records++;
            network->full_records += parser->left >= FULL_RECORD;
        }
    }
}

static void *relay (void *argument)
{
    static unsigned char bytes[65536];
    struct network *network = argument;
    struct parser parser = { { 0 }, 0, 0 };
    int client = plain_accept (network->listener), server = plain_connect (network->server);
    for (;;) {
        int is_stopped = __atomic_load_n (&network->is_stopped, __ATOMIC_SEQ_CST);
        struct pollfd items[2] = { { server, POLLIN, 0 }, { is_stopped ? -1 : client, POLLIN, 0 } };
        if (is_stopped)
            __atomic_store_n (&network->is_counting, 1, __ATOMIC_SEQ_CST);
        check (poll (items, 2, 10) >= 0);
        if (items[0].revents) {
            ssize_t size = recv (server, bytes, sizeof (bytes), 0);
            if (size <= 0 || plain_send (client, bytes, (size_t) size) != 0)
                break;
        }
        if (items[1].revents) {
            ssize_t size = recv (client, bytes, sizeof (bytes), 0);
            if (size <= 0)
                break;
            parse (&parser, network, bytes, size);
            if (plain_send (server, bytes, (size_t) size) != 0)
                break;
        }
    }
    close (client);
    close (server);
    return NULL;
}

static void burst (int version)
{
    char address[NN_SOCKADDR_MAX], through[NN_SOCKADDR_MAX], plain[NN_SOCKADDR_MAX];
    char message[MESSAGE] = { 0 };
    struct network network = { 0 };
    int pull = open_server (NN_PULL), push = open_client (NN_PUSH), sent = 0;
    set_int (push, NN_TLS, NN_TLS_MAX_VERSION, version);
    set_int (push, NN_SOL_SOCKET, NN_SNDBUF, QUEUE);
    bind_to (pull, fresh_address ("tls+tcp", address));
    snprintf (network.server, sizeof (network.server), "tcp%s", address + 7);
    fresh_address ("tls+tcp", through);
    snprintf (plain, sizeof (plain), "tcp%s", through + 7);
    network.listener = plain_listen (plain);
    pthread_t thread = start_thread (relay, &network);
    connect_to (push, through);
    send_text (push, "first");
    expect_text (pull, "first");

    /*  Until the kernel and the queue are full: it stays so until the network goes on. */
    __atomic_store_n (&network.is_stopped, 1, __ATOMIC_SEQ_CST);
    wait_until (__atomic_load_n (&network.is_counting, __ATOMIC_SEQ_CST));
    set_int (push, NN_SOL_SOCKET, NN_SNDTIMEO, 100);
    while (nn_send (push, message, sizeof (message), 0) == sizeof (message))
        sent++;
    check (nn_errno () == ETIMEDOUT);
    __atomic_store_n (&network.is_stopped, 0, __ATOMIC_SEQ_CST);
    for (int i = 0; i < sent; i++)
        check (nn_recv (pull, message, sizeof (message), 0) == sizeof (message));
    close_socket (push);
    close_socket (pull);
    join_thread (thread);
    close (network.listener);

    /*  The queue counts at most half as much again as the bytes of the messages. What the kernel had of the burst was
        written as it came, in any records. */
    fprintf (stderr, "%d messages in %ld records, of which %ld are full\n", sent, network.records,
        network.full_records);
    check (network.full_records >= QUEUE * 2 / 3 / FULL_RECORD / 2);
}

int main (void)
{
    if (!only_ours ("it has no TLS") || !has_tls ())
        return 0;
    burst (NN_TLS_1_2);
    burst (NN_TLS_1_3);
    return 0;
}
