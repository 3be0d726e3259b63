//! The descriptors of NN_RCVFD and NN_SNDFD.

use std::time::Duration;

pub(crate) use system::{Descriptor, is_readable};

#[cfg(unix)]
mod system {
    use super::Duration;

    pub(crate) type Descriptor = std::os::fd::RawFd;

    /// Waits until the descriptor can be read, and returns whether it can.
    pub(crate) fn is_readable(descriptor: Descriptor, timeout: Duration) -> bool {
        let mut item = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, valid for writing.
        let count = unsafe { libc::poll(&raw mut item, 1, timeout.as_millis() as i32) };
        assert!(count >= 0, "poll: {}", std::io::Error::last_os_error());
        count == 1
    }
}

#[cfg(windows)]
mod system {
    use super::Duration;
    use windows_sys::Win32::Networking::WinSock::{POLLRDNORM, SOCKET, WSAPOLLFD, WSAPoll};

    pub(crate) type Descriptor = SOCKET;

    /// Waits until the socket can be read, and returns whether it can.
    pub(crate) fn is_readable(descriptor: Descriptor, timeout: Duration) -> bool {
        let mut item = WSAPOLLFD { fd: descriptor, events: POLLRDNORM, revents: 0 };
        // SAFETY: one entry, valid for writing.
        let count = unsafe { WSAPoll(&raw mut item, 1, timeout.as_millis() as i32) };
        assert!(count >= 0, "WSAPoll: {}", std::io::Error::last_os_error());
        count == 1
    }
}
