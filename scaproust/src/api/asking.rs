//! Requests, each with its pending reply as a value.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::any_socket::Protocol;
use super::conversation::Conversation;
use super::into_message::IntoMessage;
use super::message::Message;
use super::pattern::Requests;
use super::socket::Socket;
use super::transfer::{after, until};
use crate::error::Error;
use crate::protocol::RESEND_INTERVAL;
use crate::socket::Wait;

impl<P: Requests> Socket<P> {
    /// Sends a request. Never blocks: if no peer has room, the request is sent when one has.
    ///
    /// Any number of requests may be pending at the same time, from any threads and tasks, and each gets its own reply. The
    /// request is sent again if its connection is lost, or after [`Socket::resend_interval`]. Each request that is pending
    /// besides another one takes one of the 65,536 socket numbers of the process. A socket keeps up to 1024 of them for later
    /// requests.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::TooManySockets`], [`Error::OutOfMemory`], and [`Error::NotSupported`] if an
    /// [`AnySocket`](crate::AnySocket) has another protocol.
    ///
    /// ```
    /// # use scaproust::{Error, Rep, Req};
    /// let (client, server) = (Req::new()?, Rep::new()?);
    /// server.bind("inproc://doc/request")?;
    /// client.connect("inproc://doc/request")?;
    /// let (first, second) = (client.request("1")?, client.request("2")?);
    /// for _ in 0..2 {
    ///     let (request, reply) = server.accept()?;
    ///     reply.send(["reply to ".as_bytes(), &request].concat())?;
    /// }
    /// assert_eq!(second.wait()?, "reply to 2");
    /// assert_eq!(first.wait()?, "reply to 1");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn request(&self, message: impl IntoMessage) -> Result<Pending, Error> {
        self.check_protocol(|protocol| protocol == Protocol::Req)?;
        let conversation =
            self.conversations.ask(&self.handle, RESEND_INTERVAL, self.ends_by_signals(), message)?;
        Ok(Pending { wait: None, conversation })
    }
}

/// A pending request, from [`Socket::request`]. A thread takes its reply by [`Pending::wait`], and a task by awaiting it.
///
/// Dropping it gives the request up: it is not sent again, and its reply is discarded if it comes. The server may have
/// received it. Polling it and not polling it again, as `select!` does with a future that it borrows, loses nothing: the
/// reply is kept until the next poll or [`Pending::wait`].
///
/// # Errors
/// Those of [`Pending::wait`]; as a future never [`Error::Interrupted`], and as [`RecvFuture`](crate::RecvFuture).
#[must_use = "a request that is dropped is given up"]
pub struct Pending {
    /// How long to wait, unless it is the receive timeout of the socket.
    wait: Option<Wait>,
    conversation: Conversation,
}

impl Pending {
    /// Waits for the reply. Blocks for at most [`Socket::recv_timeout`] or until [`Pending::deadline`].
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Interrupted`] by a signal if the socket was
    /// [interruptible](Socket::set_interruptible), [`Error::Closed`], or [`Error::OutOfMemory`]. The request is given up.
    pub fn wait(mut self) -> Result<Message, Error> {
        let wait = self.limit()?;
        self.receive(wait)
    }

    /// As [`Pending::wait`], but until the deadline. If it passes the request stays pending.
    ///
    /// # Errors
    /// Those of [`Pending::wait`], and [`Error::WrongState`] if the reply was received before.
    ///
    /// ```
    /// # use scaproust::{Error, Rep, Req};
    /// # let (client, server) = (Req::new()?, Rep::new()?);
    /// # server.bind("inproc://doc/wait_deadline")?;
    /// # client.connect("inproc://doc/wait_deadline")?;
    /// use std::time::{Duration, Instant};
    /// let mut pending = client.request("ping")?;
    /// let soon = Instant::now() + Duration::from_millis(5);
    /// assert_eq!(pending.wait_deadline(soon).err(), Some(Error::TimedOut));
    /// server.accept()?.1.send("pong")?;
    /// assert_eq!(pending.wait()?, "pong");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn wait_deadline(&mut self, deadline: Instant) -> Result<Message, Error> {
        self.receive(until(deadline))
    }

    /// The reply, if it has come.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if it has not, and those of [`Pending::wait_deadline`].
    pub fn try_wait(&mut self) -> Result<Message, Error> {
        self.receive(Wait::None)
    }

    /// Sets the moment at which waiting fails with [`Error::TimedOut`], whatever [`Socket::recv_timeout`] is.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.set_wait(until(deadline));
        self
    }

    /// Sets the time after which waiting fails with [`Error::TimedOut`], from now on and whatever [`Socket::recv_timeout`]
    /// is.
    ///
    /// ```
    /// # use scaproust::{Error, Req};
    /// # use std::time::Duration;
    /// let client = Req::new()?;
    /// let pending = client.request("is anybody there?")?.timeout(Duration::from_millis(5));
    /// assert_eq!(smol::block_on(pending).err(), Some(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn timeout(mut self, time: Duration) -> Self {
        self.set_wait(after(time));
        self
    }

    /// The conversation of the request.
    pub(super) fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// How long to wait, unless it is the receive timeout of the socket.
    pub(super) fn own_wait(&self) -> Option<Wait> {
        self.wait
    }

    fn set_wait(&mut self, wait: Wait) {
        self.wait = Some(wait);
        self.conversation.limit(wait);
    }

    /// How long to wait.
    fn limit(&self) -> Result<Wait, Error> {
        self.wait.map_or_else(|| self.conversation.wait(), Ok)
    }

    fn receive(&mut self, wait: Wait) -> Result<Message, Error> {
        let received = self.conversation.receive(wait)?;
        self.conversation.end();
        received
    }
}

impl Future for Pending {
    type Output = Result<Message, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let wait = self.wait;
        let received = self.conversation.poll(wait, context);
        if let Poll::Ready(Ok(_)) = received {
            self.conversation.end();
        }
        received
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("is_over", &!self.conversation.is_open).finish_non_exhaustive()
    }
}
