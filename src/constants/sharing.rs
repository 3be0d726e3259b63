//! `<nanomsg/ext.h>`: contexts, sockets that use the pipes of another one.

use libc::c_int;

/// Option of the level NN_SOL_SOCKET: the socket whose pipes this one uses, as its context.
pub const NN_SHARE: c_int = 1009;
