//! `<nanomsg/ext.h>`: the peers of a socket, and those of its messages.

use libc::c_int;

/// 1: nn_recvmsg appends control messages that describe the peer.
pub const NN_PEER_INFO: c_int = 1002;
/// Ends the connection whose number, a uint64_t, is the value. Cannot be read.
pub const NN_PIPE_CLOSE: c_int = 1003;

/// Option of the level NN_IPC: the user id that a peer must have; -1: any.
pub const NN_IPC_PEER_UID: c_int = 103;
/// Option of the level NN_IPC: the group id that a peer must have; -1: any.
pub const NN_IPC_PEER_GID: c_int = 104;
/// Option of the level NN_TCP: the networks from which peers are accepted; "": all.
pub const NN_TCP_ACCEPT: c_int = 106;

/// Control message of the level NN_SOL_SOCKET: the number of the connection, a uint64_t.
pub const NN_CMSG_PIPE: c_int = 1001;
/// Control message of the level NN_SOL_SOCKET: the endpoint, an int.
pub const NN_CMSG_ENDPOINT: c_int = 1002;
/// Control message of the level NN_SOL_SOCKET: the address of the peer, a text.
pub const NN_CMSG_PEER: c_int = 1003;
/// Control message of the level NN_SOL_SOCKET: this side's address, a text.
pub const NN_CMSG_LOCAL: c_int = 1004;
/// Control message of the level NN_SOL_SOCKET: the peer's process, a struct nn_credentials.
pub const NN_CMSG_CRED: c_int = 1005;
/// Control message of the level NN_SOL_SOCKET: what the peer's certificate says, over TLS, a text.
pub const NN_CMSG_TLS_PEER: c_int = 1006;
/// Control message of the level NN_SOL_SOCKET: what a ws client has requested, a text.
pub const NN_CMSG_WS_URI: c_int = 1007;

/// The process at the other end of a connection over ipc.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_credentials {
    /// Its id; 0: not known.
    pub pid: i32,
    /// Its effective user id.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
}
