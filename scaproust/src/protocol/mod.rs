//! The scalability protocols as pure state machines.
//!
//! A machine decides to which pipe a message is sent, and from which pipe the next one is received. It
//! never blocks and does no I/O: pipes and time are given to it as a [`Context`], under the lock of
//! its socket. The machine of a cooked (ordinary) socket wraps the machine of a raw one.
//!
//! A pipe has two lanes, queues of messages: the inbound lane holds messages from the peer, the outbound
//! lane messages to it.
//!
//! # The contract
//!
//! * [`Protocol::attach`] is the first call for a pipe. If it refuses the pipe, it is the only one.
//!   Otherwise [`Protocol::writable`] follows at once if the pipe has room.
//! * Readiness is edge-triggered. After [`Context::front`] has returned `None` for a pipe, the machine
//!   need not ask again until [`Protocol::readable`] is called for it. Likewise
//!   [`Protocol::writable`] is called when a pipe has room again after [`Context::push`] has
//!   returned [`PushOutcome::Full`], or [`Context::has_room`] `false`. Both may also be called without
//!   need, and repeatedly.
//! * A machine drops messages that it does not want with [`Context::drop_front`], which bounds how many
//!   are dropped under one hold of the socket's lock.
//! * [`Protocol::closing`] says that the peer has closed the pipe: nothing can be sent to it any more, but
//!   messages from it can still be received. [`Protocol::detach`] ends the pipe, with or without a
//!   `closing` before.
//! * The machine of a socket with contexts (see `shared`) has *mailboxes*, pipes without a peer. The socket layer makes
//!   and removes them, and reports no events of them. It reports those of the pipes at once.
//! * When `send` fails, the message is unchanged. After a successful `recv`, the delivered message is
//!   still the first one in the inbound lane of [`Delivery::pipe`]; the caller removes it before it calls
//!   the machine again.

mod backtrace;
mod bus;
#[cfg(test)]
mod contract;
mod cooked;
mod custom;
mod hops;
mod machine;
mod pair;
mod pair_v1;
mod pipeline;
mod policy;
mod pubsub;
mod reqrep;
mod shared;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(not(test), allow(dead_code, reason = "the library's own tests use more of it"))]
mod simulation;
mod slab;
mod star;
mod survey;
mod table;
#[cfg(feature = "testing")]
pub(crate) mod testing;
mod trie;

pub(crate) use backtrace::backtrace;
pub use custom::{Body, Chosen, CustomProtocol, Pipes, Priorities, StateMachine};
pub(crate) use machine::Machine;
pub(crate) use pubsub::{FILTER, SUBSCRIBE, UNSUBSCRIBE};
pub(crate) use reqrep::{RESEND_INTERVAL, ReplyRoute};
pub(crate) use shared::{Changed, OWN, Place};
pub(crate) use survey::SURVEY_DEADLINE;
pub(crate) use table::{BUS, Contexts, PAIR, PAIR_V1, PUB, PULL, REP, RESPONDENT, STAR};
pub use table::{PROTOCOLS, PUSH, ProtocolInfo, REQ, SUB, SURVEYOR};
#[cfg(any(fuzzing, test))]
pub(crate) use trie::Trie;

use std::time::Duration;

use crate::error::Error;
use crate::message::{Front, Metadata, Outgoing, Payload, ProtocolHeader};
use crate::option::Setting;

/// A point in time, as the time since an origin that is the same for the whole process.
pub(crate) type Time = Duration;

/// Identifies a pipe of a socket, in 31 bits, so that it can be a word in a REQ/REP backtrace.
///
/// The id of a removed pipe is not reused for a long time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipeId(pub u32);

/// Options of a new pipe, from its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PipeOptions {
    /// `NN_SNDPRIO` of the endpoint: 1 (first) to 16 (last).
    pub send_priority: u8,
    /// `NN_RCVPRIO` of the endpoint: 1 (first) to 16 (last).
    pub receive_priority: u8,
    /// Both sides want the publisher to filter; see [`ProtocolInfo::filtering`].
    pub is_filtering: bool,
}

/// The outcome of [`Context::push`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// The pipe has taken the message; the body was taken out of the caller's variable.
    Taken,
    /// The pipe has no room, or does not exist; the body is unchanged.
    Full,
}

