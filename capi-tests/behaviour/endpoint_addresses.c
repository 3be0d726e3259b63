/*  What libnanomsg does not have in addresses: ports that the system chooses, reading an address back, abstract
    names, other schemes, and options of connections. There each of them fails, and says so. */

#include "../lib/test.h"
#include <nanomsg/ext.h>
#include <nanomsg/inproc.h>
#include <nanomsg/ipc.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/tcp.h>
#include <netinet/tcp.h>

/*  What works on ours is refused by the C library. */
static void refused (void)
{
    static const struct { const char *address; int bind_error, connect_error; } addresses[] = {
        { "tcp://127.0.0.1:0", EINVAL, EINVAL }, { "ws://127.0.0.1:0", EINVAL, EINVAL },
        { "tcp://:5555", ENODEV, EINVAL }, { "ws://:5555", ENODEV, EINVAL },
        { "tcp4://127.0.0.1:5555", EPROTONOSUPPORT, EPROTONOSUPPORT },
        { "tcp6://[::1]:5555", EPROTONOSUPPORT, EPROTONOSUPPORT },
        { "abstract://x", EPROTONOSUPPORT, EPROTONOSUPPORT },
        { "unix://x", EPROTONOSUPPORT, EPROTONOSUPPORT },
    };
    static const struct { int level, option; } options[] = {
        { NN_SOL_SOCKET, NN_LAST_ENDPOINT }, { NN_SOL_SOCKET, NN_ENDPOINT_ADDRESS },
        { NN_TCP, NN_TCP_KEEPALIVE }, { NN_TCP, NN_TCP_KEEPALIVE_IDLE },
        { NN_TCP, NN_TCP_KEEPALIVE_INTVL }, { NN_TCP, NN_TCP_KEEPALIVE_CNT },
        { NN_TCP, NN_TCP_USER_TIMEOUT }, { NN_IPC, NN_IPC_PERMISSIONS },
    };
    int s = open_socket (NN_PAIR), value = 1;
    size_t size = sizeof (value);
    for (size_t i = 0; i < sizeof (addresses) / sizeof (addresses[0]); i++) {
        check_error (nn_bind (s, addresses[i].address), addresses[i].bind_error);
        check_error (nn_connect (s, addresses[i].address), addresses[i].connect_error);
    }
    for (size_t i = 0; i < sizeof (options) / sizeof (options[0]); i++) {
        check_error (nn_setsockopt (s, options[i].level, options[i].option, &value, size), ENOPROTOOPT);
        check_error (nn_getsockopt (s, options[i].level, options[i].option, &value, &size), ENOPROTOOPT);
    }
    close_socket (s);
}

/*  The address that the endpoint has. */
static const char *address_of (int s, int endpoint)
{
    static char text[NN_SOCKADDR_MAX];
    size_t size = sizeof (text);
    memcpy (text, &endpoint, sizeof (endpoint));
    if (nn_getsockopt (s, NN_SOL_SOCKET, NN_ENDPOINT_ADDRESS, text, &size) != 0)
        fail ("NN_ENDPOINT_ADDRESS: %s", error_name (nn_errno ()));
    check (size == strlen (text));
    return text;
}

static const char *last_address (int s)
{
    static char text[NN_SOCKADDR_MAX];
    size_t size = sizeof (text);
    if (nn_getsockopt (s, NN_SOL_SOCKET, NN_LAST_ENDPOINT, text, &size) != 0)
        fail ("NN_LAST_ENDPOINT: %s", error_name (nn_errno ()));
    check (size == strlen (text));
    return text;
}

/*  Sends a message from a socket that connects to the address to the receiver. */
static void carry (int receiver, const char *address)
{
    int sender = open_patient (NN_PUSH);
    set_int (sender, NN_SOL_SOCKET, NN_IPV4ONLY, 0);
    connect_to (sender, address);
    check (strcmp (last_address (sender), address) == 0);
    send_text (sender, address);
    expect_text (receiver, address);
    close_socket (sender);
}

