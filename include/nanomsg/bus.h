/* <nanomsg/bus.h>: messages to all connected peers.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_BUS_H
#define NANOMSG_BUS_H

/* Number of the bus pattern. */
#define NN_PROTO_BUS 7

/* A member of a bus. */
#define NN_BUS (NN_PROTO_BUS * 16)

#endif  /* NANOMSG_BUS_H */
