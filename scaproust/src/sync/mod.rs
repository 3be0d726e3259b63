//! Waiting, locking and time: the platform as the rest of the library sees it.
//!
//! Owns the locks, the [`Event`] that blocked calls sleep on, the monotonic clock and state that is
//! reset in a forked child. Must not know messages, pipes or sockets. With `--cfg loom` the atomics and
//! locks are loom's, which explores all interleavings of the lock-free parts. With `--cfg shuttle` the atomics
//! are shuttle's, which switches threads at each; all else is that of the simulated machine.

mod affinity;
mod entry_lock;
mod environment;
mod event;
mod futex;
mod locks;
mod notifier;
mod per_process;
mod processors;
mod random;
pub(crate) mod rank;
mod sleep;
mod spin;
#[cfg_attr(any(loom, shuttle), allow(dead_code, reason = "its model takes its place"))]
mod spin_lock;
mod system;
mod thread;
mod unload;
mod wakers;

pub(crate) use affinity::{may_run_on, run_on};
pub(crate) use entry_lock::EntryLock;
#[cfg(all(unix, not(simulated)))]
pub(crate) use environment::has_more_rights;
pub(crate) use environment::trusted;
pub(crate) use event::{Epoch, Event, Sleeper, TaskPlace};
pub(crate) use futex::Futex;
pub(crate) use locks::{Condvar, Mutex, MutexGuard, RwLock, lock, try_lock, wait_timeout};
pub(crate) use notifier::Notifier;
#[cfg(simulated)]
pub(crate) use per_process::forget_world;
pub(crate) use per_process::{OfProcess, PerProcess};
pub(crate) use processors::processors;
pub(crate) use random::random_number;
pub use sleep::Sleep;
pub(crate) use sleep::Wake;
pub(crate) use spin::{Spin, WaitKind, is_crowded, let_others_proceed};
#[cfg(any(loom, shuttle))]
pub(crate) use spin_lock::model::{SpinGuard, SpinLock};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use spin_lock::{SpinGuard, SpinLock};
#[cfg(not(simulated))]
pub(crate) use system::without_signals;
pub use system::{CancelState, CancellationCleanup, Uncancellable};
pub(crate) use system::{
    Descriptor, Polled, SignalMask, above_standard, is_standard, now, pause, poll, print, yield_now,
};
pub(crate) use thread::{Thread, start_detached};
pub(crate) use unload::{before_exit, before_unload, keep};
pub(crate) use wakers::{Wakers, pass_up, run_then_wake};

#[cfg(loom)]
pub(crate) use loom::sync::atomic;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::atomic;

use std::time::Duration;

/// Puts a value on cache lines of its own, to avoid false sharing; on two of them, since processors
/// prefetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub(crate) T);

impl<T> std::ops::Deref for CachePadded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Stores a value before any later load, provided that the load and the stores that it observes are
/// sequentially consistent.
///
/// The same as a store and a fence, and cheaper on most processors. loom does not model such stores.
pub(crate) fn store_then_load(word: &atomic::AtomicUsize, value: usize) {
    if cfg!(loom) {
        word.store(value, atomic::Ordering::Release);
        atomic::fence(atomic::Ordering::SeqCst);
    } else {
        word.swap(value, atomic::Ordering::SeqCst);
    }
}

/// A time in nanoseconds, for an atomic word.
#[inline]
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Runs `step` and catches a panic in it, so that the caller can continue; `None` if it panicked.
pub(crate) fn contained<T>(step: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).ok()
}

/// A number that identifies the calling thread among all running threads.
pub(crate) fn thread_address() -> usize {
    #[cfg(simulated)]
    return crate::machine::current_thread();
    #[cfg(not(simulated))]
    {
        // It has no destructor, so it exists until the thread ends.
        thread_local!(static PLACE: u8 = const { 0 });
        PLACE.try_with(std::ptr::from_ref).map_or(0, <*const u8>::addr)
    }
}
