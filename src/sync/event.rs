//! What a blocked call sleeps on: something changed, look again.
//!
//! ```text
//! waiter: ticket = event.ticket();  look;  event.wait(ticket)
//! other:  change;                          event.notify_one()
//! ```
//!
//! Whatever changes after the ticket was drawn ends the wait, so nothing is missed between the
//! look and the sleep. Notifying costs no system call while nobody sleeps.
//!
//! One of the waiters may sleep in poll(2) and wait for descriptors too: it holds the [`Watch`].

use std::sync::OnceLock;
use std::time::Duration;

use super::alarm::{Alarm, Watched};
use super::atomic::{AtomicBool, AtomicU32, Ordering, fence};
pub(crate) use super::futex::Wait as Wake;
use super::{Futex, Spin};

/// The state of an event at the moment of looking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u32);

/// A counter of changes with sleepers.
#[derive(Debug)]
pub(crate) struct Event {
    changes: Futex,
    /// How many sleep on the futex, and [`POLLING`].
    waiters: AtomicU32,
    /// Somebody has the [`Watch`].
    is_watched: AtomicBool,
    /// Wakes who sleeps in poll(2); there is none before somebody wants to.
    alarm: OnceLock<Alarm>,
    spin: Spin,
}

/// Who has the watch sleeps, or is about to.
const POLLING: u32 = 1 << 31;

impl Event {
    /// An event that nobody waits for.
    pub(crate) fn new() -> Event {
        Event {
            changes: Futex::new(),
            waiters: AtomicU32::new(0),
            is_watched: AtomicBool::new(false),
            alarm: OnceLock::new(),
            spin: Spin::new(),
        }
    }

    /// To be drawn before looking at what the event is about.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.changes.word.load(Ordering::Acquire))
    }

    /// Sleeps until something changed since the ticket was drawn; before that it looks for a
    /// while, if that has paid lately. `gathers` as for [`Spin::wait`].
    pub(crate) fn wait(&self, ticket: Ticket, deadline: Option<Duration>, gathers: bool) -> Wake {
        self.spin.wait(
            gathers,
            || self.has_changed(ticket).then_some(Wake::Woken),
            || {
                self.waiters.fetch_add(1, Ordering::Relaxed);
                // With the fence in `notify`: either it sees this waiter, or the futex sees its change.
                fence(Ordering::SeqCst);
                let wake = self.changes.wait(ticket.0, deadline);
                self.waiters.fetch_sub(1, Ordering::Relaxed);
                wake
            },
        )
    }

    /// Whether something changed since the ticket was drawn.
    pub(crate) fn has_changed(&self, ticket: Ticket) -> bool {
        self.ticket().0 != ticket.0
    }

    /// The right to wait for descriptors too. One thread can have it; there is none either when
    /// the system has no descriptor to spare.
    pub(crate) fn watch(&self) -> Option<Watch<'_>> {
        if self.is_watched.swap(true, Ordering::Acquire) {
            return None;
        }
        let watch = Watch { event: self };
        if self.alarm.get().is_none() {
            let _ = self.alarm.set(Alarm::new().ok()?);
        }
        Some(watch)
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
        let waiters = self.waiters.load(Ordering::Relaxed);
        if waiters & POLLING != 0
            && let Some(alarm) = self.alarm.get()
        {
            alarm.ring();
        }
        if waiters & !POLLING != 0 {
            self.changes.wake(count);
        }
    }
}

/// The right to sleep until a descriptor is ready or the event changes.
pub(crate) struct Watch<'a> {
    event: &'a Event,
}

impl Watch<'_> {
    /// As [`Event::wait`], and until one of `watched` is ready. `look` looks whether one is: it is
    /// called again and again before the sleep, if that has paid lately.
    pub(crate) fn wait(
        &self,
        ticket: Ticket,
        deadline: Option<Duration>,
        watched: &mut [Watched],
        mut look: impl FnMut(),
    ) -> Wake {
        let Event { spin, waiters, alarm, .. } = self.event;
        let Some(alarm) = alarm.get() else { return Wake::Woken };
        spin.wait(
            false,
            || {
                look();
                self.event.has_changed(ticket).then_some(Wake::Woken)
            },
            || {
                waiters.fetch_or(POLLING, Ordering::Relaxed);
                // As in `Event::wait`.
                fence(Ordering::SeqCst);
                let wake = match self.event.has_changed(ticket) {
                    true => Wake::Woken,
                    false => alarm.wait(watched, deadline),
                };
                waiters.fetch_and(!POLLING, Ordering::Relaxed);
                wake
            },
        )
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.event.is_watched.store(false, Ordering::Release);
        // Somebody who sleeps, or is about to, because there was one watch only may have it now.
        self.event.notify_one();
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
        assert_eq!(event.wait(ticket, None, false), Wake::Woken);
    }

    #[test]
    fn a_deadline_in_the_past_is_a_time_out() {
        let event = Event::new();
        let ticket = event.ticket();
        assert_eq!(event.wait(ticket, Some(Duration::ZERO), false), Wake::TimedOut);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;

    /// Another thread changes something and says so; this one waits for that, as `wait` does.
    fn await_change(wait: fn(&Event, Ticket)) {
        loom::model(move || {
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
                wait(&shared.0, ticket);
            }
            notifier.join().unwrap();
        });
    }

    #[test]
    fn loom_who_has_the_watch_is_woken_too() {
        await_change(|event, ticket| {
            event.watch().unwrap().wait(ticket, None, &mut [], || {});
        });
    }

    #[test]
    fn loom_no_wake_up_is_lost() {
        await_change(|event, ticket| {
            event.wait(ticket, None, false);
        });
    }
}
