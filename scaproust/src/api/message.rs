//! A message owned by the program.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::Error;
use crate::message::{Chunk, MessageType, Metadata, Outgoing, Payload, ProtocolHeader};
use crate::socket::{LendMessage, PeerInfo, Received};

/// A message: bytes in memory that is sent and received without being copied.
///
/// It dereferences to its bytes. Up to 64 of them are in the value itself; a clone of a longer message shares its
/// memory until one of the two is written to. It is made from bytes, text or a vector by `From`, which copies, since C
/// programs in the process receive the same memory, with bookkeeping in front of it. It
/// is appended to through [`io::Write`]; [`io::Cursor`] reads from one. Two messages are equal if their bytes and their protocol headers are.
///
/// ```
/// # use scaproust::{Message, Pair};
/// let (one, other) = (Pair::new()?, Pair::new()?);
/// one.bind("inproc://doc/message")?;
/// other.connect("inproc://doc/message")?;
///
/// let mut image = Message::zeroed(640 * 480)?;
/// image.make_mut()?.fill(0xff);
/// one.send_message(image)?;
///
/// let received = other.recv()?;
/// assert_eq!((received.len(), received.first()), (640 * 480, Some(&0xff)));
/// # Ok::<(), scaproust::Error>(())
/// ```
#[derive(Clone)]
pub struct Message {
    header: ProtocolHeader,
    /// The body, unless it is short.
    chunk: Option<Chunk>,
    /// The short body is the first bytes of `short`, as many as this.
    length: u8,
    metadata: Metadata,
    peer: Option<Arc<PeerInfo>>,
    short: Short,
}

/// The longest body, in bytes, that is kept in the message itself: to allocate memory for a body and to free it
/// takes as long as the rest of a small message.
const SHORT: usize = 64;

/// Memory for a short body. Aligned, so that it is copied in few pieces.
#[derive(Clone)]
#[repr(align(8))]
struct Short([u8; SHORT]);

impl Message {
    /// An empty message.
    ///
    /// ```
    /// assert!(scaproust::Message::new().is_empty());
    /// ```
    #[must_use]
    #[inline]
    pub fn new() -> Message {
        Message {
            header: ProtocolHeader::new(),
            chunk: None,
            length: 0,
            metadata: Metadata::default(),
            peer: None,
            short: Short([0; SHORT]),
        }
    }

