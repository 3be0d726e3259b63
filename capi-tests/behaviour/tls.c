/*  The transports tls+tcp and wss, and the options of NN_TLS. The C library has neither. */

#include "../lib/secure.h"
#include <nanomsg/bus.h>
#include <nanomsg/ext.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

static long long count (int s, int number)
{
    return (long long) nn_get_statistic (s, number);
}

/* ---- options ---------------------------------------------------------------- */

static const int texts[] = { NN_TLS_CA, NN_TLS_CERT, NN_TLS_KEY, NN_TLS_CRL };
static const int files[] = { NN_TLS_CA_FILE, NN_TLS_CERT_FILE, NN_TLS_KEY_FILE, NN_TLS_CRL_FILE };

static void expect_option (int s, int option, const char *value)
{
    char buffer[4096];
    size_t size = sizeof (buffer);
    check (nn_getsockopt (s, NN_TLS, option, buffer, &size) == 0);
    check (size == strlen (value) && strcmp (buffer, value) == 0);
}

#define EMPTY(what) "-----BEGIN " what "-----\n-----END " what "-----\n"

static void bad_options (void)
{
    char path[4096];
    static const char *const empty[] = { EMPTY ("CERTIFICATE"), EMPTY ("CERTIFICATE"), EMPTY ("PRIVATE KEY"),
        EMPTY ("X509 CRL") };
    int s = open_socket (NN_PAIR), value = 0;
    size_t size = sizeof (value);
    for (int i = 0; i < 4; i++) {
        check_error (nn_setsockopt (s, NN_TLS, texts[i], "no PEM", 6), EINVAL);
        check_error (nn_setsockopt (s, NN_TLS, texts[i], empty[i], strlen (empty[i])), EINVAL);
        check_error (nn_setsockopt (s, NN_TLS, texts[i], NULL, 6), EFAULT);
        check (nn_setsockopt (s, NN_TLS, texts[i], "", 0) == 0);
        check_error (nn_setsockopt (s, NN_TLS, files[i], "missing.pem", 11), ENOENT);
        check_error (nn_setsockopt (s, NN_TLS, files[i], "/dev/null", 9), EINVAL);
        check_error (nn_setsockopt (s, NN_TLS, files[i], "/", 1), EISDIR);
        check (nn_setsockopt (s, NN_TLS, files[i], "", 0) == 0);
        expect_option (s, files[i], "");
    }
    /*  A FIFO without a writer is not waited for, an endless file is not read to its end. */
    check (mkfifo ("fifo", 0600) == 0);
    check_error (nn_setsockopt (s, NN_TLS, NN_TLS_CA_FILE, "fifo", 4), EINVAL);
    check_error (nn_setsockopt (s, NN_TLS, NN_TLS_CA_FILE, "/dev/zero", 9), EINVAL);

    static const struct { int option, least, most; } numbers[] = {
        { NN_TLS_AUTH, -1, 2 }, { NN_TLS_SYSTEM_ROOTS, 0, 1 },
        { NN_TLS_MIN_VERSION, NN_TLS_1_2, NN_TLS_1_3 },
        { NN_TLS_MAX_VERSION, NN_TLS_1_2, NN_TLS_1_3 },
    };
    for (int i = 0; i < 4; i++) {
        int option = numbers[i].option;
        for (int bad = 0; bad < 2; bad++) {
            value = bad ? numbers[i].most + 1 : numbers[i].least - 1;
            check_error (nn_setsockopt (s, NN_TLS, option, &value, sizeof (value)), EINVAL);
        }
        check_error (nn_setsockopt (s, NN_TLS, option, &value, 3), EINVAL);
        for (value = numbers[i].least; value <= numbers[i].most; value++) {
            set_int (s, NN_TLS, option, value);
            check (get_int (s, NN_TLS, option) == value);
        }
    }
    set_tls (s, NN_TLS_SERVER_NAME, "a.example");
    expect_option (s, NN_TLS_SERVER_NAME, "a.example");
    check_error (nn_setsockopt (s, NN_TLS, NN_TLS_SERVER_NAME, "a b", 3), EINVAL);
    expect_option (s, NN_TLS_SERVER_NAME, "a.example");
    /*  A value with its zero byte. */
    certificate ("ca", path, sizeof (path));
    check (nn_setsockopt (s, NN_TLS, NN_TLS_CA_FILE, path, strlen (path) + 1) == 0);
    expect_option (s, NN_TLS_CA_FILE, path);
    /*  Nothing may follow that zero byte. */
    size_t length = strlen (path);
    memcpy (path + length + 1, "x", 2);
    for (int i = 0; i < 4; i++)
        check_error (nn_setsockopt (s, NN_TLS, files[i], path, length + 2), EINVAL);
    check_error (nn_setsockopt (s, NN_TLS, NN_TLS_SERVER_NAME, "a.example\0b", 11), EINVAL);
    expect_option (s, NN_TLS_CA_FILE, path);
    expect_option (s, NN_TLS_SERVER_NAME, "a.example");

    /*  A key cannot be read. */
    check_error (nn_getsockopt (s, NN_TLS, NN_TLS_KEY, &value, &size), ENOPROTOOPT);
    check_error (nn_getsockopt (s, NN_TLS, NN_TLS_RELOAD, &value, &size), ENOPROTOOPT);
    check_error (nn_getsockopt (s, NN_TLS, 99, &value, &size), ENOPROTOOPT);
    check_error (nn_setsockopt (s, NN_TLS, 99, &value, sizeof (value)), ENOPROTOOPT);
    check_error (nn_setsockopt (s, NN_TLS, 0, &value, sizeof (value)), ENOPROTOOPT);
    value = 1;
    check_error (nn_setsockopt (s, NN_TLS, NN_TLS_RELOAD, &value, sizeof (value)), EINVAL);
    bind_to (s, "inproc://no-tls");
    check_error (nn_setsockopt (s, NN_TLS, NN_TLS_RELOAD, &value, sizeof (value)), EINVAL);
    close_socket (s);
    check_error (nn_setsockopt (s, NN_TLS, NN_TLS_AUTH, &value, sizeof (value)), EBADF);
}

