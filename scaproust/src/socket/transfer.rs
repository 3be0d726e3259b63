//! Sending and receiving: what a call tries, once or as often as it takes.

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use super::blocking::{Answering, Attempt, Blocked, Entered, Pending, Step, Try};
use super::fetch::DirectReads;
use super::pipes::{Lag, Received, Slept, View};
use super::{Core, SOCKETS, Socket, Statistic};
use crate::error::Error;
use crate::message::{Chunk, INLINE_MAX, Outgoing, Payload};
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::protocol::{Machine, Protocol, Refusal};
use crate::sync::{Event, Uncancellable, Wait, now};

/// How long a call that does not wait may take to drop messages that nobody wants.
pub(super) const DROPPING: Duration = Duration::from_millis(5);

/// So many waits after a message was sent to an idle peer may be for its answers.
const MOST_ANSWERS: u8 = 8;

/// See [`Step::Done`].
const MARKED: u64 = 64;

/// How long a call may block.
#[derive(Clone, Copy)]
pub(crate) struct WaitPolicy {
    pub(super) dont_wait: bool,
    /// The option that says how long.
    option: SocketOption,
    /// Once the call has found that it would block.
    pub(super) deadline: Option<Duration>,
    /// The call has found once that it would block.
    is_blocked: bool,
    /// What a call that does not wait may fetch was fetched.
    has_fetched: bool,
    /// A wait gathers unless an answer may be awaited, by this thread or by a peer, and is paced unless the thread has sent
    /// something to an idle peer lately, by any socket.
    pub(super) wait: Wait,
}

thread_local! {
    /// So many more waits of the thread may be for answers to what it has sent to idle peers.
    static ANSWERS: Cell<u8> = const { Cell::new(0) };
}

impl WaitPolicy {
    fn new(dont_wait: bool, option: SocketOption) -> WaitPolicy {
        let wait = Wait { gathers: true, is_paced: false };
        WaitPolicy { dont_wait, option, deadline: None, is_blocked: false, has_fetched: false, wait }
    }

    /// What to do about a try that was not enough: it is final, or the call blocks for as long as the
    /// options say. One that does not wait may try once more if it can fetch something, or if the
    /// protocol was cut short.
    fn consider(&mut self, is_cut_short: bool, core: &Core, can_fetch: bool) -> Result<(), Error> {
        if self.dont_wait && !is_cut_short && (self.has_fetched || !can_fetch) {
            return Err(Error::WouldBlock);
        }
        if !self.is_blocked {
            self.is_blocked = true;
            let time = if self.dont_wait { Some(DROPPING) } else { core.options.timeout(self.option) };
            self.deadline = time.map(|time| now() + time);
        }
        self.has_fetched |= self.dont_wait && !is_cut_short;
        Ok(())
    }
}

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

/// Receives a message at the socket with this number: `take` is called with it, once, and only on
/// success.
///
/// # Errors
/// As [`send`], with `NN_RCVTIMEO`.
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

opaque!([M] Sending<M>, [T, R] Receiving<T, R>);

/// A message that is being sent.
pub struct Sending<M>(pub M);

/// A message that is waited for: what is to be done with it.
pub struct Receiving<T, R>(Option<T>, PhantomData<R>);

impl<R, T: FnOnce(Received<'_>) -> R> Receiving<T, R> {
    /// `take` will be called once.
    pub fn new(take: T) -> Receiving<T, R> {
        Receiving(Some(take), PhantomData)
    }
}

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
            let answers =
                ANSWERS.try_with(|left| left.replace(left.get().saturating_sub(1))).unwrap_or(MOST_ANSWERS);
            policy.wait.is_paced = answers == 0 && !core.has_sent;
        }
        policy.consider(is_cut_short, core, core.fetches)
    }

    fn lend(core: &mut Core) -> DirectReads {
        core.lend()
    }
}

impl Socket {
    /// Whether a message would be sent without waiting.
    ///
    /// # Errors
    /// [`Error::Closed`] while it is being closed.
    pub fn can_send(&self) -> Result<bool, Error> {
        self.ask(|protocol, context| protocol.can_send(context))
    }

    /// Whether a message would be received without waiting.
    ///
    /// # Errors
    /// [`Error::Closed`] while it is being closed.
    pub fn can_recv(&self) -> Result<bool, Error> {
        if self.ask_until_sure(|protocol, context| protocol.can_recv(context))? {
            return Ok(true);
        }
        let direct_reads = {
            let mut core = self.core.lock();
            if core.fetches { core.direct_reads() } else { return Ok(false) }
        };
        self.fetch_borrowed(direct_reads);
        self.ask_until_sure(|protocol, context| protocol.can_recv(context))
    }

    /// Asks the protocol something. If it is cut short, it says no and is asked again, for a while.
    fn ask_until_sure(&self, question: impl Fn(&mut Machine, &mut View<'_>) -> bool) -> Result<bool, Error> {
        let end = now() + DROPPING;
        loop {
            let (answer, is_sure) = self.ask_once(&question)?;
            if answer || is_sure || end <= now() {
                return Ok(answer);
            }
        }
    }

    /// Asks the protocol something that no message needs to be dropped for.
    pub(super) fn ask<R>(&self, question: impl FnOnce(&mut Machine, &mut View<'_>) -> R) -> Result<R, Error> {
        self.ask_once(question).map(|(answer, _)| answer)
    }

    /// Asks the protocol something. Answers also whether it was not cut short.
    fn ask_once<R>(
        &self,
        question: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> Result<(R, bool), Error> {
        let mut edges = Edges::default();
        let answer = {
            let mut core = self.core.lock();
            if core.is_closing {
                return Err(Error::Closed);
            }
            core.allow_drops();
            core.process_ready(&self.ready, &mut edges);
            let answer = core.call(&mut edges, question);
            let is_sure = !core.is_cut_short();
            // Who polls the descriptor after a no must find it saying the same.
            self.process_ready(&mut core, &mut edges);
            (answer, is_sure)
        };
        edges.deliver();
        Ok(answer)
    }

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
                    _ = ANSWERS.try_with(|left| left.set(MOST_ANSWERS));
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
        delivery: &crate::protocol::Delivery,
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
