//! The pipes of a socket, and what its protocol sees of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::event::{EventKind, SocketEvent};
use super::held::Held;
use super::id_table::IdTable;
use super::monitor::Watch;
use super::peer_info::{EndpointName, PeerInfo};
use super::traffic::Traffic;
use crate::message::{Front, Metadata, Payload, ProtocolHeader};
use crate::option::{Options, SocketOption};
use crate::pipe::{Consumer, Edges, End, Full, Lookahead, Peer, Producer, Pushed, lane};
use crate::protocol::{Context, PipeId, PushOutcome, Time};
use crate::sync::{Uncancellable, now};

/// Which messages a receive queue drops for new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// `NN_RCV_PREFER_NEW`: the oldest, when the queue is full.
    Newest,
    /// `NN_CONFLATE`: all that are older.
    Last,
}

/// What stands between the peer and the inbound lane of a pipe that drops old messages. A lane has one producer and one
/// consumer, so the peer, which fills one, cannot take a message out of it. At each edge the socket moves all messages on
/// into a second lane, both of whose ends it has.
struct Intake {
    /// The end of the lane that the peer fills. Empty and parked whenever no edge is on its way.
    source: Consumer,
    /// The other end of the pipe's inbound lane.
    sink: Producer,
    keep: Keep,
}

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
    is_held: bool,
    /// How far the protocol has looked ahead in the inbound lane.
    lookahead: Lookahead,
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
        let before = self.intake.as_ref().map_or(0, |intake| intake.source.waiting());
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
        let (sink, inbound) = lane(limit);
        let source = std::mem::replace(&mut self.inbound, inbound);
        self.intake = Some(Box::new(Intake { source, sink, keep }));
    }

    /// Moves what the peer has sent, and the protocol `wants`, into the inbound lane, in which it takes the place of
    /// older messages. Does nothing in a pipe that keeps all messages. Returns whether the peer waits for room.
    pub(super) fn take_in(&mut self, wants: impl Fn(Front<'_>) -> bool) -> bool {
        let Pipe { inbound, intake: Some(intake), traffic, .. } = self else { return false };
        let Intake { source, sink, keep } = &mut **intake;
        // Ends, since the peer is not notified of room before: it can send no more than the lane holds.
        while let Some(front) = source.front() {
            if !wants(front) {
                source.skip();
                continue;
            }
            while (*keep == Keep::Last || !sink.has_room()) && inbound.front_unparked().is_some() {
                inbound.pop();
                traffic.messages_missed += 1;
            }
            let (metadata, head) = (front.metadata, ProtocolHeader::from_slice(front.head));
            // Without memory the message is lost, as any other that is dropped.
            if let Some(chunk) = source.take_chunk() {
                _ = sink.batch().push_over(&head, &mut Payload::Owned(chunk), metadata);
            } else if let Some(front) = source.peek() {
                _ = sink.batch().push_over(&[], &mut Payload::Borrowed(front.body), metadata);
                source.skip();
            }
        }
        source.publish_progress()
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
    table: IdTable<Pipe>,
    /// The pipes whose peer is not gone, in no particular order.
    open: Vec<PipeId>,
    /// How many more messages may be moved to mailboxes under this hold of the lock.
    moves: u32,
    /// The receivers that the last message of a publisher has found far behind.
    lagging: Vec<PipeId>,
    /// The edges of which receivers are told later.
    pub(super) held: Held,
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

/// The [`Context`] of a protocol.
pub(super) struct View<'a> {
    pub(super) pipes: &'a mut Pipes,
    /// Edges to deliver when the socket's lock is free.
    pub(super) edges: &'a mut Edges,
    pub(super) finished: &'a mut Finished,
    pub(super) options: &'a Options,
    /// The metadata of the message that is sent.
    pub(super) metadata: Metadata,
    /// Counts the messages that are dropped.
    pub(super) watch: &'a mut Watch,
    /// What a push checks of its receiver.
    pub(super) check: ReceiverCheck,
    /// What these checks have found.
    pub(super) delay: Delay,
}

/// What a push checks of its receiver.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReceiverCheck {
    /// Nothing.
    None,
    /// Whether it is slower than the sender, for a protocol that does not wait for its receivers. With `holds`, the message is
    /// part of a flood.
    Lag { holds: bool },
    /// How much room it has made, for a call that has slept for this time until there was room.
    RoomAfter(Duration),
}

