//! The descriptor on any Unix: the end of a pipe.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use mio::unix::pipe::{self, Receiver, Sender};

use crate::sync::{Descriptor, above_standard, is_standard};

/// A descriptor that is readable while it is raised.
#[derive(Debug)]
pub(crate) struct Level {
    /// Neither end blocks: the host may have this one's descriptor, and do with it what it likes.
    receiver: Receiver,
    sender: Sender,
}

impl Level {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn new() -> io::Result<Level> {
        let (sender, receiver) =
            above_standard(pipe::new, |(sender, receiver)| is_standard(sender) || is_standard(receiver))?;
        Ok(Level { receiver, sender })
    }

    /// The descriptor, for poll(2) and its like.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.receiver.as_raw_fd()
    }

    /// Makes the descriptor readable.
    pub(crate) fn raise(&self) {
        // Fails only when the pipe is full: then it is readable.
        let _ = (&self.sender).write(&[0]);
    }

    /// Undoes [`Level::raise`], however often it was called.
    pub(crate) fn lower(&self) {
        let mut bytes = [0; 64];
        while (&self.receiver).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}
