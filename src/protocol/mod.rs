//! The scalability protocols as pure state machines.
//!
//! A machine decides which pipe gets which message, and which message is taken next. It never
//! blocks, waits or queues, and knows no clock, no lock, no thread and no socket: it is handed
//! all of that by [`Context`]. Raw machines are the base; cooked ones wrap them.
//!
//! # The contract
//!
//! * [`Protocol::attach`] is called once for each pipe before anything else names it. It may
//!   refuse; then [`Protocol::detach`] is the next and last call that names it. After it, [`Protocol::writable`] follows at once if the pipe has room.
//! * An empty inbound lane is an *edge*: when [`Context::front`] answers `None`, the machine may
//!   forget the pipe until [`Protocol::readable`] names it. The same holds for a full outbound
//!   lane: after [`Context::push`] answered [`Push::Full`], or [`Context::has_room`] `false`,
//!   [`Protocol::writable`] names the pipe when it has room. Calls may come without need, and
//!   twice: a machine must bear it.
//! * What a machine does not want it drops, with [`Context::drop_front`], which bounds how much is
//!   dropped under one hold of the socket's lock.
//! * [`Protocol::closing`] says that the peer is gone: nothing can be sent any more, but what it
//!   had sent can still be received. [`Protocol::detach`] is the end, with or without it.
//! * `send` and `recv` answer [`Refusal::WouldBlock`] and leave the message with the caller.
//!   After a successful `recv` the front message of [`Delivery::pipe`] is the one delivered, and
//!   the caller pops it before it calls the machine again.

mod backtrace;
mod bus;
#[cfg(test)]
mod contract;
mod machine;
mod pair;
mod pipeline;
mod policy;
mod pubsub;
mod reqrep;
#[cfg(test)]
mod simulation;
mod slab;
mod survey;
mod table;
mod trie;

pub use machine::Machine;
pub use pubsub::{SUBSCRIBE, UNSUBSCRIBE};
pub use reqrep::RESEND_INTERVAL;
pub use survey::SURVEY_DEADLINE;
#[cfg(test)]
pub use table::PROTOCOLS;
pub use table::{BUS, PAIR, PUB, PULL, PUSH, ProtocolInfo, REP, REQ, RESPONDENT, SUB, SURVEYOR};
#[cfg(any(fuzzing, test))]
pub(crate) use trie::Trie;

use std::time::Duration;

use crate::error::Error;
use crate::message::{Front, MessageType, Outgoing, Payload, ProtocolHeader};
use crate::option::Setting;

/// A moment, as the time that has passed since an origin which is the same for a whole process.
pub type Time = Duration;

/// Names a pipe of a socket: 31 bits, so that it can be a hop in a REQ/REP backtrace.
///
/// An id is not used again for a long time after its pipe is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipeId(pub u32);

/// What an endpoint's options say of a new pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeOptions {
    /// `NN_SNDPRIO` of the endpoint: 1 (first) to 16 (last).
    pub send_priority: u8,
    /// `NN_RCVPRIO` of the endpoint: 1 (first) to 16 (last).
    pub receive_priority: u8,
}

/// What became of a message offered to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// The pipe has it; the payload was taken out.
    Taken,
    /// There is no room, or no such pipe; the payload is as it was.
    Full,
}

/// The world of a machine: its pipes and the time.
pub trait Context {
    /// The first message of the pipe's inbound lane, in place.
    fn front(&mut self, pipe: PipeId) -> Option<Front<'_>>;
    /// Drops the first message of the pipe's inbound lane. Answers whether the machine may go on: if
    /// not, enough was dropped for now. Then it answers as if there were nothing more, without
    /// forgetting the pipe, and is asked again soon.
    fn drop_front(&mut self, pipe: PipeId) -> bool;
    /// Appends `header` and `body` to the pipe's outbound lane.
    fn push(&mut self, pipe: PipeId, header: &[u8], body: &mut Payload<'_>) -> Push;
    /// Whether the next [`Context::push`] to the pipe will be taken, whatever its size.
    fn has_room(&mut self, pipe: PipeId) -> bool;
    /// The present moment.
    fn now(&self) -> Time;
    /// Says what the messages pushed from now on are sent as over a WebSocket, for a machine that
    /// sends a message again. Until then it is what the caller has said of the message he sends.
    fn send_as(&mut self, message_type: Option<MessageType>);
    /// `NN_MAXTTL`: a message with more hops is dropped.
    fn max_hops(&self) -> usize;
}

/// Why a machine did not do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not now: no pipe has room, or none has a message.
    WouldBlock,
    /// Not in this state: there is no request or survey to answer, or none was sent.
    WrongState,
    /// Not by this protocol: the socket type has no such direction.
    NotSupported,
    /// The header does not fit the protocol.
    InvalidArgument,
    /// The time for an answer is over.
    TimedOut,
    /// There is no memory to keep the message in.
    OutOfMemory,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::WouldBlock => Error::WouldBlock,
            Refusal::WrongState => Error::WrongState,
            Refusal::NotSupported => Error::NotSupported,
            Refusal::InvalidArgument => Error::InvalidArgument,
            Refusal::TimedOut => Error::TimedOut,
            Refusal::OutOfMemory => Error::OutOfMemory,
        }
    }
}

