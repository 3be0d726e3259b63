/*  NN_MONITOR in the environment: the process reports its sockets at an address of ipc. The C
    library does not read it. */

#include "../lib/rings.h"
#include <nanomsg/pipeline.h>
#include <nanomsg/reqrep.h>

#define ADDRESS "ipc://report"
#define FILE_NAME "report"

/*  Opens a REQ socket, which is connected to the report. */
static int viewer (const char *address)
{
    int s = open_patient (NN_REQ);
    connect_to (s, address);
    return s;
}

/*  Asks for a report. The result is valid until the next call. */
static const char *report (int viewer)
{
    static char text[1 << 20];
    send_text (viewer, "");
    int size = nn_recv (viewer, text, sizeof (text) - 1, 0);
    check (size > 0 && size < (int) sizeof (text));
    text[size] = 0;
    check (strncmp (text, "{\"version\":1,\"pid\":", 19) == 0);
    check (text[size - 1] == '}');
    return text;
}

static int has (const char *text, const char *part)
{
    return strstr (text, part) != NULL;
}

static int file_exists (const char *name)
{
    struct stat file;
    return lstat (name, &file) == 0;
}

/*  Sockets are reported from when they are opened until they are closed; then nothing is left. */
static void served (void)
{
    char address[NN_SOCKADDR_MAX], part[NN_SOCKADDR_MAX + 64];
    struct stat file;
    int threads = count_threads (), descriptors = count_descriptors ();
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL), s = viewer (ADDRESS);
    check (stat (FILE_NAME, &file) == 0 && (file.st_mode & 0777) == 0600);
    check (nn_setsockopt (pull, NN_SOL_SOCKET, NN_SOCKET_NAME, "in\"\\\x01", 5) == 0);
    bind_to (pull, fresh_address ("tcp", address));
    connect_to (push, address);
    send_text (push, "hello");
    expect_text (pull, "hello");

    const char *text = report (s);
    snprintf (part, sizeof (part), "\"pid\":%d,", (int) getpid ());
    check (has (text, part));
    snprintf (part, sizeof (part), "{\"socket\":%d,\"protocol\":\"push\",\"raw\":false,", push);
    check (has (text, part));
    snprintf (part, sizeof (part), "\"address\":\"%s\",\"bound\":true,\"state\":\"listening\"",
        address);
    check (has (text, part));
    snprintf (part, sizeof (part), "\"address\":\"%s\",\"bound\":false,\"state\":\"connected\"",
        address);
    check (has (text, part));
    check (has (text, "\"name\":\"in\\\"\\\\\\\\\\\\x01\""));
    check (has (text, "\"messages_received\":1,\"bytes_sent\":0,\"bytes_received\":5,"));
    check (count_threads () <= threads + 1);
    close_socket (push);
    check (!has (report (s), "\"protocol\":\"push\""));
    close_socket (s);
    check (file_exists (FILE_NAME));
    close_socket (pull);
    check (!file_exists (FILE_NAME));
    wait_until (count_threads () == threads);
    check (count_descriptors () == descriptors);
}

/*  More sockets than are reported in one step. */
static void many (void)
{
    int sockets[300];
    for (int i = 0; i < 300; i++)
        sockets[i] = open_patient (NN_PULL);
    int count = 0, s = viewer (ADDRESS);
    for (const char *text = report (s); (text = strstr (text, "\"protocol\":\"pull\"")); text++)
        count++;
    check (count == 300);
    for (int i = 0; i < 300; i++)
        close_socket (sockets[i]);
    close_socket (s);
}

/*  Peers that ask without end and never read, that send what is no request, or that are too many
    take nothing from the others. */
static void bad_viewers (void)
{
    char request[4] = { (char) 0x80, 0, 0, 1 }, huge[2000] = { 0 };
    int listener = open_patient (NN_PULL), s = viewer (ADDRESS), greedy[40];
    for (int i = 0; i < 3; i++) {
        int peer = greedy[i] = plain_peer (ADDRESS, NN_REQ);
        fcntl (peer, F_SETFL, O_NONBLOCK);
        check (plain_message (peer, ADDRESS, "no", 2) == 0);
        for (int count = 0; count < 5000; count++)
            if (plain_message (peer, ADDRESS, request, sizeof (request)) != 0)
                break;
    }
    check (has (report (s), "\"protocol\":\"pull\""));
    int oversized = plain_peer (ADDRESS, NN_REQ), wrong = plain_peer (ADDRESS, NN_PUSH);
    plain_message (oversized, ADDRESS, huge, sizeof (huge));
    expect_cut (oversized);
    expect_cut (wrong);
    check (has (report (s), "\"protocol\":\"pull\""));
    for (int i = 3; i < 40; i++) {
        greedy[i] = plain_connect (ADDRESS);
        plain_header (greedy[i], NN_REQ); /* may be refused already */
    }
    check (has (report (s), "\"protocol\":\"pull\""));
    for (int i = 0; i < 40; i++)
        close (greedy[i]);
    close_socket (s);
    close_socket (listener);
}

