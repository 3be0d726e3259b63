/* <nanomsg/pair.h>: messages between two sockets.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_PAIR_H
#define NANOMSG_PAIR_H

/* Number of the pair pattern. */
#define NN_PROTO_PAIR 1

/* Has one peer, and sends and receives. */
#define NN_PAIR (NN_PROTO_PAIR * 16)

#endif  /* NANOMSG_PAIR_H */
