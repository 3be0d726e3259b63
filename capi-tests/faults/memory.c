/*  Memory runs out: what is too large is refused, with ENOMEM or EMSGSIZE or the end of the
    peer's connection; the host and other peers go on. RLIMIT_AS limits the address space to what
    is in use and `ROOM` more. */

#include "../lib/events.h"
#include "../lib/plain.h"
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/ws.h>
#include <sys/mman.h>

#define ROOM ((size_t) 200 << 20)
#define HUGE ((size_t) 300 << 20)

/*  The caller's own memory, so large that there is no room for a copy. */
static char *huge;

static void limit_memory (void)
{
    struct rlimit limit;
    getrlimit (RLIMIT_AS, &limit);
    limit.rlim_cur = (rlim_t) memory_kib ("VmSize") * 1024 + ROOM;
    check (setrlimit (RLIMIT_AS, &limit) == 0);
    check (mmap (NULL, ROOM + (1 << 20), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        == MAP_FAILED);
}

static void allocations (void)
{
    char *message = nn_allocmsg (100, 0);
    memcpy (message, "still the same", 15);
    check_error (nn_allocmsg (ROOM + HUGE, 0), ENOMEM);
    check_error (nn_allocmsg (SIZE_MAX, 0), ENOMEM);
    check_error (nn_allocmsg (SIZE_MAX / 2, 0), ENOMEM);
    check_error (nn_reallocmsg (message, ROOM + HUGE), ENOMEM);
    check_error (nn_reallocmsg (message, SIZE_MAX - 20), ENOMEM);
    check (strcmp (message, "still the same") == 0);
    check (nn_freemsg (message) == 0);
}

/*  A message that has to be copied, without room for the copy. */
static void sending (const char *transport, int sender, int receiver)
{
    char address[NN_SOCKADDR_MAX];
    int out = open_patient (sender), in = open_patient (receiver);
    bind_to (in, fresh_address (transport, address));
    connect_to (out, address);
    wait_writable (out);
    struct nn_iovec runs[2] = { { huge, HUGE / 2 }, { huge, HUGE / 2 } };
    struct nn_msghdr header = { runs, 2, NULL, 0 };
    check_error (nn_sendmsg (out, &header, 0), ENOMEM);
    check_error (nn_send (out, huge, HUGE, 0), ENOMEM);
    check_error (nn_send (out, huge, (size_t) INT32_MAX + 1, 0), EMSGSIZE);
    send_text (out, "small");
    expect_text (in, "small");
    close_socket (out);
    close_socket (in);
}

/*  The header of a raw socket is in a control message, of any length that the caller gives. */
static void headers (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int raw = nn_socket (AF_SP_RAW, NN_REQ), rep = open_patient (NN_REP);
    bind_to (rep, fresh_address (transport, address));
    connect_to (raw, address);
    wait_writable (raw);
    struct nn_cmsghdr *control = (struct nn_cmsghdr *) huge;
    size_t length = HUGE - sizeof (*control) - sizeof (size_t);
    control->cmsg_len = HUGE;
    control->cmsg_level = PROTO_SP;
    control->cmsg_type = SP_HDR;
    memcpy (huge + sizeof (*control), &length, sizeof (length));
    struct nn_iovec run = { "x", 1 };
    struct nn_msghdr header = { &run, 1, control, HUGE };
    int sent = nn_sendmsg (raw, &header, 0);
    if (sent != -1 || (nn_errno () != ENOMEM && nn_errno () != EINVAL && nn_errno () != EMSGSIZE))
        fail ("a huge header: %d, %s", sent, error_name (nn_errno ()));
    memset (huge, 0, sizeof (*control) + sizeof (length));
    close_socket (raw);
    close_socket (rep);
}

static void subscriptions (void)
{
    char address[NN_SOCKADDR_MAX];
    int pub = open_patient (NN_PUB), sub = open_patient (NN_SUB);
    bind_to (pub, fresh_address ("inproc", address));
    connect_to (sub, address);
    check_error (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, huge, HUGE), ENOMEM);
    /*  For the next subscription, the largest that fits would have to be split, which takes new
        memory. */
    size_t size = ROOM;
    while (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, huge, size) != 0) {
        check (nn_errno () == ENOMEM);
        size -= 4 << 20;
        check (size > 10 << 20);
    }
    check_error (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, huge, 10), ENOMEM);
    send_text (pub, "no zeros");
    check (nn_setsockopt (sub, NN_SUB, NN_SUB_UNSUBSCRIBE, huge, size) == 0);
    check (nn_setsockopt (sub, NN_SUB, NN_SUB_SUBSCRIBE, "small", 5) == 0);
    send_text (pub, "small enough");
    expect_text (sub, "small enough");
    close_socket (sub);
    close_socket (pub);
}

