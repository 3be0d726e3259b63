//! Waiting, locking and time: the platform as the rest of the library sees it.
//!
//! Owns the futex shim, the [`Event`] that blocked calls sleep on, the monotonic clock and state
//! that starts anew after a fork. Must not know messages, pipes or sockets. With `--cfg loom` the
//! atomics and locks are loom's, so that the lock-free parts can be explored exhaustively.

mod alarm;
mod entry_lock;
mod event;
mod futex;
#[cfg(not(loom))]
mod level;
mod pause_policy;
mod per_process;
mod processors;
mod sleep;
mod spin;
#[cfg_attr(loom, allow(dead_code, reason = "its model takes its place"))]
mod spin_lock;
mod system;
mod thread;
mod unload;

pub(crate) use alarm::Notifier;
pub(crate) use entry_lock::EntryLock;
pub(crate) use event::{Epoch, Event, Sleeper};
pub(crate) use futex::Futex;
pub(crate) use pause_policy::PausePolicy;
pub(crate) use per_process::PerProcess;
pub use sleep::Sleep;
pub(crate) use sleep::Wake;
pub(crate) use spin::{Spin, Wait, let_others_proceed};
#[cfg(loom)]
pub(crate) use spin_lock::model::{SpinGuard, SpinLock};
#[cfg(not(loom))]
pub(crate) use spin_lock::{SpinGuard, SpinLock};
pub use system::{Abandoned, CancelState, Uncancellable};
pub(crate) use system::{
    Descriptor, Polled, SignalMask, above_standard, is_standard, now, poll, print, without_signals,
};
pub(crate) use thread::Thread;
pub(crate) use unload::{before_exit, before_unload, keep};

#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};

/// Keeps what one thread writes often away from what another one reads often: on cache lines of
/// its own, two of them, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(crate) T);

impl<T> std::ops::Deref for CachePadded<T> {
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

/// Runs a step that others must follow, whatever becomes of it; a panic in it goes no further.
pub(crate) fn contained<T>(step: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).ok()
}

/// Tells the calling thread from all others that run now.
pub(crate) fn thread_address() -> usize {
    // It has no destructor, so it is there as long as the thread is.
    thread_local!(static PLACE: u8 = const { 0 });
    PLACE.try_with(std::ptr::from_ref).map_or(0, <*const u8>::addr)
}

/// Takes a lock. A panic under it does not spread: what the locks protect is put right again by
/// the next operation, and the host must be able to close its sockets.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`lock`], if the lock is free.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}
