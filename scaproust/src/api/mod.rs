//! The Rust interface: typed sockets, messages and endpoints.
//!
//! Owns what only a Rust program has: the types that determine what each socket can do, and the
//! ownership of messages. A method checks its arguments, calls the socket layer, and returns the
//! result; it has no behaviour that a C program needs too. This module and the C interface do not
//! import from each other.
//!
//! A new protocol needs a type in [`pattern`], and a name below.

mod accepting;
mod any_socket;
mod asking;
mod closing;
mod connected;
mod context;
mod conversation;
pub mod custom;
mod descriptor;
pub mod device;
mod endpoint;
mod endpoint_builder;
mod events;
#[cfg(feature = "futures")]
mod futures;
pub mod guide;
mod handle;
mod into_message;
mod io;
mod io_context;
mod message;
mod message_conversions;
mod options;
pub mod pattern;
mod polled;
mod poller;
pub mod raw;
mod slice;
mod socket;
mod statistics;
mod surveying;
mod tasks;
#[cfg(feature = "tls")]
mod tls;
mod transfer;
#[cfg(all(feature = "testing", unix, not(simulated)))]
mod transport_testing;
#[cfg(feature = "serde")]
mod typed;
#[cfg(feature = "serde")]
mod typed_conversations;
#[cfg(all(feature = "serde", feature = "futures"))]
mod typed_streams;

pub use accepting::{AcceptFuture, Reply};
pub use any_socket::{AnySocket, Protocol, UnknownProtocol};
pub use asking::Pending;
pub use closing::CloseFuture;
pub use connected::ConnectedFuture;
pub use descriptor::PollDescriptor;
pub use endpoint::Endpoint;
pub use endpoint_builder::{Dialer, EndpointBuilder, Listener};
#[cfg(feature = "futures")]
pub use events::EventStream;
pub use events::Events;
#[cfg(feature = "futures")]
pub use futures::{MessageSink, MessageStream};
pub use into_message::IntoMessage;
pub use io::{Reader, Writer};
pub use io_context::{Context, ContextBuilder};
pub use message::Message;
pub use options::Keepalive;
pub use polled::{Readable, Writable};
pub use poller::{Poller, Ready};
pub use slice::MessageSlice;
pub use socket::Socket;
pub use statistics::Statistics;
#[cfg(feature = "futures")]
pub use surveying::AnswerStream;
pub use surveying::{Answers, NextAnswer};
pub use tasks::{RecvFuture, SendFuture};
#[cfg(feature = "tls")]
pub use tls::{TlsAuth, TlsConfig, TlsVersion};
pub use transfer::{IntoIter, Iter, Unsent};
#[cfg(feature = "serde")]
pub use typed::{Format, Typed, TypedError};
#[cfg(all(feature = "serde", feature = "futures"))]
pub use typed_conversations::TypedAnswerStream;
#[cfg(feature = "serde")]
pub use typed_conversations::{TypedAnswers, TypedPending, TypedReply};
#[cfg(all(feature = "serde", feature = "futures"))]
pub use typed_streams::{TypedSink, TypedStream};

/// A PAIR socket: has one peer, and sends and receives.
///
/// ```
/// # use scaproust::Pair;
/// let (one, other) = (Pair::new()?, Pair::new()?);
/// one.bind("inproc://doc/pair")?;
/// other.connect("inproc://doc/pair")?;
/// one.send(b"hello")?;
/// assert_eq!(*other.recv()?, *b"hello");
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type Pair = Socket<pattern::Pair>;

/// A PAIR v1 socket: as [`Pair`], but each message has a hop count, so that it cannot be forwarded in a loop. It talks
/// to its own kind, and to the `pair1` sockets of nng and mangos.
///
/// ```
/// # use scaproust::PairV1;
/// let (one, other) = (PairV1::new()?, PairV1::new()?);
/// one.bind("inproc://doc/pair1")?;
/// other.connect("inproc://doc/pair1")?;
/// one.send(b"hello")?;
/// assert_eq!(*other.recv()?, *b"hello");
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type PairV1 = Socket<pattern::PairV1>;

/// A PUB socket: sends each message to all subscribers. It never blocks: a subscriber that has no room
/// misses the message.
///
/// ```
/// # use scaproust::{Pub, Sub};
/// let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
/// publisher.bind("inproc://doc/pub")?;
/// subscriber.connect("inproc://doc/pub")?;
/// subscriber.subscribe("weather/")?;
/// publisher.send(b"sports/2:1")?;
/// publisher.send(b"weather/rain")?;
/// assert_eq!(*subscriber.recv()?, *b"weather/rain");
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type Pub = Socket<pattern::Pub>;

