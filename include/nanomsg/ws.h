/* <nanomsg/ws.h>: the WebSocket transport.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_WS_H
#define NANOMSG_WS_H

#include "nn.h"

/* Option level of the ws transport. */
#define NN_WS -4

/* Type of the WebSocket messages that are sent: a socket option, and a control message. */
#define NN_WS_MSG_TYPE 1

/* WebSocket message type: text in UTF-8. */
#define NN_WS_MSG_TYPE_TEXT 1

/* WebSocket message type: binary. */
#define NN_WS_MSG_TYPE_BINARY 2

#endif  /* NANOMSG_WS_H */
