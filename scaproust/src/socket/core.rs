//! What a socket's lock protects: its protocol, its pipes, its options and its endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::endpoint_state::SharedEndpointState;
use super::pipes::{Finished, Lag, Pipes, View};
use super::pollable::Pollable;
use super::poller::Registrations;
use super::recent_peers::RecentPeers;
use super::statistics::Statistics;
use crate::message::Metadata;
use crate::option::Options;
use crate::pipe::{Change, Edges, ReadyList};
use crate::protocol::{Context, Machine, PipeId, Protocol, Time};
use crate::reactor::TimerId;
use crate::sync::Uncancellable;
use crate::transport::{Endpoint, Linger};

/// Memory that is kept, all in all, for what peers that have gone had sent. Else peers that come, fill
/// their lane and go could take any amount.
const LEFT_BEHIND: usize = 64 * 1024 * 1024;
/// About what a pipe takes of that besides the messages in its lane.
const PIPE: usize = 1536;

/// Messages that nobody wants and that are dropped under one hold of the lock, by a call that is
/// prepared to take longer. Peers could send such messages faster than they are dropped.
const DROPS: u32 = 64;
/// The same for other calls: a signal that comes meanwhile does not end them yet.
const FIRST_DROPS: u32 = 4;

/// The state of a socket.
pub(crate) struct Core {
    pub(super) protocol: Machine,
    pub(super) pipes: Pipes,
    /// Pipes that are to be detached before the lock is given back.
    finished: Finished,
    /// How many messages may still be dropped under this hold of the lock.
    drops_left: u32,
    /// Memory of pipes whose peers are gone, as it was when these went.
    left_behind: usize,
    pub(super) options: Options,
    pub(super) endpoints: Endpoints,
    pub(super) statistics: Statistics,
    /// `NN_SNDFD`, once it was asked for.
    pub(super) sendable: Option<Pollable>,
    /// `NN_RCVFD`, once it was asked for.
    pub(super) receivable: Option<Pollable>,
    /// Calls that wait for this socket among others.
    pub(super) registrations: Registrations,
    /// So often in a row such calls found that there was nothing to receive.
    pub(super) in_vain: u32,
    /// The timer that is set, and its moment.
    pub(super) timer: Option<(Time, TimerId)>,
    /// The socket is being closed: nothing is sent or received any more.
    pub(super) is_closing: bool,
    /// The time in which the socket closes.
    pub(super) linger: Option<Arc<Linger>>,
    /// Something was sent since the last message was received.
    pub(super) has_sent: bool,
    /// A call has borrowed the reading of connections, and not all of it was taken back for good.
    pub(super) fetches: bool,
    /// Whom to borrow from, when there are many.
    pub(super) recent_peers: RecentPeers,
}

/// The endpoints of a socket.
#[derive(Default)]
pub(super) struct Endpoints {
    /// Each with its condition.
    pub(super) open: BTreeMap<i32, (Arc<dyn Endpoint>, SharedEndpointState)>,
    /// Shut down, and perhaps still delivering.
    pub(super) closing: Vec<(Arc<Linger>, Arc<dyn Endpoint>)>,
    /// The last id given out.
    last_id: i32,
}

impl Endpoints {
    /// Gives an endpoint its id, which is never used again.
    pub(super) fn insert(&mut self, endpoint: Arc<dyn Endpoint>, state: SharedEndpointState) -> i32 {
        self.last_id += 1;
        self.open.insert(self.last_id, (endpoint, state));
        self.last_id
    }
}

impl Core {
    /// The state of a new socket with this number. Its pipes are counted from `seed`.
    pub(super) fn new(id: i32, protocol: Machine, seed: u32) -> Core {
        Core {
            protocol,
            pipes: Pipes::new(seed),
            finished: Finished::new(),
            drops_left: FIRST_DROPS,
            left_behind: 0,
            options: Options::new(id),
            endpoints: Endpoints::default(),
            statistics: Statistics::default(),
            sendable: None,
            receivable: None,
            registrations: Registrations::new(),
            in_vain: 0,
            timer: None,
            is_closing: false,
            linger: None,
            has_sent: false,
            fetches: false,
            recent_peers: RecentPeers::new(),
        }
    }

