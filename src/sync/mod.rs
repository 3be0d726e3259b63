//! Waiting, locking and time: the platform as the rest of the library sees it.
//!
//! Owns the futex shim, the [`Event`] that blocked calls sleep on, the monotonic clock and state
//! that starts anew after a fork. Must not know messages, pipes or sockets. With `--cfg loom` the
//! atomics and locks are loom's, so that the lock-free parts can be explored exhaustively.

mod alarm;
mod door;
mod event;
mod futex;
mod latch;
#[cfg(not(loom))]
mod level;
mod pace;
mod per_process;
mod spin;
mod unload;

pub(crate) use alarm::{Alarm, Watched, await_readable};
pub(crate) use door::Door;
pub(crate) use event::{Event, Ticket, Wake};
pub(crate) use futex::Futex;
#[cfg(loom)]
pub(crate) use latch::model::{Held, Latch};
#[cfg(not(loom))]
pub(crate) use latch::{Held, Latch};
pub(crate) use pace::Pace;
pub(crate) use per_process::PerProcess;
pub(crate) use spin::{Spin, let_others_proceed};
pub(crate) use unload::keep;

use std::time::Duration;

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

/// Keeps what one thread writes often away from what another one reads often: on cache lines of
/// its own, two of them, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

impl<T> std::ops::Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Stores a value, and only then lets loads happen that come later, if they and what they look
/// for are sequentially consistent.
///
/// The same as a store and a fence, and on most processors cheaper. loom knows no such stores.
pub(crate) fn store_then_load(word: &atomic::AtomicUsize, value: usize) {
    if cfg!(loom) {
        word.store(value, atomic::Ordering::Release);
        atomic::fence(atomic::Ordering::SeqCst);
    } else {
        word.swap(value, atomic::Ordering::SeqCst);
    }
}

/// Takes a lock. A panic under it does not spread: what the locks protect is put right again by
/// the next operation, and the host must be able to close its sockets.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The present moment on the monotonic clock.
pub(crate) fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing; the monotonic clock exists on every Unix.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Runs `start` with every signal blocked, so that the threads it starts take none: the host's
/// handlers run on the host's threads.
pub(crate) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let mut all = std::mem::MaybeUninit::uninit();
    let mut before = std::mem::MaybeUninit::uninit();
    // SAFETY: both sets are valid for writing, and `all` is filled before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let result = start();
    // SAFETY: `before` was filled by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    result
}
