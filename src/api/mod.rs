//! The Rust face: typed sockets, messages and endpoints.
//!
//! Owns what only a Rust program has: the types that say which socket can do what, and the memory
//! that frees itself. A method checks its arguments, calls the socket layer, and hands the answer
//! on; it decides nothing that a C program would want decided as well. The C face is its
//! neighbour, and neither knows the other.
//!
//! A further protocol is one more type in [`pattern`], and one more name below.

mod endpoint;
mod handle;
mod message;
mod options;
pub mod pattern;
mod socket;
mod transfer;

pub use endpoint::Endpoint;
pub use message::Message;
pub use socket::Socket;
pub use transfer::Unsent;

/// A PAIR socket: one peer, and messages in both directions.
///
/// ```
/// # use nanomsg::Pair;
/// let (one, other) = (Pair::new()?, Pair::new()?);
/// one.bind("inproc://doc/pair")?;
/// other.connect("inproc://doc/pair")?;
/// one.send(b"hello")?;
/// assert_eq!(*other.recv()?, *b"hello");
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub type Pair = Socket<pattern::Pair>;

/// A PUB socket: each message goes to all subscribers, and nobody is waited for.
///
/// ```
/// # use nanomsg::{Pub, Sub};
/// let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
/// publisher.bind("inproc://doc/pub")?;
/// subscriber.connect("inproc://doc/pub")?;
/// subscriber.subscribe(b"weather/")?;
/// publisher.send(b"sports/2:1")?;
/// publisher.send(b"weather/rain")?;
/// assert_eq!(*subscriber.recv()?, *b"weather/rain");
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub type Pub = Socket<pattern::Pub>;

/// A SUB socket: receives the messages that begin with a prefix it has subscribed to; see [`Pub`]
/// for an example.
pub type Sub = Socket<pattern::Sub>;

/// A REQ socket: sends a request to one of its peers, and receives the reply.
///
/// A request is sent again when the peer that has it goes, or does not reply for long
/// ([`Socket::set_resend_interval`]). Sending another one gives up the one before; without a
/// request, receiving fails with [`Error::WrongState`](crate::Error::WrongState).
///
/// ```
/// # use nanomsg::{Rep, Req};
/// let (client, server) = (Req::new()?, Rep::new()?);
/// server.bind("inproc://doc/req")?;
/// client.connect("inproc://doc/req")?;
/// client.send(b"what is the time?")?;
/// assert_eq!(*server.recv()?, *b"what is the time?");
/// server.send(b"noon")?;
/// assert_eq!(*client.recv()?, *b"noon");
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub type Req = Socket<pattern::Req>;

/// A REP socket: receives a request, and sends the reply to whoever asked; see [`Req`] for an
/// example. Without a request, sending fails with [`Error::WrongState`](crate::Error::WrongState).
pub type Rep = Socket<pattern::Rep>;

/// A PUSH socket: each message goes to one of the peers, to whichever has room.
///
/// ```
/// # use nanomsg::{Pull, Push};
/// let (source, worker) = (Push::new()?, Pull::new()?);
/// source.bind("inproc://doc/push")?;
/// worker.connect("inproc://doc/push")?;
/// source.send(b"a task")?;
/// assert_eq!(*worker.recv()?, *b"a task");
/// # Ok::<(), nanomsg::Error>(())
/// ```
///
/// It cannot receive, and the compiler says so:
///
/// ```compile_fail,E0599
/// # use nanomsg::Push;
/// Push::new()?.recv()?;
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub type Push = Socket<pattern::Push>;

/// A PULL socket: receives from all its peers, from each in turn; see [`Push`] for an example.
pub type Pull = Socket<pattern::Pull>;

/// A BUS socket: each message goes to all peers, and nobody is waited for.
///
/// ```
/// # use nanomsg::Bus;
/// let (one, other) = (Bus::new()?, Bus::new()?);
/// one.bind("inproc://doc/bus")?;
/// other.connect("inproc://doc/bus")?;
/// one.send(b"to all")?;
/// assert_eq!(*other.recv()?, *b"to all");
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub type Bus = Socket<pattern::Bus>;

/// A SURVEYOR socket: asks all its peers at once, and receives their answers until the survey is
/// over ([`Socket::set_survey_deadline`]). Then receiving fails with
/// [`Error::TimedOut`](crate::Error::TimedOut), and without a survey with
/// [`Error::WrongState`](crate::Error::WrongState). Another survey gives up the one before.
///
/// ```
/// # use nanomsg::{Respondent, Surveyor};
/// let (asks, answers) = (Surveyor::new()?, Respondent::new()?);
/// asks.bind("inproc://doc/survey")?;
/// answers.connect("inproc://doc/survey")?;
/// asks.send(b"who is there?")?;
/// assert_eq!(*answers.recv()?, *b"who is there?");
/// answers.send(b"me")?;
/// assert_eq!(*asks.recv()?, *b"me");
/// # Ok::<(), nanomsg::Error>(())
/// ```
pub type Surveyor = Socket<pattern::Surveyor>;

/// A RESPONDENT socket: receives a survey, and sends the answer to whoever asked; see
/// [`Surveyor`] for an example. Without a survey, sending fails with
/// [`Error::WrongState`](crate::Error::WrongState).
pub type Respondent = Socket<pattern::Respondent>;
