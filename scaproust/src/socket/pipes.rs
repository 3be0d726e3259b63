//! The pipes of a socket, and the world as its protocol sees it.

use std::sync::Arc;
use std::time::Duration;

use super::id_table::IdTable;
use crate::message::{Chunk, Front, Metadata, Payload, ProtocolHeader};
use crate::option::{Options, SocketOption};
use crate::pipe::{Consumer, Edges, Full, Peer, Producer, Pushed};
use crate::protocol::{Context, Delivery, PipeId, PushOutcome, Time};
use crate::sync::{Uncancellable, now};

/// One side of a pipe, in its socket.
pub(super) struct Pipe {
    pub(super) inbound: Consumer,
    pub(super) outbound: Producer,
    /// Who is at the other end of the lanes. `None` once the peer is gone: then the pipe ends as
    /// soon as its inbound lane is empty.
    pub(super) peer: Option<Arc<dyn Peer>>,
    /// The transport has said that it is writable, or a message has come. Until then the other
    /// side may refuse the pipe, and nobody takes from its outbound lane.
    pub(super) is_ready: bool,
    /// The pipe is on the list of those that have come to their end.
    is_finished: bool,
    /// Its place in [`Pipes::open`], while it has a peer.
    place: usize,
    /// Memory that the pipe occupied when the peer went.
    pub(super) left_behind: usize,
}

impl Pipe {
    /// A pipe to a peer that may still refuse it.
    pub(super) fn new(inbound: Consumer, outbound: Producer, peer: Arc<dyn Peer>) -> Pipe {
        Pipe {
            inbound,
            outbound,
            peer: Some(peer),
            is_ready: false,
            is_finished: false,
            place: 0,
            left_behind: 0,
        }
    }

    /// Puts the pipe on the list of those that have come to their end, if it is not there.
    #[cold]
    pub(super) fn finish(&mut self, id: PipeId, finished: &mut Finished) {
        // Without memory for the list, the next look at the pipe tries again.
        if !self.is_finished && finished.try_reserve(1).is_ok() {
            self.is_finished = true;
            finished.push(id);
        }
    }
}

/// All pipes of a socket, by id. No call costs more for pipes that were there once.
pub(super) struct Pipes {
    table: IdTable<Pipe>,
    /// The pipes whose peer is not gone, in no order.
    open: Vec<PipeId>,
}

impl Pipes {
    /// No pipes. `seed` makes the ids of a restarted process differ from those that its peers may
    /// remember.
    pub(super) fn new(seed: u32) -> Pipes {
        Pipes { table: IdTable::new(seed), open: Vec::new() }
    }

    /// The id that the next pipe will have; `None` when there are too many, or no memory for more.
    pub(super) fn next_id(&mut self) -> Option<PipeId> {
        self.open.try_reserve(1).ok()?;
        self.table.next_id()
    }

    /// Puts a pipe in, under the id that was announced.
    pub(super) fn insert(&mut self, id: PipeId, pipe: Pipe) {
        debug_assert!(pipe.peer.is_some());
        self.table.insert(id, Pipe { place: self.open.len(), ..pipe });
        self.open.push(id);
    }

    /// Takes a pipe out.
    pub(super) fn remove(&mut self, id: PipeId) -> Option<Pipe> {
        self.part(id);
        self.table.remove(id)
    }

    /// The pipe with this id, if it is still there.
    #[inline]
    pub(super) fn get(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.table.get(id)
    }

    /// Lets go of the peer of a pipe, which is gone. Answers whether there was one.
    pub(super) fn part(&mut self, id: PipeId) -> bool {
        let Some(pipe) = self.table.get(id) else { return false };
        let place = pipe.place;
        if pipe.peer.take().is_none() {
            return false;
        }
        self.open.swap_remove(place);
        if let Some(moved) = self.open.get(place)
            && let Some(moved) = self.table.get(*moved)
        {
            moved.place = place;
        }
        true
    }

    /// The peers of all pipes.
    pub(super) fn peers(&self) -> impl Iterator<Item = &Arc<dyn Peer>> {
        self.open_pipes().filter_map(|pipe| pipe.peer.as_ref())
    }

    /// Takes all pipes out.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Pipe> + use<> {
        self.open = Vec::new();
        self.table.take_all()
    }

    /// Number of pipes whose peer is not gone.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Number of pipes whose peer is there, and can be sent to.
    pub(super) fn ready(&self) -> usize {
        self.open_pipes().filter(|pipe| pipe.is_ready).count()
    }

    fn open_pipes(&self) -> impl Iterator<Item = &Pipe> {
        self.open.iter().filter_map(|id| self.table.peek(*id))
    }
}

