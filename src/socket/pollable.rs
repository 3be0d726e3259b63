//! A descriptor that is readable while a call would not block.
//!
//! It is level-triggered and tells the truth as of the last change under the socket's lock.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// An eventfd and what it says.
#[derive(Debug)]
pub(super) struct Pollable {
    file: File,
    is_ready: bool,
}

impl Pollable {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn new() -> io::Result<Pollable> {
        // SAFETY: a plain call; a descriptor that it answers is ours.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and owned by nobody else.
        Ok(Pollable { file: unsafe { File::from_raw_fd(descriptor) }, is_ready: false })
    }

    /// The descriptor, for poll(2) and its like.
    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Says whether a call would go through.
    pub(super) fn set(&mut self, is_ready: bool) {
        if self.is_ready == is_ready {
            return;
        }
        self.is_ready = is_ready;
        // Neither can fail: the counter goes from zero to one, and back.
        let _ = if is_ready { self.file.write(&1_u64.to_ne_bytes()) } else { self.file.read(&mut [0; 8]) };
    }
}
