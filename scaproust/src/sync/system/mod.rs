//! The operating systems' interfaces to waiting for descriptors, the clock, signals, cancellation and
//! forks.
//!
//! Each system has a file with the same functions. Unix has descriptors, which poll(2) waits for. Windows
//! has sockets, which WSAPoll waits for, and neither signals, cancellation nor forks.

#[cfg(unix)]
mod stderr;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;

#[cfg(unix)]
pub(crate) use stderr::print;
#[cfg(unix)]
use unix as own;
#[cfg(windows)]
use windows as own;

#[cfg(windows)]
pub(crate) use own::print;
#[cfg(all(target_os = "linux", not(loom)))]
pub(in crate::sync) use own::timespec;
pub use own::{CancelState, CancellationCleanup, Uncancellable};
pub(crate) use own::{Descriptor, Polled, SignalMask, is_standard, now, poll, without_signals};
pub(in crate::sync) use own::{poll_with, processors, watch_forks};

/// Makes an object whose descriptor is none of the standard ones, 0, 1 and 2: a host that has closed these
/// may still write to them.
///
/// # Errors
/// Those of `make`.
pub(crate) fn above_standard<T>(
    mut make: impl FnMut() -> io::Result<T>,
    is_standard: impl Fn(&T) -> bool,
) -> io::Result<T> {
    // Keeps the standard numbers taken until another one is found.
    let mut low = Vec::new();
    loop {
        let made = make()?;
        if !is_standard(&made) {
            return Ok(made);
        }
        low.push(made);
    }
}
