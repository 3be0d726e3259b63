//! What a poll set knows of a value that it waits at, besides the value's socket.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::protocol::Time;
use crate::sync;
use crate::sync::atomic::{AtomicU64, Ordering};

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
#[derive(Default)]
pub(crate) struct Watched(OnceLock<Arc<Watch>>);

impl Watched {
    /// What is known of the value, for a poll set. `end` is that of the value now, if it can have one.
    pub(crate) fn share(&self, end: Option<Option<Time>>) -> Arc<Watch> {
        let new = || Arc::new(Watch { end: nanoseconds(end.flatten()).into(), may_end: end.is_some() });
        self.0.get_or_init(new).clone()
    }

    /// Sets the end: zero if the value is over. Returns whether a poll set may wait at the value.
    pub(crate) fn set_end(&self, end: Option<Time>) -> bool {
        self.0.get().is_some_and(|watch| {
            watch.set(end);
            Arc::strong_count(watch) > 1
        })
    }

    /// Says that the value is gone.
    pub(crate) fn leave(&self) {
        if let Some(watch) = self.0.get() {
            watch.end.store(GONE, Ordering::Release);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.leave();
    }
}
