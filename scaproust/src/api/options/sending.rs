//! The options of sockets that send.

use std::time::Duration;

use super::super::descriptor::PollDescriptor;
use super::super::pattern::Outbound;
use super::super::socket::Socket;
use super::{milliseconds_or, size};
use crate::error::Error;
use crate::message::MessageType;
use crate::option::SocketOption;

impl<P: Outbound> Socket<P> {
    /// The time for which sending may block; `None`: without limit.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Push::new()?.send_timeout()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn send_timeout(&self) -> Result<Option<Duration>, Error> {
        self.get_time(SocketOption::SendTimeout)
    }

    /// Sets the time for which sending may block, in milliseconds, rounded up; `None`: without limit. A call that blocks already
    /// keeps the time with which it began.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Push};
    /// # use std::time::Duration;
    /// let socket = Push::new()?;
    /// socket.set_send_timeout(Some(Duration::from_millis(5)))?;
    /// assert_eq!(socket.send(b"is anybody there?"), Err(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_send_timeout(&self, time: Option<Duration>) -> Result<(), Error> {
        self.set(SocketOption::SendTimeout, milliseconds_or(time, -1)?)
    }

    /// The size in bytes of the send queue of each peer: 131,072 by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Push::new()?.send_buffer()?, 131_072);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn send_buffer(&self) -> Result<usize, Error> {
        self.get_size(SocketOption::SendBuffer)
    }

    /// Sets the size in bytes of the send queue of each peer, for connections made afterwards. An empty
    /// queue takes one message of any length.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for zero or above 2,147,483,647, [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Push::new()?;
    /// socket.set_send_buffer(1_000_000)?;
    /// assert_eq!(socket.send_buffer()?, 1_000_000);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_send_buffer(&self, bytes: usize) -> Result<(), Error> {
        self.set(SocketOption::SendBuffer, size(bytes)?)
    }

    /// The send priority of endpoints that are added now: 8 by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Push::new()?.send_priority()?, 8);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn send_priority(&self) -> Result<u8, Error> {
        self.get_priority(SocketOption::SendPriority)
    }

    /// Sets the send priority of endpoints added afterwards: 1 (highest) to 16. Peers of a lower priority
    /// get messages only while no peer of a higher one has room.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another number, [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Push};
    /// let socket = Push::new()?;
    /// socket.set_send_priority(1)?;
    /// assert_eq!(socket.set_send_priority(17), Err(Error::InvalidArgument));
    /// assert_eq!(socket.send_priority()?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_send_priority(&self, priority: u8) -> Result<(), Error> {
        self.set(SocketOption::SendPriority, priority.into())
    }

    /// The type of messages sent over ws: binary by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{MessageType, Pub};
    /// assert_eq!(Pub::new()?.ws_message_type()?, MessageType::Binary);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn ws_message_type(&self) -> Result<MessageType, Error> {
        // The table allows no other number.
        self.get(SocketOption::WsMessageType)
            .map(|number| MessageType::from_number(number).unwrap_or(MessageType::Binary))
    }

    /// Sets the type of messages sent over ws, for endpoints that are connected and connections that are
    /// accepted afterwards; [`Message::set_message_type`] has precedence. Browsers pass text to scripts as
    /// a string. A peer ends the connection if it receives text that is not UTF-8, so requests, surveys
    /// and their answers must be binary: their protocol headers are not UTF-8.
    ///
    /// [`Message::set_message_type`]: crate::Message::set_message_type
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{MessageType, Pub};
    /// let news = Pub::new()?;
    /// news.set_ws_message_type(MessageType::Text)?;
    /// assert_eq!(news.ws_message_type()?, MessageType::Text);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_ws_message_type(&self, message_type: MessageType) -> Result<(), Error> {
        self.set(SocketOption::WsMessageType, message_type.number())
    }

    /// A descriptor for polling, which is readable while [`Socket::try_send`] would not fail with
    /// [`Error::WouldBlock`], and when the socket is closed. It belongs to the socket: do not read from it.
    ///
    /// # Errors
    /// [`Error::Closed`], or an error of the operating system, if there are no more descriptors.
    ///
    /// ```
    /// let socket = scaproust::Push::new()?;
    /// assert_eq!(socket.send_descriptor()?, socket.send_descriptor()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn send_descriptor(&self) -> Result<PollDescriptor, Error> {
        self.enter()?.send_notifier().map(PollDescriptor::new)
    }
}
