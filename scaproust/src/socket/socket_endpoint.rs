//! A socket as its transports see it: the context of an endpoint, and the socket's end of a pipe.

use std::sync::Arc;

use super::Socket;
use super::endpoint_state::SharedEndpointState;
use super::pipes::Pipe;
use super::recent_peers::MAX_PEERS;
use crate::error::Error;
use crate::message::MessageType;
use crate::option::{Options, SocketOption};
use crate::pipe::{Change, Entry, Peer, ReadyList, SocketPipe};
use crate::protocol::{PipeOptions, PipeRefused, Protocol, ProtocolInfo};
use crate::sync::atomic::{Ordering, fence};
use crate::sync::{lock, print};
use crate::transport::{Batching, EndpointContext, EndpointEvent, LaneLimits, PipeEnds, Settings};

/// The context of an endpoint: its socket, and the options as they were when the endpoint was made.
pub(super) struct SocketEndpoint {
    socket: Arc<Socket>,
    settings: Settings,
    pipe_options: PipeOptions,
    state: SharedEndpointState,
    /// The address without its transport, for error messages.
    address: Vec<u8>,
}

impl SocketEndpoint {
    /// The context of an endpoint that is being made.
    pub(super) fn new(socket: Arc<Socket>, address: &[u8], options: &Options) -> SocketEndpoint {
        let priority = |name| u8::try_from(options.size(name)).unwrap_or(u8::MAX);
        let settings = Settings {
            reconnect_interval: options.timeout(SocketOption::ReconnectInterval).unwrap_or_default(),
            reconnect_interval_max: options.timeout(SocketOption::ReconnectIntervalMax).unwrap_or_default(),
            ipv4_only: options.size(SocketOption::Ipv4Only) == 1,
        };
        let pipe_options = PipeOptions {
            send_priority: priority(SocketOption::SendPriority),
            receive_priority: priority(SocketOption::ReceivePriority),
            is_filtering: false,
        };
        let scheme = address.windows(3).position(|bytes| bytes == b"://");
        let address = address[scheme.map_or(0, |length| length + 3)..].to_owned();
        SocketEndpoint { socket, settings, pipe_options, state: Arc::default(), address }
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
        core.pipes.insert(id, Pipe::new(inbound, outbound, peer));
        if core.pipes.open() == MAX_PEERS + 1 {
            // From now on receivers read from the recently active ones only.
            core.revoke_direct_reads();
        }
        Ok(Arc::new(PipeHandle {
            socket: self.socket.clone(),
            readable: Entry::new(id.0, Change::Readable),
            writable: Entry::new(id.0, Change::Writable),
            closed: Entry::new(id.0, Change::Closed),
        }))
    }

    fn report(&self, event: EndpointEvent) {
        let line = {
            let mut state = lock(&self.state);
            let mut core = self.socket.core.lock();
            let new_error = state.report(event, &mut core.statistics);
            let printed = new_error.filter(|_| self.socket.prints_errors);
            printed.map(|error| error_line(core.options.name(), &self.address, error))
        };
        if let Some(line) = line {
            print(&line);
        }
    }
}

/// The line that is printed about an endpoint if `NN_PRINT_ERRORS` is set.
fn error_line(socket: &[u8], address: &[u8], error: Error) -> Vec<u8> {
    let error = format!("]: Error: {error}\n");
    [b"nanomsg: socket.", socket, b"[", address, error.as_bytes()].concat()
}

/// The socket's end of a pipe.
struct PipeHandle {
    socket: Arc<Socket>,
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
        self.socket.receivers.notify_one();
    }

    fn writable(self: Arc<Self>) {
        self.list().push(&self.writable);
        self.process_if_prompt();
        self.socket.senders.notify_one();
    }
}

impl SocketPipe for PipeHandle {
    fn close(self: Arc<Self>) {
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
            let context =
                SocketEndpoint::new(socket.this.upgrade().unwrap(), b"", &socket.core.lock().options);
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

    #[test]
    fn a_message_can_be_answered_before_its_pipe_is_reported_writable() {
        for info in [&protocol::REP, &protocol::BUS] {
            let id = open(AF_SP, info.number.into()).unwrap();
            let socket = enter(id).unwrap();
            let context =
                SocketEndpoint::new(socket.this.upgrade().unwrap(), b"", &socket.core.lock().options);
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
