/*  The interface between a conversation and a library: one socket, of one protocol.
    libnanomsg.c and nng.c are the two ways to give it. Each function that fails ends
    the program with a reason. */

#ifndef INTEROP_LIBRARY_H
#define INTEROP_LIBRARY_H

#include <stddef.h>

/*  The longest time, in milliseconds, to wait for something that must come. */
#define LIMIT_MS 20000

/*  Ends the program as failed, with the reason on stderr. */
void fail (const char *format, ...)
    __attribute__ ((format (printf, 1, 2), noreturn));

/*  Opens the socket. The role is the name of its side of a pattern: "pair", "req"…
    A "sub" hears everything. `text` is whether messages are texts where the transport
    knows the difference. */
void library_open (const char *role, int text);
/*  Binds; returns whether the address was free. */
int library_bind (const char *address);
void library_connect (const char *address);

void library_send (const void *message, size_t size);
/*  The whole size of the next message, or -1 if none came for `timeout` milliseconds.
    What goes beyond `size` is cut off. */
long library_receive (void *message, size_t size, int timeout);

void library_close (void);

#endif
