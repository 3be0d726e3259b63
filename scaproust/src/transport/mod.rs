//! `bind` and `connect`: an address becomes pipes.
//!
//! Owns the transports: inproc joins two sockets of the process by a pair of lanes; tcp, ipc and
//! ws put a connection behind each pipe, also over sockets that the program has opened, and over streams of its own transports. Must not know
//! sockets, nor what a protocol does with a message: a socket gives each endpoint an [`EndpointContext`],
//! the endpoint attaches pipes to it, and reports edges and the end of each pipe to its [`SocketPipe`].

mod admission;
#[cfg(all(unix, not(simulated)))]
pub(crate) mod custom;
mod inproc;
mod linger;
mod shared_memory;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::error::Error;
use crate::message::MessageType;
use crate::pipe::{Consumer, End, Peer, Producer, SocketPipe};
use crate::protocol::{PipeRefused, ProtocolInfo};
use crate::reactor::{self, Reactor};
pub(crate) use admission::Admission;
pub(crate) use linger::Linger;
pub(crate) use shared_memory::SharedMemory;
#[cfg(all(feature = "tls", unix, any(fuzzing, test), not(any(loom, simulated))))]
pub(crate) use stream::Secured;
pub(crate) use stream::{Batching, Gathers, OtherTeller, before_blocking, do_messages_gather};

/// The ends of a new pipe's two lanes that one socket has.
pub(crate) struct PipeEnds {
    /// The end from which the socket takes received messages.
    pub(crate) inbound: Consumer,
    /// The end into which the socket puts messages to be sent.
    pub(crate) outbound: Producer,
    /// The other side of both lanes.
    pub(crate) peer: Arc<dyn Peer>,
    /// Both sides want the publisher to filter.
    pub(crate) is_filtering: bool,
}

impl PipeEnds {
    /// The ends of a pipe on which no publisher filters.
    pub(crate) fn plain(inbound: Consumer, outbound: Producer, peer: Arc<dyn Peer>) -> PipeEnds {
        PipeEnds { inbound, outbound, peer, is_filtering: false }
    }
}

/// An event of an endpoint, for `nn_get_statistic`, `NN_PRINT_ERRORS` and `NN_MONITOR`.
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
    /// A connection was ended by the other side or by the network, or because of what the peer sent.
    Broken,
    /// The endpoint is bound: connections may come from now on. Transports call [`EndpointContext::bound`].
    Listening,
    /// The next attempt to connect begins after this time. The error is that of the attempt before, if it has failed.
    Retry(Option<Error>, Duration),
    /// A connection was refused, or has ended before it had a pipe.
    Unopened {
        /// The peer's network address.
        remote: Option<SocketAddr>,
        /// The protocol that the peer has named; 0 if it has named none.
        protocol: u16,
        /// Why there is no pipe.
        end: End,
    },
}

/// The options that an endpoint needs, as they were when it was created.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `NN_RECONNECT_IVL`.
    pub(crate) reconnect_interval: Duration,
    /// `NN_RECONNECT_IVL_MAX`.
    pub(crate) reconnect_interval_max: Duration,
    /// `NN_IPV4ONLY`.
    pub(crate) ipv4_only: bool,
    /// `NN_IPC_PERMISSIONS`: zero if the umask decides.
    pub(crate) ipc_permissions: u32,
    /// `NN_IPC_SHM`.
    pub(crate) shared_memory: SharedMemory,
    /// `NN_TCP_KEEPALIVE` and the options beside it.
    pub(crate) peer_watch: PeerWatch,
    /// Which peers a bound endpoint accepts.
    pub(crate) admission: Admission,
    /// The options of level `NN_TLS`.
    #[cfg(feature = "tls")]
    pub(crate) tls: Arc<crate::tls::Settings>,
}

/// How the kernel finds out that the peer of a TCP connection is gone.
#[cfg_attr(simulated, expect(dead_code, reason = "the machine's streams have no such options"))]
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerWatch {
    /// How it probes a silent peer, if it does.
    pub(crate) keepalive: Option<Keepalive>,
    /// How long sent bytes may stay unacknowledged; zero: the system's default.
    pub(crate) user_timeout: Duration,
}

/// The probes of a silent peer. Zero means the system's default.
#[cfg_attr(simulated, expect(dead_code, reason = "the machine's streams have no such options"))]
#[derive(Clone, Debug)]
pub(crate) struct Keepalive {
    /// How long the peer has been silent before the first probe.
    pub(crate) idle: Duration,
    /// The time between two probes.
    pub(crate) interval: Duration,
    /// How many unanswered probes end the connection.
    pub(crate) count: u32,
}

/// The bounds of a pipe's lanes in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneLimits {
    /// `NN_RCVBUF`.
    pub(crate) receive: usize,
    /// `NN_SNDBUF`.
    pub(crate) send: usize,
    /// Whether the program has set `NN_RCVBUF`.
    pub(crate) receive_is_set: bool,
}

