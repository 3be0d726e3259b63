//! Cancellation: pthread_cancel(3) ends a thread inside a system call that is a cancellation point.
//!
//! glibc unwinds the thread's stack then, other C libraries abandon it. Both are undefined behaviour for Rust
//! frames that have something to drop. So cancellation is disabled inside the library except in one place,
//! where a call of the C interface sleeps: there is no such frame then, and the state of the call is
//! registered as [`CancellationCleanup`].

use std::ffi::{c_int, c_void};
use std::panic::catch_unwind;

use crate::sync::PerProcess;

/// Whether a thread can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelState(c_int);

impl CancelState {
    /// It cannot: a request stays pending.
    pub const DISABLED: CancelState = CancelState(if cfg!(target_vendor = "apple") { 0 } else { 1 });

    /// Makes this the thread's state and returns the one before. Not a cancellation point.
    #[cfg(not(target_os = "android"))]
    pub fn set(self) -> CancelState {
        unsafe extern "C" {
            fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
        }
        let mut before = 0;
        // SAFETY: `before` is valid for writing.
        unsafe { pthread_setcancelstate(self.0, &raw mut before) };
        CancelState(before)
    }

    /// A cancellation point: ends the thread if a request is pending.
    ///
    /// # Safety
    /// If the thread can be cancelled, no frame up to the C caller's may have something to drop.
    #[cfg(not(target_os = "android"))]
    #[inline]
    pub unsafe fn test() {
        unsafe extern "C-unwind" {
            fn pthread_testcancel();
        }
        // SAFETY: as the caller promises.
        unsafe { pthread_testcancel() };
    }

    /// There is no cancellation.
    ///
    /// # Safety
    /// None is needed.
    #[cfg(target_os = "android")]
    pub unsafe fn test() {}

    /// There is no cancellation.
    #[cfg(target_os = "android")]
    pub fn set(self) -> CancelState {
        self
    }
}

/// A guard: the thread cannot be cancelled while it lives.
#[derive(Debug)]
pub struct Uncancellable(CancelState);

impl Uncancellable {
    /// Disables cancellation until the guard is dropped.
    pub fn begin() -> Uncancellable {
        Uncancellable(CancelState::DISABLED.set())
    }
}

impl Drop for Uncancellable {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// The first field of a sleeping call's state, which is discarded if the thread is cancelled, after the
/// thread's clean-up handlers have run.
#[derive(Debug)]
#[repr(C)]
pub struct CancellationCleanup {
    /// The function that discards the state.
    pub discard: unsafe fn(*mut CancellationCleanup),
}

static KEY: PerProcess<Key> = PerProcess::new(Key::new);

/// The pthread-specific key of the registered state; `None` if the system has no key to spare.
struct Key(Option<libc::pthread_key_t>);

impl Key {
    fn new() -> Key {
        let mut key = 0;
        // SAFETY: `key` is valid for writing.
        Key((unsafe { libc::pthread_key_create(&raw mut key, Some(discard)) } == 0).then_some(key))
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        if let Some(key) = self.0 {
            // SAFETY: the key was created here, and has no values: no thread is inside the library.
            unsafe { libc::pthread_key_delete(key) };
        }
    }
}

unsafe extern "C" fn discard(state: *mut c_void) {
    let _uncancellable = Uncancellable::begin();
    let cleanup = state.cast::<CancellationCleanup>();
    // SAFETY: `register` requires that it is alive; the thread ends, and does not use it any more.
    let _ = catch_unwind(|| unsafe { ((*cleanup).discard)(cleanup) });
}

impl CancellationCleanup {
    /// Registers the state to be discarded if the thread ends, in place of the one before; null for none.
    /// Returns whether that has succeeded.
    ///
    /// # Safety
    /// It must live until the next call of this function in the thread.
    pub unsafe fn register(this: *mut CancellationCleanup) -> bool {
        // SAFETY: the key was created by `Key::new`.
        KEY.get().0.is_some_and(|key| unsafe { libc::pthread_setspecific(key, this.cast()) } == 0)
    }
}
