//! Receiving: the first try of a call, and the later ones of a blocked call.

use std::marker::PhantomData;
use std::time::Duration;

use super::Socket;
use super::blocking::{BlockingCall, finish_and_wake};
use super::core::Core;
use super::direct_read::DirectReads;
use super::pending::{Attempt, CallOutput, Entered, Pending, Step, Try};
use super::received::Received;
use super::registry::{Call, SOCKETS, SocketRef};
use super::statistics::Statistic;
use super::view::Delay;
use super::wait_policy::{self, Wait, WaitPolicy};
use crate::error::Error;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::protocol::{Delivery, Protocol, Refusal};
use crate::sync::Event;
use crate::transport;

/// Receives a message at the socket with this number. Calls `take` with it, once, and only on success.
///
/// # Errors
/// As [`super::send`], with `NN_RCVTIMEO`.
pub fn recv<R>(id: i32, dont_wait: bool, take: impl FnOnce(Received<'_>) -> R) -> Result<R, Error> {
    let mut receiving = Receiving::new(take);
    loop {
        match receive(id, dont_wait, &mut receiving)? {
            Step::Done(result) => return Ok(result),
            Step::Blocked(entered) => return Pending::new(entered, receiving).finish(),
            Step::Untried => {}
        }
    }
}

/// As [`recv`], at a socket that the caller refers to. A signal ends the call only if it `ends_by_signals`.
/// Tasks that it notifies may be woken in this thread.
///
/// # Errors
/// As [`recv`].
#[inline]
pub(crate) fn recv_at<R>(
    socket: &SocketRef,
    wait: Wait,
    ends_by_signals: bool,
    take: impl FnOnce(Received<'_>) -> R,
) -> Result<R, Error> {
    let mut receiving = Receiving::new(take);
    loop {
        match receive_in(socket.enter_locked()?, wait, &mut receiving, Edges::deliver_and_wake)? {
            Step::Done(result) => return Ok(result),
            Step::Blocked(entered) => {
                return finish_and_wake(Pending::new(entered, receiving), ends_by_signals);
            }
            Step::Untried => {}
        }
    }
}

/// The first try of [`recv`]. If it blocks, the call continues as a [`Pending`] one.
///
/// # Errors
/// As [`recv`].
#[inline]
pub fn receive<R, T: FnOnce(Received<'_>) -> R>(
    id: i32,
    dont_wait: bool,
    receiving: &mut Receiving<T, R>,
) -> Result<Step<R>, Error> {
    receive_in(SOCKETS.get().enter_locked(id)?, Wait::unless(dont_wait), receiving, Edges::deliver)
}

/// The first try, for a call that has taken the lock by entering. `deliver` delivers the edges when the call has
/// left.
#[inline]
fn receive_in<R, T: FnOnce(Received<'_>) -> R>(
    call: Call,
    wait: Wait,
    receiving: &mut Receiving<T, R>,
    deliver: impl FnOnce(Edges),
) -> Result<Step<R>, Error> {
    // SAFETY: the call has taken the lock by entering.
    let mut core = unsafe { call.core.assume_locked() };
    if core.must_test(Statistic::MessagesReceived) {
        core.keep_locked();
        call.unlock_and_leave();
        return Ok(Step::Untried);
    }
    if core.drops_old && transport::do_messages_gather() {
        // What the thread has sent takes the place of older messages.
        drop(core);
        transport::before_blocking(None);
        core = call.core.lock();
    }
    let mut edges = Edges::default();
    let epoch = call.receivers.epoch();
    let has_gathered = wait.is_none() && transport::do_messages_gather();
    let outcome = call.try_recv(&mut core, receiving, &mut edges);
    let hit_drop_limit = match outcome {
        Ok(Try::Done(result, _)) => {
            core.keep_locked();
            call.unlock_and_leave();
            deliver(edges);
            return Ok(Step::Done(result));
        }
        Ok(Try::DropLimit) => true,
        Ok(Try::Blocked) => false,
        Err(error) => {
            if error == Error::Closed && call.is_context() {
                drop(core);
                return Ok(Step::Blocked(Entered::in_context(call, wait, SocketOption::ReceiveTimeout)));
            }
            core.keep_locked();
            call.unlock_and_leave();
            edges.deliver();
            return Err(error);
        }
    };
    let mut policy = WaitPolicy::new(wait, SocketOption::ReceiveTimeout);
    policy.has_gathered = has_gathered;
    let decision = receiving.after_failed_try(&mut policy, hit_drop_limit, &core);
    let direct_reads = (!hit_drop_limit && decision.is_ok()).then(|| core.begin_direct_reads());
    drop(core);
    if let Err(error) = decision {
        edges.deliver();
        return Err(error);
    }
    Ok(Step::Blocked(Entered::after(call, epoch, policy, direct_reads, edges)))
}

opaque!([T, R] Receiving<T, R>);

/// A message to be received, as the function that takes it.
pub struct Receiving<T, R>(Option<T>, PhantomData<R>);

impl<R, T: FnOnce(Received<'_>) -> R> Receiving<T, R> {
    /// `take` is called once, with the message.
    pub fn new(take: T) -> Receiving<T, R> {
        Receiving(Some(take), PhantomData)
    }
}

impl<T, R> CallOutput for Receiving<T, R> {
    type Output = R;
}

impl<R, T: FnOnce(Received<'_>) -> R> Attempt for Receiving<T, R> {
    const WAITS_FOR_ROOM: bool = false;

    fn event(socket: &Socket, is_context: bool) -> &Event {
        if is_context { socket.receivers_of_context() } else { &socket.receivers }
    }

    fn attempt(
        &mut self,
        socket: &Socket,
        event: &Event,
        core: &mut Core,
        _slept: Option<Duration>,
        edges: &mut Edges,
    ) -> Result<Try<R>, Error> {
        let outcome = socket.try_recv(core, self, edges);
        // The receivers of a context may sleep on an event of their own.
        if matches!(outcome, Ok(Try::Done(..)))
            && event.has_waiters()
            && !std::ptr::eq(event, &raw const *socket.receivers)
            && core.call(edges, |protocol, context| protocol.can_recv(context))
        {
            core.notify_receiver_of_context();
        }
        outcome
    }

    fn after_failed_try(
        &self,
        policy: &mut WaitPolicy,
        hit_drop_limit: bool,
        core: &Core,
    ) -> Result<(), Error> {
        policy.wait.prefers_batches = !core.face.has_sent;
        if !policy.is_blocked {
            policy.wait.expects_no_reply = !wait_policy::count_expected_reply() && !core.face.has_sent;
        }
        policy.after_failed_try(hit_drop_limit, core, core.reads_directly)
    }

    fn direct_reads(core: &mut Core) -> DirectReads {
        core.begin_direct_reads()
    }
}

impl Socket {
    /// One try to receive, under the lock.
    pub(super) fn try_recv<R, T: FnOnce(Received<'_>) -> R>(
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
                // The protocol names a pipe that exists, so there is a result; if not, it is asked again.
                Ok(result.map_or(Try::DropLimit, |result| Try::Done(result, Delay::None)))
            }
            Err(Refusal::WouldBlock) if core.hit_drop_limit() => Ok(Try::DropLimit),
            Err(Refusal::WouldBlock) => Ok(Try::Blocked),
            Err(refusal) => Err((*refusal).into()),
        };
        self.process_ready(core, edges);
        if matches!(outcome, Ok(Try::Done(..)))
            && self.receivers.has_waiters()
            && (core.call(edges, |protocol, context| protocol.can_recv(context)) || core.hit_drop_limit())
        {
            self.notify_receiver();
        }
        outcome
    }
}

impl Core {
    /// Passes the message that the protocol has chosen to `take`, and takes it out of its lane.
    fn deliver<R>(
        &mut self,
        delivery: &Delivery,
        take: &mut Option<impl FnOnce(Received<'_>) -> R>,
        edges: &mut Edges,
    ) -> Option<R> {
        let pipe = self.pipes.get(delivery.pipe)?;
        let length = pipe.inbound.peek()?.len().saturating_sub(delivery.skip);
        let take = take.take()?;
        self.face.has_sent = false;
        self.statistics[Statistic::MessagesReceived] += 1;
        self.statistics[Statistic::BytesReceived] += length as u64;
        pipe.traffic.messages_received += 1;
        pipe.traffic.bytes_received += length as u64;
        let result = take(Received::new(delivery, length, pipe));
        let has_progress = pipe.inbound.publish_progress();
        match &pipe.peer {
            Some(peer) if has_progress => edges.add_writable(peer),
            Some(_) => {}
            None => self.note_taken(delivery.pipe, length, edges),
        }
        self.note_sender(delivery.pipe);
        Some(result)
    }
}
