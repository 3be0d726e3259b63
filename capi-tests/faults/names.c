/*  A slow resolver, and names with too many or outdated addresses. The program defines
    getaddrinfo(3) itself, which the library finds before the system's. */

#include "../lib/plain.h"
#include <netdb.h>

#define ROUNDS 400
#define MANY 3000
#define RECONNECT_MS 100

/* ---- the resolver ----------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_blocked;       /* names that begin with "slow" have to wait */
static int blocked;          /* look-ups of such names so far */
static int released;         /* so many of these, the first ones, no longer wait */
static const char *known[2]; /* the addresses of "moves" */

static struct addrinfo *entry (const char *text, struct addrinfo *next)
{
    struct { struct addrinfo info; struct sockaddr_in address; } *made = calloc (1, sizeof (*made));
    made->address.sin_family = AF_INET;
    check (inet_pton (AF_INET, text, &made->address.sin_addr) == 1);
    made->info.ai_family = AF_INET;
    made->info.ai_socktype = SOCK_STREAM;
    made->info.ai_addr = (struct sockaddr *) &made->address;
    made->info.ai_addrlen = sizeof (made->address);
    made->info.ai_next = next;
    return &made->info;
}

int getaddrinfo (const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **result)
{
    (void) service;
    (void) hints;
    *result = NULL;
    pthread_mutex_lock (&mutex);
    if (strncmp (name, "slow", 4) == 0) {
        int number = ++blocked;
        pthread_cond_broadcast (&changed);
        while (is_blocked && number > released)
            pthread_cond_wait (&changed, &mutex);
    } else if (strcmp (name, "many") == 0) {
        /*  TCP cannot connect to a multicast group: each attempt fails at once, with
            ENETUNREACH. */
        char text[INET_ADDRSTRLEN];
        for (int i = 0; i < MANY; i++) {
            snprintf (text, sizeof (text), "224.1.%d.%d", i / 250, i % 250);
            *result = entry (text, *result);
        }
    } else if (strcmp (name, "moves") == 0)
        for (int i = 1; i >= 0; i--)
            if (known[i])
                *result = entry (known[i], *result);
    pthread_mutex_unlock (&mutex);
    return *result ? 0 : EAI_NONAME;
}

void freeaddrinfo (struct addrinfo *first)
{
    while (first) {
        struct addrinfo *next = first->ai_next;
        free (first);
        first = next;
    }
}

static void block (int on)
{
    pthread_mutex_lock (&mutex);
    is_blocked = on;
    pthread_cond_broadcast (&changed);
    pthread_mutex_unlock (&mutex);
}

/*  Waits until so many look-ups wait, or have waited. */
static void await_blocked (int count)
{
    pthread_mutex_lock (&mutex);
    while (blocked < count)
        pthread_cond_wait (&changed, &mutex);
    pthread_mutex_unlock (&mutex);
}

/*  Ends the waiting look-ups; later ones have to wait. */
static void release (void)
{
    pthread_mutex_lock (&mutex);
    released = blocked;
    pthread_cond_broadcast (&changed);
    pthread_mutex_unlock (&mutex);
}

static void set_known (const char *first, const char *second)
{
    pthread_mutex_lock (&mutex);
    known[0] = first;
    known[1] = second;
    pthread_mutex_unlock (&mutex);
}

/* ---- what must hold --------------------------------------------------------- */

/*  Sockets that are closed while their names are looked up leave nothing behind, whether all
    look up one name or each another. */
static void closed_while_resolving (const char *format, const char *what)
{
    char address[NN_SOCKADDR_MAX];
    int threads = count_threads (), descriptors = count_descriptors (), before = blocked;
    block (1);
    for (int i = 0; i < ROUNDS; i++) {
        int s = open_socket (NN_PAIR);
        snprintf (address, sizeof (address), format, i);
        connect_to (s, address);
        if (i == 0)
            await_blocked (before + 1);
        close_socket (s);
    }
    check (count_descriptors () == descriptors);
    /*  The I/O thread exists for a moment after the last nn_close; the threads of the look-ups
        are blocked. */
    wait_until (count_threads () - threads <= 4);
    int more_threads = count_threads () - threads;
    block (0);
    wait_until (count_threads () == threads);
    say ("%d sockets closed while %s is looked up: %d threads and no descriptor stay until the "
         "resolver answers; it was asked %d times", ROUNDS, what, more_threads, blocked - before);
    check (blocked - before <= 4);
}

