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

/*  libc's function of that name. */
#define REAL(name) ((__typeof__ (&name)) dlsym (RTLD_NEXT, #name))

ssize_t send (int fd, const void *bytes, size_t length, int flags)
{
    return count (REAL (send) (fd, bytes, length, flags));
}

ssize_t sendmsg (int fd, const struct msghdr *message, int flags)
{
    return count (REAL (sendmsg) (fd, message, flags));
}

ssize_t writev (int fd, const struct iovec *parts, int parts_count)
{
    return count (REAL (writev) (fd, parts, parts_count));
}

static void send_to (int s, int messages)
{
    char body[SIZE] = "a message";

    for (int i = 0; i < messages; i++)
        check (nn_send (s, body, sizeof (body), 0) == sizeof (body));
}

static void send_written (int s, int messages)
{
    size_t before = written;

    send_to (s, messages);
    if (!on_reference ())
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

    bind_to (one, address);
    connect_to (other, address);
    /*  One message in each direction: the connection is established. */
    send_to (one, 1);
    receive (other, 1);
    send_to (other, 1);
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
    static const char *const with_streams[] = { "ipc", "tcp", "ws" };
    char address[NN_SOCKADDR_MAX];

    only_ours ("the C library's worker thread writes");
    for (int i = 0; i < 3; i++)
        converse (fresh_address (with_streams[i], address));
    say ("done");
    return 0;
}
