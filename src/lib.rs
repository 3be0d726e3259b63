//! A drop-in replacement for libnanomsg: the same C interface, wire protocols and behaviour.
//!
//! C programs link `-lnanomsg` and include `<nanomsg/nn.h>`; [`capi`] is what they reach. A typed
//! interface for Rust programs is not there yet.
//!
//! # The layers
//!
//! Imports run one way, from the bottom of this list to its top; a test keeps it so.
//!
//! | room | owns |
//! |---|---|
//! | `error`, `address`, `option` | one table each: errors, addresses, options |
//! | `message` | the memory of a message, and the shapes in which it is handed on |
//! | `sync` | locks, events, the clock, state that starts anew after a fork |
//! | `pipe` | lanes, ready lists, edges |
//! | `protocol` | the scalability protocols as pure state machines |
//! | `wire` | bytes only: the greeting, the frames |
//! | `endpoint` | the rules of endpoints: back-off |
//! | `reactor` | the I/O thread: readiness, timers, mailbox |
//! | `transport` | inproc, ipc and tcp: addresses become pipes |
//! | `socket` | where protocol meets transport: sending, receiving, closing |
//! | `capi` | the C face |

mod address;
pub mod capi;
mod endpoint;
mod error;
mod message;
mod option;
mod pipe;
mod protocol;
mod reactor;
mod socket;
mod sync;
mod transport;
mod wire;

pub use error::Error;
