//! What the protocol of a socket sees of its pipes, during one hold of the lock.

use std::time::Duration;

use super::lending::is_lendable;
use super::monitor::Watch;
use super::pipes::{Finished, Origin, Pipe, Pipes};
use crate::message::{Front, Metadata, Payload, SHARED_FROM};
use crate::option::{Options, SocketOption};
use crate::pipe::{Edges, Full, Pushed};
use crate::protocol::{Context, PipeId, PushOutcome, Time};
use crate::sync::{Uncancellable, now};

/// The [`Context`] of a protocol.
pub(super) struct View<'a> {
    pub(super) pipes: &'a mut Pipes,
    /// Edges to deliver when the socket's lock is free.
    pub(super) edges: &'a mut Edges,
    pub(super) finished: &'a mut Finished,
    pub(super) options: &'a Options,
    /// The metadata of the message that is sent.
    pub(super) metadata: Metadata,
    /// The number of lanes that share a body.
    pub(super) lanes: usize,
    /// Counts the messages that are dropped.
    pub(super) watch: &'a mut Watch,
    /// What a push checks of its receiver.
    pub(super) check: ReceiverCheck,
    /// What these checks have found.
    pub(super) delay: Delay,
}

/// What a push checks of its receiver.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReceiverCheck {
    /// Nothing. With `spreads`, the message goes to one of several receivers, in the first try of a call, and may be part of a flood.
    None { spreads: bool },
    /// Whether it is slower than the sender, for a protocol that does not wait for its receivers. With `holds`, the message is
    /// part of a flood.
    Lag { holds: bool },
    /// How much room it has made, for a call that has slept for this time until there was room.
    RoomAfter(Duration),
}

impl ReceiverCheck {
    /// Nothing.
    pub(super) const NONE: ReceiverCheck = ReceiverCheck::None { spreads: false };

    /// As for [`Held::holds`](super::held::Held::holds).
    fn is_flood(self) -> Option<bool> {
        match self {
            ReceiverCheck::Lag { holds } => Some(holds),
            ReceiverCheck::None { spreads: true } => None,
            ReceiverCheck::None { .. } | ReceiverCheck::RoomAfter(_) => Some(false),
        }
    }
}

/// What a call must do before it returns, without a lock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delay {
    /// Nothing.
    None,
    /// Let the receivers catch up: one of them is more than half a lane behind.
    Throttle,
    /// Pause for this time, so that more room is made before the next call.
    Pause(Duration),
}

impl View<'_> {
    /// Lends a large message to the peer of a pipe, if that is idle. If not, and the body is the caller's, copies the body. Returns
    /// `None` if the message is to be pushed.
    #[cold]
    fn lend(&mut self, id: PipeId, header: &[u8], body: &mut Payload<'_>) -> Option<PushOutcome> {
        let Pipes { table, lending, .. } = &mut *self.pipes;
        let Pipe { peer: Some(peer), is_ready: true, traffic, .. } = table.get(id)? else { return None };
        let length = body.bytes().len();
        lending.lend(peer, header, body).then(|| {
            self.edges.add_lent();
            traffic.messages_sent += 1;
            traffic.bytes_sent += length as u64;
            PushOutcome::Taken
        })
    }

    /// Moves a body to memory that pipes share, if the pipe's lane should share it.
    fn share_for(&mut self, id: PipeId, body: &mut Payload<'_>) {
        if self.pipes.get(id).is_some_and(|pipe| pipe.outbound.shares(body.bytes().len())) {
            // Without memory for that, each pipe gets a copy.
            body.own();
        }
    }

    fn pop_front(&mut self, id: PipeId) {
        if let Some(pipe) = self.pipes.get(id)
            && pipe.inbound.pop()
            && let Some(peer) = &pipe.peer
        {
            self.edges.add_writable(peer);
        }
    }
}

