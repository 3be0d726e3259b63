/*  Peers that offer shared memory which is not such as it must be, and peers that write anything to it at any time:
    they get the service of the socket, or their connection ends, or other bytes arrive, as a peer on a socket could
    have sent. The library goes on, and has no descriptor and no mapping more than before. */

#include "../lib/rings.h"
#include <nanomsg/bus.h>
#include <nanomsg/pipeline.h>
#include <sys/epoll.h>

#define LENGTH (RINGS_START + 2 * RING_BYTES)
#define KINDS 8
#define ROUNDS 8
#define STROKES 20000

static char buffer[4 * RING_BYTES];

/*  A peer whose file is refused is served by the socket. */
static void refused (const char *address, int pull, int file, size_t copies)
{
    unsigned char greeting[8];
    int peer = plain_connect (address);
    check (send_offer (peer, NN_PUSH, file, copies) == sizeof (greeting));
    check (recv (peer, greeting, sizeof (greeting), MSG_WAITALL) == sizeof (greeting));
    check (memcmp (greeting, "\0SP\0\0\x51\0\0", sizeof (greeting)) == 0);
    check (plain_message (peer, address, "by the socket", 13) == 0);
    expect_text (pull, "by the socket");
    check (count_rings () == 0);
    close (peer);
    close (file);
}

static int read_only (int file)
{
    char path[64];
    snprintf (path, sizeof (path), "/proc/self/fd/%d", file);
    int copy = open (path, O_RDONLY | O_CLOEXEC);
    check (copy >= 0);
    close (file);
    return copy;
}

static int of_another_version (void)
{
    uint32_t version = 2;
    int file = rings_file (LENGTH, 0);
    check (pwrite (file, &version, sizeof (version), 0) == sizeof (version));
    check (fcntl (file, F_ADD_SEALS, RINGS_SEALS) == 0);
    return file;
}

static void all_refused (void)
{
    static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 3 * 4096 - 1, 3 * 4096 + 1, 4 * 4096, LENGTH - 1,
        LENGTH + 1, LENGTH + 4096, (size_t) 1 << 32, ((size_t) 1 << 33) + 4096, (size_t) 1 << 62 };
    static const int seals[] = { 0, F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_GROW | F_SEAL_SEAL,
        RINGS_SEALS | F_SEAL_WRITE };
    char address[NN_SOCKADDR_MAX];
    int pipes[2], pull = sharing (NN_PULL);
    bind_to (pull, fresh_address ("ipc", address));
    wait_until (nn_get_statistic (pull, NN_STAT_CURRENT_CONNECTIONS) == 0);
    int descriptors = count_descriptors ();
    for (size_t i = 0; i < sizeof (lengths) / sizeof (lengths[0]); i++)
        refused (address, pull, rings_file (lengths[i], RINGS_SEALS), 1);
    for (size_t i = 0; i < sizeof (seals) / sizeof (seals[0]); i++)
        refused (address, pull, rings_file (LENGTH, seals[i]), 1);
    refused (address, pull, read_only (rings_file (LENGTH, RINGS_SEALS)), 1);
    refused (address, pull, of_another_version (), 1);
    refused (address, pull, open ("/dev/zero", O_RDWR | O_CLOEXEC), 1);
    refused (address, pull, open ("/", O_RDONLY | O_CLOEXEC), 1);
    refused (address, pull, socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 1);
    refused (address, pull, epoll_create1 (EPOLL_CLOEXEC), 1);
    check (pipe2 (pipes, O_CLOEXEC) == 0);
    refused (address, pull, pipes[0], 1);
    refused (address, pull, pipes[1], 253);
    wait_until (count_descriptors () == descriptors);
    close_socket (pull);
}

/*  Pointers into the memory of a connection, as its peer sees it. */
struct peer {
    int descriptor;
    struct rings *rings;
    struct ring_words *out, *in;
};

/*  A peer that connects, and keeps to the rules so far. */
static struct peer connecting_peer (const char *address, int protocol)
{
    char byte;
    struct peer peer = { plain_connect (address), NULL, NULL, NULL };
    int file = rings_file (LENGTH, RINGS_SEALS);
    peer.rings = map_rings (file);
    peer.out = &peer.rings->forth;
    peer.in = &peer.rings->back;
    check (send_offer (peer.descriptor, protocol, file, 1) == 8);
    close (file);
    check (recv (peer.descriptor, &byte, 1, 0) == 1);
    check (__atomic_load_n (&peer.rings->accepted, __ATOMIC_ACQUIRE) == RING_BYTES);
    check (memcmp ((char *) peer.rings + RINGS_START + RING_BYTES, "\0SP\0", 4) == 0);
    check (__atomic_load_n (&peer.in->head, __ATOMIC_ACQUIRE) >= 8);
    return peer;
}

