/*  Measures a ping-pong with one process while something else happens in that process.

        beside LOAD ADDRESS SECONDS

        nothing       the comparison
        half-open     1,000 peers keep TLS handshakes open without finishing them; one that is disconnected comes again
        handshakes    200 clients a second connect with TLS, and leave when they are connected
        events        200 endpoints a second come and go at the socket, whose monitor has a subscriber that reads
        unread        the same, and the subscriber never reads

    ADDRESS is that of the ping-pong, over tcp or tls+tcp. The port after it is that of a second socket, with TLS, for
    the load. Certificates come from the environment. It prints one line: the round trips in a second; their median, 99th
    percentile and maximum in us; and how often the load has happened in a second: connections accepted by the second socket
    and attempts that failed there, or events.  */

#define _GNU_SOURCE /* prctl */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nanomsg/ext.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

#define SIZE 64
#define HALF_OPEN 1000
#define INTERVAL_NS 5000000 /* 200 a second */
#define CLIENTS 64          /* that connect at once at most */
#define MOST_SAMPLES 4000000
#define WARM_UP_S 0.5

struct shared {
    atomic_int is_bound;
    atomic_long load[2];
};

static struct shared *shared;
static char address[128], second_address[128];
static int second_port;

static void check (int holds, const char *what)
{
    if (holds)
        return;
    fprintf (stderr, "beside: %s: %s\n", what, nn_strerror (nn_errno ()));
    exit (1);
}

static int64_t now_ns (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C (1000000000) + time.tv_nsec;
}

static void sleep_until (int64_t moment)
{
    struct timespec time = { moment / 1000000000, moment % 1000000000 };
    while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
        ;
}

static int open_socket (int protocol)
{
    int s = nn_socket (AF_SP, protocol);
    check (s >= 0, "nn_socket");
    return s;
}

static pid_t start_process (void (*body) (void))
{
    pid_t child = fork ();
    check (child >= 0, "fork");
    if (child == 0) {
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        body ();
        exit (0);
    }
    return child;
}

/* ---- the process that is measured ------------------------------------------------ */

static int serving;
static const char *load;

/*  Reads events, or only opens their subscriber.  */
static void *subscribe (void *unused)
{
    char event[1024];
    (void) unused;
    int s = open_socket (NN_SUB);
    check (nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0, "NN_SUB_SUBSCRIBE");
    check (nn_connect (s, "inproc://events") >= 0, "nn_connect to the monitor");
    if (strcmp (load, "unread") == 0)
        for (;;)
            pause ();
    while (nn_recv (s, event, sizeof (event), 0) >= 0)
        ;
    return NULL;
}

static void *change_endpoints (void *unused)
{
    (void) unused;
    for (int64_t next = now_ns ();; next += INTERVAL_NS) {
        int id = nn_bind (serving, "inproc://another");
        check (id >= 0 && nn_shutdown (serving, id) == 0, "an endpoint");
        atomic_fetch_add (&shared->load[0], 2);
        sleep_until (next);
    }
    return NULL;
}

/*  Watches what the second socket counts.  */
static void *count_connections (void *argument)
{
    int s = *(int *) argument;
    for (;;) {
        atomic_store (&shared->load[0], (long) nn_get_statistic (s, NN_STAT_ACCEPTED_CONNECTIONS));
        atomic_store (&shared->load[1], (long) nn_get_statistic (s, NN_STAT_ACCEPT_ERRORS));
        usleep (10000);
    }
    return NULL;
}

static void serve (void)
{
    static int second;
    char message[SIZE];
    pthread_t thread;
    serving = open_socket (NN_PAIR);
    check (nn_bind (serving, address) >= 0, "nn_bind");
    if (strcmp (load, "events") == 0 || strcmp (load, "unread") == 0) {
        check (nn_setsockopt (serving, NN_SOL_SOCKET, NN_MONITOR, "inproc://events", 15) == 0, "NN_MONITOR");
        pthread_create (&thread, NULL, subscribe, NULL);
        pthread_create (&thread, NULL, change_endpoints, NULL);
    } else {
        second = open_socket (NN_PULL);
        check (nn_bind (second, second_address) >= 0, "nn_bind of the second socket");
        pthread_create (&thread, NULL, count_connections, &second);
    }
    atomic_store (&shared->is_bound, 1);
    for (;;) {
        check (nn_recv (serving, message, SIZE, 0) == SIZE, "nn_recv");
        check (nn_send (serving, message, SIZE, 0) == SIZE, "nn_send");
    }
}

