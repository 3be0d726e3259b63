//! What a socket's lock protects: its protocol, its pipes, its options and its endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::endpoint_connections::EndpointConnections;
use super::endpoint_id::EndpointId;
use super::endpoint_state::SharedEndpointState;
use super::event::{EventKind, SocketEvent};
use super::face::{Face, Faces};
use super::monitor::Watch;
use super::peer_info::EndpointName;
use super::pipes::{Finished, Origin, Pipes};
use super::recent_peers::RecentPeers;
use super::statistics::{Statistic, Statistics};
use super::traffic::{EndpointCounters, EndpointStatistics, PipeStatistics, Traffic};
use super::view::{Delay, ReceiverCheck, View};
use crate::message::Metadata;
use crate::option::Options;
use crate::pipe::{Change, Edges, ReadyList};
use crate::protocol::{Context, Machine, PipeId, Protocol, ProtocolInfo, Time};
use crate::reactor::TimerId;
use crate::sync::Uncancellable;
use crate::sync::atomic::AtomicU32;
use crate::transport::{Endpoint, Linger};

/// The most memory, in bytes, that a socket keeps for messages from peers that are gone. Without a bound,
/// peers that connect, fill their lane and disconnect could take any amount.
const MAX_ORPHANED: usize = 64 * 1024 * 1024;
/// About how many bytes of that a pipe takes besides its inbound lane.
const PIPE_FOOTPRINT: usize = 1536;

/// How many unwanted messages are dropped under one hold of the lock, by a call that may take longer. A bound
/// is needed since peers could send such messages faster than they are dropped.
const MAX_DROPS: u32 = 64;
/// The same for the first try of a call, which a signal cannot interrupt yet.
const MAX_DROPS_FIRST_TRY: u32 = 4;

/// In messages. See [`Core::must_test`].
const TEST_INTERVAL: u64 = 64;

/// The state of a socket.
pub(crate) struct Core {
    pub(super) protocol: Machine,
    pub(super) pipes: Pipes,
    /// Pipes that must be detached before the lock is released.
    finished: Finished,
    /// Memory of the pipes whose peers are gone, in bytes, as it was when they went.
    orphaned: usize,
    pub(super) options: Options,
    pub(super) endpoints: Endpoints,
    pub(super) statistics: Statistics,
    /// What the socket shows to its callers; during a call of a context, what that one shows.
    pub(super) face: Face,
    /// What the contexts show, if the socket has any.
    pub(super) faces: Option<Box<Faces>>,
    /// The timer that is set, and when it fires.
    pub(super) timer: Option<(Time, TimerId)>,
    /// The socket is being closed: calls fail.
    pub(super) is_closing: bool,
    /// The linger time of the closing.
    pub(super) linger: Option<Arc<Linger>>,
    /// Whether receivers may read from connections themselves. Not if the protocol forwards: the I/O thread must notice every
    /// message at once, also when no call is made.
    pub(super) may_read_directly: bool,
    /// Whether calls may have acquired direct reads that the I/O thread has not taken over again.
    pub(super) reads_directly: bool,
    /// How often connections that receivers may read from were returned to the I/O thread.
    pub(super) revocations: Arc<AtomicU32>,
    /// Whether a pipe drops old messages: then every edge is processed at once.
    pub(super) drops_old: bool,
    /// How many tasks wait to receive. While there are some, the I/O thread reads, unless the only one looks itself.
    pub(super) receiving_tasks: u32,
    /// Tasks send nothing before this moment, unless the receivers that are far behind catch up; zero if none is.
    pub(super) send_not_before: Time,
    /// Which connections to read from directly, when there are many.
    pub(super) recent_peers: RecentPeers,
    /// Its monitor, and what it has dropped.
    pub(super) watch: Watch,
    /// The counts of sent and of received messages when a caller was last to test whether its thread is cancelled. Of a context,
    /// the number of its calls.
    tested: [u64; 2],
    /// The number of the protocol that its peers have, for events.
    peer_protocol: u16,
}

