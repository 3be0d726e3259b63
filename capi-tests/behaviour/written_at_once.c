/*  A message that is not part of a flood is written by the thread that sends it, before nn_send returns: it waits for no
    other thread. The calls that write to a socket are defined here, and count what the thread has written. */

#include "../lib/test.h"
#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <nanomsg/pair.h>

#define BURST 5
#define SIZE 100

static _Thread_local size_t written;

static ssize_t count (ssize_t bytes)
{
    if (bytes > 0)
        written += (size_t) bytes;
    return bytes;
}

static void *next (const char *name)
{
    void *call = dlsym (RTLD_NEXT, name);
    check (call != NULL);
    return call;
}

ssize_t send (int fd, const void *bytes, size_t length, int flags)
{
    ssize_t (*call) (int, const void *, size_t, int) = (ssize_t (*) (int, const void *, size_t, int)) next ("send");
    return count (call (fd, bytes, length, flags));
}

ssize_t sendmsg (int fd, const struct msghdr *message, int flags)
{
    ssize_t (*call) (int, const struct msghdr *, int) = (ssize_t (*) (int, const struct msghdr *, int)) next ("sendmsg");
    return count (call (fd, message, flags));
}

ssize_t writev (int fd, const struct iovec *parts, int parts_count)
{
    ssize_t (*call) (int, const struct iovec *, int) = (ssize_t (*) (int, const struct iovec *, int)) next ("writev");
    return count (call (fd, parts, parts_count));
}

static void send_written (int s, int messages)
{
    char body[SIZE] = "a message";
    size_t before = written;

    for (int i = 0; i < messages; i++)
        check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
    if (only_ours ("the C library's worker thread writes"))
        check (written - before >= (size_t) messages * SIZE);
}

static void receive (int s, int messages)
{
    char in[SIZE];

    for (int i = 0; i < messages; i++)
        check (nn_recv (s, in, sizeof (in), 0) == sizeof (in));
}

static void converse (const char *address)
{
    int one = open_socket (NN_PAIR), other = open_socket (NN_PAIR);
    char in[SIZE] = "first";

    bind_to (one, address);
    connect_to (other, address);
    /*  One there and one back: the connection is made. */
    check (nn_send (one, in, sizeof (in), 0) == sizeof (in));
    receive (other, 1);
    check (nn_send (other, in, sizeof (in), 0) == sizeof (in));
    receive (one, 1);
    for (int i = 0; i < 100; i++) {
        send_written (one, BURST);
        receive (other, BURST);
        send_written (other, 1);
        receive (one, 1);
    }
    close_socket (one);
    close_socket (other);
}

int main (void)
{
    char address[64];

    converse ("ipc://written");
    snprintf (address, sizeof (address), "tcp://127.0.0.1:%d", free_port ());
    converse (address);
    snprintf (address, sizeof (address), "ws://127.0.0.1:%d", free_port ());
    converse (address);
    say ("done");
    return 0;
}
