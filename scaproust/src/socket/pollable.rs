//! A descriptor that is readable while a call would not block.
//!
//! It is level-triggered and tells the truth as of the last change under the socket's lock.

use std::io;
use std::sync::Arc;

use crate::sync::Notifier;

/// An alarm and what it says.
#[derive(Debug)]
pub(super) struct Pollable {
    /// Kept open by those who wait for it, too.
    alarm: Arc<Notifier>,
    is_ready: bool,
}

impl Pollable {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn new() -> io::Result<Pollable> {
        Ok(Pollable { alarm: Arc::new(Notifier::new()?), is_ready: false })
    }

    /// What says so, with the descriptor for poll(2) and its like.
    pub(super) fn alarm(&self) -> Arc<Notifier> {
        self.alarm.clone()
    }

    /// Says whether a call would go through.
    pub(super) fn set(&mut self, is_ready: bool) {
        if self.is_ready == is_ready {
            return;
        }
        self.is_ready = is_ready;
        if is_ready { self.alarm.ring() } else { self.alarm.silence() }
    }
}