/*  A list of sockets for which there is no room for the call's own list. */
static void polling (void)
{
    size_t count = HUGE / sizeof (struct nn_pollfd);
    struct nn_pollfd *list = (struct nn_pollfd *) huge;
    int s = open_patient (NN_PAIR);
    for (size_t i = 0; i < count; i++)
        list[i] = (struct nn_pollfd) { s, NN_POLLIN, 0 };
    check_error (nn_poll (list, (int) count, 0), ENOMEM);
    /*  The entries fit, what the call has to keep for them does not. */
    check_error (nn_poll (list, (int) (count / 3), 0), ENOMEM);
    check (nn_poll (list, 100, 0) == 0);
    memset (huge, 0, HUGE);
    close_socket (s);
}

/*  Peers that send more than there is memory for, without a limit set by the program. */
static void endless_frames (const char *transport)
{
    static char piece[1 << 20];
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    int events = monitor (pull);
    set_int (pull, 0, NN_RCVMAXSIZE, -1);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    honest_message (push, pull);
    for (int i = 0; i < 3; i++) {
        int peer = plain_peer (address, NN_PUSH);
        check (plain_length (peer, address, (uint64_t) 1 << 40) == 0);
        size_t sent = 0;
        while (plain_send (peer, piece, sizeof (piece)) == 0)
            sent += sizeof (piece);
        check (sent < 2 * ROOM);
        expect_cut (peer);
        struct received_event event = wait_for_event (events, NN_EVENT_DISCONNECTED);
        check (event.head.reason == NN_REASON_MEMORY && event.head.error == ENOMEM);
        honest_message (push, pull);
    }
    close_socket (events);
    close_socket (push);
    close_socket (pull);
}

#define ANNOUNCERS 800
#define ANNOUNCED ((size_t) 1 << 20)

/*  Peers that announce a message each, which would not fit all together, and send nothing more. */
static void announcements (const char *transport)
{
    static int peers[ANNOUNCERS];
    static char large[ANNOUNCED];
    char address[NN_SOCKADDR_MAX];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH), late = open_patient (NN_PUSH);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    honest_message (push, pull);
    long before = memory_kib ("VmSize");
    for (int i = 0; i < ANNOUNCERS; i++) {
        /*  In one write, so that a peer that has sent its greeting has also announced its
            message. */
        unsigned char bytes[17] = { 0, 'S', 'P', 0, 0, NN_PUSH, 0, 0 };
        size_t size = 8 + plain_prefix (address, ANNOUNCED, bytes + 8);
        peers[i] = plain_connect (address);
        check (plain_send (peers[i], bytes, size) == 0);
    }
    wait_until (nn_get_statistic (pull, NN_STAT_CURRENT_CONNECTIONS) == ANNOUNCERS + 1);
    long grown = memory_kib ("VmSize") - before;
    connect_to (late, address);
    honest_message (push, pull);
    honest_message (late, pull);
    check (nn_send (late, large, sizeof (large), 0) == sizeof (large));
    check (nn_recv (pull, large, sizeof (large), 0) == sizeof (large));
    say ("%s, %d peers that announce 1 MiB each: +%ld KiB of address space for each", transport,
        ANNOUNCERS, grown / ANNOUNCERS);
    for (int i = 0; i < ANNOUNCERS; i++) {
        check (is_open (peers[i]));
        close (peers[i]);
    }
    close_socket (late);
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    limit_descriptors (4096);
    huge = mmap (NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check (huge != MAP_FAILED);
    limit_memory ();
    each_plain_transport (transport)
        announcements (transport);
    allocations ();
    each_transport (transport) {
        sending (transport, NN_PUSH, NN_PULL);
        sending (transport, NN_PAIR, NN_PAIR);
        headers (transport);
    }
    sending ("tcp", NN_REQ, NN_REP);
    sending ("ws", NN_PUSH, NN_PULL);
    subscriptions ();
    polling ();
    each_plain_transport (transport)
        endless_frames (transport);
    allocations ();
    say ("%zu MiB of address space: what is larger is refused", ROOM >> 20);
    return 0;
}
