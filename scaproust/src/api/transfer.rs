//! Sending and receiving, in the calling thread.

use std::time::{Duration, Instant};
use std::{fmt, io};

use super::into_message::IntoMessage;
use super::message::Message;
use super::pattern::{Pattern, Receives, Sends};
use super::socket::Socket;
use crate::error::Error;
use crate::message::Outgoing;
use crate::socket::{self, LendMessage, Received, Wait};
use crate::sync::now;

/// A message that was not sent, and the error. `?` converts it to the [`Error`] and drops the message.
#[derive(Debug, PartialEq, Eq)]
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

impl From<Unsent> for io::Error {
    fn from(unsent: Unsent) -> io::Error {
        unsent.error.into()
    }
}

/// A wait until the deadline.
pub(super) fn until(deadline: Instant) -> Wait {
    Wait::Until(now() + deadline.saturating_duration_since(Instant::now()))
}

/// A wait of at most this time, from now on.
pub(super) fn after(time: Duration) -> Wait {
    Wait::Until(now().saturating_add(time))
}

impl<P: Pattern> Socket<P> {
    /// Whether a signal handler that runs in a thread while it is blocked in a call on this socket ends the call, with
    /// [`Error::Interrupted`]: not by default.
    pub fn is_interruptible(&self) -> bool {
        self.ends_by_signals()
    }

    /// Sets whether signals end blocked calls, for a program whose signal handlers tell its threads to stop. (A signal
    /// is delivered to one thread of the process.) The calls of tasks are not ended.
    ///
    /// ```
    /// let socket = scaproust::Pull::new()?;
    /// assert!(!socket.is_interruptible());
    /// socket.set_interruptible(true);
    /// assert!(socket.is_interruptible());
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_interruptible(&self, interruptible: bool) {
        self.ends_by_signals.store(interruptible, std::sync::atomic::Ordering::Relaxed);
    }

    pub(super) fn ends_by_signals(&self) -> bool {
        self.ends_by_signals.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl<P: Sends> Socket<P> {
    /// Sends bytes, text or a [`Message`]. Blocks while the message cannot be sent, for at most
    /// [`Socket::send_timeout`].
    ///
    /// Success means that the library has accepted the message, not that a peer has received it: the
    /// message can be lost if the connection breaks.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Interrupted`] by a signal if the socket
    /// [is interruptible](Socket::set_interruptible), [`Error::Closed`] or
    /// [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use scaproust::{Error, Push};
    /// let source = Push::new()?;
    /// source.close()?;
    /// assert_eq!(source.send("too late"), Err(Error::Closed));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn send(&self, message: impl IntoMessage) -> Result<(), Error> {
        self.send_waiting(message, Wait::Option)
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
    #[inline]
    pub fn try_send(&self, message: impl IntoMessage) -> Result<(), Error> {
        self.send_waiting(message, Wait::None)
    }

    /// As [`Socket::send`], but blocks until the deadline, whatever [`Socket::send_timeout`] is.
    ///
    /// # Errors
    /// Those of [`Socket::send`].
    ///
    /// ```
    /// # use scaproust::{Error, Push};
    /// use std::time::{Duration, Instant};
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// assert_eq!(Push::new()?.send_deadline("is anybody there?", deadline), Err(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn send_deadline(&self, message: impl IntoMessage, deadline: Instant) -> Result<(), Error> {
        self.send_waiting(message, until(deadline))
    }

    /// As [`Socket::send`] of a [`Message`], which is returned if it was not sent.
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
        self.send_owned(message, Wait::Option)
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
        self.send_owned(message, Wait::None)
    }

    #[inline]
    fn send_waiting(&self, message: impl IntoMessage, wait: Wait) -> Result<(), Error> {
        self.check_plain()?;
        message
            .lend_once(|message| socket::send_at(self.handle.socket(), message, wait, self.ends_by_signals()))
    }

    #[inline]
    fn send_owned(&self, mut message: Message, wait: Wait) -> Result<(), Unsent> {
        let send = |message: &mut Outgoing<'_>| {
            socket::send_at(self.handle.socket(), message, wait, self.ends_by_signals())
        };
        self.check_plain().and_then(|()| message.lend(send)).map_err(|error| Unsent { error, message })
    }
}

