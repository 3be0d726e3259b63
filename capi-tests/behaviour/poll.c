/*  nn_poll: what it reports, what it refuses, what wakes it. */

#include "../lib/test.h"
#include <stdatomic.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

static void refusals (void)
{
    int pair = open_socket (NN_PAIR), push = open_socket (NN_PUSH);
    int sub = open_socket (NN_SUB);
    struct nn_pollfd items[2] = { { pair, NN_POLLIN, 0 }, { 1000, NN_POLLIN, 0 } };

    show ("nothing, no time", nn_poll (NULL, 0, 0));
    show ("nothing, 10 ms", nn_poll (NULL, 0, 10));
    show ("nothing of something", nn_poll (items, 0, 0));
    show ("a bad id among good ones", nn_poll (items, 2, 0));
    items[1].fd = -1;
    show ("-1", nn_poll (items, 2, 0));
    items[1].fd = push;
    show ("POLLIN of PUSH", nn_poll (items, 2, 0));
    items[1].fd = sub;
    items[1].events = NN_POLLOUT;
    show ("POLLOUT of SUB", nn_poll (items, 2, 0));
    items[1].fd = pair;
    items[1].events = 0;
    show ("no events", nn_poll (items, 2, 0));
    if (only_ours ("it crashes on such a list")) {
        check_error (nn_poll (NULL, 1, 0), EFAULT);
        check_error (nn_poll (items, -1, 0), EINVAL);
    }
    close_socket (pair);
    close_socket (push);
    close_socket (sub);
}

static void reports (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    struct nn_pollfd items[3] = {
        { a, NN_POLLIN | NN_POLLOUT, 0 },
        { b, NN_POLLIN, 0 },
        { b, NN_POLLOUT, 0 },
    };
    say ("%s", transport);
    show ("  not connected", nn_poll (items, 3, 0));
    bind_to (a, fresh_address (transport, address));
    connect_to (b, address);
    wait_writable (a);
    wait_writable (b);
    show ("  connected", nn_poll (items, 3, LIMIT_MS));
    say ("  %d %d %d", items[0].revents, items[1].revents, items[2].revents);
    send_text (a, "x");
    wait_readable (b);
    items[0].revents = items[1].revents = items[2].revents = 99;
    show ("  sent", nn_poll (items, 3, -1));
    say ("  %d %d %d", items[0].revents, items[1].revents, items[2].revents);
    expect_text (b, "x");
    items[0].events = NN_POLLIN;
    show ("  received", nn_poll (items, 2, 0));
    show ("  and 10 ms later", nn_poll (items, 2, 10));
    close_socket (a);
    close_socket (b);
}

static void *send_one (void *argument)
{
    int *ids = argument;
    wait_until (is_asleep (ids[1]));
    send_text (ids[0], "wake up");
    return NULL;
}

/*  A sleeping nn_poll wakes when a message comes, or a peer. */
static void waking (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    struct nn_pollfd item = { b, NN_POLLOUT, 0 };
    fresh_address (transport, address);
    connect_to (b, address);
    bind_to (a, address);
    show ("  a peer came", nn_poll (&item, 1, LIMIT_MS));
    item.events = NN_POLLIN;
    int ids[2] = { a, thread_id () };
    pthread_t thread = start_thread (send_one, ids);
    show ("  a message came", nn_poll (&item, 1, -1));
    say ("  %s", receive_text (b));
    join_thread (thread);
    close_socket (a);
    close_socket (b);
}

static void many (void)
{
    int sockets[64], senders[64];
    struct nn_pollfd items[64];
    char address[NN_SOCKADDR_MAX];
    for (int i = 0; i < 64; i++) {
        sockets[i] = open_patient (NN_PULL);
        senders[i] = open_patient (NN_PUSH);
        bind_to (sockets[i], fresh_address ("inproc", address));
        connect_to (senders[i], address);
        items[i].fd = sockets[i];
        items[i].events = NN_POLLIN;
    }
    for (int i = 0; i < 64; i += 8) {
        send_text (senders[i], "x");
        wait_readable (sockets[i]);
    }
    show ("of 64, ready", nn_poll (items, 64, LIMIT_MS));
    int sum = 0;
    for (int i = 0; i < 64; i++)
        sum += items[i].revents ? i : 0;
    say ("their sum: %d", sum);
    for (int i = 0; i < 64; i++) {
        close_socket (sockets[i]);
        close_socket (senders[i]);
    }
}

/*  An nn_poll for messages in a thread of its own. */
struct polling {
    int sockets[2];
    atomic_int thread;
    int result;
    int error;
    int revents[2];
};

static void *poll_both (void *argument)
{
    struct polling *call = argument;
    struct nn_pollfd items[2] = { { call->sockets[0], NN_POLLIN, 0 },
        { call->sockets[1], NN_POLLIN, 0 } };
    call->thread = thread_id ();
    call->result = nn_poll (items, 2, LIMIT_MS);
    call->error = nn_errno ();
    call->revents[0] = items[0].revents;
    call->revents[1] = items[1].revents;
    return NULL;
}

static pthread_t start_polling (struct polling *call, int one, int other)
{
    call->sockets[0] = one;
    call->sockets[1] = other;
    call->thread = 0;
    pthread_t thread = start_thread (poll_both, call);
    wait_until (call->thread && is_asleep (call->thread));
    return thread;
}

static void say_how_it_ended (struct polling *call, pthread_t thread)
{
    join_thread (thread);
    say ("  %d: %d %d", call->result, call->revents[0], call->revents[1]);
}