/// The environment of a machine: its pipes and the time. All calls are made under the socket's lock.
pub trait Context {
    /// The first message in the pipe's inbound lane, if there is one. Needed before that message is delivered.
    fn front(&mut self, pipe: PipeId) -> Option<Front<'_>>;
    /// Drops the first message in the pipe's inbound lane. `false` means that enough messages were
    /// dropped for now: the machine must then return as if there were no more messages, and still regard
    /// the pipe as readable. It will be called again soon.
    fn drop_front(&mut self, pipe: PipeId) -> bool;
    /// Appends the first message in the pipe's inbound lane to a mailbox, without taking it out of the lane. Returns
    /// whether there was room.
    fn copy_front(&mut self, pipe: PipeId, mailbox: PipeId) -> bool;
    /// Removes the first message in the pipe's inbound lane, after it was copied. `false` as for
    /// [`Context::drop_front`], which allows fewer messages.
    fn remove_front(&mut self, pipe: PipeId) -> bool;
    /// Removes all messages in a mailbox.
    fn clear(&mut self, mailbox: PipeId);
    /// Appends `header` and `body` to the pipe's outbound lane.
    fn push(&mut self, pipe: PipeId, header: &[u8], body: &mut Payload<'_>) -> PushOutcome;
    /// As [`Context::push`], but the body stays with the caller, for the next pipe. It may be moved to memory that the pipes share.
    fn push_copy(&mut self, pipe: PipeId, header: &[u8], body: &mut Payload<'_>) -> PushOutcome {
        self.push(pipe, header, &mut body.clone())
    }
    /// The first message in the pipe's inbound lane that this method has not returned before; it stays in the lane.
    /// After `None`, [`Protocol::readable`] is called when there is one, also while earlier messages are in the lane.
    fn look_ahead(&mut self, pipe: PipeId) -> Option<Front<'_>>;
    /// Whether the pipe will take the next [`Context::push`], of any size.
    fn has_room(&mut self, pipe: PipeId) -> bool;
    /// The current time.
    fn now(&self) -> Time;
    /// The bodies that are pushed from now on go to so many pipes, which share their memory: the lane of a pipe within the process
    /// counts its part of it. Without this call, and after one for a single pipe, a lane counts all of it.
    fn share_among(&mut self, pipes: usize);
    /// Sets the metadata of messages that are pushed from now on, for a machine that sends a kept message
    /// again. Without this call it is the metadata of the message that the program is sending.
    fn send_with(&mut self, metadata: Metadata);
    /// Notes that so many pipes have missed the message that is being sent, because they had no room.
    fn note_drops(&mut self, count: usize);
    /// `NN_MAXTTL`: the most words in the backtrace of a request or survey, and the limit of a hop count; other messages
    /// are dropped.
    fn max_hops(&self) -> usize;
}

/// Why a machine did not send or receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No pipe has room, or none has a message.
    WouldBlock,
    /// There is no request or survey to answer, or none was sent.
    WrongState,
    /// The protocol cannot send, or cannot receive.
    NotSupported,
    /// The protocol header is invalid.
    InvalidArgument,
    /// The survey's deadline has passed.
    TimedOut,
    /// There is not enough memory for a copy of the message.
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

/// A pipe is not accepted: an exclusive protocol has its one peer already, memory is exhausted, or the socket is
/// closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PipeRefused;

/// A received message, which is still the first one in its pipe's inbound lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The pipe it came from.
    pub pipe: PipeId,
    /// Number of leading bytes that are not part of the body.
    pub skip: usize,
    /// The parts of its protocol header.
    pub header: HeaderSource,
}

/// The parts from which [`Delivery::protocol_header`] makes the protocol header of a received message.
/// Few programs read it, so it is made on demand only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderSource {
    /// No header: the socket is cooked, or the protocol has no headers.
    Empty,
    /// The bytes in front of the body.
    Skipped,
    /// This word.
    Word(u32),
    /// This word, followed by the bytes in front of the body.
    WordAndSkipped(u32),
    /// These two words.
    Words(u32, u32),
}

impl Delivery {
    /// A message without a protocol header.
    #[must_use]
    pub(crate) fn plain(pipe: PipeId, skip: usize) -> Delivery {
        Delivery { pipe, skip, header: HeaderSource::Empty }
    }