/// A socket, as one of its endpoints sees it. What has a default is, by default, as for a socket that the program does not have:
/// it has no number and no options, and nothing counts its events.
pub(crate) trait EndpointContext: Send + Sync {
    /// The settings of the endpoint.
    fn settings(&self) -> &Settings;
    /// The socket's protocol. If it cannot receive, messages of the peers are dropped.
    fn protocol(&self) -> &'static ProtocolInfo;
    /// Whether [`EndpointContext::attach`] is likely to succeed: a hint, by which a peer is refused before
    /// it has sent anything.
    fn accepts_pipe(&self) -> bool {
        true
    }
    /// Whether a new pipe is filtering if the peer wants that as well.
    fn filters(&self) -> bool {
        false
    }
    /// The bounds of a new pipe's lanes.
    fn lane_limits(&self) -> LaneLimits;
    /// Whether connections set `TCP_NODELAY`: yes, unless the program has set `NN_TCP_NODELAY` to 0.
    fn nodelay(&self) -> bool {
        true
    }
    /// The socket's state of batching, which decides when its messages are written.
    fn batching(&self) -> &Arc<Batching>;
    /// The type in which WebSocket messages are sent that have none of their own.
    fn message_type(&self) -> MessageType {
        MessageType::Binary
    }
    /// The longest message to receive in bytes (`NN_RCVMAXSIZE`), at present.
    fn max_message(&self) -> Option<usize> {
        None
    }
    /// The reactor that serves the socket's connections. Starts one, and its thread, if there is none.
    ///
    /// # Errors
    /// The operating system's, when it has no descriptor or thread to spare.
    fn reactor(&self) -> io::Result<Arc<Reactor>> {
        reactor::current()
    }
    /// Sockets with the same number share the names of inproc.
    fn namespace(&self) -> u64 {
        0
    }
    /// The number of the socket, by which two contexts are compared; -1 is that of no socket of the program.
    fn socket_number(&self) -> i32 {
        -1
    }
    /// Gives the socket a pipe. The socket sends nothing on it before [`Peer::writable`] is called on the
    /// returned end, so that a pipe which the other side refuses can be withdrawn without loss.
    ///
    /// # Errors
    /// [`PipeRefused`].
    fn attach(&self, ends: PipeEnds) -> Result<Arc<dyn SocketPipe>, PipeRefused>;
    /// The endpoint is bound, and its address known: connections may come from now on.
    fn bound(&self, _endpoint: &dyn Endpoint) {}
    /// Counts an event, and prints it if `NN_PRINT_ERRORS` asks for that.
    fn report(&self, _event: EndpointEvent) {}
    /// Prints an error with its reason, if `NN_PRINT_ERRORS` asks for that. An event is counted, and not printed if it is
    /// an error that was printed before. [`EndpointEvent::Unopened`] is reported, with the reason as its explanation.
    #[cfg(feature = "tls")]
    fn explain(&self, _event: Option<EndpointEvent>, _error: Error, _reason: &str) {}
}

/// A bound or connected address of a socket.
pub(crate) trait Endpoint: Send + Sync {
    /// Closes the endpoint and its pipes. Messages already sent on them are delivered until the deadline
    /// of `linger`, which counts the connections that are not done. A second call replaces the deadline.
    fn close(&self, linger: &Arc<Linger>);

    /// The call that has made the endpoint succeeds: what the program has given belongs to the endpoint. If the call fails, the
    /// endpoint is closed without this.
    fn keep(&self) {}

    /// The process exits: removes the file of a bound endpoint, if there is one. Waits for no lock.
    fn remove_file(&self) {}

    /// The endpoint's address, which the program has `given`, with what the system has chosen: the port if that was 0,
    /// for example.
    fn address(&self, given: &[u8]) -> Vec<u8> {
        given.to_owned()
    }

    /// The network address at which a bound endpoint listens, if it is one of tcp or ws and not closed.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Reads the files of TLS again, for new connections.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] without TLS or for a bad file, or the operating system's; nothing has changed then.
    #[cfg(feature = "tls")]
    fn reload(&self) -> Result<(), Error> {
        Err(Error::InvalidArgument)
    }
}

/// Binds an endpoint to `address`.
///
/// # Errors
/// Those of the address, and of the operating system.
pub(crate) fn bind(address: &[u8], context: Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error> {
    let known = match Address::to_bind(address) {
        #[cfg(all(unix, not(simulated)))]
        Err(Error::UnknownTransport) => {
            let (transport, rest) = custom::find(address)?;
            return stream::custom::bind(&*transport, rest, context);
        }
        known => known?,
    };
    match known {
        Address::Inproc(name) => inproc::bind(name, context),
        Address::Ipc(name) => stream::bind_ipc(&name, context),
        Address::Tcp(address) => stream::bind_tcp(&address, context),
        Address::Ws(address) => stream::bind_ws(&address, context),
        #[cfg(all(unix, not(simulated)))]
        Address::Descriptor(address) => stream::given::bind(&address, context),
        #[cfg(not(all(unix, not(simulated))))]
        Address::Descriptor(_) => Err(Error::UnknownTransport),
        #[cfg(feature = "tls")]
        Address::Tls(address) => stream::bind_tls(&address, context),
        #[cfg(feature = "tls")]
        Address::Wss(address) => stream::bind_wss(&address, context),
    }
}

/// Connects an endpoint to `address`, now or as soon as a peer is there.
///
/// # Errors
/// Those of the address, and of the operating system.
pub(crate) fn connect(address: &[u8], context: Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error> {
    let known = match Address::to_connect(address) {
        #[cfg(all(unix, not(simulated)))]
        Err(Error::UnknownTransport) => {
            let (transport, rest) = custom::find(address)?;
            return stream::custom::connect(transport, rest, context);
        }
        known => known?,
    };
    match known {
        Address::Inproc(name) => Ok(inproc::connect(name, context)),
        Address::Ipc(name) => stream::connect_ipc(&name, context),
        Address::Tcp(address) => stream::connect_tcp(address, context),
        Address::Ws(address) => stream::connect_ws(address, context),
        #[cfg(all(unix, not(simulated)))]
        Address::Descriptor(address) => stream::given::connect(&address, context),
        #[cfg(not(all(unix, not(simulated))))]
        Address::Descriptor(_) => Err(Error::UnknownTransport),
        #[cfg(feature = "tls")]
        Address::Tls(address) => stream::connect_tls(address, context),
        #[cfg(feature = "tls")]
        Address::Wss(address) => stream::connect_wss(address, context),
    }
}
