//! The simulated machine.

use std::ffi::c_int;
use std::io;
use std::time::Duration;

use super::no_signals::SignalMask;
use crate::machine;
pub(in crate::sync) use crate::machine::processors;
pub(crate) use crate::machine::{Descriptor, Polled, now};

/// Whether it is a standard stream: never.
pub(crate) fn is_standard<T>(_made: &T) -> bool {
    false
}

/// As poll(2). Without a time it waits for ever. Returns the number of ready entries.
///
/// # Errors
/// None.
pub(crate) fn poll(entries: &mut [Polled], time: Option<Duration>) -> io::Result<usize> {
    Ok(machine::poll(entries, time))
}

/// As [`poll`], but an error is a negative number. There are no signals.
///
/// # Safety
/// `entries` must point to `count` entries, valid for writing.
pub(in crate::sync) unsafe fn poll_with(
    entries: *mut Polled,
    count: usize,
    time: Option<Duration>,
    _signals: Option<&SignalMask>,
) -> c_int {
    let entries = match count {
        0 => &mut [],
        // SAFETY: as the caller promises.
        _ => unsafe { std::slice::from_raw_parts_mut(entries, count) },
    };
    c_int::try_from(machine::poll(entries, time)).unwrap_or(c_int::MAX)
}

/// Lets other threads run.
pub(crate) fn yield_now() {
    machine::yield_now();
}

/// Waits for a time.
pub(crate) fn pause(time: Duration) {
    machine::sleep(time);
}
