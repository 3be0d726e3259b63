//! Unix: what the system answers is an errno value, and its C library has a text for each.

use std::ffi::{CStr, c_int};
use std::io;

/// The errno value of what the system answered.
pub(super) fn errno_of(answer: i32) -> c_int {
    answer
}

/// A text for an errno value that the C library has none for: it has all.
pub(super) fn text(_errno: c_int) -> Option<&'static CStr> {
    None
}

/// The C library's text.
pub(super) fn describe(errno: c_int) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    // Without the number that Rust adds, which is that of `errno`.
    text.split_once(" (os error ").map_or(text.as_str(), |(text, _)| text).to_owned()
}
