/* <nanomsg/tcp.h>: the TCP transport.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_TCP_H
#define NANOMSG_TCP_H

/* Option level of the tcp transport. */
#define NN_TCP -3

/* 1, or never set: Nagle's algorithm is off (TCP_NODELAY); 0: it is on. */
#define NN_TCP_NODELAY 1

#endif  /* NANOMSG_TCP_H */