impl<P: Receives> Socket<P> {
    /// Receives a message. Blocks while there is none, for at most [`Socket::recv_timeout`].
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Interrupted`] by a signal if the socket
    /// [is interruptible](Socket::set_interruptible), [`Error::Closed`], or
    /// [`Error::OutOfMemory`], in which case the message is lost.
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// let worker = Pull::new()?;
    /// worker.close()?;
    /// assert_eq!(worker.recv().err(), Some(Error::Closed));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn recv(&self) -> Result<Message, Error> {
        self.receive_message(Wait::Option)
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
    #[inline]
    pub fn try_recv(&self) -> Result<Message, Error> {
        self.receive_message(Wait::None)
    }

    /// As [`Socket::recv`], but blocks until the deadline, whatever [`Socket::recv_timeout`] is.
    ///
    /// # Errors
    /// Those of [`Socket::recv`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// use std::time::{Duration, Instant};
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// assert_eq!(Pull::new()?.recv_deadline(deadline).err(), Some(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn recv_deadline(&self, deadline: Instant) -> Result<Message, Error> {
        self.receive_message(until(deadline))
    }

    /// As [`Socket::recv`], into memory of the program. Returns the length of the message: if it is longer than the
    /// buffer, the rest is lost.
    ///
    /// # Errors
    /// Those of [`Socket::recv`], except for [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use scaproust::Pair;
    /// let (one, other) = (Pair::new()?, Pair::new()?);
    /// one.bind("inproc://doc/recv_into")?;
    /// other.connect("inproc://doc/recv_into")?;
    /// one.send("hello")?;
    /// let mut buffer = [0; 8];
    /// let length = other.recv_into(&mut buffer)?;
    /// assert_eq!(&buffer[..length], b"hello");
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    #[inline]
    pub fn recv_into(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.receive(Wait::Option, |received| copy_into(buffer, &received))
    }

    /// As [`Socket::recv_into`], without blocking.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if there is no message, and those of [`Socket::recv_into`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// assert_eq!(Pull::new()?.try_recv_into(&mut [0; 8]), Err(Error::WouldBlock));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn try_recv_into(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.receive(Wait::None, |received| copy_into(buffer, &received))
    }

    /// An iterator that receives, and blocks, as [`Socket::recv`] does. It ends when the socket is closed; other errors
    /// are items.
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// source.bind("inproc://doc/iter")?;
    /// worker.connect("inproc://doc/iter")?;
    /// source.send("a task")?;
    /// source.send("the last task")?;
    /// for task in worker.iter() {
    ///     if task? == "the last task" {
    ///         worker.close()?;
    ///     }
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn iter(&self) -> Iter<'_, P> {
        Iter { socket: self }
    }

    #[inline]
    fn receive_message(&self, wait: Wait) -> Result<Message, Error> {
        let mut message = Message::new();
        if P::IS_RAW {
            self.receive(wait, |received| message.fill::<true>(received))??;
        } else {
            self.receive(wait, |received| message.fill::<false>(received))??;
        }
        Ok(message)
    }

    #[inline]
    fn receive<R>(&self, wait: Wait, take: impl FnOnce(Received<'_>) -> R) -> Result<R, Error> {
        self.check_plain()?;
        socket::recv_at(self.handle.socket(), wait, self.ends_by_signals(), take)
    }
}

/// Copies as much of the body as there is room for. Returns its length.
#[inline]
fn copy_into(buffer: &mut [u8], received: &Received<'_>) -> usize {
    let (first, second) = received.body();
    let split = first.len().min(buffer.len());
    let (begin, rest) = buffer.split_at_mut(split);
    begin.copy_from_slice(&first[..split]);
    let end = second.len().min(rest.len());
    rest[..end].copy_from_slice(&second[..end]);
    received.length()
}

/// Receives messages until the socket is closed; from [`Socket::iter`].
#[derive(Debug)]
pub struct Iter<'a, P: Receives> {
    socket: &'a Socket<P>,
}

impl<P: Receives> Iterator for Iter<'_, P> {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Result<Message, Error>> {
        unless_closed(self.socket.recv())
    }
}

impl<'a, P: Receives> IntoIterator for &'a Socket<P> {
    type Item = Result<Message, Error>;
    type IntoIter = Iter<'a, P>;

    fn into_iter(self) -> Iter<'a, P> {
        self.iter()
    }
}

/// Receives messages until the socket is closed; owns the socket.
///
/// ```
/// # use scaproust::{Error, Pull, Push};
/// let (source, worker) = (Push::new()?, Pull::new()?);
/// source.bind("inproc://doc/into_iter")?;
/// worker.connect("inproc://doc/into_iter")?;
/// source.send("a task")?;
/// for task in worker.into_iter().take(1) {
///     assert_eq!(task?, "a task");
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct IntoIter<P: Receives> {
    socket: Socket<P>,
}

impl<P: Receives> Iterator for IntoIter<P> {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Result<Message, Error>> {
        unless_closed(self.socket.recv())
    }
}

impl<P: Receives> IntoIterator for Socket<P> {
    type Item = Result<Message, Error>;
    type IntoIter = IntoIter<P>;

    fn into_iter(self) -> IntoIter<P> {
        IntoIter { socket: self }
    }
}

/// The outcome as an item; `None` if the socket is closed.
pub(super) fn unless_closed(outcome: Result<Message, Error>) -> Option<Result<Message, Error>> {
    Some(outcome).filter(|outcome| !matches!(outcome, Err(Error::Closed | Error::Terminated)))
}
