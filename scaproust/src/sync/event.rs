//! What a blocked call sleeps on: something changed, look again.
//!
//! ```text
//! waiter: ticket = event.ticket();  look;  sleeper = event.lie_down(ticket);  sleep;  event.get_up(sleeper)
//! other:  change;                          event.notify_one()
//! ```
//!
//! Whatever changes after the ticket was drawn ends the wait, so nothing is missed between the
//! look and the sleep. Notifying costs no system call while nobody sleeps.
//!
//! Each sleeper has a descriptor, its alarm: only poll(2) and its like can wait for more
//! descriptors besides, and let signals in for as long as they wait. A sleeper for which the system has no
//! descriptor looks again every few milliseconds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use super::{Descriptor, Mutex, Notifier, Sleep, Spin, Wake, lock};

/// The state of an event at the moment of looking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(u32);

/// A counter of changes with sleepers.
#[derive(Debug)]
pub(crate) struct Event {
    changes: AtomicU32,
    /// How many are asleep, or about to be, and can be woken.
    waiters: AtomicU32,
    sleepers: Mutex<Sleepers>,
    /// One thread has the right to wait for other descriptors too.
    is_watched: AtomicBool,
    pub(crate) spin: Spin,
}

#[derive(Debug, Default)]
struct Sleepers {
    /// In the order in which they lay down. Each is taken out before its alarm rings.
    asleep: VecDeque<Arc<Notifier>>,
    /// Alarms for the next sleepers.
    spare: Vec<Arc<Notifier>>,
}

/// A place among those whom an event wakes: to be given back to it with [`Event::get_up`].
#[derive(Debug)]
pub(crate) struct Sleeper(Option<Arc<Notifier>>);

impl Event {
    /// An event that nobody waits for.
    pub(crate) fn new() -> Event {
        Event {
            changes: AtomicU32::new(0),
            waiters: AtomicU32::new(0),
            sleepers: Mutex::default(),
            is_watched: AtomicBool::new(false),
            spin: Spin::new(),
        }
    }

    /// To be drawn before looking at what the event is about.
    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.changes.load(Ordering::Acquire))
    }

    /// Whether something changed since the ticket was drawn.
    pub(crate) fn has_changed(&self, epoch: Epoch) -> bool {
        self.epoch().0 != epoch.0
    }

    /// Sleeps until something changed since the ticket was drawn. It is no call of the host's that is
    /// to be interrupted: a signal may end it, or be missed.
    pub(crate) fn wait(&self, epoch: Epoch, deadline: Option<Duration>) -> Wake {
        let Some(sleeper) = self.lie_down(epoch) else { return Wake::Woken };
        let wake = sleeper.wait(deadline);
        self.get_up(sleeper);
        wake
    }

    /// A place to sleep until something changes; none if that has happened since the ticket was
    /// drawn.
    pub(crate) fn lie_down(&self, epoch: Epoch) -> Option<Sleeper> {
        let spare = lock(&self.sleepers).spare.pop();
        let alarm = spare.or_else(|| Notifier::new().ok().map(Arc::new));
        if let Some(alarm) = &alarm {
            let mut sleepers = lock(&self.sleepers);
            sleepers.asleep.push_back(alarm.clone());
            self.count(&sleepers);
        }
        // With the fence in `notify`: either it sees this sleeper, or we see its change.
        fence(Ordering::SeqCst);
        let sleeper = Sleeper(alarm);
        if self.has_changed(epoch) {
            self.get_up(sleeper);
            return None;
        }
        Some(sleeper)
    }

    /// Ends a sleep. Answers whether a notification was meant to end it: who has another reason to
    /// leave notifies the next.
    pub(crate) fn get_up(&self, Sleeper(alarm): Sleeper) -> bool {
        let Some(alarm) = alarm else { return false };
        let mut sleepers = lock(&self.sleepers);
        let place = sleepers.asleep.iter().position(|other| Arc::ptr_eq(other, &alarm));
        place.map(|place| sleepers.asleep.remove(place));
        self.count(&sleepers);
        sleepers.spare.push(alarm);
        place.is_none()
    }

    fn count(&self, sleepers: &Sleepers) {
        self.waiters.store(sleepers.asleep.len() as u32, Ordering::Relaxed);
    }

    /// Takes the right to wait for descriptors too, if no other thread has it.
    pub(crate) fn watch(&self) -> bool {
        !self.is_watched.swap(true, Ordering::Acquire)
    }

    /// Gives back the right to wait for descriptors too.
    pub(crate) fn unwatch(&self) {
        self.is_watched.store(false, Ordering::Release);
        // A thread that sleeps, or is about to, because another one had the right may have it now.
        self.notify_one();
    }

    /// Whether somebody sleeps, or is about to.
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) > 0
    }

    /// Says that something changed, and wakes one sleeper.
    pub(crate) fn notify_one(&self) {
        self.notify(1);
    }

    /// Says that something changed, and wakes every sleeper.
    pub(crate) fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    fn notify(&self, count: usize) {
        self.changes.fetch_add(1, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.has_waiters() {
            self.wake(count);
        }
    }

    #[cold]
    fn wake(&self, count: usize) {
        let woken: SmallVec<[_; 1]> = {
            let mut sleepers = lock(&self.sleepers);
            let count = count.min(sleepers.asleep.len());
            let woken = sleepers.asleep.drain(..count).collect();
            self.count(&sleepers);
            woken
        };
        woken.iter().for_each(|alarm: &Arc<Notifier>| alarm.ring());
    }
}

