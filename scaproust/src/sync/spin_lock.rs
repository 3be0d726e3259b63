//! A lock that is held for a few instructions, and hardly ever wanted by two at once.
//!
//! Giving it back is a plain store: half of what a lock costs that wakes its sleepers. A thread that
//! finds it taken looks again some times, and then sleeps between two looks, longer each time: a
//! short sleep may be over at once for a thread of real-time priority, and the holder, which has lost
//! the processor to it, must run. Do not call anything unknown under it.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

#[cfg(not(loom))]
use std::time::Duration;

use super::atomic::{AtomicBool, Ordering};

/// The longest sleep between two looks.
#[cfg(not(loom))]
const LONGEST_SLEEP: Duration = Duration::from_millis(1);

/// A value behind a latch.
pub(crate) struct SpinLock<T> {
    is_taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time, who holds the latch.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// The value is behind a latch from now on.
    pub(crate) fn new(value: T) -> SpinLock<T> {
        SpinLock { is_taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Takes the latch.
    #[inline]
    #[cfg(not(loom))]
    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        loop {
            if let Some(held) = self.try_lock() {
                return held;
            }
            self.await_release();
        }
    }

    /// Takes the latch, if nobody holds it.
    #[inline]
    fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        // Acquire: what was done under it before is seen.
        let taken = self.is_taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok().then(|| SpinGuard(self))
    }

    #[cfg(not(loom))]
    #[cold]
    fn await_release(&self) {
        let mut looks = 0;
        let mut sleep = Duration::from_micros(1);
        while self.is_taken.load(Ordering::Relaxed) {
            if looks < 100 {
                looks += 1;
                std::hint::spin_loop();
            } else {
                let _uncancellable = crate::sync::Uncancellable::begin();
                std::thread::sleep(sleep);
                sleep = (2 * sleep).min(LONGEST_SLEEP);
            }
        }
    }
}

/// The latch, which is given back when this goes.
pub(crate) struct SpinGuard<'a, T>(&'a SpinLock<T>);

impl<T> Deref for SpinGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: we hold the latch.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: we hold the latch.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for SpinGuard<'_, T> {
    fn drop(&mut self) {
        // Release: whoever takes it next sees what was done under it.
        self.0.is_taken.store(false, Ordering::Release);
    }
}

/// What others use under loom, which would explore their spinning without end: a lock that one sleeps
/// at.
#[cfg(loom)]
pub(crate) mod model {
    use super::super::{Mutex, MutexGuard, lock};

    pub(crate) type SpinGuard<'a, T> = MutexGuard<'a, T>;

    pub(crate) struct SpinLock<T>(Mutex<T>);

    impl<T> SpinLock<T> {
        pub(crate) fn new(value: T) -> SpinLock<T> {
            SpinLock(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
            lock(&self.0)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn many_threads_take_turns() {
        const THREADS: usize = 4;
        const TURNS: usize = 20_000;
        let latch = SpinLock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| (0..TURNS).for_each(|_| *latch.lock() += 1));
            }
        });
        assert_eq!(*latch.lock(), THREADS * TURNS);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;

    #[test]
    fn loom_a_latch_is_held_by_one() {
        loom::model(|| {
            let latch = Arc::new(SpinLock::new(UnsafeCell::new(0)));
            // SAFETY: we hold the latch; loom watches that nobody else does, and that each sees what the
            // one before has done.
            let add = |latch: &SpinLock<UnsafeCell<u32>>| {
                latch.try_lock().map(|held| held.with_mut(|count| unsafe { *count += 1 })).is_some()
            };
            let other = latch.clone();
            let thread = loom::thread::spawn(move || add(&other));
            let counted = u32::from(add(&latch)) + u32::from(thread.join().unwrap());
            let held = latch.try_lock();
            // SAFETY: as above.
            let count = held.expect("nobody holds it").with(|count| unsafe { *count });
            assert!(count == counted && counted > 0);
        });
    }
}
