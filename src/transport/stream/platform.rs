//! What systems do differently about a stream, a function or a constant for each.
//!
//! `--cfg portable` has Linux do as the others do, for the tests.

use libc::c_int;
use socket2::Socket;

/// With this flag a write to a peer that is gone does not raise SIGPIPE. Apple's systems have an
/// option of the socket instead, and socket2 sets it for every socket that it makes or accepts.
pub(super) const NO_SIGNAL: c_int = if cfg!(target_vendor = "apple") { 0 } else { libc::MSG_NOSIGNAL };

/// Whether the peer's kernel may not have confirmed everything yet.
#[cfg(all(target_os = "linux", not(portable)))]
pub(super) fn has_unacknowledged(stream: &Socket) -> bool {
    use std::os::fd::AsRawFd;

    let mut bytes: c_int = 0;
    // SAFETY: the descriptor is open, and the request writes one int.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    result == 0 && bytes > 0
}

/// Whether the peer's kernel may not have confirmed everything yet. Who cannot ask waits until the
/// peer has read to the end, and closes its side.
#[cfg(any(not(target_os = "linux"), portable))]
pub(super) fn has_unacknowledged(_stream: &Socket) -> bool {
    true
}

/// What a poller is told of a descriptor from which nothing is to be heard but its end, where there is
/// such a thing: urgent bytes, which no stream of ours has.
#[cfg(all(target_os = "linux", not(portable)))]
pub(super) const NOTHING: Option<mio::Interest> = Some(mio::Interest::PRIORITY);

/// As above.
#[cfg(any(not(target_os = "linux"), portable))]
pub(super) const NOTHING: Option<mio::Interest> = None;
