//! Sockets whose messages are values of the program's types, with the feature `serde`.

use std::fmt;
use std::marker::PhantomData;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::message::Message;
use super::pattern::{Pattern, Receives, Sends};
use super::socket::Socket;
use crate::error::Error;

/// How values become messages: a format of serde. It takes a few lines for any of them.
///
/// ```
/// use scaproust::{Format, Message};
/// use serde::Serialize;
/// use serde::de::DeserializeOwned;
///
/// enum Json {}
///
/// impl Format for Json {
///     type Error = serde_json::Error;
///
///     fn encode<T: Serialize + ?Sized>(value: &T, message: &mut Message) -> Result<(), serde_json::Error> {
///         serde_json::to_writer(message, value)
///     }
///
///     fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
///         serde_json::from_slice(bytes)
///     }
/// }
/// ```
pub trait Format {
    /// Why a value could not be encoded or decoded.
    type Error;

    /// Appends the bytes of a value to a message, which is a [`Write`](std::io::Write).
    ///
    /// # Errors
    /// The format's.
    fn encode<T: Serialize + ?Sized>(value: &T, message: &mut Message) -> Result<(), Self::Error>;

    /// The value whose bytes these are.
    ///
    /// # Errors
    /// The format's: the bytes come from a peer, and can be any.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Self::Error>;
}

/// A socket with the role `P` that sends values of the type `Out` and receives values of the type `In`, in the format `F`.
///
/// ```
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
/// #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
/// struct Job {
///     name: String,
///     seconds: u32,
/// }
///
/// let source: Typed<pattern::Push, Json, Job> = Typed::new(Push::new()?);
/// let worker: Typed<pattern::Pull, Json, Job> = Typed::new(Pull::new()?);
/// source.socket().bind("inproc://doc/typed")?;
/// worker.socket().connect("inproc://doc/typed")?;
/// let job = Job { name: "sweep".into(), seconds: 20 };
/// source.send(&job)?;
/// assert_eq!(worker.recv()?, job);
///
/// source.socket().send("no json")?;
/// assert!(matches!(worker.recv(), Err(TypedError::Format(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A client and a server have two types: `Typed<pattern::Req, Json, Question, Answer>` and
/// `Typed<pattern::Rep, Json, Answer, Question>`. They converse by [`Typed::request`] and [`Typed::accept`], and those of a
/// survey by [`Typed::survey`] and [`Typed::accept`].
///
/// A socket that only sends needs no owned values: one of the type `Typed<pattern::Push, Json, str>` sends text. What is received
/// has a type of values that need nothing of the message, such as `String`.
pub struct Typed<P: Pattern, F, Out: ?Sized, In: ?Sized = Out> {
    socket: Socket<P>,
    format: PhantomData<fn() -> F>,
    /// It holds no values.
    values: PhantomData<fn(&Out) -> Box<In>>,
}

impl<P: Pattern, F, Out: ?Sized, In: ?Sized> Typed<P, F, Out, In> {
    /// Gives types to a socket.
    pub fn new(socket: Socket<P>) -> Typed<P, F, Out, In> {
        Typed { socket, format: PhantomData, values: PhantomData }
    }

    /// The socket, for its endpoints and options.
    pub fn socket(&self) -> &Socket<P> {
        &self.socket
    }

    /// The socket, without its types.
    pub fn into_socket(self) -> Socket<P> {
        self.socket
    }
}

impl<P: Sends, F: Format, Out: Serialize + ?Sized, In: ?Sized> Typed<P, F, Out, In> {
    /// Sends a value, as [`Socket::send`].
    ///
    /// # Errors
    /// Those of [`Socket::send`], and those of the format.
    pub fn send(&self, value: &Out) -> Result<(), TypedError<F::Error>> {
        Ok(self.socket.send(encode::<F, _>(value)?)?)
    }

    /// Sends a value, as [`Socket::try_send`].
    ///
    /// # Errors
    /// Those of [`Socket::try_send`], and those of the format.
    pub fn try_send(&self, value: &Out) -> Result<(), TypedError<F::Error>> {
        Ok(self.socket.try_send(encode::<F, _>(value)?)?)
    }

    /// Sends a value in a task, as [`Socket::send_async`]. A future that is dropped has sent nothing.
    ///
    /// # Errors
    /// Those of [`Socket::send`], and those of the format.
    pub async fn send_async(&self, value: &Out) -> Result<(), TypedError<F::Error>> {
        let message = encode::<F, _>(value)?;
        self.socket.send_async(message).await.map_err(|unsent| TypedError::Socket(unsent.error))
    }
}

impl<P: Receives, F: Format, Out: ?Sized, In: DeserializeOwned> Typed<P, F, Out, In> {
    /// Receives a value, as [`Socket::recv`].
    ///
    /// # Errors
    /// Those of [`Socket::recv`], and those of the format, with which the message is lost.
    pub fn recv(&self) -> Result<In, TypedError<F::Error>> {
        decode::<F, _>(&self.socket.recv()?)
    }

    /// Receives a value, as [`Socket::try_recv`].
    ///
    /// # Errors
    /// Those of [`Socket::try_recv`], and those of the format, with which the message is lost.
    pub fn try_recv(&self) -> Result<In, TypedError<F::Error>> {
        decode::<F, _>(&self.socket.try_recv()?)
    }

    /// Receives a value, as [`Socket::recv_deadline`].
    ///
    /// # Errors
    /// Those of [`Socket::recv_deadline`], and those of the format, with which the message is lost.
    pub fn recv_deadline(&self, deadline: Instant) -> Result<In, TypedError<F::Error>> {
        decode::<F, _>(&self.socket.recv_deadline(deadline)?)
    }

    /// Receives a value in a task, as [`Socket::recv_async`]. A future that is dropped has taken nothing.
    ///
    /// # Errors
    /// Those of [`Socket::recv`], and those of the format, with which the message is lost.
    pub async fn recv_async(&self) -> Result<In, TypedError<F::Error>> {
        decode::<F, _>(&self.socket.recv_async().await?)
    }
}

pub(super) fn encode<F: Format, T: Serialize + ?Sized>(value: &T) -> Result<Message, TypedError<F::Error>> {
    let mut message = Message::new();
    F::encode(value, &mut message).map_err(TypedError::Format)?;
    Ok(message)
}

pub(super) fn decode<F: Format, T: DeserializeOwned>(bytes: &[u8]) -> Result<T, TypedError<F::Error>> {
    F::decode(bytes).map_err(TypedError::Format)
}

impl<P: Pattern, F, Out: ?Sized, In: ?Sized> fmt::Debug for Typed<P, F, Out, In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// Why a [`Typed`] socket could not send or receive a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedError<E> {
    /// An error of the socket.
    Socket(Error),
    /// A value could not be encoded, or a message not be decoded: the error of the format, which is the
    /// [source](std::error::Error::source) of this one.
    Format(E),
}

impl<E> From<Error> for TypedError<E> {
    fn from(error: Error) -> TypedError<E> {
        TypedError::Socket(error)
    }
}

impl<E> fmt::Display for TypedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypedError::Socket(error) => error.fmt(f),
            TypedError::Format(_) => f.write_str("a message does not have the format of its type"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for TypedError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TypedError::Socket(error) => error.source(),
            TypedError::Format(error) => Some(error),
        }
    }
}
