//! The notifier's descriptor on Linux: an eventfd.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use crate::sync::{Descriptor, above_standard, is_standard};

/// A descriptor that is readable from `set_readable` until `clear`.
#[derive(Debug)]
pub(crate) struct NotifierDescriptor(File);

impl NotifierDescriptor {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn new() -> io::Result<NotifierDescriptor> {
        above_standard(NotifierDescriptor::make, |made| is_standard(&made.0))
    }

    fn make() -> io::Result<NotifierDescriptor> {
        // SAFETY: a plain call without pointers.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and not owned elsewhere.
        Ok(NotifierDescriptor(unsafe { File::from_raw_fd(descriptor) }))
    }

    /// The descriptor, for poll(2) and similar calls.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.0.as_raw_fd()
    }

    /// Makes the descriptor readable.
    pub(crate) fn set_readable(&self) {
        // Fails only when the counter is at its maximum: then it is readable.
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    /// Makes the descriptor not readable, however often it was set.
    pub(crate) fn clear(&self) {
        // Fails only when it was not readable.
        let _ = (&self.0).read(&mut [0; 8]);
    }
}
