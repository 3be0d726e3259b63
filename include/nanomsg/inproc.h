/* <nanomsg/inproc.h>: the transport within one process.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_INPROC_H
#define NANOMSG_INPROC_H

/* Option level of the inproc transport. */
#define NN_INPROC -1

#endif  /* NANOMSG_INPROC_H */