/*  A peer that listens; ours connects to it. */
static struct peer listening_peer (int listener, int protocol)
{
    unsigned char header[8] = { 0, 'S', 'P', 0, 0, (unsigned char) protocol, 0, 0 };
    struct peer peer = { plain_accept (listener), NULL, NULL, NULL };
    int file = receive_offer (peer.descriptor);
    check (fcntl (file, F_GET_SEALS) >= 0 && (fcntl (file, F_GET_SEALS) & RINGS_SEALS) == RINGS_SEALS);
    peer.rings = map_rings (file);
    close (file);
    peer.out = &peer.rings->back;
    peer.in = &peer.rings->forth;
    memcpy ((char *) peer.rings + RINGS_START + RING_BYTES, header, sizeof (header));
    __atomic_store_n (&peer.rings->accepted, RING_BYTES, __ATOMIC_RELEASE);
    __atomic_store_n (&peer.out->head, 8, __ATOMIC_RELEASE);
    check (send (peer.descriptor, "!", 1, MSG_NOSIGNAL) == 1);
    return peer;
}

static void leave (struct peer *peer)
{
    check (munmap (peer->rings, LENGTH) == 0);
    close (peer->descriptor);
}

/*  A valid message through the ring, by hand: this is how the memory is laid out. */
static void by_the_rules (void)
{
    static const unsigned char prefix[9] = { 1, 0, 0, 0, 0, 0, 0, 0, 5 };
    char address[NN_SOCKADDR_MAX];
    int pull = sharing (NN_PULL);
    bind_to (pull, fresh_address ("ipc", address));
    struct peer peer = connecting_peer (address, NN_PUSH);
    memcpy ((char *) peer.rings + RINGS_START, prefix, sizeof (prefix));
    memcpy ((char *) peer.rings + RINGS_START + sizeof (prefix), "rules", 5);
    __atomic_store_n (&peer.out->head, sizeof (prefix) + 5, __ATOMIC_RELEASE);
    check (send (peer.descriptor, "!", 1, MSG_NOSIGNAL) == 1);
    expect_text (pull, "rules");
    wait_until (__atomic_load_n (&peer.out->tail, __ATOMIC_ACQUIRE) == sizeof (prefix) + 5);
    leave (&peer);
    wait_until (count_rings () == 0);
    close_socket (pull);
}

/*  Positions that no valid peer publishes end the connection. */
static void impossible (int is_head)
{
    char address[NN_SOCKADDR_MAX];
    int bus = sharing (NN_BUS);
    bind_to (bus, fresh_address ("ipc", address));
    struct peer peer = connecting_peer (address, NN_BUS);
    if (is_head)
        __atomic_store_n (&peer.out->head, RING_BYTES + 1, __ATOMIC_RELEASE);
    else
        __atomic_store_n (&peer.in->tail, 100, __ATOMIC_RELEASE);
    check (send (peer.descriptor, "!", 1, MSG_NOSIGNAL) == 1);
    if (!is_head)
        send_text (bus, "x");
    expect_cut (peer.descriptor);
    peer.descriptor = -1;
    leave (&peer);
    wait_until (count_rings () == 0);
    close_socket (bus);
}

static uint32_t position (uint32_t near, uint32_t random)
{
    switch (random % 4) {
    case 0: return near + random % (RING_BYTES + 2);
    case 1: return near - random % 100;
    case 2: return near ^ 1u << random / 4 % 32;
    default: return random;
    }
}

static void set (uint32_t *word, uint32_t value)
{
    __atomic_store_n (word, value, __ATOMIC_RELAXED);
}

/*  A valid beginning of a message, so that more than its first byte is looked at. */
static void prefix_at (unsigned char *place, uint32_t length)
{
    memset (place, 0, 9);
    place[0] = 1;
    place[7] = (unsigned char) (length >> 8);
    place[8] = (unsigned char) length;
}

