//! A message owned by the program, and what can be sent as one.

use std::alloc::{Layout, handle_alloc_error};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("header", &self.header()).field("length", &self.len()).finish()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        **self == **other && self.header == other.header
    }
}

impl Eq for Message {}

impl PartialOrd for Message {
    fn partial_cmp(&self, other: &Message) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Message {
    /// By their bytes, and then by their protocol headers.
    fn cmp(&self, other: &Message) -> Ordering {
        (**self).cmp(&**other).then_with(|| self.header.cmp(&other.header))
    }
}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
        self.header.hash(state);
    }
}

/// Compares a message's bytes, whatever its header is: `bytes_of(generics: type, …)`.
macro_rules! equals {
    ($([$($generics:tt)*] $type:ty),+) => { $(
        impl<$($generics)*> PartialEq<$type> for Message {
            fn eq(&self, other: &$type) -> bool {
                **self == *AsRef::<[u8]>::as_ref(other)
            }
        }
    )+ };
}

equals!([] [u8], [] &[u8], [const N: usize] [u8; N], [const N: usize] &[u8; N], [] str, [] &str, [] Vec<u8>, [] String);

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

impl From<Message> for Vec<u8> {
    /// A copy.
    fn from(message: Message) -> Vec<u8> {
        message.to_vec()
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

/// What can be sent as a message: bytes, text, and a [`Message`]. A large [`Message`] is sent without being copied,
/// all others are copied once.
///
/// ```
/// # use scaproust::{Pair, Message};
/// let (one, other) = (Pair::new()?, Pair::new()?);
/// one.bind("inproc://doc/into_message")?;
/// other.connect("inproc://doc/into_message")?;
/// one.send("text")?;
/// one.send(b"bytes")?;
/// one.send(vec![1, 2, 3])?;
/// one.send(Message::zeroed(2)?)?;
/// for expected in ["text".as_bytes(), b"bytes", &[1, 2, 3], &[0, 0]] {
///     assert_eq!(other.recv()?, expected);
/// }
/// # Ok::<(), scaproust::Error>(())
/// ```
pub trait IntoMessage: sealed::Sendable {
    /// Makes the message.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    fn into_message(self) -> Result<Message, Error>;
}

pub(super) mod sealed {
    use crate::message::Outgoing;

    /// What can be sent in the duration of a call.
    pub trait Sendable {
        /// Calls `send` with the message.
        fn lend_once<R>(self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R;
    }
}

impl IntoMessage for Message {
    fn into_message(self) -> Result<Message, Error> {
        Ok(self)
    }
}

impl sealed::Sendable for Message {
    #[inline]
    fn lend_once<R>(mut self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R {
        self.lend(send)
    }
}

impl IntoMessage for &Message {
    /// The message shares its memory.
    fn into_message(self) -> Result<Message, Error> {
        Ok(self.clone())
    }
}

impl sealed::Sendable for &Message {
    #[inline]
    fn lend_once<R>(self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R {
        self.clone().lend(send)
    }
}

/// Implements the traits for types that are bytes, and `From` for messages: `sendable([generics] type, …)`.
macro_rules! sendable {
    ($($(#[$condition:meta])? [$($generics:tt)*] $type:ty),+ $(,)?) => { $(
        $(#[$condition])?
        impl<$($generics)*> IntoMessage for $type {
            fn into_message(self) -> Result<Message, Error> {
                Message::copy_of(self)
            }
        }

        $(#[$condition])?
        impl<$($generics)*> sealed::Sendable for $type {
            #[inline]
            fn lend_once<R>(self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R {
                send(&mut Outgoing::new(Payload::Borrowed(AsRef::<[u8]>::as_ref(&self))))
            }
        }

        $(#[$condition])?
        impl<$($generics)*> From<$type> for Message {
            /// A message with a copy of these bytes. Without memory for it the process is aborted, as by a vector that
            /// grows; [`Message::copy_of`] fails instead.
            fn from(bytes: $type) -> Message {
                let length = AsRef::<[u8]>::as_ref(&bytes).len();
                Message::copy_of(bytes).unwrap_or_else(|_| handle_alloc_error(layout(length)))
            }
        }
    )+ };
}

sendable!(
    [] &[u8],
    [const N: usize] [u8; N],
    [const N: usize] &[u8; N],
    [] Vec<u8>,
    [] &Vec<u8>,
    [] Box<[u8]>,
    [] &str,
    [] String,
    [] &String,
    #[cfg(feature = "bytes")] [] bytes::Bytes,
    #[cfg(feature = "bytes")] [] &bytes::Bytes,
);

#[cold]
fn layout(length: usize) -> Layout {
    Layout::array::<u8>(length).unwrap_or(Layout::new::<Message>())
}

#[cfg(feature = "bytes")]
impl From<Message> for bytes::Bytes {
    /// The same memory, without a copy. The way back, from `Bytes` to a message, copies: to send the same bytes several
    /// times, make one message of them and send clones of it.
    fn from(message: Message) -> bytes::Bytes {
        bytes::Bytes::from_owner(message)
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
    fn messages_with_other_headers_are_not_equal() {
        let mut one = Message::from("text");
        let other = one.clone();
        one.set_header(&[1]);
        assert_ne!(one, other);
        assert_eq!(one.cmp(&other), Ordering::Greater);
        assert!(
            one == "text" && other == *b"text" && one == b"text"[..] && other == vec![b't', b'e', b'x', b't']
        );
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