/*  Several threads poll the same sockets, in different orders; one message wakes all. A
    descriptor that is requested meanwhile is readable too. */
static void together (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR), idle = open_patient (NN_PAIR);
    struct polling calls[3];
    pthread_t threads[3];
    bind_to (a, fresh_address (transport, address));
    connect_to (b, address);
    wait_writable (b);
    threads[0] = start_polling (&calls[0], a, idle);
    threads[1] = start_polling (&calls[1], idle, a);
    threads[2] = start_polling (&calls[2], a, a);
    int descriptor = descriptor_of (a, NN_RCVFD);
    say ("%s, several threads", transport);
    say ("  readable before: %d", is_readable (descriptor, 0));
    send_text (b, "all");
    for (int i = 0; i < 3; i++)
        say_how_it_ended (&calls[i], threads[i]);
    say ("  readable: %d", is_readable (descriptor, LIMIT_MS));
    expect_text (a, "all");
    say ("  readable after: %d", is_readable (descriptor, 0));
    close_socket (a);
    close_socket (b);
    close_socket (idle);
}

/*  Closing any of its sockets ends a call; another socket then gets the number. */
static void closing (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    for (int which = 0; which < 2; which++) {
        int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
        struct polling call;
        bind_to (a, fresh_address (transport, address));
        connect_to (b, address);
        wait_writable (b);
        pthread_t thread = start_polling (&call, which ? other : a, which ? a : other);
        close_socket (a);
        int next = open_socket (NN_PAIR);
        join_thread (thread);
        check (call.result == -1 && call.error == EBADF);
        close_socket (b);
        close_socket (other);
        close_socket (next);
    }
}

/*  A connection ends and another one comes while a call sleeps; it is woken by the message alone. */
static void reconnecting (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int a = open_patient (NN_PAIR), idle = open_patient (NN_PAIR);
    struct polling call;
    bind_to (a, fresh_address (transport, address));
    int b = open_patient (NN_PAIR);
    connect_to (b, address);
    wait_writable (b);
    pthread_t thread = start_polling (&call, a, idle);
    close_socket (b);
    b = open_patient (NN_PAIR);
    connect_to (b, address);
    wait_writable (b);
    wait_until (is_asleep (call.thread));
    send_text (b, "again");
    say ("%s, another peer", transport);
    say_how_it_ended (&call, thread);
    expect_text (a, "again");
    close_socket (a);
    close_socket (b);
    close_socket (idle);
}

static void *answer_always (void *argument)
{
    int s = *(int *) argument;
    char body[16];
    int size;
    while ((size = nn_recv (s, body, sizeof (body), 0)) > 0)
        check (nn_send (s, body, (size_t) size, 0) == size);
    return NULL;
}

/*  The number of times that the threads of this process, except one, have gone to sleep. */
static long sleeps_without (int thread)
{
    long sum = 0;
    DIR *folder = opendir ("/proc/self/task");
    check (folder);
    for (struct dirent *entry; (entry = readdir (folder));) {
        char path[300], line[200];
        if (atoi (entry->d_name) == 0 || atoi (entry->d_name) == thread)
            continue;
        snprintf (path, sizeof (path), "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen (path, "re");
        if (!file)
            continue;
        long count;
        while (fgets (line, sizeof (line), file))
            if (sscanf (line, "voluntary_ctxt_switches: %ld", &count) == 1)
                sum += count;
        fclose (file);
    }
    closedir (folder);
    return sum;
}

/*  A message that a polling program receives wakes no other thread of its process, except the
    timer that ends a read lease, each 3 ms at most. No socket has a descriptor for it. */
static void without_another_thread (const char *transport)
{
    char address[NN_SOCKADDR_MAX], in[16];
    int sockets[4];
    struct nn_pollfd items[4];
    fresh_address (transport, address);
    pid_t child = start_process ();
    if (child == 0) {
        int s = open_patient (NN_PAIR);
        connect_to (s, address);
        set_int (s, NN_SOL_SOCKET, NN_RCVTIMEO, -1);
        answer_always (&s);
        _exit (1);
    }
    for (int i = 0; i < 4; i++) {
        sockets[i] = open_patient (NN_PAIR);
        items[i] = (struct nn_pollfd) { sockets[i], NN_POLLIN, 0 };
    }
    bind_to (sockets[2], address);
    int rounds = 1000;
    int descriptors = next_descriptor ();
    int64_t start = now_ms ();
    long before = sleeps_without (getpid ());
    for (int i = 0; i < rounds; i++) {
        send_text (sockets[2], "ping");
        check (nn_poll (items, 4, LIMIT_MS) == 1 && items[2].revents == NN_POLLIN);
        check (nn_recv (sockets[2], in, sizeof (in), NN_DONTWAIT) > 0);
    }
    check (sleeps_without (getpid ()) - before < rounds / 10 + (now_ms () - start));
    /*  The connection, and the descriptor that a call sleeps on. */
    check (next_descriptor () <= descriptors + 4);
    check (kill (child, SIGKILL) == 0 && waitpid (child, NULL, 0) == child);
    for (int i = 0; i < 4; i++)
        close_socket (sockets[i]);
}

int main (void)
{
    refusals ();
    each_transport (transport) {
        reports (transport);
        waking (transport);
        together (transport);
        reconnecting (transport);
    }
    many ();
    if (only_ours ("there nn_poll sleeps on when a socket is closed, and its thread works for it"))
        each_transport (transport) {
            closing (transport);
            if (strcmp (transport, "tcp") == 0)
                without_another_thread (transport);
        }
    return 0;
}
