//! Bytes only: how messages and greetings look on a stream.
//!
//! Owns the SP connection header and the framing of tcp and ipc. Must not know descriptors,
//! locks, threads or the time; it is fed bytes and gives back what they mean.

mod framing;
mod handshake;

pub(crate) use framing::{Decoder, Frame, Framing};
pub(crate) use handshake::{Handshake, encode_header};
