//! The notifier's descriptor on any Unix: the read end of a pipe.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use mio::unix::pipe::{self, Receiver, Sender};

use crate::sync::{Descriptor, above_standard, is_standard};

/// A descriptor that is readable from `set_readable` until `clear`.
#[derive(Debug)]
pub(crate) struct NotifierDescriptor {
    /// Neither end blocks: the host may have the receiver's descriptor, and read from it.
    receiver: Receiver,
    sender: Sender,
}

impl NotifierDescriptor {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn new() -> io::Result<NotifierDescriptor> {
        let (sender, receiver) =
            above_standard(pipe::new, |(sender, receiver)| is_standard(sender) || is_standard(receiver))?;
        Ok(NotifierDescriptor { receiver, sender })
    }

    /// The descriptor, for poll(2) and similar calls.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.receiver.as_raw_fd()
    }

    /// Makes the descriptor readable.
    pub(crate) fn set_readable(&self) {
        // Fails only when the pipe is full: then it is readable.
        let _ = (&self.sender).write(&[0]);
    }

    /// Makes the descriptor not readable, however often it was set.
    pub(crate) fn clear(&self) {
        let mut bytes = [0; 64];
        while (&self.receiver).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}
