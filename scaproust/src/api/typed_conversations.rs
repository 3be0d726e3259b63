//! Requests, replies and surveys of sockets whose messages are values of the program's types.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::accepting::Reply;
use super::asking::Pending;
use super::message::Message;
use super::pattern::{Replies, Requests, Surveys};
use super::surveying::Answers;
use super::typed::{Format, Typed, TypedError, decode, encode};
use crate::error::Error;

impl<P: Requests, F: Format, Out: Serialize + ?Sized, In> Typed<P, F, Out, In> {
    /// Sends a request, as [`Socket::request`](crate::Socket::request).
    ///
    /// # Errors
    /// Those of [`Socket::request`](crate::Socket::request), and those of the format.
    ///
    /// ```
    /// use scaproust::{Rep, Req, Typed, pattern};
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
    /// // The client sends two numbers, and the server their sum.
    /// let client: Typed<pattern::Req, Json, (u32, u32), u32> = Typed::new(Req::new()?);
    /// let server: Typed<pattern::Rep, Json, u32, (u32, u32)> = Typed::new(Rep::new()?);
    /// server.socket().bind("inproc://doc/typed/request")?;
    /// client.socket().connect("inproc://doc/typed/request")?;
    /// let pending = client.request(&(2, 3))?;
    /// let ((one, other), reply) = server.accept()?;
    /// reply.send(&(one + other))?;
    /// assert_eq!(pending.wait()?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request(&self, value: &Out) -> Result<TypedPending<F, In>, TypedError<F::Error>> {
        let pending = self.socket().request(encode::<F, _>(value)?)?;
        Ok(TypedPending { pending, types: PhantomData })
    }
}

/// A pending request of a [`Typed`] socket, from [`Typed::request`]; as [`Pending`].
///
/// # Errors
/// Those of [`Pending`], and those of the format, with which the reply is lost.
#[must_use = "a request that is dropped is given up"]
pub struct TypedPending<F, In> {
    pending: Pending,
    types: PhantomData<fn() -> (F, In)>,
}

impl<F: Format, In: DeserializeOwned> TypedPending<F, In> {
    /// Waits for the reply, as [`Pending::wait`].
    ///
    /// # Errors
    /// Those of [`Pending::wait`], and those of the format.
    pub fn wait(self) -> Result<In, TypedError<F::Error>> {
        decode::<F, _>(&self.pending.wait()?)
    }

    /// Waits for the reply until the deadline, as [`Pending::wait_deadline`].
    ///
    /// # Errors
    /// Those of [`Pending::wait_deadline`], and those of the format.
    pub fn wait_deadline(&mut self, deadline: Instant) -> Result<In, TypedError<F::Error>> {
        decode::<F, _>(&self.pending.wait_deadline(deadline)?)
    }

    /// The reply, if it has come; as [`Pending::try_wait`].
    ///
    /// # Errors
    /// Those of [`Pending::try_wait`], and those of the format.
    pub fn try_wait(&mut self) -> Result<In, TypedError<F::Error>> {
        decode::<F, _>(&self.pending.try_wait()?)
    }
}

impl<F, In> TypedPending<F, In> {
    /// Sets the moment at which waiting fails, as [`Pending::deadline`].
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.pending = self.pending.deadline(deadline);
        self
    }

    /// Sets the time after which waiting fails, as [`Pending::timeout`].
    pub fn timeout(mut self, time: Duration) -> Self {
        self.pending = self.pending.timeout(time);
        self
    }
}

impl<F: Format, In: DeserializeOwned> Future for TypedPending<F, In> {
    type Output = Result<In, TypedError<F::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.pending).poll(context).map(|reply| decode::<F, _>(&reply?))
    }
}

impl<P: Replies, F: Format, Out: ?Sized, In: DeserializeOwned> Typed<P, F, Out, In> {
    /// Receives a request or a survey, and the right to reply, as [`Socket::accept`](crate::Socket::accept); see
    /// [`Typed::request`] for an example.
    ///
    /// # Errors
    /// Those of [`Socket::accept`](crate::Socket::accept), and those of the format, with which the request is lost and gets no
    /// reply. A server that replies to such a request too accepts from [`Typed::socket`].
    pub fn accept(&self) -> Accepted<F, Out, In> {
        accepted(self.socket().accept())
    }

    /// As [`Typed::accept`], without blocking; see [`Socket::try_accept`](crate::Socket::try_accept).
    ///
    /// # Errors
    /// Those of [`Socket::try_accept`](crate::Socket::try_accept), and those of the format, as [`Typed::accept`].
    pub fn try_accept(&self) -> Accepted<F, Out, In> {
        accepted(self.socket().try_accept())
    }

    /// As [`Typed::accept`], but blocks until the deadline; see [`Socket::accept_deadline`](crate::Socket::accept_deadline).
    ///
    /// # Errors
    /// Those of [`Socket::accept_deadline`](crate::Socket::accept_deadline), and those of the format, as [`Typed::accept`].
    pub fn accept_deadline(&self, deadline: Instant) -> Accepted<F, Out, In> {
        accepted(self.socket().accept_deadline(deadline))
    }

    /// As [`Typed::accept`], in a task; see [`Socket::accept_async`](crate::Socket::accept_async). A future that is dropped has
    /// taken nothing.
    ///
    /// # Errors
    /// Those of [`Socket::accept`](crate::Socket::accept), and those of the format, as [`Typed::accept`].
    pub async fn accept_async(&self) -> Accepted<F, Out, In> {
        accepted(self.socket().accept_async().await)
    }
}

