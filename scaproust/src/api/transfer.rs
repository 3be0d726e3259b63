//! Sending and receiving.

use std::fmt;

use super::message::Message;
use super::pattern::{Receives, Sends};
use super::socket::Socket;
use crate::error::Error;
use crate::message::{Outgoing, Payload};
use crate::socket::{self, Received};

/// A message that was not sent, and the error. `?` converts it to the [`Error`] and drops the message.
#[derive(Debug)]
pub struct Unsent {
    /// The error.
    pub error: Error,
    /// The message, unchanged.
    pub message: Message,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Unsent {}

impl From<Unsent> for Error {
    fn from(unsent: Unsent) -> Error {
        unsent.error
    }
}

impl<P: Sends> Socket<P> {
    /// Sends a copy of `bytes`. Blocks while the message cannot be sent, for at most
    /// [`Socket::send_timeout`].
    ///
    /// Success means that the library has accepted the message, not that a peer has received it: the
    /// message can be lost if the connection breaks.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Interrupted`] if a signal handler ran during the call,
    /// [`Error::WrongState`] if the protocol cannot send in its present state, [`Error::Closed`] or
    /// [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use scaproust::{Error, Rep};
    /// assert_eq!(Rep::new()?.send(b"an answer to nothing"), Err(Error::WrongState));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        self.send_bytes(bytes, false)
    }

    /// As [`Socket::send`], without blocking.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if the message cannot be sent now, and those of [`Socket::send`].
    ///
    /// ```
    /// # use scaproust::{Error, Push};
    /// assert_eq!(Push::new()?.try_send(b"is anybody there?"), Err(Error::WouldBlock));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn try_send(&self, bytes: &[u8]) -> Result<(), Error> {
        self.send_bytes(bytes, true)
    }

    /// As [`Socket::send`], with the memory of the message: a large one is not copied.
    ///
    /// # Errors
    /// Those of [`Socket::send`]; the message is returned with the error.
    ///
    /// ```
    /// # use scaproust::{Message, Pull, Push};
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// source.bind("inproc://doc/send_message")?;
    /// worker.connect("inproc://doc/send_message")?;
    /// let message = Message::zeroed(100_000)?;
    /// let memory = message.as_ptr();
    /// source.send_message(message)?;
    /// assert_eq!(worker.recv()?.as_ptr(), memory);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn send_message(&self, message: Message) -> Result<(), Unsent> {
        self.send_owned(message, false)
    }

    /// As [`Socket::send_message`], without blocking.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if the message cannot be sent now, and those of [`Socket::send`]; the
    /// message is returned with the error.
    ///
    /// ```
    /// # use scaproust::{Error, Message, Push};
    /// let unsent = Push::new()?.try_send_message(Message::copy_of("keep me")?).unwrap_err();
    /// assert_eq!((unsent.error, &*unsent.message), (Error::WouldBlock, &b"keep me"[..]));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn try_send_message(&self, message: Message) -> Result<(), Unsent> {
        self.send_owned(message, true)
    }

    fn send_bytes(&self, bytes: &[u8], dont_wait: bool) -> Result<(), Error> {
        let mut message = Outgoing::new(Payload::Borrowed(bytes));
        self.with_id(|id| socket::send(id, &mut message, dont_wait))
    }

    fn send_owned(&self, mut message: Message, dont_wait: bool) -> Result<(), Unsent> {
        self.with_id(|id| socket::send(id, &mut message.0, dont_wait))
            .map_err(|error| Unsent { error, message })
    }
}

impl<P: Receives> Socket<P> {
    /// Receives a message. Blocks while there is none, for at most [`Socket::recv_timeout`].
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Interrupted`] if a signal handler ran during the call,
    /// [`Error::WrongState`] if the protocol cannot receive in its present state, [`Error::Closed`], or
    /// [`Error::OutOfMemory`], in which case the message is lost.
    ///
    /// ```
    /// # use scaproust::{Error, Req};
    /// assert_eq!(Req::new()?.recv().err(), Some(Error::WrongState)); // Nothing was asked.
    /// # Ok::<(), Error>(())
    /// ```
    pub fn recv(&self) -> Result<Message, Error> {
        self.receive(false)
    }

    /// As [`Socket::recv`], without blocking.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if there is no message, and those of [`Socket::recv`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// assert_eq!(Pull::new()?.try_recv().err(), Some(Error::WouldBlock));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn try_recv(&self) -> Result<Message, Error> {
        self.receive(true)
    }

    fn receive(&self, dont_wait: bool) -> Result<Message, Error> {
        let take = |received: Received<'_>| {
            let header = received.header();
            let metadata = received.metadata();
            let peer = received.peer();
            received.into_chunk().map(|body| Message::of(header, body, metadata, peer))
        };
        let message = self.with_id(|id| socket::recv(id, dont_wait, take))?;
        message.ok_or(Error::OutOfMemory)
    }
}
