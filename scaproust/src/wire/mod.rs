//! The wire formats: how greetings and messages are encoded in a byte stream, and decoded.
//!
//! Owns the [`Mapping`]s: the SP header and the framing of tcp and ipc, the HTTP upgrade and the
//! frames of WebSocket. Must not do I/O, nor know locks, threads or the time.

mod framing;
mod greeting;
mod mapping;
mod sp_header;
mod websocket;

pub(crate) use framing::{BadFrame, Frame, Framing};
#[cfg(any(fuzzing, test))]
pub(crate) use greeting::PAIR;
pub(crate) use greeting::{BadGreeting, Greeted, Greeting, ProtocolId, ProtocolPair};
pub(crate) use mapping::{Decoder, Encoder, Handshake, Mapping};
pub(crate) use websocket::{FrameContent, FramePosition, Mask, Random};
