//! What the systems call differently: waiting for descriptors, the clock, signals and forks.
//!
//! Each system has a file with the same functions. Unix has descriptors, which poll(2) waits for;
//! Windows has sockets, which WSAPoll waits for, and neither signals nor forks.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as own;
#[cfg(windows)]
use windows as own;

pub(super) use own::watch_forks;
pub(crate) use own::{Descriptor, Polled, now, poll, without_signals};
