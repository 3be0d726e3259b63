//! A socket as its transports see it: the context of an endpoint, and the socket's end of a pipe.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::endpoint_connections::{Connection, EndpointConnections};
use super::endpoint_state::SharedEndpointState;
use super::event::{EventKind, SocketEvent};
use super::intake::Keep;
use super::peer_info::EndpointName;
use super::pipes::Pipe;
use super::recent_peers::MAX_PEERS;
use crate::address::Networks;
use crate::error::Error;
use crate::message::MessageType;
use crate::option::{Options, SocketOption};
use crate::pipe::{Change, Edges, End, Entry, Peer, ReadyList, SocketPipe, address_text};
use crate::protocol::{PipeId, PipeOptions, PipeRefused, Protocol, ProtocolInfo};
use crate::reactor::{Reactor, Seat};
use crate::sync::atomic::{Ordering, fence};
use crate::sync::{lock, print};
use crate::transport::{
    Admission, Batching, Endpoint, EndpointContext, EndpointEvent, Keepalive, LaneLimits, PeerWatch,
    PipeEnds, Settings, SharedMemory,
};

/// The context of an endpoint: its socket, and the options as they were when the endpoint was made.
pub(super) struct SocketEndpoint {
    socket: Arc<Socket>,
    settings: Settings,
    pipe_options: PipeOptions,
    state: SharedEndpointState,
    connections: Arc<EndpointConnections>,
    name: Arc<EndpointName>,
}

impl SocketEndpoint {
    /// The context of an endpoint that is being made.
    pub(super) fn new(socket: Arc<Socket>, name: EndpointName, options: &Options) -> SocketEndpoint {
        let priority = |name| u8::try_from(options.size(name)).unwrap_or(u8::MAX);
        let settings = Settings {
            reconnect_interval: options.timeout(SocketOption::ReconnectInterval).unwrap_or_default(),
            reconnect_interval_max: options.timeout(SocketOption::ReconnectIntervalMax).unwrap_or_default(),
            ipv4_only: options.size(SocketOption::Ipv4Only) == 1,
            ipc_permissions: options.int(SocketOption::IpcPermissions).unsigned_abs(),
            shared_memory: SharedMemory::new(
                options.int(SocketOption::IpcSharedMemory).unsigned_abs(),
                &socket.shared_memory,
            ),
            peer_watch: peer_watch(options),
            admission: Admission {
                // Checked when it was set; a text that is not valid would admit nobody.
                networks: Networks::parse(options.bytes(SocketOption::TcpAccept)).unwrap_or(Networks::NONE),
                user: u32::try_from(options.int(SocketOption::IpcPeerUser)).ok(),
                group: u32::try_from(options.int(SocketOption::IpcPeerGroup)).ok(),
            },
            #[cfg(feature = "tls")]
            tls: options.tls.clone(),
        };
        let pipe_options = PipeOptions {
            send_priority: priority(SocketOption::SendPriority),
            receive_priority: priority(SocketOption::ReceivePriority),
            is_filtering: false,
        };
        SocketEndpoint {
            socket,
            settings,
            pipe_options,
            state: Arc::default(),
            connections: Arc::default(),
            name: Arc::new(name),
        }
    }

    /// The name of the endpoint.
    pub(super) fn name(&self) -> &Arc<EndpointName> {
        &self.name
    }

    /// The connections of the endpoint.
    pub(super) fn connections(&self) -> &Arc<EndpointConnections> {
        &self.connections
    }

    /// The state of the endpoint.
    pub(super) fn state(&self) -> &SharedEndpointState {
        &self.state
    }
}

