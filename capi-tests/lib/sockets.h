/*  Addresses that no other test uses, and sockets with helpers for tests: calls that fail the
    test with a reason, and waiting for a socket's events. Included by test.h. */

#ifndef CAPI_SOCKETS_H
#define CAPI_SOCKETS_H

#include <nanomsg/pair.h>
#include <nanomsg/survey.h>

/* ---- addresses ------------------------------------------------------------ */

/*  A free port, below the range from which the kernel serves outgoing connections: so the kernel
    does not give it to another program, and a connection attempt cannot connect to itself. The
    runner gives each program a range of its own through NN_TEST_PORT; without it the process id
    picks one. */
static inline int free_port (void)
{
    static int next = 0;
    const char *given = getenv ("NN_TEST_PORT");
    int one = 1;
    if (!next)
        next = given ? atoi (given) : 10000 + (int) (getpid () % 1300) * 16;
    for (int attempt = 0; attempt < 500; attempt++) {
        struct sockaddr_in address;
        memset (&address, 0, sizeof (address));
        address.sin_family = AF_INET;
        address.sin_port = htons ((uint16_t) next);
        address.sin_addr.s_addr = htonl (INADDR_ANY);
        int descriptor = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
            fail ("socket: %s", strerror (errno));
        setsockopt (descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof (one));
        int free = bind (descriptor, (struct sockaddr *) &address,
            sizeof (address)) == 0;
        close (descriptor);
        next++;
        if (free)
            return next - 1;
    }
    fail ("no free port");
}

/*  An address of the transport that no other test uses: "ipc" (a file in the working folder), "inproc", or one
    with ports. The caller's buffer holds NN_SOCKADDR_MAX. */
static inline const char *fresh_address (const char *transport, char *buffer)
{
    static int count = 0;
    count++;
    if (strcmp (transport, "ipc") != 0 && strcmp (transport, "inproc") != 0)
        snprintf (buffer, NN_SOCKADDR_MAX, "%s://127.0.0.1:%d", transport, free_port ());
    else
        snprintf (buffer, NN_SOCKADDR_MAX, "%s://test-%d-%d", transport,
            (int) getpid (), count);
    return buffer;
}

/*  The transports of the tests that hold for all of them. The runner may name another one: then they
    are run for that one alone. */
static inline const char *nth_transport (int index)
{
    static const char *const transports[] = { "inproc", "ipc", "tcp" };
    const char *only = getenv ("NN_TEST_TRANSPORT");
    if (only)
        return index == 0 ? only : NULL;
    return index < 3 ? transports[index] : NULL;
}

#define each_transport(t)                                                      \
    for (int index_ = 0; nth_transport (index_); index_++)                     \
        for (const char *t = nth_transport (index_); t; t = NULL)

/* ---- sockets -------------------------------------------------------------- */

static inline int open_socket (int protocol)
{
    int s = nn_socket (AF_SP, protocol);
    if (s < 0)
        fail ("nn_socket: %s", error_name (nn_errno ()));
    return s;
}

static inline void set_int (int s, int level, int option, int value)
{
    if (nn_setsockopt (s, level, option, &value, sizeof (value)) != 0)
        fail ("nn_setsockopt of %d at level %d to %d: %s", option, level, value,
            error_name (nn_errno ()));
}

static inline int get_int (int s, int level, int option)
{
    int value = 0;
    size_t size = sizeof (value);
    if (nn_getsockopt (s, level, option, &value, &size) != 0)
        fail ("nn_getsockopt of %d at level %d: %s", option, level,
            error_name (nn_errno ()));
    return value;
}

/*  Opens a socket whose calls and surveys give up at the limit and whose connections come
    back quickly, so that a failing test ends with a reason. */
static inline int open_patient (int protocol)
{
    int s = open_socket (protocol);
    set_int (s, NN_SOL_SOCKET, NN_SNDTIMEO, LIMIT_MS);
    set_int (s, NN_SOL_SOCKET, NN_RCVTIMEO, LIMIT_MS);
    set_int (s, NN_SOL_SOCKET, NN_RECONNECT_IVL, 10);
    if (protocol == NN_SURVEYOR)
        set_int (s, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, LIMIT_MS);
    return s;
}

static inline int bind_to (int s, const char *address)
{
    int id = nn_bind (s, address);
    if (id < 0)
        fail ("nn_bind to %s: %s", address, error_name (nn_errno ()));
    return id;
}

static inline int connect_to (int s, const char *address)
{
    int id = nn_connect (s, address);
    if (id < 0)
        fail ("nn_connect to %s: %s", address, error_name (nn_errno ()));
    return id;
}

