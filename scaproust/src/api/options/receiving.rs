//! The options of sockets that receive.

use std::time::Duration;

use super::super::descriptor::PollDescriptor;
use super::super::pattern::Inbound;
use super::super::socket::Socket;
use super::{milliseconds_or, size};
use crate::error::Error;
use crate::option::SocketOption;

impl<P: Inbound> Socket<P> {
    /// Whether the oldest message makes room for a new one in the receive queue of a peer.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] if the socket is not a PAIR, PULL, SUB or BUS socket, [`Error::Closed`].
    ///
    /// ```
    /// assert!(!scaproust::Sub::new()?.prefers_new()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn prefers_new(&self) -> Result<bool, Error> {
        self.get(SocketOption::PreferNew).map(|value| value == 1)
    }

    /// Sets whether, for connections made afterwards, the oldest message makes room for a new one in the receive queue of a
    /// peer, of [`Socket::recv_buffer`] bytes. Otherwise the peer cannot send until there is room, or, if it is a PUB or
    /// BUS socket, drops the new one.
    ///
    /// # Errors
    /// As [`Socket::prefers_new`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (receiver, sender) = (Pull::new()?, Push::new()?);
    /// receiver.set_recv_buffer(2)?; // So small a queue holds so many bytes of messages.
    /// receiver.set_prefers_new(true)?;
    /// receiver.bind("inproc://doc/prefers_new")?;
    /// sender.connect("inproc://doc/prefers_new")?;
    /// for message in [b"1", b"2", b"3"] {
    ///     sender.send(message)?;
    /// }
    /// assert_eq!((&*receiver.recv()?, &*receiver.recv()?), (&b"2"[..], &b"3"[..]));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_prefers_new(&self, prefers_new: bool) -> Result<(), Error> {
        self.set(SocketOption::PreferNew, prefers_new.into())
    }

    /// Whether the receive queue of a peer holds only its newest message.
    ///
    /// # Errors
    /// As [`Socket::prefers_new`].
    ///
    /// ```
    /// assert!(!scaproust::Sub::new()?.conflates()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn conflates(&self) -> Result<bool, Error> {
        self.get(SocketOption::Conflate).map(|value| value == 1)
    }

    /// Sets whether the receive queue of a peer holds only its newest message, for connections made afterwards. A SUB
    /// socket keeps the newest one that it is subscribed to.
    ///
    /// # Errors
    /// As [`Socket::prefers_new`].
    ///
    /// ```
    /// # use scaproust::{Error, Pub, Rep, Sub};
    /// let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
    /// subscriber.subscribe("price/")?;
    /// subscriber.set_conflates(true)?;
    /// subscriber.bind("inproc://doc/conflates")?;
    /// publisher.connect("inproc://doc/conflates")?;
    /// for message in ["price/1", "price/2", "news"] {
    ///     publisher.send(message.as_bytes())?;
    /// }
    /// assert_eq!(*subscriber.recv()?, *b"price/2");
    /// assert_eq!(subscriber.try_recv().err(), Some(Error::WouldBlock));
    /// assert_eq!(Rep::new()?.set_conflates(true), Err(Error::UnknownOption));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_conflates(&self, conflates: bool) -> Result<(), Error> {
        self.set(SocketOption::Conflate, conflates.into())
    }

    /// The time for which receiving may block; `None`: without limit.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Pull::new()?.recv_timeout()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn recv_timeout(&self) -> Result<Option<Duration>, Error> {
        self.get_time(SocketOption::ReceiveTimeout)
    }

    /// Sets the time for which receiving may block, in milliseconds, rounded up; `None`: without limit. A call that blocks already
    /// keeps the time with which it began.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// # use std::time::Duration;
    /// let socket = Pull::new()?;
    /// socket.set_recv_timeout(Some(Duration::from_millis(5)))?;
    /// assert_eq!(socket.recv().err(), Some(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_recv_timeout(&self, time: Option<Duration>) -> Result<(), Error> {
        self.set(SocketOption::ReceiveTimeout, milliseconds_or(time, -1)?)
    }

    /// The size in bytes of the receive queue of each peer: 131,072 by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Pull::new()?.recv_buffer()?, 131_072);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn recv_buffer(&self) -> Result<usize, Error> {
        self.get_size(SocketOption::ReceiveBuffer)
    }

    /// Sets the size in bytes of the receive queue of each peer, for connections made afterwards. An empty
    /// queue takes one message of any length. Over inproc there is one queue, of this size if it was set,
    /// else of the sum of this size and the sender's [`Socket::send_buffer`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for zero or above 2,147,483,647, [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// let socket = Pull::new()?;
    /// socket.set_recv_buffer(1_000_000)?;
    /// assert_eq!(socket.set_recv_buffer(0), Err(Error::InvalidArgument));
    /// assert_eq!(socket.recv_buffer()?, 1_000_000);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_recv_buffer(&self, bytes: usize) -> Result<(), Error> {
        self.set(SocketOption::ReceiveBuffer, size(bytes)?)
    }

    /// The size in bytes of the largest message that is accepted from a peer: 1,048,576 by default; `None`:
    /// no limit. A peer that sends a larger one is disconnected.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Pull::new()?.max_message_size()?, Some(1_048_576));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn max_message_size(&self) -> Result<Option<usize>, Error> {
        self.get(SocketOption::MaxMessage).map(|value| usize::try_from(value).ok())
    }

    /// Sets the size in bytes of the largest message that is accepted from a peer; `None`: no limit.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647, [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Pull::new()?;
    /// socket.set_max_message_size(None)?;
    /// assert_eq!(socket.max_message_size()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_max_message_size(&self, bytes: Option<usize>) -> Result<(), Error> {
        self.set(SocketOption::MaxMessage, bytes.map_or(Ok(-1), size)?)
    }

    /// The receive priority of endpoints that are added now: 8 by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Pull::new()?.recv_priority()?, 8);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn recv_priority(&self) -> Result<u8, Error> {
        self.get_priority(SocketOption::ReceivePriority)
    }

    /// Sets the receive priority of endpoints added afterwards: 1 (highest) to 16. Messages from peers of
    /// a lower priority are received only while there are none from peers of a higher one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another number, [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Pull::new()?;
    /// socket.set_recv_priority(16)?;
    /// assert_eq!(socket.recv_priority()?, 16);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_recv_priority(&self, priority: u8) -> Result<(), Error> {
        self.set(SocketOption::ReceivePriority, priority.into())
    }

    /// A descriptor for polling, which is readable while [`Socket::try_recv`] would not fail with
    /// [`Error::WouldBlock`], and when the socket is closed. It belongs to the socket: do not read from it.
    ///
    /// # Errors
    /// [`Error::Closed`], or an error of the operating system, if there are no more descriptors.
    ///
    /// ```
    /// let socket = scaproust::Pull::new()?;
    /// assert_eq!(socket.recv_descriptor()?, socket.recv_descriptor()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn recv_descriptor(&self) -> Result<PollDescriptor, Error> {
        self.enter()?.receive_notifier().map(PollDescriptor::new)
    }
}
