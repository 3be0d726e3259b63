//! Which environment variables count: none of those that direct the library to files, if the process has more rights than
//! its caller.

use std::ffi::OsString;

/// The value of a variable, if it is set, not empty, and the process has no more rights than its caller.
pub(crate) fn trusted(value: Option<OsString>) -> Option<OsString> {
    value.filter(|value| !value.is_empty() && !has_more_rights())
}

/// Whether the process has more rights than its caller, as a set-user-ID program has.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn has_more_rights() -> bool {
    // SAFETY: the call reads a value that the kernel has given to the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether the process has more rights than its caller, as a set-user-ID program has.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn has_more_rights() -> bool {
    // SAFETY: these calls have no arguments, and cannot fail.
    unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() }
}

/// Windows starts no program with more rights than its caller without asking the user.
#[cfg(windows)]
fn has_more_rights() -> bool {
    false
}
