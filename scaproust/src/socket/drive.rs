//! Driving the protocol: edges, its deadline, and what must hold whenever the lock is free.
//!
//! A call that has changed something ends its hold of the lock with [`Socket::process_ready`]. The I/O thread
//! drives a protocol that has work while no call is made.

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::core::Core;
use crate::pipe::Edges;
use crate::protocol::Protocol;
use crate::reactor::Source;
use crate::sync::Uncancellable;
use crate::sync::atomic::{Ordering, fence};

impl Socket {
    /// Processes the ready list, and updates everything that depends on the protocol's state: descriptors,
    /// registrations, the timer. Every hold of the lock ends with it.
    #[inline]
    pub(super) fn process_ready(&self, core: &mut Core, edges: &mut Edges) {
        let is_up_to_date = !core.has_work(&self.ready)
            && !core.has_dropped()
            && !core.pipes.has_drained
            && !core.face.is_polled()
            && !self.acts_between_calls
            && !self.needs_prompt_processing.load(Ordering::Relaxed);
        if !is_up_to_date {
            self.update_all(core, edges);
        }
    }

    pub(super) fn update_all(&self, core: &mut Core, edges: &mut Edges) {
        let _uncancellable = Uncancellable::begin();
        core.process_ready(&self.ready, edges);
        core.face.registrations.remove_stale();
        // Also without waiters: a call may have found no room, and be about to wait.
        if std::mem::take(&mut core.pipes.has_drained)
            && core.call(edges, |protocol, context| protocol.can_send(context))
        {
            self.notify_sender();
        }
        let needs_prompt_processing =
            core.face.is_polled() || core.faces.is_some() || core.drops_old || core.protocol.is_busy();
        if needs_prompt_processing != self.needs_prompt_processing.load(Ordering::Relaxed) {
            self.needs_prompt_processing.store(needs_prompt_processing, Ordering::Relaxed);
            // Pairs with the fence in `PipeHandle::process_if_prompt`: either that thread sees the flag, or
            // this one sees the entry that it has put on the list.
            fence(Ordering::SeqCst);
            core.process_ready(&self.ready, edges);
        }
        if needs_prompt_processing {
            core.update_pollables(edges);
            // The protocol has looked at its pipes again: some may have ended.
            core.process_ready(&self.ready, edges);
            if core.faces.is_some() {
                self.update_contexts(core, edges);
            }
        }
        if self.acts_between_calls {
            self.set_timer(core);
        }
        if core.reset_drops() {
            self.resume_later(needs_prompt_processing || self.acts_between_calls);
        }
    }

    /// The protocol has hit the drop limit, and no edge announces the messages that are left. A sleeping
    /// receiver continues, and so does the I/O thread if it `must_be_prompt`.
    fn resume_later(&self, must_be_prompt: bool) {
        self.notify_receiver();
        if must_be_prompt && let (Some(this), Ok(reactor)) = (self.this.upgrade(), self.reactor()) {
            reactor.wake(this);
        }
    }

    /// Sets the timer for the protocol's deadline. A timer that fires too early is harmless, so it is
    /// replaced only if it would fire too late.
    fn set_timer(&self, core: &mut Core) {
        let Some(deadline) = core.protocol.deadline() else { return };
        if core.timer.is_some_and(|(moment, _)| moment <= deadline) {
            return;
        }
        // If no I/O thread can be started, the next call tries again.
        let (Some(this), Ok(reactor)) = (self.this.upgrade(), self.reactor()) else { return };
        if let Some((_, timer)) = core.timer.take() {
            reactor.cancel(timer);
        }
        core.timer = Some((deadline, reactor.at(deadline, this)));
    }

    /// Processes the ready list when no call is about to do so.
    pub(super) fn drive(&self) {
        let mut edges = Edges::default();
        {
            let mut core = self.core.lock();
            if core.is_closing {
                return;
            }
            self.process_ready(&mut core, &mut edges);
        }
        edges.deliver();
    }
}

impl Source for Socket {
    fn woken(self: Arc<Self>) {
        let mut edges = Edges::default();
        {
            let mut core = self.core.lock();
            if core.is_closing {
                return;
            }
            core.allow_more_drops();
            core.call(&mut edges, |protocol, context| protocol.timeout(context));
            self.process_ready(&mut core, &mut edges);
        }
        edges.deliver();
    }

    fn timeout(self: Arc<Self>, now: Duration) {
        let mut edges = Edges::default();
        {
            let mut core = self.core.lock();
            if core.is_closing {
                return;
            }
            core.timer = None;
            core.process_ready(&self.ready, &mut edges);
            if core.protocol.deadline().is_some_and(|deadline| deadline <= now) {
                core.call(&mut edges, |protocol, context| protocol.timeout(context));
            }
            self.process_ready(&mut core, &mut edges);
        }
        edges.deliver();
        // What the receivers wait for may never come now. One of them may have noticed the deadline first, so
        // that the protocol has nothing left to do here: so every timer wakes all of them.
        self.receivers.notify_all();
    }
}
