/*  Peers that fall silent in the middle: a peer that does not finish its header is disconnected
    after 5 seconds, one that stops inside a frame after 30. Between frames a peer may be silent
    without limit, and a slow peer is not a silent one. The events say that it was silent. */

#include "../lib/events.h"
#include "../lib/plain.h"
#include <nanomsg/pipeline.h>

#define HEADERS 3
#define FRAMES 4

struct scene {
    char address[NN_SOCKADDR_MAX];
    int pull;
    int push;
    int events;
    int header[HEADERS]; /* stopped inside the connection header */
    int frame[FRAMES];   /* stopped inside a frame */
    int idle;            /* stopped between frames */
    int slow;            /* a byte now and then */
    size_t sent;         /* of the slow one's frame */
};

static unsigned char slow_frame[9 + 100];

static void set_up (struct scene *scene, const char *transport)
{
    static const size_t stops[HEADERS] = { 0, 1, 7 };
    scene->pull = open_patient (NN_PULL);
    scene->push = open_patient (NN_PUSH);
    scene->events = monitor (scene->pull);
    bind_to (scene->pull, fresh_address (transport, scene->address));
    connect_to (scene->push, scene->address);
    honest_message (scene->push, scene->pull);

    for (int i = 0; i < HEADERS; i++) {
        scene->header[i] = plain_connect (scene->address);
        check (plain_send (scene->header[i], "\0SP\0\0\120\0", stops[i]) == 0);
    }
    unsigned char bytes[64] = { 0 };
    size_t prefix = plain_prefix (scene->address, 20, bytes);
    const size_t frame_stops[FRAMES] = { 1, prefix - 1, prefix, prefix + 19 };
    for (int i = 0; i < FRAMES; i++) {
        scene->frame[i] = plain_peer (scene->address, NN_PUSH);
        if (i % 2) /* after a whole message, and as the first thing */
            check (plain_message (scene->frame[i], scene->address, "whole", 5) == 0);
        check (plain_send (scene->frame[i], bytes, frame_stops[i]) == 0);
        if (i % 2)
            expect_text (scene->pull, "whole");
    }
    scene->idle = plain_peer (scene->address, NN_PUSH);
    check (plain_message (scene->idle, scene->address, "before", 6) == 0);
    expect_text (scene->pull, "before");

    scene->slow = plain_peer (scene->address, NN_PUSH);
    scene->sent = 0;
}

/*  The slow peer's next byte, but for its last. */
static void trickle (struct scene *scene)
{
    size_t size = plain_prefix (scene->address, 100, slow_frame) + 100;
    if (scene->sent + 1 < size) {
        check (plain_send (scene->slow, slow_frame + scene->sent, 1) == 0);
        scene->sent++;
    }
    if (!is_open (scene->slow))
        fail ("the slow peer was cut off");
}

/*  As many events of this kind say that a peer was silent. */
static void expect_silent (struct scene *scene, int kind, int count)
{
    while (count-- > 0) {
        struct received_event event = wait_for_event (scene->events, kind);
        check (event.head.reason == NN_REASON_SILENCE && event.head.error == ETIMEDOUT);
    }
}

static void finish (struct scene *scene)
{
    char text[200];
    size_t size = plain_prefix (scene->address, 100, slow_frame) + 100;
    check (plain_send (scene->slow, slow_frame + scene->sent, size - scene->sent) == 0);
    check (nn_recv (scene->pull, text, sizeof (text), 0) == 100);
    if (!is_open (scene->idle))
        fail ("the idle peer was cut off");
    check (plain_message (scene->idle, scene->address, "after", 5) == 0);
    expect_text (scene->pull, "after");
    honest_message (scene->push, scene->pull);
    close (scene->idle);
    close (scene->slow);
    close_socket (scene->events);
    close_socket (scene->push);
    close_socket (scene->pull);
}

/*  Waits until each of the connections is ended, while the slow ones go on. */
static void wait_for_cuts (struct scene *scenes, int *descriptors, int count,
    const char *what)
{
    int64_t end = now_ms () + CUT_MS;
    int open = count;
    while (open > 0) {
        if (now_ms () > end)
            fail ("%d of %d connections that stopped inside %s are still open", open,
                count, what);
        for (int i = 0; i < count; i++) {
            if (descriptors[i] >= 0 && !is_open (descriptors[i])) {
                close (descriptors[i]);
                descriptors[i] = -1;
                open--;
            }
        }
        trickle (&scenes[0]);
        trickle (&scenes[1]);
        if (open > 0)
            poll (NULL, 0, 500); /* the rate of the slow peers */
    }
}

int main (void)
{
    struct scene scenes[2];
    int headers[2 * HEADERS], frames[2 * FRAMES];
    for (int i = 0; i < 2; i++) {
        set_up (&scenes[i], plain_transports[i]);
        memcpy (headers + i * HEADERS, scenes[i].header, sizeof (scenes[i].header));
        memcpy (frames + i * FRAMES, scenes[i].frame, sizeof (scenes[i].frame));
    }
    wait_for_cuts (scenes, headers, 2 * HEADERS, "their header");
    for (int i = 0; i < 2; i++)
        expect_silent (&scenes[i], NN_EVENT_HANDSHAKE_FAILED, HEADERS);
    for (int i = 0; i < 2 * FRAMES; i++)
        if (!is_open (frames[i]))
            fail ("a connection inside a frame was cut off with those in their header");
    wait_for_cuts (scenes, frames, 2 * FRAMES, "a frame");
    for (int i = 0; i < 2; i++)
        expect_silent (&scenes[i], NN_EVENT_DISCONNECTED, FRAMES);
    for (int i = 0; i < 2; i++)
        finish (&scenes[i]);
    return 0;
}