static void bad_endpoints (void)
{
    char address[NN_SOCKADDR_MAX], path[4096];
    each_secure_transport (transport) {
        int s = open_patient (NN_PAIR);
        fresh_address (transport, address);
        /*  No certificate to bind with, and none to verify by. */
        check_error (nn_bind (s, address), EINVAL);
        check_error (nn_connect (s, address), EINVAL);
        set_certificate (s, NN_TLS_CERT_FILE, "server");
        set_certificate (s, NN_TLS_KEY_FILE, "client");
        check_error (nn_bind (s, address), EINVAL);
        set_certificate (s, NN_TLS_CERT_FILE, "version-1");
        set_certificate (s, NN_TLS_KEY_FILE, "version-1");
        check_error (nn_bind (s, address), EINVAL);
        set_certificate (s, NN_TLS_CERT_FILE, "server");
        set_tls (s, NN_TLS_KEY_FILE, "");
        set_int (s, NN_TLS, NN_TLS_MIN_VERSION, NN_TLS_1_3);
        set_int (s, NN_TLS, NN_TLS_MAX_VERSION, NN_TLS_1_2);
        check_error (nn_bind (s, address), EINVAL);
        set_int (s, NN_TLS, NN_TLS_MIN_VERSION, NN_TLS_1_2);
        bind_to (s, address);
        /*  A file that has gone since it was set. */
        certificate ("ca", path, sizeof (path));
        unlink ("gone.pem");
        check (symlink (path, "gone.pem") == 0);
        set_tls (s, NN_TLS_CA_FILE, "gone.pem");
        unlink ("gone.pem");
        check_error (nn_connect (s, address), ENOENT);
        close_socket (s);
    }
    int s = open_client (NN_PAIR);
    check_error (nn_connect (s, "tls+tcp://127.0.0.1"), EINVAL);
    check_error (nn_connect (s, "tls+tcp://*:5555"), EINVAL);
    check_error (nn_connect (s, "wss://a b"), EINVAL);
    close_socket (s);
}

/* ---- messages ---------------------------------------------------------------- */

static void fill (unsigned char *body, int size, int seed)
{
    for (int i = 0; i < size; i++)
        body[i] = (unsigned char) (i * 7 + seed);
}

/*  Messages of all sizes, one at a time and in bursts, with each way to wait for them. */
static void sizes (const char *transport, int version)
{
    static const int all[] = { 0, 1, 100, 16383, 16384, 16385, 100000, 1 << 20 };
    static unsigned char sent[1 << 20], got[1 << 20];
    char address[NN_SOCKADDR_MAX];
    int server = open_server (NN_PAIR), client = open_client (NN_PAIR);
    set_int (client, NN_TLS, NN_TLS_MAX_VERSION, version);
    bind_to (server, fresh_address (transport, address));
    connect_to (client, address);
    wait_writable (client);
    wait_writable (server);
    for (int round = 0; round < 2; round++) {
        int from = round ? server : client, to = round ? client : server;
        for (int i = 0; i < (int) (sizeof (all) / sizeof (*all)); i++) {
            fill (sent, all[i], i);
            check (nn_send (from, sent, all[i], 0) == all[i]);
            if (i % 3 == 0)
                wait_readable (to);
            else if (i % 3 == 1) {
                struct nn_pollfd item = { to, NN_POLLIN, 0 };
                check (nn_poll (&item, 1, LIMIT_MS) == 1);
            }
            check (nn_recv (to, got, sizeof (got), 0) == all[i]);
            check (memcmp (sent, got, (size_t) all[i]) == 0);
        }
    }
    close_socket (client);
    close_socket (server);
}