/* ---- the load -------------------------------------------------------------------- */

static int half_open_peer (void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons ((uint16_t) second_port) };
    to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    int descriptor = socket (AF_INET, SOCK_STREAM, 0);
    check (descriptor >= 0 && connect (descriptor, (struct sockaddr *) &to, sizeof (to)) == 0, "connect");
    return descriptor;
}

static void keep_half_open (void)
{
    static struct pollfd peers[HALF_OPEN];
    struct rlimit limit = { 4096, 4096 };
    setrlimit (RLIMIT_NOFILE, &limit);
    for (int i = 0; i < HALF_OPEN; i++)
        peers[i] = (struct pollfd) { half_open_peer (), POLLIN, 0 };
    for (;;) {
        check (poll (peers, HALF_OPEN, -1) > 0, "poll");
        for (int i = 0; i < HALF_OPEN; i++)
            if (peers[i].revents) {
                close (peers[i].fd);
                peers[i].fd = half_open_peer ();
            }
    }
}

static void shake_hands (void)
{
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = -1;
    int64_t next = now_ns ();
    for (int i = 0;; i = (i + 1) % CLIENTS, next += INTERVAL_NS) {
        if (clients[i] >= 0)
            nn_close (clients[i]);
        clients[i] = open_socket (NN_PUSH);
        check (nn_connect (clients[i], second_address) >= 0, "nn_connect of a client");
        sleep_until (next);
    }
}

/* ---------------------------------------------------------------------------------- */

static int compare (const void *one, const void *other)
{
    double left = *(const double *) one, right = *(const double *) other;
    return (left > right) - (left < right);
}

static double elapsed_s (int64_t since)
{
    return (double) (now_ns () - since) / 1e9;
}

int main (int count, char **arguments)
{
    if (count != 4) {
        fprintf (stderr, "usage: beside LOAD ADDRESS SECONDS\n");
        return 2;
    }
    load = arguments[1];
    snprintf (address, sizeof (address), "%s", arguments[2]);
    second_port = atoi (strrchr (address, ':') + 1) + 1;
    snprintf (second_address, sizeof (second_address), "tls+tcp://127.0.0.1:%d", second_port);
    double seconds = atof (arguments[3]);
    shared = mmap (NULL, sizeof (*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double *samples = malloc (MOST_SAMPLES * sizeof (*samples));
    check (shared != MAP_FAILED && samples != NULL, "memory");

    pid_t children[2] = { start_process (serve), 0 };
    while (!atomic_load (&shared->is_bound))
        usleep (1000);
    if (strcmp (load, "half-open") == 0)
        children[1] = start_process (keep_half_open);
    else if (strcmp (load, "handshakes") == 0)
        children[1] = start_process (shake_hands);

    char message[SIZE] = { 0 };
    int s = open_socket (NN_PAIR), timeout = 10000;
    check (nn_setsockopt (s, NN_SOL_SOCKET, NN_RCVTIMEO, &timeout, sizeof (timeout)) == 0, "NN_RCVTIMEO");
    check (nn_connect (s, address) >= 0, "nn_connect");
    long taken = 0, before[2] = { 0 };
    int64_t began = now_ns ();
    int is_warm = 0;
    while (!is_warm || (elapsed_s (began) < seconds && taken < MOST_SAMPLES)) {
        int64_t begin = now_ns ();
        check (nn_send (s, message, SIZE, 0) == SIZE, "nn_send");
        check (nn_recv (s, message, SIZE, 0) == SIZE, "nn_recv");
        if (is_warm) {
            samples[taken++] = (double) (now_ns () - begin) / 1e3;
        } else if (elapsed_s (began) > WARM_UP_S) {
            is_warm = 1;
            began = now_ns ();
            for (int i = 0; i < 2; i++)
                before[i] = atomic_load (&shared->load[i]);
        }
    }
    double took = elapsed_s (began);
    qsort (samples, (size_t) taken, sizeof (*samples), compare);
    printf ("%.0f %.1f %.1f %.0f", (double) taken / took, samples[taken / 2], samples[taken * 99 / 100],
        samples[taken - 1]);
    for (int i = 0; i < 2; i++)
        printf (" %.0f", (double) (atomic_load (&shared->load[i]) - before[i]) / took);
    printf ("\n");
    for (int i = 0; i < 2; i++)
        if (children[i] > 0)
            kill (children[i], SIGKILL);
    while (wait (NULL) > 0)
        ;
    return 0;
}
