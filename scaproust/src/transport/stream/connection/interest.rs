//! The interest of a connection: which events the poller reports of its stream.
//!
//! Bytes that come are reported, unless reading is leased to a receiver. Room in the kernel's buffer is reported only after
//! a write has found none. Linux reports room in a local socket whenever the peer has read something, also if no write
//! had failed: each message would wake the I/O thread of its sender. So write interest is removed again when such
//! reports are spurious, that is, when no writer waits for room.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mio::{Interest, Token};

use super::Connection;
use crate::sync::lock;
use crate::transport::stream::platform::{NO_INTEREST, polled};

/// The events for which a connection is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RegisteredInterest {
    /// Bytes have come.
    pub(super) read: bool,
    /// There is room for more to be written.
    pub(super) write: bool,
}

/// Write interest is removed after so many spurious reports in a row: each change is a system call, and a writer that had to
/// wait for room will soon do so again.
const SPURIOUS_MAX: u8 = 16;

impl RegisteredInterest {
    /// The interest of a new connection. There is room, which the poller would report at once.
    fn initial() -> RegisteredInterest {
        RegisteredInterest { read: true, write: NO_INTEREST.is_none() }
    }

    /// The interest in the form of mio; `None` for no interest, where the poller cannot be given that. With shared memory, bytes
    /// report room.
    fn to_mio(self, room_is_read: bool) -> Option<Interest> {
        match (self.read, self.write) {
            (_, true) if room_is_read => Some(Interest::READABLE),
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => NO_INTEREST,
        }
    }
}

/// The registration of a connection with the poller.
pub(super) struct Registration {
    /// The interest that the poller has.
    pub(super) interest: RegisteredInterest,
    /// `None` unless the connection is registered.
    token: Option<Token>,
}

impl Registration {
    /// A registration to be made.
    pub(super) fn new() -> Registration {
        Registration { interest: RegisteredInterest::initial(), token: None }
    }
}

impl Connection {
    /// Registers the stream with the poller. The I/O thread may call before this returns.
    ///
    /// # Errors
    /// The poller's.
    pub(super) fn register(self: &Arc<Self>) -> io::Result<()> {
        // The lock is held meanwhile, so that a connection which ends at once finds its token.
        let mut registration = lock(&self.registration);
        let interest = registration.interest.to_mio(false).unwrap_or(Interest::READABLE);
        registration.token =
            Some(self.reactor.register(polled(self.stream.raw()), interest, self.clone())?);
        Ok(())
    }

    /// Ends the registration: nothing is reported any more.
    pub(super) fn deregister(&self) {
        let mut registration = lock(&self.registration);
        if let Some(token) = registration.token.take() {
            self.reactor.deregister(polled(self.stream.raw()), token);
        }
    }

    /// Changes the interest. Returns whether the poller has the new one; not so if the connection has ended. An event that
    /// the stream is ready for already is reported anew.
    pub(super) fn change_interest(&self, change: impl FnOnce(&mut RegisteredInterest)) -> bool {
        let mut registration = lock(&self.registration);
        let mut new = registration.interest;
        change(&mut new);
        if new == registration.interest {
            return true;
        }
        let room_is_read = self.stream.uses_shared_memory();
        let (Some(token), Some(interest)) = (registration.token, new.to_mio(room_is_read)) else {
            return false;
        };
        let is_changed = self.reactor.change(polled(self.stream.raw()), token, interest).is_ok();
        if is_changed {
            registration.interest = new;
        }
        is_changed
    }

    /// Has the poller report room, for a writer that waits for it.
    pub(super) fn await_room(&self) {
        self.spurious_reports.store(0, Ordering::Relaxed);
        self.change_interest(|interest| interest.write = true);
    }

    /// Notes that room was reported while no writer waits for it. Called by the I/O thread alone.
    pub(super) fn note_spurious_report(&self) {
        if NO_INTEREST.is_none() || !self.stream.is_local() {
            return;
        }
        let count = self.spurious_reports.load(Ordering::Relaxed) + 1;
        self.spurious_reports.store(count % SPURIOUS_MAX, Ordering::Relaxed);
        if count == SPURIOUS_MAX {
            // Read under the lock of the registration: a writer sets `is_blocked` before it calls `await_room`.
            self.change_interest(|interest| interest.write = self.is_blocked.load(Ordering::SeqCst));
        }
    }
}
