/*  What the programs do alike with the sockets of any library, and with the processes that have them.  */

#ifndef SOCKETS_H
#define SOCKETS_H

#include "measure.h"
#include "peer.h"

#define MOST_SIDES MOST_PROCESSES

/*  A side works in an endless loop, on a job that the program knows.  */
typedef void (*side)(const void *job);

/*  Starts each side in a process of its own; over inproc, each in a thread of one process.  */
void start_sides(const char *address, const side *sides, int count, const void *job);

/*  Ends the process if the library has no more sockets.  */
peer_socket opened(enum pattern pattern);

peer_socket bound(enum pattern pattern, const char *address);

/*  What there is to connect to is there, which `connected` waits for: how soon a library tries again is not measured.  */
void tell_bound(struct shared *shared);
void wait_until_bound(const struct shared *shared);

/*  A SUB has subscribed to everything.  */
peer_socket connected(const struct shared *shared, enum pattern pattern, const char *address);

#endif
