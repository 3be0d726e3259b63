//! The timers of a connection, each with its purpose.

use std::sync::Arc;
use std::time::Duration;

use super::Connection;
use crate::reactor::TimerId;
use crate::sync::lock;

/// The purpose of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The time for the peer's greeting is over.
    Greeting,
    /// The time for the rest of a message is over.
    Message,
    /// The time to deliver what was sent is over.
    Deadline,
    /// A closing connection checks whether the peer has received everything.
    Closing,
    /// The read lease may end.
    ReadLease,
    /// A read or write for which the kernel had no memory is tried again.
    Retry,
}

/// The timers that are set. Each keeps the connection alive, so they are cancelled when it ends.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: Vec<(Purpose, TimerId)>,
    /// The connection has ended: no timer is set any more.
    has_ended: bool,
}

impl Timers {
    /// Removes the timers that have fired at `now`, and passes the purpose of each to `note`.
    pub(super) fn take_due(&mut self, now: Duration, mut note: impl FnMut(Purpose)) {
        self.set.retain(|(purpose, timer)| {
            let waits = timer.moment() > now;
            if !waits {
                note(*purpose);
            }
            waits
        });
    }

    /// The purposes of the timers that are set.
    #[cfg(all(test, not(loom)))]
    pub(super) fn purposes(&self) -> Vec<Purpose> {
        self.set.iter().map(|(purpose, _)| *purpose).collect()
    }
}

impl Connection {
    /// Has `timeout` called at `moment`, unless the connection has ended.
    pub(super) fn set_timer(self: &Arc<Self>, purpose: Purpose, moment: Duration) {
        let mut timers = lock(&self.timers);
        if !timers.has_ended {
            timers.set.push((purpose, self.reactor.at(moment, self.clone())));
        }
    }

    /// Cancels the timers of the purpose `unwanted`.
    pub(super) fn cancel_timers(&self, unwanted: Purpose) {
        lock(&self.timers).set.retain(|(purpose, timer)| {
            let is_kept = *purpose != unwanted;
            if !is_kept {
                self.reactor.cancel(*timer);
            }
            is_kept
        });
    }

    /// Cancels all timers for good.
    pub(super) fn end_timers(&self) {
        let mut timers = lock(&self.timers);
        timers.has_ended = true;
        for (_, timer) in std::mem::take(&mut timers.set) {
            self.reactor.cancel(timer);
        }
    }
}