/*  Binds; waits while an endpoint that is being closed still holds the address. */
static inline int bind_when_free (int s, const char *address)
{
    int id = -1;
    wait_until ((id = nn_bind (s, address)) >= 0 || nn_errno () != EADDRINUSE);
    if (id < 0)
        fail ("nn_bind to %s: %s", address, error_name (nn_errno ()));
    return id;
}

static inline void close_socket (int s)
{
    if (nn_close (s) != 0)
        fail ("nn_close: %s", error_name (nn_errno ()));
}

/*  Binds one socket to an address, connects another, and prints the results. */
static inline void try_both (const char *what, const char *address)
{
    int s = open_socket (NN_PAIR);
    errno = 0;
    int bound = nn_bind (s, address);
    int bind_error = nn_errno ();
    close_socket (s);
    s = open_socket (NN_PAIR);
    errno = 0;
    int connected = nn_connect (s, address);
    int connect_error = nn_errno ();
    close_socket (s);
    say ("%s: bind %s, connect %s", what, bound == 1 ? "works" : error_name (bind_error),
        connected == 1 ? "works" : error_name (connect_error));
}

/*  The same for `format`, which may hold one %d for a free port. */
static inline void try_port (const char *format)
{
    char address[NN_SOCKADDR_MAX];
    snprintf (address, sizeof (address), format, free_port ());
    try_both (format, address);
}

#define send_text(s, text) send_text_at (__FILE__, __LINE__, s, text)
static inline void send_text_at (const char *file, int line, int s, const char *text)
{
    int sent = nn_send (s, text, strlen (text), 0);
    if (sent != (int) strlen (text))
        fail_at (file, line, "nn_send of \"%s\": %d, %s", text, sent,
            error_name (nn_errno ()));
}

/*  Receives one short message as text, valid until the next call. */
#define receive_text(s) receive_text_at (__FILE__, __LINE__, s, 0)
#define receive_text_now(s) receive_text_at (__FILE__, __LINE__, s, NN_DONTWAIT)
static inline const char *receive_text_at (const char *file, int line, int s,
    int flags)
{
    static __thread char text[512];
    int size = nn_recv (s, text, sizeof (text) - 1, flags);
    if (size < 0 && flags == 0)
        fail_at (file, line, "nn_recv: %s", error_name (nn_errno ()));
    if (size < 0)
        return error_name (nn_errno ());
    /*  A text that was longer than the buffer is cut. */
    text[size < (int) sizeof (text) ? size : (int) sizeof (text) - 1] = 0;
    return text;
}

/*  Fails unless the next message is `text`. */
#define expect_text(s, text)                                                   \
    do {                                                                       \
        const char *got_ = receive_text (s);                                   \
        if (strcmp (got_, text) != 0)                                          \
            fail ("received \"%s\" instead of \"%s\"", got_, text);            \
    } while (0)

/*  The descriptor behind NN_SNDFD or NN_RCVFD. */
static inline int descriptor_of (int s, int option)
{
    return get_int (s, NN_SOL_SOCKET, option);
}

/*  Whether poll(2) finds a descriptor readable within `timeout` milliseconds. */
static inline int is_readable (int descriptor, int timeout)
{
    struct pollfd item = { descriptor, POLLIN, 0 };
    int count;
    do
        count = poll (&item, 1, timeout);
    while (count < 0 && errno == EINTR);
    return count == 1 && (item.revents & POLLIN) != 0;
}

static inline void wait_readable (int s)
{
    if (!is_readable (descriptor_of (s, NN_RCVFD), LIMIT_MS))
        fail ("socket %d did not become readable", s);
}

static inline void wait_writable (int s)
{
    if (!is_readable (descriptor_of (s, NN_SNDFD), LIMIT_MS))
        fail ("socket %d did not become writable", s);
}

/*  Publishes numbers until the subscriber has received the last of them: then the two are
    connected and nothing is in flight. Any of the numbers may be lost, also after the first was
    received; each is waited for longer than the one before. The subscriber must be subscribed
    to `topic`. */
static inline void synchronise (int publisher, int subscriber, const char *topic)
{
    char text[256];
    int64_t end = now_ms () + LIMIT_MS;
    struct nn_pollfd item = { subscriber, NN_POLLIN, 0 };
    for (int number = 0, patience = 10; now_ms () < end; number++, patience *= 2) {
        snprintf (text, sizeof (text), "%s-synchronise %d", topic, number);
        send_text (publisher, text);
        while (nn_poll (&item, 1, patience) == 1)
            if (strcmp (receive_text (subscriber), text) == 0)
                return;
    }
    fail ("the subscriber hears nothing");
}

#endif
