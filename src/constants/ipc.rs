//! `<nanomsg/ipc.h>`: the transport between processes of one machine.

use libc::c_int;

/// Option level of the ipc transport.
pub const NN_IPC: c_int = -2;

/// Security attributes of the pipe; for Windows only.
pub const NN_IPC_SEC_ATTR: c_int = 1;
/// Size of the pipe's outgoing buffer; for Windows only.
pub const NN_IPC_OUTBUFSZ: c_int = 2;
/// Size of the pipe's incoming buffer; for Windows only.
pub const NN_IPC_INBUFSZ: c_int = 3;
