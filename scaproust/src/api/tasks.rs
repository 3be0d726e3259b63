//! Sending and receiving in tasks: futures that any executor can poll.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::into_message::IntoMessage;
use super::message::Message;
use super::pattern::{Receives, Sends};
use super::socket::Socket;
use super::transfer::{Unsent, after, until};
use crate::error::Error;
use crate::socket::{SocketRef, TaskCall, TaskReceiving, TaskSending, Wait};

/// Receives in a task. It is used for one message.
pub(super) struct ReceivingCall<S: Borrow<SocketRef>> {
    call: TaskCall<S, TaskReceiving<Message>>,
    /// Why it may not receive.
    refusal: Option<Error>,
}

impl<S: Borrow<SocketRef>> ReceivingCall<S> {
    pub(super) fn new(socket: S, is_raw: bool) -> ReceivingCall<S> {
        let put = if is_raw { Message::fill::<true> } else { Message::fill::<false> };
        let receiving = TaskReceiving { place: Message::new(), put };
        ReceivingCall { call: TaskCall::new(socket, receiving, Wait::Option), refusal: None }
    }

    /// Lets it fail unless it is `allowed`.
    pub(super) fn if_allowed(mut self, allowed: Result<(), Error>) -> ReceivingCall<S> {
        self.refusal = allowed.err();
        self
    }

    /// Sets how long it waits, from its next poll on.
    pub(super) fn set_wait(&mut self, wait: Wait) {
        self.call.wait = wait;
    }

    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Message, Error>> {
        if let Some(refusal) = self.refusal {
            return Poll::Ready(Err(refusal));
        }
        self.call.poll(context.waker()).map(|received| {
            received??;
            Ok(std::mem::take(&mut self.call.attempt.place))
        })
    }
}

/// Sends in a task. It is used for one message.
pub(super) struct SendingCall<S: Borrow<SocketRef>> {
    call: TaskCall<S, TaskSending<Message>>,
    /// Why it may not send.
    refusal: Option<Error>,
}

impl<S: Borrow<SocketRef>> SendingCall<S> {
    /// A call that fails unless it is `allowed`.
    pub(super) fn new(socket: S, message: Message, allowed: Result<(), Error>) -> SendingCall<S> {
        let call = TaskCall::new(socket, TaskSending(message), Wait::Option);
        SendingCall { call, refusal: allowed.err() }
    }

    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Result<(), Unsent>> {
        let sent = match self.refusal {
            Some(refusal) => Poll::Ready(Err(refusal)),
            None => self.call.poll(context.waker()),
        };
        sent.map_err(|error| Unsent { error, message: std::mem::take(&mut self.call.attempt.0) })
    }
}

impl<P: Receives> Socket<P> {
    /// As [`Socket::recv`], in a task: waits without blocking the thread. Any executor can poll the future; timeouts are
    /// timers of the library's I/O thread. Threads and other tasks may use the socket at the same time.
    ///
    /// Wakers are called in the thread that sends or receives at the other end, or in the I/O thread, which serves all sockets
    /// of the process. So a waker must not block: it hands its task to an executor, as those of all common executors do. One that
    /// polls its task at once is allowed if that does not block either.
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// # fn block_on<F: Future>(future: F) -> F::Output { smol::block_on(future) }
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// source.bind("inproc://doc/recv_async")?;
    /// worker.connect("inproc://doc/recv_async")?;
    /// block_on(async {
    ///     source.send_async("a task").await?;
    ///     assert_eq!(worker.recv_async().await?, "a task");
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_> {
        let call = ReceivingCall::new(self.handle.socket(), P::IS_RAW).if_allowed(self.check_plain());
        RecvFuture { call: Some(call) }
    }
}

impl<P: Sends> Socket<P> {
    /// As [`Socket::send`], in a task: waits without blocking the thread. See [`Socket::recv_async`].
    ///
    /// A publisher whose receivers are far behind pauses before its next message, and not after this one.
    pub fn send_async(&self, message: impl IntoMessage) -> SendFuture<'_> {
        let call = message
            .into_message()
            .map(|message| SendingCall::new(self.handle.socket(), message, self.check_plain()));
        SendFuture { call: call.map(Some) }
    }
}

