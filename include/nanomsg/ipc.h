/* <nanomsg/ipc.h>: the transport within one machine.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_IPC_H
#define NANOMSG_IPC_H

/* Option level of the ipc transport. */
#define NN_IPC -2

/* Security attributes of the pipe; for Windows only. */
#define NN_IPC_SEC_ATTR 1

/* Size of the pipe's outgoing buffer; for Windows only. */
#define NN_IPC_OUTBUFSZ 2

/* Size of the pipe's incoming buffer; for Windows only. */
#define NN_IPC_INBUFSZ 3

#endif  /* NANOMSG_IPC_H */
