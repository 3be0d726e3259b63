/*  WebSocket peers that send a wrong upgrade request, or break the rules of frames: they get the
    reason, lose their connection, and affect no other peer. */

#include "../lib/plain.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/ws.h>

#define MOST_KIB (16 * 1024)
/*  The opcodes, as the first byte of an unfragmented frame. */
#define CONTINUE 0x80
#define TEXT 0x81
#define BINARY 0x82
#define CLOSE 0x88
#define PING 0x89
#define PONG 0x8a

static char address[NN_SOCKADDR_MAX];
static char in[1048577];

/*  The plain peers use tcp, over which ws runs. */
static const char *as_tcp (void)
{
    static char text[NN_SOCKADDR_MAX + 1];
    snprintf (text, sizeof (text), "tcp%s", address + 2);
    return text;
}

static void say_text (int peer, const char *text)
{
    check (plain_send (peer, text, strlen (text)) == 0);
}

#define REQUEST_START "GET /any/path HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n" \
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
#define REQUEST_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define REQUEST(name) REQUEST_START REQUEST_KEY "Sec-WebSocket-Protocol: " name "\r\n\r\n"

/*  Reads an HTTP head, byte by byte, so that what follows stays unread. Returns its status. */
static int status_of (int peer)
{
    char head[1024] = "";
    size_t size = 0;
    while (!strstr (head, "\r\n\r\n")) {
        check (size < sizeof (head) - 1 && is_readable (peer, LIMIT_MS));
        check (recv (peer, head + size, 1, 0) == 1);
        head[++size] = 0;
    }
    check (strncmp (head, "HTTP/1.1 ", 9) == 0);
    if (strstr (head, "101 "))
        check (strstr (head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL);
    return atoi (head + 9);
}

/*  A peer after a successful upgrade. */
static int upgraded (const char *name)
{
    int peer = plain_connect (as_tcp ());
    say_text (peer, REQUEST_START REQUEST_KEY "Sec-WebSocket-Protocol: ");
    say_text (peer, name);
    say_text (peer, "\r\n\r\n");
    check (status_of (peer) == 101);
    return peer;
}

/*  A masked frame with this first byte; `size` bytes of `payload`, which claims `length`. */
static void frame (int peer, int first, const void *payload, size_t size, uint64_t length)
{
    static const unsigned char mask[4] = { 9, 8, 7, 6 };
    unsigned char bytes[14 + 70000];
    size_t count = 2;
    bytes[0] = (unsigned char) first;
    if (length < 126)
        bytes[1] = (unsigned char) (0x80 | length);
    else {
        int width = length < 65536 ? 16 : 64;
        bytes[1] = width == 16 ? 0xfe : 0xff;
        for (int shift = width - 8; shift >= 0; shift -= 8)
            bytes[count++] = (unsigned char) (length >> shift);
    }
    memcpy (bytes + count, mask, 4);
    count += 4;
    check (size <= 70000);
    for (size_t i = 0; i < size; i++)
        bytes[count++] = ((const unsigned char *) payload)[i] ^ mask[i % 4];
    plain_send (peer, bytes, count);
}

static void frame_text (int peer, int first, const char *text)
{
    frame (peer, first, text, strlen (text), strlen (text));
}

/*  The next frame must be this, as a server sends it. */
static void expect_frame (int peer, int first, const void *payload, size_t size)
{
    unsigned char bytes[2 + 125];
    check (recv (peer, bytes, 2 + size, MSG_WAITALL) == (ssize_t) (2 + size));
    if (bytes[0] != first || bytes[1] != size || memcmp (bytes + 2, payload, size) != 0)
        fail ("a frame %02x of %d bytes", bytes[0], bytes[1]);
}

/*  A close frame with this code, and the end. */
static void expect_close (int peer, int code)
{
    const unsigned char bytes[2] = { (unsigned char) (code >> 8), (unsigned char) code };
    expect_frame (peer, CLOSE, bytes, code ? 2 : 0);
    expect_cut (peer);
}

static void upgrades (void)
{
    static const struct {
        int status;
        const char *request;
    } wrong[] = {
        { 400, "\x16\x03\x01\x02\r\n\r\n" },
        { 400, "GET\r\n\r\n" },
        { 405, "POST / HTTP/1.1\r\nHost: h\r\n\r\n" },
        { 505, "GET / HTTP/1.0\r\nHost: h\r\n\r\n" },
        { 426, "GET / HTTP/1.1\r\nHost: h\r\n\r\n" },
        { 400, "GET / HTTP/1.1\r\nHo st: h\r\n\r\n" },
        { 400, REQUEST_START "\r\n" },
        { 400, REQUEST_START "Sec-WebSocket-Key: short\r\n\r\n" },
        { 426, REQUEST_START REQUEST_KEY "Sec-WebSocket-Version: 8\r\n\r\n" },
        { 400, REQUEST_START REQUEST_KEY "\r\n" },
        { 400, REQUEST ("push.sp.nanomsg.org") },
        { 400, REQUEST ("chat") },
    };
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    bind_to (pull, address);
    connect_to (push, address);
    honest_message (push, pull);
    for (size_t i = 0; i < sizeof (wrong) / sizeof (wrong[0]); i++) {
        int peer = plain_connect (as_tcp ());
        say_text (peer, wrong[i].request);
        int status = status_of (peer);
        if (status != wrong[i].status)
            fail ("%s: status %d", wrong[i].request, status);
        expect_cut (peer);
        honest_message (push, pull);
    }

    /*  Too long: refused as soon as it exceeds the limit, and not kept. */
    long resident = memory_kib ("VmRSS");
    for (int i = 0; i < 100; i++) {
        int peer = plain_connect (as_tcp ());
        memset (in, 'x', 100000);
        say_text (peer, REQUEST_START "Cookie: ");
        plain_send (peer, in, 100000);
        check (status_of (peer) == 431);
        expect_cut (peer);
    }
    check_growth ("VmRSS", resident, MOST_KIB);
    honest_message (push, pull);

    /*  In pieces, and together with a message. */
    int peer = plain_connect (as_tcp ());
    const char *request = REQUEST ("pull.sp.nanomsg.org");
    for (size_t i = 0; i < strlen (request); i++) {
        check (plain_send (peer, request + i, 1) == 0);
        poll (NULL, 0, 1);
    }
    frame_text (peer, BINARY, "pieces");
    expect_text (pull, "pieces");
    close (peer);

    /*  A peer that sends its request and disconnects. */
    for (size_t i = 0; i < strlen (request); i += 20) {
        peer = plain_connect (as_tcp ());
        plain_send (peer, request, i);
        close (peer);
    }
    honest_message (push, pull);
    close_socket (push);
    close_socket (pull);

    /*  Half a request and then nothing: the time limit ends it. */
    pull = open_patient (NN_PULL);
    bind_when_free (pull, address);
    peer = plain_connect (as_tcp ());
    say_text (peer, REQUEST_START);
    int64_t start = now_ms ();
    expect_cut (peer);
    check (now_ms () - start < 30000);
    close_socket (pull);
}

/*  A frame, valid or not, and the code with which the connection is closed. */
static void violation (int push, int pull, int code, int first, const void *payload, size_t size,
    uint64_t length)
{
    int peer = upgraded ("pull.sp.nanomsg.org");
    frame_text (peer, BINARY, "first");
    frame (peer, first, payload, size, length);
    frame_text (peer, BINARY, "never");
    expect_close (peer, code);
    expect_text (pull, "first");
    honest_message (push, pull);
}

static void frames (void)
{
    static const uint64_t forbidden[] = { 1001, 1ull << 24, 1ull << 31, 1ull << 32, 1ull << 62,
        (1ull << 63) - 1 };
    static unsigned char bytes[70000];
    int pull = open_patient (NN_PULL), push = open_patient (NN_PUSH);
    set_int (pull, 0, NN_RCVMAXSIZE, 1000);
    bind_when_free (pull, address);
    connect_to (push, address);
    honest_message (push, pull);

    for (int reserved = 0x10; reserved <= 0x70; reserved += 0x10)
        violation (push, pull, 1002, BINARY | reserved, "x", 1, 1);
    for (int opcode = 0; opcode < 16; opcode++)
        if ((opcode > 2 && opcode < 8) || opcode > 10)
            violation (push, pull, 1002, 0x80 | opcode, "x", 1, 1);
    violation (push, pull, 1002, PING, bytes, 126, 126);
    violation (push, pull, 1002, CLOSE, bytes, 126, 126);
    violation (push, pull, 1002, PING & 0x7f, "x", 1, 1);
    violation (push, pull, 1002, CONTINUE, "x", 1, 1);
    violation (push, pull, 1002, BINARY, "x", 1, 1ull << 63);
    violation (push, pull, 1002, CLOSE, "x", 1, 1);
    violation (push, pull, 1002, CLOSE, "\x03\xed", 2, 2);
    violation (push, pull, 1007, CLOSE, "\x03\xe8\xff", 3, 3);
    violation (push, pull, 1007, TEXT, "\xff", 1, 1);
    violation (push, pull, 1007, TEXT, "\xe2\x82", 2, 2);
    violation (push, pull, 1000, CLOSE, "\x03\xe8" "bye", 5, 5);
    violation (push, pull, 4321, CLOSE, "\x10\xe1", 2, 2);
    violation (push, pull, 0, CLOSE, "", 0, 0);
    long data = memory_kib ("VmData"), resident = memory_kib ("VmRSS");
    for (size_t i = 0; i < sizeof (forbidden) / sizeof (forbidden[0]); i++)
        violation (push, pull, 1009, BINARY, bytes, 100, forbidden[i]);

    /*  No mask, and a message that begins inside another one. */
    int peer = upgraded ("pull.sp.nanomsg.org");
    check (plain_send (peer, "\x82\x01x", 3) == 0);
    expect_close (peer, 1002);
    peer = upgraded ("pull.sp.nanomsg.org");
    frame_text (peer, BINARY & 0x7f, "begun");
    frame_text (peer, BINARY, "another");
    expect_close (peer, 1002);

    /*  The limit holds for all fragments together. */
    for (size_t last = 0; last < 2; last++) {
        peer = upgraded ("pull.sp.nanomsg.org");
        for (int i = 0; i < 10; i++)
            frame (peer, i ? 0 : BINARY & 0x7f, bytes, 100, 100);
        frame (peer, CONTINUE, bytes, last, last);
        if (last == 0) {
            check (nn_recv (pull, in, sizeof (in), 0) == 1000);
            close (peer);
        }
        else
            expect_close (peer, 1009);
    }
    check_growth ("VmData", data, MOST_KIB);
    check_growth ("VmRSS", resident, MOST_KIB);
    honest_message (push, pull);
    check (nn_recv (pull, in, sizeof (in), NN_DONTWAIT) == -1);
    close_socket (push);
    close_socket (pull);
}

/*  What a correct peer may do: fragments, with pings in between, and texts. */
static void good_manners (void)
{
    int pair = open_patient (NN_PAIR);
    bind_when_free (pair, address);
    int peer = plain_connect (as_tcp ());
    say_text (peer, REQUEST_START REQUEST_KEY "\r\n"); /* names none: a PAIR */
    check (status_of (peer) == 101);
    frame_text (peer, TEXT, "gr\xc3\xbc\xc3\x9f dich");
    expect_text (pair, "gr\xc3\xbc\xc3\x9f dich");
    frame_text (peer, TEXT & 0x7f, "in ");
    frame_text (peer, PING, "still there?");
    expect_frame (peer, PONG, "still there?", 12);
    frame_text (peer, PONG, "nobody asked");
    frame_text (peer, CONTINUE & 0x7f, "");
    frame_text (peer, CONTINUE, "parts");
    expect_text (pair, "in parts");
    frame_text (peer, PING, "");
    expect_frame (peer, PONG, "", 0);
    send_text (pair, "an answer");
    expect_frame (peer, BINARY, "an answer", 9);

    /*  A second peer is refused, before or after its request. */
    int second = plain_connect (as_tcp ());
    plain_send (second, REQUEST_START REQUEST_KEY "\r\n", strlen (REQUEST_START REQUEST_KEY "\r\n"));
    expect_cut (second);
    frame (peer, CLOSE, "\x03\xe9", 2, 2);
    expect_close (peer, 1001);
    close_socket (pair);
}

/*  Pings from a peer that does not read, more than the kernel can hold answers to: they do not
    pile up in memory. */
static void deaf (void)
{
    int pair = open_patient (NN_PAIR);
    bind_when_free (pair, address);
    int peer = upgraded ("pair.sp.nanomsg.org");
    long resident = memory_kib ("VmRSS");
    memset (in, 'p', 125);
    for (int i = 0; i < 400000; i++)
        frame (peer, PING, in, 125, 125);
    frame_text (peer, BINARY, "all of them");
    expect_text (pair, "all of them");
    check_growth ("VmRSS", resident, MOST_KIB);
    close (peer);
    close_socket (pair);
}

/*  Wrong servers, for a socket that connects: it tries again until one is correct. */
static void dialer (void)
{
    static const char *const answers[] = {
        "", "\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "\xff\xff\xff\xff", "HTTP/1.1 101", "SSH-2.0-OpenSSH_9.9\r\n",
    };
    int push = open_patient (NN_PUSH), pull = open_patient (NN_PULL);
    int server = plain_listen (as_tcp ());
    connect_to (push, address);
    for (size_t i = 0; i < sizeof (answers) / sizeof (answers[0]); i++) {
        int peer = plain_accept (server);
        plain_send (peer, answers[i], strlen (answers[i]));
        shutdown (peer, SHUT_WR);
        expect_cut (peer);
    }
    int peer = plain_accept (server);
    memset (in, 'x', 100000);
    say_text (peer, "HTTP/1.1 101 Switching Protocols\r\nCookie: ");
    plain_send (peer, in, 100000);
    expect_cut (peer);
    close (server);
    bind_when_free (pull, address);
    send_text (push, "honest at last");
    expect_text (pull, "honest at last");
    close_socket (push);
    close_socket (pull);
}

int main (void)
{
    memset (in, 1, sizeof (in));
    snprintf (address, sizeof (address), "ws://127.0.0.1:%d", free_port ());
    upgrades ();
    frames ();
    good_manners ();
    deaf ();
    dialer ();
    return 0;
}