/// What a call must do before it returns, without a lock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delay {
    /// Nothing.
    None,
    /// Let the receivers catch up: one of them is more than half a lane behind.
    Throttle,
    /// Pause for this time, so that more room is made before the next call.
    Pause(Duration),
}

impl View<'_> {
    fn pop_front(&mut self, id: PipeId) {
        if let Some(pipe) = self.pipes.get(id)
            && pipe.inbound.pop()
            && let Some(peer) = &pipe.peer
        {
            self.edges.add_writable(peer);
        }
    }
}

impl Context for View<'_> {
    // Always inlined: each protocol has its own copy, and every message passes through it.
    #[inline(always)]
    fn front(&mut self, id: PipeId) -> Option<Front<'_>> {
        let pipe = self.pipes.get(id)?;
        if pipe.inbound.is_empty() {
            if pipe.inbound.producer_is_starved() {
                self.edges.add_yield();
            }
            if pipe.peer.is_none() {
                pipe.finish(id, self.finished);
            }
            return None;
        }
        pipe.inbound.peek()
    }

    fn drop_front(&mut self, id: PipeId) -> bool {
        self.pop_front(id);
        self.watch.drops_left = self.watch.drops_left.saturating_sub(1);
        self.watch.drops_left > 0
    }

    fn copy_front(&mut self, id: PipeId, mailbox: PipeId) -> bool {
        let Some([pipe, mailbox]) = self.pipes.table.get_two(id, mailbox) else { return false };
        if mailbox.origins.try_reserve(1).is_err() {
            return false;
        }
        let chunk = pipe.inbound.share_chunk();
        let Some(Front { head, body, metadata }) = pipe.inbound.peek() else { return false };
        let mut body = chunk.map_or(Payload::Borrowed(body), Payload::Owned);
        let is_copied = mailbox.outbound.batch().push(head, &mut body, metadata).is_ok();
        if is_copied {
            let endpoint = pipe.endpoint.as_ref().map_or(0, |endpoint| endpoint.id);
            mailbox.origins.push_back(Origin { pipe: id, endpoint, info: pipe.info.clone() });
        } else {
            pipe.traffic.messages_missed += 1;
        }
        is_copied
    }

    fn remove_front(&mut self, id: PipeId) -> bool {
        self.pop_front(id);
        let may_go_on = self.pipes.moves > 0;
        if may_go_on {
            self.pipes.moves -= 1;
        } else {
            // As after too many drops, the rest follows under another hold of the lock.
            self.watch.drops_left = 0;
        }
        may_go_on
    }

    fn clear(&mut self, mailbox: PipeId) {
        if let Some(pipe) = self.pipes.get(mailbox) {
            while !pipe.inbound.is_empty() {
                pipe.inbound.pop();
            }
            pipe.origins.clear();
        }
    }

    // As above.
    #[inline(always)]
    fn push(&mut self, id: PipeId, header: &[u8], body: &mut Payload<'_>) -> PushOutcome {
        let Some(Pipe { outbound, peer: Some(peer), is_ready: true, is_held, traffic, .. }) =
            self.pipes.table.get(id)
        else {
            return PushOutcome::Full;
        };
        let length = body.bytes().len();
        let mut has_drained = false;
        loop {
            let mut batch = outbound.batch();
            match batch.push(header, body, self.metadata) {
                Ok(Pushed { edge }) => {
                    traffic.messages_sent += 1;
                    traffic.bytes_sent += length as u64;
                    match self.check {
                        ReceiverCheck::None => {}
                        ReceiverCheck::Lag { .. } if !batch.should_throttle() => {}
                        ReceiverCheck::Lag { .. } => {
                            // Without memory for it, it is not waited for.
                            if self.pipes.lagging.try_reserve(1).is_ok() {
                                self.pipes.lagging.push(id);
                            }
                            self.delay = Delay::Throttle;
                        }
                        // A connection empties its lane in batches: no pause is needed.
                        ReceiverCheck::RoomAfter(_) if peer.clone().direct_read().is_some() => {}
                        ReceiverCheck::RoomAfter(slept) => {
                            self.delay = Delay::Pause(batch.pause_after(slept))
                        }
                    }
                    let is_flood = matches!(self.check, ReceiverCheck::Lag { holds: true });
                    if edge
                        && !self.pipes.held.holds(is_flood, is_held, &mut batch, peer, self.pipes.open.len())
                    {
                        self.edges.add_readable(peer, header.len() + length);
                    }
                    return PushOutcome::Taken;
                }
                Err(Full) if has_drained => return PushOutcome::Full,
                Err(Full) => {
                    drop(batch);
                    let _uncancellable = Uncancellable::begin();
                    has_drained = peer.clone().try_drain();
                    if !has_drained {
                        return PushOutcome::Full;
                    }
                }
            }
        }
    }

    fn look_ahead(&mut self, id: PipeId) -> Option<Front<'_>> {
        let pipe = self.pipes.get(id)?;
        pipe.inbound.look_ahead(&mut pipe.lookahead)
    }

    fn has_room(&mut self, id: PipeId) -> bool {
        self.pipes
            .get(id)
            .is_some_and(|pipe| pipe.is_ready && pipe.peer.is_some() && pipe.outbound.has_room())
    }

    fn now(&self) -> Time {
        now()
    }

    fn send_with(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    fn note_drops(&mut self, count: usize) {
        self.watch.note_drops(count, self.edges);
    }

    fn max_hops(&self) -> usize {
        self.options.size(SocketOption::MaxHops)
    }
}