/*  Names known to be slow do not delay the look-up of others. */
static void slow_and_prompt (void)
{
    enum { SLOW = 4 };
    char address[NN_SOCKADDR_MAX];
    int slow[SLOW], before = blocked;
    int server = open_patient (NN_PAIR), client = open_patient (NN_PAIR), port = free_port ();
    snprintf (address, sizeof (address), "tcp://127.0.0.1:%d", port);
    bind_to (server, address);
    set_known ("127.0.0.1", NULL);
    block (1);
    for (int i = 0; i < SLOW; i++) {
        slow[i] = open_patient (NN_PAIR);
        snprintf (address, sizeof (address), "tcp://slow%d:%d", i, port);
        connect_to (slow[i], address);
    }
    await_blocked (before + SLOW);
    poll (NULL, 0, 1100); /* from a second on a look-up counts as slow */
    release ();
    await_blocked (before + SLOW + 3);
    snprintf (address, sizeof (address), "tcp://moves:%d", port);
    int64_t start = now_ms ();
    connect_to (client, address);
    send_text (client, "prompt");
    expect_text (server, "prompt");
    say ("while %d names that are known to be slow are looked up, another one is connected in %lld ms",
        SLOW, (long long) (now_ms () - start));
    for (int i = 0; i < SLOW; i++)
        close_socket (slow[i]);
    block (0);
    close_socket (client);
    close_socket (server);
}

/*  Of the thousands of addresses of a name, a few are tried between two pauses. */
static void many_addresses (void)
{
    enum { PAUSES = 10, EACH = 16 };
    char address[NN_SOCKADDR_MAX];
    int s = open_socket (NN_PAIR);
    set_int (s, NN_SOL_SOCKET, NN_RECONNECT_IVL, RECONNECT_MS);
    snprintf (address, sizeof (address), "tcp://many:%d", free_port ());
    int64_t start = now_ms ();
    connect_to (s, address);
    wait_until (nn_get_statistic (s, NN_STAT_CONNECT_ERRORS) >= PAUSES * EACH);
    uint64_t errors = nn_get_statistic (s, NN_STAT_CONNECT_ERRORS);
    int64_t time = now_ms () - start;
    say ("a name with %d addresses, none of which can be reached: %llu attempts failed in %lld ms",
        MANY, (unsigned long long) errors, (long long) time);
    check (errors <= (uint64_t) (time / RECONNECT_MS + 1) * EACH);
    close_socket (s);
}

/*  When a connection is lost, the name is looked up anew: an address that was its second one before
    is not tried. */
static void address_that_moves (void)
{
    enum { SERVERS = 3 };
    char text[NN_SOCKADDR_MAX];
    int server[SERVERS], client = open_patient (NN_PAIR), port = free_port ();
    for (int i = 0; i < SERVERS; i++) {
        server[i] = open_patient (NN_PAIR);
        snprintf (text, sizeof (text), "tcp://127.0.0.%d:%d", 2 + i, port);
        bind_to (server[i], text);
    }
    set_known ("127.0.0.2", "127.0.0.3");
    snprintf (text, sizeof (text), "tcp://moves:%d", port);
    connect_to (client, text);
    send_text (client, "first");
    expect_text (server[0], "first");
    set_known ("127.0.0.4", NULL);
    close_socket (server[0]);
    wait_until (nn_get_statistic (server[2], NN_STAT_CURRENT_CONNECTIONS) == 1);
    send_text (client, "second");
    expect_text (server[2], "second");
    check (nn_get_statistic (server[1], NN_STAT_ACCEPTED_CONNECTIONS) == 0);
    say ("after a loss the name leads to its new address, and its former second one is not tried");
    close_socket (client);
    close_socket (server[1]);
    close_socket (server[2]);
}

int main (void)
{
    closed_while_resolving ("tcp://slow.name:9", "a name");
    closed_while_resolving ("tcp://slow%d.name:9", "a name of its own");
    many_addresses ();
    address_that_moves ();
    slow_and_prompt ();
    return 0;
}
