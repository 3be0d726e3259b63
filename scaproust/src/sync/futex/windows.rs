//! The futex on Windows: WaitOnAddress. There are no signals.

use std::time::Duration;

use windows_sys::Win32::System::Threading::{INFINITE, WaitOnAddress, WakeByAddressAll, WakeByAddressSingle};

use crate::sync::Wake;
use crate::sync::atomic::AtomicU32;
use crate::sync::now;

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
        let time = deadline.map_or(INFINITE, |deadline| {
            let left = deadline.saturating_sub(now()).as_micros().div_ceil(1000);
            u32::try_from(left).unwrap_or(INFINITE).min(INFINITE - 1)
        });
        let (word, expected) = (self.word.as_ptr().cast_const().cast(), (&raw const expected).cast());
        // SAFETY: the word and the expected value live across the call; both have four bytes.
        let is_woken = unsafe { WaitOnAddress(word, expected, size_of::<u32>(), time) } != 0;
        match deadline {
            Some(deadline) if !is_woken && deadline <= now() => Wake::TimedOut,
            _ => Wake::Woken,
        }
    }

    /// Wakes one sleeper if `count` is one, and otherwise all of them.
    pub(crate) fn wake(&self, count: i32) {
        let word = self.word.as_ptr().cast_const().cast();
        // SAFETY: the word is not accessed here; its address names the sleepers.
        unsafe { if count == 1 { WakeByAddressSingle(word) } else { WakeByAddressAll(word) } }
    }
}