/*  nn_term ends it, too. */
static void terminated (void)
{
    check (open_patient (NN_PULL) >= 0 && viewer (ADDRESS) >= 0);
    check (file_exists (FILE_NAME));
    nn_term ();
    check (!file_exists (FILE_NAME));
}

/*  A child that is forked has a report of its own if the address has its process id. */
static void forked (void)
{
    char name[64], address[128];
    int s = open_patient (NN_PULL);
    snprintf (name, sizeof (name), "report-%d", (int) getpid ());
    check (file_exists (name));
    pid_t child = start_process ();
    if (child == 0) {
        int own = open_patient (NN_PUSH);
        snprintf (address, sizeof (address), "ipc://report-%d", (int) getpid ());
        int asking = viewer (address);
        const char *text = report (asking);
        check (has (text, "\"push\"") && !has (text, "\"pull\""));
        close_socket (own);
        close_socket (asking);
        check (!file_exists (address + 6));
        /*  What only its parent's threads knew would be a leak to a checker. */
        _exit (0);
    }
    join_process (child);
    snprintf (address, sizeof (address), "ipc://%s", name);
    int asking = viewer (address);
    check (has (report (asking), "\"pull\""));
    close_socket (asking);
    close_socket (s);
    check (!file_exists (name));
}

/*  A process that exits without closing its sockets leaves no file, and one that is killed leaves one that the next process
    replaces. */
static void left (void)
{
    for (int kills = 0; kills < 2; kills++) {
        pid_t child = start_process ();
        if (child == 0) {
            open_socket (NN_PAIR);
            check (file_exists (FILE_NAME));
            if (kills)
                raise (SIGKILL);
            exit (0);
        }
        int status;
        check (waitpid (child, &status, 0) == child);
        check (file_exists (FILE_NAME) == kills);
    }
    int s = open_socket (NN_PAIR), asked = viewer (ADDRESS);
    report (asked);
    close_socket (asked);
    close_socket (s);
    check (!file_exists (FILE_NAME));
}

/*  An address that cannot be bound does no harm, and is printed once. */
static void refused (const char *address, const char *line)
{
    char printed[512] = { 0 };
    int ends[2], before = dup (STDERR_FILENO);
    check (pipe2 (ends, O_NONBLOCK | O_CLOEXEC) == 0);
    setenv ("NN_MONITOR", address, 1);
    setenv ("NN_PRINT_ERRORS", "1", 1);
    dup2 (ends[1], STDERR_FILENO);
    int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
    dup2 (before, STDERR_FILENO);
    close (ends[1]);
    bind_to (a, "inproc://a");
    connect_to (b, "inproc://a");
    send_text (a, "hello");
    expect_text (b, "hello");
    close_socket (a);
    close_socket (b);
    check (read (ends[0], printed, sizeof (printed) - 1) >= 0);
    if (strcmp (printed, line) != 0)
        fail ("printed: %s", printed);
    close (ends[0]);
    close (before);
}

static void refusals (void)
{
    int taken = plain_listen ("ipc://taken");
    refused ("ipc://taken", "nanomsg: NN_MONITOR[ipc://taken]: Error: Address already in use\n");
    refused ("tcp://127.0.0.1:1", "nanomsg: NN_MONITOR[tcp://127.0.0.1:1]: Error: Invalid argument\n");
    refused ("", "");
    close (taken);
}

/*  Each in a process of its own, which has not used the library before. */
static void run (void (*scenario) (void), const char *address)
{
    pid_t child = start_process ();
    if (child == 0) {
        setenv ("NN_MONITOR", address, 1);
        scenario ();
        exit (0);
    }
    join_process (child);
}

/*  A connection with shared memory is reported as such, and no other one. */
static void shared (void)
{
    char address[NN_SOCKADDR_MAX];
    int push = sharing (NN_PUSH), pull = sharing (NN_PULL), s = viewer (ADDRESS);
    bind_to (pull, fresh_address ("ipc", address));
    check (!has (report (s), "shared_memory"));
    connect_to (push, address);
    send_text (push, "hello");
    expect_text (pull, "hello");
    check (has (report (s), "\"shared_memory\":true,\"ready\":true") == has_shared_memory ());
    close_socket (push);
    close_socket (pull);
    close_socket (s);
}

int main (void)
{
    if (only_ours ("the C library has no report")) {
        run (served, ADDRESS);
        run (shared, ADDRESS);
        run (many, ADDRESS);
        run (bad_viewers, ADDRESS);
        run (terminated, ADDRESS);
        run (forked, ADDRESS "-%p");
        run (left, ADDRESS);
        run (refusals, "");
    }
    return 0;
}
