//! Sending and receiving: the one place where calls block.

use std::time::Duration;

use super::fetch::Remotes;
use super::pipes::{Received, View};
use super::{Core, SOCKETS, Socket};
use crate::error::Error;
use crate::message::{Chunk, Outgoing, Payload};
use crate::option::name;
use crate::pipe::{Edges, INLINE_MAX};
use crate::protocol::{Machine, Protocol, Refusal};
use crate::sync::{Event, Ticket, Wake, now};

/// How long a call may block.
pub(super) struct Patience {
    dont_wait: bool,
    /// The option that says how long.
    option: i32,
    pub(super) deadline: Option<Duration>,
    /// The call has found once that it would block.
    is_blocked: bool,
    /// Nobody waits for an answer to this call: it may let several messages gather, or room for
    /// several.
    pub(super) gathers: bool,
}

impl Patience {
    fn new(dont_wait: bool, option: i32) -> Patience {
        Patience { dont_wait, option, deadline: None, is_blocked: false, gathers: true }
    }

    /// What to do about a refusal: it is final, or the call blocks for as long as the options
    /// say. One that does not wait may try once more if it can fetch something.
    fn consider(&mut self, refusal: Refusal, core: &Core, can_fetch: bool) -> Result<(), Error> {
        let is_final = self.dont_wait && (self.is_blocked || !can_fetch);
        if refusal != Refusal::WouldBlock || is_final {
            return Err(refusal.into());
        }
        if !self.is_blocked {
            self.is_blocked = true;
            self.deadline = core.options.timeout(self.option).map(|time| now() + time);
        }
        Ok(())
    }

    /// Sleeps until something happens.
    pub(super) fn wait(&self, event: &Event, ticket: Ticket) -> Result<(), Error> {
        self.result(event.wait(ticket, self.deadline, self.gathers))
    }

