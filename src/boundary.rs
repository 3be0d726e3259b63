//! The boundary between C and Rust: every entry point runs inside one of these functions.
//!
//! Owns `errno`, the rule that no panic crosses into C, and cancellation: pthread_cancel(3) can end
//! a thread only where a call sleeps, when no Rust frame on its stack has a destructor to run. Does
//! not depend on what the entry points do.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use scaproust::ffi::error::Error;
use scaproust::ffi::socket::BlockingCall;
use scaproust::ffi::sync::{CancelState, CancellationCleanup, Sleep, Uncancellable};

/// Runs the body of a C entry point that is not a cancellation point.
///
/// On an error it sets `errno` and returns `failure`. A panic is a defect of this library and must
/// not end the host process: it also returns `failure`, with `errno` set to `ENOTRECOVERABLE`,
/// since the state of the socket or message is unknown. On success `errno` is left as it is.
#[inline]
pub(super) fn call<T>(failure: T, body: impl FnOnce() -> Result<T, Error>) -> T {
    let _uncancellable = Uncancellable::begin();
    guarded(body).unwrap_or_else(|errno| fail(errno, failure))
}

/// Runs `body`; returns an error number when it fails or panics.
#[inline]
fn guarded<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, c_int> {
    contained(body)?.map_err(Error::errno)
}

/// Runs `body`; returns an error number when it panics.
#[inline]
fn contained<T>(body: impl FnOnce() -> T) -> Result<T, c_int> {
    // Unwind safety: data that a body shares with other calls is protected by the socket layer's
    // locks, and a caller's message memory is returned to it by guards.
    catch_unwind(AssertUnwindSafe(body)).map_err(|_panic| libc::ENOTRECOVERABLE)
}

fn fail<T>(errno: c_int, failure: T) -> T {
    // SAFETY: the location is the calling thread's own, and always valid.
    unsafe { *errno_location() = errno };
    failure
}

/// A sleeping call. It is on the heap, so that it is still valid when its thread is cancelled.
#[repr(C)]
pub(super) struct SuspendedCall<B> {
    cleanup: CancellationCleanup,
    /// The cancellation state of the thread before the call.
    state: CancelState,
    call: B,
}

/// The state of a call.
pub(super) enum CallState<B> {
    /// It has returned this value.
    Done(c_int),
    /// Nothing was done: the call must test whether its thread is cancelled, and begin again.
    Untested,
    /// It has to sleep.
    Asleep(*mut SuspendedCall<B>),
}

/// As [`call`], for a body that may block. The call is a cancellation point when it sleeps, when it
/// fails, and from time to time before it begins; never when it has sent or received a message. An
/// entry point that takes longer than the test, or whose body never asks for it, tests first. The body
/// itself must not be cancelled: code in it that makes system calls disables cancellation.
///
/// At a cancellation point neither this function's frame nor the entry point's has anything to drop: a
/// `body` that is `Copy` has nothing.
#[inline]
pub(super) fn blocking<B: BlockingCall<Output = c_int>>(
    body: impl Fn() -> Result<CallState<B>, Error> + Copy,
) -> c_int {
    loop {
        if let Some(value) = tried(body) {
            return value;
        }
        // SAFETY: as stated above.
        unsafe { CancelState::test() };
    }
}

/// What [`blocking`] returns; `None` if it must test first whether the thread is cancelled.
#[inline]
fn tried<B: BlockingCall<Output = c_int>>(
    body: impl FnOnce() -> Result<CallState<B>, Error>,
) -> Option<c_int> {
    let mut suspended = std::ptr::null_mut();
    // One word: what `catch_unwind` returns passes through memory, and a processor waits when it loads as a whole what was stored
    // in parts.
    let outcome = contained(|| match body() {
        Ok(CallState::Done(value)) => word(value),
        Ok(CallState::Untested) => UNTESTED,
        Ok(CallState::Asleep(call)) => {
            suspended = call;
            ASLEEP
        }
        Err(error) => failed(error.errno()),
    })
    .unwrap_or_else(failed);
    if outcome & ASLEEP != 0 {
        return Some(sleep_and_resume(suspended));
    }
    if outcome & UNTESTED != 0 {
        return None;
    }
    let value = outcome as u32 as c_int;
    if outcome & FAILED != 0 {
        // SAFETY: no frame up to C has anything to drop, as stated at `blocking`.
        unsafe { CancelState::test() };
        return Some(fail(value, -1));
    }
    Some(value)
}

/// Flags of the outcome of a call, beside its value or error number.
const FAILED: u64 = 1 << 32;
const UNTESTED: u64 = 1 << 33;
const ASLEEP: u64 = 1 << 34;

/// The outcome of a call that fails with this error number.
fn failed(errno: c_int) -> u64 {
    word(errno) | FAILED
}

/// A value in the lower half of a word.
fn word(value: c_int) -> u64 {
    u64::from(value.cast_unsigned())
}

/// Runs a call until it ends or has to sleep; for the sleep it is moved to the heap.
///
/// # Errors
/// Those of the call.
#[cold]
pub(super) fn suspend<B: BlockingCall<Output = c_int>>(call: B) -> Result<CallState<B>, Error> {
    let state = CancelState::DISABLED.set();
    let result = begin(call, state);
    if !matches!(result, Ok(CallState::Asleep(_))) {
        state.set();
    }
    result
}

