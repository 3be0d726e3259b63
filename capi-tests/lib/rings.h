/*  The shared memory of an ipc connection: how it looks, and how much of it this process has. */

#ifndef CAPI_RINGS_H
#define CAPI_RINGS_H

#include "plain.h"
#include <nanomsg/ext.h>
#include <nanomsg/ipc.h>
#include <sys/mman.h>

#define RING_BYTES 65536
#define RINGS_START 4096
#define RINGS_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/*  The words of a ring. Each has 128 bytes of its own. */
struct ring_words {
    uint32_t head, pad1[31];
    uint32_t tail, pad2[31];
    uint32_t reader_sleeps, pad3[31];
    uint32_t writer_waits, pad4[31];
};

struct rings {
    uint32_t version, accepted, pad[30];
    struct ring_words forth; /* from the side that connects */
    struct ring_words back;
};

/*  Whether the library has shared memory. .ci/portable tests one that is built for other systems. */
static inline int has_shared_memory (void)
{
    return getenv ("NN_TEST_PORTABLE") == NULL;
}

/*  The number of connections that have rings, counted once for each side in this process. */
static inline int count_rings (void)
{
    char line[512];
    int count = 0;
    FILE *file = fopen ("/proc/self/maps", "re");
    check (file != NULL);
    while (fgets (line, sizeof (line), file))
        count += strstr (line, "/memfd:nanomsg-ipc") != NULL;
    fclose (file);
    return count;
}

/*  The number of descriptors of such memory: a program that is executed, or a forked child, would inherit them. */
static inline int count_rings_files (void)
{
    char path[64], target[64];
    int count = 0;
    for (int i = 0; i < 1024; i++) {
        snprintf (path, sizeof (path), "/proc/self/fd/%d", i);
        ssize_t size = readlink (path, target, sizeof (target));
        count += size > 7 && strncmp (target, "/memfd:", 7) == 0;
    }
    return count;
}

static inline int sharing (int protocol)
{
    int s = open_patient (protocol);
    set_int (s, NN_IPC, NN_IPC_SHM, RING_BYTES);
    return s;
}

/*  A file with two rings, which the peer made. */
static inline int rings_file (size_t length, int seals)
{
    int file = memfd_create ("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    check (file >= 0 && ftruncate (file, (off_t) length) == 0);
    if (length >= sizeof (struct rings)) {
        struct rings first;
        memset (&first, 0, sizeof (first));
        first.version = first.forth.reader_sleeps = first.back.reader_sleeps = 1;
        check (pwrite (file, &first, sizeof (first), 0) == sizeof (first));
    }
    check (fcntl (file, F_ADD_SEALS, seals) == 0);
    return file;
}

static inline struct rings *map_rings (int file)
{
    void *place = mmap (NULL, RINGS_START + 2 * RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    check (place != MAP_FAILED);
    return place;
}

/*  Sends a greeting with so many copies of a descriptor. Returns the number of bytes, or -1. */
static inline ssize_t send_offer (int descriptor, int protocol, int file, size_t copies)
{
    unsigned char header[8] = { 0, 'S', 'P', 0, (unsigned char) (protocol >> 8),
        (unsigned char) protocol, 0, 0 };
    union {
        struct cmsghdr first;
        char room[CMSG_SPACE (253 * sizeof (int))];
    } control;
    struct iovec part = { header, sizeof (header) };
    struct msghdr message;
    memset (&message, 0, sizeof (message));
    memset (&control, 0, sizeof (control));
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE (copies * sizeof (int));
    control.first.cmsg_level = SOL_SOCKET;
    control.first.cmsg_type = SCM_RIGHTS;
    control.first.cmsg_len = CMSG_LEN (copies * sizeof (int));
    for (size_t i = 0; i < copies; i++)
        memcpy (CMSG_DATA (&control.first) + i * sizeof (int), &file, sizeof (int));
    return sendmsg (descriptor, &message, MSG_NOSIGNAL);
}

/*  Receives the greeting of a side that has connected. Returns the descriptor that came with it. */
static inline int receive_offer (int descriptor)
{
    unsigned char header[8];
    union {
        struct cmsghdr first;
        char room[CMSG_SPACE (sizeof (int))];
    } control;
    struct iovec part = { header, sizeof (header) };
    struct msghdr message;
    int file = -1;
    memset (&message, 0, sizeof (message));
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof (control);
    check (recvmsg (descriptor, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) == sizeof (header));
    check (CMSG_FIRSTHDR (&message) != NULL && control.first.cmsg_type == SCM_RIGHTS);
    memcpy (&file, CMSG_DATA (&control.first), sizeof (int));
    return file;
}

#endif
