//! What a socket's lock protects: its protocol, its pipes, its options and its endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::endpoint_state::SharedEndpointState;
use super::pipes::{Delay, Finished, Pipes, ReceiverCheck, View};
use super::poll_waiter::Registrations;
use super::pollable::Pollable;
use super::recent_peers::RecentPeers;
use super::statistics::Statistics;
use crate::message::Metadata;
use crate::option::Options;
use crate::pipe::{Change, Edges, ReadyList};
use crate::protocol::{Context, Machine, PipeId, Protocol, Time};
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

/// The state of a socket.
pub(crate) struct Core {
    pub(super) protocol: Machine,
    pub(super) pipes: Pipes,
    /// Pipes that must be detached before the lock is released.
    finished: Finished,
    /// How many more messages may be dropped under this hold of the lock.
    drops_left: u32,
    /// Memory of the pipes whose peers are gone, in bytes, as it was when they went.
    orphaned: usize,
    pub(super) options: Options,
    pub(super) endpoints: Endpoints,
    pub(super) statistics: Statistics,
    /// `NN_SNDFD`, once a program has asked for it.
    pub(super) sendable: Option<Pollable>,
    /// `NN_RCVFD`, once a program has asked for it.
    pub(super) receivable: Option<Pollable>,
    /// Calls that poll this socket among others.
    pub(super) registrations: Registrations,
    /// How many times in a row such calls found nothing to receive.
    pub(super) empty_polls: u32,
    /// The timer that is set, and when it fires.
    pub(super) timer: Option<(Time, TimerId)>,
    /// The socket is being closed: calls fail.
    pub(super) is_closing: bool,
    /// The linger time of the closing.
    pub(super) linger: Option<Arc<Linger>>,
    /// Whether something was sent since the last message was received.
    pub(super) has_sent: bool,
    /// Whether calls may have acquired direct reads that the I/O thread has not taken over again.
    pub(super) reads_directly: bool,
    /// How often connections that receivers may read from were returned to the I/O thread.
    pub(super) revocations: Arc<AtomicU32>,
    /// How many tasks wait to receive. While there are some, the I/O thread reads.
    pub(super) receiving_tasks: u32,
    /// Tasks send nothing before this moment, since a receiver is far behind; zero if none is.
    pub(super) send_not_before: Time,
    /// Which connections to read from directly, when there are many.
    pub(super) recent_peers: RecentPeers,
}

/// The endpoints of a socket.
#[derive(Default)]
pub(super) struct Endpoints {
    /// The endpoints by id, each with its state.
    pub(super) open: BTreeMap<i32, (Arc<dyn Endpoint>, SharedEndpointState)>,
    /// Endpoints that were shut down and may still be delivering.
    pub(super) closing: Vec<(Arc<Linger>, Arc<dyn Endpoint>)>,
    /// The last id given out.
    last_id: i32,
}

impl Endpoints {
    /// Inserts an endpoint. Returns its id, which is never used again.
    pub(super) fn insert(&mut self, endpoint: Arc<dyn Endpoint>, state: SharedEndpointState) -> i32 {
        self.last_id += 1;
        self.open.insert(self.last_id, (endpoint, state));
        self.last_id
    }
}

impl Core {
    /// The state of a new socket with this number. Its pipe ids are counted from `seed`.
    pub(super) fn new(id: i32, protocol: Machine, seed: u32) -> Core {
        Core {
            protocol,
            pipes: Pipes::new(seed),
            finished: Finished::new(),
            drops_left: MAX_DROPS_FIRST_TRY,
            orphaned: 0,
            options: Options::new(id),
            endpoints: Endpoints::default(),
            statistics: Statistics::default(),
            sendable: None,
            receivable: None,
            registrations: Registrations::new(),
            empty_polls: 0,
            timer: None,
            is_closing: false,
            linger: None,
            has_sent: false,
            reads_directly: false,
            revocations: Arc::default(),
            receiving_tasks: 0,
            send_not_before: Time::ZERO,
            recent_peers: RecentPeers::new(),
        }
    }

