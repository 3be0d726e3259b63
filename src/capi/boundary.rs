//! The one door between C and Rust.
//!
//! Owns `errno`, the rule that no panic crosses into C, and cancellation: pthread_cancel(3) ends a
//! thread where a call sleeps, with nothing of Rust's on its stack, and nowhere else. Must not know
//! what is called.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::socket::Blocked;
use crate::sync::{Abandoned, CancelState, Sleep, Uncancellable};

/// Runs the body of a C entry point, which is no cancellation point.
///
/// On an error `errno` is set and `failure` returned. So it is on a panic, which is a defect of
/// this library and must not end the host process: `errno` is then `ENOTRECOVERABLE`, since
/// nobody can say in which state the object of the call was left. On success `errno` means
/// nothing, as with any C function.
#[inline]
pub(super) fn call<T>(failure: T, body: impl FnOnce() -> Result<T, Error>) -> T {
    let _uncancellable = Uncancellable::begin();
    guarded(body).unwrap_or_else(|errno| fail(errno, failure))
}

/// Runs `body`; answers errno when it fails.
#[inline]
fn guarded<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, c_int> {
    // Unwind safety: what a body shares with other calls lies behind the socket layer's locks,
    // and what it borrowed from the caller is given back by guards.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.errno()),
        Err(_panic) => Err(libc::ENOTRECOVERABLE),
    }
}

fn fail<T>(errno: c_int, failure: T) -> T {
    // SAFETY: the location is the calling thread's own, and always valid.
    unsafe { *errno_location() = errno };
    failure
}

/// A call that sleeps, in memory of its own: there it outlives a thread that is cancelled.
#[repr(C)]
pub(super) struct Parked<B> {
    abandoned: Abandoned,
    /// Whether the caller's thread can be cancelled.
    state: CancelState,
    call: B,
}

/// How far a call has come.
pub(super) enum Progress<B> {
    /// It has answered. Whether this is to be a cancellation point is said too.
    Done(c_int, bool),
    /// It is to sleep.
    Asleep(*mut Parked<B>),
}

/// As [`call`], for a body that may block: the call is a cancellation point where it sleeps, when it
/// fails, and now and then when it does neither. The body is none: what makes a system call in it sees
/// to that itself.
///
/// The frames of this function and of the entry point have nothing to drop then: `body` is gone.
#[inline]
pub(super) fn blocking<B: Blocked<Output = c_int>>(
    body: impl FnOnce() -> Result<Progress<B>, Error>,
) -> c_int {
    match guarded(body) {
        Ok(Progress::Done(value, is_point)) => {
            if is_point {
                // SAFETY: as said above.
                unsafe { CancelState::test() };
            }
            value
        }
        Err(errno) => {
            // SAFETY: as said above.
            unsafe { CancelState::test() };
            fail(errno, -1)
        }
        Ok(Progress::Asleep(parked)) => sleep_and_go_on(parked),
    }
}

/// Goes on with a call until it is to sleep, and puts it aside for that.
///
/// # Errors
/// Those of the call.
#[cold]
pub(super) fn park<B: Blocked<Output = c_int>>(mut call: B) -> Result<Progress<B>, Error> {
    let state = CancelState::DISABLED.set();
    let result = match call.proceed() {
        Ok(Some(value)) => Ok(Progress::Done(value, true)),
        Err(error) => Err(error),
        Ok(None) => {
            let mut place = Vec::new();
            if place.try_reserve_exact(1).is_ok() {
                place.push(Parked { abandoned: Abandoned { discard: discard::<B> }, state, call });
                let parked = Vec::leak(place).as_mut_ptr();
                // SAFETY: `sleep_and_go_on` says otherwise before it goes.
                if !unsafe { Abandoned::remember(parked.cast()) } {
                    // SAFETY: as above. It sleeps even so, but cannot be cancelled.
                    unsafe { (*parked).state = CancelState::DISABLED };
                }
                return Ok(Progress::Asleep(parked));
            }
            // Without memory it sleeps where it is, and cannot be cancelled.
            call.sleep().into_iter().for_each(Sleep::run);
            call.finish().map(|value| Progress::Done(value, true))
        }
    };
    state.set();
    result
}

/// Sleeps and goes on, to the end of the call. The thread is ended in here if it is cancelled.
fn sleep_and_go_on<B: Blocked<Output = c_int>>(parked: *mut Parked<B>) -> c_int {
    loop {
        // SAFETY: it is this thread's until `go_on` ends it, or the thread is cancelled. Nothing here, nor in the
        // frames up to C, has a destructor.
        unsafe {
            let sleep = (*parked).call.sleep().map_or(std::ptr::null_mut(), std::ptr::from_mut);
            let state = (*parked).state;
            if sleep.is_null() {
                state.set();
                CancelState::test();
                CancelState::DISABLED.set();
            } else {
                Sleep::run_in(sleep, state);
            }
        }
        match go_on(parked) {
            Ok(None) => {}
            Ok(Some(value)) => return value,
            Err(errno) => return fail(errno, -1),
        }
    }
}

/// Goes on after a sleep. Unless it is to sleep again, the call is gone then.
fn go_on<B: Blocked<Output = c_int>>(parked: *mut Parked<B>) -> Result<Option<c_int>, c_int> {
    // SAFETY: as the caller has it.
    let result = guarded(|| unsafe { (*parked).call.proceed() });
    if !matches!(result, Ok(None)) {
        // SAFETY: as above; it is not used again.
        unsafe {
            let state = (*parked).state;
            Abandoned::remember(std::ptr::null_mut());
            let _ = guarded(|| {
                discard::<B>(parked.cast());
                Ok(())
            });
            state.set();
        }
    }
    result
}

/// Lets go of a parked call.
///
/// # Safety
/// It is one, of this type, and not used again.
unsafe fn discard<B>(parked: *mut Abandoned) {
    // SAFETY: made so by `park`.
    drop(unsafe { Vec::from_raw_parts(parked.cast::<Parked<B>>(), 1, 1) });
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
    use super::*;

    #[test]
    fn an_error_becomes_errno_and_the_failure_value() {
        assert_eq!(call(-1, || Err(Error::WrongState)), -1);
        assert_eq!(errno(), Error::WrongState.errno());
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let answer = call(-1, || panic!("a panic that the test asked for"));
        assert_eq!((answer, errno()), (-1, libc::ENOTRECOVERABLE));
    }

    #[test]
    fn success_leaves_errno_alone() {
        assert_eq!(call(-1, || Err(Error::Closed)), -1);
        assert_eq!(call(-1, || Ok(7)), 7);
        assert_eq!(errno(), libc::EBADF);
    }
}