    /// A message of `length` zero bytes. [`Message::make_mut`] gives write access.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use scaproust::Message;
    /// assert_eq!(*Message::zeroed(3)?, [0, 0, 0]);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn zeroed(length: usize) -> Result<Message, Error> {
        let mut message = Message::new();
        match u8::try_from(length).ok().filter(|_| length <= SHORT) {
            Some(length) => message.length = length,
            None => message.chunk = Some(Chunk::new(length).ok_or(Error::OutOfMemory)?),
        }
        Ok(message)
    }

    /// A message with a copy of `bytes`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use scaproust::Message;
    /// assert_eq!(*Message::copy_of("text")?, *b"text");
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn copy_of(bytes: impl AsRef<[u8]>) -> Result<Message, Error> {
        let mut message = Message::new();
        message.set_body(bytes.as_ref(), &[])?;
        Ok(message)
    }

    /// Makes a copy of `first` and `second` the body of a new message.
    #[inline]
    fn set_body(&mut self, first: &[u8], second: &[u8]) -> Result<(), Error> {
        let length = first.len() + second.len();
        if let Some(short) = self.short.0.get_mut(..length) {
            let (begin, end) = short.split_at_mut(first.len());
            begin.copy_from_slice(first);
            end.copy_from_slice(second);
            self.length = length as u8;
        } else {
            self.chunk = Some(Chunk::joined(first, second).ok_or(Error::OutOfMemory)?);
        }
        Ok(())
    }

    /// Takes over a message that was received, in place of this one, which is new. With `HAS_HEADER` it may have a
    /// protocol header. Without memory for a copy that it needs, it is lost.
    ///
    /// It is filled in place, since a return value of this size would be copied from one caller to the next.
    #[inline]
    pub(super) fn fill<const HAS_HEADER: bool>(&mut self, received: Received<'_>) -> Result<(), Error> {
        if HAS_HEADER {
            self.header = received.header();
        }
        self.metadata = received.metadata();
        self.peer = received.peer();
        match received.take_chunk() {
            Ok((chunk, begin)) => {
                self.chunk = Some(chunk.trimmed(begin).ok_or(Error::OutOfMemory)?);
                Ok(())
            }
            Err(received) => {
                let (first, second) = received.body();
                self.set_body(first, second)
            }
        }
    }

    /// The peer that the message came from, if the socket [names peers](crate::Socket::set_names_peers).
    ///
    /// ```
    /// # use scaproust::{Pair, Pull, Push};
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// worker.set_names_peers(true)?;
    /// worker.bind("inproc://doc/peer")?;
    /// source.connect("inproc://doc/peer")?;
    /// source.send(b"a task")?;
    /// let message = worker.recv()?;
    /// let peer = message.peer().unwrap();
    /// assert_eq!((peer.endpoint.get(), &peer.address[..]), (1, &b"inproc://doc/peer"[..]));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    #[must_use]
    pub fn peer(&self) -> Option<&PeerInfo> {
        self.peer.as_deref()
    }

    /// The bytes, for writing. If a clone shares the memory, the bytes are copied first.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], if a copy was needed.
    ///
    /// ```
    /// # use scaproust::Message;
    /// let mut message = Message::copy_of("text")?;
    /// let before = message.clone();
    /// message.make_mut()?.make_ascii_uppercase();
    /// assert_eq!((&*message, &*before), (&b"TEXT"[..], &b"text"[..]));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn make_mut(&mut self) -> Result<&mut [u8], Error> {
        match &mut self.chunk {
            None => Ok(&mut self.short.0[..usize::from(self.length)]),
            Some(chunk) => {
                if !chunk.is_unique() {
                    *chunk = Chunk::copy_of(chunk).ok_or(Error::OutOfMemory)?;
                }
                // It is unique by now, and cannot be cloned through this exclusive reference.
                Ok(chunk.unique().unwrap_or_default())
            }
        }
    }

    /// Appends bytes. Fails without an effect.
    fn append(&mut self, more: &[u8]) -> Result<(), Error> {
        let Some(mut chunk) = self.chunk.take() else {
            let short = self.short.clone();
            return self.set_body(&short.0[..usize::from(self.length)], more);
        };
        let length = chunk.len().saturating_add(more.len());
        let has_room = chunk.spare().len() >= more.len();
        // At least twice as much memory each time, so that many small writes copy little.
        let (chunk, outcome) =
            match if has_room { Ok(chunk) } else { chunk.reserve(length.saturating_mul(2)) } {
                Ok(mut chunk) => {
                    chunk.append(more);
                    (chunk, Ok(()))
                }
                Err(chunk) => (chunk, Err(Error::OutOfMemory)),
            };
        self.chunk = Some(chunk);
        outcome
    }

    /// The protocol header of a raw socket's message; empty for all others.
    /// [`pattern::Raw`](crate::pattern::Raw) has an example.
    ///
    /// ```
    /// assert!(scaproust::Message::new().header().is_empty());
    /// ```
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Sets the protocol header. Only raw sockets send it.
    ///
    /// ```
    /// # use scaproust::Message;
    /// let mut message = Message::copy_of("request")?;
    /// message.set_header(&[0x80, 0, 0, 1]);
    /// assert_eq!(message.header(), [0x80, 0, 0, 1]);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_header(&mut self, header: &[u8]) {
        self.header = ProtocolHeader::from_slice(header);
    }

    /// The type of the message over ws. For a message that was received over inproc, or was not sent
    /// yet, it is the one set by [`Message::set_message_type`].
    ///
    /// ```
    /// # use scaproust::Message;
    /// assert_eq!(Message::copy_of("text")?.message_type(), None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    #[must_use]
    pub fn message_type(&self) -> Option<MessageType> {
        self.metadata.message_type
    }

    /// Sets the type of the message over ws; with `None`, it is
    /// [`Socket::ws_message_type`](crate::Socket::ws_message_type).
    ///
    /// ```
    /// # use scaproust::{Message, MessageType, Pair};
    /// let (one, other) = (Pair::new()?, Pair::new()?);
    /// one.bind("inproc://doc/message_type")?; // Or ws://*:8080.
    /// other.connect("inproc://doc/message_type")?;
    ///
    /// let mut message = Message::copy_of("text")?;
    /// message.set_message_type(Some(MessageType::Text));
    /// one.send_message(message)?;
    /// assert_eq!(other.recv()?.message_type(), Some(MessageType::Text));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_message_type(&mut self, message_type: Option<MessageType>) {
        self.metadata.message_type = message_type;
    }
}

