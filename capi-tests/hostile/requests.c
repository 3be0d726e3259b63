/*  Requests, surveys and answers with invalid headers: they are dropped, without an effect on
    the valid ones around them. */

#include "../lib/plain.h"
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

/*  Words of a header: `hops` without the top bit, then the request's id. */
static size_t stack (unsigned char *bytes, int hops, int with_id)
{
    size_t size = 0;
    for (int i = 0; i < hops; i++) {
        const unsigned char hop[4] = { 0, 0, 1, (unsigned char) i };
        memcpy (bytes + size, hop, 4);
        size += 4;
    }
    if (with_id) {
        memcpy (bytes + size, "\200\1\2\3", 4);
        size += 4;
    }
    return size;
}

/*  `asks` and `answers` are REQ and REP, or SURVEYOR and RESPONDENT. */
static void bad_requests (const char *transport, int asks, int answers)
{
    char address[NN_SOCKADDR_MAX], text[64];
    unsigned char bytes[4096] = { 0 };
    int rep = open_patient (answers), req = open_patient (asks);
    bind_to (rep, fresh_address (transport, address));
    connect_to (req, address);
    /*  A survey before there is a connection is lost. */
    do
        send_text (req, "hello");
    while (!is_readable (descriptor_of (rep, NN_RCVFD), 10));
    send_text (req, "we have met");
    while (strcmp (receive_text (rep), "we have met") != 0)
        ;

    for (int round = 0; round < 30; round++) {
        int peer = plain_peer (address, asks);
        size_t size = 0;
        if (round < 4) /* shorter than a word */
            size = (size_t) round;
        else if (round < 20) /* only hops, no end */
            size = stack (bytes, round - 3, 0);
        else if (round < 29) /* more hops than NN_MAXTTL allows */
            size = stack (bytes, 9 + round - 20, 1);
        else
            size = stack (bytes, 1000, 1);
        check (plain_message (peer, address, bytes, size) == 0);
        snprintf (text, sizeof (text), "honest %d", round);
        send_text (req, text);
        expect_text (rep, text);
        check (nn_recv (rep, text, sizeof (text), NN_DONTWAIT) == -1);
        /*  The receive gave up that request: it is sent again. */
        send_text (req, "again");
        expect_text (rep, "again");
        send_text (rep, "answer");
        expect_text (req, "answer");
        close (peer);
    }

    /*  A request with as many hops as are allowed is answered with the same stack. */
    int peer = plain_peer (address, asks);
    size_t size = stack (bytes, 7, 1);
    memcpy (bytes + size, "deep", 4);
    check (plain_message (peer, address, bytes, size + 4) == 0);
    expect_text (rep, "deep");
    send_text (rep, "answer");
    unsigned char answer[256];
    size_t prefix = plain_prefix (address, size + 6, answer);
    unsigned char expected[256];
    memcpy (expected, answer, prefix);
    memcpy (expected + prefix, bytes, size);
    memcpy (expected + prefix + size, "answer", 6);
    check (recv (peer, answer, 8, MSG_WAITALL) == 8); /* the connection header */
    const unsigned char greeting[8] = { 0, 'S', 'P', 0, 0, (unsigned char) answers, 0, 0 };
    check (memcmp (answer, greeting, 8) == 0);
    check (recv (peer, answer, prefix + size + 6, MSG_WAITALL)
        == (ssize_t) (prefix + size + 6));
    check (memcmp (answer, expected, prefix + size + 6) == 0);
    close (peer);
    close_socket (req);
    close_socket (rep);
}

