//! A descriptor for polling that the program does not own.

use std::fmt;
use std::sync::Arc;

use crate::sync::Notifier;

/// A descriptor of a socket, for poll(2) and similar calls. It belongs to the socket: do not read from it. It stays open
/// as long as this value or the socket exists; of a socket that was closed it is readable. On Windows it is a socket
/// of the system.
#[derive(Clone)]
pub struct PollDescriptor(Arc<Notifier>);

impl PollDescriptor {
    pub(super) fn new(notifier: Arc<Notifier>) -> PollDescriptor {
        PollDescriptor(notifier)
    }
}

impl PartialEq for PollDescriptor {
    fn eq(&self, other: &PollDescriptor) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PollDescriptor {}

impl fmt::Debug for PollDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PollDescriptor").field(&self.0.descriptor()).finish()
    }
}

#[cfg(all(unix, not(any(loom, simulated))))]
mod system {
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    use super::PollDescriptor;

    impl AsRawFd for PollDescriptor {
        fn as_raw_fd(&self) -> RawFd {
            self.0.descriptor()
        }
    }

    impl AsFd for PollDescriptor {
        fn as_fd(&self) -> BorrowedFd<'_> {
            // SAFETY: the notifier, which the value shares, keeps the descriptor open.
            unsafe { BorrowedFd::borrow_raw(self.0.descriptor()) }
        }
    }
}

#[cfg(all(windows, not(any(loom, simulated))))]
mod system {
    use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};

    use super::PollDescriptor;

    impl AsRawSocket for PollDescriptor {
        fn as_raw_socket(&self) -> RawSocket {
            self.0.descriptor()
        }
    }

    impl AsSocket for PollDescriptor {
        fn as_socket(&self) -> BorrowedSocket<'_> {
            // SAFETY: the notifier, which the value shares, keeps the socket open.
            unsafe { BorrowedSocket::borrow_raw(self.0.descriptor()) }
        }
    }
}
