/*  The events of a socket that a peer connects to and leaves. */

/* ANCHOR: program */
#include <nanomsg/ext.h>
#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <stdio.h>
#include <string.h>

int main (void)
{
    char message[512];
    struct nn_event event;
    int s = nn_socket (AF_SP, NN_PULL), events = nn_socket (AF_SP, NN_SUB), peer = nn_socket (AF_SP, NN_PUSH);

    nn_setsockopt (events, NN_SUB, NN_SUB_SUBSCRIBE, "", 0);
    nn_connect (events, "inproc://events");
    nn_setsockopt (s, NN_SOL_SOCKET, NN_MONITOR, "inproc://events", 15);
    nn_bind (s, "ipc:///tmp/events.ipc");
    nn_connect (peer, "ipc:///tmp/events.ipc");

    while (nn_recv (events, message, sizeof (message), 0) >= (int) sizeof (event)) {
        memcpy (&event, message, sizeof (event));
        switch (event.kind) {
        case NN_EVENT_LISTENING:
            printf ("listening\n");
            break;
        case NN_EVENT_ACCEPTED:
            printf ("a peer has connected\n");
            nn_close (peer);
            break;
        case NN_EVENT_DISCONNECTED:
            printf ("it has %s\n", event.reason == NN_REASON_PEER ? "left" : "been lost");
            nn_close (s);
            break;
        case NN_EVENT_CLOSED:
            if (event.endpoint == 0)
                return nn_close (events);
        }
    }
    return 1;
}
/* ANCHOR_END: program */