/*  A server that sends answers without requests. */
static void bad_replies (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    unsigned char request[256], bytes[256];
    int req = open_patient (NN_REQ);
    int server = (fresh_address (transport, address), plain_listen (address));
    connect_to (req, address);
    int peer = plain_accept (server);
    check (plain_header (peer, NN_REP) == 0);
    check (recv (peer, request, 8, MSG_WAITALL) == 8);
    check (plain_message (peer, address, "\200\0\0\1unasked", 11) == 0);

    for (int round = 0; round < 3; round++) {
        send_text (req, "question");
        size_t prefix = plain_prefix (address, 12, bytes);
        check (recv (peer, request, prefix + 12, MSG_WAITALL) == (ssize_t) (prefix + 12));
        check (memcmp (request, bytes, prefix) == 0);
        check (memcmp (request + prefix + 4, "question", 8) == 0);
        check (request[prefix] & 0x80);

        memcpy (bytes, request + prefix, 4);
        for (size_t size = 0; size < 4; size++) /* shorter than an id */
            check (plain_message (peer, address, bytes, size) == 0);
        bytes[0] &= 0x7f; /* without the top bit */
        check (plain_message (peer, address, bytes, 4) == 0);
        bytes[0] |= 0x80;
        bytes[3] ^= 1; /* another id */
        check (plain_message (peer, address, bytes, 4) == 0);
        bytes[3] ^= 1;
        memcpy (bytes + 4, "answer", 6);
        check (plain_message (peer, address, bytes, 10) == 0);
        check (plain_message (peer, address, bytes, 10) == 0); /* once too often */
        expect_text (req, "answer");
        check_error (nn_recv (req, bytes, 1, NN_DONTWAIT), EFSM);
    }
    close (peer);
    close (server);
    close_socket (req);
}

/*  Invalid answers, and some that come when no request is open any more. */
static void bad_answers (const char *transport)
{
    char address[NN_SOCKADDR_MAX];
    unsigned char survey[256], bytes[256];
    int surveyor = open_patient (NN_SURVEYOR);
    int server = (fresh_address (transport, address), plain_listen (address));
    connect_to (surveyor, address);
    int peer = plain_accept (server);
    check (plain_header (peer, NN_RESPONDENT) == 0);
    check (recv (peer, survey, 8, MSG_WAITALL) == 8);
    check (plain_message (peer, address, "\200\0\0\1unasked", 11) == 0);
    do
        send_text (surveyor, "a survey");
    while (!is_readable (peer, 10));

    for (int round = 0; round < 6; round++) {
        int is_late = round % 2;
        set_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, is_late ? 1 : LIMIT_MS);
        send_text (surveyor, "question");
        size_t prefix = plain_prefix (address, 12, bytes);
        do {
            check (recv (peer, survey, prefix + 12, MSG_WAITALL) == (ssize_t) (prefix + 12));
            check (memcmp (survey, bytes, prefix) == 0);
            check (survey[prefix] & 0x80);
        } while (memcmp (survey + prefix + 4, "question", 8) != 0);
        if (is_late)
            check_error (nn_recv (surveyor, bytes, 1, 0), ETIMEDOUT);

        memcpy (bytes, survey + prefix, 4);
        for (size_t size = 0; size < 4; size++) /* shorter than an id */
            check (plain_message (peer, address, bytes, size) == 0);
        bytes[0] &= 0x7f; /* without the top bit */
        check (plain_message (peer, address, bytes, 4) == 0);
        bytes[0] |= 0x80;
        bytes[1] ^= 1; /* another id, and not the next one either */
        check (plain_message (peer, address, bytes, 4) == 0);
        bytes[1] ^= 1;
        memcpy (bytes + 4, "answer", 6);
        check (plain_message (peer, address, bytes, 10) == 0);
        if (is_late)
            check_error (nn_recv (surveyor, bytes, 1, 0), EFSM);
        else
            expect_text (surveyor, "answer");
    }
    close (peer);
    close (server);
    close_socket (surveyor);
}

int main (void)
{
    each_plain_transport (transport) {
        bad_requests (transport, NN_REQ, NN_REP);
        bad_requests (transport, NN_SURVEYOR, NN_RESPONDENT);
        bad_replies (transport);
        bad_answers (transport);
    }
    return 0;
}
