//! Unix: error codes of the system are errno values, and its C library has a text for each.

use std::ffi::{CStr, c_int};
use std::io;

/// The errno value for an error code of the system.
pub(super) fn errno_of(code: i32) -> c_int {
    code
}

/// The text for an errno value for which the C library may have none: there is no such value.
pub(super) fn text(_errno: c_int) -> Option<&'static CStr> {
    None
}

/// The C library's text for an errno value.
pub(super) fn describe(errno: c_int) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    // Without the number that Rust appends.
    text.split_once(" (os error ").map_or(text.as_str(), |(text, _)| text).to_owned()
}
