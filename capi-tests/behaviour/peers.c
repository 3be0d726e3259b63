/*  The peers of a socket: NN_PEER_INFO, NN_PIPE_CLOSE, and the rules for peers. The C library has none of these. */

#include "../lib/events.h"
#include "../lib/plain.h"
#include <nanomsg/ipc.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>
#include <nanomsg/ws.h>

/*  A received message, and what the control messages say. */
struct received {
    char text[64];
    int count;              /* of control messages */
    uint64_t pipe;          /* 0: none, and so below */
    int endpoint;
    char peer[256];
    char local[256];
    int has_credentials;
    struct nn_credentials credentials;
    char uri[256];
};

static void take (struct received *received, const struct nn_cmsghdr *cmsg)
{
    const unsigned char *data = NN_CMSG_DATA (cmsg);
    size_t size = cmsg->cmsg_len - sizeof (*cmsg);
    char *text = NULL;
    received->count++;
    if (cmsg->cmsg_level == PROTO_SP || cmsg->cmsg_level == NN_WS)
        return;
    check (cmsg->cmsg_level == NN_SOL_SOCKET);
    switch (cmsg->cmsg_type) {
    case NN_CMSG_PIPE:
        memcpy (&received->pipe, data, sizeof (received->pipe));
        break;
    case NN_CMSG_ENDPOINT:
        memcpy (&received->endpoint, data, sizeof (received->endpoint));
        break;
    case NN_CMSG_PEER: text = received->peer; break;
    case NN_CMSG_LOCAL: text = received->local; break;
    case NN_CMSG_WS_URI: text = received->uri; break;
    case NN_CMSG_TLS_PEER: break; /* That is in tls.c. */
    case NN_CMSG_CRED:
        received->has_credentials = 1;
        memcpy (&received->credentials, data, sizeof (received->credentials));
        break;
    default: fail ("a control message of type %d", cmsg->cmsg_type);
    }
    if (text) {
        check (memchr (data, 0, size) != NULL);
        snprintf (text, sizeof (received->peer), "%s", (const char *) data);
    }
}

/*  Receives with a control buffer of so many bytes, or of the library if that is NN_MSG. */
static struct received receive_with (int s, size_t room)
{
    struct received received;
    static char buffer[2048];
    void *allocated = NULL;
    memset (&received, 0, sizeof (received));
    memset (buffer, 0x5a, sizeof (buffer));
    struct nn_iovec body = { received.text, sizeof (received.text) - 1 };
    struct nn_msghdr header = { &body, 1, buffer, room };
    if (room == NN_MSG)
        header.msg_control = &allocated;
    if (nn_recvmsg (s, &header, 0) < 0)
        fail ("nn_recvmsg: %s", error_name (nn_errno ()));
    for (struct nn_cmsghdr *cmsg = NN_CMSG_FIRSTHDR (&header); cmsg;
            cmsg = NN_CMSG_NXTHDR (&header, cmsg))
        take (&received, cmsg);
    if (allocated)
        check (nn_freemsg (allocated) == 0);
    return received;
}

static struct received receive (int s)
{
    return receive_with (s, NN_MSG);
}

