//! The time that closing may take to deliver what was sent.

use std::sync::Arc;
use std::time::Duration;

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Event, Wake, now};

/// One closing, and what is still unfinished of it.
#[derive(Debug)]
pub(crate) struct Linger {
    /// When the time is over; never, if there is none.
    deadline: Option<Duration>,
    unfinished: AtomicUsize,
    changed: Event,
}

/// Something that is not delivered yet. Dropping it says that it is, or never will be.
#[derive(Debug)]
pub(crate) struct Unfinished(Arc<Linger>);

impl Linger {
    /// A closing that begins now and may take `time`, or for ever.
    pub(crate) fn begin(time: Option<Duration>) -> Arc<Linger> {
        let deadline = time.map(|time| now() + time);
        Arc::new(Linger { deadline, unfinished: AtomicUsize::new(0), changed: Event::new() })
    }

    /// When the time is over, if ever.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Notes that something is unfinished.
    pub(crate) fn unfinished(self: &Arc<Linger>) -> Unfinished {
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        Unfinished(self.clone())
    }

    /// Whether everything is delivered.
    pub(crate) fn is_finished(&self) -> bool {
        self.unfinished.load(Ordering::Acquire) == 0
    }

    /// Waits until everything is delivered, or the time is over. Signals do not shorten it.
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
    /// Whether the time is over at `now`.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        self.0.deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.unfinished.fetch_sub(1, Ordering::Release);
        self.0.changed.notify_all();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_last_unfinished_thing() {
        let linger = Linger::begin(None);
        let unfinished = linger.unfinished();
        let other = std::thread::spawn(move || drop(unfinished));
        linger.wait();
        assert!(linger.is_finished());
        other.join().unwrap();
    }

    #[test]
    fn waiting_ends_with_the_time() {
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

    /// Whoever waits is woken, and sees what was done before that was finished.
    #[test]
    fn loom_waiting_ends_when_all_is_delivered() {
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
