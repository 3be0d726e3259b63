//! What travels: a protocol header and a body.
//!
//! Owns the memory of messages ([`Chunk`]) and the shapes in which a message is handed from one
//! layer to the next. Must not know pipes, sockets or protocols.

mod chunk;
mod pool;

pub use chunk::Chunk;
pub use pool::release_spare_memory;

use smallvec::SmallVec;

/// A protocol header: the stack of hops of REQ/REP, or the pipe of a raw socket.
///
/// Four hops fit without an allocation.
pub type Header = SmallVec<[u8; 16]>;

/// The body of a message on its way out.
#[derive(Clone, Debug)]
pub enum Payload<'a> {
    /// Bytes that belong to the caller for the time of the call; they are copied once.
    Borrowed(&'a [u8]),
    /// Memory that changes its owner; a clone shares it.
    Owned(Chunk),
}

impl Payload<'_> {
    /// The bytes of the body.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Owned(chunk) => chunk,
        }
    }

    /// Takes the body out and leaves an empty one.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Payload::Borrowed(&[]))
    }
}

/// What a message is over a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// Text in UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// A message on its way out: a header, which stays empty unless a protocol or a raw socket fills
/// it, and a body.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The protocol header.
    pub header: Header,
    /// The body.
    pub body: Payload<'a>,
    /// What it is sent as over a WebSocket, if that was said.
    pub message_type: Option<MessageType>,
}

impl<'a> Outgoing<'a> {
    /// A message without a header.
    #[must_use]
    pub fn new(body: Payload<'a>) -> Outgoing<'a> {
        Outgoing { header: Header::new(), body, message_type: None }
    }
}

/// The first message of a lane, seen in place.
///
/// What a peer sent is `head` followed by `body`; where the cut lies depends on how the message
/// was stored, never on what it means. A message from the network has an empty `head`.
#[derive(Clone, Copy, Debug)]
pub struct Front<'a> {
    /// The leading bytes, often none.
    pub head: &'a [u8],
    /// The rest.
    pub body: &'a [u8],
    /// The type that it came with, or that it was sent with.
    pub message_type: Option<MessageType>,
}

impl<'a> Front<'a> {
    /// Length of the message in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// The `index`th big-endian 32-bit word of the message, or `None` past its end.
    #[must_use]
    pub fn word(&self, index: usize) -> Option<u32> {
        let mut bytes = self.bytes(index.checked_mul(4)?..);
        let mut word = [0; 4];
        for byte in &mut word {
            *byte = bytes.next()?;
        }
        Some(u32::from_be_bytes(word))
    }

    /// The bytes from `range.start` to the end of the message.
    pub fn bytes(&self, range: std::ops::RangeFrom<usize>) -> impl Iterator<Item = u8> + 'a {
        let (head, body) = self.split(range.start);
        head.iter().chain(body).copied()
    }

    /// The two runs of bytes that remain when the first `skip` bytes are left out.
    #[must_use]
    pub fn split(&self, skip: usize) -> (&'a [u8], &'a [u8]) {
        let from_head = skip.min(self.head.len());
        let from_body = (skip - from_head).min(self.body.len());
        (&self.head[from_head..], &self.body[from_body..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_across_the_cut() {
        let front = Front { head: &[0, 0], body: &[1, 2, 0x80, 0, 0, 9, 5], message_type: None };
        assert_eq!(front.word(0), Some(0x0102));
        assert_eq!(front.word(1), Some(0x8000_0009));
        assert_eq!(front.word(2), None);
        assert_eq!(front.split(8), (&[][..], &[5][..]));
        assert_eq!(front.split(1), (&[0][..], front.body));
        assert_eq!(front.split(99), (&[][..], &[][..]));
    }
}
