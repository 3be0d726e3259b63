//! The options of sockets that receive.

use std::time::Duration;

use super::super::pattern::Receives;
use super::super::socket::Socket;
use super::{milliseconds_or, size};
use crate::error::Error;
use crate::option::SocketOption;
use crate::sync::Descriptor;

impl<P: Receives> Socket<P> {
    /// How long receiving may block; `None` for ever.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(nanomsg::Pull::new()?.recv_timeout()?, None);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn recv_timeout(&self) -> Result<Option<Duration>, Error> {
        self.get_time(SocketOption::ReceiveTimeout)
    }

    /// Sets how long receiving may block, in milliseconds, rounded up; `None` for ever.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use nanomsg::{Error, Pull};
    /// # use std::time::Duration;
    /// let socket = Pull::new()?;
    /// socket.set_recv_timeout(Some(Duration::from_millis(5)))?;
    /// assert_eq!(socket.recv().err(), Some(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_recv_timeout(&self, time: Option<Duration>) -> Result<(), Error> {
        self.set(SocketOption::ReceiveTimeout, milliseconds_or(time, -1)?)
    }

    /// How many bytes of messages from one peer may wait to be received: 131,072, unless it was
    /// set.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(nanomsg::Pull::new()?.recv_buffer()?, 131_072);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn recv_buffer(&self) -> Result<usize, Error> {
        self.get_size(SocketOption::ReceiveBuffer)
    }

    /// Sets how many bytes of messages from one peer may wait to be received; one message of any
    /// length always may. Holds for the connections made from now on. Over inproc nothing else
    /// bounds what waits; until this is set, the sender's [`Socket::send_buffer`] is added.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for zero or above 2,147,483,647, [`Error::Closed`].
    ///
    /// ```
    /// # use nanomsg::{Error, Pull};
    /// let socket = Pull::new()?;
    /// socket.set_recv_buffer(1_000_000)?;
    /// assert_eq!(socket.set_recv_buffer(0), Err(Error::InvalidArgument));
    /// assert_eq!(socket.recv_buffer()?, 1_000_000);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_recv_buffer(&self, bytes: usize) -> Result<(), Error> {
        self.set(SocketOption::ReceiveBuffer, size(bytes)?)
    }

    /// The longest message in bytes that is taken from a peer: 1,048,576, unless it was set;
    /// `None` if there is no limit. A peer that sends a longer one is disconnected.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(nanomsg::Pull::new()?.max_message_size()?, Some(1_048_576));
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn max_message_size(&self) -> Result<Option<usize>, Error> {
        self.get(SocketOption::MaxMessage).map(|value| usize::try_from(value).ok())
    }

    /// Sets the longest message in bytes that is taken from a peer; `None` for no limit.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647, [`Error::Closed`].
    ///
    /// ```
    /// let socket = nanomsg::Pull::new()?;
    /// socket.set_max_message_size(None)?;
    /// assert_eq!(socket.max_message_size()?, None);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn set_max_message_size(&self, bytes: Option<usize>) -> Result<(), Error> {
        self.set(SocketOption::MaxMessage, bytes.map_or(Ok(-1), size)?)
    }

    /// The priority for receiving of the endpoints that are added now: 8, unless it was set.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(nanomsg::Pull::new()?.recv_priority()?, 8);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn recv_priority(&self) -> Result<u8, Error> {
        self.get_priority(SocketOption::ReceivePriority)
    }

    /// Sets the priority for receiving of the endpoints that are added from now on: 1, the
    /// highest, to 16. Messages of a lower one are received when there are none of a higher one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another number, [`Error::Closed`].
    ///
    /// ```
    /// let socket = nanomsg::Pull::new()?;
    /// socket.set_recv_priority(16)?;
    /// assert_eq!(socket.recv_priority()?, 16);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn set_recv_priority(&self, priority: u8) -> Result<(), Error> {
        self.set(SocketOption::ReceivePriority, priority.into())
    }

    /// A descriptor to poll, which is readable while [`Socket::try_recv`] would not say
    /// [`Error::WouldBlock`]. It belongs to the socket: do not read from it or close it.
    ///
    /// # Errors
    /// [`Error::Closed`], or the operating system's when there are no more descriptors.
    ///
    /// ```
    /// let socket = nanomsg::Pull::new()?;
    /// assert_eq!(socket.recv_descriptor()?, socket.recv_descriptor()?);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn recv_descriptor(&self) -> Result<Descriptor, Error> {
        self.enter()?.receive_descriptor()
    }
}
