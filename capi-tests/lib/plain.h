/*  Peers on plain sockets. They know the wire protocol and may break it. */

#ifndef CAPI_PLAIN_H
#define CAPI_PLAIN_H

#include "test.h"

/*  How long, in milliseconds, a peer waits to be disconnected: twice the longest time limit of
    the library. */
#define CUT_MS 60000

static const char *const plain_transports[] = { "tcp", "ipc" };
#define each_plain_transport(t)                                                \
    for (int index_ = 0; index_ < 2; index_++)                                 \
        for (const char *t = plain_transports[index_]; t; t = NULL)

/*  The socket address behind "tcp://127.0.0.1:PORT" or "ipc://FILE". */
static inline socklen_t plain_address (const char *address,
    struct sockaddr_storage *storage)
{
    memset (storage, 0, sizeof (*storage));
    if (strncmp (address, "tcp://", 6) == 0) {
        struct sockaddr_in *tcp = (struct sockaddr_in *) storage;
        tcp->sin_family = AF_INET;
        tcp->sin_port = htons ((uint16_t) atoi (strrchr (address, ':') + 1));
        tcp->sin_addr.s_addr = htonl (INADDR_LOOPBACK);
        return sizeof (*tcp);
    }
    struct sockaddr_un *ipc = (struct sockaddr_un *) storage;
    ipc->sun_family = AF_UNIX;
    strcpy (ipc->sun_path, address + 6);
    return sizeof (*ipc);
}

static inline int plain_connect (const char *address)
{
    struct sockaddr_storage storage;
    socklen_t size = plain_address (address, &storage);
    int descriptor = socket (storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        fail ("socket: %s", strerror (errno));
    if (connect (descriptor, (struct sockaddr *) &storage, size) != 0)
        fail ("connect to %s: %s", address, strerror (errno));
    return descriptor;
}

static inline int plain_listen (const char *address)
{
    struct sockaddr_storage storage;
    socklen_t size = plain_address (address, &storage);
    int one = 1, descriptor = socket (storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt (descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof (one));
    if (bind (descriptor, (struct sockaddr *) &storage, size) != 0
          || listen (descriptor, 100) != 0)
        fail ("bind to %s: %s", address, strerror (errno));
    return descriptor;
}

static inline int plain_accept (int listener)
{
    if (!is_readable (listener, LIMIT_MS))
        fail ("nobody connects");
    int descriptor = accept (listener, NULL, NULL);
    if (descriptor < 0)
        fail ("accept: %s", strerror (errno));
    return descriptor;
}

/*  Sends all of it; -1 if the other side has closed the connection. */
static inline int plain_send (int descriptor, const void *bytes, size_t size)
{
    const char *place = bytes;
    while (size > 0) {
        ssize_t sent = send (descriptor, place, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -1;
        place += sent;
        size -= (size_t) sent;
    }
    return 0;
}

static inline int plain_header (int descriptor, int protocol)
{
    const unsigned char header[8] = { 0, 'S', 'P', 0, (unsigned char) (protocol >> 8),
        (unsigned char) protocol, 0, 0 };
    return plain_send (descriptor, header, sizeof (header));
}

/*  The bytes before a message's payload; the result is their number. */
static inline size_t plain_prefix (const char *address, uint64_t length,
    unsigned char *prefix)
{
    size_t size = 0;
    if (strncmp (address, "ipc://", 6) == 0)
        prefix[size++] = 1;
    for (int shift = 56; shift >= 0; shift -= 8)
        prefix[size++] = (unsigned char) (length >> shift);
    return size;
}

static inline int plain_length (int descriptor, const char *address, uint64_t length)
{
    unsigned char prefix[9];
    return plain_send (descriptor, prefix, plain_prefix (address, length, prefix));
}

static inline int plain_message (int descriptor, const char *address, const void *body,
    size_t size)
{
    if (plain_length (descriptor, address, size) != 0)
        return -1;
    return plain_send (descriptor, body, size);
}

/*  A peer that has sent a correct greeting. */
static inline int plain_peer (const char *address, int protocol)
{
    int descriptor = plain_connect (address);
    check (plain_header (descriptor, protocol) == 0);
    return descriptor;
}

/*  Waits until the library has closed the connection, and closes this side. */
#define expect_cut(descriptor) expect_cut_at (__FILE__, __LINE__, descriptor)
static inline void expect_cut_at (const char *file, int line, int descriptor)
{
    char bytes[4096];
    int64_t end = now_ms () + CUT_MS;
    for (;;) {
        int64_t left = end - now_ms ();
        if (left <= 0 || !is_readable (descriptor, (int) left))
            fail_at (file, line, "the connection is still open");
        ssize_t size = recv (descriptor, bytes, sizeof (bytes), 0);
        if (size == 0 || (size < 0 && errno != EINTR))
            break;
    }
    close (descriptor);
}

/*  Whether the connection is still open; reads what has arrived. */
static inline int is_open (int descriptor)
{
    char bytes[4096];
    ssize_t size;
    do
        size = recv (descriptor, bytes, sizeof (bytes), MSG_DONTWAIT);
    while (size > 0);
    return size < 0 && errno == EAGAIN;
}

/*  A figure of /proc/self/status, such as "VmData", in KiB. */
static inline long memory_kib (const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen ("/proc/self/status", "re");
    if (!file)
        fail ("/proc/self/status: %s", strerror (errno));
    while (fgets (line, sizeof (line), file))
        if (strncmp (line, name, strlen (name)) == 0 && line[strlen (name)] == ':')
            value = atol (line + strlen (name) + 1);
    fclose (file);
    if (value < 0)
        fail ("/proc/self/status does not tell %s", name);
    return value;
}

/*  Fails if the program took more than `most` KiB since it had `before`. */
#define check_growth(name, before, most)                                       \
    do {                                                                       \
        long grown_ = memory_kib (name) - (before);                            \
        if (grown_ > (most))                                                   \
            fail ("%s has grown by %ld KiB", name, grown_);                    \
    } while (0)

/*  Random numbers, the same in every run. */
static inline uint32_t next_random (uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/*  Sends a message on a well-behaved connection, which must arrive. Messages of others that
    arrive before it are skipped; returns how many. */
static inline int honest_message (int sender, int receiver)
{
    static int count = 0;
    int others = 0;
    char text[64];
    snprintf (text, sizeof (text), "honest message %d", ++count);
    send_text (sender, text);
    while (strcmp (receive_text (receiver), text) != 0)
        others++;
    return others;
}

#endif
