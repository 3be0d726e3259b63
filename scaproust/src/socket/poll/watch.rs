//! What a poll set knows of a value that it waits at, besides the value's socket.

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::Time;
use crate::sync;
use crate::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The end of a value that no longer exists.
const GONE: u64 = 0;
/// The end of a value that is over.
const OVER: u64 = 1;
/// The end of a value that has none.
const NEVER: u64 = u64::MAX;

/// What poll sets know of a value: from when on there is nothing to wait for, and whether it exists.
pub(crate) struct Watch {
    /// The time in nanoseconds, or one of the constants.
    end: AtomicU64,
    /// Whether it can have an end.
    pub(super) may_end: bool,
}

impl Watch {
    fn set(&self, end: Option<Time>) {
        self.end.store(nanoseconds(end), Ordering::Release);
    }

    /// From when on there is nothing to wait for; `None` if it has no end.
    pub(super) fn end(&self) -> Option<Time> {
        let end = self.end.load(Ordering::Acquire);
        (self.may_end && end < NEVER).then(|| Duration::from_nanos(end))
    }

    /// Whether there is nothing to wait for at this moment.
    pub(super) fn is_over(&self, now: Time) -> bool {
        self.end().is_some_and(|end| end <= now)
    }

    /// Whether the value no longer exists.
    pub(super) fn is_gone(&self) -> bool {
        self.end.load(Ordering::Acquire) == GONE
    }
}

/// As [`Watch`] has it. The longest time is none.
fn nanoseconds(end: Option<Time>) -> u64 {
    end.map_or(NEVER, |end| sync::nanoseconds(end).max(OVER))
}

/// The place in a value for what poll sets know of it. Dropping it says that the value is gone.
///
/// It is made without a lock at its first use: a child that is forked meanwhile may use the value of its parent as well.
#[derive(Default)]
pub(crate) struct Watched(AtomicPtr<Watch>);

impl Watched {
    /// What is known of the value, for a poll set. `end` is that of the value now, if it can have one.
    pub(crate) fn share(&self, end: Option<Option<Time>>) -> Arc<Watch> {
        if let Some(watch) = self.get() {
            return Arc::clone(&watch);
        }
        let new = Arc::new(Watch { end: nanoseconds(end.flatten()).into(), may_end: end.is_some() });
        let own = Arc::into_raw(new.clone()).cast_mut();
        if self.0.compare_exchange(ptr::null_mut(), own, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return new;
        }
        // SAFETY: it is from `into_raw`, and was not published.
        drop(unsafe { Arc::from_raw(own) });
        self.get().map_or(new, |first| Arc::clone(&first))
    }

    /// What was shared.
    fn get(&self) -> Option<ManuallyDrop<Arc<Watch>>> {
        let own = self.0.load(Ordering::Acquire);
        // SAFETY: it is from `into_raw`, and its reference is released only by `drop`; this one is not.
        (!own.is_null()).then(|| ManuallyDrop::new(unsafe { Arc::from_raw(own) }))
    }

    /// Sets the end: zero if the value is over. Returns whether a poll set may wait at the value.
    pub(crate) fn set_end(&self, end: Option<Time>) -> bool {
        self.get().is_some_and(|watch| {
            watch.set(end);
            Arc::strong_count(&watch) > 1
        })
    }

    /// Says that the value is gone.
    pub(crate) fn leave(&self) {
        if let Some(watch) = self.get() {
            watch.end.store(GONE, Ordering::Release);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.leave();
        // No call uses it any more.
        self.get().map(ManuallyDrop::into_inner);
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;

    #[test]
    fn threads_that_share_a_value_for_the_first_time_share_one_watch() {
        for _ in 0..100 {
            let watched = Watched::default();
            let start = std::sync::Barrier::new(3);
            let share = || {
                start.wait();
                watched.share(Some(None))
            };
            let watches = std::thread::scope(|scope| {
                [scope.spawn(share), scope.spawn(share), scope.spawn(share)].map(|one| one.join().unwrap())
            });
            assert!(watches.iter().all(|watch| Arc::ptr_eq(watch, &watches[0])));
            assert!(
                watched.set_end(Some(Time::ZERO)) && watches[0].end() == Some(Duration::from_nanos(OVER))
            );
            assert_eq!(Arc::strong_count(&watches[0]), 4);
            drop(watched);
            assert!(watches[0].is_gone());
            assert_eq!(Arc::strong_count(&watches[0]), 3);
        }
    }

    #[test]
    fn a_value_that_is_not_shared_has_no_watch() {
        let watched = Watched::default();
        assert!(!watched.set_end(None));
        let watch = watched.share(None);
        assert!(watched.set_end(None));
        drop(watch);
        assert!(!watched.set_end(None));
    }
}
