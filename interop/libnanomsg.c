/*  A conversation on libnanomsg: the C library or ours, depending on which is loaded. */

#include "library.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <nanomsg/bus.h>
#include <nanomsg/ext.h>
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>
#include <nanomsg/ws.h>

static const struct
{
    const char *role;
    int protocol;
} protocols[] = {
    { "pair", NN_PAIR },
    { "pair1", NN_PAIR_V1 },
    { "req", NN_REQ },
    { "rep", NN_REP },
    { "push", NN_PUSH },
    { "pull", NN_PULL },
    { "pub", NN_PUB },
    { "sub", NN_SUB },
    { "surveyor", NN_SURVEYOR },
    { "respondent", NN_RESPONDENT },
    { "bus", NN_BUS },
};

static int s;

/*  Returns the result of a call; fails if the call did. */
static int must (const char *what, int result)
{
    if (result < 0)
        fail ("%s: %s", what, nn_strerror (nn_errno ()));
    return result;
}

static void set_int (int level, int option, int value)
{
    must ("nn_setsockopt", nn_setsockopt (s, level, option, &value, sizeof (value)));
}

void library_open (const char *role, int text)
{
    size_t i = 0, count = sizeof (protocols) / sizeof (protocols[0]);
    while (i < count && strcmp (protocols[i].role, role) != 0)
        i++;
    if (i == count)
        fail ("%s: there is no such role", role);
    s = must ("nn_socket", nn_socket (AF_SP, protocols[i].protocol));
    if (getenv ("CONVERSATION_FILTERS") && strcmp (role, "pub") == 0)
        set_int (NN_PUB, NN_PUB_FILTER, 1);
    if (getenv ("CONVERSATION_FILTERS") && strcmp (role, "sub") == 0)
        set_int (NN_SUB, NN_SUB_FILTER_UPSTREAM, 1);
    set_int (NN_SOL_SOCKET, NN_SNDTIMEO, LIMIT_MS);
    set_int (NN_SOL_SOCKET, NN_RCVMAXSIZE, -1);
    if (text)
        set_int (NN_WS, NN_WS_MSG_TYPE, NN_WS_MSG_TYPE_TEXT);
    if (strcmp (role, "sub") == 0)
        must ("subscribing", nn_setsockopt (s, NN_SUB, NN_SUB_SUBSCRIBE, "", 0));
    if (strcmp (role, "surveyor") == 0)
        set_int (NN_SURVEYOR, NN_SURVEYOR_DEADLINE, LIMIT_MS);
}

/*  An address of IPv6 works only when that is asked for. Not to be asked for without need:
    the C library ends the program when it then connects to an address of IPv4. */
static void allow_family (const char *address)
{
    set_int (NN_SOL_SOCKET, NN_IPV4ONLY, strchr (address, '[') == NULL);
}

int library_bind (const char *address)
{
    allow_family (address);
    int endpoint = nn_bind (s, address);
    if (endpoint < 0 && nn_errno () == EADDRINUSE)
        return 0;
    must ("nn_bind", endpoint);
    return 1;
}

void library_connect (const char *address)
{
    allow_family (address);
    must ("nn_connect", nn_connect (s, address));
}

void library_send (const void *message, size_t size)
{
    must ("nn_send", nn_send (s, message, size, 0));
}

long library_receive (void *message, size_t size, int timeout)
{
    set_int (NN_SOL_SOCKET, NN_RCVTIMEO, timeout);
    int received = nn_recv (s, message, size, 0);
    if (received < 0 && nn_errno () == ETIMEDOUT)
        return -1;
    return must ("nn_recv", received);
}

void library_close (void)
{
    must ("nn_close", nn_close (s));
}