impl Default for Message {
    fn default() -> Message {
        Message::new()
    }
}

impl Deref for Message {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.chunk {
            None => &self.short.0[..usize::from(self.length)],
            Some(chunk) => chunk,
        }
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Message {
    /// The protocol header if there is one, the first bytes, and the length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut message = f.debug_struct("Message");
        if !self.header().is_empty() {
            message.field("header", &self.header());
        }
        message.field("bytes", &Excerpt(self)).field("length", &self.len()).finish()
    }
}

/// The first bytes of a message, for debugging: as a byte string, with dots in place of those that follow.
pub(super) struct Excerpt<'a>(pub(super) &'a [u8]);

/// The longest excerpt, in bytes.
const EXCERPT: usize = 64;

impl fmt::Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, dots) = match self.0.split_at_checked(EXCERPT) {
            Some((first, rest)) if !rest.is_empty() => (first, "…"),
            _ => (self.0, ""),
        };
        write!(f, "b\"{}\"{dots}", first.escape_ascii())
    }
}

/// Appends to the message, which has room for as much as there is memory.
///
/// ```
/// # use scaproust::Message;
/// use std::io::Write;
/// let mut message = Message::new();
/// write!(message, "{}/{:.1}", "temperature", 21.5)?;
/// assert_eq!(message, "temperature/21.5");
/// # Ok::<(), std::io::Error>(())
/// ```
impl io::Write for Message {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LendMessage for Message {
    #[inline]
    fn lend<R>(&mut self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R {
        let header = std::mem::take(&mut self.header);
        let metadata = self.metadata;
        let body = match self.chunk.take() {
            None => Payload::Borrowed(&self.short.0[..usize::from(self.length)]),
            Some(chunk) => Payload::Owned(chunk),
        };
        let is_short = matches!(body, Payload::Borrowed(_));
        let mut outgoing = Outgoing { header, body, metadata };
        let result = send(&mut outgoing);
        self.header = outgoing.header;
        match outgoing.body {
            Payload::Owned(chunk) if !is_short => self.chunk = Some(chunk),
            _ if !is_short => self.length = 0,
            _ => {}
        }
        result
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_written_in_pieces_is_one_message() {
        let mut message = Message::new();
        let mut expected = Vec::new();
        for piece in 0..300_u32 {
            let bytes = vec![piece as u8; piece as usize % 7];
            message.write_all(&bytes).unwrap();
            expected.extend(bytes);
            let shared = (piece % 50 == 0).then(|| message.clone());
            assert_eq!(message, expected);
            drop(shared);
        }
    }

    #[test]
    fn a_clone_does_not_see_what_is_appended() {
        for length in [0, 1, SHORT, SHORT + 1, 5000] {
            let mut message = Message::from(vec![1; length]);
            let before = message.clone();
            message.write_all(&[2; 3]).unwrap();
            assert_eq!((before.len(), message.len()), (length, length + 3));
            assert!(message[length..] == [2; 3] && before.iter().all(|byte| *byte == 1));
            assert!(before < message && before != message);
        }
    }

    #[test]
    fn debugging_shows_the_first_bytes() {
        assert_eq!(format!("{:?}", Message::new()), r#"Message { bytes: b"", length: 0 }"#);
        let mut message = Message::from(b"say \"hi\"\n\xff");
        message.set_header(&[1]);
        let shown = r#"Message { header: [1], bytes: b"say \"hi\"\n\xff", length: 10 }"#;
        assert_eq!(format!("{message:?}"), shown);
        let shown = |length, bytes, dots| {
            format!("Message {{ bytes: b\"{}\"{dots}, length: {length} }}", "a".repeat(bytes))
        };
        assert_eq!(format!("{:?}", Message::from(vec![b'a'; 64])), shown(64, 64, ""));
        assert_eq!(format!("{:?}", Message::from(vec![b'a'; 65])), shown(65, 64, "…"));
        let slice = Message::from("0123").slice(1..3);
        assert_eq!(format!("{slice:?}"), r#"MessageSlice { bytes: b"12", length: 2 }"#);
    }

    #[test]
    fn a_message_is_short_up_to_a_length() {
        for length in [0, SHORT - 1, SHORT, SHORT + 1] {
            for message in [Message::zeroed(length).unwrap(), Message::from(vec![0; length])] {
                assert_eq!(message.len(), length);
                assert_eq!(message.chunk.is_none(), length <= SHORT);
            }
        }
    }
}
