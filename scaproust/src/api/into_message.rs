//! What can be sent as a message.

use std::alloc::{Layout, handle_alloc_error};

use super::message::Message;
use crate::error::Error;
use crate::message::{Outgoing, Payload};
use crate::socket::LendMessage;

/// What can be sent as a message: bytes, text, and a [`Message`]. A large [`Message`] is sent without being copied,
/// all others are copied once.
///
/// ```
/// # use scaproust::{Pair, Message};
/// let (one, other) = (Pair::new()?, Pair::new()?);
/// one.bind("inproc://doc/into_message")?;
/// other.connect("inproc://doc/into_message")?;
/// one.send("text")?;
/// one.send(b"bytes")?;
/// one.send(vec![1, 2, 3])?;
/// one.send(Message::zeroed(2)?)?;
/// for expected in ["text".as_bytes(), b"bytes", &[1, 2, 3], &[0, 0]] {
///     assert_eq!(other.recv()?, expected);
/// }
/// # Ok::<(), scaproust::Error>(())
/// ```
pub trait IntoMessage: sealed::Sendable {
    /// Makes the message.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    fn into_message(self) -> Result<Message, Error>;
}

pub(super) mod sealed {
    use crate::message::Outgoing;

    /// What can be sent in the duration of a call.
    pub trait Sendable {
        /// Calls `send` with the message.
        fn lend_once<R>(self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R;
    }
}

impl IntoMessage for Message {
    fn into_message(self) -> Result<Message, Error> {
        Ok(self)
    }
}

impl sealed::Sendable for Message {
    #[inline]
    fn lend_once<R>(mut self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R {
        self.lend(send)
    }
}

impl IntoMessage for &Message {
    /// The message shares its memory.
    fn into_message(self) -> Result<Message, Error> {
        Ok(self.clone())
    }
}

impl sealed::Sendable for &Message {
    #[inline]
    fn lend_once<R>(self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R {
        self.clone().lend(send)
    }
}

/// Implements the traits for types that are bytes, and `From` for messages: `sendable([generics] type, …)`.
macro_rules! sendable {
    ($($(#[$condition:meta])? [$($generics:tt)*] $type:ty),+ $(,)?) => { $(
        $(#[$condition])?
        impl<$($generics)*> IntoMessage for $type {
            fn into_message(self) -> Result<Message, Error> {
                Message::copy_of(self)
            }
        }

        $(#[$condition])?
        impl<$($generics)*> sealed::Sendable for $type {
            #[inline]
            fn lend_once<R>(self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R {
                send(&mut Outgoing::new(Payload::Borrowed(AsRef::<[u8]>::as_ref(&self))))
            }
        }

        $(#[$condition])?
        impl<$($generics)*> From<$type> for Message {
            /// A message with a copy of these bytes. Without memory for it the process is aborted, as by a vector that
            /// grows; [`Message::copy_of`] fails instead.
            fn from(bytes: $type) -> Message {
                let length = AsRef::<[u8]>::as_ref(&bytes).len();
                Message::copy_of(bytes).unwrap_or_else(|_| handle_alloc_error(layout(length)))
            }
        }
    )+ };
}

sendable!(
    [] &[u8],
    [const N: usize] [u8; N],
    [const N: usize] &[u8; N],
    [] Vec<u8>,
    [] &Vec<u8>,
    [] Box<[u8]>,
    [] &str,
    [] String,
    [] &String,
    #[cfg(feature = "bytes")] [] bytes::Bytes,
    #[cfg(feature = "bytes")] [] &bytes::Bytes,
);

#[cold]
fn layout(length: usize) -> Layout {
    Layout::array::<u8>(length).unwrap_or(Layout::new::<Message>())
}