    /// What the end of a sleep means for the call.
    pub(super) fn result(&self, wake: Wake) -> Result<(), Error> {
        match wake {
            Wake::Woken => Ok(()),
            Wake::TimedOut => Err(Error::TimedOut),
            Wake::Interrupted => Err(Error::Interrupted),
        }
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
    let mut sending = Sending::new(message, dont_wait)?;
    let call = SOCKETS.get().enter_locked(id)?;
    // SAFETY: the call has entered with the lock.
    let mut core = unsafe { call.core.locked() };
    let mut edges = Edges::default();
    let ticket = call.senders.ticket();
    let outcome = call.try_send(&mut core, &mut sending, &mut edges);
    if outcome == Ok(false) {
        drop(core);
        edges.deliver();
        return call.send_later(ticket, sending);
    }
    core.keep();
    call.unlock_and_leave();
    edges.deliver();
    outcome.map(|_| sending.done())
}

/// Receives a message at the socket with this number: `take` is called with it, once, and only on
/// success.
///
/// # Errors
/// As [`send`], with `NN_RCVTIMEO`.
pub fn recv<R>(id: i32, dont_wait: bool, take: impl FnOnce(Received<'_>) -> R) -> Result<R, Error> {
    let mut receiving = Receiving::new(take, dont_wait);
    let call = SOCKETS.get().enter_locked(id)?;
    // SAFETY: the call has entered with the lock.
    let mut core = unsafe { call.core.locked() };
    let mut edges = Edges::default();
    let ticket = call.receivers.ticket();
    let outcome = match call.try_recv(&mut core, &mut receiving, &mut edges) {
        Ok(None) => {
            let remotes = core.lend();
            drop(core);
            edges.deliver();
            return call.recv_later(ticket, remotes, receiving);
        }
        Ok(Some(result)) => Ok(result),
        Err(error) => Err(error),
    };
    core.keep();
    call.unlock_and_leave();
    edges.deliver();
    outcome
}

/// How long a publisher lets a receiver catch up, between two messages.
const CATCH_UP: Duration = Duration::from_micros(50);

/// A message that is being sent.
struct Sending<'a, 'b> {
    message: &'a mut Outgoing<'b>,
    length: usize,
    patience: Patience,
    /// It was sent, and a receiver takes more slowly than is sent.
    overtakes: bool,
}

impl<'a, 'b> Sending<'a, 'b> {
    fn new(message: &'a mut Outgoing<'b>, dont_wait: bool) -> Result<Sending<'a, 'b>, Error> {
        let length = message.body.bytes().len();
        if let Payload::Borrowed(bytes) = &message.body
            && length > INLINE_MAX
        {
            message.body = Payload::Owned(Chunk::copy_of(bytes).ok_or(Error::OutOfMemory)?);
        }
        let mut patience = Patience::new(dont_wait, name::SNDTIMEO);
        // A lane has room for a few large messages only: none is to be left unused.
        patience.gathers = length <= INLINE_MAX;
        Ok(Sending { message, length, patience, overtakes: false })
    }

    /// Ends a call that has sent the message. A publisher does not wait for its receivers; but one that
    /// is about to overtake a receiver, and would drop its messages, makes a short pause.
    fn done(&self) {
        if self.overtakes && !self.patience.dont_wait {
            std::thread::sleep(CATCH_UP);
        }
    }
}

/// A message that is waited for, and what is to be done with it.
struct Receiving<T> {
    take: Option<T>,
    patience: Patience,
}

impl<T> Receiving<T> {
    fn new(take: T, dont_wait: bool) -> Receiving<T> {
        Receiving { take: Some(take), patience: Patience::new(dont_wait, name::RCVTIMEO) }
    }
}

impl Socket {
    /// Waits for a chance to send, since the ticket was drawn, as often as it takes.
    fn send_later(&self, mut ticket: Ticket, mut sending: Sending<'_, '_>) -> Result<(), Error> {
        loop {
            sending.patience.wait(&self.senders, ticket)?;
            ticket = self.senders.ticket();
            let mut edges = Edges::default();
            let outcome = self.try_send(&mut self.core.lock(), &mut sending, &mut edges);
            edges.deliver();
            if outcome? {
                return Ok(());
            }
        }
    }

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
        if self.ask(|protocol, context| protocol.can_recv(context))? {
            return Ok(true);
        }
        let remotes = {
            let mut core = self.core.lock();
            if core.fetches { core.remotes() } else { return Ok(false) }
        };
        self.fetch_borrowed(remotes);
        self.ask(|protocol, context| protocol.can_recv(context))
    }

    /// Asks the protocol something.
    pub(super) fn ask<R>(&self, question: impl FnOnce(&mut Machine, &mut View<'_>) -> R) -> Result<R, Error> {
        let mut edges = Edges::default();
        let answer = {
            let mut core = self.core.lock();
            if core.is_closing {
                return Err(Error::Closed);
            }
            core.work_off(&self.ready, &mut edges);
            let answer = core.call(&mut edges, question);
            // Who polls the descriptor after a no must find it saying the same.
            self.settle(&mut core, &mut edges);
            answer
        };
        edges.deliver();
        Ok(answer)
    }

    /// Answers whether the message was sent; if not, the call is to block.
    fn try_send(
        &self,
        core: &mut Core,
        Sending { message, length, patience, overtakes }: &mut Sending<'_, '_>,
        edges: &mut Edges,
    ) -> Result<bool, Error> {
        if !self.kind.can_send() {
            return Err(Error::NotSupported);
        }
        if core.is_closing {
            return Err(Error::Closed);
        }
        if !self.is_raw {
            message.header.clear();
        }
        core.work_off(&self.ready, edges);
        let message_type = message.message_type;
        let overtakes = self.kind.drops().then_some(overtakes);
        let sent = core.call_to_send(message_type, overtakes, edges, |protocol, context| {
            protocol.send(message, context)
        });
        let outcome = match sent {
            Ok(()) => {
                core.statistics.messages_sent += 1;
                core.statistics.bytes_sent += *length as u64;
                core.has_sent = true;
                Ok(true)
            }
            Err(refusal) => patience.consider(refusal, core, false).map(|()| false),
        };
        self.settle(core, edges);
        // One edge wakes one of several blocked calls: it wakes the next.
        if outcome == Ok(true)
            && self.senders.has_waiters()
            && core.call(edges, |protocol, context| protocol.can_send(context))
        {
            self.senders.notify_one();
        }
        outcome
    }

    /// Waits for a message that was not there when the ticket was drawn, as often as it takes.
    fn recv_later<R>(
        &self,
        mut ticket: Ticket,
        mut remotes: Remotes,
        mut receiving: Receiving<impl FnOnce(Received<'_>) -> R>,
    ) -> Result<R, Error> {
        loop {
            if receiving.patience.dont_wait {
                self.fetch_borrowed(remotes);
            } else {
                self.await_message(remotes, ticket, &receiving.patience)?;
            }
            ticket = self.receivers.ticket();
            let mut edges = Edges::default();
            let outcome = {
                let mut core = self.core.lock();
                let outcome = self.try_recv(&mut core, &mut receiving, &mut edges);
                remotes = if matches!(outcome, Ok(None)) { core.lend() } else { Remotes::new() };
                outcome
            };
            edges.deliver();
            if let Some(result) = outcome? {
                return Ok(result);
            }
        }
    }

    /// Answers what was made of the message; without one, the call is to block.
    fn try_recv<R>(
        &self,
        core: &mut Core,
        Receiving { take, patience }: &mut Receiving<impl FnOnce(Received<'_>) -> R>,
        edges: &mut Edges,
    ) -> Result<Option<R>, Error> {
        if !self.kind.can_recv() {
            return Err(Error::NotSupported);
        }
        if core.is_closing {
            return Err(Error::Closed);
        }
        core.work_off(&self.ready, edges);
        let outcome = match &core.call(edges, |protocol, context| protocol.recv(context)) {
            Ok(delivery) => Ok(core.deliver(delivery, take, edges)),
            Err(refusal) => {
                patience.gathers = !core.has_sent;
                patience.consider(*refusal, core, core.fetches).map(|()| None)
            }
        };
        self.settle(core, edges);
        if matches!(outcome, Ok(Some(_)))
            && self.receivers.has_waiters()
            && core.call(edges, |protocol, context| protocol.can_recv(context))
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
        // A protocol delivers from a pipe that it was given; and it is called until it delivers.
        let pipe = self.pipes.get(delivery.pipe)?;
        let length = pipe.inbound.peek()?.len().saturating_sub(delivery.skip);
        let take = take.take()?;
        let mut taken = false;
        self.has_sent = false;
        self.statistics.messages_received += 1;
        self.statistics.bytes_received += length as u64;
        let result = take(Received { delivery, length, pipe, taken: &mut taken });
        if !taken {
            pipe.inbound.skip();
        }
        if pipe.inbound.tell()
            && let Some(peer) = &pipe.peer
        {
            edges.add_writable(peer);
        }
        self.note_speaker(delivery.pipe);
        Some(result)
    }
}