    /// Calls the protocol with the world it needs.
    pub(super) fn call<R>(
        &mut self,
        edges: &mut Edges,
        call: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> R {
        self.call_to_send(Metadata::default(), Lag::Ignored, edges, call)
    }

    /// As `call`, for sending a message that carries this. `lag` as in [`View`].
    pub(super) fn call_to_send<R>(
        &mut self,
        metadata: Metadata,
        lag: Lag<'_>,
        edges: &mut Edges,
        call: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> R {
        let mut view = View {
            pipes: &mut self.pipes,
            edges,
            finished: &mut self.finished,
            options: &self.options,
            drops_left: &mut self.drops_left,
            metadata,
            lag,
        };
        call(&mut self.protocol, &mut view)
    }

    /// Tells the protocol of every edge on the list, and of pipes that have come to their end.
    #[inline]
    pub(super) fn process_ready(&mut self, ready: &ReadyList, edges: &mut Edges) {
        if self.has_work(ready) {
            self.work_off_all(ready, edges);
        }
    }

    /// Whether an edge waits for [`process_ready`](Core::process_ready).
    #[inline]
    pub(super) fn has_work(&self, ready: &ReadyList) -> bool {
        !ready.is_empty() || !self.finished.is_empty()
    }

    /// The caller is prepared to take longer, under this hold of the lock.
    pub(super) fn allow_drops(&mut self) {
        self.drops_left = DROPS;
    }

    /// Whether messages were dropped under this hold of the lock, or more than usual may be.
    #[inline]
    pub(super) fn has_dropped(&self) -> bool {
        self.drops_left != FIRST_DROPS
    }

    /// Whether the protocol was told not to go on dropping messages: there may be others behind them,
    /// which no edge will tell of.
    pub(super) fn is_cut_short(&self) -> bool {
        self.drops_left == 0
    }

    /// The lock is about to be given back. Answers whether the protocol was cut short.
    pub(super) fn end_drops(&mut self) -> bool {
        std::mem::replace(&mut self.drops_left, FIRST_DROPS) == 0
    }

    fn work_off_all(&mut self, ready: &ReadyList, edges: &mut Edges) {
        let _uncancellable = Uncancellable::begin();
        self.detach_finished(edges);
        while !ready.is_empty() {
            ready.take(|key, change| {
                self.edge(PipeId(key), change, edges);
                // At once, so that the list stays short when many peers go.
                self.detach_finished(edges);
            });
        }
    }

    fn detach_finished(&mut self, edges: &mut Edges) {
        while let Some(id) = self.finished.pop() {
            self.call(edges, |protocol, context| protocol.detach(id, context));
            self.recent_peers.forget(id);
            self.left_behind -= self.pipes.remove(id).map_or(0, |pipe| pipe.left_behind);
        }
    }

    fn edge(&mut self, id: PipeId, change: Change, edges: &mut Edges) {
        let Some(pipe) = self.pipes.get(id) else { return };
        // A peer from which a message has come has taken the pipe, before the transport says so.
        if change == Change::Writable || change == Change::Readable && !pipe.is_ready {
            pipe.is_ready = true;
            self.call(edges, |protocol, context| protocol.writable(id, context));
        }
        match change {
            Change::Writable => {}
            Change::Readable => self.call(edges, |protocol, context| protocol.readable(id, context)),
            Change::Closed => {
                self.part(id);
                self.call(edges, |protocol, context| {
                    protocol.closing(id, context);
                    // An empty lane is looked at once more, and the pipe finished by that.
                    context.front(id);
                });
            }
        }
    }

    /// Lets go of the peer of a pipe, and so of a descriptor, before the last messages are taken.
    fn part(&mut self, id: PipeId) {
        if self.pipes.part(id)
            && let Some(pipe) = self.pipes.get(id)
        {
            let footprint = pipe.inbound.shrink() + PIPE;
            if self.left_behind + footprint <= LEFT_BEHIND {
                pipe.left_behind = footprint;
                self.left_behind += footprint;
            } else {
                pipe.finish(id, &mut self.finished);
            }
        }
    }

    /// Has the descriptors, and those who wait, know what is true now.
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
            self.tell_pollers(edges);
        }
    }

    /// Tells the calls whose question is to be answered with yes now.
    fn tell_pollers(&mut self, edges: &mut Edges) {
        let (receive, send) = self.registrations.questions();
        let can_recv = receive && self.call(edges, |protocol, context| protocol.can_recv(context));
        let can_send = send && self.call(edges, |protocol, context| protocol.can_send(context));
        if can_recv || can_send {
            self.registrations.notify(can_recv, can_send);
        }
    }

    /// Whether there is a descriptor that is to be kept true, or a call that is to be told.
    #[inline]
    pub(super) fn is_polled(&self) -> bool {
        self.receivable.is_some() || self.sendable.is_some() || !self.registrations.is_empty()
    }
}
