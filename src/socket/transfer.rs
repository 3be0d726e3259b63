//! Sending and receiving: the one place where calls block.

use std::time::Duration;

use super::fetch::Remotes;
use super::pipes::Received;
use super::{Core, Socket};
use crate::error::Error;
use crate::message::{Chunk, Outgoing, Payload};
use crate::option::name;
use crate::pipe::{Edges, INLINE_MAX};
use crate::protocol::{Context, Protocol, Refusal};
use crate::sync::{Event, Ticket, Wake, lock, now};

/// How long a call may block.
pub(super) struct Patience {
    dont_wait: bool,
    /// The option that says how long.
    option: i32,
    pub(super) deadline: Option<Duration>,
    /// The call has found once that it would block.
    is_blocked: bool,
}

impl Patience {
    fn new(dont_wait: bool, option: i32) -> Patience {
        Patience { dont_wait, option, deadline: None, is_blocked: false }
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
        self.result(event.wait(ticket, self.deadline))
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

/// How an attempt to receive ended.
enum Attempt<R> {
    Received(R),
    /// There is no message, but these could have one.
    Blocked(Remotes),
}

impl Socket {
    /// Sends a message. On success its body was taken; on an error it is left with the caller.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] with `dont_wait`, [`Error::TimedOut`] after `NN_SNDTIMEO`,
    /// [`Error::Interrupted`] by a signal, [`Error::Closed`] by another thread,
    /// [`Error::NotSupported`] and [`Error::WrongState`] as the protocol says.
    pub fn send(&self, message: &mut Outgoing<'_>, dont_wait: bool) -> Result<(), Error> {
        if !self.kind.can_send() {
            return Err(Error::NotSupported);
        }
        if !self.is_raw {
            message.header.clear();
        }
        let length = message.body.bytes().len();
        if let Payload::Borrowed(bytes) = &message.body
            && length > INLINE_MAX
        {
            message.body = Payload::Owned(Chunk::copy_of(bytes).ok_or(Error::OutOfMemory)?);
        }
        let mut patience = Patience::new(dont_wait, name::SNDTIMEO);
        loop {
            let ticket = self.senders.ticket();
            let mut edges = Edges::default();
            let outcome = {
                let mut core = lock(&self.core);
                self.try_send(&mut core, message, length, &mut patience, &mut edges)
            };
            edges.deliver();
            if outcome? {
                return Ok(());
            }
            patience.wait(&self.senders, ticket)?;
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
            let core = lock(&self.core);
            if core.fetches { core.remotes() } else { return Ok(false) }
        };
        self.fetch_borrowed(remotes);
        self.ask(|protocol, context| protocol.can_recv(context))
    }

    fn ask(&self, question: impl FnOnce(&mut dyn Protocol, &mut dyn Context) -> bool) -> Result<bool, Error> {
        let mut edges = Edges::default();
        let answer = {
            let mut core = lock(&self.core);
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
        message: &mut Outgoing<'_>,
        length: usize,
        patience: &mut Patience,
        edges: &mut Edges,
    ) -> Result<bool, Error> {
        if core.is_closing {
            return Err(Error::Closed);
        }
        core.work_off(&self.ready, edges);
        let sent = core.call(edges, |protocol, context| protocol.send(message, context));
        let outcome = match sent {
            Ok(()) => {
                core.statistics.messages_sent += 1;
                core.statistics.bytes_sent += length as u64;
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

    /// Receives a message: `take` is called with it, once, and only on success.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] with `dont_wait`, [`Error::TimedOut`] after `NN_RCVTIMEO`,
    /// [`Error::Interrupted`] by a signal, [`Error::Closed`] by another thread,
    /// [`Error::NotSupported`] and [`Error::WrongState`] as the protocol says.
    pub fn recv<R>(&self, dont_wait: bool, take: impl FnOnce(Received<'_>) -> R) -> Result<R, Error> {
        if !self.kind.can_recv() {
            return Err(Error::NotSupported);
        }
        let mut take = Some(take);
        let mut patience = Patience::new(dont_wait, name::RCVTIMEO);
        loop {
            let ticket = self.receivers.ticket();
            let mut edges = Edges::default();
            let outcome = {
                let mut core = lock(&self.core);
                self.try_recv(&mut core, &mut take, &mut patience, &mut edges)
            };
            edges.deliver();
            match outcome? {
                Attempt::Received(result) => return Ok(result),
                Attempt::Blocked(remotes) if dont_wait => self.fetch_borrowed(remotes),
                Attempt::Blocked(remotes) => self.await_message(remotes, ticket, &patience)?,
            }
        }
    }

    /// Answers what `take` made of the message.
    fn try_recv<R>(
        &self,
        core: &mut Core,
        take: &mut Option<impl FnOnce(Received<'_>) -> R>,
        patience: &mut Patience,
        edges: &mut Edges,
    ) -> Result<Attempt<R>, Error> {
        if core.is_closing {
            return Err(Error::Closed);
        }
        core.work_off(&self.ready, edges);
        let outcome = match core.call(edges, |protocol, context| protocol.recv(context)) {
            Ok(delivery) => match core.deliver(&delivery, take, edges) {
                Some(result) => Ok(Attempt::Received(result)),
                None => Ok(Attempt::Blocked(Remotes::new())),
            },
            Err(refusal) => {
                patience.consider(refusal, core, core.fetches).map(|()| Attempt::Blocked(core.lend()))
            }
        };
        self.settle(core, edges);
        if matches!(outcome, Ok(Attempt::Received(_)))
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
        let take = take.take()?;
        let mut taken = None;
        let received = Received { header: &delivery.header, pipe, skip: delivery.skip, taken: &mut taken };
        self.statistics.messages_received += 1;
        self.statistics.bytes_received += received.len() as u64;
        let result = take(received);
        let pipe = self.pipes.get(delivery.pipe)?;
        if taken.unwrap_or_else(|| pipe.inbound.pop())
            && let Some(peer) = &pipe.peer
        {
            edges.add_writable(peer);
        }
        Some(result)
    }
}
