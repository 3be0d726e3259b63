//! Linger: the time in which a socket or endpoint that is closed still delivers sent messages (`NN_LINGER`).
//!
//! Each connection that has something to deliver holds an [`Unfinished`]; the closing call waits until all of
//! them are dropped, or until the deadline.

use std::sync::Arc;
use std::time::Duration;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Event, Wake, now};

/// One closing: its deadline, and the number of connections that are not done.
#[derive(Debug)]
pub(crate) struct Linger {
    /// A moment of the monotonic clock; `None` without a limit.
    deadline: Option<Duration>,
    /// How many [`Unfinished`] exist.
    unfinished: AtomicUsize,
    /// Notified when `unfinished` has changed.
    changed: Event,
    /// Notified as well.
    watcher: Option<Arc<Event>>,
}

/// A connection that may still have something to deliver. Dropped when everything is delivered, or given up.
#[derive(Debug)]
pub(crate) struct Unfinished(Arc<Linger>);

impl Linger {
    /// A closing that begins now and may take `time`; `None` is without a limit.
    pub(crate) fn begin(time: Option<Duration>) -> Arc<Linger> {
        Linger::watched(time, None)
    }

    /// The same, with an event that is notified when a connection is done.
    pub(crate) fn watched(time: Option<Duration>, watcher: Option<Arc<Event>>) -> Arc<Linger> {
        let deadline = time.map(|time| now().saturating_add(time));
        Arc::new(Linger { deadline, unfinished: AtomicUsize::new(0), changed: Event::new(), watcher })
    }

    /// The deadline, if there is one.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Counts a connection that is not done.
    pub(crate) fn unfinished(self: &Arc<Linger>) -> Unfinished {
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        Unfinished(self.clone())
    }

    /// Whether everything is delivered.
    pub(crate) fn is_finished(&self) -> bool {
        self.unfinished.load(Ordering::Acquire) == 0
    }

    /// Waits until everything is delivered, or until the deadline. Signals do not end it.
    pub(crate) fn wait(&self) {
        loop {
            let epoch = self.changed.epoch();
            if self.is_finished() || self.changed.wait(epoch, self.deadline) == Wake::TimedOut {
                return;
            }
        }
    }
}

impl Unfinished {
    /// Whether the deadline has passed at `now`.
    pub(crate) fn has_expired(&self, now: Duration) -> bool {
        self.0.deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.unfinished.fetch_sub(1, Ordering::Release);
        self.0.changed.notify_all();
        self.0.watcher.iter().for_each(|watcher| watcher.notify_all());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn wait_returns_when_nothing_is_unfinished() {
        let linger = Linger::begin(None);
        let unfinished = linger.unfinished();
        let other = std::thread::spawn(move || drop(unfinished));
        linger.wait();
        assert!(linger.is_finished());
        other.join().unwrap();
    }

    #[test]
    fn wait_returns_at_the_deadline() {
        let linger = Linger::begin(Some(Duration::ZERO));
        let unfinished = linger.unfinished();
        linger.wait();
        assert!(!linger.is_finished());
        drop(unfinished);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::atomic::AtomicBool;

    /// A waiter is woken, and sees what happened before the last `Unfinished` was dropped.
    #[test]
    fn loom_wait_returns_when_all_is_delivered() {
        loom::model(|| {
            let linger = Linger::begin(None);
            let delivered = Arc::new(AtomicBool::new(false));
            let (unfinished, other) = (linger.unfinished(), delivered.clone());
            let finisher = loom::thread::spawn(move || {
                other.store(true, Ordering::Relaxed);
                drop(unfinished);
            });
            linger.wait();
            assert!(delivered.load(Ordering::Relaxed));
            finisher.join().unwrap();
        });
    }
}
