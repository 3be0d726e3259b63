//! `nn_errno` and `nn_strerror`.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use super::boundary;
use scaproust::ffi::error::own_text;

/// Returns errno of the calling thread.
///
/// For programs that use another C runtime library than this library, and so another errno.
#[unsafe(no_mangle)]
pub extern "C" fn nn_errno() -> c_int {
    boundary::call(0, || Ok(boundary::errno()))
}

/// Returns the text for an error number; never NULL.
///
/// The text must not be changed or freed. The text for a number that the system does not know is
/// valid until the thread's next call.
#[unsafe(no_mangle)]
pub extern "C" fn nn_strerror(errnum: c_int) -> *const c_char {
    boundary::call(ptr::null(), || {
        if let Some(text) = own_text(errnum) {
            return Ok(text.as_ptr());
        }
        // SAFETY: `strerror` takes any number.
        let text: *const c_char = unsafe { libc::strerror(errnum) };
        const UNKNOWN: &CStr = c"Unknown error";
        Ok(if text.is_null() { UNKNOWN.as_ptr() } else { text })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use scaproust::ffi::error::Error;

    fn text(errnum: c_int) -> String {
        // SAFETY: the text is terminated, and copied before the thread's next call.
        unsafe { CStr::from_ptr(nn_strerror(errnum)) }.to_string_lossy().into_owned()
    }

    #[test]
    fn every_number_has_a_text() {
        assert_eq!(text(Error::Terminated.errno()), "Nanomsg library was terminated");
        assert_eq!(text(libc::EBADF), "Bad file descriptor");
        assert!(!text(-12_345).is_empty());
        assert!(!text(c_int::MAX).is_empty());
        assert!(!text(c_int::MIN).is_empty());
    }
}