/*  Each system has these schemes; a port that was 0 is another one afterwards. */
static void read_back (void)
{
    static const char *const chosen[] = { "tcp://127.0.0.1:0", "ws://127.0.0.1:0", "tcp4://127.0.0.1:00",
        "ws4://127.0.0.1:0", "tcp://lo:0" };
    static const char *const given[] = { "inproc://a name", "inproc://", "ipc://read-back.ipc",
        "unix://./read-back.unix", "abstract://capi%20%00%ff/name" };
    int s = open_patient (NN_PULL), ids[32], count = 0;
    char address[NN_SOCKADDR_MAX];
    check (strcmp (last_address (s), "") == 0);
    for (size_t i = 0; i < sizeof (chosen) / sizeof (chosen[0]); i++) {
        const char *colon = strrchr (chosen[i], ':') + 1;
        ids[count] = bind_to (s, chosen[i]);
        snprintf (address, sizeof (address), "%s", last_address (s));
        check (strncmp (address, chosen[i], (size_t) (colon - chosen[i])) == 0);
        check (atoi (address + (colon - chosen[i])) > 0);
        check (strcmp (address_of (s, ids[count]), address) == 0);
        count++;
        if (strncmp (chosen[i], "tcp://lo", 8) != 0)
            carry (s, address);
    }
    for (size_t i = 0; i < sizeof (given) / sizeof (given[0]); i++) {
        ids[count] = bind_to (s, given[i]);
        check (strcmp (address_of (s, ids[count]), given[i]) == 0);
        count++;
        carry (s, given[i]);
    }
    /*  The system chooses an abstract name. */
    bind_to (s, "abstract://");
    snprintf (address, sizeof (address), "%s", last_address (s));
    check (strlen (address) > strlen ("abstract://"));
    carry (s, address);
    check_error (nn_connect (s, "abstract://"), EINVAL);
    /*  Each endpoint keeps its address until it is shut down. */
    for (int i = 0; i < count; i++) {
        size_t size = sizeof (address);
        address_of (s, ids[i]);
        check (nn_shutdown (s, ids[i]) == 0);
        memcpy (address, &ids[i], sizeof (ids[i]));
        check_error (nn_getsockopt (s, 0, NN_ENDPOINT_ADDRESS, address, &size), EINVAL);
    }
    close_socket (s);
}

/*  Buffers of any size, ids of no endpoint, and options that cannot be set. */
static void bad_input (void)
{
    char text[NN_SOCKADDR_MAX] = "";
    int s = open_socket (NN_PULL), value = 1;
    int id = bind_to (s, "inproc://short");
    size_t size;
    for (size = 0; size < sizeof (int); size++)
        check_error (nn_getsockopt (s, 0, NN_ENDPOINT_ADDRESS, text, &(size_t) { size }), EINVAL);
    for (int wrong = -1; wrong < 1; wrong++) {
        memcpy (text, &wrong, sizeof (wrong));
        check_error (nn_getsockopt (s, 0, NN_ENDPOINT_ADDRESS, text, &(size_t) { sizeof (text) }), EINVAL);
    }
    size = sizeof (text);
    check_error (nn_getsockopt (s, 0, NN_ENDPOINT_ADDRESS, NULL, &size), EFAULT);
    check_error (nn_getsockopt (s, 0, NN_LAST_ENDPOINT, NULL, &size), EFAULT);
    check_error (nn_getsockopt (s, 0, NN_LAST_ENDPOINT, text, NULL), EFAULT);
    /*  The text is cut, and its whole length returned. */
    memset (text, 'x', sizeof (text));
    memcpy (text, &id, sizeof (id));
    size = 6;
    check (nn_getsockopt (s, 0, NN_ENDPOINT_ADDRESS, text, &size) == 0);
    check (size == strlen ("inproc://short") && strncmp (text, "inprocxx", 8) == 0);
    size = 0;
    check (nn_getsockopt (s, 0, NN_LAST_ENDPOINT, text, &size) == 0 && size == strlen ("inproc://short"));
    check_error (nn_setsockopt (s, 0, NN_LAST_ENDPOINT, &value, sizeof (value)), ENOPROTOOPT);
    check_error (nn_setsockopt (s, 0, NN_ENDPOINT_ADDRESS, &value, sizeof (value)), ENOPROTOOPT);
    close_socket (s);
    check_error (nn_getsockopt (s, 0, NN_LAST_ENDPOINT, text, &size), EBADF);
}