/// As [`suspend`], with cancellation disabled; `state` is the one before. A call that has ended is dropped in here: that may
/// wake the I/O thread or close a descriptor, and both are cancellation points.
fn begin<B: BlockingCall<Output = c_int>>(mut call: B, state: CancelState) -> Result<CallState<B>, Error> {
    if let Some(value) = call.proceed()? {
        return Ok(CallState::Done(value));
    }
    let mut place = Vec::new();
    if place.try_reserve_exact(1).is_err() {
        // Out of memory: it sleeps on the stack, with cancellation disabled.
        call.sleep().into_iter().for_each(Sleep::run);
        return call.finish().map(CallState::Done);
    }
    place.push(SuspendedCall { cleanup: CancellationCleanup { discard: discard::<B> }, state, call });
    let suspended = Vec::leak(place).as_mut_ptr();
    // SAFETY: `resume` clears the entry before it frees the call.
    if !unsafe { CancellationCleanup::register(suspended.cast()) } {
        // SAFETY: as above. The call sleeps nevertheless, with cancellation disabled.
        unsafe { (*suspended).state = CancelState::DISABLED };
    }
    Ok(CallState::Asleep(suspended))
}

/// Sleeps and resumes until the call ends. A cancelled thread ends in here.
fn sleep_and_resume<B: BlockingCall<Output = c_int>>(suspended: *mut SuspendedCall<B>) -> c_int {
    loop {
        // SAFETY: the call belongs to this thread until `resume` frees it or the thread is cancelled. Neither this
        // frame nor any other up to C has a destructor to run.
        unsafe {
            let sleep = (*suspended).call.sleep().map_or(std::ptr::null_mut(), std::ptr::from_mut);
            let state = (*suspended).state;
            if sleep.is_null() {
                state.set();
                CancelState::test();
                CancelState::DISABLED.set();
            } else {
                Sleep::run_in(sleep, state);
            }
        }
        match resume(suspended) {
            Ok(None) => {}
            Ok(Some(value)) => return value,
            Err(errno) => {
                // The signal of a request may have ended the sleep: musl sends it also where cancellation is disabled.
                // SAFETY: `resume` has freed the call, and nothing else is to be dropped, as stated above.
                unsafe { CancelState::test() };
                return fail(errno, -1);
            }
        }
    }
}

/// Resumes a call after a sleep, and frees it unless it has to sleep again.
fn resume<B: BlockingCall<Output = c_int>>(suspended: *mut SuspendedCall<B>) -> Result<Option<c_int>, c_int> {
    // SAFETY: the caller passes a live call of this thread.
    let result = guarded(|| unsafe { (*suspended).call.proceed() });
    if !matches!(result, Ok(None)) {
        // SAFETY: as above; the call is not used afterwards.
        unsafe {
            let state = (*suspended).state;
            CancellationCleanup::register(std::ptr::null_mut());
            let _ = guarded(|| {
                discard::<B>(suspended.cast());
                Ok(())
            });
            state.set();
        }
    }
    result
}

/// Frees a suspended call.
///
/// # Safety
/// `suspended` must be a `SuspendedCall<B>` made by [`suspend`], and must not be used afterwards.
unsafe fn discard<B>(suspended: *mut CancellationCleanup) {
    // SAFETY: `suspend` allocated it as a vector of one element.
    drop(unsafe { Vec::from_raw_parts(suspended.cast::<SuspendedCall<B>>(), 1, 1) });
}

/// The calling thread's `errno`.
pub(super) fn errno() -> c_int {
    // SAFETY: as in `call`.
    unsafe { *errno_location() }
}

fn errno_location() -> *mut c_int {
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    use libc::__errno as location;
    #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "redox"))]
    use libc::__errno_location as location;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly"))]
    use libc::__error as location;
    #[cfg(windows)]
    unsafe extern "C" {
        #[link_name = "_errno"]
        fn location() -> *mut c_int;
    }

    // SAFETY: the function has no preconditions.
    unsafe { location() }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_error_becomes_errno_and_the_failure_value() {
        assert_eq!(call(-1, || Err(Error::WrongState)), -1);
        assert_eq!(errno(), Error::WrongState.errno());
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let result = call(-1, || panic!("a panic that the test asked for"));
        assert_eq!((result, errno()), (-1, libc::ENOTRECOVERABLE));
    }

    #[test]
    #[cfg(not(any(windows, target_os = "android")))]
    fn a_call_is_dropped_while_its_thread_cannot_be_cancelled() {
        struct Ending<'a>(Option<c_int>, &'a Cell<Option<CancelState>>);
        impl BlockingCall for Ending<'_> {
            type Output = c_int;

            fn proceed(&mut self) -> Result<Option<c_int>, Error> {
                self.0.map(Some).ok_or(Error::Closed)
            }

            fn sleep(&mut self) -> Option<&mut Sleep> {
                None
            }
        }
        impl Drop for Ending<'_> {
            fn drop(&mut self) {
                self.1.set(Some(CancelState::DISABLED.set()));
            }
        }
        for (outcome, value) in [(Some(7), 7), (None, -1)] {
            let state = Cell::new(None);
            assert_eq!(blocking(|| suspend(Ending(outcome, &state))), value);
            assert_eq!(state.get(), Some(CancelState::DISABLED));
        }
    }

    #[test]
    fn success_leaves_errno_alone() {
        assert_eq!(call(-1, || Err(Error::Closed)), -1);
        assert_eq!(call(-1, || Ok(7)), 7);
        assert_eq!(errno(), libc::EBADF);
    }
}
