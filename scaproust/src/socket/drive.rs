//! Driving the protocol: delivering edges to it, its deadline, and what is put right before the lock is given back.

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::core::Core;
use crate::pipe::Edges;
use crate::protocol::Protocol;
use crate::reactor::{self, Source};
use crate::sync::Uncancellable;
use crate::sync::atomic::{Ordering, fence};

impl Socket {
    /// Works on the list and puts everything right that a change can have made wrong; the last
    /// thing that is done under the lock.
    #[inline]
    pub(super) fn process_ready(&self, core: &mut Core, edges: &mut Edges) {
        let is_settled = !core.has_work(&self.ready)
            && !core.has_dropped()
            && !core.is_polled()
            && !self.works_alone
            && !self.needs_prompt_processing.load(Ordering::Relaxed);
        if !is_settled {
            self.settle_all(core, edges);
        }
    }

    fn settle_all(&self, core: &mut Core, edges: &mut Edges) {
        let _uncancellable = Uncancellable::begin();
        core.process_ready(&self.ready, edges);
        core.registrations.forget_void();
        let needs_prompt_processing = core.is_polled() || self.works_alone && core.protocol.is_busy();
        if needs_prompt_processing != self.needs_prompt_processing.load(Ordering::Relaxed) {
            self.needs_prompt_processing.store(needs_prompt_processing, Ordering::Relaxed);
            // With the fence of whoever puts something on the list: either he sees that we are
            // watchful, or we see what he put there.
            fence(Ordering::SeqCst);
            core.process_ready(&self.ready, edges);
        }
        if needs_prompt_processing {
            core.update_pollables(edges);
            // The protocol has looked at its pipes again: some may have come to their end.
            core.process_ready(&self.ready, edges);
        }
        if self.works_alone {
            self.set_timer(core);
        }
        if core.end_drops() {
            self.go_on_later(needs_prompt_processing || self.works_alone);
        }
    }

    /// The protocol was cut short, and no edge tells of what it has not looked at: a receiver that
    /// sleeps goes on, and the I/O thread if it `must_be_prompt`.
    fn go_on_later(&self, must_be_prompt: bool) {
        if self.receivers.has_waiters() {
            self.receivers.notify_one();
        }
        if must_be_prompt && let (Some(this), Ok(reactor)) = (self.this.upgrade(), reactor::current()) {
            reactor.wake(this);
        }
    }

    /// Sees to it that the protocol is called at its deadline. A timer that comes too early is
    /// harmless, so one is set anew only when it would come too late.
    fn set_timer(&self, core: &mut Core) {
        let Some(deadline) = core.protocol.deadline() else { return };
        if core.timer.is_some_and(|(moment, _)| moment <= deadline) {
            return;
        }
        // Without a thread to be had, the next call will try again.
        let (Some(this), Ok(reactor)) = (self.this.upgrade(), reactor::current()) else { return };
        if let Some((_, timer)) = core.timer.take() {
            reactor.cancel(timer);
        }
        core.timer = Some((deadline, reactor.at(deadline, this)));
    }

    /// Works on the list for a caller that is not there.
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
            core.allow_drops();
            if self.works_alone {
                core.call(&mut edges, |protocol, context| protocol.timeout(context));
            }
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
        // What they wait for may never come now. One of them may have seen so by itself, and the
        // protocol have nothing to do any more: so every timer wakes all.
        self.receivers.notify_all();
    }
}
