//! `<nanomsg/tcp.h>`: the TCP transport.

use libc::c_int;

/// Option level of the tcp transport.
pub const NN_TCP: c_int = -3;

/// 1, or never set: send at once (TCP_NODELAY); 0: let the system gather small segments.
pub const NN_TCP_NODELAY: c_int = 1;