static void ranges (void)
{
    static const struct { int level, option, most; } options[] = {
        { NN_TCP, NN_TCP_KEEPALIVE, 1 }, { NN_TCP, NN_TCP_KEEPALIVE_IDLE, 32767 },
        { NN_TCP, NN_TCP_KEEPALIVE_INTVL, 32767 }, { NN_TCP, NN_TCP_KEEPALIVE_CNT, 127 },
        { NN_TCP, NN_TCP_USER_TIMEOUT, INT32_MAX }, { NN_IPC, NN_IPC_PERMISSIONS, 0777 },
    };
    int s = open_socket (NN_PAIR);
    long long wide = 1;
    for (size_t i = 0; i < sizeof (options) / sizeof (options[0]); i++) {
        int level = options[i].level, option = options[i].option, most = options[i].most;
        check (get_int (s, level, option) == 0);
        set_int (s, level, option, most);
        check (get_int (s, level, option) == most);
        int wrong[] = { -1, INT32_MIN, most == INT32_MAX ? -2 : most + 1 };
        for (int w = 0; w < 3; w++)
            check_error (nn_setsockopt (s, level, option, &wrong[w], sizeof (int)), EINVAL);
        check_error (nn_setsockopt (s, level, option, &wide, sizeof (wide)), EINVAL);
        check_error (nn_setsockopt (s, level, option, &wide, 3), EINVAL);
        check_error (nn_setsockopt (s, level, option, NULL, 4), EFAULT);
        check_error (nn_setsockopt (s, 0, option, &wrong[0], sizeof (int)), ENOPROTOOPT);
        check (get_int (s, level, option) == most);
    }
    close_socket (s);
}

/*  How many connections of this process have TCP options with these values. */
static int count_connections (int keepalive, int idle, int interval, int count, int user_timeout)
{
    int found = 0;
    for (int descriptor = 0; descriptor < 256; descriptor++) {
        static const int names[] = { TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT };
        int wanted[] = { idle, interval, count, user_timeout }, value, same;
        struct sockaddr_storage peer;
        socklen_t size = sizeof (peer);
        if (getpeername (descriptor, (struct sockaddr *) &peer, &size) != 0 || peer.ss_family != AF_INET)
            continue;
        size = sizeof (value);
        same = getsockopt (descriptor, SOL_SOCKET, SO_KEEPALIVE, &value, &size) == 0 && value == keepalive;
        for (int i = 0; i < 4; i++)
            same = same && getsockopt (descriptor, IPPROTO_TCP, names[i], &value, &size) == 0
                && (wanted[i] < 0 || value == wanted[i]);
        found += same;
    }
    return found;
}

/*  Both ends of tcp and ws have what their endpoints were made with, and no later value. */
static void keepalive (void)
{
    static const char *const addresses[] = { "tcp://127.0.0.1:0", "ws://127.0.0.1:0" };
    for (int i = 0; i < 2; i++) {
        int receiver = open_patient (NN_PULL), plain = open_patient (NN_PUSH), sender = open_patient (NN_PUSH);
        check (count_connections (0, -1, -1, -1, 0) == 0);
        set_int (receiver, NN_TCP, NN_TCP_KEEPALIVE, 1);
        set_int (receiver, NN_TCP, NN_TCP_KEEPALIVE_IDLE, 77);
        bind_to (receiver, addresses[i]);
        set_int (receiver, NN_TCP, NN_TCP_KEEPALIVE, 0);
        set_int (sender, NN_TCP, NN_TCP_KEEPALIVE, 1);
        set_int (sender, NN_TCP, NN_TCP_KEEPALIVE_IDLE, 5);
        set_int (sender, NN_TCP, NN_TCP_KEEPALIVE_INTVL, 6);
        set_int (sender, NN_TCP, NN_TCP_KEEPALIVE_CNT, 7);
        set_int (sender, NN_TCP, NN_TCP_USER_TIMEOUT, 8000);
        connect_to (sender, last_address (receiver));
        set_int (sender, NN_TCP, NN_TCP_USER_TIMEOUT, 0);
        /*  An idle time has no effect without probes. */
        set_int (plain, NN_TCP, NN_TCP_KEEPALIVE_IDLE, 5);
        connect_to (plain, last_address (receiver));
        send_text (sender, "one");
        expect_text (receiver, "one");
        send_text (plain, "other");
        expect_text (receiver, "other");
        check (count_connections (1, 77, -1, -1, 0) == 2);
        check (count_connections (1, 5, 6, 7, 8000) == 1);
        check (count_connections (0, -1, -1, -1, 0) == 1);
        close_socket (plain);
        close_socket (sender);
        close_socket (receiver);
    }
}

