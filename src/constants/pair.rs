//! `<nanomsg/pair.h>`: messages between two sockets.

use libc::c_int;

/// Number of the pair pattern.
pub const NN_PROTO_PAIR: c_int = 1;

/// Has one peer, and sends and receives.
pub const NN_PAIR: c_int = NN_PROTO_PAIR * 16;