impl Context for View<'_> {
    // Always inlined: each protocol has its own copy, and every message passes through it.
    #[inline(always)]
    fn front(&mut self, id: PipeId) -> Option<Front<'_>> {
        let pipe = self.pipes.get(id)?;
        if pipe.inbound.is_empty() {
            if pipe.inbound.producer_is_starved() {
                self.edges.add_yield();
            }
            if pipe.peer.is_none() {
                pipe.finish(id, self.finished);
            }
            return None;
        }
        pipe.inbound.peek()
    }

    fn drop_front(&mut self, id: PipeId) -> bool {
        self.pop_front(id);
        self.watch.drops_left = self.watch.drops_left.saturating_sub(1);
        self.watch.drops_left > 0
    }

    fn copy_front(&mut self, id: PipeId, mailbox: PipeId) -> bool {
        let Some([pipe, mailbox]) = self.pipes.table.get_two(id, mailbox) else { return false };
        if mailbox.origins.try_reserve(1).is_err() {
            return false;
        }
        let chunk = pipe.inbound.share_chunk();
        let Some(Front { head, body, metadata }) = pipe.inbound.peek() else { return false };
        let mut body = chunk.map_or(Payload::Borrowed(body), Payload::Owned);
        let is_copied = mailbox.outbound.batch().push(head, &mut body, metadata).is_ok();
        if is_copied {
            let endpoint = pipe.endpoint.as_ref().map_or(0, |endpoint| endpoint.id);
            mailbox.origins.push_back(Origin { pipe: id, endpoint, info: pipe.info.clone() });
        } else {
            pipe.traffic.messages_missed += 1;
        }
        is_copied
    }

    fn remove_front(&mut self, id: PipeId) -> bool {
        self.pop_front(id);
        let may_go_on = self.pipes.moves > 0;
        if may_go_on {
            self.pipes.moves -= 1;
        } else {
            // As after too many drops, the rest follows under another hold of the lock.
            self.watch.drops_left = 0;
        }
        may_go_on
    }

    fn clear(&mut self, mailbox: PipeId) {
        if let Some(pipe) = self.pipes.get(mailbox) {
            while !pipe.inbound.is_empty() {
                pipe.inbound.pop();
            }
            pipe.origins.clear();
        }
    }

    // As above.
    #[inline(always)]
    fn push(&mut self, id: PipeId, header: &[u8], body: &mut Payload<'_>) -> PushOutcome {
        if is_lendable(body.bytes().len())
            && let Some(outcome) = self.lend(id, header, body)
        {
            return outcome;
        }
        let Some(Pipe { outbound, peer: Some(peer), is_ready: true, is_held, traffic, .. }) =
            self.pipes.table.get(id)
        else {
            return PushOutcome::Full;
        };
        let length = body.bytes().len();
        let mut has_drained = false;
        loop {
            let mut batch = outbound.batch();
            batch.share_among(self.lanes);
            match batch.push(header, body, self.metadata) {
                Ok(Pushed { edge }) => {
                    traffic.messages_sent += 1;
                    traffic.bytes_sent += length as u64;
                    match self.check {
                        ReceiverCheck::None { .. } => {}
                        ReceiverCheck::Lag { .. } if !batch.should_throttle() => {}
                        ReceiverCheck::Lag { .. } => {
                            // Without memory for it, it is not waited for.
                            if self.pipes.lagging.try_reserve(1).is_ok() {
                                self.pipes.lagging.push(id);
                            }
                            self.delay = Delay::Throttle;
                        }
                        // A connection empties its lane in batches: no pause is needed.
                        ReceiverCheck::RoomAfter(_) if peer.clone().direct_read().is_some() => {}
                        ReceiverCheck::RoomAfter(slept) => {
                            self.delay = Delay::Pause(batch.pause_after(slept))
                        }
                    }
                    let held = &mut self.pipes.held;
                    if edge
                        && !held.holds(
                            self.check.is_flood(),
                            is_held,
                            &mut batch,
                            peer,
                            self.pipes.open.len(),
                        )
                    {
                        self.edges.add_readable(peer, header.len() + length);
                    }
                    return PushOutcome::Taken;
                }
                Err(Full) if has_drained => return PushOutcome::Full,
                Err(Full) => {
                    drop(batch);
                    let _uncancellable = Uncancellable::begin();
                    has_drained = peer.clone().try_drain();
                    if !has_drained {
                        return PushOutcome::Full;
                    }
                    self.pipes.has_drained = true;
                }
            }
        }
    }

    #[inline(always)]
    fn push_copy(&mut self, id: PipeId, header: &[u8], body: &mut Payload<'_>) -> PushOutcome {
        if body.bytes().len() >= SHARED_FROM {
            self.share_for(id, body);
        }
        self.push(id, header, &mut body.clone())
    }

    fn look_ahead(&mut self, id: PipeId) -> Option<Front<'_>> {
        let pipe = self.pipes.get(id)?;
        pipe.inbound.look_ahead(&mut pipe.lookahead)
    }

    fn has_room(&mut self, id: PipeId) -> bool {
        self.pipes
            .get(id)
            .is_some_and(|pipe| pipe.is_ready && pipe.peer.is_some() && pipe.outbound.has_room())
    }

    fn now(&self) -> Time {
        now()
    }

    fn send_with(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    fn share_among(&mut self, lanes: usize) {
        self.lanes = lanes;
    }

    fn note_drops(&mut self, count: usize) {
        self.watch.note_drops(count, self.edges);
    }

    fn max_hops(&self) -> usize {
        self.options.size(SocketOption::MaxHops)
    }
}
