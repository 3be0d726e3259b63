/*  Peers that are killed in the middle of a frame, one after the other, `KILLS` of them: none
    leaves a thread, a descriptor or memory, and other peers go on. A peer is killed while it
    sends a frame, between two bytes that it chose; while it floods us from a forked child with
    the library; or while we send to it. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

#define WARM_UP 60
#define LARGE 300000
#define KINDS 3

static char body[LARGE];
static uint32_t seed = 20;

struct scene {
    char in[NN_SOCKADDR_MAX], out[NN_SOCKADDR_MAX];
    int pull, push, pub, sub;
};

static void set_up (struct scene *scene, const char *transport)
{
    scene->pull = open_patient (NN_PULL);
    scene->push = open_patient (NN_PUSH);
    scene->pub = open_patient (NN_PUB);
    scene->sub = open_patient (NN_SUB);
    bind_to (scene->pull, fresh_address (transport, scene->in));
    bind_to (scene->pub, fresh_address (transport, scene->out));
    connect_to (scene->push, scene->in);
    nn_setsockopt (scene->sub, NN_SUB, NN_SUB_SUBSCRIBE, "honest", 6);
    connect_to (scene->sub, scene->out);
    synchronise (scene->pub, scene->sub, "honest");
}

/*  A part of a frame, small or large, that ends before the frame does. */
static void part_of_a_frame (const char *address, uint32_t random)
{
    unsigned char prefix[9];
    uint32_t length = random % 2 ? 1 + random % 3000 : 1 + random % LARGE;
    int peer = plain_peer (address, NN_PUSH);
    size_t size = plain_prefix (address, length, prefix);
    uint32_t most = (random >> 8) % (uint32_t) (size + length);
    check (plain_send (peer, prefix, most < size ? most : size) == 0);
    if (most > size)
        check (plain_send (peer, body, most - size) == 0);
}

static void flood (const char *address, uint32_t random)
{
    int push = open_patient (NN_PUSH);
    connect_to (push, address);
    for (;;)
        nn_send (push, body, random % LARGE, 0);
}

/*  A subscriber that is killed when it has read a part of what we published. */
static void half_a_reader (const char *address, uint32_t random)
{
    int peer = plain_peer (address, NN_SUB);
    size_t left = 1 + random % LARGE;
    while (left > 0) {
        ssize_t size = recv (peer, body, left, 0);
        check (size > 0);
        left -= (size_t) size;
    }
}

/*  Whole messages that killed peers had sent are still received. */
static void drain (int pull)
{
    while (nn_recv (pull, body, sizeof (body), NN_DONTWAIT) >= 0)
        ;
    check (nn_errno () == EAGAIN);
}

static void kill_one (struct scene *scene, int kind)
{
    uint32_t random = next_random (&seed);
    int ready[2];
    char byte;
    check (pipe2 (ready, O_CLOEXEC) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        if (kind == 1)
            flood (scene->in, random);
        if (kind == 0)
            part_of_a_frame (scene->in, random);
        else
            half_a_reader (scene->out, random);
        check (write (ready[1], "!", 1) == 1);
        for (;;)
            pause ();
    }
    if (kind == 1) /* somewhere in its second message, or a later one */
        check (nn_recv (scene->pull, body, sizeof (body), 0) >= 0);
    else
        while (!is_readable (ready[0], kind == 2 ? 0 : LIMIT_MS))
            check (nn_send (scene->pub, body, sizeof (body), 0) == sizeof (body));
    check (kill (child, SIGKILL) == 0);
    check (waitpid (child, NULL, 0) == child);
    if (kind != 1)
        check (read (ready[0], &byte, 1) == 1);
    close (ready[0]);
    close (ready[1]);
    drain (scene->pull);
    honest_message (scene->push, scene->pull);
}

static int connections (int s)
{
    return (int) nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS);
}

/*  Until only the well-behaved peers are left. */
static void settle (struct scene *scene)
{
    wait_until ((drain (scene->pull), connections (scene->pull) == 1)
        && connections (scene->pub) == 1);
    synchronise (scene->pub, scene->sub, "honest");
    honest_message (scene->push, scene->pull);
}

int main (void)
{
    const char *times = getenv ("KILLS");
    int kills = times ? atoi (times) : 300, threads = 0, descriptors = 0;
    long resident = 0;
    struct scene scenes[2];
    for (int i = 0; i < 2; i++)
        set_up (&scenes[i], plain_transports[i]);
    for (int i = 0; i < kills + WARM_UP; i++) {
        if (i == WARM_UP) {
            settle (&scenes[0]);
            settle (&scenes[1]);
            threads = count_threads ();
            descriptors = count_descriptors ();
            resident = memory_kib ("VmRSS");
        }
        kill_one (&scenes[i % 2], i / 2 % KINDS);
    }
    settle (&scenes[0]);
    settle (&scenes[1]);
    wait_until (count_threads () == threads && count_descriptors () == descriptors);
    long grown = memory_kib ("VmRSS") - resident;
    say ("%d peers killed: threads %+d, descriptors %+d, resident %+ld KiB", kills,
        count_threads () - threads, count_descriptors () - descriptors, grown);
    if (grown > 16 * 1024)
        fail ("memory has grown");
    for (int i = 0; i < 2; i++) {
        close_socket (scenes[i].push);
        close_socket (scenes[i].pull);
        close_socket (scenes[i].sub);
        close_socket (scenes[i].pub);
    }
    return 0;
}
