//! `<nanomsg/ws.h>`: the WebSocket transport.

use libc::c_int;

/// Option level of the ws transport.
pub const NN_WS: c_int = -4;

/// Type of the WebSocket messages that are sent: a socket option, and a control message.
pub const NN_WS_MSG_TYPE: c_int = 1;

/// WebSocket message type: text in UTF-8.
pub const NN_WS_MSG_TYPE_TEXT: c_int = 1;
/// WebSocket message type: binary.
pub const NN_WS_MSG_TYPE_BINARY: c_int = 2;
