//! Transports of the program's own, by which each socket of the process binds and connects to a further scheme. On Unix.
//!
//! A [`Transport`] makes streams of bytes whose readiness the system can report: a kind of socket that the library does not know
//! (vsock, RFCOMM), a serial line, a local socket whose bytes are compressed. The library does all the rest, as over tcp: greetings, frames,
//! queues, attempts to connect, closing. The example `transport` of this crate has one.

pub use crate::transport::custom::{ByteStream, StreamListener, Transport, add_transport};
