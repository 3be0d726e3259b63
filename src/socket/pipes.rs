//! The pipes of a socket, and the world as its protocol sees it.

use std::sync::Arc;

use crate::message::{Chunk, Front, Header, MessageType, Payload};
use crate::option::{Options, name};
use crate::pipe::{Consumer, Edges, Full, Peer, Producer, Pushed};
use crate::protocol::{Context, Delivery, PipeId, Push, Time};
use crate::sync::now;

/// Bits of a pipe's number that are its place; the rest say how often the place was used.
const PLACE_BITS: u32 = 20;
const PLACE_MASK: u32 = (1 << PLACE_BITS) - 1;
/// Pipe ids have 31 bits.
const ID_MASK: u32 = u32::MAX >> 1;

/// One side of a pipe, in its socket.
pub(super) struct Pipe {
    pub(super) inbound: Consumer,
    pub(super) outbound: Producer,
    /// Who is at the other end of the lanes. Nobody, when the peer is gone: then the pipe ends as
    /// soon as its inbound lane is empty.
    pub(super) peer: Option<Arc<dyn Peer>>,
    /// The transport has said that it is writable, or a message has come. Until then the other
    /// side may refuse the pipe, and nobody takes from its outbound lane.
    pub(super) is_ready: bool,
    /// Bytes that were in the inbound lane when the peer went.
    pub(super) left_behind: usize,
}

/// All pipes of a socket, by id.
pub(super) struct Pipes {
    places: Vec<Place>,
    free: Vec<u32>,
    /// Pipes whose peer is not gone.
    open: usize,
}

struct Place {
    id: PipeId,
    pipe: Option<Pipe>,
}

impl Pipes {
    /// No pipes.
    pub(super) fn new() -> Pipes {
        Pipes { places: Vec::new(), free: Vec::new(), open: 0 }
    }

    /// The id that the next pipe will have; `None` when there are too many. `seed` makes the ids
    /// of a restarted process differ from those that its peers may remember.
    pub(super) fn next_id(&mut self, seed: u32) -> Option<PipeId> {
        if let Some(place) = self.free.last() {
            return Some(self.places[*place as usize].id);
        }
        let place = u32::try_from(self.places.len()).ok().filter(|place| *place <= PLACE_MASK)?;
        self.places.push(Place { id: PipeId((seed << PLACE_BITS | place) & ID_MASK), pipe: None });
        self.free.push(place);
        self.next_id(seed)
    }

    /// Puts a pipe in, under the id that was announced.
    pub(super) fn insert(&mut self, id: PipeId, pipe: Pipe) {
        debug_assert_eq!(self.free.last(), Some(&(id.0 & PLACE_MASK)));
        self.free.pop();
        self.open += usize::from(pipe.peer.is_some());
        self.places[(id.0 & PLACE_MASK) as usize].pipe = Some(pipe);
    }

    /// Takes a pipe out; its id is not used again for long.
    pub(super) fn remove(&mut self, id: PipeId) -> Option<Pipe> {
        let pipe = self.place(id)?.pipe.take()?;
        self.open -= usize::from(pipe.peer.is_some());
        let place = id.0 & PLACE_MASK;
        self.places[place as usize].id = PipeId(id.0.wrapping_add(1 << PLACE_BITS) & ID_MASK);
        self.free.push(place);
        Some(pipe)
    }

    /// The pipe with this id, if it is still there.
    #[inline]
    pub(super) fn get(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.place(id)?.pipe.as_mut()
    }

    /// Lets go of the peer of a pipe, which is gone. Answers whether there was one.
    pub(super) fn part(&mut self, id: PipeId) -> bool {
        let peer = self.get(id).and_then(|pipe| pipe.peer.take());
        self.open -= usize::from(peer.is_some());
        peer.is_some()
    }

    /// The peers of all pipes.
    pub(super) fn peers(&self) -> impl Iterator<Item = &Arc<dyn Peer>> {
        self.places.iter().filter_map(|place| place.pipe.as_ref()?.peer.as_ref())
    }

    /// Takes all pipes out.
    pub(super) fn take_all(&mut self) -> Vec<Pipe> {
        self.open = 0;
        self.places.iter_mut().filter_map(|place| place.pipe.take()).collect()
    }

    /// Number of pipes whose peer is not gone.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Number of pipes whose peer is there, and can be sent to.
    pub(super) fn ready(&self) -> usize {
        let pipes = self.places.iter().filter_map(|place| place.pipe.as_ref());
        pipes.filter(|pipe| pipe.is_ready && pipe.peer.is_some()).count()
    }

