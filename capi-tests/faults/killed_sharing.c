/*  Peers with shared memory that are killed at any moment, `KILLS` of them, one after the other: while they flood, while
    they are flooded, and in conversations. What the other side has received is whole and in order; it does not
    hang, and keeps no thread, descriptor or mapping. */

#include "../lib/rings.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

#define WARM_UP 30
#define LARGE 200000
#define KINDS 3
/*  The longest time, in microseconds, after which a peer is killed. */
#define LATEST_US 3000

static char body[LARGE];
static uint32_t seed = 41;

/*  A message begins with its number, and all further bytes are the number's last one. */
static size_t make (uint32_t number)
{
    size_t size = sizeof (number) + number * 7919 % (number % 8 ? 2000 : LARGE - 100);
    memset (body, (int) (number & 0xff), size);
    memcpy (body, &number, sizeof (number));
    return size;
}

/*  Checks a message that was received. Returns its number. */
static uint32_t verify (int size)
{
    uint32_t number;
    check (size >= (int) sizeof (number));
    memcpy (&number, body, sizeof (number));
    check ((size_t) size == sizeof (number) + number * 7919 % (number % 8 ? 2000 : LARGE - 100));
    for (int i = sizeof (number); i < size; i++)
        check ((unsigned char) body[i] == (number & 0xff));
    return number;
}

static void peer (int kind, const char *address)
{
    int s = sharing (kind == 0 ? NN_PUSH : kind == 1 ? NN_PULL : NN_PAIR);
    connect_to (s, address);
    for (uint32_t number = 0;; number++) {
        if (kind != 1)
            check (nn_send (s, body, make (number), 0) >= 0);
        if (kind != 0)
            check (verify (nn_recv (s, body, sizeof (body), 0)) == number);
    }
}

/*  What the survivor does until the peer is gone and nothing of it is left. */
static uint32_t survive (int kind, int s, pid_t child)
{
    uint32_t number = 0, unsent = 0;
    int64_t kill_at = now_ms () * 1000 + next_random (&seed) % LATEST_US;
    int is_dead = 0;
    for (;;) {
        /* What has come before the end is received after it. */
        int is_over = is_dead && nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == 0 && count_rings () == 0;
        if (kind != 1) {
            int size = nn_recv (s, body, sizeof (body), NN_DONTWAIT);
            if (size >= 0) {
                check (verify (size) == number++);
                if (kind == 2)
                    nn_send (s, body, (size_t) size, NN_DONTWAIT);
                continue;
            }
        } else if (nn_send (s, body, make (unsent), NN_DONTWAIT) >= 0)
            number = ++unsent;
        if (!is_dead && number > 0 && now_ms () * 1000 >= kill_at) {
            if (kind == 0)
                check (count_rings () == 1);
            check (kill (child, SIGKILL) == 0);
            check (waitpid (child, NULL, 0) == child);
            is_dead = 1;
        }
        if (is_over)
            return number;
    }
}

int main (void)
{
    const char *times = getenv ("KILLS");
    int kills = times ? atoi (times) : 300, threads = 0, descriptors = 0;
    uint64_t messages = 0;
    long resident = 0;
    char honest[NN_SOCKADDR_MAX], addresses[KINDS][NN_SOCKADDR_MAX];
    int sockets[KINDS] = { sharing (NN_PULL), sharing (NN_PUSH), sharing (NN_PAIR) };
    int push = sharing (NN_PUSH), pull = open_patient (NN_PULL);
    bind_to (pull, fresh_address ("ipc", honest));
    connect_to (push, honest);
    for (int kind = 0; kind < KINDS; kind++)
        bind_to (sockets[kind], fresh_address ("ipc", addresses[kind]));
    for (int i = 0; i < kills + WARM_UP; i++) {
        int kind = i % KINDS;
        if (i == WARM_UP) {
            threads = count_threads ();
            descriptors = count_descriptors ();
            resident = memory_kib ("VmRSS");
        }
        pid_t child = start_process ();
        if (child == 0)
            peer (kind, addresses[kind]);
        messages += survive (kind, sockets[kind], child);
        honest_message (push, pull);
    }
    wait_until (count_threads () == threads && count_descriptors () == descriptors);
    long grown = memory_kib ("VmRSS") - resident;
    say ("%d peers with shared memory killed, %llu messages: threads %+d, descriptors %+d, resident %+ld KiB", kills,
        (unsigned long long) messages, count_threads () - threads, count_descriptors () - descriptors, grown);
    if (grown > 16 * 1024)
        fail ("memory has grown");
    for (int kind = 0; kind < KINDS; kind++)
        close_socket (sockets[kind]);
    close_socket (push);
    close_socket (pull);
    return 0;
}
