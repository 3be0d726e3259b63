//! A drop-in replacement for libnanomsg: the same C interface, wire protocols and behaviour.
//!
//! C programs link `-lnanomsg` and include `<nanomsg/nn.h>`; [`capi`] is what they reach. Rust
//! programs use the sockets of this page, whose types know what each of them can do.
//!
//! # Quick start
//!
//! ```
//! use nanomsg::{Rep, Req};
//!
//! let server = Rep::new()?;
//! server.bind("inproc://greetings")?; // Or ipc:///tmp/greetings, or tcp://127.0.0.1:5555.
//! std::thread::spawn(move || {
//!     while let Ok(request) = server.recv() {
//!         let name = String::from_utf8_lossy(&request);
//!         server.send(format!("hello, {name}").as_bytes())?;
//!     }
//!     Ok::<(), nanomsg::Error>(())
//! });
//!
//! let client = Req::new()?;
//! client.connect("inproc://greetings")?;
//! client.send(b"world")?;
//! assert_eq!(*client.recv()?, *b"hello, world");
//! # Ok::<(), nanomsg::Error>(())
//! ```
//!
//! A [`Socket`] is opened with `new`, gets endpoints with [`bind`](Socket::bind) and
//! [`connect`](Socket::connect), and is closed when it is dropped. Which side binds does not
//! matter, nor who comes first. [`send`](Socket::send) and [`recv`](Socket::recv) block;
//! [`try_send`](Socket::try_send) and [`try_recv`](Socket::try_recv) do not. Every failure is an
//! [`Error`].
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
//! | `transport` | inproc, ipc, tcp and ws: addresses become pipes |
//! | `socket` | where protocol meets transport: sending, receiving, closing |
//! | `device` | two sockets joined |
//! | `api`, [`capi`] | the Rust face and the C face, which do not know each other |
//! | `fuzzing` | what is tried with any bytes at all; only there for tests and the fuzzer |

mod address;
mod api;
pub mod capi;
mod device;
mod endpoint;
mod error;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod message;
mod option;
mod pipe;
mod protocol;
mod reactor;
mod socket;
mod sync;
mod transport;
mod wire;

pub use api::{
    Bus, Endpoint, Message, Pair, Pub, Pull, Push, Rep, Req, Respondent, Socket, Sub, Surveyor, Unsent,
    pattern,
};
pub use error::Error;
pub use message::MessageType;
