/* <nanomsg/ext.h>: what libnanomsg does not have.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_EXT_H
#define NANOMSG_EXT_H

/* Option of the level NN_SOL_SOCKET: the socket whose pipes this one uses, as its context. */
#define NN_SHARE 1009

#endif  /* NANOMSG_EXT_H */