impl EndpointContext for SocketEndpoint {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn protocol(&self) -> &'static ProtocolInfo {
        self.socket.info
    }

    fn accepts_pipe(&self) -> bool {
        !self.socket.info.is_exclusive || self.socket.core.lock().pipes.open() == 0
    }

    fn filters(&self) -> bool {
        self.socket.core.lock().protocol.filters()
    }

    fn lane_limits(&self) -> LaneLimits {
        let options = &self.socket.core.lock().options;
        LaneLimits {
            receive: options.size(SocketOption::ReceiveBuffer),
            send: options.size(SocketOption::SendBuffer),
            receive_is_set: options.is_set(SocketOption::ReceiveBuffer),
        }
    }

    fn nodelay(&self) -> bool {
        self.socket.core.lock().options.nodelay()
    }

    fn batching(&self) -> &Arc<Batching> {
        &self.socket.batching
    }

    fn message_type(&self) -> MessageType {
        self.socket.core.lock().options.message_type()
    }

    fn max_message(&self) -> Option<usize> {
        usize::try_from(self.socket.max_message.load(Ordering::Relaxed)).ok()
    }

    fn reactor(&self) -> io::Result<Arc<Reactor>> {
        self.socket.reactor()
    }

    fn namespace(&self) -> u64 {
        self.socket.seat.as_ref().map_or(0, Seat::context)
    }

    fn socket_number(&self) -> i32 {
        self.socket.id
    }

    fn attach(&self, ends: PipeEnds) -> Result<Arc<dyn SocketPipe>, PipeRefused> {
        let PipeEnds { inbound, outbound, peer, is_filtering } = ends;
        let mut core = self.socket.core.lock();
        if core.is_closing {
            return Err(PipeRefused);
        }
        let id = core.pipes.next_id().ok_or(PipeRefused)?;
        core.protocol.attach(id, PipeOptions { is_filtering, ..self.pipe_options })?;
        let mut pipe = Pipe::new(inbound, outbound, peer, self.name.clone());
        if core.options.int(SocketOption::PeerInfo) == 1 {
            pipe.info = pipe.describe(id);
        }
        if let Some(keep) = keep(&core.options) {
            pipe.drop_old(keep, core.options.size(SocketOption::ReceiveBuffer));
            core.drops_old = true;
            // Before the first edge, which comes after this call.
            self.socket.needs_prompt_processing.store(true, Ordering::Relaxed);
        }
        core.pipes.insert(id, pipe);
        if core.pipes.open() == MAX_PEERS + 1 {
            // From now on receivers read from the recently active ones only.
            core.revoke_direct_reads();
        }
        Ok(Arc::new(PipeHandle {
            socket: self.socket.clone(),
            connection: Connection::new(self.connections.clone()),
            id,
            readable: Entry::new(id.0, Change::Readable),
            writable: Entry::new(id.0, Change::Writable),
            closed: Entry::new(id.0, Change::Closed),
        }))
    }

    fn bound(&self, endpoint: &dyn Endpoint) {
        self.name.bound(endpoint);
        self.report(EndpointEvent::Listening);
    }

    fn report(&self, event: EndpointEvent) {
        self.report_because(event, "");
    }

    #[cfg(feature = "tls")]
    fn explain(&self, event: Option<EndpointEvent>, error: Error, reason: &str) {
        match event {
            Some(event) => self.report_because(event, reason),
            None => self.socket.explain(self.name.bare_address(), error, reason),
        }
    }
}

impl SocketEndpoint {
    /// Counts an event, and prints it with its reason if `NN_PRINT_ERRORS` asks for that.
    fn report_because(&self, event: EndpointEvent, reason: &str) {
        let mut edges = Edges::default();
        let line = {
            let mut state = lock(&self.state);
            let mut core = self.socket.core.lock();
            let begins_attempt = state.begins_attempt(event);
            let new_error = state.report(event, &mut core.statistics);
            if let Some(counters) = core.endpoints.counters.get_mut(&self.name.id) {
                counters.count(event, begins_attempt);
            }
            // A failed handshake is published as the end of its connection, and not as a failure of the endpoint too.
            if (reason.is_empty() || matches!(event, EndpointEvent::Unopened { .. }))
                && core.watch.wants_events()
                && let Some(event) = self.published(event)
            {
                core.watch.publish(SocketEvent { explanation: explanation(reason), ..event }, &mut edges);
            }
            let printed = new_error.filter(|_| self.socket.prints_errors);
            printed.map(|error| error_line(core.options.name(), self.name.bare_address(), error, reason))
        };
        edges.deliver();
        if let Some(line) = line {
            print(&line);
        }
    }
}

/// The explanation of an event. A peer may have a part in the reason, so it is shortened, and has printable ASCII only.
fn explanation(reason: &str) -> Option<String> {
    const LONGEST: usize = 160;
    let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    Some(reason.chars().map(printable).take(LONGEST).collect()).filter(|text: &String| !text.is_empty())
}

/// What new pipes drop, if they drop old messages.
fn keep(options: &Options) -> Option<Keep> {
    let is_on = |option| options.int(option) == 1;
    match (is_on(SocketOption::Conflate), is_on(SocketOption::PreferNew)) {
        (true, _) => Some(Keep::Last),
        (false, true) => Some(Keep::Newest),
        (false, false) => None,
    }
}

