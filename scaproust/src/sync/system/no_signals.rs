//! Signals, cancellation and forks on a system that has none of them, and its standard error.

use std::io::{self, Write};

/// There are no signals to block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignalMask;

impl SignalMask {
    pub(crate) fn block_all() -> SignalMask {
        SignalMask
    }

    pub(crate) fn set(&self) -> SignalMask {
        SignalMask
    }

    pub(crate) fn deliver_pending(&self) -> bool {
        false
    }
}

/// Threads cannot be cancelled.
#[derive(Clone, Copy, Debug)]
pub struct CancelState;

impl CancelState {
    /// The only state.
    pub const DISABLED: CancelState = CancelState;

    /// There is nothing to set.
    pub fn set(self) -> CancelState {
        self
    }

    /// There is nothing to test.
    ///
    /// # Safety
    /// None is needed.
    pub unsafe fn test() {}
}

/// See [`CancelState`].
#[derive(Debug)]
pub struct Uncancellable;

impl Uncancellable {
    /// Does nothing.
    pub fn begin() -> Uncancellable {
        Uncancellable
    }
}

/// See [`CancelState`]: no thread is cancelled.
#[derive(Debug)]
#[repr(C)]
pub struct CancellationCleanup {
    /// The function that discards it.
    pub discard: unsafe fn(*mut CancellationCleanup),
}

impl CancellationCleanup {
    /// Does nothing.
    ///
    /// # Safety
    /// As on Unix.
    pub unsafe fn register(_this: *mut CancellationCleanup) -> bool {
        true
    }
}

/// Runs `start`: there are no signals to block.
#[cfg(not(simulated))]
pub(crate) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    start()
}

/// Does nothing: there are no forks.
pub(in crate::sync) fn watch_forks(_in_child: extern "C" fn()) {}

/// Writes a line to standard error.
pub(crate) fn print(line: &[u8]) {
    // A failure cannot be reported anywhere.
    let _ = io::stderr().write_all(line);
}
