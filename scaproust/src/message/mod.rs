//! Messages: a protocol header and a body.
//!
//! Owns the memory of message bodies ([`Chunk`]) and the types in which a message passes from one
//! layer to the next. Must not know pipes, sockets or protocols.

mod chunk;
mod pool;

pub use chunk::Chunk;
pub(crate) use pool::{allocate, free, keep_spare_memory, release_spare_memory};

use smallvec::SmallVec;

/// The length in bytes up to which bodies are copied into a pipe; longer ones pass through it as a [`Chunk`].
pub const INLINE_MAX: usize = 4096;
/// The length in bytes from which several pipes share a body: to copy a shorter one takes less.
pub(crate) const SHARED_FROM: usize = 256;

/// The protocol header of a message, such as the backtrace of a REQ/REP message. Programs see it on
/// raw sockets only.
///
/// Four words of 32 bits fit without an allocation.
pub(crate) type ProtocolHeader = SmallVec<[u8; 16]>;

/// The body of a message on its way into a pipe.
#[derive(Clone, Debug)]
pub enum Payload<'a> {
    /// Bytes borrowed for the duration of the call; they are copied once.
    Borrowed(&'a [u8]),
    /// Memory whose ownership is passed on; a clone shares it.
    Owned(Chunk),
}

impl Payload<'_> {
    /// The bytes of the body.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Owned(chunk) => chunk,
        }
    }

    /// Moves the body to memory of its own, which clones share. Returns `false`, and changes nothing, when out of memory.
    pub(crate) fn own(&mut self) -> bool {
        if let Payload::Borrowed(bytes) = self {
            let Some(chunk) = Chunk::copy_of(bytes) else { return false };
            *self = Payload::Owned(chunk);
        }
        true
    }

    /// Takes the body out and leaves an empty one.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Payload::Borrowed(&[]))
    }
}

/// The type of a WebSocket message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

/// The metadata of a message. Queues, devices and protocols pass it on without interpreting it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The type of the WebSocket message that it was received as or will be sent as; `None` stands for the
    /// type in `NN_WS_MSG_TYPE`.
    pub message_type: Option<MessageType>,
}

/// A message to be sent. Its header is empty unless the program gave one, on a raw socket.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The protocol header.
    pub header: ProtocolHeader,
    /// The body.
    pub body: Payload<'a>,
    /// The metadata.
    pub metadata: Metadata,
}

impl<'a> Outgoing<'a> {
    /// A message without a header.
    #[must_use]
    #[inline]
    pub fn new(body: Payload<'a>) -> Outgoing<'a> {
        Outgoing { header: ProtocolHeader::new(), body, metadata: Metadata::default() }
    }
}

/// A view of the first message in a pipe's inbound lane.
///
/// The message is `head` followed by `body`. Where it is split depends on how the lane stores it and
/// has no meaning; a message from the network has an empty `head`.
#[derive(Clone, Copy, Debug)]
pub struct Front<'a> {
    /// The first bytes of the message, often none.
    pub head: &'a [u8],
    /// The rest of it.
    pub body: &'a [u8],
    /// The metadata.
    pub metadata: Metadata,
}

impl<'a> Front<'a> {
    /// Length of the message in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The big-endian 32-bit word at `4 * index`; `None` if the message ends before its end.
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
    #[inline]
    pub fn bytes(&self, range: std::ops::RangeFrom<usize>) -> impl Iterator<Item = u8> + 'a {
        let (head, body) = self.split(range.start);
        head.iter().chain(body).copied()
    }

    /// What remains of `head` and of `body` without the first `skip` bytes of the message.
    #[must_use]
    #[inline]
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
    fn a_word_may_be_split_between_head_and_body() {
        let front = Front { head: &[0, 0], body: &[1, 2, 0x80, 0, 0, 9, 5], metadata: Metadata::default() };
        assert_eq!(front.word(0), Some(0x0102));
        assert_eq!(front.word(1), Some(0x8000_0009));
        assert_eq!(front.word(2), None);
        assert_eq!(front.split(8), (&[][..], &[5][..]));
        assert_eq!(front.split(1), (&[0][..], front.body));
        assert_eq!(front.split(99), (&[][..], &[][..]));
    }
}
