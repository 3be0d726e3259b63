//! `<nanomsg/pair.h>`: two sockets that talk to each other alone.

use libc::c_int;

/// Number of the pair pattern.
pub const NN_PROTO_PAIR: c_int = 1;

/// One of two.
pub const NN_PAIR: c_int = NN_PROTO_PAIR * 16;
