//! `<nanomsg/reqrep.h>`: requests and replies.

use libc::{c_int, c_void};

/// Number of the request/reply pattern.
pub const NN_PROTO_REQREP: c_int = 3;

/// Sends requests.
pub const NN_REQ: c_int = NN_PROTO_REQREP * 16;
/// Replies to requests.
pub const NN_REP: c_int = NN_PROTO_REQREP * 16 + 1;

/// Option of NN_REQ: milliseconds after which a request without a reply is sent again.
pub const NN_REQ_RESEND_IVL: c_int = 1;

/// A number or a pointer that a program attaches to a request of its own.
#[expect(missing_debug_implementations, reason = "which of the two it is, the program knows")]
#[repr(C)]
#[derive(Clone, Copy)]
pub union nn_req_handle {
    /// A number.
    pub i: c_int,
    /// A pointer.
    pub ptr: *mut c_void,
}
