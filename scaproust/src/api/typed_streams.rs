//! A typed socket as a `Stream` and as a `Sink` of values.

use std::borrow::Borrow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::futures::{MessageSink, MessageStream};
use super::message::Message;
use super::pattern::{Receives, Sends};
use super::typed::{Format, Typed, TypedError, decode, encode};
use crate::error::Error;

impl<P: Receives, F: Format, Out: ?Sized, In: DeserializeOwned> Typed<P, F, Out, In> {
    /// A stream of the values that the socket receives, as [`Socket::stream`](crate::Socket::stream). A message that the format
    /// cannot decode is an item with its error.
    ///
    /// ```
    /// use futures_util::{SinkExt, StreamExt};
    /// use scaproust::{Pull, Push, Typed, TypedError, pattern};
    /// # use scaproust::{Format, Message};
    /// # use serde::{Serialize, de::DeserializeOwned};
    /// # enum Json {}
    /// # impl Format for Json {
    /// #     type Error = serde_json::Error;
    /// #     fn encode<T: Serialize + ?Sized>(value: &T, message: &mut Message) -> Result<(), serde_json::Error> {
    /// #         serde_json::to_writer(message, value)
    /// #     }
    /// #     fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    /// #         serde_json::from_slice(bytes)
    /// #     }
    /// # }
    ///
    /// let source: Typed<pattern::Push, Json, str> = Typed::new(Push::new()?);
    /// let worker: Typed<pattern::Pull, Json, String> = Typed::new(Pull::new()?);
    /// source.socket().bind("inproc://doc/typed/stream")?;
    /// worker.socket().connect("inproc://doc/typed/stream")?;
    /// smol::block_on(async {
    ///     let mut sink = source.sink();
    ///     sink.feed("sweep").await?;
    ///     sink.feed("dust".to_string()).await?;
    ///     sink.flush().await?;
    ///     let mut jobs = worker.stream();
    ///     assert_eq!(jobs.next().await.unwrap()?, "sweep");
    ///     assert_eq!(jobs.next().await.unwrap()?, "dust");
    ///     Ok::<(), TypedError<serde_json::Error>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream(&self) -> TypedStream<&Self, F, In> {
        TypedStream { messages: MessageStream::of(self.socket()).owned_by(self), types: PhantomData }
    }

    /// As [`Typed::stream`], for a stream that shares the socket.
    pub fn into_stream(self: Arc<Self>) -> TypedStream<Arc<Self>, F, In> {
        TypedStream { messages: MessageStream::of(self.socket()).owned_by(self), types: PhantomData }
    }
}

impl<P: Sends, F: Format, Out: Serialize + ?Sized, In: ?Sized> Typed<P, F, Out, In> {
    /// A sink that sends values, or what they are borrowed from; see [`Typed::stream`] for an example.
    pub fn sink(&self) -> TypedSink<&Self, F, Out> {
        TypedSink { messages: MessageSink::of(self.socket()).owned_by(self), types: PhantomData }
    }

    /// As [`Typed::sink`], for a sink that shares the socket.
    pub fn into_sink(self: Arc<Self>) -> TypedSink<Arc<Self>, F, Out> {
        TypedSink { messages: MessageSink::of(self.socket()).owned_by(self), types: PhantomData }
    }
}

/// The values that a [`Typed`] socket receives, as a stream. It ends, and may be dropped, as [`MessageStream`].
#[must_use = "a stream does nothing unless it is polled"]
pub struct TypedStream<S, F, In> {
    messages: MessageStream<S>,
    types: PhantomData<fn() -> (F, In)>,
}

impl<S, F, In> TypedStream<S, F, In> {
    /// The socket, with its types.
    pub fn socket(&self) -> &S {
        self.messages.socket()
    }
}

impl<S: Unpin, F: Format, In: DeserializeOwned> Stream for TypedStream<S, F, In> {
    type Item = Result<In, TypedError<F::Error>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let received = Pin::new(&mut self.messages).poll_next(context);
        received.map(|received| received.map(|message| decode::<F, _>(&message?)))
    }
}

/// A [`Typed`] socket as a sink, which sends one value after another, as [`MessageSink`] does messages.
#[must_use = "a sink does nothing unless it is polled"]
pub struct TypedSink<S, F, Out: ?Sized> {
    messages: MessageSink<S>,
    types: PhantomData<fn(&Out) -> F>,
}

impl<S, F: Format, Out: ?Sized> TypedSink<S, F, Out> {
    /// The socket, with its types.
    pub fn socket(&self) -> &S {
        self.messages.socket()
    }

    /// Sends the value that the sink keeps, as [`MessageSink::flush`].
    ///
    /// # Errors
    /// Those of [`Socket::send_async`](crate::Socket::send_async).
    pub fn flush(&mut self) -> impl Future<Output = Result<(), TypedError<F::Error>>> + Unpin {
        poll_fn(|context| self.poll_sent(context))
    }

    /// As [`TypedSink::flush`]. The socket stays open.
    ///
    /// # Errors
    /// Those of [`Socket::send_async`](crate::Socket::send_async).
    pub fn close(&mut self) -> impl Future<Output = Result<(), TypedError<F::Error>>> + Unpin {
        self.flush()
    }

    /// The last value, encoded, if the sink could not send it.
    pub fn take_unsent(&mut self) -> Option<Message> {
        self.messages.take_unsent()
    }

    fn poll_sent(&mut self, context: &Context<'_>) -> Poll<Result<(), TypedError<F::Error>>> {
        self.messages.poll_sent(context).map_err(|error: Error| error.into())
    }
}

impl<S: Unpin, F: Format, Out: Serialize + ?Sized, T: Borrow<Out>> Sink<T> for TypedSink<S, F, Out> {
    type Error = TypedError<F::Error>;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_sent(context)
    }

    fn start_send(mut self: Pin<&mut Self>, value: T) -> Result<(), Self::Error> {
        self.messages.start(encode::<F, Out>(value.borrow())?);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_sent(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.poll_sent(context)
    }
}

impl<S: fmt::Debug, F, In> fmt::Debug for TypedStream<S, F, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedStream").field("socket", self.messages.socket()).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, F, Out: ?Sized> fmt::Debug for TypedSink<S, F, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedSink").field("socket", self.messages.socket()).finish_non_exhaustive()
    }
}