/// The options by which the kernel finds out that a peer is gone.
fn peer_watch(options: &Options) -> PeerWatch {
    let seconds = |option| Duration::from_secs(options.int(option).unsigned_abs().into());
    let keepalive = || Keepalive {
        idle: seconds(SocketOption::TcpKeepaliveIdle),
        interval: seconds(SocketOption::TcpKeepaliveInterval),
        count: options.int(SocketOption::TcpKeepaliveCount).unsigned_abs(),
    };
    PeerWatch {
        keepalive: (options.int(SocketOption::TcpKeepalive) == 1).then(keepalive),
        user_timeout: options.timeout(SocketOption::TcpUserTimeout).unwrap_or_default(),
    }
}

impl SocketEndpoint {
    /// What a monitor publishes of an event of the endpoint. Connections are published by their pipes.
    fn published(&self, event: EndpointEvent) -> Option<SocketEvent> {
        match event {
            EndpointEvent::Listening => Some(self.name.event(EventKind::Listening)),
            EndpointEvent::Connecting => Some(self.name.event(EventKind::Connecting)),
            EndpointEvent::Retry(error, delay) => {
                let value = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                Some(SocketEvent { error, value, ..self.name.event(EventKind::Retry) })
            }
            EndpointEvent::AcceptFailed(error) => {
                Some(SocketEvent { error: Some(error), ..self.name.event(EventKind::AcceptFailed) })
            }
            EndpointEvent::Unopened { remote, protocol, end } => {
                let kind = if end.is_refusal() { EventKind::Refused } else { EventKind::HandshakeFailed };
                let mut event = self.name.event(kind);
                if let Some(remote) = remote {
                    event.peer = Some(self.name.with_scheme(address_text(remote).as_bytes()));
                }
                let peer_protocol = (protocol != 0).then_some(protocol);
                Some(SocketEvent { peer_protocol, reason: Some(end.reason), error: end.error, ..event })
            }
            EndpointEvent::Connected
            | EndpointEvent::ConnectFailed(_)
            | EndpointEvent::Accepted
            | EndpointEvent::Dropped
            | EndpointEvent::Broken => None,
        }
    }
}

#[cfg(feature = "tls")]
impl Socket {
    /// Prints an error with its reason, if `NN_PRINT_ERRORS` asks for that. `place` is what it is about.
    pub(super) fn explain(&self, place: &[u8], error: Error, reason: &str) {
        if self.prints_errors {
            let line = error_line(self.core.lock().options.name(), place, error, reason);
            print(&line);
        }
    }
}

/// The line that is printed about an endpoint if `NN_PRINT_ERRORS` is set.
fn error_line(socket: &[u8], address: &[u8], error: Error, reason: &str) -> Vec<u8> {
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let error = format!("]: Error: {error}{reason}\n");
    [b"nanomsg: socket.", socket, b"[", address, error.as_bytes()].concat()
}

/// The socket's end of a pipe.
struct PipeHandle {
    socket: Arc<Socket>,
    connection: Connection,
    id: PipeId,
    /// The pipe's entries on the socket's ready list, one for each kind of edge.
    readable: Arc<Entry>,
    writable: Arc<Entry>,
    closed: Arc<Entry>,
}

impl PipeHandle {
    fn list(&self) -> &ReadyList {
        &self.socket.ready
    }

    /// Processes the ready list if the socket does not leave that to the next call.
    fn process_if_prompt(&self) {
        // Pairs with the fence in `Socket::update_all`: either this thread sees the flag, or the socket
        // sees the entry on its list.
        fence(Ordering::SeqCst);
        if self.socket.needs_prompt_processing.load(Ordering::Relaxed) {
            self.socket.drive();
        }
    }
}

impl Peer for PipeHandle {
    fn readable(self: Arc<Self>, _size: usize) {
        self.list().push(&self.readable);
        self.process_if_prompt();
        self.socket.notify_receiver();
    }

    fn writable(self: Arc<Self>) {
        self.list().push(&self.writable);
        self.process_if_prompt();
        self.socket.notify_sender();
        // After the entry is on the list: the next call finds the pipe.
        if self.connection.open() {
            self.socket.connects.notify_all();
        }
    }
}

impl SocketPipe for PipeHandle {
    fn open(self: Arc<Self>) {
        if !self.socket.is_watched() {
            return;
        }
        let mut edges = Edges::default();
        self.socket.core.lock().announce(self.id, &mut edges);
        edges.deliver();
    }