/// Pipes that have come to their end.
pub(super) type Finished = smallvec::SmallVec<[PipeId; 1]>;

/// What a protocol is handed.
pub(super) struct View<'a> {
    pub(super) pipes: &'a mut Pipes,
    /// Whom to tell when the socket's lock is free.
    pub(super) edges: &'a mut Edges,
    /// Pipes whose peer is gone, and whose last message was taken.
    pub(super) finished: &'a mut Finished,
    pub(super) options: &'a Options,
    /// What a message carries that is sent.
    pub(super) metadata: Metadata,
    /// How many messages may still be dropped under this hold of the lock.
    pub(super) drops_left: &'a mut u32,
    /// What a push is to find out about its receiver.
    pub(super) lag: Lag<'a>,
}

/// What a push finds out about how far its receiver is behind.
pub(super) enum Lag<'a> {
    /// Nothing.
    Ignored,
    /// Whether it takes more slowly than is sent, for a protocol that does not wait for its receivers.
    Overtaken(&'a mut bool),
    /// How long to let more room gather, for a call that has slept until there was room.
    Slept(Slept<'a>),
}

/// The sleep of a call before a try.
pub(crate) struct Slept<'a> {
    /// How long the call has slept.
    pub(super) time: Duration,
    /// How long to make a pause if the try succeeds, before the call returns.
    pub(super) pause: &'a mut Duration,
}