static void *push_numbers (void *argument)
{
    int s = *(int *) argument;
    for (int number = 0; number < 20000; number++)
        check (nn_send (s, &number, sizeof (number), 0) == sizeof (number));
    return NULL;
}

/*  A burst that fills every buffer on the way. Its receiver blocks, waits for the descriptor before
    each call, or polls. */
static void bursts (const char *transport, int way)
{
    char address[NN_SOCKADDR_MAX];
    pthread_t thread;
    int pull = open_server (NN_PULL), push = open_client (NN_PUSH);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    check (pthread_create (&thread, NULL, push_numbers, &push) == 0);
    for (int number = 0; number < 20000; number++) {
        int got = -1;
        struct nn_pollfd item = { pull, NN_POLLIN, 0 };
        if (way == 1)
            wait_readable (pull);
        else if (way == 2)
            check (nn_poll (&item, 1, LIMIT_MS) == 1);
        check (nn_recv (pull, &got, sizeof (got), way ? NN_DONTWAIT : 0) == sizeof (got));
        check (got == number);
    }
    check (pthread_join (thread, NULL) == 0);
    close_socket (push);
    close_socket (pull);
}

static void patterns (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int server = open_server (NN_REP), client = open_client (NN_REQ);
    bind_to (server, fresh_address (transport, address));
    connect_to (client, address);
    for (int i = 0; i < 100; i++) {
        send_text (client, "question");
        expect_text (server, "question");
        send_text (server, "answer");
        expect_text (client, "answer");
    }
    close_socket (client);
    close_socket (server);

    server = open_server (NN_PUB), client = open_client (NN_SUB);
    check (nn_setsockopt (client, NN_SUB, NN_SUB_SUBSCRIBE, "topic", 5) == 0);
    bind_to (server, fresh_address (transport, address));
    connect_to (client, address);
    synchronise (server, client, "topic");
    close_socket (client);
    close_socket (server);

    server = open_server (NN_RESPONDENT), client = open_client (NN_SURVEYOR);
    bind_to (server, fresh_address (transport, address));
    connect_to (client, address);
    wait_until (count (client, NN_STAT_CURRENT_CONNECTIONS) == 1);
    send_text (client, "who");
    expect_text (server, "who");
    send_text (server, "me");
    expect_text (client, "me");
    close_socket (client);
    close_socket (server);

    server = open_server (NN_BUS), client = open_client (NN_BUS);
    bind_to (server, fresh_address (transport, address));
    connect_to (client, address);
    wait_until (count (client, NN_STAT_CURRENT_CONNECTIONS) == 1
        && count (server, NN_STAT_CURRENT_CONNECTIONS) == 1);
    send_text (client, "up");
    expect_text (server, "up");
    send_text (server, "down");
    expect_text (client, "down");
    close_socket (client);
    close_socket (server);
}

static void *forward (void *argument)
{
    int *sockets = argument;
    check_error (nn_device (sockets[0], sockets[1]), EBADF);
    return NULL;
}

/*  A device between TLS and a transport without. */
static void device (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    pthread_t thread;
    int sockets[2] = { nn_socket (AF_SP_RAW, NN_REP), nn_socket (AF_SP_RAW, NN_REQ) };
    check (sockets[0] >= 0 && sockets[1] >= 0);
    set_certificate (sockets[0], NN_TLS_CERT_FILE, "server");
    bind_to (sockets[0], fresh_address (transport, address));
    bind_to (sockets[1], "inproc://behind");
    check (pthread_create (&thread, NULL, forward, sockets) == 0);
    int server = open_patient (NN_REP), client = open_client (NN_REQ);
    connect_to (server, "inproc://behind");
    connect_to (client, address);
    for (int i = 0; i < 100; i++) {
        send_text (client, "question");
        expect_text (server, "question");
        send_text (server, "answer");
        expect_text (client, "answer");
    }
    close_socket (sockets[0]);
    check (pthread_join (thread, NULL) == 0);
    close_socket (sockets[1]);
    close_socket (server);
    close_socket (client);
}

