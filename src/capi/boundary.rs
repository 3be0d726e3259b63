//! The one door between C and Rust.
//!
//! Owns `errno` and the rule that no panic crosses into C. Must not know what is called.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;

/// Runs the body of a C entry point.
///
/// On an error `errno` is set and `failure` returned. So it is on a panic, which is a defect of
/// this library and must not end the host process: `errno` is then `ENOTRECOVERABLE`, since
/// nobody can say in which state the object of the call was left. On success `errno` means
/// nothing, as with any C function.
#[inline]
pub(super) fn call<T>(failure: T, body: impl FnOnce() -> Result<T, Error>) -> T {
    // Unwind safety: what a body shares with other calls lies behind the socket layer's locks,
    // and what it borrowed from the caller is given back by guards.
    let errno = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error.errno(),
        Err(_panic) => libc::ENOTRECOVERABLE,
    };
    // SAFETY: the location is the calling thread's own, and always valid.
    unsafe { *errno_location() = errno };
    failure
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