impl Context for View<'_> {
    // Always: there is a copy of this for each protocol, and the path of each message leads through it.
    #[inline(always)]
    fn front(&mut self, id: PipeId) -> Option<Front<'_>> {
        let pipe = self.pipes.get(id)?;
        if pipe.inbound.is_empty() {
            if pipe.inbound.producer_is_starved() {
                self.edges.give_way();
            }
            if pipe.peer.is_none() {
                pipe.finish(id, self.finished);
            }
            return None;
        }
        pipe.inbound.peek()
    }

    fn drop_front(&mut self, id: PipeId) -> bool {
        if let Some(pipe) = self.pipes.get(id)
            && pipe.inbound.pop()
            && let Some(peer) = &pipe.peer
        {
            self.edges.add_writable(peer);
        }
        *self.drops_left = self.drops_left.saturating_sub(1);
        *self.drops_left > 0
    }

    // As above.
    #[inline(always)]
    fn push(&mut self, id: PipeId, header: &[u8], body: &mut Payload<'_>) -> PushOutcome {
        let Some(Pipe { outbound, peer: Some(peer), is_ready: true, .. }) = self.pipes.get(id) else {
            return PushOutcome::Full;
        };
        let size = header.len() + body.bytes().len();
        let mut has_drained = false;
        loop {
            let mut batch = outbound.batch();
            match batch.push(header, body, self.metadata) {
                Ok(Pushed { edge }) => {
                    match &mut self.lag {
                        Lag::Ignored => {}
                        Lag::Overtaken(overtakes) => **overtakes |= batch.should_throttle(),
                        // To a connection the kernel gives room, and not for each message.
                        Lag::Slept(..) if peer.clone().direct_read().is_some() => {}
                        Lag::Slept(Slept { time, pause }) => **pause = batch.pause_after(*time),
                    }
                    if edge {
                        self.edges.add_readable(peer, size);
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

    fn max_hops(&self) -> usize {
        self.options.size(SocketOption::MaxHops)
    }
}

opaque!([] Received<'_>);

/// A message as it is received: still in its lane.
pub struct Received<'a> {
    pub(super) delivery: &'a Delivery,
    /// Its length without what is in front of the body.
    pub(super) length: usize,
    pub(super) pipe: &'a mut Pipe,
    /// Set when the message was taken out of the lane already.
    pub(super) taken: &'a mut bool,
}

impl Received<'_> {
    /// The protocol header, which only raw sockets see.
    #[must_use]
    pub fn header(&self) -> ProtocolHeader {
        self.pipe
            .inbound
            .peek()
            .map_or_else(ProtocolHeader::new, |front| self.delivery.protocol_header(front))
    }

    /// What it carries besides its bytes; in the same process, what it was sent with.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.pipe.inbound.peek().map(|front| front.metadata).unwrap_or_default()
    }

    /// The body, in two runs.
    #[must_use]
    #[inline]
    pub fn body(&self) -> (&[u8], &[u8]) {
        self.pipe.inbound.peek().map_or((&[], &[]), |front| front.split(self.delivery.skip))
    }

    /// Length of the body in bytes.
    #[must_use]
    #[inline]
    pub fn length(&self) -> usize {
        self.length
    }

    /// The memory that the body came in, and where it begins there, taken out of the lane: whoever copies
    /// from it need not hold the socket up.
    ///
    /// # Errors
    /// The message as it was, when its body lies in the lane itself.
    #[inline]
    pub fn take_chunk(self) -> Result<(Chunk, usize), Self> {
        let begin = |front: Front<'_>| self.delivery.skip.checked_sub(front.head.len());
        let chunk = self
            .pipe
            .inbound
            .peek()
            .and_then(begin)
            .and_then(|begin| self.pipe.inbound.take_chunk().map(|chunk| (chunk, begin)));
        *self.taken = chunk.is_some();
        chunk.ok_or(self)
    }

    /// The body as message memory: without a copy if it came in such memory.
    #[must_use]
    pub fn into_chunk(self) -> Option<Chunk> {
        match self.take_chunk() {
            Ok((chunk, begin)) => {
                let chunk = chunk.trimmed(begin)?;
                // A message that others have too must not be written to by one of them.
                if chunk.is_unique() { Some(chunk) } else { Chunk::copy_of(&chunk) }
            }
            Err(received) => {
                let (first, second) = received.body();
                Chunk::joined(first, second)
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::pipe::{NullPeer, lane};

    fn pipe() -> (Pipe, Producer, Consumer) {
        let (far_out, inbound) = lane(100);
        let (outbound, far_in) = lane(100);
        (Pipe::new(inbound, outbound, Arc::new(NullPeer)), far_out, far_in)
    }

    fn receive<'a>(delivery: &'a Delivery, pipe: &'a mut Pipe, taken: &'a mut bool) -> Received<'a> {
        let length = pipe.inbound.peek().unwrap().len() - delivery.skip;
        Received { delivery, length, pipe, taken }
    }

    #[test]
    fn pipes_that_are_gone_are_not_looked_at() {
        let mut pipes = Pipes::new(5);
        let ids: Vec<PipeId> = (0..100)
            .map(|_| {
                let id = pipes.next_id().unwrap();
                pipes.insert(id, pipe().0);
                id
            })
            .collect();
        assert!((0..3).all(|index| pipes.part(ids[index]) && !pipes.part(ids[index])));
        assert!((1..90).all(|index| pipes.remove(ids[index]).is_some()));
        assert_eq!((pipes.open(), pipes.peers().count(), pipes.open_pipes().count()), (10, 10, 10));
        assert!(pipes.get(ids[0]).is_some() && pipes.get(ids[1]).is_none());
        pipes.get(ids[90]).unwrap().is_ready = true;
        assert_eq!(pipes.ready(), 1);
        let places: Vec<usize> = pipes.open_pipes().map(|pipe| pipe.place).collect();
        assert_eq!(places, (0..10).collect::<Vec<_>>());
        assert_eq!((pipes.take_all().count(), pipes.open()), (11, 0));
    }

    #[test]
    fn a_chunk_that_nobody_else_has_is_handed_out_as_it_is() {
        let (mut pipe, mut producer, _far_in) = pipe();
        let chunk = Chunk::copy_of(b"idXXbody").unwrap();
        let address = chunk.as_ptr() as usize;
        producer.batch().push(&[], &mut Payload::Owned(chunk), Metadata::default()).unwrap();
        assert!(!pipe.inbound.is_empty());
        let (mut taken, delivery) = (false, Delivery::plain(PipeId(1), 4));
        let received = receive(&delivery, &mut pipe, &mut taken);
        assert_eq!((received.length(), received.body()), (4, (&[][..], &b"body"[..])));
        let chunk = received.into_chunk().unwrap();
        assert_eq!((&*chunk, chunk.as_ptr() as usize), (&b"body"[..], address + 4));
        assert!(taken);
    }

    #[test]
    fn small_and_shared_messages_are_copied_out() {
        let (mut pipe, mut producer, _far_in) = pipe();
        producer.batch().push(b"id", &mut Payload::Borrowed(b"small"), Metadata::default()).unwrap();
        assert!(!pipe.inbound.is_empty());
        let (mut taken, delivery) = (false, Delivery::plain(PipeId(1), 2));
        let received = receive(&delivery, &mut pipe, &mut taken);
        assert_eq!(&*received.into_chunk().unwrap(), b"small");
        assert!(!taken);
        pipe.inbound.pop();
        let shared = Chunk::copy_of(b"shared").unwrap();
        producer.batch().push(b"id", &mut Payload::Owned(shared.clone()), Metadata::default()).unwrap();
        assert!(!pipe.inbound.is_empty());
        let received = receive(&delivery, &mut pipe, &mut taken);
        let copy = received.into_chunk().unwrap();
        assert_eq!((&*copy, taken), (&b"shared"[..], true));
        assert_ne!(copy.as_ptr(), shared.as_ptr());
    }
}
