//! A message owned by the program, and what can be sent as one.

use std::alloc::{Layout, handle_alloc_error};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Deref;

use crate::error::Error;
use crate::message::{Chunk, MessageType, Metadata, Outgoing, Payload, ProtocolHeader};
use crate::socket::{LendMessage, Received};

/// A message: bytes in memory that is sent and received without being copied.
///
/// It dereferences to its bytes. Up to 64 of them are in the value itself; a clone of a longer message shares its
/// memory until one of the two is written to. It is made from bytes, text or a vector by `From`, which copies, and
/// is appended to through [`io::Write`]. Two messages are equal if their bytes and their protocol headers are.
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
    body: Body,
    metadata: Metadata,
}

/// The longest body, in bytes, that is kept in the message itself: to allocate memory for a body and to free it
/// takes as long as the rest of a small message.
const SHORT: usize = 64;

#[derive(Clone)]
enum Body {
    /// The first `length` of these bytes, which is at most [`SHORT`].
    Short {
        length: u8,
        bytes: [u8; SHORT],
    },
    Chunk(Chunk),
}

impl Body {
    const EMPTY: Body = Body::Short { length: 0, bytes: [0; SHORT] };

    /// `first` and `second`, if both together are short.
    #[inline]
    fn short(first: &[u8], second: &[u8]) -> Option<Body> {
        let length = first.len() + second.len();
        let mut bytes = [0; SHORT];
        bytes.get_mut(..first.len())?.copy_from_slice(first);
        bytes.get_mut(first.len()..length)?.copy_from_slice(second);
        Some(Body::Short { length: length as u8, bytes })
    }

    /// A copy of `first` and `second`.
    #[inline]
    fn joined(first: &[u8], second: &[u8]) -> Result<Body, Error> {
        match Body::short(first, second) {
            Some(body) => Ok(body),
            None => Chunk::joined(first, second).map(Body::Chunk).ok_or(Error::OutOfMemory),
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Body::Short { length, bytes } => &bytes[..usize::from(*length)],
            Body::Chunk(chunk) => chunk,
        }
    }
}

impl Message {
    /// An empty message.
    ///
    /// ```
    /// assert!(scaproust::Message::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Message {
        Message::with(Body::EMPTY)
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
        let short = u8::try_from(length).ok().filter(|_| length <= SHORT);
        Ok(Message::with(match short {
            Some(length) => Body::Short { length, bytes: [0; SHORT] },
            None => Body::Chunk(Chunk::new(length).ok_or(Error::OutOfMemory)?),
        }))
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
        Body::joined(bytes.as_ref(), &[]).map(Message::with)
    }

    fn with(body: Body) -> Message {
        Message { header: ProtocolHeader::new(), body, metadata: Metadata::default() }
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
        match received.take_chunk() {
            Ok((chunk, begin)) => self.body = Body::Chunk(chunk.trimmed(begin).ok_or(Error::OutOfMemory)?),
            Err(received) => {
                let (first, second) = received.body();
                self.body = Body::joined(first, second)?;
            }
        }
        Ok(())
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
        match &mut self.body {
            Body::Short { length, bytes } => Ok(&mut bytes[..usize::from(*length)]),
            Body::Chunk(chunk) => {
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
        let body = std::mem::replace(&mut self.body, Body::EMPTY);
        let joined = match body {
            Body::Short { length, bytes } => {
                Body::joined(&bytes[..usize::from(length)], more).map_err(|error| (body, error))
            }
            Body::Chunk(chunk) => {
                let length = chunk.len().saturating_add(more.len());
                // At least twice as much memory each time, so that many small writes copy little.
                let mut chunk = chunk;
                let has_room = chunk.spare().len() >= more.len();
                match if has_room { Ok(chunk) } else { chunk.reserve(length.saturating_mul(2)) } {
                    Ok(mut chunk) => {
                        chunk.append(more);
                        Ok(Body::Chunk(chunk))
                    }
                    Err(chunk) => Err((Body::Chunk(chunk), Error::OutOfMemory)),
                }
            }
        };
        let (body, outcome) = match joined {
            Ok(body) => (body, Ok(())),
            Err((body, error)) => (body, Err(error)),
        };
        self.body = body;
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

    fn deref(&self) -> &[u8] {
        self.body.bytes()
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
        match &mut self.body {
            Body::Short { length, bytes } => {
                let body = Payload::Borrowed(&bytes[..usize::from(*length)]);
                let mut outgoing = Outgoing { header, body, metadata };
                let result = send(&mut outgoing);
                self.header = outgoing.header;
                result
            }
            Body::Chunk(_) => {
                let Body::Chunk(chunk) = std::mem::replace(&mut self.body, Body::EMPTY) else {
                    unreachable!()
                };
                let mut outgoing = Outgoing { header, body: Payload::Owned(chunk), metadata };
                let result = send(&mut outgoing);
                self.header = outgoing.header;
                if let Payload::Owned(chunk) = outgoing.body {
                    self.body = Body::Chunk(chunk);
                }
                result
            }
        }
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
    /// The same memory, without a copy.
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
                assert_eq!(matches!(message.body, Body::Short { .. }), length <= SHORT);
            }
        }
    }
}
