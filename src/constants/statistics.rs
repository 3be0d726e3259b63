//! `<nanomsg/ext.h>`: statistics of single endpoints and connections.

use libc::c_int;

/// The statistics of the endpoint that a struct nn_endpoint_statistics in the buffer names. Read-only.
pub const NN_ENDPOINT_STATISTICS: c_int = 1010;
/// The statistics of the connection that a struct nn_pipe_statistics in the buffer names. Read-only.
pub const NN_PIPE_STATISTICS: c_int = 1011;

/// The statistics of an endpoint, since it was added. Bytes are those of the bodies of messages.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_endpoint_statistics {
    /// The endpoint, as nn_bind or nn_connect has returned it. To be set before the call.
    pub endpoint: i32,
    /// Connections that are up.
    pub current_connections: u32,
    /// Messages sent to peers.
    pub messages_sent: u64,
    /// The bytes of those.
    pub bytes_sent: u64,
    /// Messages of peers that the program has received.
    pub messages_received: u64,
    /// The bytes of those.
    pub bytes_received: u64,
    /// Messages that were not sent to a peer, because it had no room.
    pub messages_dropped: u64,
    /// Messages of peers that were dropped for newer ones, or because a context had no room.
    pub messages_missed: u64,
    /// Attempts to connect.
    pub connect_attempts: u64,
    /// Attempts to connect, or to accept a connection, that have failed.
    pub connect_errors: u64,
    /// Connections that were made or accepted.
    pub connections: u64,
    /// Connections that were refused.
    pub refused_connections: u64,
    /// Other connections that have ended before both sides had greeted each other.
    pub handshake_errors: u64,
    /// Connections that this side has closed.
    pub dropped_connections: u64,
    /// Connections that the other side, or the network, has closed.
    pub broken_connections: u64,
}

/// The statistics of a connection. Bytes are those of the bodies of messages.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_pipe_statistics {
    /// The number of the connection. To be set before the call.
    pub pipe: u64,
    /// Its endpoint, as nn_bind or nn_connect has returned it.
    pub endpoint: i32,
    /// 1: the connection is up; 0: it has ended, and messages of the peer may be left.
    pub is_connected: u32,
    /// Messages sent to the peer.
    pub messages_sent: u64,
    /// The bytes of those.
    pub bytes_sent: u64,
    /// Messages of the peer that the program has received.
    pub messages_received: u64,
    /// The bytes of those.
    pub bytes_received: u64,
    /// Messages that were not sent to the peer, because it had no room.
    pub messages_dropped: u64,
    /// Messages of the peer that were dropped for newer ones, or because a context had no room.
    pub messages_missed: u64,
}
