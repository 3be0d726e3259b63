//! Cancellation: pthread_cancel(3) ends a thread inside a system call that is a cancellation point.
//!
//! glibc unwinds the thread's stack then, other C libraries leave it as it is. Rust frames that have
//! something to drop bear neither. So a thread is not cancelled inside the library but in one place,
//! where a call of the C face sleeps: there no such frame is left, and what the call still has is
//! remembered as [`Abandoned`].

use std::ffi::{c_int, c_void};
use std::panic::catch_unwind;

use crate::sync::PerProcess;

/// Whether a thread can be cancelled.
#[derive(Clone, Copy, Debug)]
pub struct CancelState(c_int);

impl CancelState {
    /// It cannot: a request waits.
    pub const DISABLED: CancelState = CancelState(if cfg!(target_vendor = "apple") { 0 } else { 1 });

    /// Makes this the state of the thread; answers the one before. No cancellation point.
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

    /// A cancellation point: ends the thread if that was asked for.
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

/// The thread cannot be cancelled while this lives.
#[derive(Debug)]
pub struct Uncancellable(CancelState);

impl Uncancellable {
    /// Begins now.
    pub fn begin() -> Uncancellable {
        Uncancellable(CancelState::DISABLED.set())
    }
}

impl Drop for Uncancellable {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// What a sleeping call has, for the case that its thread is cancelled: the first thing in it says
/// how it is discarded. That is done when the thread's clean-up handlers have run.
#[derive(Debug)]
#[repr(C)]
pub struct Abandoned {
    /// Discards it.
    pub discard: unsafe fn(*mut Abandoned),
}

static KEY: PerProcess<Key> = PerProcess::new(Key::new);

/// The key of what this thread would abandon; none if the system has none to spare.
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
            // SAFETY: the key is ours, and nothing is left behind it: no thread is inside the library.
            unsafe { libc::pthread_key_delete(key) };
        }
    }
}

unsafe extern "C" fn discard(abandoned: *mut c_void) {
    let _uncancellable = Uncancellable::begin();
    let abandoned = abandoned.cast::<Abandoned>();
    // SAFETY: as `remember` was promised; the thread has ended, and will not do it itself.
    let _ = catch_unwind(|| unsafe { ((*abandoned).discard)(abandoned) });
}

impl Abandoned {
    /// Has this discarded if the thread ends, instead of what was said before; null for nothing.
    /// Answers whether that can be.
    ///
    /// # Safety
    /// It must live until something else is said.
    pub unsafe fn remember(this: *mut Abandoned) -> bool {
        // SAFETY: the key is ours.
        KEY.get().0.is_some_and(|key| unsafe { libc::pthread_setspecific(key, this.cast()) } == 0)
    }
}
