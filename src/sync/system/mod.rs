//! What the systems call differently: waiting for descriptors, the clock, signals,
//! cancellation and forks.
//!
//! Each system has a file with the same functions. Unix has descriptors, which poll(2) waits for;
//! Windows has sockets, which WSAPoll waits for, and neither signals, cancellation nor forks.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as own;
#[cfg(windows)]
use windows as own;

pub(crate) use own::{
    Abandoned, CancelState, Descriptor, Polled, SignalMask, Uncancellable, now, poll, without_signals,
};
pub(in crate::sync) use own::{poll_with, watch_forks};
