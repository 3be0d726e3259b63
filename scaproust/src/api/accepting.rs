//! Requests and surveys that a socket accepts, each with its reply as a value.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::any_socket::Protocol;
use super::into_message::IntoMessage;
use super::message::Message;
use super::pattern::Replies;
use super::socket::Socket;
use super::transfer::{after, until};
use crate::error::Error;
use crate::protocol::ReplyRoute;
use crate::socket::{self, Received, SocketRef, TaskCall, TaskReceiving, Wait};

/// The reply to one request or survey, from [`Socket::accept`].
///
/// It is independent of all others: any number of them may be open at once, and each may be sent from any thread and in any
/// order. If it is dropped nothing is sent, and a client that sends its request again may be served by another server.
#[must_use = "a reply that is dropped is not sent"]
pub struct Reply {
    socket: SocketRef,
    route: ReplyRoute,
}

impl Reply {
    /// Sends the reply. Never blocks.
    ///
    /// Success means that the socket has accepted the reply. It is dropped if the connection of the request is gone, or if
    /// the client receives so slowly that the connection has no room.
    ///
    /// # Errors
    /// [`Error::Closed`] if the socket is closed, or [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use scaproust::{Error, Rep, Req};
    /// # let (client, server) = (Req::new()?, Rep::new()?);
    /// # server.bind("inproc://doc/reply")?;
    /// # client.connect("inproc://doc/reply")?;
    /// let pending = client.request("ping")?;
    /// let (request, reply) = server.accept()?;
    /// assert_eq!(request, "ping");
    /// std::thread::spawn(move || reply.send("pong"));
    /// assert_eq!(pending.wait()?, "pong");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn send(self, message: impl IntoMessage) -> Result<(), Error> {
        let Reply { socket, route } = self;
        message.lend_once(|message| socket::reply_at(&socket, route, message))
    }
}

/// A request that was received, and the route of its reply.
#[derive(Default)]
struct Accepted {
    request: Message,
    route: Option<ReplyRoute>,
}

impl Accepted {
    fn fill(&mut self, received: Received<'_>) -> Result<(), Error> {
        self.route = Some(received.reply_route());
        self.request.fill::<false>(received)
    }

    fn with(self, socket: &SocketRef) -> Result<(Message, Reply), Error> {
        // There is a route whenever a request was received.
        let route = self.route.ok_or(Error::WrongState)?;
        Ok((self.request, Reply { socket: socket.clone(), route }))
    }
}

impl<P: Replies> Socket<P> {
    /// Receives a request or a survey, and with it the right to reply. Blocks while there is none, for at most
    /// [`Socket::recv_timeout`].
    ///
    /// Any number of threads and tasks may accept at the same time, and each reply goes to the sender of its request.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Interrupted`] by a signal if the socket
    /// [is interruptible](Socket::set_interruptible), [`Error::Closed`], or [`Error::OutOfMemory`], in which case the request
    /// is lost; [`Error::NotSupported`] if an [`AnySocket`](crate::AnySocket) has another protocol.
    ///
    /// ```
    /// # use scaproust::{Error, Rep, Req};
    /// let (client, server) = (Req::new()?, Rep::new()?);
    /// server.bind("inproc://doc/accept")?;
    /// client.connect("inproc://doc/accept")?;
    /// std::thread::scope(|scope| {
    ///     // Two workers share the server, and four questions the client.
    ///     for _ in 0..2 {
    ///         scope.spawn(|| {
    ///             while let Ok((question, reply)) = server.accept() {
    ///                 reply.send([&question[..], b"!"].concat())?;
    ///             }
    ///             Ok::<(), Error>(())
    ///         });
    ///     }
    ///     let questions = ["a", "b", "c", "d"].map(|question| client.request(question));
    ///     for (pending, expected) in questions.into_iter().zip(["a!", "b!", "c!", "d!"]) {
    ///         assert_eq!(pending?.wait()?, expected);
    ///     }
    ///     server.close()
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn accept(&self) -> Result<(Message, Reply), Error> {
        self.accept_waiting(Wait::Option)
    }