/// The pipe was refused: an exclusive protocol has its one peer already, or there is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeRefused;

/// A message that was received: it is still the front of its pipe's lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whose front message it is.
    pub pipe: PipeId,
    /// How many leading bytes of the front message are not part of the body.
    pub skip: usize,
    /// The protocol header that the socket shows.
    pub shows: Shown,
}

/// What the protocol header of a message that is received consists of. Few callers ask for it, so it is
/// not made before one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// There is none: the socket is cooked, or the protocol has no headers.
    Nothing,
    /// The bytes in front of the body.
    Skipped,
    /// This word, and then the bytes in front of the body.
    WordAndSkipped(u32),
    /// These words.
    Words(u32, u32),
}

impl Delivery {
    /// A message that the socket shows without a header.
    #[must_use]
    pub fn plain(pipe: PipeId, skip: usize) -> Delivery {
        Delivery { pipe, skip, shows: Shown::Nothing }
    }

    /// The protocol header of the message, which is `front`.
    #[must_use]
    pub fn header(&self, front: Front<'_>) -> ProtocolHeader {
        let (words, has_skipped): (&[u32], bool) = match &self.shows {
            Shown::Nothing => (&[], false),
            Shown::Skipped => (&[], true),
            Shown::WordAndSkipped(word) => (std::slice::from_ref(word), true),
            Shown::Words(first, second) => (&[*first, *second], false),
        };
        let mut header: ProtocolHeader = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        if has_skipped {
            header.extend(front.bytes(0..).take(self.skip));
        }
        header
    }
}

/// A scalability protocol, seen from one socket. The module's documentation has the contract.
pub trait Protocol: Send {
    /// A pipe to a compatible peer is there.
    ///
    /// # Errors
    /// [`PipeRefused`] when the protocol takes no further peer, or has no memory for it.
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused>;

    /// The peer is gone; what it sent can still be received.
    fn closing(&mut self, pipe: PipeId, context: &mut impl Context);

    /// The pipe is gone, and its lanes with it.
    fn detach(&mut self, pipe: PipeId, context: &mut impl Context);

    /// The pipe's inbound lane has a message.
    fn readable(&mut self, pipe: PipeId, context: &mut impl Context);

    /// The pipe's outbound lane has room.
    fn writable(&mut self, pipe: PipeId, context: &mut impl Context);

    /// Sends a message. On success its payload was taken, or dropped as the protocol says.
    ///
    /// # Errors
    /// As [`Refusal`] says; the message is left as it was.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal>;

    /// Chooses the next message.
    ///
    /// # Errors
    /// As [`Refusal`] says.
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal>;

    /// Whether `send` would do something else than [`Refusal::WouldBlock`] or
    /// [`Refusal::WrongState`].
    fn can_send(&mut self, context: &mut impl Context) -> bool;

    /// Whether `recv` would deliver a message; or, in a protocol whose callers are to hear of it,
    /// whether there is nothing to wait for.
    fn can_recv(&mut self, context: &mut impl Context) -> bool;

    /// The send priority of the peer that the next message goes to, in a protocol that gives a
    /// message to the first of its peers that has room; `None` while none has.
    fn send_priority(&mut self, context: &mut impl Context) -> Option<u8> {
        let _ = context;
        None
    }

    /// Whether the machine has work of its own, for which it must be told of edges at once, also
    /// while nobody calls the socket; only the machines that [work
    /// alone](ProtocolInfo::works_alone) do.
    fn is_busy(&self) -> bool {
        false
    }

    /// When [`Protocol::timeout`] wants to be called; only the machines that [work
    /// alone](ProtocolInfo::works_alone) do.
    fn deadline(&self) -> Option<Time> {
        None
    }

    /// The moment that [`Protocol::deadline`] named has come.
    fn timeout(&mut self, context: &mut impl Context) {
        let _ = context;
    }

    /// Sets an option of the protocol's own level.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when it is not one of this protocol's.
    fn set_option(&mut self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        let _ = (name, setting);
        Err(Error::UnknownOption)
    }

    /// The value of an integer option of the protocol's own level.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when it is not one of this protocol's that can be read.
    fn option(&self, name: i32) -> Result<i32, Error> {
        let _ = name;
        Err(Error::UnknownOption)
    }
}