/*  What was sent before a close arrives. */
static void linger (const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[32];
    int pull = open_server (NN_PULL), push = open_client (NN_PUSH);
    set_int (push, NN_SOL_SOCKET, NN_LINGER, LIMIT_MS);
    bind_to (pull, fresh_address (transport, address));
    connect_to (push, address);
    for (int i = 0; i < 1000; i++) {
        snprintf (text, sizeof (text), "%d", i);
        send_text (push, text);
    }
    close_socket (push);
    for (int i = 0; i < 1000; i++) {
        snprintf (text, sizeof (text), "%d", i);
        expect_text (pull, text);
    }
    close_socket (pull);
}

/* ---- certificates --------------------------------------------------------------- */

/*  Receives a message whose control data tell what the certificate of its peer says. */
static void expect_known (int s, const char *text)
{
    char control[4096], body[16];
    struct nn_iovec piece = { body, sizeof (body) };
    struct nn_msghdr message = { &piece, 1, control, sizeof (control) };
    check (nn_recvmsg (s, &message, 0) == (int) strlen (text));
    check (memcmp (body, text, strlen (text)) == 0);
    struct nn_cmsghdr *cmsg = NN_CMSG_FIRSTHDR (&message);
    while (cmsg && !(cmsg->cmsg_level == NN_SOL_SOCKET && cmsg->cmsg_type == NN_CMSG_TLS_PEER))
        cmsg = NN_CMSG_NXTHDR (&message, cmsg);
    check (cmsg != NULL);
    const char *peer = (const char *) NN_CMSG_DATA (cmsg);
    check (cmsg->cmsg_len == NN_CMSG_SPACE (strlen (peer) + 1));
    check (strncmp (peer, "verified=1\nversion=1.3\nsubject=CN=", 34) == 0);
    check (strlen (strstr (peer, "\nsha256=")) == strlen ("\nsha256=") + 64);
}

/*  A client certificate is asked for. */
static void both_sides (void)
{
    char address[NN_SOCKADDR_MAX];
    int server = open_server (NN_PULL), client = open_client (NN_PUSH);
    set_certificate (server, NN_TLS_CA_FILE, "ca");
    set_int (server, NN_TLS, NN_TLS_AUTH, NN_TLS_AUTH_REQUIRED);
    bind_to (server, fresh_address ("tls+tcp", address));
    connect_to (client, address);
    wait_until (count (server, NN_STAT_ACCEPT_ERRORS) > 0);
    wait_until (count (client, NN_STAT_CONNECT_ERRORS) > 0);
    check (count (server, NN_STAT_ACCEPTED_CONNECTIONS) == 0);
    check (count (client, NN_STAT_ESTABLISHED_CONNECTIONS) == 0);
    check (count (client, NN_STAT_BROKEN_CONNECTIONS) == 0);
    /*  An endpoint has the options as they were when it was added; the next one has others. */
    set_certificate (client, NN_TLS_CERT_FILE, "client");
    connect_to (client, address);
    set_int (server, NN_SOL_SOCKET, NN_PEER_INFO, 1);
    send_text (client, "known");
    expect_known (server, "known");
    check (count (server, NN_STAT_ACCEPTED_CONNECTIONS) == 1);
    close_socket (client);
    close_socket (server);
}

static void copy (const char *name, const char *to)
{
    char path[4096], content[8192];
    FILE *file = fopen (certificate (name, path, sizeof (path)), "r");
    check (file);
    size_t size = fread (content, 1, sizeof (content), file);
    fclose (file);
    file = fopen (to, "w");
    check (file && fwrite (content, 1, size, file) == size && fclose (file) == 0);
}

/*  New connections use what the files have now, once the endpoint is told so. */
static void reload (void)
{
    char address[NN_SOCKADDR_MAX];
    int server = open_patient (NN_BUS), first = open_client (NN_BUS);
    copy ("server", "own.pem");
    set_tls (server, NN_TLS_CERT_FILE, "own.pem");
    int id = bind_to (server, fresh_address ("tls+tcp", address));
    connect_to (first, address);
    wait_until (count (server, NN_STAT_CURRENT_CONNECTIONS) == 1);

    copy ("other", "own.pem");
    int second = open_patient (NN_BUS);
    set_certificate (second, NN_TLS_CA_FILE, "other-ca");
    connect_to (second, address);
    wait_until (count (second, NN_STAT_CONNECT_ERRORS) > 0);
    set_int (server, NN_TLS, NN_TLS_RELOAD, id);
    wait_until (count (server, NN_STAT_CURRENT_CONNECTIONS) == 2);
    /*  The first connection goes on, but is not made again: neither is its session resumed. */
    send_text (server, "still here");
    expect_text (first, "still here");
    expect_text (second, "still here");
    int third = open_client (NN_BUS);
    connect_to (third, address);
    wait_until (count (third, NN_STAT_CONNECT_ERRORS) > 0);

    /*  Bad files change nothing. */
    check (truncate ("own.pem", 10) == 0);
    check_error (nn_setsockopt (server, NN_TLS, NN_TLS_RELOAD, &id, sizeof (id)), EINVAL);
    unlink ("own.pem");
    check_error (nn_setsockopt (server, NN_TLS, NN_TLS_RELOAD, &id, sizeof (id)), ENOENT);
    close_socket (second);
    second = open_patient (NN_BUS);
    set_certificate (second, NN_TLS_CA_FILE, "other-ca");
    connect_to (second, address);
    wait_until (count (second, NN_STAT_CURRENT_CONNECTIONS) == 1);
    close_socket (first);
    close_socket (second);
    close_socket (third);
    close_socket (server);
}

