//! Waiting for less than a millisecond, which the poller cannot.

use std::time::Duration;

use mio::Poll;

/// Sleeps until the poller has something, at most for `time`; it may be woken before that.
#[cfg(unix)]
pub(super) fn pause(poll: &Poll, time: Duration) {
    use std::os::fd::AsRawFd;

    if crate::sync::poll(&mut [crate::sync::Polled::new(poll.as_raw_fd())], Some(time)).is_err() {
        // A signal, or the process may have no descriptors: either way the time passes.
        std::thread::sleep(time);
    }
}

/// Lets others run: a thread that sleeps here does so for milliseconds, however short it means to.
/// The caller comes again and again until the time is over.
#[cfg(windows)]
pub(super) fn pause(_poll: &Poll, _time: Duration) {
    std::thread::yield_now();
}
