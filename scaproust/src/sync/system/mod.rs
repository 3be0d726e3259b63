//! The operating systems' interfaces to waiting for descriptors, the clock, signals, cancellation and
//! forks.
//!
//! Each system has a file with the same functions. Unix has descriptors, which poll(2) waits for. Windows
//! has sockets, which WSAPoll waits for, and neither signals, cancellation nor forks.

#[cfg(any(windows, simulated))]
mod no_signals;
#[cfg(simulated)]
mod simulated;
#[cfg(all(unix, not(simulated)))]
mod stderr;
#[cfg(all(unix, not(simulated)))]
mod unix;
#[cfg(all(windows, not(simulated)))]
mod windows;

use std::io;
#[cfg(not(simulated))]
use std::time::Duration;

#[cfg(any(windows, simulated))]
use no_signals as signals;
#[cfg(simulated)]
use simulated as own;
#[cfg(all(unix, not(simulated)))]
use unix as own;
#[cfg(all(unix, not(simulated)))]
use unix as signals;
#[cfg(all(windows, not(simulated)))]
use windows as own;

#[cfg(all(target_os = "linux", not(any(loom, simulated))))]
pub(in crate::sync) use own::timespec;
pub(crate) use own::{Descriptor, Polled, is_standard, now, poll};
#[cfg(simulated)]
pub(crate) use own::{pause, yield_now};
pub(in crate::sync) use own::{poll_with, processors};
pub(crate) use signals::SignalMask;
pub(in crate::sync) use signals::watch_forks;
#[cfg(not(simulated))]
pub(crate) use signals::without_signals;
pub use signals::{CancelState, CancellationCleanup, Uncancellable};

#[cfg(any(windows, simulated))]
pub(crate) use no_signals::print;
#[cfg(all(unix, not(simulated)))]
pub(crate) use stderr::print;

/// Lets other threads run.
#[cfg(not(simulated))]
pub(crate) fn yield_now() {
    std::thread::yield_now();
}

/// Waits for a time.
#[cfg(not(simulated))]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

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
