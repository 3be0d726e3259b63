//! What a blocked call sleeps on: something changed, look again.
//!
//! ```text
//! waiter: ticket = event.ticket();  look;  event.wait(ticket)
//! other:  change;                          event.notify_one()
//! ```
//!
//! Whatever changes after the ticket was drawn ends the wait, so nothing is missed between the
//! look and the sleep. Notifying costs no system call while nobody sleeps.

use std::time::Duration;

use super::Futex;
use super::atomic::{AtomicU32, Ordering, fence};
pub(crate) use super::futex::Wait as Wake;

/// The state of an event at the moment of looking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u32);

/// A counter of changes with sleepers.
#[derive(Debug)]
pub(crate) struct Event {
    changes: Futex,
    waiters: AtomicU32,
}

impl Event {
    /// An event that nobody waits for.
    pub(crate) fn new() -> Event {
        Event { changes: Futex::new(), waiters: AtomicU32::new(0) }
    }

    /// To be drawn before looking at what the event is about.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.changes.word.load(Ordering::Acquire))
    }

    /// Sleeps until something changed since the ticket was drawn.
    pub(crate) fn wait(&self, ticket: Ticket, deadline: Option<Duration>) -> Wake {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        // With the fence in `notify`: either it sees this waiter, or the futex sees its change.
        fence(Ordering::SeqCst);
        let wake = self.changes.wait(ticket.0, deadline);
        self.waiters.fetch_sub(1, Ordering::Relaxed);
        wake
    }

    /// Whether somebody sleeps, or is about to.
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) > 0
    }

    /// Says that something changed, and wakes one sleeper.
    pub(crate) fn notify_one(&self) {
        self.notify(1);
    }

    /// Says that something changed, and wakes every sleeper.
    pub(crate) fn notify_all(&self) {
        self.notify(i32::MAX);
    }

    fn notify(&self, count: i32) {
        self.changes.word.fetch_add(1, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.has_waiters() {
            self.changes.wake(count);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_change_after_the_ticket_ends_the_wait_at_once() {
        let event = Event::new();
        let ticket = event.ticket();
        event.notify_one();
        assert_eq!(event.wait(ticket, None), Wake::Woken);
    }

    #[test]
    fn a_deadline_in_the_past_is_a_time_out() {
        let event = Event::new();
        let ticket = event.ticket();
        assert_eq!(event.wait(ticket, Some(Duration::ZERO)), Wake::TimedOut);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;

    #[test]
    fn loom_no_wake_up_is_lost() {
        loom::model(|| {
            let shared = Arc::new((Event::new(), AtomicBool::new(false)));
            let other = shared.clone();
            let notifier = loom::thread::spawn(move || {
                other.1.store(true, Ordering::SeqCst);
                other.0.notify_one();
            });
            loop {
                let ticket = shared.0.ticket();
                if shared.1.load(Ordering::SeqCst) {
                    break;
                }
                shared.0.wait(ticket, None);
            }
            notifier.join().unwrap();
        });
    }
}