impl Sleeper {
    /// What to wait for, if the system had a descriptor to spare.
    pub(crate) fn descriptor(&self) -> Option<Descriptor> {
        self.0.as_ref().map(|alarm| alarm.descriptor())
    }

    /// The descriptor was ready: it is not to be so at the next sleep.
    pub(crate) fn silence(&self) {
        if let Some(alarm) = &self.0 {
            alarm.silence();
        }
    }

    fn wait(&self, deadline: Option<Duration>) -> Wake {
        if let Some(alarm) = &self.0 {
            return alarm.wait(deadline);
        }
        let mut sleep = Sleep::new();
        sleep.prepare(std::iter::empty::<Descriptor>(), deadline, None);
        sleep.run();
        sleep.wake()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_change_after_the_ticket_ends_the_wait_at_once() {
        let event = Event::new();
        let epoch = event.epoch();
        event.notify_one();
        assert_eq!(event.wait(epoch, None), Wake::Woken);
    }

    #[test]
    fn a_deadline_in_the_past_is_a_time_out() {
        let event = Event::new();
        let epoch = event.epoch();
        assert_eq!(event.wait(epoch, Some(Duration::ZERO)), Wake::TimedOut);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;

    /// Another thread changes something and says so; this one waits for that, as `wait` does.
    fn await_change(wait: fn(&Event, Epoch)) {
        loom::model(move || {
            let shared = Arc::new((Event::new(), AtomicBool::new(false)));
            let other = shared.clone();
            let notifier = loom::thread::spawn(move || {
                other.1.store(true, Ordering::SeqCst);
                other.0.notify_one();
            });
            loop {
                let epoch = shared.0.epoch();
                if shared.1.load(Ordering::SeqCst) {
                    break;
                }
                wait(&shared.0, epoch);
            }
            notifier.join().unwrap();
        });
    }

    #[test]
    fn loom_who_has_the_watch_is_woken_too() {
        await_change(|event, epoch| {
            if let Some(sleeper) = event.lie_down(epoch) {
                sleeper.wait(None);
                event.get_up(sleeper);
            }
        });
    }

    #[test]
    fn loom_no_wake_up_is_lost() {
        await_change(|event, epoch| {
            event.wait(epoch, None);
        });
    }
}