/// The endpoints of a socket.
#[derive(Default)]
pub(super) struct Endpoints {
    /// The endpoints by id.
    pub(super) open: BTreeMap<i32, OpenEndpoint>,
    /// What is counted for endpoints: for those in `open`, and those that are being made.
    pub(super) counters: BTreeMap<i32, EndpointCounters>,
    /// Endpoints that were shut down and may still be delivering.
    pub(super) closing: Vec<(Arc<Linger>, Arc<dyn Endpoint>)>,
    /// The last id given out.
    last_id: i32,
}

/// An endpoint that was not shut down.
pub(super) struct OpenEndpoint {
    pub(super) endpoint: Arc<dyn Endpoint>,
    pub(super) state: SharedEndpointState,
    pub(super) connections: Arc<EndpointConnections>,
    pub(super) name: Arc<EndpointName>,
}

impl Endpoints {
    /// Whether there has ever been an endpoint.
    pub(super) fn were_used(&self) -> bool {
        self.last_id > 0
    }

    /// The id of the next endpoint. It is never used again, unless it is returned.
    pub(super) fn next_id(&mut self) -> i32 {
        self.last_id += 1;
        self.counters.insert(self.last_id, EndpointCounters::default());
        self.last_id
    }

    /// Counts messages of a connection whose peer is gone, unless the endpoint was shut down.
    fn add_past(&mut self, id: i32, traffic: Traffic) {
        if let Some(counters) = self.counters.get_mut(&id) {
            counters.add(traffic);
        }
    }

    /// Returns the id of an endpoint that could not be made.
    pub(super) fn return_id(&mut self, id: i32) {
        // If another one was given out meanwhile, this one stays unused.
        self.last_id -= i32::from(self.last_id == id);
        self.counters.remove(&id);
    }
}

impl Core {
    /// The state of a new socket with this number and a machine of this protocol. Its pipe ids are counted from `seed`.
    pub(super) fn new(id: i32, info: &ProtocolInfo, protocol: Machine, seed: u32) -> Core {
        let mut pipes = Pipes::new(seed);
        pipes.held.may_matter = info.drops;
        Core {
            protocol,
            pipes,
            finished: Finished::new(),
            orphaned: 0,
            options: Options::new(id),
            endpoints: Endpoints::default(),
            statistics: Statistics::default(),
            face: Face::new(),
            faces: None,
            timer: None,
            is_closing: false,
            linger: None,
            may_read_directly: !info.forwards,
            reads_directly: false,
            revocations: Arc::default(),
            drops_old: false,
            receiving_tasks: 0,
            send_not_before: Time::ZERO,
            recent_peers: RecentPeers::new(),
            watch: Watch::new(id, MAX_DROPS_FIRST_TRY),
            tested: [u64::MAX; 2],
            peer_protocol: info.peer.number,
        }
    }

    /// Whether the caller is to test if its thread is cancelled, before the next message that `statistic` counts: once in each
    /// [`TEST_INTERVAL`]. After the message would be too late: a thread that ends then does not know that it has sent or received it.
    #[inline]
    pub(super) fn must_test(&mut self, statistic: Statistic) -> bool {
        self.statistics[statistic].is_multiple_of(TEST_INTERVAL) && self.was_untested(statistic)
    }

    /// Whether no caller was to test at this count. A context's messages are counted by its parent, so its calls are counted here.
    #[cold]
    fn was_untested(&mut self, statistic: Statistic) -> bool {
        let count = self.statistics[statistic];
        let tested = &mut self.tested[usize::from(statistic == Statistic::MessagesReceived)];
        if self.is_closing {
            *tested = tested.wrapping_add(1);
            return tested.is_multiple_of(TEST_INTERVAL);
        }
        std::mem::replace(tested, count) != count
    }

