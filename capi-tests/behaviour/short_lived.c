/*  Sockets that live for one request: no thread is started for each, the last nn_close leaves no
    descriptor, and the thread ends by itself; a fork and an exit in between are clean. */

#include "../lib/test.h"
#include <dlfcn.h>
#include <nanomsg/reqrep.h>

#define SOCKETS 200
/*  The library's thread ends when there was no socket for so long, in milliseconds. */
#define IDLE_MS 20

static int started;

/*  Counts the threads that are started, including the test's own. */
int pthread_create (pthread_t *thread, const pthread_attr_t *attributes, void *(*body) (void *), void *argument)
{
    static int (*create) (pthread_t *, const pthread_attr_t *, void *(*) (void *), void *);
    if (!create)
        create = (__typeof__ (create)) dlsym (RTLD_NEXT, "pthread_create");
    __atomic_add_fetch (&started, 1, __ATOMIC_SEQ_CST);
    return create (thread, attributes, body, argument);
}

/*  Runs until it is killed: the C library would lose the last answer when it closes its socket. */
static void serve (const char *address)
{
    char text[8];
    int s = open_socket (NN_REP);
    bind_to (s, address);
    for (;;) {
        int size = nn_recv (s, text, sizeof (text), 0);
        check (size >= 0 && nn_send (s, text, (size_t) size, 0) == size);
    }
}

static void ask (const char *address)
{
    int s = open_patient (NN_REQ);
    connect_to (s, address);
    send_text (s, "x");
    expect_text (s, "x");
    close_socket (s);
}

/*  The server is another process, so that each socket is the only one of this process. */
static void short_lived (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    fresh_address (transport, address);
    int descriptors = count_descriptors (), before;
    pid_t server = start_process ();
    if (server == 0)
        serve (address);
    before = started;
    int64_t begin = now_ms ();
    for (int i = 0; i < SOCKETS; i++) {
        ask (address);
        check (count_descriptors () == descriptors);
    }
    /*  On a busy machine the thread may have ended between two of them, though not more often than its idle time
        fits into the whole. */
    if (only_ours ("it starts a thread for each"))
        check (started - before <= 1 + (now_ms () - begin) / IDLE_MS);
    pid_t child = start_process ();
    if (child == 0) {
        check (count_threads () == 1 && count_descriptors () == descriptors);
        ask (address);
        check (count_descriptors () == descriptors);
        exit (0);
    }
    join_process (child);
    check (kill (server, SIGKILL) == 0 && waitpid (server, NULL, 0) == server);
    wait_until (count_threads () == 1);
    check (count_descriptors () == descriptors);
    say ("%s: sockets came and went, and nothing is left", transport);
}

int main (void)
{
    short_lived ("tcp");
    short_lived ("ipc");
    short_lived ("ws");
    /*  nn_term ends it at once, and nothing starts it again. */
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_REP);
    bind_to (s, fresh_address ("tcp", address));
    close_socket (s);
    nn_term ();
    wait_until (count_threads () == 1);
    return 0;
}
