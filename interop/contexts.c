/*  Many requests at once, on libnanomsg or this library:

        contexts serve|ask shared|plain [ADDRESS]

    serve: answers requests, in any order if it has contexts. ask: CONTEXTS requests are on their way at
    once, each of a context or of a socket, and each gets its own reply. "shared" uses contexts, which only
    this library has. With an address it binds and writes the address for the other side, else it reads one.
    The other side is another such program, or contexts.py. A server ends at the end of its stdin.  */

#include <nanomsg/ext.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTEXTS 64
#define ROUNDS 20
#define LIMIT_MS 20000

#define must(call)                                                             \
    do {                                                                       \
        if ((call) < 0) {                                                      \
            fprintf (stderr, "%s: %s\n", #call, nn_strerror (nn_errno ()));    \
            exit (1);                                                          \
        }                                                                      \
    } while (0)

static int is_shared;
static int sockets[CONTEXTS], count;
/*  What the last request of each has said, or what it must say. */
static char texts[CONTEXTS][64];

/*  Binds or connects the first socket, and all others that are no contexts. */
static void open_all (int protocol, const char *address)
{
    char line[128];
    int binds = address != NULL;
    if (!binds) {
        if (!fgets (line, sizeof (line), stdin))
            exit (1);
        line[strcspn (line, "\n")] = 0;
        address = line;
    }
    count = protocol == NN_REP && !is_shared ? 1 : CONTEXTS;
    for (int i = 0; i < count; i++) {
        int limit = LIMIT_MS;
        must (sockets[i] = nn_socket (AF_SP, protocol));
        must (nn_setsockopt (sockets[i], NN_SOL_SOCKET, NN_RCVTIMEO, &limit, sizeof (limit)));
        if (is_shared && i > 0)
            must (nn_setsockopt (sockets[i], NN_SOL_SOCKET, NN_SHARE, &sockets[0], sizeof (int)));
        else if (binds)
            must (nn_bind (sockets[i], address));
        else
            must (nn_connect (sockets[i], address));
    }
    if (binds) {
        printf ("%s\n", address);
        fflush (stdout);
    }
}

static void serve (void)
{
    struct pollfd items[CONTEXTS + 1];
    int due[CONTEXTS] = { 0 };
    for (int i = 0; i < count; i++) {
        size_t size = sizeof (int);
        must (nn_getsockopt (sockets[i], NN_SOL_SOCKET, NN_RCVFD, &items[i].fd, &size));
        items[i].events = POLLIN;
    }
    items[count].fd = STDIN_FILENO;
    items[count].events = POLLIN;
    for (;;) {
        must (poll (items, (nfds_t) count + 1, 1));
        if (items[count].revents)
            return;
        for (int i = 0; i < count; i++) {
            if (due[i] > 0 && --due[i] == 0)
                must (nn_send (sockets[i], texts[i], strlen (texts[i]), 0));
            if (due[i] > 0)
                continue;
            int size = nn_recv (sockets[i], texts[i], sizeof (texts[i]) - 1, NN_DONTWAIT);
            if (size >= 0) {
                texts[i][size] = 0;
                due[i] = 1 + rand () % (count > 1 ? 10 : 1);
            }
        }
    }
}

static void ask (void)
{
    struct nn_pollfd items[CONTEXTS];
    int rounds[CONTEXTS] = { 0 }, done = 0;
    while (done < CONTEXTS) {
        for (int i = 0; i < CONTEXTS; i++) {
            items[i].fd = sockets[i];
            items[i].events = NN_POLLIN;
            if (texts[i][0] == 0 && rounds[i] < ROUNDS) {
                snprintf (texts[i], sizeof (texts[i]), "context %d, round %d", i, rounds[i]);
                must (nn_send (sockets[i], texts[i], strlen (texts[i]), 0));
            }
        }
        if (nn_poll (items, CONTEXTS, LIMIT_MS) <= 0) {
            fprintf (stderr, "no reply came\n");
            exit (1);
        }
        for (int i = 0; i < CONTEXTS; i++) {
            char reply[64];
            if (!(items[i].revents & NN_POLLIN))
                continue;
            int size = nn_recv (sockets[i], reply, sizeof (reply), NN_DONTWAIT);
            if (size != (int) strlen (texts[i]) || memcmp (reply, texts[i], (size_t) size) != 0) {
                fprintf (stderr, "context %d got a wrong reply\n", i);
                exit (1);
            }
            texts[i][0] = 0;
            done += ++rounds[i] == ROUNDS;
        }
    }
}

int main (int argc, char **argv)
{
    if (argc < 3)
        return 2;
    is_shared = strcmp (argv[2], "shared") == 0;
    int serves = strcmp (argv[1], "serve") == 0;
    open_all (serves ? NN_REP : NN_REQ, argv[3]);
    if (serves)
        serve ();
    else
        ask ();
    for (int i = 0; i < count; i++)
        must (nn_close (sockets[i]));
    return 0;
}
