/*  One side of a conversation between two sockets of a pattern, on one library:

        conversation ROLE binary|text [ADDRESS]

    With an address it binds, to that one or, if its port is in use, to one of the next
    ports. The other side is another such program, or conversation.js. The stdout of each
    side is the stdin of the other: it carries a line with the bound address and, in
    one-way patterns, a byte for each message that was received. So no side waits for time
    to pass, and neither ends before the other has received all messages.

    In the other patterns one side asks and the other answers: "hello", the messages, "end",
    each with its answer, and "bye" without one. "hello" is repeated until it is answered.
    All messages differ, so that one that is lost, duplicated or late is detected. */

#include "library.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*  More than most libraries accept in one WebSocket frame. */
#define LONGEST 3000000

/*  Empty, around the sizes at which the encoding of the length changes, and large. None
    has the length of one of the words above. */
static const size_t sizes[] = { 0, 1, 125, 126, 2048, 2049, 65535, 65536, 100000, LONGEST };
#define SIZES (sizeof (sizes) / sizeof (sizes[0]))

/*  The number of small messages sent in a row in one-way patterns: few enough that no
    library drops any. */
#define BURST 10
#define BURST_SIZE 100

/*  The answer to the first message has this number. */
#define ANSWERS 7

/*  The number of ports to try. */
#define PORTS 40

/*  The time, in milliseconds, to wait for an answer before "hello" is sent again. */
#define GREETING_MS 20

static char message[LONGEST + 1], expected[LONGEST];

void fail (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vfprintf (stderr, format, arguments);
    va_end (arguments);
    fprintf (stderr, "\n");
    exit (1);
}

/* ---- stdin and stdout ------------------------------------------------------- */

static void tell (void)
{
    if (write (STDOUT_FILENO, "+", 1) != 1)
        fail ("the other side has gone: %s", strerror (errno));
}

/*  Whether the other side has written something within `timeout` milliseconds. */
static int is_told (int timeout)
{
    char byte;
    struct pollfd item = { STDIN_FILENO, POLLIN, 0 };
    if (poll (&item, 1, timeout) != 1)
        return 0;
    if (read (STDIN_FILENO, &byte, 1) != 1)
        fail ("the other side has gone");
    return 1;
}

static void wait_until_told (void)
{
    if (!is_told (LIMIT_MS))
        fail ("the other side tells nothing");
}

static void wait_until_gone (void)
{
    char byte;
    struct pollfd item = { STDIN_FILENO, POLLIN, 0 };
    if (poll (&item, 1, LIMIT_MS) != 1 || read (STDIN_FILENO, &byte, 1) != 0)
        fail ("the other side does not go");
}

/*  Binds, and writes the address for the other side. */
static void bind_and_tell (const char *wanted)
{
    char address[128];
    const char *colon = strrchr (wanted, ':');
    int port = atoi (colon + 1), last = port + PORTS;
    snprintf (address, sizeof (address), "%s", wanted);
    while (!library_bind (address)) {
        if (port == 0 || ++port == last)
            fail ("%s: the address is taken", address);
        snprintf (address, sizeof (address), "%.*s:%d", (int) (colon - wanted), wanted, port);
    }
    if (dprintf (STDOUT_FILENO, "%s\n", address) < 0)
        fail ("the other side has gone: %s", strerror (errno));
}

/*  Connects to the address of the other side. */
static void connect_as_told (void)
{
    char address[128];
    for (size_t length = 0; length < sizeof (address); length++) {
        if (read (STDIN_FILENO, address + length, 1) != 1)
            fail ("the other side has gone");
        if (address[length] == '\n') {
            address[length] = '\0';
            library_connect (address);
            return;
        }
    }
    fail ("the address is too long");
}

/* ---- messages --------------------------------------------------------------- */

/*  The content of a message, which identifies it. */
static void fill (char *letters, size_t number, size_t size)
{
    for (size_t place = 0; place < size; place++)
        letters[place] = (char) ('a' + (place + size + number) % 23);
}

static void send_numbered (size_t number, size_t size)
{
    fill (message, number, size);
    library_send (message, size);
}

static void send_word (const char *word)
{
    library_send (word, strlen (word));
}

