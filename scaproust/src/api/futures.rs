//! A socket as a `Stream` and as a `Sink` of the futures crates.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;

use super::into_message::IntoMessage;
use super::message::Message;
use super::pattern::{Pattern, Receives, Sends};
use super::socket::Socket;
use super::tasks::{ReceivingCall, SendingCall};
use super::transfer::{Unsent, unless_closed};
use crate::error::Error;
use crate::socket::SocketRef;

impl<P: Receives> Socket<P> {
    /// A stream of the messages that the socket receives.
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// use futures_util::{SinkExt, StreamExt};
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// source.bind("inproc://doc/stream")?;
    /// worker.connect("inproc://doc/stream")?;
    /// smol::block_on(async {
    ///     source.sink().send("a task").await?;
    ///     assert_eq!(worker.stream().next().await.unwrap()?, "a task");
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn stream(&self) -> MessageStream<&Socket<P>> {
        MessageStream::of(self).owned_by(self)
    }

    /// As [`Socket::stream`], for a stream that shares the socket.
    pub fn into_stream(self: Arc<Self>) -> MessageStream<Arc<Socket<P>>> {
        MessageStream::of(&self).owned_by(self)
    }
}

impl<P: Sends> Socket<P> {
    /// A sink that sends messages; see [`Socket::stream`] for an example.
    pub fn sink(&self) -> MessageSink<&Socket<P>> {
        MessageSink::of(self).owned_by(self)
    }

    /// As [`Socket::sink`], for a sink that shares the socket.
    pub fn into_sink(self: Arc<Self>) -> MessageSink<Arc<Socket<P>>> {
        MessageSink::of(&self).owned_by(self)
    }
}

/// The messages that a socket receives, as a stream. It ends when the socket is closed; other errors are items.
///
/// Dropping it loses nothing: it has taken only the messages that it has returned. A stream that waits and is not polled, such
/// as one of which a `next()` was dropped, takes no message from others either, but may delay one by ten milliseconds; see
/// [`RecvFuture`](crate::RecvFuture).
#[must_use = "a stream does nothing unless it is polled"]
pub struct MessageStream<S> {
    socket: SocketRef,
    is_raw: bool,
    /// Whether the protocol allows to receive so.
    allowed: Result<(), Error>,
    /// Set while a message is awaited.
    call: Option<ReceivingCall<SocketRef>>,
    owner: S,
}

impl MessageStream<()> {
    pub(super) fn of<P: Pattern>(socket: &Socket<P>) -> MessageStream<()> {
        let (allowed, socket) = (socket.check_plain(), socket.handle.socket().clone());
        MessageStream { socket, is_raw: P::IS_RAW, allowed, call: None, owner: () }
    }

    /// The same stream, which has a reference to its socket.
    pub(super) fn owned_by<S>(self, owner: S) -> MessageStream<S> {
        let MessageStream { socket, is_raw, allowed, call, owner: () } = self;
        MessageStream { socket, is_raw, allowed, call, owner }
    }
}

impl<S> MessageStream<S> {
    /// The socket.
    pub fn socket(&self) -> &S {
        &self.owner
    }
}

impl<S: Unpin> Stream for MessageStream<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let MessageStream { socket, is_raw, allowed, call, .. } = &mut *self;
        let call_now =
            call.get_or_insert_with(|| ReceivingCall::new(socket.clone(), *is_raw).if_allowed(*allowed));
        let received = ready!(call_now.poll(context));
        *call = None;
        Poll::Ready(unless_closed(received))
    }
}

/// A socket as a sink, which sends one message after another.
///
/// It keeps one message, until flushing, or the next message, sends it. Dropping it drops that message. If sending fails,
/// [`MessageSink::take_unsent`] returns the message until the sink takes the next one.
///
/// Its error is that of the streams, so that a stream of another socket can be forwarded to it:
///
/// ```
/// # use scaproust::{Error, Pull, Push};
/// use futures_util::{SinkExt, StreamExt};
/// let (source, front, back, worker) = (Push::new()?, Pull::new()?, Push::new()?, Pull::new()?);
/// front.bind("inproc://doc/forward/front")?;
/// source.connect("inproc://doc/forward/front")?;
/// back.bind("inproc://doc/forward/back")?;
/// worker.connect("inproc://doc/forward/back")?;
/// smol::block_on(async {
///     let mut sink = source.sink();
///     sink.feed("one task").await?;
///     sink.feed(b"another one").await?;
///     sink.flush().await?;
///     front.stream().take(2).forward(back.sink()).await?;
///     assert_eq!(worker.recv_async().await?, "one task");
///     assert_eq!(worker.recv_async().await?, "another one");
///     Ok::<(), Error>(())
/// })?;
/// # Ok::<(), Error>(())
/// ```
#[must_use = "a sink does nothing unless it is polled"]
pub struct MessageSink<S> {
    socket: SocketRef,
    /// Whether the protocol allows to send so.
    allowed: Result<(), Error>,
    /// The message that is being sent.
    call: Option<SendingCall<SocketRef>>,
    /// The last message, if it could not be sent.
    unsent: Option<Message>,
    owner: S,
}

impl MessageSink<()> {
    pub(super) fn of<P: Pattern>(socket: &Socket<P>) -> MessageSink<()> {
        let (allowed, socket) = (socket.check_plain(), socket.handle.socket().clone());
        MessageSink { socket, allowed, call: None, unsent: None, owner: () }
    }

    /// The same sink, which has a reference to its socket.
    pub(super) fn owned_by<S>(self, owner: S) -> MessageSink<S> {
        let MessageSink { socket, allowed, call, unsent, owner: () } = self;
        MessageSink { socket, allowed, call, unsent, owner }
    }
}

impl<S> MessageSink<S> {
    /// The socket.
    pub fn socket(&self) -> &S {
        &self.owner
    }

    /// Sends the message that the sink keeps, if there is one. It is the `flush` of `SinkExt`, which does not know for messages of
    /// which type it is called.
    ///
    /// # Errors
    /// Those of [`Socket::send_async`].
    pub fn flush(&mut self) -> impl Future<Output = Result<(), Error>> + Unpin {
        poll_fn(|context| self.poll_sent(context))
    }

    /// As [`MessageSink::flush`], in place of the `close` of `SinkExt`. The socket stays open.
    ///
    /// # Errors
    /// Those of [`Socket::send_async`].
    pub fn close(&mut self) -> impl Future<Output = Result<(), Error>> + Unpin {
        self.flush()
    }

    /// The last message, if the sink could not send it.
    pub fn take_unsent(&mut self) -> Option<Message> {
        self.unsent.take()
    }

    /// Takes a message, which is sent when the sink is polled.
    pub(super) fn start(&mut self, message: Message) {
        self.unsent = None;
        self.call = Some(SendingCall::new(self.socket.clone(), message, self.allowed));
    }

    pub(super) fn poll_sent(&mut self, context: &Context<'_>) -> Poll<Result<(), Error>> {
        let Some(call) = &mut self.call else { return Poll::Ready(Ok(())) };
        let sent = ready!(call.poll(context));
        self.call = None;
        Poll::Ready(sent.map_err(|Unsent { error, message }| {
            self.unsent = Some(message);
            error
        }))
    }
}

impl<S: Unpin, M: IntoMessage> Sink<M> for MessageSink<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_sent(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), Error> {
        self.start(message.into_message()?);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_sent(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_sent(context)
    }
}

impl<S: fmt::Debug> fmt::Debug for MessageStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").field("socket", &self.owner).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for MessageSink<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSink").field("socket", &self.owner).finish_non_exhaustive()
    }
}
