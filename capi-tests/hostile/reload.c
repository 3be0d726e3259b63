/*  Certificates that are renewed in traffic: NN_TLS_RELOAD is set hundreds of times while messages flow in both
    directions. Connections go on and lose nothing; each new one meets the certificate of that moment. */

#include "../lib/secure.h"
#include <nanomsg/reqrep.h>

/*  Two certificates, and for each the authority that has signed it. */
static const char *const servers[] = { "server", "other" };
static const char *const authorities[] = { "ca", "other-ca" };

static int is_over;

static long long count (int s, int number)
{
    return (long long) nn_get_statistic (s, number);
}

static void copy_certificate (const char *name, const char *to)
{
    char path[4096], content[8192], new_file[64];
    FILE *file = fopen (certificate (name, path, sizeof (path)), "r");
    check (file);
    size_t size = fread (content, 1, sizeof (content), file);
    fclose (file);
    snprintf (new_file, sizeof (new_file), "%s.new", to);
    file = fopen (new_file, "w");
    check (file && fwrite (content, 1, size, file) == size && fclose (file) == 0);
    check (rename (new_file, to) == 0);
}

/* ---- messages that flow over one connection -------------------------------------- */

/*  Sends numbers until all is over, and then the end. */
static void *send_numbers (void *argument)
{
    int s = *(int *) argument, number = 0;
    while (!__atomic_load_n (&is_over, __ATOMIC_SEQ_CST)) {
        check (nn_send (s, &number, sizeof (number), 0) == sizeof (number));
        number++;
    }
    send_text (s, "end");
    return NULL;
}

/*  Receives them: each comes once, and in order. The result is their number. */
static void *receive_numbers (void *argument)
{
    int s = *(int *) argument, expected = 0, number = 0, size;
    while ((size = nn_recv (s, &number, sizeof (number), 0)) == sizeof (number)) {
        if (number != expected)
            fail ("%d has come in place of %d", number, expected);
        expected++;
    }
    check (size == 3);
    return (void *) (intptr_t) expected;
}

/* ---- questions ------------------------------------------------------------------- */

/*  A client that never repeats a question, so that a lost one is noticed. */
static int open_asking (const char *authority)
{
    int s = open_patient (NN_REQ);
    set_int (s, NN_REQ, NN_REQ_RESEND_IVL, 3600000);
    set_certificate (s, NN_TLS_CA_FILE, authority);
    return s;
}

static void ask (int client)
{
    send_text (client, "question");
    expect_text (client, "answer");
}

static void *ask_on (void *argument)
{
    intptr_t questions = 0;
    for (; !__atomic_load_n (&is_over, __ATOMIC_SEQ_CST); questions++)
        ask (*(int *) argument);
    return (void *) questions;
}

/*  Answers until the socket is closed. The result is the number of answers. */
static void *answer_on (void *argument)
{
    int s = *(int *) argument;
    char text[16];
    intptr_t answers = 0;
    for (; nn_recv (s, text, sizeof (text), 0) == 8; answers++)
        send_text (s, "answer");
    check (nn_errno () == EBADF);
    return (void *) answers;
}

/* ---------------------------------------------------------------------------------- */

static intptr_t result_of (pthread_t thread)
{
    void *result;
    check (pthread_join (thread, &result) == 0);
    return (intptr_t) result;
}

static void renew (const char *transport, int reloads)
{
    char address[NN_SOCKADDR_MAX], question_address[NN_SOCKADDR_MAX];
    int near = open_patient (NN_PAIR), far = open_client (NN_PAIR);
    int server = open_patient (NN_REP), client = open_asking (authorities[0]);
    pthread_t senders[2], receivers[2], asking, answering;
    is_over = 0;
    copy_certificate (servers[0], "own.pem");
    set_tls (near, NN_TLS_CERT_FILE, "own.pem");
    set_tls (server, NN_TLS_CERT_FILE, "own.pem");
    set_int (server, NN_SOL_SOCKET, NN_RCVTIMEO, -1);
    int near_end = bind_to (near, fresh_address (transport, address));
    int server_end = bind_to (server, fresh_address (transport, question_address));
    connect_to (far, address);
    connect_to (client, question_address);
    check (pthread_create (&senders[0], NULL, send_numbers, &near) == 0);
    check (pthread_create (&senders[1], NULL, send_numbers, &far) == 0);
    check (pthread_create (&receivers[0], NULL, receive_numbers, &near) == 0);
    check (pthread_create (&receivers[1], NULL, receive_numbers, &far) == 0);
    check (pthread_create (&answering, NULL, answer_on, &server) == 0);
    ask (client);
    check (pthread_create (&asking, NULL, ask_on, &client) == 0);

    for (int i = 1; i <= reloads; i++) {
        copy_certificate (servers[i % 2], "own.pem");
        set_int (near, NN_TLS, NN_TLS_RELOAD, near_end);
        set_int (server, NN_TLS, NN_TLS_RELOAD, server_end);
        int old = open_asking (authorities[(i + 1) % 2]), new = open_asking (authorities[i % 2]);
        connect_to (old, question_address);
        connect_to (new, question_address);
        ask (new);
        wait_until (count (old, NN_STAT_CONNECT_ERRORS) > 0);
        check (count (old, NN_STAT_ESTABLISHED_CONNECTIONS) == 0);
        check (count (new, NN_STAT_ESTABLISHED_CONNECTIONS) == 1);
        close_socket (old);
        close_socket (new);
    }

    __atomic_store_n (&is_over, 1, __ATOMIC_SEQ_CST);
    intptr_t numbers = result_of (receivers[0]) + result_of (receivers[1]);
    result_of (senders[0]);
    result_of (senders[1]);
    intptr_t questions = result_of (asking);
    /*  They are still the first connections. */
    check (count (far, NN_STAT_ESTABLISHED_CONNECTIONS) == 1);
    check (count (client, NN_STAT_ESTABLISHED_CONNECTIONS) == 1);
    check (count (far, NN_STAT_BROKEN_CONNECTIONS) == 0);
    check (count (client, NN_STAT_BROKEN_CONNECTIONS) == 0);
    close_socket (server);
    /*  The first question, and one of each new client. */
    check (result_of (answering) == questions + 1 + reloads);
    close_socket (client);
    close_socket (near);
    close_socket (far);
    fprintf (stderr, "%s: %d times new certificates, %ld numbers and %ld questions meanwhile\n", transport, reloads,
        (long) numbers, (long) questions);
}

int main (void)
{
    if (!has_tls ())
        return 0;
    const char *given = getenv ("RELOADS");
    each_secure_transport (transport)
        renew (transport, given ? atoi (given) : 300);
    return 0;
}