/*  The size of the next message. */
static size_t receive (void)
{
    long size = library_receive (message, sizeof (message), LIMIT_MS);
    if (size < 0)
        fail ("no message comes");
    return (size_t) size;
}

static int is_word (size_t size, const char *word)
{
    return size == strlen (word) && memcmp (message, word, size) == 0;
}

/*  Fails unless the received `size` bytes are the message with the number, of `wanted` bytes. */
static void check_message (size_t number, size_t wanted, size_t size)
{
    fill (expected, number, wanted);
    if (size != wanted || memcmp (message, expected, size) != 0)
        fail ("not message %zu of %zu bytes but %zu bytes: %.*s", number, wanted, size,
            size < 100 ? (int) size : 100, message);
}

/* ---- patterns with answers ------------------------------------------------------ */

/*  The size of the next message that is not a repeated "hello". */
static size_t receive_next (void)
{
    size_t size;
    do
        size = receive ();
    while (is_word (size, "hello"));
    return size;
}

/*  Greets until that is answered within `patience` milliseconds, which grow: an answer to the survey before does not count. */
static void ask (int patience)
{
    long size;
    for (;; patience *= 2) {
        send_word ("hello");
        size = library_receive (message, sizeof (message), patience);
        if (size >= 0 || patience >= LIMIT_MS)
            break;
    }
    if (size < 0 || !is_word ((size_t) size, "hello"))
        fail ("\"hello\" is not answered");
    for (size_t i = 0; i < SIZES; i++) {
        send_numbered (i, sizes[i]);
        check_message (ANSWERS + i, sizes[i], receive_next ());
    }
    send_word ("end");
    if (!is_word (receive_next (), "end"))
        fail ("no answer to the end");
    send_word ("bye");
    wait_until_gone ();
}

static void answer (void)
{
    size_t number = 0;
    for (;;) {
        size_t size = receive ();
        if (is_word (size, "bye"))
            break;
        if (is_word (size, "hello") || is_word (size, "end")) {
            library_send (message, size);
            continue;
        }
        if (size > sizeof (message))
            fail ("a message of %zu bytes", size);
        check_message (number, size, size);
        send_numbered (ANSWERS + number, size);
        number++;
    }
    if (number == 0)
        fail ("nothing was asked");
}

/* ---- one-way patterns ----------------------------------------------------------- */

static void send_all (int timeout)
{
    do
        send_word ("hello");
    while (!is_told (timeout));
    for (size_t i = 0; i < SIZES; i++) {
        send_numbered (i, sizes[i]);
        wait_until_told ();
    }
    for (size_t i = 0; i < BURST; i++)
        send_numbered (SIZES + i, BURST_SIZE);
    for (size_t i = 0; i < BURST; i++)
        wait_until_told ();
}

static void receive_all (void)
{
    if (!is_word (receive (), "hello"))
        fail ("no greeting");
    tell ();
    for (size_t i = 0; i < SIZES + BURST; i++) {
        check_message (i, i < SIZES ? sizes[i] : BURST_SIZE, receive_next ());
        tell ();
    }
}

int main (int count, char **arguments)
{
    if (count < 3) {
        fprintf (stderr, "usage: %s ROLE binary|text [ADDRESS]\n", arguments[0]);
        return 2;
    }
    const char *role = arguments[1];
    int binds = count > 3;
    signal (SIGPIPE, SIG_IGN);

    library_open (role, strcmp (arguments[2], "text") == 0);
    if (binds)
        bind_and_tell (arguments[3]);
    else
        connect_as_told ();

    /*  A publisher cannot see whether a subscriber is connected. */
    if (strcmp (role, "req") == 0 || (strncmp (role, "pair", 4) == 0 && binds))
        ask (LIMIT_MS);
    else if (strcmp (role, "surveyor") == 0 || (strcmp (role, "bus") == 0 && binds))
        ask (GREETING_MS);
    else if (strcmp (role, "push") == 0)
        send_all (LIMIT_MS);
    else if (strcmp (role, "pub") == 0)
        send_all (GREETING_MS);
    else if (strcmp (role, "pull") == 0 || strcmp (role, "sub") == 0)
        receive_all ();
    else
        answer ();
    library_close ();
    return 0;
}
