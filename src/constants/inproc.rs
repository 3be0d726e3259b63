//! `<nanomsg/inproc.h>`: the transport within one process.

use libc::c_int;

/// Option level of the inproc transport.
pub const NN_INPROC: c_int = -1;
