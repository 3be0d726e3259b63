/*  A kernel without memory for some reads and writes (ENOBUFS, ENOMEM): the connection stays,
    and every message arrives, once and in order. The functions below replace the C library's. Of
    the calls for this process's sockets each FAILS-th fails before it has any effect. */

#include "../lib/test.h"
#include <nanomsg/pair.h>

#define FAILS 20
#define MESSAGES 3000

static int calls, failures;
static int is_scarce;

static int fails (void)
{
    if (!__atomic_load_n (&is_scarce, __ATOMIC_RELAXED))
        return 0;
    int call = __atomic_add_fetch (&calls, 1, __ATOMIC_RELAXED);
    if (call % FAILS)
        return 0;
    int failure = __atomic_add_fetch (&failures, 1, __ATOMIC_RELAXED);
    errno = failure % 2 ? ENOBUFS : ENOMEM;
    return 1;
}

ssize_t send (int descriptor, const void *bytes, size_t size, int flags)
{
    return fails () ? -1 : syscall (SYS_sendto, descriptor, bytes, size, flags, NULL, 0);
}

ssize_t sendmsg (int descriptor, const struct msghdr *message, int flags)
{
    return fails () ? -1 : syscall (SYS_sendmsg, descriptor, message, flags);
}

ssize_t recv (int descriptor, void *bytes, size_t size, int flags)
{
    return fails () ? -1 : syscall (SYS_recvfrom, descriptor, bytes, size, flags, NULL, NULL);
}

ssize_t recvmsg (int descriptor, struct msghdr *message, int flags)
{
    return fails () ? -1 : syscall (SYS_recvmsg, descriptor, message, flags);
}

static char body[100000];
static const size_t sizes[] = { 4, 50, 2000, 40000, 100000 };

static size_t size_of (int number)
{
    return sizes[(size_t) number % (sizeof (sizes) / sizeof (sizes[0]))];
}

static void *send_all (void *argument)
{
    static char out[sizeof (body)];
    for (int i = 0; i < MESSAGES; i++) {
        memcpy (out, &i, sizeof (i));
        check (nn_send (*(int *) argument, out, size_of (i), 0) == (int) size_of (i));
    }
    return NULL;
}

static void one (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR), number;
    bind_to (a, fresh_address (transport, address));
    connect_to (b, address);
    wait_writable (b);
    calls = failures = 0;
    __atomic_store_n (&is_scarce, 1, __ATOMIC_RELAXED);
    int64_t begin = now_ms ();
    pthread_t sender = start_thread (send_all, &b);
    for (int i = 0; i < MESSAGES; i++) {
        int size = nn_recv (a, body, sizeof (body), 0);
        if (size < 0)
            fail ("%s: message %d: %s", transport, i, error_name (nn_errno ()));
        memcpy (&number, body, sizeof (number));
        check (number == i && (size_t) size == size_of (i));
    }
    join_thread (sender);
    /*  The last bytes of one side, for which there may be no memory at first. */
    send_text (b, "the end");
    close_socket (b);
    expect_text (a, "the end");
    __atomic_store_n (&is_scarce, 0, __ATOMIC_RELAXED);
    check (failures > 0);
    check (nn_get_statistic (a, NN_STAT_ACCEPTED_CONNECTIONS) == 1);
    say ("%s: %d of %d reads and writes failed for want of memory; %d messages came in %d ms", transport,
        failures, calls, MESSAGES, (int) (now_ms () - begin));
    close_socket (a);
}

int main (void)
{
    one ("tcp");
    one ("ipc");
    one ("ws");
    return 0;
}
