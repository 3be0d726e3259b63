//! The pipes of a socket.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{EventKind, SocketEvent};
use super::held::Held;
use super::id_table::IdTable;
use super::intake::{Intake, Keep};
use super::lending::Lending;
use super::peer_info::{EndpointName, PeerInfo};
use super::traffic::Traffic;
use crate::message::Front;
use crate::pipe::{Consumer, Edges, End, Lookahead, Peer, Producer, lane};
use crate::protocol::PipeId;

/// Where a message in a mailbox has come from.
pub(super) struct Origin {
    pub(super) pipe: PipeId,
    /// The id of the pipe's endpoint.
    pub(super) endpoint: i32,
    /// [`Pipe::info`] of that pipe.
    pub(super) info: Option<Arc<PeerInfo>>,
}

/// A socket's end of a pipe.
pub(super) struct Pipe {
    pub(super) inbound: Consumer,
    /// `None`, unless the pipe drops old messages.
    intake: Option<Box<Intake>>,
    pub(super) outbound: Producer,
    /// The other end of the lanes. `None` once the peer is gone: the pipe ends as soon as its inbound lane is
    /// empty.
    pub(super) peer: Option<Arc<dyn Peer>>,
    /// The transport has reported that the pipe is writable, or a message has come. Until then the other side
    /// may refuse the pipe, and nothing takes from its outbound lane.
    pub(super) is_ready: bool,
    /// The peer has not been told of the messages in the outbound lane: see [`Held`].
    pub(super) is_held: bool,
    /// How far the protocol has looked ahead in the inbound lane.
    pub(super) lookahead: Lookahead,
    /// The pipe is on the list of finished pipes, or must not be: it is a mailbox.
    is_finished: bool,
    /// Its index in [`Pipes::open`], while it has a peer.
    index: usize,
    /// Memory that the pipe occupied when its peer went, in bytes.
    pub(super) orphaned: usize,
    /// `None` for a mailbox.
    pub(super) endpoint: Option<Arc<EndpointName>>,
    /// The peer, for messages from it, while `NN_PEER_INFO` is set.
    pub(super) info: Option<Arc<PeerInfo>>,
    /// The messages that have passed. `messages_dropped` is counted by the protocol until the peer is gone.
    pub(super) traffic: Traffic,
    /// Of a mailbox: where its messages have come from, in their order.
    pub(super) origins: VecDeque<Origin>,
    /// The peer as a monitor knows it: the end of the pipe must be published.
    announced: Option<Arc<PeerInfo>>,
    /// Why the peer is gone, if there is a monitor.
    end: Option<End>,
}

impl Pipe {
    /// A pipe to a peer that may still refuse it.
    pub(super) fn new(
        inbound: Consumer,
        outbound: Producer,
        peer: Arc<dyn Peer>,
        endpoint: Arc<EndpointName>,
    ) -> Pipe {
        Pipe { peer: Some(peer), endpoint: Some(endpoint), ..Pipe::with_lanes(inbound, outbound) }
    }

    /// The ends of two lanes, without a peer.
    fn with_lanes(inbound: Consumer, outbound: Producer) -> Pipe {
        Pipe {
            inbound,
            intake: None,
            outbound,
            peer: None,
            is_ready: false,
            is_held: false,
            lookahead: Lookahead::default(),
            is_finished: false,
            index: 0,
            orphaned: 0,
            endpoint: None,
            info: None,
            traffic: Traffic::default(),
            origins: VecDeque::new(),
            announced: None,
            end: None,
        }
    }

    /// The messages that have passed, with those that the protocol has counted as `missed`, while the peer is not gone.
    pub(super) fn traffic_with(&self, missed: u64) -> Traffic {
        Traffic { messages_dropped: missed, ..self.traffic }
    }

    /// About how many bytes of the peer's messages wait to be received, and the bound of their queue.
    pub(super) fn receive_queue(&self) -> (usize, usize) {
        let before = self.intake.as_ref().map_or(0, |intake| intake.waiting());
        (self.inbound.waiting() + before, self.inbound.limit())
    }