static void wrong_values (void)
{
    int s = open_patient (NN_PULL), value = 2;
    uint64_t pipe = 1;
    size_t size = sizeof (pipe);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_PEER_INFO, &value, sizeof (value)), EINVAL);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_PEER_INFO, &value, 1), EINVAL);
    check (get_int (s, NN_SOL_SOCKET, NN_PEER_INFO) == 0);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, sizeof (pipe)), EINVAL);
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, 4), EINVAL);
    pipe = (uint64_t) 1 << 40;
    check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, sizeof (pipe)), EINVAL);
    check_error (nn_getsockopt (s, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, &size), ENOPROTOOPT);

    value = -2;
    check_error (nn_setsockopt (s, NN_IPC, NN_IPC_PEER_UID, &value, sizeof (value)), EINVAL);
    check_error (nn_setsockopt (s, NN_IPC, NN_IPC_PEER_GID, &value, 2), EINVAL);
    check (get_int (s, NN_IPC, NN_IPC_PEER_UID) == -1 && get_int (s, NN_IPC, NN_IPC_PEER_GID) == -1);
    static char longest[2000];
    static const char *const wrong[] = { "10.0.0.0/33", "::/129", "localhost", "10.0.0.0/8,x", "/8",
        "10.0.0.0/-1", "10.0.0.0/8/8", "\xff", ",", " ", " , ", "::ffff:10.0.0.0/95" };
    char networks[64] = "";
    set_text (s, NN_TCP, NN_TCP_ACCEPT, "10.0.0.0/8, ::1");
    for (size_t i = 0; i < sizeof (wrong) / sizeof (wrong[0]); i++)
        check_error (nn_setsockopt (s, NN_TCP, NN_TCP_ACCEPT, wrong[i], strlen (wrong[i])), EINVAL);
    check_error (nn_setsockopt (s, NN_TCP, NN_TCP_ACCEPT, "\0::1", 4), EINVAL);
    check_error (nn_setsockopt (s, NN_TCP, NN_TCP_ACCEPT, "::1\0,::2", 8), EINVAL);
    check_error (nn_setsockopt (s, NN_TCP, NN_TCP_ACCEPT, "::1\0", 5), EINVAL);
    memset (longest, ' ', sizeof (longest));
    memcpy (longest, "::1", 3);
    check_error (nn_setsockopt (s, NN_TCP, NN_TCP_ACCEPT, longest, 1024), EINVAL);
    longest[1023] = '\0';
    check (nn_setsockopt (s, NN_TCP, NN_TCP_ACCEPT, longest, 1024) == 0);
    check (nn_setsockopt (s, NN_TCP, NN_TCP_ACCEPT, "10.0.0.0/8, ::1", 16) == 0);
    check_error (nn_setsockopt (s, NN_TCP, NN_TCP_ACCEPT, NULL, 5), EFAULT);
    size = sizeof (networks);
    check (nn_getsockopt (s, NN_TCP, NN_TCP_ACCEPT, networks, &size) == 0);
    check (size == 15 && strcmp (networks, "10.0.0.0/8, ::1") == 0);
    close_socket (s);
}

/*  Which peer each message came from. */
static void described (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), one = open_patient (NN_PUSH), other = open_patient (NN_PUSH);
    int events = monitor_topic (s, "\5");
    int id = bind_to (s, fresh_address (transport, address));
    connect_to (one, address);
    uint64_t pipe = expect_event (events, NN_EVENT_ACCEPTED).head.pipe;
    send_text (one, "not described");
    struct received received = receive_with (s, NN_MSG);
    check (received.pipe == 0 && received.endpoint == 0 && !*received.peer);
    int plain = received.count;

    /*  Of connections that exist, and of later ones. */
    set_int (s, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    connect_to (other, address);
    struct received_event event = expect_event (events, NN_EVENT_ACCEPTED);
    check (event.head.pipe != pipe);
    send_text (one, "one");
    received = receive (s);
    check (strcmp (received.text, "one") == 0 && received.pipe == pipe);
    check (received.endpoint == id);
    send_text (other, "other");
    received = receive (s);
    check (strcmp (received.text, "other") == 0 && received.pipe == event.head.pipe);
    check (strcmp (received.peer, event.peer) == 0 && strcmp (received.local, event.local) == 0);
    check (strcmp (received.local, address) == 0);
    int is_ipc = strcmp (transport, "ipc") == 0;
    check (received.has_credentials == is_ipc);
    if (is_ipc) {
        check (received.credentials.pid == getpid () && received.credentials.uid == geteuid ());
        check (received.credentials.gid == getegid () && strcmp (received.peer, "ipc://") == 0);
    }
    check (strcmp (received.uri, strncmp (transport, "ws", 2) == 0 ? "/" : "") == 0);

    /*  Also if the connection has ended meanwhile. */
    struct received before = received;
    send_text (other, "last words");
    close_socket (other);
    wait_until (nn_get_statistic (s, NN_STAT_BROKEN_CONNECTIONS) == 1);
    received = receive (s);
    check (strcmp (received.text, "last words") == 0 && received.pipe == before.pipe);
    check (strcmp (received.peer, before.peer) == 0 && strcmp (received.local, before.local) == 0);
    check (received.has_credentials == is_ipc);

    /*  Whatever room there is: whole control messages, the first ones. */
    for (size_t room = 0; room < 400; room += 8) {
        send_text (one, "x");
        int count = receive_with (s, room).count;
        check (count <= plain + 2 + 2 + is_ipc + 1);
        check (room < 300 || count >= plain + 4);
    }
    /*  Plain calls are as before, and so is everything once the option is 0. */
    send_text (one, "plain");
    expect_text (s, "plain");
    set_int (s, NN_SOL_SOCKET, NN_PEER_INFO, 0);
    send_text (one, "not described");
    check (receive_with (s, NN_MSG).count == plain);
    close_socket (events);
    close_socket (one);
    close_socket (s);
}

