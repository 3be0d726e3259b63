//! The locks of the standard library, of loom or of the simulated machine, each with its [`Rank`].
//!
//! Poisoning is ignored: the next operation repairs what a panic has left under a lock, and the program must be able
//! to close its sockets.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};
use std::time::Duration;

#[cfg(simulated)]
use crate::machine as library;
#[cfg(loom)]
use loom::sync as library;
#[cfg(not(any(loom, simulated)))]
use std::sync as library;

use super::rank::{Held, Rank};

pub(crate) use library::Condvar;

/// A value that one thread at a time may access.
#[derive(Debug)]
pub(crate) struct Mutex<T, R> {
    inner: library::Mutex<T>,
    rank: PhantomData<R>,
}

/// A value that one thread may change, or any number of threads may read.
#[derive(Debug)]
pub(crate) struct RwLock<T, R> {
    inner: library::RwLock<T>,
    rank: PhantomData<R>,
}

/// A held lock; dropping it releases the lock.
pub(crate) struct Locked<G, R: Rank> {
    guard: G,
    held: Held<R>,
}

/// A held mutex.
pub(crate) type MutexGuard<'a, T, R> = Locked<library::MutexGuard<'a, T>, R>;

impl<T, R: Rank> Mutex<T, R> {
    /// A mutex that is free.
    pub(crate) fn new(value: T) -> Mutex<T, R> {
        Mutex { inner: library::Mutex::new(value), rank: PhantomData }
    }

    /// As [`lock`], but with another rank: for a second lock of the same type, in an order that the caller guarantees.
    pub(crate) fn lock_as<Other: Rank>(&self) -> MutexGuard<'_, T, Other> {
        let held = Other::acquire();
        Locked { guard: self.inner.lock().unwrap_or_else(PoisonError::into_inner), held }
    }
}

impl<T: Default, R: Rank> Default for Mutex<T, R> {
    fn default() -> Mutex<T, R> {
        Mutex::new(T::default())
    }
}

/// Takes a lock.
pub(crate) fn lock<T, R: Rank>(mutex: &Mutex<T, R>) -> MutexGuard<'_, T, R> {
    mutex.lock_as()
}

/// Takes a lock if it is free.
pub(crate) fn try_lock<T, R: Rank>(mutex: &Mutex<T, R>) -> Option<MutexGuard<'_, T, R>> {
    let guard = match mutex.inner.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    Some(Locked { guard, held: R::note_acquired() })
}

/// Releases a lock until the condition is notified or the time is over, and takes it again. Returns whether the time
/// was over.
pub(crate) fn wait_timeout<'a, T, R: Rank>(
    condition: &Condvar,
    Locked { guard, held }: MutexGuard<'a, T, R>,
    time: Duration,
) -> (MutexGuard<'a, T, R>, bool) {
    drop(held);
    let held = R::acquire();
    let waited = condition.wait_timeout(guard, time);
    let (guard, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
    (Locked { guard, held }, outcome.timed_out())
}

impl<T, R: Rank> RwLock<T, R> {
    /// A lock that is free.
    pub(crate) fn new(value: T) -> RwLock<T, R> {
        RwLock { inner: library::RwLock::new(value), rank: PhantomData }
    }

    /// Takes the lock to read the value.
    pub(crate) fn read(&self) -> Locked<library::RwLockReadGuard<'_, T>, R> {
        let held = R::acquire();
        Locked { guard: self.inner.read().unwrap_or_else(PoisonError::into_inner), held }
    }

    /// Takes the lock to change the value.
    pub(crate) fn write(&self) -> Locked<library::RwLockWriteGuard<'_, T>, R> {
        let held = R::acquire();
        Locked { guard: self.inner.write().unwrap_or_else(PoisonError::into_inner), held }
    }
}

impl<G: Deref, R: Rank> Deref for Locked<G, R> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut, R: Rank> DerefMut for Locked<G, R> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}
