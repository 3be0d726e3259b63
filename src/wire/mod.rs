//! Bytes only: how messages and greetings look on a stream.
//!
//! Owns the [`Mapping`]s: the SP connection header and the framing of tcp and ipc, the upgrade and
//! the frames of WebSocket. Must not know descriptors, locks, threads or the time; it is fed bytes
//! and gives back what they mean.

mod framing;
mod greeting;
mod handshake;
mod mapping;
mod websocket;

pub(crate) use framing::{BadFrame, Frame, Framing};
#[cfg(any(fuzzing, test))]
pub(crate) use greeting::PAIR;
pub(crate) use greeting::{BadGreeting, Greeted, Greeting, ProtocolId, ProtocolPair};
pub(crate) use mapping::{Beginning, Decoder, Encoder, Mapping};
pub(crate) use websocket::{Carried, Mask, Place, Random};