/// Receives a message; from [`Socket::recv_async`].
///
/// Dropping it before it is ready loses nothing: it has not taken a message, and if it was about to get one, another
/// task or thread that waits is woken in its place. If it has returned a message, that is all that it takes.
///
/// Poll it soon after it was woken, or drop it. If it is kept and not polled, as a `select!` may do that has polled it by
/// reference, another task or thread that waits is woken in its place, but only after ten milliseconds. If that is a
/// future which is not polled either, it takes longer: 70 ms for a hundred of them.
///
/// # Errors
/// Those of [`Socket::recv`], but never [`Error::Interrupted`]; and an error of the operating system if it must wait and
/// there is no thread or descriptor to spare. A future that is polled again after it was ready returns
/// [`Error::WrongState`].
#[must_use = "a future does nothing unless it is polled"]
pub struct RecvFuture<'a> {
    /// `None` after it was ready.
    call: Option<ReceivingCall<&'a SocketRef>>,
}

impl RecvFuture<'_> {
    /// Sets the moment at which it fails with [`Error::TimedOut`], whatever [`Socket::recv_timeout`] is.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.call.iter_mut().for_each(|call| call.set_wait(until(deadline)));
        self
    }

    /// Sets the time after which it fails with [`Error::TimedOut`], from now on and whatever [`Socket::recv_timeout`] is.
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// # use std::time::Duration;
    /// let received = smol::block_on(Pull::new()?.recv_async().timeout(Duration::from_millis(5)));
    /// assert_eq!(received.err(), Some(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn timeout(mut self, time: Duration) -> Self {
        self.call.iter_mut().for_each(|call| call.set_wait(after(time)));
        self
    }
}

impl Future for RecvFuture<'_> {
    type Output = Result<Message, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = &mut self.call else { return Poll::Ready(Err(Error::WrongState)) };
        let received = call.poll(context);
        if received.is_ready() {
            self.call = None;
        }
        received
    }
}

/// Sends a message; from [`Socket::send_async`].
///
/// Dropping it before it is ready drops the message, which was not sent. If it has returned `Ok`, the library has
/// accepted the message.
///
/// # Errors
/// Those of [`Socket::send`], with the message, but never [`Error::Interrupted`]; and as [`RecvFuture`].
#[must_use = "a future does nothing unless it is polled"]
pub struct SendFuture<'a> {
    /// `Ok(None)` after it was ready.
    call: Result<Option<SendingCall<&'a SocketRef>>, Error>,
}

impl SendFuture<'_> {
    /// Sets the moment at which it fails with [`Error::TimedOut`], whatever [`Socket::send_timeout`] is.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.call.iter_mut().flatten().for_each(|call| call.call.wait = until(deadline));
        self
    }

    /// Sets the time after which it fails with [`Error::TimedOut`], from now on and whatever [`Socket::send_timeout`] is.
    ///
    /// ```
    /// # use scaproust::{Error, Push};
    /// # use std::time::Duration;
    /// let push = Push::new()?;
    /// let unsent = smol::block_on(push.send_async("task").timeout(Duration::from_millis(5))).unwrap_err();
    /// assert_eq!((unsent.error, unsent.message), (Error::TimedOut, "task".into()));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn timeout(mut self, time: Duration) -> Self {
        self.call.iter_mut().flatten().for_each(|call| call.call.wait = after(time));
        self
    }
}

impl Future for SendFuture<'_> {
    type Output = Result<(), Unsent>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let error = match &mut self.call {
            Ok(Some(call)) => {
                let sent = call.poll(context);
                if sent.is_ready() {
                    self.call = Ok(None);
                }
                return sent;
            }
            Ok(None) => Error::WrongState,
            Err(error) => *error,
        };
        self.call = Ok(None);
        Poll::Ready(Err(Unsent { error, message: Message::new() }))
    }
}

impl fmt::Debug for RecvFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvFuture").field("is_over", &self.call.is_none()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SendFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_over = matches!(self.call, Ok(None));
        f.debug_struct("SendFuture").field("is_over", &is_over).finish_non_exhaustive()
    }
}
