//! The descriptor on Linux: an eventfd.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use crate::sync::{Descriptor, above_standard, is_standard};

/// A descriptor that is readable while it is raised.
#[derive(Debug)]
pub(crate) struct Level(File);

impl Level {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn new() -> io::Result<Level> {
        above_standard(Level::make, |level| is_standard(&level.0))
    }

    fn make() -> io::Result<Level> {
        // SAFETY: a plain call; a descriptor that it answers is ours.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and owned by nobody else.
        Ok(Level(unsafe { File::from_raw_fd(descriptor) }))
    }

    /// The descriptor, for poll(2) and its like.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.0.as_raw_fd()
    }

    /// Makes the descriptor readable.
    pub(crate) fn raise(&self) {
        // Fails only when the counter is at its end: then it is readable.
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    /// Undoes [`Level::raise`], however often it was called.
    pub(crate) fn lower(&self) {
        // Fails only when it was not readable.
        let _ = (&self.0).read(&mut [0; 8]);
    }
}
