//! Sending: the first try of a call, and what a blocked call tries.

use super::Socket;
use super::blocking::Blocked;
use super::core::Core;
use super::direct_read::DirectReads;
use super::pending::{Answering, Attempt, Entered, MARKED, Pending, Step, Try};
use super::pipes::{Lag, Slept};
use super::registry::SOCKETS;
use super::statistics::Statistic;
use super::wait_policy::{self, WaitPolicy};
use crate::error::Error;
use crate::message::{Chunk, INLINE_MAX, Outgoing, Payload};
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::protocol::{Protocol, Refusal};
use crate::sync::{Event, Uncancellable};

/// Sends a message from the socket with this number. On success its body was taken; on an error it is
/// left with the caller.
///
/// # Errors
/// [`Error::WouldBlock`] with `dont_wait`, [`Error::TimedOut`] after `NN_SNDTIMEO`,
/// [`Error::Interrupted`] by a signal, [`Error::Closed`] when it is not open or is closed by another
/// thread, [`Error::NotSupported`] and [`Error::WrongState`] as the protocol says.
pub fn send(id: i32, message: &mut Outgoing<'_>, dont_wait: bool) -> Result<(), Error> {
    match try_send(id, message, dont_wait)? {
        Step::Done((), _) => Ok(()),
        Step::Blocked(entered) => Pending::new(entered, Sending(message)).finish().map(drop),
    }
}

/// The first try of [`send`]. If it blocks, the rest is a [`Pending`] call with [`Sending`].
///
/// # Errors
/// As [`send`].
#[inline]
pub fn try_send(id: i32, message: &mut Outgoing<'_>, dont_wait: bool) -> Result<Step<()>, Error> {
    let length = message.body.bytes().len();
    if let Payload::Borrowed(bytes) = &message.body
        && length > INLINE_MAX
    {
        message.body = Payload::Owned(Chunk::copy_of(bytes).ok_or(Error::OutOfMemory)?);
    }
    let mut overtakes = false;
    let call = SOCKETS.get().enter_locked(id)?;
    // SAFETY: the call has entered with the lock.
    let mut core = unsafe { call.core.locked() };
    let mut edges = Edges::default();
    let epoch = call.senders.epoch();
    let lag = if call.info.drops { Lag::Overtaken(&mut overtakes) } else { Lag::Ignored };
    let outcome = call.try_send(&mut core, message, lag, &mut edges);
    if let Ok(Try::CutShort | Try::Blocked) = outcome {
        let mut policy = WaitPolicy::new(dont_wait, SocketOption::SendTimeout);
        // A lane has room for a few large messages only: none is to be left unused.
        policy.wait.gathers = length <= INLINE_MAX;
        let considered = policy.consider(false, &core, false);
        drop(core);
        if let Err(error) = considered {
            edges.deliver();
            return Err(error);
        }
        return Ok(Step::Blocked(Entered::after(call, epoch, policy, Some(DirectReads::new()), edges)));
    }
    let is_marked = core.statistics[Statistic::MessagesSent].is_multiple_of(MARKED);
    core.keep();
    let throttle = (overtakes && !dont_wait && outcome.is_ok()).then(|| call.batching.clone());
    call.unlock_and_leave();
    edges.deliver();
    // A publisher does not wait for its receivers; but one that is about to overtake a receiver, and would
    // drop its messages, lets it catch up.
    if let Some(batching) = throttle {
        let _uncancellable = Uncancellable::begin();
        batching.let_receivers_catch_up();
    }
    outcome.map(|_| Step::Done((), is_marked))
}

/// What a message to be sent belongs to.
pub trait ToSend<'b> {
    /// The message.
    fn message(&mut self) -> &mut Outgoing<'b>;

    /// It was sent.
    fn sent(&mut self) {}
}

impl<'b> ToSend<'b> for &mut Outgoing<'b> {
    fn message(&mut self) -> &mut Outgoing<'b> {
        self
    }
}

opaque!([M] Sending<M>);

/// A message that is being sent.
pub struct Sending<M>(pub M);

impl<M> Answering for Sending<M> {
    type Output = ();
}

impl<'b, M: ToSend<'b>> Attempt for Sending<M> {
    const WAITS_FOR_ROOM: bool = true;

    fn event(socket: &Socket) -> &Event {
        &socket.senders
    }

    fn attempt(
        &mut self,
        socket: &Socket,
        core: &mut Core,
        slept: Option<Slept<'_>>,
        edges: &mut Edges,
    ) -> Result<Try<()>, Error> {
        let lag = slept.map_or(Lag::Ignored, Lag::Slept);
        let outcome = socket.try_send(core, self.0.message(), lag, edges);
        if let Ok(Try::Done(())) = outcome {
            self.0.sent();
        }
        outcome
    }

    fn consider(&self, policy: &mut WaitPolicy, is_cut_short: bool, core: &Core) -> Result<(), Error> {
        policy.consider(is_cut_short, core, false)
    }
}

impl Socket {
    fn try_send(
        &self,
        core: &mut Core,
        message: &mut Outgoing<'_>,
        lag: Lag<'_>,
        edges: &mut Edges,
    ) -> Result<Try<()>, Error> {
        if !self.info.can_send {
            return Err(Error::NotSupported);
        }
        if core.is_closing {
            return Err(Error::Closed);
        }
        if !self.is_raw {
            message.header.clear();
        }
        let began = self.batching.moment();
        core.process_ready(&self.ready, edges);
        let metadata = message.metadata;
        let length = message.body.bytes().len();
        let sent =
            core.call_to_send(metadata, lag, edges, |protocol, context| protocol.send(message, context));
        let outcome = match sent {
            Ok(()) => {
                core.statistics[Statistic::MessagesSent] += 1;
                core.statistics[Statistic::BytesSent] += length as u64;
                let follows = std::mem::replace(&mut core.has_sent, true);
                if !edges.is_empty() {
                    wait_policy::expect_answers();
                    self.batching.begin_send(follows, began, edges.len());
                }
                Ok(Try::Done(()))
            }
            Err(Refusal::WouldBlock) if core.is_cut_short() => Ok(Try::CutShort),
            Err(Refusal::WouldBlock) => Ok(Try::Blocked),
            Err(refusal) => Err(refusal.into()),
        };
        self.process_ready(core, edges);
        // One edge wakes one of several blocked calls: it wakes the next.
        if matches!(outcome, Ok(Try::Done(())))
            && self.senders.has_waiters()
            && core.call(edges, |protocol, context| protocol.can_send(context))
        {
            self.senders.notify_one();
        }
        outcome
    }
}
