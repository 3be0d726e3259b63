#![doc = include_str!("../README.md")]
//!
//! # Sockets
//!
//! Each socket type has only the methods that its protocol supports.
//! `new` opens a [`Socket`], [`bind`](Socket::bind) and [`connect`](Socket::connect) add endpoints, and
//! dropping it closes it. Either side may bind, and either may be first. [`send`](Socket::send) and
//! [`recv`](Socket::recv) block; [`try_send`](Socket::try_send) and [`try_recv`](Socket::try_recv) do
//! not. [`recv_async`](Socket::recv_async) and [`send_async`](Socket::send_async) are for tasks, on any executor.
//! Requests, replies and surveys are values: [`request`](Socket::request), [`accept`](Socket::accept),
//! [`survey`](Socket::survey). Every failure is an [`Error`]. [`guide`] has more, and pages for those who come from other libraries.
//!
//! # Choose a pattern
//!
//! | to | use |
//! |---|---|
//! | ask one of several servers, and get the answer | [`Req`] and [`Rep`] |
//! | give each task to one of several workers | [`Push`] and [`Pull`] |
//! | tell all that have subscribed | [`Pub`] and [`Sub`] |
//! | ask all, and collect answers until a deadline | [`Surveyor`] and [`Respondent`] |
//! | talk to one peer | [`Pair`]; [`PairV1`] to peers that use nng |
//! | talk to all neighbours | [`Bus`]; [`Star`], in which a hub forwards |
//! | forward between networks | [`device`] and [`raw`] sockets |
//! | let a file of settings decide | [`AnySocket`] |
//! | give a part of the program I/O threads and inproc names of its own | [`Context`] |
//! | use a transport or a protocol of one's own | [`custom`] |
//!
//! # Threads and tasks
//!
//! Any number of threads and tasks use a socket at once, through references or an `Arc`. A call blocks its thread only; a
//! future needs no runtime of its own. [`Poller`] waits for several sockets in one thread. [`guide::tasks`] is about executors,
//! `select!`, timeouts and cancelling: a future that is dropped has taken nothing and sent nothing.
//!
//! ```
//! use scaproust::{Pull, Push};
//!
//! let (source, worker) = (Push::new()?, Pull::new()?);
//! source.bind("inproc://doc/threads")?;
//! worker.connect("inproc://doc/threads")?;
//! std::thread::scope(|scope| {
//!     let workers = [(); 3].map(|()| scope.spawn(|| worker.iter().flatten().count()));
//!     for task in 0..100 {
//!         source.send(format!("task {task}"))?;
//!     }
//!     source.close()?;
//!     while worker.statistics()?.messages_received < 100 {
//!         std::thread::yield_now();
//!     }
//!     worker.close()?; // Ends the iterators.
//!     assert_eq!(workers.map(|worker| worker.join().unwrap()).iter().sum::<usize>(), 100);
//!     Ok::<(), scaproust::Error>(())
//! })?;
//! # Ok::<(), scaproust::Error>(())
//! ```
//!
//! # Shutdown
//!
//! [`Socket::close`] ends the blocked calls and the futures of all threads and tasks on the socket with [`Error::Closed`], and
//! its iterators and streams without an error. What was sent is still delivered to connected peers, for at most
//! [`Socket::linger`]: one second by default. Dropping the last reference closes the socket in the same way. On Linux, a process that
//! exits first writes what its sockets still have to send, those included that other threads or tasks are closing: for at most a
//! second, and at most 100 ms without progress.
//!
//! # Errors
//!
//! [`Error`] says why a call has failed, [`Error::kind`] in terms of the standard library, and `?` makes an [`std::io::Error`]
//! of it. A lost connection is no error of a call: it is made again, and [`Socket::events`] tells of it.
//!
//! ```
//! use scaproust::{Error, Req};
//! use std::time::Duration;
//!
//! fn ask(client: &Req, question: &str) -> Result<Option<String>, Error> {
//!     match client.request(question)?.wait() {
//!         Ok(answer) => Ok(Some(String::from_utf8_lossy(&answer).into_owned())),
//!         Err(Error::TimedOut) => Ok(None),
//!         Err(error) => Err(error),
//!     }
//! }
//!
//! let client = Req::new()?;
//! client.connect("inproc://doc/errors")?; // Nothing is bound there.
//! client.set_recv_timeout(Some(Duration::from_millis(5)))?;
//! assert_eq!(ask(&client, "is anybody there?"), Ok(None));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `tls` | the transports tls+tcp and wss, `TlsConfig` |
//! | `futures` | sockets, also `Typed` ones, and events as `Stream` and `Sink`: `Socket::stream`, `Socket::sink`, `Events::into_stream` |
//! | `bytes` | a [`Message`] into `bytes::Bytes`, which shares its memory; `Bytes` into a message, which copies them once |
//! | `serde` | `Typed` sockets, which send and receive values |
//! | `testing` | `custom::testing`: tests of the program's own protocols, by simulated pipes and worlds, and transports |
//! | `tracing` | connections that begin, fail and end, as events of the target `scaproust` |
//!
//! # The layers
//!
//! A module may import only from modules above it in this list; a test checks that.
//!
//! | module | owns |
//! |---|---|
//! | `error`, `address` | errors, in one table; addresses |
//! | `message` | messages and their memory |
//! | `tls` | with the feature `tls`: its settings and sessions, without input and output |
//! | `option` | the options, in one table |
//! | `sync` | locks, events, the clock, state that is made anew after a fork |
//! | `protocol` | the scalability protocols as pure state machines |
//! | `wire` | bytes only: handshakes and frames |
//! | `endpoint` | rules of endpoints: attempts to connect, back-off, accept rate |
//! | `pipe` | lanes, ready lists, edges |
//! | `reactor` | the I/O thread: readiness, timers, mailbox |
//! | `transport` | inproc, ipc, tcp and ws, and transports of the program: addresses become pipes |
//! | `socket` | sockets: sending, receiving, blocking, options, closing |
//! | `forwarding` | devices, which forward between two sockets |
//! | `api`, `ffi` | the Rust interface, and what the package of the C interface needs; they do not import from each other |
//! | `fuzzing` | fuzz targets, for tests and the fuzzer only |
//! | `machine`, `simulation` | with `--cfg simulated`: a simulated operating system, which is below `sync`, and worlds of sockets on it |
//! | `random` | random numbers from a seed, for simulations |

