//! An event: blocked calls sleep on it until some state may have changed. It is a condition variable
//! with a counter instead of a lock (an *event count*).
//!
//! ```text
//! waiter: epoch = event.epoch(); check; sleeper = event.register(epoch); sleep; event.unregister(sleeper)
//! other:  change the state; event.notify_one()
//! ```
//!
//! A change after the epoch was read ends the wait, so no wake-up is lost between the check and the
//! sleep. Notifying makes no system call while there are no sleepers.
//!
//! Each sleeper has a [`Notifier`], since only poll(2) and similar calls can wait for other descriptors
//! besides, and unblock signals while they wait. A sleeper for which the system has no descriptor checks
//! again every few milliseconds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use super::{Descriptor, Mutex, Notifier, Sleep, Spin, Wake, lock, rank};

/// The value of an event's counter before the state was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(u32);

/// A counter of changes, and the sleepers to wake.
#[derive(Debug)]
pub(crate) struct Event {
    changes: AtomicU32,
    /// The number of registered sleepers; written under the lock of `sleepers`.
    sleeper_count: AtomicU32,
    sleepers: Mutex<Sleepers, rank::Sleepers>,
    /// A sleeper has claimed the descriptors: it may poll those of the connections as well.
    is_claimed: AtomicBool,
    pub(crate) spin: Spin,
}

#[derive(Debug, Default)]
struct Sleepers {
    /// In the order of registration. Each is removed before it is notified.
    registered: VecDeque<Arc<Notifier>>,
    /// Notifiers for the next sleepers.
    spare: Vec<Arc<Notifier>>,
}

/// A registration with an event, to be returned with [`Event::unregister`].
#[derive(Debug)]
pub(crate) struct Sleeper(Option<Arc<Notifier>>);

impl Event {
    /// An event without sleepers.
    pub(crate) fn new() -> Event {
        Event {
            changes: AtomicU32::new(0),
            sleeper_count: AtomicU32::new(0),
            sleepers: Mutex::default(),
            is_claimed: AtomicBool::new(false),
            spin: Spin::new(),
        }
    }

    /// The current epoch, to be read before the state is checked.
    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.changes.load(Ordering::Acquire))
    }

    /// Whether the event was notified since the epoch was read.
    pub(crate) fn has_changed(&self, epoch: Epoch) -> bool {
        self.epoch().0 != epoch.0
    }

    /// Sleeps until the event is notified, unless it was since the epoch was read. For waits that need not
    /// be interruptible: a signal may end the sleep, or be missed.
    pub(crate) fn wait(&self, epoch: Epoch, deadline: Option<Duration>) -> Wake {
        let Some(sleeper) = self.register(epoch) else { return Wake::Woken };
        let wake = sleeper.wait(deadline);
        self.unregister(sleeper);
        wake
    }

    /// Registers a sleeper, which the next notification wakes; `None` if the event was notified since the
    /// epoch was read.
    pub(crate) fn register(&self, epoch: Epoch) -> Option<Sleeper> {
        let spare = lock(&self.sleepers).spare.pop();
        let notifier = spare.or_else(|| Notifier::new().ok().map(Arc::new));
        if let Some(notifier) = &notifier {
            let mut sleepers = lock(&self.sleepers);
            sleepers.registered.push_back(notifier.clone());
            self.update_count(&sleepers);
        }
        // Pairs with the fence in `notify`: either `notify` sees this sleeper, or this sees its change.
        fence(Ordering::SeqCst);
        let sleeper = Sleeper(notifier);
        if self.has_changed(epoch) {
            self.unregister(sleeper);
            return None;
        }
        Some(sleeper)
    }

    /// Removes a sleeper. Returns whether a notification was spent on it: a caller that returns for another
    /// reason must pass it on to the next sleeper.
    pub(crate) fn unregister(&self, Sleeper(notifier): Sleeper) -> bool {
        let Some(notifier) = notifier else { return false };
        let mut sleepers = lock(&self.sleepers);
        let place = sleepers.registered.iter().position(|other| Arc::ptr_eq(other, &notifier));
        place.map(|place| sleepers.registered.remove(place));
        self.update_count(&sleepers);
        sleepers.spare.push(notifier);
        place.is_none()
    }

    fn update_count(&self, sleepers: &Sleepers) {
        self.sleeper_count.store(sleepers.registered.len() as u32, Ordering::Relaxed);
    }

    /// Claims the descriptors: the right of one sleeper to poll the connections' descriptors as well. Returns
    /// `false` if another thread has it.
    pub(crate) fn claim_descriptors(&self) -> bool {
        !self.is_claimed.swap(true, Ordering::Acquire)
    }

    /// Releases the claim.
    pub(crate) fn release_descriptors(&self) {
        self.is_claimed.store(false, Ordering::Release);
        // A thread that sleeps, or is about to, because the descriptors were claimed, can claim them now.
        self.notify_one();
    }

    /// Whether there are sleepers.
    #[inline]
    pub(crate) fn has_sleepers(&self) -> bool {
        self.sleeper_count.load(Ordering::Relaxed) > 0
    }

    /// Counts a change and wakes the first sleeper.
    pub(crate) fn notify_one(&self) {
        self.notify(1);
    }

    /// Counts a change and wakes all sleepers.
    pub(crate) fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    fn notify(&self, count: usize) {
        self.changes.fetch_add(1, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.has_sleepers() {
            self.wake(count);
        }
    }

    #[cold]
    fn wake(&self, count: usize) {
        let woken: SmallVec<[_; 1]> = {
            let mut sleepers = lock(&self.sleepers);
            let count = count.min(sleepers.registered.len());
            let woken = sleepers.registered.drain(..count).collect();
            self.update_count(&sleepers);
            woken
        };
        woken.iter().for_each(|notifier: &Arc<Notifier>| notifier.notify());
    }
}

impl Sleeper {
    /// The descriptor to wait for, if the system had one to spare.
    pub(crate) fn descriptor(&self) -> Option<Descriptor> {
        self.0.as_ref().map(|notifier| notifier.descriptor())
    }

    /// Clears the notifier, whose descriptor was ready, for the next sleep.
    pub(crate) fn clear(&self) {
        if let Some(notifier) = &self.0 {
            notifier.clear();
        }
    }

    fn wait(&self, deadline: Option<Duration>) -> Wake {
        if let Some(notifier) = &self.0 {
            return notifier.wait(deadline);
        }
        let mut sleep = Sleep::new();
        sleep.prepare(0, std::iter::empty(), deadline, None);
        sleep.run();
        sleep.wake()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_change_after_the_epoch_ends_the_wait_at_once() {
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

    /// Another thread changes the state and notifies; this one waits for the change with `wait`.
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
    fn loom_a_registered_sleeper_is_woken() {
        await_change(|event, epoch| {
            if let Some(sleeper) = event.register(epoch) {
                sleeper.wait(None);
                event.unregister(sleeper);
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
