//! A word that threads can sleep on until it changes.
//!
//! On Linux this is futex(2), always with a time-out: only then does a signal handler end the
//! wait even if it was installed with `SA_RESTART`. Elsewhere, and under loom, a lock and a
//! condition variable do the same but for signals.

use std::time::Duration;

use super::atomic::AtomicU32;
#[cfg(any(loom, not(target_os = "linux")))]
use super::{Mutex, atomic::Ordering, lock};

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Somebody woke us, or the word had changed before we slept.
    Woken,
    /// The deadline has passed.
    TimedOut,
    /// A signal handler ran.
    #[cfg_attr(any(loom, not(target_os = "linux")), expect(dead_code, reason = "only futex(2) tells"))]
    Interrupted,
}

/// An atomic word with sleepers.
#[derive(Debug)]
pub(crate) struct Futex {
    /// The word; whoever changes it calls [`Futex::wake`].
    pub(crate) word: AtomicU32,
    #[cfg(any(loom, not(target_os = "linux")))]
    lock: Mutex<()>,
    #[cfg(loom)]
    changed: loom::sync::Condvar,
    #[cfg(all(not(loom), not(target_os = "linux")))]
    changed: std::sync::Condvar,
}

impl Futex {
    /// A word that starts at zero.
    pub(crate) fn new() -> Futex {
        Futex {
            word: AtomicU32::new(0),
            #[cfg(any(loom, not(target_os = "linux")))]
            lock: Mutex::new(()),
            #[cfg(any(loom, not(target_os = "linux")))]
            changed: Default::default(),
        }
    }
}

#[cfg(all(not(loom), target_os = "linux"))]
impl Futex {
    /// Sleeps while the word is `expected`, until [`Futex::wake`], the deadline, or a signal.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Duration>) -> Wait {
        // A year stands for ever: a time-out there must be.
        let until = deadline.unwrap_or_else(|| super::now() + Duration::from_secs(365 * 24 * 3600));
        let until = libc::timespec {
            tv_sec: libc::time_t::try_from(until.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(until.subsec_nanos().cast_signed()),
        };
        // SAFETY: the word and the time live across the call; the kernel only reads them.
        let result = unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.word.as_ptr(),
                libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
                expected,
                &raw const until,
                std::ptr::null::<u32>(),
                libc::FUTEX_BITSET_MATCH_ANY,
            )
        };
        if result == 0 {
            return Wait::Woken;
        }
        match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::ETIMEDOUT) if deadline.is_some() => Wait::TimedOut,
            Some(libc::EINTR) => Wait::Interrupted,
            _ => Wait::Woken,
        }
    }

    /// Wakes at most `count` sleepers.
    pub(crate) fn wake(&self, count: i32) {
        // SAFETY: the kernel does not touch the word here, it only names the sleepers.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.word.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                count,
            );
        }
    }
}

#[cfg(any(loom, not(target_os = "linux")))]
impl Futex {
    /// Sleeps while the word is `expected`, until [`Futex::wake`] or the deadline.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Duration>) -> Wait {
        let guard = lock(&self.lock);
        if self.word.load(Ordering::SeqCst) != expected {
            return Wait::Woken;
        }
        match deadline {
            None => drop(self.changed.wait(guard)),
            Some(until) => {
                let left = until.saturating_sub(super::now());
                if left.is_zero() {
                    return Wait::TimedOut;
                }
                drop(self.changed.wait_timeout(guard, left));
            }
        }
        Wait::Woken
    }

    /// Wakes sleepers; more than asked for is allowed, since they look again.
    pub(crate) fn wake(&self, _count: i32) {
        // The lock orders this wake after a sleeper's look at the word.
        drop(lock(&self.lock));
        self.changed.notify_all();
    }
}
