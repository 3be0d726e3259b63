//! A message as it is received, still in its lane.

use std::sync::Arc;

use super::peer_info::PeerInfo;
use super::pipes::Pipe;
use crate::message::{Chunk, Front, Metadata, ProtocolHeader};
use crate::protocol::{Delivery, ReplyRoute};

opaque!([] Received<'_>);

/// A message that is being received, still in its lane. Dropping it removes it from there.
pub struct Received<'a> {
    delivery: &'a Delivery,
    /// The length of the body in bytes.
    length: usize,
    pipe: &'a mut Pipe,
    /// Its memory was taken, and so it is no longer in the lane.
    is_taken: bool,
}

impl Drop for Received<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.is_taken {
            self.pipe.inbound.skip();
        }
    }
}

impl<'a> Received<'a> {
    /// The first message of the pipe's inbound lane, whose body has this length.
    #[inline]
    pub(super) fn new(delivery: &'a Delivery, length: usize, pipe: &'a mut Pipe) -> Received<'a> {
        Received { delivery, length, pipe, is_taken: false }
    }

    /// The protocol header, which raw sockets see.
    #[must_use]
    pub fn header(&self) -> ProtocolHeader {
        self.pipe
            .inbound
            .peek()
            .map_or_else(ProtocolHeader::new, |front| self.delivery.protocol_header(front))
    }

    /// The peer that it came from, while `NN_PEER_INFO` is set.
    #[must_use]
    pub fn peer(&self) -> Option<Arc<PeerInfo>> {
        let origin = || self.pipe.origins.front().and_then(|origin| origin.info.as_ref());
        self.pipe.info.as_ref().or_else(origin).cloned()
    }

    /// The id of the pipe that it came from.
    #[cfg(simulated)]
    #[must_use]
    pub(crate) fn pipe(&self) -> u32 {
        self.pipe.origins.front().map_or(self.delivery.pipe, |origin| origin.pipe).0
    }

    /// The route of the reply to the message, which is a request or a survey.
    #[must_use]
    pub(crate) fn reply_route(&self) -> ReplyRoute {
        let backtrace = |front: Front<'_>| front.bytes(0..).take(self.delivery.skip).collect();
        let front = self.pipe.inbound.peek();
        ReplyRoute::new(self.delivery.pipe, front.map_or_else(ProtocolHeader::new, backtrace))
    }

    /// The metadata; from a sender in this process, that with which the message was sent.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.pipe.inbound.peek().map(|front| front.metadata).unwrap_or_default()
    }

    /// The body, in two parts.
    #[must_use]
    #[inline]
    pub fn body(&self) -> (&[u8], &[u8]) {
        self.pipe.inbound.peek().map_or((&[], &[]), |front| front.split(self.delivery.skip))
    }

    /// The length of the body in bytes.
    #[must_use]
    #[inline]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Takes the memory of the message out of the lane, so that it can be copied without the socket's lock.
    /// Returns it with the offset of the body.
    ///
    /// # Errors
    /// The unchanged message, when its body lies in the lane itself.
    #[inline]
    pub fn take_chunk(mut self) -> Result<(Chunk, usize), Self> {
        let begin = |front: Front<'_>| self.delivery.skip.checked_sub(front.head.len());
        let chunk = self
            .pipe
            .inbound
            .peek()
            .and_then(begin)
            .and_then(|begin| self.pipe.inbound.take_chunk().map(|chunk| (chunk, begin)));
        self.is_taken = chunk.is_some();
        chunk.ok_or(self)
    }

    /// The body as message memory, without a copy if it came in such memory and is not shared. `None` without
    /// memory for a copy.
    #[must_use]
    pub fn into_chunk(self) -> Option<Chunk> {
        match self.take_chunk() {
            Ok((chunk, begin)) => {
                let chunk = chunk.trimmed(begin)?;
                // A message that is shared must not be written to by one of its owners.
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
    use crate::message::Payload;
    use crate::protocol::PipeId;
    use crate::socket::pipes::tests::pipe;

    fn receive<'a>(delivery: &'a Delivery, pipe: &'a mut Pipe) -> Received<'a> {
        let length = pipe.inbound.peek().unwrap().len() - delivery.skip;
        Received::new(delivery, length, pipe)
    }

    #[test]
    fn an_unshared_chunk_is_returned_without_a_copy() {
        let (mut pipe, mut producer, _far_in) = pipe();
        let chunk = Chunk::copy_of(b"idXXbody").unwrap();
        let address = chunk.as_ptr() as usize;
        producer.batch().push(&[], &mut Payload::Owned(chunk), Metadata::default()).unwrap();
        assert!(!pipe.inbound.is_empty());
        let delivery = Delivery::plain(PipeId(1), 4);
        let received = receive(&delivery, &mut pipe);
        assert_eq!((received.length(), received.body()), (4, (&[][..], &b"body"[..])));
        let chunk = received.into_chunk().unwrap();
        assert_eq!((&*chunk, chunk.as_ptr() as usize), (&b"body"[..], address + 4));
        assert!(pipe.inbound.is_empty());
    }

    #[test]
    fn small_and_shared_messages_are_copied() {
        let (mut pipe, mut producer, _far_in) = pipe();
        producer.batch().push(b"id", &mut Payload::Borrowed(b"small"), Metadata::default()).unwrap();
        assert!(!pipe.inbound.is_empty());
        let delivery = Delivery::plain(PipeId(1), 2);
        let received = receive(&delivery, &mut pipe);
        assert_eq!(&*received.into_chunk().unwrap(), b"small");
        assert!(pipe.inbound.is_empty());
        let shared = Chunk::copy_of(b"shared").unwrap();
        producer.batch().push(b"id", &mut Payload::Owned(shared.clone()), Metadata::default()).unwrap();
        assert!(!pipe.inbound.is_empty());
        let received = receive(&delivery, &mut pipe);
        let copy = received.into_chunk().unwrap();
        assert_eq!(&*copy, b"shared");
        assert!(pipe.inbound.is_empty());
        assert_ne!(copy.as_ptr(), shared.as_ptr());
    }
}
