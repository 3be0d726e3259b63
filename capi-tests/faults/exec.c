/*  A program that the host executes inherits none of our descriptors: with every transport in
    use, with waiting calls and requested descriptors, and while sockets and connections are
    opened and closed. Meanwhile children use the library afresh, without an effect on the
    parent. */

#include "../lib/test.h"
#include <nanomsg/pipeline.h>
#include <nanomsg/reqrep.h>
#include <stdatomic.h>

#define ROUNDS 60

static const char *const all_transports[] = { "inproc", "ipc", "tcp", "ws" };
#define TRANSPORTS 4

static atomic_int is_over;

/*  In the executed program: prints its descriptors, except the one that lists them. */
static int list_descriptors (void)
{
    DIR *folder = opendir ("/proc/self/fd");
    check (folder != NULL);
    for (struct dirent *entry; (entry = readdir (folder));) {
        char target[256];
        int number = atoi (entry->d_name);
        if (entry->d_name[0] == '.' || number <= 2 || number == dirfd (folder))
            continue;
        ssize_t size = readlinkat (dirfd (folder), entry->d_name, target, sizeof (target) - 1);
        target[size < 0 ? 0 : size] = 0;
        printf ("%d %s\n", number, target);
    }
    return 0;
}

/*  The descriptors that a program executed now finds open. */
static void listed (char *text, size_t room)
{
    FILE *output = tmpfile ();
    check (output != NULL && fcntl (fileno (output), F_SETFD, FD_CLOEXEC) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        dup2 (fileno (output), STDOUT_FILENO);
        execl ("/proc/self/exe", "exec", "list", (char *) NULL);
        _exit (127);
    }
    join_process (child);
    rewind (output);
    text[fread (text, 1, room - 1, output)] = 0;
    fclose (output);
}

struct pair {
    char address[NN_SOCKADDR_MAX];
    int pull, push;
    atomic_int thread;
    atomic_int heard;
};

static void *receive_until_closed (void *argument)
{
    struct pair *pair = argument;
    char text[64];
    pair->thread = thread_id ();
    while (nn_recv (pair->pull, text, sizeof (text), 0) >= 0)
        pair->heard++;
    check (nn_errno () == EBADF);
    return NULL;
}

/*  Opens and closes sockets, so that some are always being created. */
static void *come_and_go (void *argument)
{
    (void) argument;
    char address[NN_SOCKADDR_MAX], text[8];
    for (int i = 0; !is_over; i++) {
        int rep = open_patient (NN_REP), req = open_patient (NN_REQ);
        bind_when_free (rep, fresh_address (all_transports[i % TRANSPORTS], address));
        connect_to (req, address);
        descriptor_of (rep, NN_RCVFD);
        check (nn_send (req, "?", 1, 0) == 1);
        check (nn_recv (rep, text, sizeof (text), 0) == 1);
        check (nn_send (rep, "!", 1, 0) == 1);
        check (nn_recv (req, text, sizeof (text), 0) == 1);
        close_socket (req);
        close_socket (rep);
    }
    return NULL;
}

/*  In a child, which has a library of its own. It continues the parent's count of ports, as the
    other thread of the parent does. */
static void use_from_scratch (void)
{
    for (int i = 0; i < TRANSPORTS; i++) {
        char address[NN_SOCKADDR_MAX];
        int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
        bind_when_free (pull, fresh_address (all_transports[i], address));
        connect_to (push, address);
        send_text (push, "from scratch");
        expect_text (pull, "from scratch");
        close_socket (push);
        close_socket (pull);
    }
    _exit (0);
}

int main (int count, char **arguments)
{
    static char before[65536], now[65536];
    struct pair pairs[TRANSPORTS];
    pthread_t receivers[TRANSPORTS];
    if (count > 1 && strcmp (arguments[1], "list") == 0)
        return list_descriptors ();
    listed (before, sizeof (before));

    for (int i = 0; i < TRANSPORTS; i++) {
        struct pair *pair = &pairs[i];
        pair->thread = 0;
        pair->heard = 0;
        pair->pull = open_patient (NN_PULL);
        pair->push = open_patient (NN_PUSH);
        set_int (pair->pull, 0, NN_RCVTIMEO, -1);
        bind_to (pair->pull, fresh_address (all_transports[i], pair->address));
        connect_to (pair->push, pair->address);
        descriptor_of (pair->pull, NN_RCVFD);
        descriptor_of (pair->push, NN_SNDFD);
        receivers[i] = start_thread (receive_until_closed, pair);
        send_text (pair->push, "hello");
        wait_until (pair->heard == 1 && is_asleep (pair->thread));
    }
    pthread_t others = start_thread (come_and_go, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        pid_t child = start_process ();
        if (child == 0)
            use_from_scratch ();
        listed (now, sizeof (now));
        if (strcmp (before, now) != 0)
            fail ("a program that was executed has more than before:\n%sinstead of:\n%s", now,
                before);
        for (int k = 0; k < TRANSPORTS; k++) {
            send_text (pairs[k].push, "still there");
            wait_until (pairs[k].heard == i + 2);
        }
        join_process (child);
    }
    int descriptors = count_descriptors ();
    is_over = 1;
    join_thread (others);
    for (int i = 0; i < TRANSPORTS; i++) {
        close_socket (pairs[i].push);
        close_socket (pairs[i].pull);
        join_thread (receivers[i]);
    }
    say ("%d programs executed beside %d open descriptors inherited none; %d children used the "
         "library from scratch", ROUNDS, descriptors, ROUNDS);
    return 0;
}
