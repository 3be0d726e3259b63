//! `bind` and `connect`: an address becomes pipes.
//!
//! Owns the transports: inproc joins two sockets of the process by a pair of lanes; tcp, ipc and
//! ws put a connection behind each pipe. Must not know sockets or protocols: whom a pipe is for is
//! said by a [`EndpointContext`], and what happens to it is told to its [`SocketPipe`].

mod inproc;
mod linger;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::error::Error;
use crate::message::MessageType;
use crate::pipe::{Consumer, Peer, Producer, SocketPipe};
use crate::protocol::ProtocolInfo;
pub(crate) use linger::Linger;
pub(crate) use stream::{Batching, before_blocking};

/// One side of a new pipe.
pub(crate) struct PipeEnds {
    /// Whence messages come.
    pub(crate) inbound: Consumer,
    /// Where messages go.
    pub(crate) outbound: Producer,
    /// Who is at the other end of both.
    pub(crate) peer: Arc<dyn Peer>,
}

/// The host takes no further pipe: its protocol has one peer only, or the socket is closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// Something to be counted, or told to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointEvent {
    /// An attempt to connect began.
    Connecting,
    /// An attempt to connect succeeded.
    Connected,
    /// An attempt to connect failed.
    ConnectFailed(Error),
    /// A listener accepted a connection.
    Accepted,
    /// A listener could not accept a connection.
    AcceptFailed(Error),
    /// A connection was ended by this side.
    Dropped,
    /// A connection was ended by the other side, by the network, or for what the peer sent.
    Broken,
}

/// What an endpoint must know of its options; they are those of the moment it was made.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `NN_RECONNECT_IVL`.
    pub(crate) reconnect_interval: Duration,
    /// `NN_RECONNECT_IVL_MAX`.
    pub(crate) reconnect_interval_max: Duration,
    /// `NN_IPV4ONLY`.
    pub(crate) ipv4_only: bool,
}

/// How much may wait in a pipe, in bytes of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneLimits {
    /// `NN_RCVBUF`.
    pub(crate) receive: usize,
    /// `NN_SNDBUF`.
    pub(crate) send: usize,
    /// Somebody has set `NN_RCVBUF`.
    pub(crate) receive_is_set: bool,
}

/// A socket, as one of its endpoints sees it.
pub(crate) trait EndpointContext: Send + Sync {
    /// Settings of the endpoint.
    fn settings(&self) -> &Settings;
    /// The socket's protocol. If it does not receive, what a peer sends is dropped.
    fn protocol(&self) -> &'static ProtocolInfo;
    /// Whether a further pipe has a chance: a hint, to turn a peer away before it sends anything.
    fn has_place(&self) -> bool;
    /// The bounds of the lanes of a new pipe.
    fn lane_limits(&self) -> LaneLimits;
    /// Whether `TCP_NODELAY` is to be set.
    fn nodelay(&self) -> bool;
    /// When the messages of the socket are written.
    fn batching(&self) -> &Arc<Batching>;
    /// What the messages of a WebSocket are sent as.
    fn message_type(&self) -> MessageType;
    /// The longest message to take, at present.
    fn max_message(&self) -> Option<usize>;
    /// Tells socket from socket.
    fn socket_number(&self) -> i32;
    /// Gives the socket a pipe. Nothing is sent on it before [`Peer::writable`] was called on the
    /// answer, so that a pipe which the other side refuses can be taken back without loss.
    ///
    /// # Errors
    /// [`Refused`].
    fn attach(&self, ends: PipeEnds) -> Result<Arc<dyn SocketPipe>, Refused>;
    /// Something happened.
    fn report(&self, event: EndpointEvent);
}

/// Something bound or connected.
pub(crate) trait Endpoint: Send + Sync {
    /// Ends the endpoint and its pipes. What was sent on them is still delivered, for as long as
    /// `linger` allows; it knows when that is done. A second call can shorten the time.
    fn close(&self, linger: &Arc<Linger>);
}

/// Binds an endpoint of `host` to `address`.
///
/// # Errors
/// Those of the address, and of the operating system.
pub(crate) fn bind(address: &[u8], host: Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error> {
    match Address::to_bind(address)? {
        Address::Inproc(name) => inproc::bind(name, host),
        Address::Ipc(path) => stream::bind_ipc(&path, host),
        Address::Tcp(address) => stream::bind_tcp(&address, host),
        Address::Ws(address) => stream::bind_ws(&address, host),
    }
}

/// Connects an endpoint of `host` to `address`, now or as soon as there is somebody.
///
/// # Errors
/// Those of the address, and of the operating system.
pub(crate) fn connect(address: &[u8], host: Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error> {
    match Address::to_connect(address)? {
        Address::Inproc(name) => Ok(inproc::connect(name, host)),
        Address::Ipc(path) => stream::connect_ipc(&path, host),
        Address::Tcp(address) => stream::connect_tcp(address, host),
        Address::Ws(address) => stream::connect_ws(address, host),
    }
}
