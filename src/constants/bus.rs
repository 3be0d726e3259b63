//! `<nanomsg/bus.h>`: messages to all connected peers.

use libc::c_int;

/// Number of the bus pattern.
pub const NN_PROTO_BUS: c_int = 7;

/// A member of a bus.
pub const NN_BUS: c_int = NN_PROTO_BUS * 16;
