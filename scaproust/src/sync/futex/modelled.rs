//! The futex as loom sees it.

use std::time::Duration;

use loom::sync::{Condvar, Mutex};

use crate::sync::Wake;
use crate::sync::atomic::{AtomicU32, Ordering};

/// An atomic word with sleepers.
#[derive(Debug)]
pub(crate) struct Futex {
    /// The word. A thread that changes it must call [`Futex::wake`].
    pub(crate) word: AtomicU32,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Futex {
    /// A word that starts at zero.
    pub(crate) fn new() -> Futex {
        Futex { word: AtomicU32::new(0), lock: Mutex::new(()), changed: Default::default() }
    }

    /// Sleeps while the word is `expected`, until [`Futex::wake`] or the deadline.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Duration>) -> Wake {
        let guard = self.lock.lock().unwrap();
        if self.word.load(Ordering::SeqCst) != expected {
            return Wake::Woken;
        }
        match deadline {
            None => drop(self.changed.wait(guard)),
            Some(until) => {
                let left = until.saturating_sub(crate::sync::now());
                if left.is_zero() {
                    return Wake::TimedOut;
                }
                drop(self.changed.wait_timeout(guard, left));
            }
        }
        Wake::Woken
    }

    /// Wakes all sleepers: more than `_count` is allowed, since they check again.
    pub(crate) fn wake(&self, _count: i32) {
        // The lock orders this wake after a sleeper's load of the word.
        drop(self.lock.lock().unwrap());
        self.changed.notify_all();
    }
}