#[cfg(all(test, not(loom)))]
pub(super) mod tests {
    use super::*;
    use crate::message::Chunk;
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

    /// The messages in the pipe's queue after the peer has sent these, of which those with an x are not wanted.
    fn queue_after(keep: Keep, limit: usize, sent: &[&str]) -> Vec<String> {
        let (mut pipe, mut far_out, _far_in) = pipe();
        pipe.drop_old(keep, limit);
        for message in sent {
            let body = &mut Payload::Borrowed(message.as_bytes());
            assert!(far_out.batch().push(b"", body, Metadata::default()).unwrap().edge);
            pipe.take_in(|front| !front.body.contains(&b'x'));
        }
        let mut queue = Vec::new();
        while let Some(front) = pipe.inbound.front() {
            queue.push(String::from_utf8(front.body.to_vec()).unwrap());
            pipe.inbound.pop();
        }
        queue
    }

    #[test]
    fn the_oldest_or_all_older_messages_make_room() {
        let sent = ["1", "2x", "3", "4", "5xx", "6x"];
        assert_eq!(queue_after(Keep::Newest, 2, &sent), ["3", "4"]);
        assert_eq!(queue_after(Keep::Newest, 100, &sent), ["1", "3", "4"]);
        assert_eq!(queue_after(Keep::Last, 100, &sent), ["4"]);
        assert_eq!(queue_after(Keep::Newest, 2, &["long message", "other"]), ["other"]);
        assert_eq!(queue_after(Keep::Last, 2, &["x"]), [""; 0]);
    }

    #[test]
    fn a_full_lane_is_taken_in_as_a_whole_and_a_chunk_without_a_copy() {
        let (mut pipe, mut far_out, _far_in) = pipe();
        pipe.drop_old(Keep::Last, 100);
        while far_out.batch().push(b"", &mut Payload::Borrowed(b"old"), Metadata::default()).is_ok() {}
        assert!(pipe.take_in(|_| true), "the peer waits for room");
        let chunk = Chunk::copy_of(b"body").unwrap();
        let address = chunk.as_ptr();
        assert!(far_out.batch().push(b"head", &mut Payload::Owned(chunk), Metadata::default()).is_ok());
        assert!(!pipe.take_in(|_| true));
        let front = pipe.inbound.front().unwrap();
        assert_eq!((front.head, front.body, front.body.as_ptr()), (&b"head"[..], &b"body"[..], address));
        pipe.inbound.pop();
        assert!(pipe.inbound.is_empty());
    }
}