    /// Calls the protocol with its context.
    pub(super) fn call<R>(
        &mut self,
        edges: &mut Edges,
        call: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> R {
        self.call_to_send(Metadata::default(), ReceiverCheck::None, edges, call).0
    }

    /// As `call`, for sending a message with this metadata. Returns also what the sender must do because of `check`.
    pub(super) fn call_to_send<R>(
        &mut self,
        metadata: Metadata,
        check: ReceiverCheck,
        edges: &mut Edges,
        call: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> (R, Delay) {
        let mut view = View {
            pipes: &mut self.pipes,
            edges,
            finished: &mut self.finished,
            options: &self.options,
            drops_left: &mut self.drops_left,
            metadata,
            check,
            delay: Delay::None,
        };
        let result = call(&mut self.protocol, &mut view);
        (result, view.delay)
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
        self.drops_left = MAX_DROPS;
    }

    /// Whether messages were dropped under this hold of the lock, or their number was raised.
    #[inline]
    pub(super) fn has_dropped(&self) -> bool {
        self.drops_left != MAX_DROPS_FIRST_TRY
    }

    /// Whether the protocol has dropped as many unwanted messages as it may under this hold of the lock.
    /// There may be more messages behind them, which no edge will announce.
    pub(super) fn hit_drop_limit(&self) -> bool {
        self.drops_left == 0
    }

    /// Ends the count of dropped messages, before the lock is released. Returns whether the protocol has
    /// hit the drop limit.
    pub(super) fn reset_drops(&mut self) -> bool {
        std::mem::replace(&mut self.drops_left, MAX_DROPS_FIRST_TRY) == 0
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
            self.orphaned -= self.pipes.remove(id).map_or(0, |pipe| pipe.orphaned);
        }
    }

    fn process_edge(&mut self, id: PipeId, change: Change, edges: &mut Edges) {
        let Some(pipe) = self.pipes.get(id) else { return };
        // A peer that has sent a message has accepted the pipe, even if the transport has not reported that
        // yet.
        if change == Change::Writable || change == Change::Readable && !pipe.is_ready {
            pipe.is_ready = true;
            self.call(edges, |protocol, context| protocol.writable(id, context));
        }
        match change {
            Change::Writable => {}
            Change::Readable => self.call(edges, |protocol, context| protocol.readable(id, context)),
            Change::Closed => {
                self.release_peer(id);
                self.call(edges, |protocol, context| {
                    protocol.closing(id, context);
                    // If the lane is empty, this finishes the pipe.
                    context.front(id);
                });
            }
        }
    }

    /// Releases the peer of a pipe, and so its descriptor. What it sent is still received, within
    /// [`MAX_ORPHANED`].
    fn release_peer(&mut self, id: PipeId) {
        if self.pipes.release_peer(id)
            && let Some(pipe) = self.pipes.get(id)
        {
            let footprint = pipe.inbound.shrink() + PIPE_FOOTPRINT;
            if self.orphaned + footprint <= MAX_ORPHANED {
                pipe.orphaned = footprint;
                self.orphaned += footprint;
            } else {
                pipe.finish(id, &mut self.finished);
            }
        }
    }

    /// Updates the descriptors for polling, and notifies the registered calls.
    pub(super) fn update_pollables(&mut self, edges: &mut Edges) {
        if let Some(mut pollable) = self.receivable.take() {
            pollable.set(self.call(edges, |protocol, context| protocol.can_recv(context)));
            self.receivable = Some(pollable);
        }
        if let Some(mut pollable) = self.sendable.take() {
            pollable.set(self.call(edges, |protocol, context| protocol.can_send(context)));
            self.sendable = Some(pollable);
        }
        if !self.registrations.is_empty() {
            self.notify_registered(edges);
        }
    }

    /// Notifies the registered calls whose condition holds now.
    fn notify_registered(&mut self, edges: &mut Edges) {
        let (receive, send) = self.registrations.interests();
        let can_recv = receive && self.call(edges, |protocol, context| protocol.can_recv(context));
        let can_send = send && self.call(edges, |protocol, context| protocol.can_send(context));
        if can_recv || can_send {
            self.registrations.notify(can_recv, can_send);
        }
    }

    /// Whether there is a descriptor to keep up to date, or a registered call.
    #[inline]
    pub(super) fn is_polled(&self) -> bool {
        self.receivable.is_some() || self.sendable.is_some() || !self.registrations.is_empty()
    }
}