    /// The protocol header of the message, which must be `front`.
    #[must_use]
    pub(crate) fn protocol_header(&self, front: Front<'_>) -> ProtocolHeader {
        let (words, has_skipped): (&[u32], bool) = match &self.header {
            HeaderSource::Empty => (&[], false),
            HeaderSource::Skipped => (&[], true),
            HeaderSource::Word(word) => (std::slice::from_ref(word), false),
            HeaderSource::WordAndSkipped(word) => (std::slice::from_ref(word), true),
            HeaderSource::Words(first, second) => (&[*first, *second], false),
        };
        let mut header: ProtocolHeader = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        if has_skipped {
            header.extend(front.bytes(0..).take(self.skip));
        }
        header
    }
}

/// The state machine of one socket. The module's documentation has the contract.
pub(crate) trait Protocol: Send {
    /// Adds a pipe to a compatible peer.
    ///
    /// # Errors
    /// [`PipeRefused`] when the protocol accepts no other peer, or when out of memory. The machine is unchanged.
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused>;

    /// The peer has closed the pipe; messages in the inbound lane can still be received.
    fn closing(&mut self, pipe: PipeId, context: &mut impl Context);

    /// Removes a pipe: its lanes no longer exist.
    fn detach(&mut self, pipe: PipeId, context: &mut impl Context);

    /// The pipe's inbound lane has a message.
    fn readable(&mut self, pipe: PipeId, context: &mut impl Context);

    /// The pipe's outbound lane has room.
    fn writable(&mut self, pipe: PipeId, context: &mut impl Context);

    /// Sends a message. On success its body was taken, or dropped if the protocol allows that.
    ///
    /// # Errors
    /// See [`Refusal`]; the message is unchanged.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal>;

    /// Chooses the next message to deliver.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal>;

    /// Whether `send` would return anything else than [`Refusal::WouldBlock`] or
    /// [`Refusal::WrongState`].
    fn can_send(&mut self, context: &mut impl Context) -> bool;

    /// Whether `recv` would deliver a message. SURVEYOR: also whether `recv` would fail without waiting,
    /// as there is no survey, or its deadline has passed.
    fn can_recv(&mut self, context: &mut impl Context) -> bool;

    /// The send priority, 1 to 16, of the pipe that the next message will be sent to; `None` while no pipe
    /// has room. Only for protocols that send each message to one of several peers.
    fn send_priority(&mut self, context: &mut impl Context) -> Option<u8> {
        let _ = context;
        None
    }

    /// How many messages were dropped because their hop count was missing, malformed or too high.
    fn invalid_messages(&self) -> u64 {
        0
    }

    /// How many messages a pipe has missed, because it had no room. Only for protocols that [drop](ProtocolInfo::drops)
    /// messages; the count ends with [`Protocol::closing`].
    fn missed_by(&self, pipe: PipeId) -> u64 {
        let _ = pipe;
        0
    }

    /// The number of subscriptions that peers have sent.
    fn subscriptions(&self) -> u64 {
        0
    }

    /// Whether pipes that are attached from now on may be [filtering](PipeOptions::is_filtering).
    fn filters(&self) -> bool {
        false
    }

    /// Whether `readable` and `writable` must be called at once, even while the program makes no call to
    /// the socket. If the protocol does not [act between calls](ProtocolInfo::acts_between_calls), only a call of
    /// [`Protocol::set_option`] may change this.
    fn is_busy(&self) -> bool {
        false
    }

    /// When [`Protocol::timeout`] must be called. Only for protocols that [act between
    /// calls](ProtocolInfo::acts_between_calls).
    fn deadline(&self) -> Option<Time> {
        None
    }

    /// The deadline has passed, or the machine was stopped by [`Context::drop_front`].
    fn timeout(&mut self, context: &mut impl Context) {
        let _ = context;
    }

    /// Forgets the open request or survey: no reply or response to it is delivered any more. Other protocols have none.
    fn give_up(&mut self, context: &mut impl Context) {
        let _ = context;
    }

    /// Whether the program wants a message that has come. Only messages that `recv` would drop are not wanted.
    fn wants(&self, message: Front<'_>) -> bool {
        let _ = message;
        true
    }

    /// Sets an option of the protocol's own level. The value has the type given in
    /// [`ProtocolInfo::options`].
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when the protocol has no such option.
    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        context: &mut impl Context,
    ) -> Result<(), Error> {
        let _ = (name, setting, context);
        Err(Error::UnknownOption)
    }

    /// The value of an integer option of the protocol's own level.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when the protocol has no such option, or it cannot be read.
    fn option(&self, name: i32) -> Result<i32, Error> {
        let _ = name;
        Err(Error::UnknownOption)
    }
}
