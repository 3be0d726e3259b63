//! Waits of less than a millisecond, which is the resolution of the poller's timeout.

use std::time::Duration;

use super::poller::Poll;

/// Waits until the poller has an event, at most for `time`. May return early.
#[cfg(all(unix, not(simulated)))]
pub(super) fn wait(poll: &Poll, time: Duration) {
    use std::os::fd::AsRawFd;

    if crate::sync::poll(&mut [crate::sync::Polled::new(poll.as_raw_fd())], Some(time)).is_err() {
        // Interrupted, or the process may have no descriptors: the time must pass in either case.
        crate::sync::pause(time);
    }
}

/// Lets other threads run and returns early: on Windows even the shortest sleep takes milliseconds. The
/// caller repeats this until the time is over.
#[cfg(all(windows, not(simulated)))]
pub(super) fn wait(_poll: &Poll, _time: Duration) {
    crate::sync::yield_now();
}

/// Waits on the simulated machine.
#[cfg(simulated)]
pub(super) fn wait(poll: &Poll, time: Duration) {
    poll.wait(time);
}
