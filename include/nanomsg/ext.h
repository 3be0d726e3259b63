/* <nanomsg/ext.h>: what libnanomsg does not have.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_EXT_H
#define NANOMSG_EXT_H

/* A pair of the second version: messages have a hop count. Talks to its own kind only. */
#define NN_PAIR_V1 17

/* Messages of NN_PAIR_V1 and NN_STAR dropped for their hop count: it was missing, malformed or too high. */
#define NN_STAT_INVALID_MESSAGES 1002

#endif  /* NANOMSG_EXT_H */
