//! A spin lock for critical sections of a few instructions that hardly ever collide.
//!
//! Releasing it is a plain store: half the cost of a lock that wakes its waiters. A thread that finds it
//! taken spins, and then sleeps between two checks, twice as long each time: a short sleep can end at once
//! for a thread of real-time priority, and the holder, which it has preempted, must run. Do not call unknown
//! code in the critical section.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

#[cfg(not(any(loom, shuttle)))]
use std::time::Duration;

use super::atomic::{AtomicBool, Ordering};
use super::rank::{Held, Rank};

/// The longest sleep between two checks.
#[cfg(not(any(loom, shuttle)))]
const MAX_SLEEP: Duration = Duration::from_millis(1);

/// A value behind a spin lock.
pub(crate) struct SpinLock<T, R> {
    is_taken: AtomicBool,
    value: UnsafeCell<T>,
    rank: PhantomData<R>,
}

// SAFETY: only the thread that holds the lock reaches the value.
unsafe impl<T: Send, R> Sync for SpinLock<T, R> {}

impl<T, R: Rank> SpinLock<T, R> {
    /// A lock that is free, with this value.
    pub(crate) fn new(value: T) -> SpinLock<T, R> {
        SpinLock { is_taken: AtomicBool::new(false), value: UnsafeCell::new(value), rank: PhantomData }
    }

    /// Takes the lock.
    #[inline]
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn lock(&self) -> SpinGuard<'_, T, R> {
        R::check();
        loop {
            if let Some(held) = self.try_lock() {
                return held;
            }
            self.await_release();
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    fn try_lock(&self) -> Option<SpinGuard<'_, T, R>> {
        // Acquire: what was written under the lock before is seen.
        let taken = self.is_taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok().then(|| SpinGuard { lock: self, _held: R::note_acquired() })
    }

    #[cfg(not(any(loom, shuttle)))]
    #[cold]
    fn await_release(&self) {
        let mut spins = 0;
        let mut sleep = Duration::from_micros(1);
        while self.is_taken.load(Ordering::Relaxed) {
            if spins < 100 {
                spins += 1;
                std::hint::spin_loop();
            } else {
                let _uncancellable = crate::sync::Uncancellable::begin();
                crate::sync::pause(sleep);
                sleep = (2 * sleep).min(MAX_SLEEP);
            }
        }
    }
}

/// The held lock; dropping it releases the lock.
pub(crate) struct SpinGuard<'a, T, R: Rank> {
    lock: &'a SpinLock<T, R>,
    _held: Held<R>,
}

impl<T, R: Rank> Deref for SpinGuard<'_, T, R> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this thread holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T, R: Rank> DerefMut for SpinGuard<'_, T, R> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this thread holds the lock.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T, R: Rank> Drop for SpinGuard<'_, T, R> {
    fn drop(&mut self) {
        // Release: the next holder sees what was written under the lock.
        self.lock.is_taken.store(false, Ordering::Release);
    }
}

/// The lock that the rest of the library uses under loom and shuttle, which would explore spinning without
/// end: a blocking one.
#[cfg(any(loom, shuttle))]
pub(crate) mod model {
    use super::super::{Mutex, MutexGuard, lock};
    use super::Rank;

    pub(crate) type SpinGuard<'a, T, R> = MutexGuard<'a, T, R>;

    pub(crate) struct SpinLock<T, R>(Mutex<T, R>);

    impl<T, R: Rank> SpinLock<T, R> {
        pub(crate) fn new(value: T) -> SpinLock<T, R> {
            SpinLock(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> SpinGuard<'_, T, R> {
            lock(&self.0)
        }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::super::rank;
    use super::*;

    #[test]
    fn many_threads_take_turns() {
        const THREADS: usize = 4;
        const TURNS: usize = 20_000;
        let spin_lock = SpinLock::<_, rank::Lane>::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| (0..TURNS).for_each(|_| *spin_lock.lock() += 1));
            }
        });
        assert_eq!(*spin_lock.lock(), THREADS * TURNS);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::super::rank;
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;

    #[test]
    fn loom_one_thread_holds_the_lock() {
        loom::model(|| {
            let spin_lock = Arc::new(SpinLock::new(UnsafeCell::new(0)));
            // SAFETY: this thread holds the lock; loom checks that no other one does, and that each sees what
            // the one before has written.
            let add = |spin_lock: &SpinLock<UnsafeCell<u32>, rank::Lane>| {
                spin_lock.try_lock().map(|held| held.with_mut(|count| unsafe { *count += 1 })).is_some()
            };
            let other = spin_lock.clone();
            let thread = loom::thread::spawn(move || add(&other));
            let counted = u32::from(add(&spin_lock)) + u32::from(thread.join().unwrap());
            let held = spin_lock.try_lock();
            // SAFETY: as above.
            let count = held.expect("the lock is free").with(|count| unsafe { *count });
            assert!(count == counted && counted > 0);
        });
    }
}
