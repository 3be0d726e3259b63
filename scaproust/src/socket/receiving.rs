//! Receiving: the first try of a call, and what a blocked call tries.

use std::marker::PhantomData;

use super::Socket;
use super::blocking::Blocked;
use super::core::Core;
use super::direct_read::DirectReads;
use super::pending::{Answering, Attempt, Entered, MARKED, Pending, Step, Try};
use super::pipes::{Received, Slept};
use super::registry::SOCKETS;
use super::statistics::Statistic;
use super::wait_policy::{self, WaitPolicy};
use crate::error::Error;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::protocol::{Delivery, Protocol, Refusal};
use crate::sync::Event;

/// Receives a message at the socket with this number: `take` is called with it, once, and only on
/// success.
///
/// # Errors
/// As [`super::send`], with `NN_RCVTIMEO`.
pub fn recv<R>(id: i32, dont_wait: bool, take: impl FnOnce(Received<'_>) -> R) -> Result<R, Error> {
    let mut receiving = Receiving::new(take);
    match receive(id, dont_wait, &mut receiving)? {
        Step::Done(result, _) => Ok(result),
        Step::Blocked(entered) => Pending::new(entered, receiving).finish(),
    }
}

/// The first try of [`recv`]. If it blocks, the rest is a [`Pending`] call.
///
/// # Errors
/// As [`recv`].
#[inline]
pub fn receive<R, T: FnOnce(Received<'_>) -> R>(
    id: i32,
    dont_wait: bool,
    receiving: &mut Receiving<T, R>,
) -> Result<Step<R>, Error> {
    let call = SOCKETS.get().enter_locked(id)?;
    // SAFETY: the call has entered with the lock.
    let mut core = unsafe { call.core.locked() };
    let mut edges = Edges::default();
    let epoch = call.receivers.epoch();
    let outcome = call.try_recv(&mut core, receiving, &mut edges);
    let is_cut_short = match outcome {
        Ok(Try::Done(result)) => {
            let is_marked = core.statistics[Statistic::MessagesReceived].is_multiple_of(MARKED);
            core.keep();
            call.unlock_and_leave();
            edges.deliver();
            return Ok(Step::Done(result, is_marked));
        }
        Ok(Try::CutShort) => true,
        Ok(Try::Blocked) => false,
        Err(error) => {
            core.keep();
            call.unlock_and_leave();
            edges.deliver();
            return Err(error);
        }
    };
    let mut policy = WaitPolicy::new(dont_wait, SocketOption::ReceiveTimeout);
    let considered = receiving.consider(&mut policy, is_cut_short, &core);
    let direct_reads = (!is_cut_short && considered.is_ok()).then(|| core.lend());
    drop(core);
    if let Err(error) = considered {
        edges.deliver();
        return Err(error);
    }
    Ok(Step::Blocked(Entered::after(call, epoch, policy, direct_reads, edges)))
}

opaque!([T, R] Receiving<T, R>);

/// A message that is waited for: what is to be done with it.
pub struct Receiving<T, R>(Option<T>, PhantomData<R>);

impl<R, T: FnOnce(Received<'_>) -> R> Receiving<T, R> {
    /// `take` will be called once.
    pub fn new(take: T) -> Receiving<T, R> {
        Receiving(Some(take), PhantomData)
    }
}

impl<T, R> Answering for Receiving<T, R> {
    type Output = R;
}

impl<R, T: FnOnce(Received<'_>) -> R> Attempt for Receiving<T, R> {
    const WAITS_FOR_ROOM: bool = false;

    fn event(socket: &Socket) -> &Event {
        &socket.receivers
    }

    fn attempt(
        &mut self,
        socket: &Socket,
        core: &mut Core,
        _slept: Option<Slept<'_>>,
        edges: &mut Edges,
    ) -> Result<Try<R>, Error> {
        socket.try_recv(core, self, edges)
    }

    fn consider(&self, policy: &mut WaitPolicy, is_cut_short: bool, core: &Core) -> Result<(), Error> {
        policy.wait.gathers = !core.has_sent;
        if !policy.is_blocked {
            policy.wait.is_paced = !wait_policy::takes_expected_answer() && !core.has_sent;
        }
        policy.consider(is_cut_short, core, core.fetches)
    }

    fn lend(core: &mut Core) -> DirectReads {
        core.lend()
    }
}

impl Socket {
    fn try_recv<R, T: FnOnce(Received<'_>) -> R>(
        &self,
        core: &mut Core,
        Receiving(take, _): &mut Receiving<T, R>,
        edges: &mut Edges,
    ) -> Result<Try<R>, Error> {
        if !self.info.can_recv {
            return Err(Error::NotSupported);
        }
        if core.is_closing {
            return Err(Error::Closed);
        }
        core.process_ready(&self.ready, edges);
        let outcome = match &core.call(edges, |protocol, context| protocol.recv(context)) {
            Ok(delivery) => {
                let result = core.deliver(delivery, take, edges);
                // A protocol delivers from a pipe that it was given; and it is called until it delivers.
                Ok(result.map_or(Try::CutShort, Try::Done))
            }
            Err(Refusal::WouldBlock) if core.is_cut_short() => Ok(Try::CutShort),
            Err(Refusal::WouldBlock) => Ok(Try::Blocked),
            Err(refusal) => Err((*refusal).into()),
        };
        self.process_ready(core, edges);
        if matches!(outcome, Ok(Try::Done(_)))
            && self.receivers.has_waiters()
            && (core.call(edges, |protocol, context| protocol.can_recv(context)) || core.is_cut_short())
        {
            self.receivers.notify_one();
        }
        outcome
    }
}

impl Core {
    /// Hands over the message that the protocol has chosen, and takes it out of its lane.
    fn deliver<R>(
        &mut self,
        delivery: &Delivery,
        take: &mut Option<impl FnOnce(Received<'_>) -> R>,
        edges: &mut Edges,
    ) -> Option<R> {
        let pipe = self.pipes.get(delivery.pipe)?;
        let length = pipe.inbound.peek()?.len().saturating_sub(delivery.skip);
        let take = take.take()?;
        let mut taken = false;
        self.has_sent = false;
        self.statistics[Statistic::MessagesReceived] += 1;
        self.statistics[Statistic::BytesReceived] += length as u64;
        let result = take(Received { delivery, length, pipe, taken: &mut taken });
        if !taken {
            pipe.inbound.skip();
        }
        if pipe.inbound.publish_progress()
            && let Some(peer) = &pipe.peer
        {
            edges.add_writable(peer);
        }
        self.note_speaker(delivery.pipe);
        Some(result)
    }
}