/// A request or survey as a value, with its reply.
type Accepted<F, Out, In> = Result<(In, TypedReply<F, Out>), TypedError<<F as Format>::Error>>;

fn accepted<F: Format, Out: ?Sized, In: DeserializeOwned>(
    accepted: Result<(Message, Reply), Error>,
) -> Accepted<F, Out, In> {
    let (request, reply) = accepted?;
    Ok((decode::<F, _>(&request)?, TypedReply { reply, types: PhantomData }))
}

/// The reply to one request or survey of a [`Typed`] socket, from [`Typed::accept`]; as [`Reply`].
#[must_use = "a reply that is dropped is not sent"]
pub struct TypedReply<F, Out: ?Sized> {
    reply: Reply,
    types: PhantomData<fn(&Out) -> F>,
}

impl<F: Format, Out: Serialize + ?Sized> TypedReply<F, Out> {
    /// Sends the reply, as [`Reply::send`]. Never blocks.
    ///
    /// # Errors
    /// Those of [`Reply::send`], and those of the format, with which nothing is sent.
    pub fn send(self, value: &Out) -> Result<(), TypedError<F::Error>> {
        Ok(self.reply.send(encode::<F, _>(value)?)?)
    }
}

impl<P: Surveys, F: Format, Out: Serialize + ?Sized, In> Typed<P, F, Out, In> {
    /// Sends a survey, as [`Socket::survey`](crate::Socket::survey).
    ///
    /// # Errors
    /// Those of [`Socket::survey`](crate::Socket::survey), and those of the format.
    ///
    /// ```
    /// use scaproust::{Respondent, Surveyor, Typed, TypedError, pattern};
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
    /// let surveyor: Typed<pattern::Surveyor, Json, str, f64> = Typed::new(Surveyor::new()?);
    /// let respondent: Typed<pattern::Respondent, Json, f64, String> = Typed::new(Respondent::new()?);
    /// surveyor.socket().bind("inproc://doc/typed/survey")?;
    /// respondent.socket().connect("inproc://doc/typed/survey")?;
    /// let mut answers = surveyor.survey("temperature")?;
    /// let (quantity, reply) = respondent.accept()?;
    /// assert_eq!(quantity, "temperature");
    /// reply.send(&21.5)?;
    /// assert_eq!(answers.next().unwrap()?, 21.5);
    ///
    /// // An answer that is no value is an item too.
    /// let mut answers = surveyor.survey("humidity")?;
    /// respondent.socket().accept()?.1.send("no json")?;
    /// assert!(matches!(smol::block_on(answers.next_async()), Some(Err(TypedError::Format(_)))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn survey(&self, value: &Out) -> Result<TypedAnswers<F, In>, TypedError<F::Error>> {
        let answers = self.socket().survey(encode::<F, _>(value)?)?;
        Ok(TypedAnswers { answers, types: PhantomData })
    }
}

/// The answers to a survey of a [`Typed`] socket, from [`Typed::survey`]; as [`Answers`]. An answer that the format cannot
/// decode is an item with its error.
#[must_use = "a survey ends when its answers are dropped"]
pub struct TypedAnswers<F, In> {
    answers: Answers,
    types: PhantomData<fn() -> (F, In)>,
}

impl<F: Format, In: DeserializeOwned> TypedAnswers<F, In> {
    /// The next answer, in a task; as [`Answers::next_async`]. A future that is dropped loses nothing.
    pub async fn next_async(&mut self) -> Option<Result<In, TypedError<F::Error>>> {
        self.answers.next_async().await.map(answer::<F, _>)
    }

    /// The answers as a stream, as [`Answers::into_stream`].
    #[cfg(feature = "futures")]
    pub fn into_stream(self) -> TypedAnswerStream<F, In> {
        TypedAnswerStream(self)
    }
}

impl<F, In> TypedAnswers<F, In> {
    /// Sets the moment at which the answers end, as [`Answers::deadline`].
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.answers = self.answers.deadline(deadline);
        self
    }

    /// Sets the time after which the answers end, as [`Answers::timeout`].
    pub fn timeout(mut self, time: Duration) -> Self {
        self.answers = self.answers.timeout(time);
        self
    }
}

impl<F: Format, In: DeserializeOwned> Iterator for TypedAnswers<F, In> {
    type Item = Result<In, TypedError<F::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.answers.next().map(answer::<F, _>)
    }
}

/// The answers to a survey of a [`Typed`] socket as a stream; from [`TypedAnswers::into_stream`].
#[cfg(feature = "futures")]
#[must_use = "a survey ends when its answers are dropped"]
#[derive(Debug)]
pub struct TypedAnswerStream<F, In>(TypedAnswers<F, In>);

#[cfg(feature = "futures")]
impl<F: Format, In: DeserializeOwned> futures_core::Stream for TypedAnswerStream<F, In> {
    type Item = Result<In, TypedError<F::Error>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.answers.poll_answer(context).map(|received| received.map(answer::<F, _>))
    }
}

fn answer<F: Format, In: DeserializeOwned>(
    received: Result<Message, Error>,
) -> Result<In, TypedError<F::Error>> {
    decode::<F, _>(&received?)
}

impl<F, In> fmt::Debug for TypedPending<F, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedPending").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl<F, Out: ?Sized> fmt::Debug for TypedReply<F, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedReply").field("reply", &self.reply).finish_non_exhaustive()
    }
}

impl<F, In> fmt::Debug for TypedAnswers<F, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedAnswers").field("answers", &self.answers).finish_non_exhaustive()
    }
}