    #[inline]
    fn place(&mut self, id: PipeId) -> Option<&mut Place> {
        self.places.get_mut((id.0 & PLACE_MASK) as usize).filter(|place| place.id == id)
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
    /// What a message is sent as over a WebSocket.
    pub(super) message_type: Option<MessageType>,
    /// Set when a receiver takes more slowly than is sent. Nothing to set for a protocol that waits for
    /// its receivers.
    pub(super) overtakes: Option<&'a mut bool>,
}

impl Context for View<'_> {
    // Always: there is a copy of this for each protocol, and the path of each message leads through it.
    #[inline(always)]
    fn front(&mut self, id: PipeId) -> Option<Front<'_>> {
        let pipe = self.pipes.get(id)?;
        if pipe.inbound.is_empty() {
            if pipe.inbound.has_outrun() {
                self.edges.give_way();
            }
            if pipe.peer.is_none() && !self.finished.contains(&id) {
                self.finished.push(id);
            }
            return None;
        }
        pipe.is_ready = true;
        pipe.inbound.peek()
    }

    fn pop(&mut self, id: PipeId) {
        if let Some(pipe) = self.pipes.get(id)
            && pipe.inbound.pop()
            && let Some(peer) = &pipe.peer
        {
            self.edges.add_writable(peer);
        }
    }

    // As above.
    #[inline(always)]
    fn push(&mut self, id: PipeId, header: &[u8], body: &mut Payload<'_>) -> Push {
        let Some(Pipe { outbound, peer: Some(peer), is_ready: true, .. }) = self.pipes.get(id) else {
            return Push::Full;
        };
        let size = header.len() + body.bytes().len();
        let mut is_relieved = false;
        loop {
            let mut batch = outbound.batch();
            match batch.push(header, body, self.message_type) {
                Ok(Pushed { edge }) => {
                    if let Some(overtakes) = &mut self.overtakes {
                        **overtakes |= batch.is_overtaking();
                    }
                    if edge {
                        self.edges.add_readable(peer, size);
                    }
                    return Push::Taken;
                }
                Err(Full) if is_relieved => return Push::Full,
                Err(Full) => {
                    drop(batch);
                    is_relieved = peer.clone().relieve();
                    if !is_relieved {
                        return Push::Full;
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

    fn send_as(&mut self, message_type: Option<MessageType>) {
        self.message_type = message_type;
    }

    fn max_hops(&self) -> usize {
        self.options.positive(name::MAXTTL)
    }
}

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
    pub fn header(&self) -> Header {
        self.pipe.inbound.peek().map_or_else(Header::new, |front| self.delivery.header(front))
    }

    /// The type of the WebSocket message that it came as; or, in the same process, what it was
    /// sent as, if that was said.
    #[must_use]
    pub fn message_type(&self) -> Option<MessageType> {
        self.pipe.inbound.peek()?.message_type
    }

    /// The body, in two runs.
    #[must_use]
    pub fn body(&self) -> (&[u8], &[u8]) {
        self.pipe.inbound.peek().map_or((&[], &[]), |front| front.split(self.delivery.skip))
    }

    /// Length of the body in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// The memory that the body came in, and where it begins there, taken out of the lane: whoever copies
    /// from it need not hold the socket up.
    ///
    /// # Errors
    /// The message as it was, when its body lies in the lane itself.
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
    use crate::pipe::{Nobody, lane};

    fn pipe() -> (Pipe, Producer, Consumer) {
        let (far_out, inbound) = lane(100);
        let (outbound, far_in) = lane(100);
        (
            Pipe { inbound, outbound, peer: Some(Arc::new(Nobody)), is_ready: true, left_behind: 0 },
            far_out,
            far_in,
        )
    }

    fn receive<'a>(delivery: &'a Delivery, pipe: &'a mut Pipe, taken: &'a mut bool) -> Received<'a> {
        let length = pipe.inbound.peek().unwrap().len() - delivery.skip;
        Received { delivery, length, pipe, taken }
    }

    #[test]
    fn ids_are_not_used_again_at_once() {
        let mut pipes = Pipes::new();
        let first = pipes.next_id(5).unwrap();
        pipes.insert(first, pipe().0);
        assert_eq!(pipes.open(), 1);
        assert!(pipes.remove(first).is_some());
        let second = pipes.next_id(5).unwrap();
        assert_ne!(first, second);
        pipes.insert(second, pipe().0);
        assert!(pipes.get(first).is_none() && pipes.get(second).is_some());
        assert!(pipes.remove(first).is_none());
        assert!(second.0 <= ID_MASK);
    }

    #[test]
    fn a_chunk_that_nobody_else_has_is_handed_out_as_it_is() {
        let (mut pipe, mut producer, _far_in) = pipe();
        let chunk = Chunk::copy_of(b"idXXbody").unwrap();
        let address = chunk.as_ptr() as usize;
        producer.batch().push(&[], &mut Payload::Owned(chunk), None).unwrap();
        assert!(!pipe.inbound.is_empty());
        let (mut taken, delivery) = (false, Delivery::plain(PipeId(1), 4));
        let received = receive(&delivery, &mut pipe, &mut taken);
        assert_eq!((received.len(), received.body()), (4, (&[][..], &b"body"[..])));
        let chunk = received.into_chunk().unwrap();
        assert_eq!((&*chunk, chunk.as_ptr() as usize), (&b"body"[..], address + 4));
        assert!(taken);
    }

    #[test]
    fn small_and_shared_messages_are_copied_out() {
        let (mut pipe, mut producer, _far_in) = pipe();
        producer.batch().push(b"id", &mut Payload::Borrowed(b"small"), None).unwrap();
        assert!(!pipe.inbound.is_empty());
        let (mut taken, delivery) = (false, Delivery::plain(PipeId(1), 2));
        let received = receive(&delivery, &mut pipe, &mut taken);
        assert_eq!(&*received.into_chunk().unwrap(), b"small");
        assert!(!taken);
        pipe.inbound.pop();
        let shared = Chunk::copy_of(b"shared").unwrap();
        producer.batch().push(b"id", &mut Payload::Owned(shared.clone()), None).unwrap();
        assert!(!pipe.inbound.is_empty());
        let received = receive(&delivery, &mut pipe, &mut taken);
        let copy = received.into_chunk().unwrap();
        assert_eq!((&*copy, taken), (&b"shared"[..], true));
        assert_ne!(copy.as_ptr(), shared.as_ptr());
    }
}