#![cfg_attr(
    all(test, simulated),
    allow(dead_code, reason = "helpers of the tests that need a real operating system")
)]

/// Implements `Debug` by the name of the type alone: `opaque!([generics] type)`.
macro_rules! opaque {
    ($([$($generics:tt)*] $type:ty),+) => { $(
        impl<$($generics)*> std::fmt::Debug for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_struct(stringify!($type)).finish_non_exhaustive()
            }
        }
    )+ };
}

mod address;
mod api;
mod endpoint;
mod error;
#[doc(hidden)]
pub mod ffi;
mod forwarding;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
#[cfg(all(shuttle, not(simulated)))]
compile_error!("shuttle schedules the threads of the simulated machine: --cfg simulated --cfg shuttle");
#[cfg(simulated)]
mod machine;
mod message;
mod option;
mod pipe;
mod protocol;
#[cfg(any(simulated, feature = "testing"))]
mod random;
mod reactor;
#[cfg(simulated)]
pub mod simulation;
mod socket;
mod sync;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod wire;

pub use api::{
    AcceptFuture, Answers, AnySocket, Bus, CloseFuture, ConnectedFuture, Context, ContextBuilder, Dialer,
    Endpoint, EndpointBuilder, Events, IntoIter, IntoMessage, Iter, Keepalive, Listener, Message,
    MessageSlice, NextAnswer, Pair, PairV1, Pending, PollDescriptor, Poller, Protocol, Pub, Pull, Push,
    Readable, Reader, Ready, RecvFuture, Rep, Reply, Req, Respondent, SendFuture, Socket, Star, Statistics,
    Sub, Surveyor, UnknownProtocol, Unsent, Writable, Writer, custom, device, guide, pattern, raw,
};
#[cfg(feature = "futures")]
pub use api::{AnswerStream, EventStream, MessageSink, MessageStream};
#[cfg(feature = "serde")]
pub use api::{Format, Typed, TypedAnswers, TypedError, TypedPending, TypedReply};
#[cfg(feature = "tls")]
pub use api::{TlsAuth, TlsConfig, TlsVersion};
#[cfg(all(feature = "serde", feature = "futures"))]
pub use api::{TypedAnswerStream, TypedSink, TypedStream};
pub use error::Error;
pub use message::MessageType;
pub use pipe::{Credentials, Reason};
pub use socket::{EndpointId, EndpointStatistics, EventKind, PeerInfo, PipeStatistics, SocketEvent, Traffic};
#[cfg(feature = "tls")]
pub use tls::PeerIdentity;
