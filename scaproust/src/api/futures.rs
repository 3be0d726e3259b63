//! A socket as a `Stream` and as a `Sink` of the futures crates.

use std::fmt;
use std::ops::Deref;
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
        MessageStream::of(self)
    }

    /// As [`Socket::stream`], for a stream that shares the socket.
    pub fn into_stream(self: Arc<Self>) -> MessageStream<Arc<Socket<P>>> {
        MessageStream::of(self)
    }
}

impl<P: Sends> Socket<P> {
    /// A sink that sends messages; see [`Socket::stream`] for an example.
    pub fn sink(&self) -> MessageSink<&Socket<P>> {
        MessageSink::of(self)
    }

    /// As [`Socket::sink`], for a sink that shares the socket.
    pub fn into_sink(self: Arc<Self>) -> MessageSink<Arc<Socket<P>>> {
        MessageSink::of(self)
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

impl<S> MessageStream<S> {
    fn of<P: Pattern>(owner: S) -> MessageStream<S>
    where
        S: Deref<Target = Socket<P>>,
    {
        let (socket, allowed) = (owner.handle.socket().clone(), owner.check_plain());
        MessageStream { socket, is_raw: P::IS_RAW, allowed, call: None, owner }
    }

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
/// It keeps one message, until flushing, or the next message, sends it. Dropping it drops that message. If sending fails
/// the message is returned in the error, and the sink can take the next one.
#[must_use = "a sink does nothing unless it is polled"]
pub struct MessageSink<S> {
    socket: SocketRef,
    /// Whether the protocol allows to send so.
    allowed: Result<(), Error>,
    /// The message that is being sent.
    call: Option<SendingCall<SocketRef>>,
    owner: S,
}

impl<S> MessageSink<S> {
    fn of<P: Pattern>(owner: S) -> MessageSink<S>
    where
        S: Deref<Target = Socket<P>>,
    {
        let (socket, allowed) = (owner.handle.socket().clone(), owner.check_plain());
        MessageSink { socket, allowed, call: None, owner }
    }

    /// The socket.
    pub fn socket(&self) -> &S {
        &self.owner
    }

    fn poll_sent(&mut self, context: &Context<'_>) -> Poll<Result<(), Unsent>> {
        let Some(call) = &mut self.call else { return Poll::Ready(Ok(())) };
        let sent = ready!(call.poll(context));
        self.call = None;
        Poll::Ready(sent)
    }
}

impl<S: Unpin, M: IntoMessage> Sink<M> for MessageSink<S> {
    type Error = Unsent;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        self.poll_sent(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), Unsent> {
        let message = message.into_message().map_err(|error| Unsent { error, message: Message::new() })?;
        self.call = Some(SendingCall::new(self.socket.clone(), message, self.allowed));
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        self.poll_sent(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
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