/*  IPv4 and IPv6 can have the same port, each with its own scheme. */
static void versions (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PULL), port = free_port ();
    check_error (nn_bind (s, "tcp4://[::1]:5555"), ENODEV);
    check_error (nn_connect (s, "tcp4://[::1]:5555"), EINVAL);
    check_error (nn_bind (s, "tcp6://127.0.0.1:5555"), ENODEV);
    check_error (nn_connect (s, "tcp6://127.0.0.1:5555"), EINVAL);
    check_error (nn_bind (s, "tcp5://127.0.0.1:5555"), EPROTONOSUPPORT);
    snprintf (address, sizeof (address), "tcp6://*:%d", port);
    if (nn_bind (s, address) < 0) {
        fprintf (stderr, "skipped: this machine has no IPv6\n");
        close_socket (s);
        return;
    }
    snprintf (address, sizeof (address), "tcp4://:%d", port);
    bind_to (s, address);
    snprintf (address, sizeof (address), "tcp6://[::1]:%d", port);
    carry (s, address);
    snprintf (address, sizeof (address), "tcp4://127.0.0.1:%d", port);
    carry (s, address);
    /*  The name has an address of IPv4 everywhere, but one of IPv6 only on some machines. */
    snprintf (address, sizeof (address), "tcp4://localhost:%d", port);
    carry (s, address);
    /*  With NN_IPV4ONLY, which is on here, tcp6 still works, and tcp does not. */
    snprintf (address, sizeof (address), "tcp://[::1]:%d", port);
    check_error (nn_connect (s, address), EINVAL);
    close_socket (s);
    s = open_patient (NN_PULL);
    snprintf (address, sizeof (address), "tcp://:%d", port);
    bind_to (s, address);
    snprintf (address, sizeof (address), "tcp://127.0.0.1:%d", port);
    carry (s, address);
    close_socket (s);
}

static unsigned mode_of (const char *path)
{
    struct stat status;
    if (stat (path, &status) != 0)
        fail ("%s: %s", path, strerror (errno));
    return status.st_mode & 07777;
}

/*  The mode of the file; without the option it is that of the umask. */
static void permissions (void)
{
    static const unsigned modes[] = { 0600, 0660, 0666, 0777, 0200 };
    mode_t before = umask (027);
    int s = open_patient (NN_PULL);
    bind_to (s, "ipc://mode.ipc");
    check (mode_of ("mode.ipc") == 0750);
    for (size_t i = 0; i < sizeof (modes) / sizeof (modes[0]); i++) {
        char address[64];
        snprintf (address, sizeof (address), "ipc://mode-%o.ipc", modes[i]);
        set_int (s, NN_IPC, NN_IPC_PERMISSIONS, (int) modes[i]);
        bind_to (s, address);
        check (mode_of (address + 6) == modes[i]);
        carry (s, address);
    }
    /*  There is no file. */
    bind_to (s, "abstract://capi-mode");
    umask (before);
    close_socket (s);
}

int main (void)
{
    if (on_reference ())
        refused ();
    if (only_ours ("it refuses each of these")) {
        read_back ();
        bad_input ();
        ranges ();
        keepalive ();
        versions ();
        permissions ();
    }
    say ("done");
    return 0;
}
