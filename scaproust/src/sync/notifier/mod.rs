//! A notifier: a descriptor that one thread makes readable for another one that sleeps in poll(2).
//!
//! It is level-triggered: readable from [`Notifier::notify`] until [`Notifier::clear`]. On Linux the
//! descriptor is an eventfd, on Windows a socket, elsewhere the read end of a pipe; `--cfg portable`
//! selects the pipe on Linux, for tests. Under loom it is a lock and a condition variable.

#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
mod eventfd;
#[cfg(loom)]
mod modelled;
#[cfg(all(unix, not(any(loom, simulated)), any(not(target_os = "linux"), portable)))]
mod pipe;
#[cfg(all(windows, not(any(loom, simulated))))]
mod sockets;

#[cfg(not(loom))]
use std::{io, time::Duration};

#[cfg(simulated)]
use crate::machine::Notifier as NotifierDescriptor;
#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
use eventfd::NotifierDescriptor;
#[cfg(loom)]
pub(crate) use modelled::Notifier;
#[cfg(all(unix, not(any(loom, simulated)), any(not(target_os = "linux"), portable)))]
use pipe::NotifierDescriptor;
#[cfg(all(windows, not(any(loom, simulated))))]
use sockets::NotifierDescriptor;

#[cfg(not(loom))]
use super::{Descriptor, Sleep, Uncancellable, Wake};

/// A descriptor that is readable from [`Notifier::notify`] until [`Notifier::clear`].
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct Notifier(NotifierDescriptor);

#[cfg(not(loom))]
impl Notifier {
    /// A notifier that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn new() -> io::Result<Notifier> {
        NotifierDescriptor::new().map(Notifier)
    }

    /// The descriptor, for poll(2) and similar calls.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.0.descriptor()
    }

    /// Makes the descriptor readable.
    pub(crate) fn notify(&self) {
        let _uncancellable = Uncancellable::begin();
        self.0.set_readable();
    }

    /// Makes the descriptor not readable, however often it was notified.
    pub(crate) fn clear(&self) {
        let _uncancellable = Uncancellable::begin();
        self.0.clear();
    }

    /// Sleeps until a notification, which it clears, the deadline or a signal.
    pub(crate) fn wait(&self, deadline: Option<Duration>) -> Wake {
        let mut sleep = Sleep::new();
        sleep.prepare(1, std::iter::once(self.descriptor()), deadline, None);
        sleep.run();
        let wake = sleep.wake();
        if wake == Wake::Woken {
            self.clear();
        }
        wake
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;

    #[test]
    fn a_notification_ends_one_wait() {
        let notifier = Notifier::new().unwrap();
        assert_eq!(notifier.wait(Some(Duration::ZERO)), Wake::TimedOut);
        notifier.notify();
        assert_eq!(notifier.wait(None), Wake::Woken);
        assert_eq!(notifier.wait(Some(Duration::ZERO)), Wake::TimedOut);
    }

    #[test]
    fn one_clear_undoes_any_number_of_notifications() {
        let notifier = Notifier::new().unwrap();
        let is_readable = || {
            let mut entry = [crate::sync::Polled::new(notifier.descriptor())];
            crate::sync::poll(&mut entry, Some(Duration::ZERO)).unwrap() == 1 && entry[0].is_ready()
        };
        assert!(!is_readable());
        // More often than a pipe has room for.
        for _ in 0..100_000 {
            notifier.notify();
        }
        assert!(is_readable());
        notifier.clear();
        assert!(!is_readable());
        notifier.clear();
        assert!(!is_readable());
    }
}
