/*  The parts of the programs that are the same for all libraries: their sockets and processes.  */

#ifndef SOCKETS_H
#define SOCKETS_H

#include "measure.h"
#include "peer.h"

#define MOST_SIDES MOST_PROCESSES

/*  A side: an endless loop, for a job of the program.  */
typedef void (*side)(const void *job);

/*  Starts each side in a process of its own; over inproc, each in a thread of one process.  */
void start_sides(const char *address, const side *sides, int count, const void *job);

/*  Ends the process if the library cannot open more sockets.  */
peer_socket opened(enum pattern pattern);

peer_socket bound(enum pattern pattern, const char *address);

/*  Announces that the bound sockets exist; `connected` waits for that, so that a library's reconnect interval is
    not measured.  */
void tell_bound(struct shared *shared);
void wait_until_bound(const struct shared *shared);

/*  A SUB has subscribed to everything.  */
peer_socket connected(const struct shared *shared, enum pattern pattern, const char *address);

#endif
