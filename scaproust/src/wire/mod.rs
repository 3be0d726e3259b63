//! The wire formats: how greetings and messages are encoded in a byte stream, and decoded.
//!
//! Owns the [`Mapping`]s: the SP header and the framing of tcp and ipc, the HTTP upgrade and the frames of WebSocket;
//! and the two halves of a connection, [`Inbound`] and [`Outbound`], which apply them. Must not do I/O, nor know locks,
//! threads or the clock.

mod framing;
mod greeting;
mod inbound;
mod mapping;
mod outbound;
mod sp_header;
mod websocket;

#[cfg(all(test, not(loom)))]
mod halves_tests;

pub(crate) use framing::{BadFrame, Framing};
#[cfg(any(fuzzing, test))]
pub(crate) use greeting::Greeting;
#[cfg(any(fuzzing, test))]
pub(crate) use greeting::PAIR;
pub(crate) use greeting::{BadGreeting, Greeted, GreetingOrder, ProtocolId, ProtocolPair, Protocols};
pub(crate) use inbound::{GREETING_TIME, Inbound, PEER_FIRST_TIME, TimeCheck};
#[cfg(any(fuzzing, test))]
pub(crate) use mapping::Decoder;
pub(crate) use mapping::{Encoder, Handshake, Mapping};
pub(crate) use outbound::{MessageQueue, Outbound, PIECES_MAX};
pub(crate) use websocket::{FrameContent, FramePosition, Mask, Random};

/// The length in bytes from which a body is worth a system call of its own, since a copy costs more: it is written from its
/// chunk, never begins to gather, and is read straight into a chunk. Shorter ones are copied, many for each write and read.
pub(crate) const LARGE_BODY: usize = 32 * 1024;
