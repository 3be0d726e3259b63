//! A descriptor for polling that is readable while a call would not block.
//!
//! It is level-triggered, and up to date with the last change under the socket's lock.

use std::io;
use std::sync::Arc;

use crate::sync::Notifier;

/// A notifier and its state.
#[derive(Debug)]
pub(super) struct Pollable {
    notifier: Arc<Notifier>,
    is_ready: bool,
}

impl Pollable {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn new() -> io::Result<Pollable> {
        Ok(Pollable { notifier: Arc::new(Notifier::new()?), is_ready: false })
    }

    /// The notifier, whose descriptor is open as long as a reference exists.
    pub(super) fn notifier(&self) -> &Arc<Notifier> {
        &self.notifier
    }

    /// Makes the descriptor readable or not.
    pub(super) fn set(&mut self, is_ready: bool) {
        if self.is_ready == is_ready {
            return;
        }
        self.is_ready = is_ready;
        if is_ready { self.notifier.notify() } else { self.notifier.clear() }
    }
}
