/*  Addresses and names are bytes, and need not be text in any encoding. */

#include "../lib/test.h"

#define LATIN_1 "caf\xe9"
#define GBK "\xc0\xcf\xca\xa6"

/*  Describes bytes in ASCII. */
static void say_bytes (const char *what, const char *bytes, size_t size)
{
    char text[512] = "";
    for (size_t i = 0; i < size && i < 64; i++)
        snprintf (text + strlen (text), sizeof (text) - strlen (text), " %02x",
            (unsigned char) bytes[i]);
    say ("%s:%s", what, text);
}

static void talk (const char *address)
{
    int server = open_patient (NN_PAIR), client = open_patient (NN_PAIR);
    say_bytes ("address", address, strlen (address));
    bind_to (server, address);
    connect_to (client, address);
    send_text (client, "hello");
    expect_text (server, "hello");
    if (strncmp (address, "ipc://", 6) == 0)
        say ("a file of that name: %s", access (address + 6, F_OK) == 0 ? "yes" : "no");
    close_socket (client);
    close_socket (server);
}

/*  Two names that differ only in bytes that are not text are different names. */
static void tell_apart (const char *one, const char *other)
{
    int first = open_patient (NN_PAIR), second = open_patient (NN_PAIR), client = open_patient (NN_PAIR);
    bind_to (first, one);
    bind_to (second, other);
    connect_to (client, other);
    send_text (client, "hello");
    expect_text (second, "hello");
    close_socket (client);
    close_socket (second);
    close_socket (first);
}

static void name (const char *value, size_t size)
{
    char given[64];
    int s = open_socket (NN_PAIR);
    say_bytes ("set", value, size);
    show ("  answer", nn_setsockopt (s, NN_SOL_SOCKET, NN_SOCKET_NAME, value, size));
    size = sizeof (given);
    memset (given, 'x', sizeof (given));
    show ("  answer", nn_getsockopt (s, NN_SOL_SOCKET, NN_SOCKET_NAME, given, &size));
    say_bytes ("  given back, with its end", given, size + 1);
    close_socket (s);
}

int main (void)
{
    talk ("ipc://" LATIN_1 ".sock");
    talk ("ipc://" GBK ".sock");
    talk ("inproc://" LATIN_1);
    talk ("inproc://\x01\x80\xfe\xff");
    tell_apart ("inproc://\xe9", "inproc://\xe8");
    tell_apart ("ipc://\xe9", "ipc://\xe8");
    name (LATIN_1, 4);
    name (GBK, 4);
    name ("\xff", 1);
    name ("one\0two", 7);
    name ("one\0\0", 5);
    name ("\0one", 4);
    /*  Hosts, interfaces and ports are text. */
    try_both ("a host in Latin-1", "tcp://" LATIN_1 ":5555");
    try_both ("the same without a port", "tcp://" LATIN_1 ":");
    try_both ("a local part in Latin-1", "tcp://" LATIN_1 ";127.0.0.1:5555");
    try_both ("a port in Latin-1", "tcp://127.0.0.1:5\xb2");
    try_both ("a host of ws in Latin-1", "ws://" LATIN_1 ":5555");
    try_both ("a transport in Latin-1", LATIN_1 "://x");
    try_both ("nothing else", LATIN_1);
    if (only_ours ("it puts a path that is no URI into its request")) {
        int s = open_socket (NN_PAIR);
        check_error (nn_connect (s, "ws://127.0.0.1:5555/" LATIN_1), EINVAL);
        close_socket (s);
    }
    return 0;
}
