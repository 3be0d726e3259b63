/*  NN_PRINT_ERRORS: errors in the background are printed on stderr, once. */

#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

static long long count (int s, int number)
{
    return (long long) nn_get_statistic (s, number);
}

/*  A line with the port of a tcp address left out. */
static void say_line (const char *line)
{
    const char *port = strstr (line, "127.0.0.1:");
    if (!port) {
        say ("  %s", line);
        return;
    }
    port += strlen ("127.0.0.1:");
    say ("  %.*sPORT%s", (int) (port - line), line, port + strspn (port, "0123456789"));
}

/*  Runs `scenario` in a process of its own in which the variable has this value, and prints what
    it wrote on stderr. */
static void run (const char *what, const char *value, void (*scenario) (const char *),
    const char *transport)
{
    int ends[2];
    char line[512];
    say ("%s, %s", what, transport);
    check (pipe (ends) == 0);
    pid_t child = start_process ();
    if (child == 0) {
        if (value)
            setenv ("NN_PRINT_ERRORS", value, 1);
        else
            unsetenv ("NN_PRINT_ERRORS");
        dup2 (ends[1], STDERR_FILENO);
        close (ends[0]);
        close (ends[1]);
        scenario (transport);
        exit (0);
    }
    close (ends[1]);
    FILE *printed = fdopen (ends[0], "r");
    while (fgets (line, sizeof (line), printed)) {
        line[strcspn (line, "\n")] = 0;
        say_line (line);
    }
    fclose (printed);
    join_process (child);
}

/*  There is no peer, one comes and goes, and there is none again. */
static void comes_and_goes (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    if (strcmp (transport, "ipc") == 0)
        strcpy (address, "ipc://nobody");
    else
        fresh_address (transport, address);
    int s = open_patient (NN_PUSH), peer = open_patient (NN_PULL);
    check (nn_setsockopt (s, NN_SOL_SOCKET, NN_SOCKET_NAME, "upstream", 8) == 0);
    connect_to (s, address);
    wait_until (count (s, NN_STAT_CONNECT_ERRORS) >= 3);
    bind_to (peer, address);
    wait_writable (s);
    close_socket (peer);
    long long before = count (s, NN_STAT_CONNECT_ERRORS);
    wait_until (count (s, NN_STAT_CONNECT_ERRORS) >= before + 3);
    close_socket (s);
}

/*  The name and the address are printed as they were given. */
static void no_text (const char *transport)
{
    (void) transport;
    int s = open_patient (NN_PUSH);
    check (nn_setsockopt (s, NN_SOL_SOCKET, NN_SOCKET_NAME, "caf\xe9", 4) == 0);
    connect_to (s, "ipc://nob\xf6" "dy");
    wait_until (count (s, NN_STAT_CONNECT_ERRORS) >= 3);
    close_socket (s);
}

/*  An error that a call returns is not printed as well. */
static void refused_at_once (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_patient (NN_PUSH), other = open_patient (NN_PULL);
    bind_to (s, fresh_address (transport, address));
    check_error (nn_bind (other, address), EADDRINUSE);
    check_error (nn_connect (s, "tcp://127.0.0.1:port"), EINVAL);
    close_socket (s);
    close_socket (other);
}

/*  A listener has no descriptor to accept with. */
static void cannot_accept (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    struct sockaddr_storage storage;
    int s = open_patient (NN_PULL);
    bind_to (s, fresh_address (transport, address));
    socklen_t size = plain_address (address, &storage);
    int peer = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check (peer >= 0);
    rlim_t before = limit_descriptors ((rlim_t) next_descriptor ());
    check (connect (peer, (struct sockaddr *) &storage, size) == 0);
    wait_until (count (s, NN_STAT_CURRENT_EP_ERRORS) == 1);
    limit_descriptors (before);
    wait_until (count (s, NN_STAT_ACCEPTED_CONNECTIONS) == 1);
    check (count (s, NN_STAT_CURRENT_EP_ERRORS) == 0);
    close (peer);
    close_socket (s);
}

int main (void)
{
    static const char *const networks[] = { "ipc", "tcp", "ws" };
    for (int i = 0; i < 3; i++) {
        run ("unset", NULL, comes_and_goes, networks[i]);
        run ("empty", "", comes_and_goes, networks[i]);
        run ("set", "1", comes_and_goes, networks[i]);
        run ("set to 0", "0", comes_and_goes, networks[i]);
        run ("errors that a call answers", "1", refused_at_once, networks[i]);
    }
    run ("errors of a listener", "1", cannot_accept, "tcp");
    run ("a name and an address that are no text", "1", no_text, "ipc");
    return 0;
}
