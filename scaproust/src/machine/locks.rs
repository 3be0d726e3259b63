//! Locks as the standard library has them, for the threads of the machine.

use std::ops::{Deref, DerefMut};
use std::sync::{self, LockResult, PoisonError, TryLockError, TryLockResult};
use std::time::Duration;

use super::{Key, block, now, point, wake};

/// The key of an object.
fn key<T: ?Sized>(object: &T) -> Key {
    Key::Address(std::ptr::from_ref(object).addr())
}

/// A mutex.
#[derive(Debug)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// A held mutex.
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` once it is released.
    guard: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        point();
        loop {
            match self.try_lock() {
                Ok(guard) => return Ok(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Err(poisoned),
                Err(TryLockError::WouldBlock) => _ = block(&[key(self)], None),
            }
        }
    }

    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let held = |guard| MutexGuard { mutex: self, guard: Some(guard) };
        match self.0.try_lock() {
            Ok(guard) => Ok(held(guard)),
            Err(TryLockError::Poisoned(poisoned)) => {
                Err(PoisonError::new(held(poisoned.into_inner())).into())
            }
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("held until it is dropped")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("held until it is dropped")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.guard = None;
        wake(key(self.mutex), 1);
    }
}

/// A condition variable. Threads wait for its address, so it has a size.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    _place: u8,
}

/// Whether a wait has ended by its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar::default()
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let mutex = guard.mutex;
        let deadline = now() + time;
        drop(guard);
        let is_woken = block(&[key(self)], Some(deadline));
        let result = WaitTimeoutResult(!is_woken);
        match mutex.lock() {
            Ok(guard) => Ok((guard, result)),
            Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), result))),
        }
    }

    pub(crate) fn notify_all(&self) {
        wake(key(self), usize::MAX);
    }
}

/// A lock for one writer or many readers.
#[derive(Debug)]
pub(crate) struct RwLock<T>(sync::RwLock<T>);

/// A lock that is held to read.
pub(crate) struct RwLockReadGuard<'a, T>(&'a RwLock<T>, Option<sync::RwLockReadGuard<'a, T>>);

/// A lock that is held to write.
pub(crate) struct RwLockWriteGuard<'a, T>(&'a RwLock<T>, Option<sync::RwLockWriteGuard<'a, T>>);

impl<T> RwLock<T> {
    pub(crate) fn new(value: T) -> RwLock<T> {
        RwLock(sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        point();
        loop {
            match self.0.try_read() {
                Ok(guard) => return Ok(RwLockReadGuard(self, Some(guard))),
                Err(TryLockError::Poisoned(poisoned)) => {
                    return Err(PoisonError::new(RwLockReadGuard(self, Some(poisoned.into_inner()))));
                }
                Err(TryLockError::WouldBlock) => _ = block(&[key(self)], None),
            }
        }
    }

    pub(crate) fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        point();
        loop {
            match self.0.try_write() {
                Ok(guard) => return Ok(RwLockWriteGuard(self, Some(guard))),
                Err(TryLockError::Poisoned(poisoned)) => {
                    return Err(PoisonError::new(RwLockWriteGuard(self, Some(poisoned.into_inner()))));
                }
                Err(TryLockError::WouldBlock) => _ = block(&[key(self)], None),
            }
        }
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.1.as_ref().expect("held until it is dropped")
    }
}

impl<T> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.1 = None;
        wake(key(self.0), usize::MAX);
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.1.as_ref().expect("held until it is dropped")
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.1.as_mut().expect("held until it is dropped")
    }
}

impl<T> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.1 = None;
        wake(key(self.0), usize::MAX);
    }
}
