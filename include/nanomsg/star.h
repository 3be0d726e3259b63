/* <nanomsg/star.h>: messages to all members of a star.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_STAR_H
#define NANOMSG_STAR_H

/* Number of the star pattern. */
#define NN_PROTO_STAR 100

/* A member or the hub of a star. */
#define NN_STAR (NN_PROTO_STAR * 16)

#endif  /* NANOMSG_STAR_H */
