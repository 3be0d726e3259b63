/*  Events of a socket, as a subscriber of its monitor receives them. */

#ifndef CAPI_EVENTS_H
#define CAPI_EVENTS_H

#include "test.h"
#include <nanomsg/ext.h>
#include <nanomsg/pubsub.h>

struct received_event {
    struct nn_event head;
    char peer[256];     /* "" if there is no such property */
    char local[256];
    char explanation[256];
};

static inline void set_text (int s, int level, int option, const char *text)
{
    if (nn_setsockopt (s, level, option, text, strlen (text)) != 0)
        fail ("nn_setsockopt of %d at level %d to \"%s\": %s", option, level, text,
            error_name (nn_errno ()));
}

/*  Has a socket publish its events, and opens a subscriber to those that begin with `topic`. */
static inline int monitor_topic (int s, const char *topic)
{
    char address[NN_SOCKADDR_MAX];
    int events = open_patient (NN_SUB);
    set_text (events, NN_SUB, NN_SUB_SUBSCRIBE, topic);
    set_text (s, NN_SOL_SOCKET, NN_MONITOR, fresh_address ("inproc", address));
    connect_to (events, address);
    return events;
}

static inline int monitor (int s)
{
    return monitor_topic (s, "");
}

/*  The next event; its kind is 0 if there is none at present. */
#define event_with(events, flags) event_at (__FILE__, __LINE__, events, flags)
static inline struct received_event event_at (const char *file, int line, int events, int flags)
{
    struct received_event event;
    char message[1024];
    memset (&event, 0, sizeof (event));
    int size = nn_recv (events, message, sizeof (message), flags);
    if (size < 0 && flags == NN_DONTWAIT && nn_errno () == EAGAIN)
        return event;
    if (size < (int) sizeof (event.head))
        fail_at (file, line, "an event of %d bytes: %s", size, error_name (nn_errno ()));
    memcpy (&event.head, message, sizeof (event.head));
    check (event.head.version == NN_EVENT_VERSION);
    check (event.head.size == sizeof (event.head));
    check (event.head.time > (uint64_t) 1500000000 * 1000000000);
    for (int at = (int) event.head.size; at < size; at += (int) strlen (message + at) + 1) {
        check (memchr (message + at, 0, (size_t) (size - at)) != NULL);
        if (strncmp (message + at, "peer=", 5) == 0)
            snprintf (event.peer, sizeof (event.peer), "%s", message + at + 5);
        else if (strncmp (message + at, "local=", 6) == 0)
            snprintf (event.local, sizeof (event.local), "%s", message + at + 6);
        else if (strncmp (message + at, "explanation=", 12) == 0)
            snprintf (event.explanation, sizeof (event.explanation), "%s", message + at + 12);
        else
            fail ("an unknown property: %s", message + at);
    }
    return event;
}

#define next_event(events) event_with (events, 0)

/*  Fails unless the next event is of this kind. Returns it. */
#define expect_event(events, kind) expect_event_at (__FILE__, __LINE__, events, kind)
static inline struct received_event expect_event_at (const char *file, int line, int events,
    int kind)
{
    struct received_event event = event_at (file, line, events, 0);
    if (event.head.kind != kind)
        fail_at (file, line, "an event of kind %d instead of %d (reason %d, error %s)",
            event.head.kind, kind, event.head.reason, strerror (event.head.error));
    return event;
}

/*  Skips events until one is of this kind. Returns that. */
#define wait_for_event(events, kind) wait_for_event_at (__FILE__, __LINE__, events, kind)
static inline struct received_event wait_for_event_at (const char *file, int line, int events,
    int kind)
{
    struct received_event event;
    do
        event = event_at (file, line, events, 0);
    while (event.head.kind != kind);
    return event;
}

/*  Fails unless there is no event at present. */
static inline void expect_no_event (int events)
{
    struct received_event event = event_with (events, NN_DONTWAIT);
    if (event.head.kind)
        fail ("an event of kind %d", event.head.kind);
}

#endif
