//! `<nanomsg/ext.h>`: the events of a socket.

use libc::{c_int, c_uchar};

/// Address, of the inproc transport, at which the socket publishes its events; "": nowhere.
pub const NN_MONITOR: c_int = 1001;

/// Version of struct nn_event.
pub const NN_EVENT_VERSION: c_int = 1;

/// Event: an endpoint is bound; connections may come.
pub const NN_EVENT_LISTENING: c_int = 1;
/// Event: an attempt to connect begins.
pub const NN_EVENT_CONNECTING: c_int = 2;
/// Event: the next attempt to connect begins in `value` milliseconds.
pub const NN_EVENT_RETRY: c_int = 3;
/// Event: a connected endpoint has a connection.
pub const NN_EVENT_CONNECTED: c_int = 4;
/// Event: a bound endpoint has a connection.
pub const NN_EVENT_ACCEPTED: c_int = 5;
/// Event: a connection was refused.
pub const NN_EVENT_REFUSED: c_int = 6;
/// Event: a connection has ended before both sides had greeted each other.
pub const NN_EVENT_HANDSHAKE_FAILED: c_int = 7;
/// Event: a connection has ended, and the last message from it was received.
pub const NN_EVENT_DISCONNECTED: c_int = 8;
/// Event: nn_bind has failed.
pub const NN_EVENT_BIND_FAILED: c_int = 9;
/// Event: a connection could not be accepted.
pub const NN_EVENT_ACCEPT_FAILED: c_int = 10;
/// Event: `value` messages were dropped, because their receivers had no room.
pub const NN_EVENT_DROPPED: c_int = 11;
/// Event: this subscriber has missed `value` events.
pub const NN_EVENT_LOST: c_int = 12;
/// Event: an endpoint was shut down or, without an endpoint, the monitor ends.
pub const NN_EVENT_CLOSED: c_int = 13;

/// Reason: this side has ended the connection.
pub const NN_REASON_LOCAL: c_int = 1;
/// Reason: the peer has ended the connection.
pub const NN_REASON_PEER: c_int = 2;
/// Reason: the network or the operating system has failed.
pub const NN_REASON_NETWORK: c_int = 3;
/// Reason: the peer has sent something invalid.
pub const NN_REASON_INVALID: c_int = 4;
/// Reason: the peer was silent for too long.
pub const NN_REASON_SILENCE: c_int = 5;
/// Reason: the peer's protocol does not belong to the socket's.
pub const NN_REASON_MISMATCH: c_int = 6;
/// Reason: the socket accepts no further peer.
pub const NN_REASON_BUSY: c_int = 7;
/// Reason: a rule excludes the peer.
pub const NN_REASON_RULE: c_int = 8;
/// Reason: there is no memory.
pub const NN_REASON_MEMORY: c_int = 9;
/// Reason: the peer's certificate was refused, or it has shown none.
pub const NN_REASON_CERTIFICATE: c_int = 10;

/// Connections that were refused.
pub const NN_STAT_REFUSED_CONNECTIONS: c_int = 1001;
/// Connections that have ended before both sides had greeted each other.
pub const NN_STAT_HANDSHAKE_ERRORS: c_int = 1002;
/// Messages that were dropped for a receiver that had no room.
pub const NN_STAT_MESSAGES_DROPPED: c_int = 1003;

/// The first bytes of a message with an event. Behind them, at offset `size`, are its properties:
/// texts such as "peer=tcp://10.0.0.7:41022", each with a zero at its end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_event {
    /// The kind of the event, an NN_EVENT_ constant.
    pub kind: c_uchar,
    /// NN_EVENT_VERSION.
    pub version: c_uchar,
    /// The peer's protocol; 0: not known.
    pub peer_protocol: u16,
    /// The socket.
    pub socket: i32,
    /// The endpoint, as nn_bind or nn_connect has returned it; 0: none.
    pub endpoint: i32,
    /// Why a connection was refused or has ended, an NN_REASON_ constant; 0: none.
    pub reason: i32,
    /// The error number; 0: none.
    pub error: i32,
    /// The length of this structure in bytes.
    pub size: u32,
    /// The connection; 0: none.
    pub pipe: u64,
    /// The time in nanoseconds since the beginning of 1970, in UTC.
    pub time: u64,
    /// A number whose meaning depends on the kind.
    pub value: u64,
}
