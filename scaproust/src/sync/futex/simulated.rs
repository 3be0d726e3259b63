//! The futex of the simulated machine.

use std::time::Duration;

use crate::machine::{Key, block, point, wake};
use crate::sync::Wake;
use crate::sync::atomic::{AtomicU32, Ordering};

/// An atomic word with sleepers.
#[derive(Debug)]
pub(crate) struct Futex {
    /// The word. A thread that changes it must call [`Futex::wake`].
    pub(crate) word: AtomicU32,
}

impl Futex {
    /// A word that starts at zero.
    pub(crate) fn new() -> Futex {
        Futex { word: AtomicU32::new(0) }
    }

    /// Sleeps while the word is `expected`, until [`Futex::wake`] or the deadline.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Duration>) -> Wake {
        point();
        if self.word.load(Ordering::SeqCst) != expected || block(&[self.key()], deadline) {
            Wake::Woken
        } else {
            Wake::TimedOut
        }
    }

    /// Wakes at most `count` sleepers.
    pub(crate) fn wake(&self, count: i32) {
        point();
        wake(self.key(), count.unsigned_abs() as usize);
    }

    fn key(&self) -> Key {
        Key::Address(std::ptr::from_ref(self).addr())
    }
}