/// A SUB socket: receives messages that begin with one of its subscriptions; see [`Pub`] for an
/// example.
pub type Sub = Socket<pattern::Sub>;

/// A REQ socket: sends a request to one of its peers, and receives the reply.
///
/// Any number of requests may be pending, each of them a value ([`Socket::request`]). A request is sent again when its
/// connection is lost, or no reply has arrived for some time ([`Socket::set_resend_interval`]).
///
/// ```
/// # use scaproust::{Rep, Req};
/// let (client, server) = (Req::new()?, Rep::new()?);
/// server.bind("inproc://doc/req")?;
/// client.connect("inproc://doc/req")?;
/// let pending = client.request("what is the time?")?;
/// let (request, reply) = server.accept()?;
/// assert_eq!(request, "what is the time?");
/// reply.send("noon")?;
/// assert_eq!(pending.wait()?, "noon");
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type Req = Socket<pattern::Req>;

/// A REP socket: receives requests, each with a value that sends the reply to the peer that it came from
/// ([`Socket::accept`]); see [`Req`] for an example.
///
/// It has no `send`, which would not say to which of the requests it replies:
///
/// ```compile_fail,E0599
/// # use scaproust::Rep;
/// Rep::new()?.send("to which request?")?;
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type Rep = Socket<pattern::Rep>;

/// A PUSH socket: sends each message to one of the peers that have room, in turn.
///
/// ```
/// # use scaproust::{Pull, Push};
/// let (source, worker) = (Push::new()?, Pull::new()?);
/// source.bind("inproc://doc/push")?;
/// worker.connect("inproc://doc/push")?;
/// source.send(b"a task")?;
/// assert_eq!(*worker.recv()?, *b"a task");
/// # Ok::<(), scaproust::Error>(())
/// ```
///
/// It cannot receive; a call of `recv` does not compile:
///
/// ```compile_fail,E0599
/// # use scaproust::Push;
/// Push::new()?.recv()?;
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type Push = Socket<pattern::Push>;

/// A PULL socket: receives from all its peers in turn; see [`Push`] for an example.
pub type Pull = Socket<pattern::Pull>;

/// A BUS socket: sends each message to all peers. It never blocks: a peer that has no room misses the
/// message.
///
/// ```
/// # use scaproust::Bus;
/// let (one, other) = (Bus::new()?, Bus::new()?);
/// one.bind("inproc://doc/bus")?;
/// other.connect("inproc://doc/bus")?;
/// one.send(b"to all")?;
/// assert_eq!(*other.recv()?, *b"to all");
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type Bus = Socket<pattern::Bus>;

/// A STAR socket: sends each message to all peers, and forwards each message that it receives to all other peers. So the
/// members of a star hear each other through its hub. Neither blocks: a peer that has no room misses the message.
///
/// The connections must not form a loop: a member would receive messages several times, until their hop count is too high.
///
/// ```
/// # use scaproust::Star;
/// let (hub, one, other) = (Star::new()?, Star::new()?, Star::new()?);
/// hub.bind("inproc://doc/star")?;
/// one.connect("inproc://doc/star")?;
/// other.connect("inproc://doc/star")?;
/// one.send(b"to all")?;
/// assert_eq!(*other.recv()?, *b"to all");
/// assert_eq!(*hub.recv()?, *b"to all");
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type Star = Socket<pattern::Star>;

/// A SURVEYOR socket: sends surveys to all its peers, each of them a value that receives the answers until the deadline
/// ([`Socket::survey`], [`Socket::set_survey_deadline`]). Any number of surveys may be open.
///
/// ```
/// # use scaproust::{Respondent, Surveyor};
/// let (surveyor, respondent) = (Surveyor::new()?, Respondent::new()?);
/// surveyor.bind("inproc://doc/survey")?;
/// respondent.connect("inproc://doc/survey")?;
/// let mut answers = surveyor.survey("who is there?")?;
/// let (survey, reply) = respondent.accept()?;
/// assert_eq!(survey, "who is there?");
/// reply.send("me")?;
/// assert_eq!(answers.next().unwrap()?, "me");
/// # Ok::<(), scaproust::Error>(())
/// ```
pub type Surveyor = Socket<pattern::Surveyor>;

/// A RESPONDENT socket: receives surveys, each with a value that sends the response to the peer that it came from
/// ([`Socket::accept`]); see [`Surveyor`] for an example.
pub type Respondent = Socket<pattern::Respondent>;