    /// About how many bytes of messages wait to be sent to the peer, and the bound of their queue.
    pub(super) fn send_queue(&self) -> (usize, usize) {
        (self.outbound.waiting(), self.outbound.limit())
    }

    /// The peer, if it was described before.
    pub(super) fn known(&self) -> Option<&Arc<PeerInfo>> {
        self.info.as_ref().or(self.announced.as_ref())
    }

    /// The peer; `None` once it is gone.
    pub(super) fn describe(&self, id: PipeId) -> Option<Arc<PeerInfo>> {
        self.known()
            .cloned()
            .or_else(|| Some(Arc::new(self.endpoint.as_ref()?.peer_info(id, self.peer.as_ref()?))))
    }

    /// Has the end of the pipe published. Returns the peer, if that is new and not gone.
    pub(super) fn announce(&mut self, id: PipeId) -> Option<Arc<PeerInfo>> {
        if self.announced.is_some() || self.peer.is_none() {
            return None;
        }
        self.announced = self.describe(id);
        self.announced.clone()
    }

    /// Notes why the peer is gone, unless that is known.
    pub(super) fn note_end(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    /// The event of the end of the pipe, if it must be published. It is published once.
    pub(super) fn disconnected(&mut self) -> Option<SocketEvent> {
        let info = self.announced.take()?;
        let End { reason, error } = self.end.unwrap_or(End::LOCAL);
        let reason = Some(reason);
        Some(SocketEvent { reason, error, ..info.event(EventKind::Disconnected) })
    }

    /// Makes the pipe drop old messages. Its queue has about `limit` bytes.
    pub(super) fn drop_old(&mut self, keep: Keep, limit: usize) {
        self.intake = Some(Box::new(Intake::before(&mut self.inbound, keep, limit)));
    }

    /// Moves what the peer has sent, and the protocol `wants`, into the inbound lane, in which it takes the place of
    /// older messages. Does nothing in a pipe that keeps all messages. Returns whether the peer waits for room.
    pub(super) fn take_in(&mut self, wants: impl Fn(Front<'_>) -> bool) -> bool {
        let Pipe { inbound, intake: Some(intake), traffic, .. } = self else { return false };
        let taken = intake.take_in(inbound, wants);
        traffic.messages_missed += taken.missed;
        taken.has_progress
    }

    /// The peer is gone: nothing more is taken in.
    pub(super) fn end_intake(&mut self) {
        self.intake = None;
    }

    /// A mailbox with room for `limit` bytes: what is pushed to its outbound lane is in its inbound lane.
    fn mailbox(limit: usize) -> Pipe {
        let (outbound, inbound) = lane(limit);
        Pipe { is_finished: true, ..Pipe::with_lanes(inbound, outbound) }
    }

    /// Puts the pipe on the list of finished pipes, once.
    #[cold]
    pub(super) fn finish(&mut self, id: PipeId, finished: &mut Finished) {
        // Without memory for the list, the next look at the pipe tries again.
        if !self.is_finished && finished.try_reserve(1).is_ok() {
            self.is_finished = true;
            finished.push(id);
        }
    }
}

/// All pipes of a socket, by id. Pipes that are gone make no call slower.
pub(super) struct Pipes {
    pub(super) table: IdTable<Pipe>,
    /// The pipes whose peer is not gone, in no particular order.
    pub(super) open: Vec<PipeId>,
    /// How many more messages may be moved to mailboxes under this hold of the lock.
    pub(super) moves: u32,
    /// The receivers that the last message of a publisher has found far behind.
    pub(super) lagging: Vec<PipeId>,
    /// The edges of which receivers are told later.
    pub(super) held: Held,
    pub(super) lending: Lending,
    /// A full lane was drained for a push, of which no edge tells: another call may wait for that room.
    pub(super) has_drained: bool,
}

/// The most messages that are moved to mailboxes under one hold of the lock.
const MAX_MOVES: u32 = 256;

impl Pipes {
    /// No pipes. `seed` makes the ids of a restarted process differ from those that its peers may remember.
    pub(super) fn new(seed: u32) -> Pipes {
        Pipes {
            table: IdTable::new(seed),
            open: Vec::new(),
            moves: MAX_MOVES,
            lagging: Vec::new(),
            held: Held::default(),
            lending: Lending::default(),
            has_drained: false,
        }
    }

    /// Ends the count of messages that are moved to mailboxes, before the lock is released.
    pub(super) fn reset_moves(&mut self) {
        self.moves = MAX_MOVES;
    }

    /// Begins to note the receivers that lag behind.
    #[inline]
    pub(super) fn begin_lagging(&mut self) {
        self.lagging.clear();
    }

    /// Whether one of these receivers is still far behind. If so, an edge follows when it is not any more.
    pub(super) fn await_lagging(&mut self) -> bool {
        while let Some(&id) = self.lagging.last() {
            if self.table.get(id).is_some_and(|pipe| pipe.outbound.batch().waits_until_drained()) {
                return true;
            }
            self.lagging.pop();
        }
        false
    }

    /// The receivers that were not told of messages, for [`Peer::readable`], and the bytes and messages in their lanes.
    pub(super) fn take_held(&mut self, edges: &mut Edges) -> (usize, u32) {
        let (mut bytes, mut count) = (0, 0);
        for id in &self.open {
            if let Some(pipe) = self.table.get(*id)
                && std::mem::take(&mut pipe.is_held)
                && let Some(peer) = &pipe.peer
            {
                bytes += pipe.outbound.waiting();
                count += 1;
                edges.add_readable(peer, 0);
            }
        }
        (bytes, count)
    }

    /// The receiver of a pipe that ends, if it was not told of messages, for [`Peer::readable`].
    pub(super) fn take_held_of(&mut self, id: PipeId, edges: &mut Edges) {
        if let Some(Pipe { is_held, peer: Some(peer), .. }) = self.table.get(id)
            && std::mem::take(is_held)
        {
            edges.add_readable(peer, 0);
        }
    }

    /// The id of the next pipe; `None` when there are too many pipes, or no memory for more.
    pub(super) fn next_id(&mut self) -> Option<PipeId> {
        self.open.try_reserve(1).ok()?;
        self.table.next_id()
    }

    /// Inserts a pipe under the id from [`Pipes::next_id`].
    pub(super) fn insert(&mut self, id: PipeId, pipe: Pipe) {
        debug_assert!(pipe.peer.is_some());
        self.table.insert(id, Pipe { index: self.open.len(), ..pipe });
        self.open.push(id);
    }

    /// Inserts a mailbox with room for `limit` bytes under the id from [`Pipes::next_id`].
    pub(super) fn insert_mailbox(&mut self, id: PipeId, limit: usize) {
        self.table.insert(id, Pipe::mailbox(limit));
    }

    /// Removes a pipe.
    pub(super) fn remove(&mut self, id: PipeId) -> Option<Pipe> {
        self.release_peer(id);
        self.table.remove(id)
    }

    /// The pipe with this id, if it is still there.
    #[inline]
    pub(super) fn get(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.table.get(id)
    }

    /// Releases the peer of a pipe, which is gone. Returns whether the pipe had one.
    pub(super) fn release_peer(&mut self, id: PipeId) -> bool {
        let Some(pipe) = self.table.get(id) else { return false };
        let index = pipe.index;
        if pipe.peer.take().is_none() {
            return false;
        }
        self.open.swap_remove(index);
        if let Some(moved) = self.open.get(index)
            && let Some(moved) = self.table.get(*moved)
        {
            moved.index = index;
        }
        true
    }

    /// The peers of all pipes.
    pub(super) fn peers(&self) -> impl Iterator<Item = &Arc<dyn Peer>> {
        self.open_pipes().filter_map(|pipe| pipe.peer.as_ref())
    }

    /// The peers of all pipes that are announced. No other thread than the I/O thread reads from the rest, so that no message
    /// comes before the announcement.
    pub(super) fn ready_peers(&self) -> impl Iterator<Item = &Arc<dyn Peer>> {
        self.open_pipes().filter(|pipe| pipe.is_ready).filter_map(|pipe| pipe.peer.as_ref())
    }

    /// Removes all pipes.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Pipe> + use<> {
        self.open = Vec::new();
        self.table.take_all()
    }

    /// The number of pipes whose peer is not gone.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// The number of pipes whose peer is not gone and has accepted the pipe.
    pub(super) fn ready(&self) -> usize {
        self.open_pipes().filter(|pipe| pipe.is_ready).count()
    }

    /// Describes the peers of all pipes in their messages from now on, or no longer; also in those that wait in mailboxes.
    pub(super) fn name_peers(&mut self, mailboxes: &[PipeId], names_peers: bool) {
        self.for_each_open(|id, pipe| pipe.info = if names_peers { pipe.describe(id) } else { None });
        for mailbox in mailboxes {
            let mut origins =
                self.get(*mailbox).map(|mailbox| std::mem::take(&mut mailbox.origins)).unwrap_or_default();
            for origin in &mut origins {
                let known = origin.info.take();
                origin.info =
                    if names_peers { known.or_else(|| self.get(origin.pipe)?.info.clone()) } else { None };
            }
            if let Some(mailbox) = self.get(*mailbox) {
                mailbox.origins = origins;
            }
        }
    }

    /// All pipes whose peer is not gone, with their ids.
    pub(super) fn for_each_open(&mut self, mut each: impl FnMut(PipeId, &mut Pipe)) {
        for id in &self.open {
            if let Some(pipe) = self.table.get(*id) {
                each(*id, pipe);
            }
        }
    }

    fn open_pipes(&self) -> impl Iterator<Item = &Pipe> {
        self.open.iter().filter_map(|id| self.table.peek(*id))
    }
}

/// Finished pipes: the peer is gone, and the last message was taken or given up.
pub(super) type Finished = smallvec::SmallVec<[PipeId; 1]>;

#[cfg(all(test, not(loom)))]
pub(super) mod tests {
    use super::*;
    use crate::pipe::NullPeer;

