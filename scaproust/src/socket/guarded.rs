//! A value behind the entry lock of its socket.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

use crate::sync::EntryLock;

/// A value that is used under an entry lock.
pub(super) struct Guarded<T> {
    entry: &'static EntryLock,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by one thread at a time, who has the lock.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    /// The value belongs to this entry lock from now on. Others may be behind it too: the lock is theirs
    /// as well.
    pub(super) fn new(entry: &'static EntryLock, value: T) -> Guarded<T> {
        Guarded { entry, value: UnsafeCell::new(value) }
    }

    /// Takes the lock. A panic under it does not spread: what it protects is put right again by
    /// the next operation, and the host must be able to close its sockets.
    pub(super) fn lock(&self) -> Guard<'_, T> {
        self.entry.lock();
        Guard(self)
    }

    /// Takes the lock if it is free.
    pub(super) fn try_lock(&self) -> Option<Guard<'_, T>> {
        // A guard that is not to be would give back a lock that another thread has.
        if self.entry.try_lock() { Some(Guard(self)) } else { None }
    }

    /// For who has taken the lock by entering.
    ///
    /// # Safety
    /// The caller has the lock, and no other guard.
    pub(super) unsafe fn locked(&self) -> Guard<'_, T> {
        Guard(self)
    }
}

/// The lock, which is given back when this goes.
pub(super) struct Guard<'a, T>(&'a Guarded<T>);

impl<T> Guard<'_, T> {
    /// Does not give the lock back: the caller does, in his way.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: we have the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: we have the lock.
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
    fn a_lock_that_is_taken_stays_so_when_another_thread_tries() {
        let entry = Box::leak(Box::new(EntryLock::new()));
        let guarded = Guarded::new(entry, 0);
        let held = guarded.lock();
        assert!(guarded.try_lock().is_none());
        assert!(guarded.try_lock().is_none());
        drop(held);
        assert!(guarded.try_lock().is_some());
    }
}
