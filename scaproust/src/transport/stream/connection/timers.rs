//! The timers of a connection, each with its purpose.

use std::sync::Arc;
use std::time::Duration;

use super::Connection;
use crate::reactor::TimerId;
use crate::sync::lock;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The peer's greeting must be whole.
    Greeting,
    /// The rest of a frame must have come.
    Frame,
    /// The time to deliver what was sent is over.
    Deadline,
    /// Whether the peer has everything is asked again.
    Closing,
    /// The lease of the reading may end.
    ReadLease,
    /// The kernel had no memory for a read or a write, which is tried again.
    Retry,
}

/// The timers that are set. They hold the connection, and go with it.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: Vec<(Purpose, TimerId)>,
    /// The connection has ended: no timer is set any more.
    is_over: bool,
}

impl Timers {
    /// Forgets the timers that have come at `now`. Answers whether one of them had this purpose.
    pub(super) fn take_due(&mut self, now: Duration, wanted: Purpose) -> bool {
        let mut is_due = false;
        self.set.retain(|(purpose, timer)| {
            let waits = timer.moment() > now;
            is_due |= !waits && *purpose == wanted;
            waits
        });
        is_due
    }

    /// What timers are set for.
    #[cfg(all(test, not(loom)))]
    pub(super) fn purposes(&self) -> Vec<Purpose> {
        self.set.iter().map(|(purpose, _)| *purpose).collect()
    }
}

impl Connection {
    /// Has `timeout` called at `moment`, unless the connection has ended.
    pub(super) fn set_timer(self: &Arc<Self>, purpose: Purpose, moment: Duration) {
        let mut timers = lock(&self.timers);
        if !timers.is_over {
            timers.set.push((purpose, self.reactor.at(moment, self.clone())));
        }
    }

    /// Cancels the timers of this purpose, and no other.
    pub(super) fn cancel_timers(&self, unwanted: Purpose) {
        lock(&self.timers).set.retain(|(purpose, timer)| {
            let is_kept = *purpose != unwanted;
            if !is_kept {
                self.reactor.cancel(*timer);
            }
            is_kept
        });
    }

    /// Cancels all timers, and has no other set.
    pub(super) fn end_timers(&self) {
        let mut timers = lock(&self.timers);
        timers.is_over = true;
        for (_, timer) in std::mem::take(&mut timers.set) {
            self.reactor.cancel(timer);
        }
    }
}