    /// A pipe, and the far ends of its lanes.
    pub(in super::super) fn pipe() -> (Pipe, Producer, Consumer) {
        let (far_out, inbound) = lane(100);
        let (outbound, far_in) = lane(100);
        (Pipe::new(inbound, outbound, Arc::new(NullPeer), Arc::default()), far_out, far_in)
    }

    #[test]
    fn iteration_skips_removed_pipes() {
        let mut pipes = Pipes::new(5);
        let ids: Vec<PipeId> = (0..100)
            .map(|_| {
                let id = pipes.next_id().unwrap();
                pipes.insert(id, pipe().0);
                id
            })
            .collect();
        assert!((0..3).all(|index| pipes.release_peer(ids[index]) && !pipes.release_peer(ids[index])));
        assert!((1..90).all(|index| pipes.remove(ids[index]).is_some()));
        assert_eq!((pipes.open(), pipes.peers().count(), pipes.open_pipes().count()), (10, 10, 10));
        assert!(pipes.get(ids[0]).is_some() && pipes.get(ids[1]).is_none());
        pipes.get(ids[90]).unwrap().is_ready = true;
        assert_eq!(pipes.ready(), 1);
        let indices: Vec<usize> = pipes.open_pipes().map(|pipe| pipe.index).collect();
        assert_eq!(indices, (0..10).collect::<Vec<_>>());
        assert_eq!((pipes.take_all().count(), pipes.open()), (11, 0));
    }
}
