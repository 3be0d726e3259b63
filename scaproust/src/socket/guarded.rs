//! A value protected by the entry lock of its socket.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

use crate::sync::EntryLock;

/// A value protected by an entry lock.
pub(super) struct Guarded<T> {
    entry: &'static EntryLock,
    value: UnsafeCell<T>,
}

// SAFETY: only the thread that holds the lock reaches the value.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    /// A value protected by this entry lock, which may protect others too.
    pub(super) fn new(entry: &'static EntryLock, value: T) -> Guarded<T> {
        Guarded { entry, value: UnsafeCell::new(value) }
    }

    /// Takes the lock. It is not poisoned by a panic: the next operation makes the value consistent again,
    /// and the program must be able to close its sockets.
    pub(super) fn lock(&self) -> Guard<'_, T> {
        self.entry.lock();
        Guard(self)
    }

    /// Takes the lock if it is free.
    pub(super) fn try_lock(&self) -> Option<Guard<'_, T>> {
        // Not `then_some`: it would drop an unwanted guard, which releases the lock of another thread.
        if self.entry.try_lock() { Some(Guard(self)) } else { None }
    }

    /// A guard for a caller that has taken the lock by entering.
    ///
    /// # Safety
    /// The caller holds the lock, and has no other guard.
    pub(super) unsafe fn assume_locked(&self) -> Guard<'_, T> {
        Guard(self)
    }
}

/// Holds the lock. Dropping it releases the lock.
pub(super) struct Guard<'a, T>(&'a Guarded<T>);

impl<T> Guard<'_, T> {
    /// Drops the guard without releasing the lock, which the caller does by other means.
    pub(super) fn keep_locked(self) {
        std::mem::forget(self);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.0.entry.unlock();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_failed_try_lock_does_not_release_the_lock() {
        let entry = Box::leak(Box::new(EntryLock::new()));
        let guarded = Guarded::new(entry, 0);
        let held = guarded.lock();
        assert!(guarded.try_lock().is_none());
        assert!(guarded.try_lock().is_none());
        drop(held);
        assert!(guarded.try_lock().is_some());
    }
}