    /// Calls the protocol with its context.
    #[inline]
    pub(super) fn call<R>(
        &mut self,
        edges: &mut Edges,
        call: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> R {
        let (protocol, mut view) = self.protocol_and_view(Metadata::default(), ReceiverCheck::NONE, edges);
        call(protocol, &mut view)
    }

    /// As `call`, for sending a message with this metadata. Returns also what the sender must do because of `check`.
    #[inline]
    pub(super) fn call_to_send<R>(
        &mut self,
        metadata: Metadata,
        check: ReceiverCheck,
        edges: &mut Edges,
        call: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> (R, Delay) {
        if let ReceiverCheck::Lag { .. } = check {
            self.pipes.begin_lagging();
        }
        let (protocol, mut view) = self.protocol_and_view(metadata, check, edges);
        let result = call(protocol, &mut view);
        (result, view.delay)
    }

    // A call without a delay must not pass through one that returns it: its result, which is large, would be copied.
    #[inline]
    fn protocol_and_view<'a>(
        &'a mut self,
        metadata: Metadata,
        check: ReceiverCheck,
        edges: &'a mut Edges,
    ) -> (&'a mut Machine, View<'a>) {
        let view = View {
            pipes: &mut self.pipes,
            edges,
            finished: &mut self.finished,
            options: &self.options,
            watch: &mut self.watch,
            metadata,
            lanes: 1,
            check,
            delay: Delay::None,
        };
        (&mut self.protocol, view)
    }

    /// Passes every edge on the ready list to the protocol, and detaches the pipes that have ended.
    #[inline]
    pub(super) fn process_ready(&mut self, ready: &ReadyList, edges: &mut Edges) {
        if self.has_work(ready) {
            self.process_all(ready, edges);
        }
    }

    /// Whether there is work for [`process_ready`](Core::process_ready).
    #[inline]
    pub(super) fn has_work(&self, ready: &ReadyList) -> bool {
        !ready.is_empty() || !self.finished.is_empty()
    }

    /// Raises the number of messages that may be dropped under this hold of the lock: the caller may take
    /// longer.
    pub(super) fn allow_more_drops(&mut self) {
        self.watch.drops_left = MAX_DROPS;
    }

    /// Whether messages were dropped under this hold of the lock, or their number was raised.
    #[inline]
    pub(super) fn has_dropped(&self) -> bool {
        self.watch.drops_left != MAX_DROPS_FIRST_TRY
    }

    /// Whether the protocol has dropped as many unwanted messages as it may under this hold of the lock.
    /// There may be more messages behind them, which no edge will announce.
    pub(super) fn hit_drop_limit(&self) -> bool {
        self.watch.drops_left == 0
    }

    /// Ends the count of dropped messages, before the lock is released. Returns whether the protocol has
    /// hit the drop limit.
    pub(super) fn reset_drops(&mut self) -> bool {
        std::mem::replace(&mut self.watch.drops_left, MAX_DROPS_FIRST_TRY) == 0
    }

    fn process_all(&mut self, ready: &ReadyList, edges: &mut Edges) {
        let _uncancellable = Uncancellable::begin();
        self.detach_finished(edges);
        while !ready.is_empty() {
            ready.take(|key, change| {
                self.process_edge(PipeId(key), change, edges);
                // At once, so that the list stays short when many peers go away.
                self.detach_finished(edges);
            });
        }
    }

    fn detach_finished(&mut self, edges: &mut Edges) {
        while let Some(id) = self.finished.pop() {
            self.call(edges, |protocol, context| protocol.detach(id, context));
            self.recent_peers.forget(id);
            let Some(mut pipe) = self.pipes.remove(id) else { continue };
            self.orphaned -= pipe.orphaned;
            if let Some(event) = pipe.disconnected() {
                self.watch.publish(event, edges);
            }
        }
    }

    /// A message of `length` bytes was taken from a mailbox or of a peer that is gone. If it was the last one of that peer, the end of the pipe
    /// is published. The pipe stays until the protocol looks at it again, since it may belong to a request that is not
    /// answered yet.
    #[cold]
    pub(super) fn note_taken(&mut self, id: PipeId, length: usize, edges: &mut Edges) {
        let received = Traffic::received(length);
        let Some(pipe) = self.pipes.get(id) else { return };
        if let Some(Origin { pipe, endpoint, .. }) = pipe.origins.pop_front() {
            let pipe = self.pipes.get(pipe);
            let is_past = pipe.as_ref().is_none_or(|pipe| pipe.peer.is_none());
            if let Some(pipe) = pipe {
                pipe.traffic += received;
            }
            if is_past {
                self.endpoints.add_past(endpoint, received);
            }
            return;
        }
        if let Some(endpoint) = &pipe.endpoint {
            self.endpoints.add_past(endpoint.id, received);
        }
        if pipe.inbound.is_empty()
            && let Some(event) = pipe.disconnected()
        {
            self.watch.publish(event, edges);
        }
    }

    /// The value of a statistic other than [`Statistic::SendPriority`], which is a question to the protocol.
    pub(super) fn statistic(&self, statistic: Statistic) -> u64 {
        match statistic {
            Statistic::Connections => self.pipes.ready() as u64,
            Statistic::Subscriptions => self.protocol.subscriptions(),
            Statistic::InvalidMessages => self.protocol.invalid_messages(),
            Statistic::MessagesDropped => self.watch.dropped,
            counter => self.statistics[counter],
        }
    }

    /// The statistics of a connection; `None` if there is no such pipe.
    pub(super) fn pipe_statistics(&mut self, id: PipeId) -> Option<PipeStatistics> {
        let pipe = self.pipes.get(id)?;
        let traffic = match pipe.peer {
            Some(_) => pipe.traffic_with(self.protocol.missed_by(id)),
            None => pipe.traffic,
        };
        Some(PipeStatistics {
            pipe: id.0.into(),
            endpoint: EndpointId(pipe.endpoint.as_ref()?.id),
            is_connected: pipe.peer.is_some(),
            traffic,
        })
    }

    /// The statistics of an endpoint; `None` if there is no such endpoint.
    pub(super) fn endpoint_statistics(&mut self, id: i32) -> Option<EndpointStatistics> {
        let mut statistics = self.endpoints.counters.get(&id)?.statistics(EndpointId(id));
        self.pipes.for_each_open(|pipe_id, pipe| {
            if pipe.endpoint.as_ref().is_some_and(|endpoint| endpoint.id == id) {
                statistics.add(pipe.is_ready, pipe.traffic_with(self.protocol.missed_by(pipe_id)));
            }
        });
        Some(statistics)
    }

    /// Publishes that both sides have accepted a pipe, once, and not if its peer is gone.
    pub(super) fn announce(&mut self, id: PipeId, edges: &mut Edges) {
        if self.watch.wants_events()
            && let Some(event) = self.connected(id)
        {
            self.watch.publish(event, edges);
        }
    }

    fn connected(&mut self, id: PipeId) -> Option<SocketEvent> {
        let pipe = self.pipes.get(id)?;
        let info = pipe.announce(id)?;
        let is_bound = pipe.endpoint.as_ref()?.is_bound;
        let kind = if is_bound { EventKind::Accepted } else { EventKind::Connected };
        Some(SocketEvent { peer_protocol: Some(self.peer_protocol), ..info.event(kind) })
    }

    fn process_edge(&mut self, id: PipeId, change: Change, edges: &mut Edges) {
        let Some(pipe) = self.pipes.get(id) else { return };
        // A peer that has sent a message has accepted the pipe, even if the transport has not reported that
        // yet.
        if change == Change::Writable || change == Change::Readable && !pipe.is_ready {
            if !std::mem::replace(&mut pipe.is_ready, true) {
                // Before a message is sent, after which the socket may be closed.
                self.announce(id, edges);
            }
            self.call(edges, |protocol, context| protocol.writable(id, context));
        }
        match change {
            Change::Writable => {}
            Change::Readable => {
                self.take_in(id, edges);
                self.call(edges, |protocol, context| protocol.readable(id, context));
            }
            Change::Closed => {
                // The messages before the close may have no edge of their own any more.
                if self.drops_old {
                    self.take_in(id, edges);
                    self.call(edges, |protocol, context| protocol.readable(id, context));
                    if let Some(pipe) = self.pipes.get(id) {
                        pipe.end_intake();
                    }
                }
                self.pipes.take_held_of(id, edges);
                self.release_peer(id);
                self.call(edges, |protocol, context| {
                    protocol.closing(id, context);
                    // If the lane is empty, this finishes the pipe.
                    context.front(id);
                });
            }
        }
    }

    /// Moves what the peer of a pipe has sent into its inbound lane, if the pipe drops old messages.
    fn take_in(&mut self, id: PipeId, edges: &mut Edges) {
        if self.drops_old
            && let Some(pipe) = self.pipes.get(id)
            && pipe.take_in(|message| self.protocol.wants(message))
            && let Some(peer) = &pipe.peer
        {
            edges.add_writable(peer);
        }
    }

    /// Releases the peer of a pipe, and so its descriptor. What it sent is still received, within
    /// [`MAX_ORPHANED`].
    fn release_peer(&mut self, id: PipeId) {
        if self.pipes.release_peer(id)
            && let Some(pipe) = self.pipes.get(id)
        {
            pipe.traffic.messages_dropped = self.protocol.missed_by(id);
            if let Some(endpoint) = &pipe.endpoint {
                self.endpoints.add_past(endpoint.id, pipe.traffic);
            }
            let footprint = pipe.inbound.footprint() + PIPE_FOOTPRINT;
            if self.orphaned + footprint <= MAX_ORPHANED {
                pipe.orphaned = footprint;
                self.orphaned += footprint;
            } else {
                pipe.finish(id, &mut self.finished);
            }
        }
    }

    /// Updates the descriptors for polling, and notifies the registered calls.
    // Always inlined: it is part of each call of a protocol that acts between calls.
    #[inline(always)]
    pub(super) fn update_pollables(&mut self, edges: &mut Edges) {
        if let Some(mut pollable) = self.face.receivable.take() {
            pollable.set(self.call(edges, |protocol, context| protocol.can_recv(context)));
            self.face.receivable = Some(pollable);
        }
        if let Some(mut pollable) = self.face.sendable.take() {
            pollable.set(self.call(edges, |protocol, context| protocol.can_send(context)));
            self.face.sendable = Some(pollable);
        }
        if !self.face.registrations.is_empty() {
            self.notify_registered(edges);
        }
    }

    /// Notifies the registered calls that can go on. Calls that wait for a message also go on if the protocol has hit the drop limit
    /// while calls read from the connections: unwanted messages may then fill the lane of a connection, and its readable
    /// descriptor would wake such a call without end until another thread drops them.
    fn notify_registered(&mut self, edges: &mut Edges) {
        let (receive, send) = self.face.registrations.interests();
        let can_recv = receive
            && (self.call(edges, |protocol, context| protocol.can_recv(context))
                || self.reads_directly && self.hit_drop_limit());
        let can_send = send && self.call(edges, |protocol, context| protocol.can_send(context));
        if can_recv || can_send {
            self.face.registrations.notify(can_recv, can_send);
        }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;
    use crate::protocol;

    #[test]
    fn a_caller_tests_before_each_64th_message() {
        let mut core = Core::new(1, &protocol::SUB, (protocol::SUB.machine)(false, 0), 0);
        let tests = |core: &mut Core| core.must_test(Statistic::MessagesReceived);
        for count in 0..200 {
            core.statistics[Statistic::MessagesReceived] = count;
            assert_eq!([tests(&mut core), tests(&mut core)], [count % 64 == 0, false]);
        }
        // Threads that send and receive at the same time do not make each other test again.
        core.statistics[Statistic::MessagesReceived] = 0;
        assert!(core.must_test(Statistic::MessagesSent) && tests(&mut core));
        assert!(!core.must_test(Statistic::MessagesSent) && !tests(&mut core));
    }

    #[test]
    fn a_caller_tests_in_each_64th_call_of_a_context() {
        let mut core = Core::new(1, &protocol::SUB, (protocol::SUB.machine)(false, 0), 0);
        core.is_closing = true;
        let tests = (0..640).filter(|_| core.must_test(Statistic::MessagesReceived)).count();
        assert_eq!(tests, 10);
    }
}