    fn close(self: Arc<Self>, end: End) {
        self.connection.close();
        if self.socket.is_watched()
            && let Some(pipe) = self.socket.core.lock().pipes.get(self.id)
        {
            pipe.note_end(end);
        }
        self.list().push(&self.closed);
        // Another peer may wait to take the place of this one, and a request may have to be sent to another
        // peer.
        self.socket.drive();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::message::{Metadata, Outgoing, Payload};
    use crate::option::Setting;
    use crate::pipe::{NullPeer, lane};
    use crate::protocol;
    use crate::socket::{AF_SP, Statistic, close, enter, open, recv, send};

    #[test]
    fn nothing_is_sent_on_a_pipe_before_it_is_writable() {
        for (info, at_first) in [
            (&protocol::PAIR, Err(Error::WouldBlock)),
            (&protocol::PUSH, Err(Error::WouldBlock)),
            (&protocol::PUB, Ok(())),
            (&protocol::BUS, Ok(())),
            (&protocol::SURVEYOR, Ok(())),
        ] {
            let id = open(AF_SP, info.number.into()).unwrap();
            let socket = enter(id).unwrap();
            let context = SocketEndpoint::new(
                socket.this.upgrade().unwrap(),
                EndpointName::default(),
                &socket.core.lock().options,
            );
            let (_far_out, inbound) = lane(100);
            let (outbound, mut far_in) = lane(100);
            let Ok(end) = context.attach(PipeEnds::plain(inbound, outbound, Arc::new(NullPeer))) else {
                panic!("{info:?} refused a pipe");
            };
            let send = || send(id, &mut Outgoing::new(Payload::Borrowed(b"x")), true);
            assert_eq!((send(), socket.statistic(Statistic::Connections)), (at_first, Ok(0)), "{info:?}");
            assert!(far_in.is_empty(), "{info:?}");
            end.writable();
            assert_eq!((send(), socket.statistic(Statistic::Connections)), (Ok(()), Ok(1)), "{info:?}");
            assert!(!far_in.is_empty(), "{info:?}");
            drop((context, socket));
            close(id).unwrap();
        }
    }

    /// The socket may be closed as soon as the message is sent, and before the transport calls `open`.
    #[test]
    fn a_connection_is_published_before_a_message_is_sent_on_it() {
        let id = open(AF_SP, protocol::PUSH.number.into()).unwrap();
        let socket = enter(id).unwrap();
        socket
            .set_option(SocketOption::Monitor, Setting::Bytes(b"inproc://published before a message"))
            .unwrap();
        let context = SocketEndpoint::new(
            socket.this.upgrade().unwrap(),
            EndpointName::default(),
            &socket.core.lock().options,
        );
        let (_far_out, inbound) = lane(100);
        let (outbound, _far_in) = lane(100);
        let Ok(end) = context.attach(PipeEnds::plain(inbound, outbound, Arc::new(NullPeer))) else {
            panic!("a pipe was refused");
        };
        end.writable();
        assert_eq!(send(id, &mut Outgoing::new(Payload::Borrowed(b"x")), true), Ok(()));
        let mut is_new = Vec::new();
        socket.core.lock().pipes.for_each_open(|id, pipe| is_new.push(pipe.announce(id).is_some()));
        assert_eq!(is_new, [false]);
        drop((context, socket));
        close(id).unwrap();
    }

    #[test]
    fn a_message_can_be_answered_before_its_pipe_is_reported_writable() {
        for info in [&protocol::REP, &protocol::BUS] {
            let id = open(AF_SP, info.number.into()).unwrap();
            let socket = enter(id).unwrap();
            let context = SocketEndpoint::new(
                socket.this.upgrade().unwrap(),
                EndpointName::default(),
                &socket.core.lock().options,
            );
            let (mut far_out, inbound) = lane(100);
            let (outbound, mut far_in) = lane(100);
            let Ok(end) = context.attach(PipeEnds::plain(inbound, outbound, Arc::new(NullPeer))) else {
                panic!("{info:?} refused a pipe");
            };
            let question = &mut Payload::Borrowed(b"\x80\0\0\x01question");
            assert!(far_out.batch().push(&[], question, Metadata::default()).is_ok());
            end.readable(12);
            assert!(recv(id, true, |_| ()).is_ok(), "{info:?}");
            assert_eq!(send(id, &mut Outgoing::new(Payload::Borrowed(b"answer")), true), Ok(()));
            assert!(!far_in.is_empty(), "{info:?}");
            drop((context, socket));
            close(id).unwrap();
        }
    }
}
