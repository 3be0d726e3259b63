//! `<nanomsg/tcp.h>`: the TCP transport.

use libc::c_int;

/// Option level of the tcp transport.
pub const NN_TCP: c_int = -3;

/// 1, or never set: Nagle's algorithm is off (TCP_NODELAY); 0: it is on.
pub const NN_TCP_NODELAY: c_int = 1;