/*  The control messages of a request are sent back with the reply, as they are. */
static void sent_back (void)
{
    char address[NN_SOCKADDR_MAX], control[1024], text[16];
    int s = nn_socket (AF_SP_RAW, NN_REP), client = open_patient (NN_REQ);
    check (s >= 0);
    set_int (s, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    bind_to (s, fresh_address ("ws", address));
    connect_to (client, address);
    send_text (client, "request");
    struct nn_iovec body = { text, sizeof (text) };
    struct nn_msghdr header = { &body, 1, control, sizeof (control) };
    check (nn_recvmsg (s, &header, 0) == 7);
    struct nn_cmsghdr *first = NN_CMSG_FIRSTHDR (&header);
    check (first->cmsg_level == PROTO_SP && first->cmsg_type == SP_HDR);
    int count = 0;
    for (struct nn_cmsghdr *cmsg = first; cmsg; cmsg = NN_CMSG_NXTHDR (&header, cmsg))
        count++;
    check (count == 7);
    body.iov_len = 7;
    check (nn_sendmsg (s, &header, 0) == 7);
    expect_text (client, "request");
    close_socket (client);
    close_socket (s);
}

/*  One peer is disconnected, the other is not. */
static void disconnected (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), one = open_patient (NN_PUSH), other = open_patient (NN_PUSH);
    set_int (s, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    bind_to (s, fresh_address (transport, address));
    connect_to (one, address);
    connect_to (other, address);
    send_text (one, "one");
    uint64_t kicked = receive (s).pipe;
    send_text (other, "other");
    uint64_t kept = receive (s).pipe;
    int events = monitor_topic (s, "\10"), theirs = monitor (one);
    check (nn_setsockopt (s, NN_SOL_SOCKET, NN_PIPE_CLOSE, &kicked, sizeof (kicked)) == 0);
    struct received_event event = expect_event (events, NN_EVENT_DISCONNECTED);
    check (event.head.pipe == kicked && event.head.reason == NN_REASON_LOCAL);
    event = wait_for_event (theirs, NN_EVENT_DISCONNECTED);
    check (event.head.reason == NN_REASON_PEER || event.head.reason == NN_REASON_NETWORK);
    wait_until (nn_setsockopt (s, NN_SOL_SOCKET, NN_PIPE_CLOSE, &kicked, sizeof (kicked)) == -1);
    check (nn_errno () == EINVAL);
    send_text (other, "other");
    check (receive (s).pipe == kept);
    /*  It comes again, as another connection. */
    wait_for_event (theirs, NN_EVENT_CONNECTED);
    send_text (one, "again");
    struct received received = receive (s);
    check (strcmp (received.text, "again") == 0 && received.pipe != kicked && received.pipe != kept);
    check (nn_get_statistic (s, NN_STAT_DROPPED_CONNECTIONS) == 1);
    close_socket (events);
    close_socket (theirs);
    close_socket (one);
    close_socket (other);
    close_socket (s);
}

/*  A PAIR socket disconnects its peer, and gets the one that waits. */
static void exchanged (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PAIR), one = open_patient (NN_PAIR), other = open_patient (NN_PAIR);
    set_int (s, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    bind_to (s, fresh_address ("inproc", address));
    connect_to (one, address);
    connect_to (other, address);
    send_text (one, "one");
    uint64_t pipe = receive (s).pipe;
    check (nn_setsockopt (s, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, sizeof (pipe)) == 0);
    send_text (other, "other");
    struct received received = receive (s);
    check (strcmp (received.text, "other") == 0 && received.pipe != pipe);
    close_socket (other);
    send_text (one, "one");
    check (receive (s).pipe != received.pipe);

    /*  And one that is connected to itself. */
    int self = open_patient (NN_PAIR);
    set_int (self, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    bind_to (self, fresh_address ("inproc", address));
    connect_to (self, address);
    send_text (self, "self");
    pipe = receive (self).pipe;
    check (nn_setsockopt (self, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, sizeof (pipe)) == 0);
    send_text (self, "again");
    check (receive (self).pipe != pipe);
    close_socket (self);
    close_socket (one);
    close_socket (s);
}

/*  Messages that contexts receive are described as well, also when their peer is gone. */
static void shared (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_SUB), context = open_patient (NN_SUB), pub = open_patient (NN_PUB);
    int events = monitor_topic (s, "\5");
    check (nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0);
    check (nn_setsockopt (context, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) == 0);
    check (nn_setsockopt (context, NN_SOL_SOCKET, NN_SHARE, &s, sizeof (s)) == 0);
    bind_to (s, fresh_address (transport, address));
    connect_to (pub, address);
    uint64_t pipe = expect_event (events, NN_EVENT_ACCEPTED).head.pipe;
    wait_until (nn_get_statistic (pub, NN_STAT_CURRENT_CONNECTIONS) == 1);

    /*  The first one has come before the option is set. */
    send_text (pub, "first");
    wait_readable (context);
    set_int (context, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    send_text (pub, "second");
    check (receive (context).pipe == pipe);
    struct received received = receive (context);
    check (strcmp (received.text, "second") == 0 && received.pipe == pipe);
    check (strcmp (received.local, address) == 0 && *received.peer);

    /*  The connection ends before the parent has received anything. */
    check (nn_setsockopt (context, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, sizeof (pipe)) == 0);
    wait_until (nn_setsockopt (context, NN_SOL_SOCKET, NN_PIPE_CLOSE, &pipe, sizeof (pipe)) == -1);
    check (nn_errno () == EINVAL);
    check (receive (s).pipe == pipe);
    received = receive (s);
    check (strcmp (received.text, "second") == 0 && received.pipe == pipe);
    check (expect_event (events, NN_EVENT_ACCEPTED).head.pipe != pipe);

    /*  A message that waits is not described if the option is reset. */
    wait_until (nn_get_statistic (pub, NN_STAT_CURRENT_CONNECTIONS) == 1);
    send_text (pub, "third");
    wait_readable (context);
    set_int (s, NN_SOL_SOCKET, NN_PEER_INFO, 0);
    check (receive (context).pipe == 0);
    close_socket (context);
    close_socket (s);
    close_socket (pub);
    close_socket (events);
}

/*  The reply that a context of a REQ socket receives. */
static void replied (const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[8];
    int s = open_patient (NN_REQ), context = open_patient (NN_REQ), rep = open_patient (NN_REP);
    int events = monitor_topic (s, "\4");
    set_int (s, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    check (nn_setsockopt (context, NN_SOL_SOCKET, NN_SHARE, &s, sizeof (s)) == 0);
    bind_to (rep, fresh_address (transport, address));
    int id = connect_to (s, address);
    for (int i = 0; i < 2; i++) {
        int asking = i ? s : context;
        send_text (asking, "ask");
        check (nn_recv (rep, text, sizeof (text), 0) == 3);
        send_text (rep, "reply");
        struct received received = receive (asking);
        check (strcmp (received.text, "reply") == 0 && received.endpoint == id);
        if (i == 0)
            check (received.pipe == expect_event (events, NN_EVENT_CONNECTED).head.pipe);
    }
    close_socket (context);
    close_socket (s);
    close_socket (rep);
    close_socket (events);
}

/*  Peers of other networks hear nothing. */
static void networks (const char *transport)
{
    char address[NN_SOCKADDR_MAX], plain[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), peer = open_patient (NN_PUSH), events = monitor (s);
    set_text (s, NN_TCP, NN_TCP_ACCEPT, "10.0.0.0/8, 127.0.0.2, ::1");
    int strict = bind_to (s, fresh_address (transport, address));
    snprintf (plain, sizeof (plain), "tcp%s", strstr (address, "://"));
    int stranger = plain_connect (plain);
    expect_event (events, NN_EVENT_LISTENING);
    struct received_event event = expect_event (events, NN_EVENT_REFUSED);
    check (event.head.reason == NN_REASON_RULE && event.head.endpoint == strict);
    check (strstr (event.peer, "://127.0.0.1:") != NULL);
    char byte;
    check (recv (stranger, &byte, 1, 0) == 0);
    close (stranger);
    check (nn_get_statistic (s, NN_STAT_REFUSED_CONNECTIONS) == 1);
    check (nn_get_statistic (s, NN_STAT_ACCEPTED_CONNECTIONS) == 0);

    /*  The rules are those of the time of the bind. */
    set_text (s, NN_TCP, NN_TCP_ACCEPT, "127.0.0.0/8");
    close (plain_connect (plain));
    check (expect_event (events, NN_EVENT_REFUSED).head.endpoint == strict);
    connect_to (peer, (bind_to (s, fresh_address (transport, address)), address));
    send_text (peer, "welcome");
    expect_text (s, "welcome");
    close_socket (peer);
    close_socket (s);
    close_socket (events);
}

/*  A process of another user, which connects to both addresses when a byte comes from `go`. It begins before
    the library is used, of which a forked child would keep what it cannot free. */
static pid_t start_other_user (const char *strict, const char *open, int *go)
{
    char byte;
    int ends[2];
    check (pipe (ends) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        check (setgid (65534) == 0 && setuid (65534) == 0);
        check (read (ends[0], &byte, 1) == 1);
        int stranger = plain_connect (strict), peer;
        check (recv (stranger, &byte, 1, 0) == 0);
        peer = open_patient (NN_PUSH);
        connect_to (peer, open);
        send_text (peer, "from another user");
        close_socket (peer);
        exit (0); /* joins the library's thread */
    }
    close (ends[0]);
    *go = ends[1];
    return child;
}

/*  Peers of other users hear nothing. */
static void users (void)
{
    char address[NN_SOCKADDR_MAX], strict[NN_SOCKADDR_MAX], open[NN_SOCKADDR_MAX], byte;
    fresh_address ("ipc", strict);
    fresh_address ("ipc", open);
    int go = -1;
    pid_t child = geteuid () == 0 ? start_other_user (strict, open, &go) : 0;
    int s = open_patient (NN_PULL), peer = open_patient (NN_PUSH), events = monitor_topic (s, "\6");
    set_int (s, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    set_int (s, NN_IPC, NN_IPC_PEER_UID, (int) geteuid () + 1);
    bind_to (s, fresh_address ("ipc", address));
    int stranger = plain_connect (address);
    check (recv (stranger, &byte, 1, 0) == 0);
    check (expect_event (events, NN_EVENT_REFUSED).head.reason == NN_REASON_RULE);
    close (stranger);

    set_int (s, NN_IPC, NN_IPC_PEER_UID, (int) geteuid ());
    set_int (s, NN_IPC, NN_IPC_PEER_GID, (int) getegid () + 1);
    bind_to (s, fresh_address ("ipc", address));
    stranger = plain_connect (address);
    check (recv (stranger, &byte, 1, 0) == 0);
    check (expect_event (events, NN_EVENT_REFUSED).head.endpoint == 2);
    close (stranger);

    set_int (s, NN_IPC, NN_IPC_PEER_GID, (int) getegid ());
    bind_to (s, strict);
    connect_to (peer, strict);
    send_text (peer, "welcome");
    check (receive (s).credentials.uid == geteuid ());
    close_socket (peer);

    if (child) {
        set_int (s, NN_IPC, NN_IPC_PEER_UID, -1);
        set_int (s, NN_IPC, NN_IPC_PEER_GID, -1);
        bind_to (s, open);
        check (chmod (open + 6, 0777) == 0 && chmod (strict + 6, 0777) == 0 && chmod (".", 0755) == 0);
        check (write (go, "", 1) == 1);
        close (go);
        struct received received = receive (s);
        check (strcmp (received.text, "from another user") == 0);
        check (received.credentials.uid == 65534 && received.credentials.gid == 65534);
        check (received.credentials.pid == child);
        check (expect_event (events, NN_EVENT_REFUSED).head.endpoint == 3);
        join_process (child);
    }
    close_socket (s);
    close_socket (events);
}

int main (void)
{
    if (!only_ours ("it has none of these options")) {
        int s = open_socket (NN_PULL), one = 1;
        check_error (nn_setsockopt (s, NN_SOL_SOCKET, NN_PEER_INFO, &one, sizeof (one)), ENOPROTOOPT);
        check_error (nn_setsockopt (s, NN_IPC, NN_IPC_PEER_UID, &one, sizeof (one)), ENOPROTOOPT);
        close_socket (s);
        return 0;
    }
    users ();
    wrong_values ();
    each_transport (transport) {
        described (transport);
        disconnected (transport);
        shared (transport);
        replied (transport);
    }
    described ("ws");
    disconnected ("ws");
    sent_back ();
    exchanged ();
    networks ("tcp");
    networks ("ws");
    return 0;
}