/*  A program that knows nothing of TLS but its addresses. */
static void environment (void)
{
    char address[NN_SOCKADDR_MAX], path[4096];
    setenv ("NN_TLS_CERT_FILE", certificate ("wrong-name", path, sizeof (path)), 1);
    setenv ("NN_TLS_CA_FILE", certificate ("ca", path, sizeof (path)), 1);
    setenv ("NN_TLS_SERVER_NAME", "elsewhere", 1);
    int server = open_patient (NN_PULL), client = open_patient (NN_PUSH);
    unsetenv ("NN_TLS_CERT_FILE");
    unsetenv ("NN_TLS_CA_FILE");
    unsetenv ("NN_TLS_SERVER_NAME");
    expect_option (client, NN_TLS_CA_FILE, "");
    bind_to (server, fresh_address ("tls+tcp", address));
    connect_to (client, address);
    send_text (client, "from the environment");
    expect_text (server, "from the environment");
    /*  The program's own settings come first. */
    set_certificate (client, NN_TLS_CA_FILE, "other-ca");
    connect_to (client, address);
    wait_until (count (client, NN_STAT_CONNECT_ERRORS) > 0);
    /*  It was read when the sockets were opened. */
    int late = open_patient (NN_PUSH);
    check_error (nn_connect (late, address), EINVAL);
    close_socket (late);
    close_socket (client);
    close_socket (server);
}

/*  Reasons are printed. */
static void reasons (void)
{
    char address[NN_SOCKADDR_MAX], printed[4096];
    int ends[2], length = 0, got;
    check (pipe (ends) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        setenv ("NN_PRINT_ERRORS", "1", 1);
        dup2 (ends[1], STDERR_FILENO);
        close (ends[0]);
        close (ends[1]);
        int server = open_server (NN_PULL), client = open_patient (NN_PUSH);
        set_certificate (client, NN_TLS_CA_FILE, "other-ca");
        bind_to (server, fresh_address ("tls+tcp", address));
        connect_to (client, address);
        wait_until (count (client, NN_STAT_CONNECT_ERRORS) > 0
            && count (server, NN_STAT_ACCEPT_ERRORS) > 0);
        set_certificate (server, NN_TLS_CERT_FILE, "version-1");
        check_error (nn_bind (server, address), EINVAL);
        check_error (nn_setsockopt (server, NN_TLS, NN_TLS_CA, "no PEM", 6), EINVAL);
        close_socket (client);
        close_socket (server);
        /*  Without a check for leaks: the parent's threads are not here, but their memory is. */
        _exit (0);
    }
    close (ends[1]);
    while ((got = (int) read (ends[0], printed + length, sizeof (printed) - 1 - (size_t) length)) > 0)
        length += got;
    printed[length] = 0;
    close (ends[0]);
    join_process (child);
    static const char *const words[] = { "UnknownIssuer", "alert", "openssl x509 -req -extfile",
        "no certificate in PEM form" };
    for (int i = 0; i < 4; i++)
        if (!strstr (printed, words[i]))
            fail ("\"%s\" is not in what was printed:\n%s", words[i], printed);
}

int main (void)
{
    if (!only_ours ("it has no TLS") || !has_tls ())
        return 0;
    /*  First, since it forks: what the library's threads have would be lost in the child. */
    reasons ();
    bad_options ();
    bad_endpoints ();
    each_secure_transport (transport) {
        sizes (transport, NN_TLS_1_2);
        sizes (transport, NN_TLS_1_3);
        for (int way = 0; way < 3; way++)
            bursts (transport, way);
        patterns (transport);
        device (transport);
        linger (transport);
    }
    both_sides ();
    reload ();
    environment ();
    return 0;
}