/*  One stroke of a peer that writes what it likes. */
static void scribble (struct peer *peer, int kind, uint32_t *seed)
{
    uint32_t random = next_random (seed);
    unsigned char *out = (unsigned char *) peer->rings + ((char *) peer->out == (char *) &peer->rings->forth
        ? RINGS_START : RINGS_START + RING_BYTES);
    uint32_t tail = __atomic_load_n (&peer->out->tail, __ATOMIC_ACQUIRE);
    uint32_t head = __atomic_load_n (&peer->in->head, __ATOMIC_ACQUIRE);
    switch (kind) {
    case 0: /* valid positions, any bytes */
        out[random % RING_BYTES] = (unsigned char) (random >> 16);
        prefix_at (out + tail % (RING_BYTES - 16), random % 300);
        set (&peer->out->head, tail + random % (RING_BYTES + 1));
        break;
    case 1:
        set (&peer->out->head, position (tail, random));
        break;
    case 2:
        set (&peer->in->tail, position (head, random));
        break;
    case 3: /* the marks */
        set (&peer->out->reader_sleeps, random & 1);
        set (&peer->in->writer_waits, random >> 1 & 1);
        set (&peer->in->reader_sleeps, random >> 2 & 1);
        set (&peer->out->writer_waits, random >> 3 & 1);
        set (&peer->out->head, tail + (random >> 4) % 40);
        set (&peer->in->tail, head);
        break;
    case 4: /* the words that the library itself publishes */
        set (&peer->out->tail, random);
        set (&peer->in->head, random * 7);
        set (&peer->rings->accepted, random);
        set (&peer->rings->version, random);
        break;
    case 5:
        ((unsigned char *) peer->rings)[random % LENGTH] = (unsigned char) (random >> 20);
        break;
    case 6: /* whole messages, changed while they are read */
        for (uint32_t i = 0; i + 109 < RING_BYTES; i += 109)
            prefix_at (out + i, 100);
        set (&peer->out->head, tail + 109 * (random % 500));
        break;
    default: /* nothing but bytes that wake */
        break;
    }
    if (kind == 7 || random % 16 == 0)
        send (peer->descriptor, buffer, 1 + random % 100, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void scribble_and_leave (struct peer *peer, int kind, uint32_t seed)
{
    for (int i = 0; i < STROKES; i++)
        scribble (peer, kind, &seed);
    _exit (0);
}

/*  Receives and sends while a peer of this kind, in a process of its own, is connected. */
static void endure (int kind, int listens, uint32_t seed)
{
    char address[NN_SOCKADDR_MAX];
    int bus = sharing (NN_BUS), listener = -1, status;
    fresh_address ("ipc", address);
    if (listens) {
        listener = plain_listen (address);
        connect_to (bus, address);
    } else
        bind_to (bus, address);
    pid_t child = start_process ();
    if (child == 0) {
        struct peer peer = listens ? listening_peer (listener, NN_BUS) : connecting_peer (address, NN_BUS);
        scribble_and_leave (&peer, kind, seed);
    }
    if (listens)
        close (listener);
    while (waitpid (child, &status, WNOHANG) == 0) {
        nn_recv (bus, buffer, sizeof (buffer), NN_DONTWAIT);
        nn_send (bus, buffer, seed++ % sizeof (buffer), NN_DONTWAIT);
    }
    check (WIFEXITED (status) && WEXITSTATUS (status) == 0);
    wait_until ((nn_recv (bus, buffer, sizeof (buffer), NN_DONTWAIT),
        nn_get_statistic (bus, NN_STAT_CURRENT_CONNECTIONS) == 0) && count_rings () == 0);
    close_socket (bus);
}

int main (void)
{
    char address[NN_SOCKADDR_MAX];
    uint32_t seed = 102;
    int descriptors = count_descriptors ();
    all_refused ();
    if (!has_shared_memory ())
        return 0;
    by_the_rules ();
    impossible (0);
    impossible (1);
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    bind_to (pull, fresh_address ("ipc", address));
    connect_to (push, address);
    for (int round = 0; round < ROUNDS; round++)
        for (int kind = 0; kind < KINDS; kind++) {
            endure (kind, round & 1, next_random (&seed));
            honest_message (push, pull);
        }
    close_socket (push);
    close_socket (pull);
    check (count_rings () == 0);
    wait_until (count_descriptors () == descriptors);
    say ("%d peers wrote to shared memory what they liked", ROUNDS * KINDS);
    return 0;
}