    /// As [`Socket::accept`], without blocking.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] if there is no request, and those of [`Socket::accept`].
    ///
    /// ```
    /// # use scaproust::{Error, Rep};
    /// assert_eq!(Rep::new()?.try_accept().err(), Some(Error::WouldBlock));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn try_accept(&self) -> Result<(Message, Reply), Error> {
        self.accept_waiting(Wait::None)
    }

    /// As [`Socket::accept`], but blocks until the deadline, whatever [`Socket::recv_timeout`] is.
    ///
    /// # Errors
    /// Those of [`Socket::accept`].
    ///
    /// ```
    /// # use scaproust::{Error, Rep};
    /// use std::time::{Duration, Instant};
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// assert_eq!(Rep::new()?.accept_deadline(deadline).err(), Some(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn accept_deadline(&self, deadline: Instant) -> Result<(Message, Reply), Error> {
        self.accept_waiting(until(deadline))
    }

    /// As [`Socket::accept`], in a task: waits without blocking the thread. See [`Socket::recv_async`].
    ///
    /// ```
    /// # use scaproust::{Error, Rep, Req};
    /// let (client, server) = (Req::new()?, Rep::new()?);
    /// server.bind("inproc://doc/accept_async")?;
    /// client.connect("inproc://doc/accept_async")?;
    /// smol::block_on(async {
    ///     let pending = client.request("ping")?;
    ///     let (request, reply) = server.accept_async().await?;
    ///     assert_eq!(request, "ping");
    ///     reply.send("pong")?;
    ///     assert_eq!(pending.await?, "pong");
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn accept_async(&self) -> AcceptFuture<'_> {
        let socket = self.handle.socket();
        let receiving = TaskReceiving { place: Accepted::default(), put: Accepted::fill };
        let call = self.check_protocol(Protocol::accepts);
        AcceptFuture { socket, call: call.map(|()| Some(TaskCall::new(socket, receiving, Wait::Option))) }
    }

    fn accept_waiting(&self, wait: Wait) -> Result<(Message, Reply), Error> {
        self.check_protocol(Protocol::accepts)?;
        let mut accepted = Accepted::default();
        let socket = self.handle.socket();
        socket::recv_at(socket, wait, self.ends_by_signals(), |received| accepted.fill(received))??;
        accepted.with(socket)
    }
}

/// Accepts a request or a survey; from [`Socket::accept_async`].
///
/// Dropping it before it is ready loses nothing: it has not taken a request, and if it was about to get one, another task or
/// thread that waits is woken in its place.
///
/// # Errors
/// Those of [`Socket::accept`], and as [`RecvFuture`](crate::RecvFuture).
#[must_use = "a future does nothing unless it is polled"]
pub struct AcceptFuture<'a> {
    socket: &'a SocketRef,
    /// `Ok(None)` after it was ready.
    call: Result<Option<TaskCall<&'a SocketRef, TaskReceiving<Accepted>>>, Error>,
}

impl AcceptFuture<'_> {
    /// Sets the moment at which it fails with [`Error::TimedOut`], whatever [`Socket::recv_timeout`] is.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.call.iter_mut().flatten().for_each(|call| call.wait = until(deadline));
        self
    }

    /// Sets the time after which it fails with [`Error::TimedOut`], from now on and whatever [`Socket::recv_timeout`] is.
    ///
    /// ```
    /// # use scaproust::{Error, Rep};
    /// # use std::time::Duration;
    /// let accepted = smol::block_on(Rep::new()?.accept_async().timeout(Duration::from_millis(5)));
    /// assert_eq!(accepted.err(), Some(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn timeout(mut self, time: Duration) -> Self {
        self.call.iter_mut().flatten().for_each(|call| call.wait = after(time));
        self
    }
}

impl Future for AcceptFuture<'_> {
    type Output = Result<(Message, Reply), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let call = match &mut self.call {
            Ok(Some(call)) => call,
            Ok(None) => return Poll::Ready(Err(Error::WrongState)),
            Err(error) => return Poll::Ready(Err(*error)),
        };
        let Poll::Ready(received) = call.poll(context.waker()) else { return Poll::Pending };
        let accepted = std::mem::take(&mut call.attempt.place);
        self.call = Ok(None);
        Poll::Ready(received.and_then(|filled| filled).and_then(|()| accepted.with(self.socket)))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("socket", &self.socket.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for AcceptFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptFuture")
            .field("is_over", &matches!(self.call, Ok(None)))
            .finish_non_exhaustive()
    }
}
