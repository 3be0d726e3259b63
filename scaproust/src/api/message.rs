//! A message owned by the program.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::Error;
use crate::message::{Chunk, MessageType, Metadata, Outgoing, Payload, ProtocolHeader};
use crate::socket::PeerInfo;

/// A message: bytes in memory that is sent and received without being copied.
///
/// It dereferences to its bytes. A clone shares the memory until one of the two is written to.
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
pub struct Message(pub(super) Outgoing<'static>, Option<Arc<PeerInfo>>);

impl Message {
    /// An empty message.
    ///
    /// ```
    /// assert!(scaproust::Message::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Message {
        Message(Outgoing::new(Payload::Borrowed(&[])), None)
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
        Ok(Message::of(
            ProtocolHeader::new(),
            Chunk::new(length).ok_or(Error::OutOfMemory)?,
            Metadata::default(),
            None,
        ))
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
        Ok(Message::of(
            ProtocolHeader::new(),
            Chunk::copy_of(bytes.as_ref()).ok_or(Error::OutOfMemory)?,
            Metadata::default(),
            None,
        ))
    }

    /// A message that was received.
    pub(super) fn of(
        header: ProtocolHeader,
        body: Chunk,
        metadata: Metadata,
        peer: Option<Arc<PeerInfo>>,
    ) -> Message {
        Message(Outgoing { header, body: Payload::Owned(body), metadata }, peer)
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
    /// assert_eq!((peer.endpoint, &peer.address[..]), (1, &b"inproc://doc/peer"[..]));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    #[must_use]
    pub fn peer(&self) -> Option<&PeerInfo> {
        self.1.as_deref()
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
        match &mut self.0.body {
            Payload::Borrowed(_) => Ok(&mut []),
            Payload::Owned(chunk) => {
                if !chunk.is_unique() {
                    *chunk = Chunk::copy_of(chunk).ok_or(Error::OutOfMemory)?;
                }
                // It is unique by now, and cannot be cloned through this exclusive reference.
                Ok(chunk.unique().unwrap_or_default())
            }
        }
    }

    /// The protocol header of a raw socket's message; empty for all others.
    /// [`pattern::Raw`](crate::pattern::Raw) has an example.
    ///
    /// ```
    /// assert!(scaproust::Message::new().header().is_empty());
    /// ```
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.0.header
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
        self.0.header = ProtocolHeader::from_slice(header);
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
        self.0.metadata.message_type
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
        self.0.metadata.message_type = message_type;
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
        self.0.body.bytes()
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
