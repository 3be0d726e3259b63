//! What the poller reports of a connection.
//!
//! Bytes are reported, unless a receiver reads them itself. Room in the kernel is reported once a write has found none. Linux
//! reports room of a local socket whenever the peer has read something, not only after a write that found none: each
//! message would wake the I/O thread of its sender. So these reports are switched off again when no writer waits for room.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mio::{Interest, Token};

use super::Connection;
use crate::sync::lock;
use crate::transport::stream::platform::{NO_INTEREST, polled};
use crate::wire::Mapping;

/// What the poller was told to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Bytes that have come.
    pub(super) bytes: bool,
    /// Room for more to be written.
    pub(super) room: bool,
}

/// So often in a row room is reported in vain before it is left out: each change is a system call, and
/// who had to wait for room will soon do so again.
const IN_VAIN: u8 = 16;

impl Told {
    /// With what a registration begins: there is room, which the poller would report at once.
    fn first() -> Told {
        Told { bytes: true, room: NO_INTEREST.is_none() }
    }

    /// As the poller has it; `None` if it cannot be told so.
    fn interest(self) -> Option<Interest> {
        match (self.bytes, self.room) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => NO_INTEREST,
        }
    }
}

/// The poller's side of a connection.
pub(super) struct Registration {
    /// What the poller reports.
    pub(super) told: Told,
    /// While it is registered.
    token: Option<Token>,
}

impl Registration {
    /// Not registered yet.
    pub(super) fn new() -> Registration {
        Registration { told: Told::first(), token: None }
    }
}

impl Connection {
    /// Lets the poller report the stream. The I/O thread may call before this returns.
    ///
    /// # Errors
    /// The poller's.
    pub(super) fn register(self: &Arc<Self>) -> io::Result<()> {
        // The lock is held meanwhile: a connection that ends at once finds its token.
        let mut registration = lock(&self.registration);
        let interest = registration.told.interest().unwrap_or(Interest::READABLE);
        registration.token = Some(self.reactor.register(polled(&self.stream), interest, self.clone())?);
        Ok(())
    }

    /// Nothing is reported from now on.
    pub(super) fn deregister(&self) {
        let mut registration = lock(&self.registration);
        if let Some(token) = registration.token.take() {
            self.reactor.deregister(polled(&self.stream), token);
        }
    }

    /// Changes what the poller reports. Answers whether that went well. What there is already to be
    /// reported is reported anew.
    pub(super) fn tell(&self, change: impl FnOnce(&mut Told)) -> bool {
        let mut registration = lock(&self.registration);
        let mut new = registration.told;
        change(&mut new);
        if new == registration.told {
            return true;
        }
        let (Some(token), Some(interest)) = (registration.token, new.interest()) else { return false };
        let is_told = self.reactor.change(polled(&self.stream), token, interest).is_ok();
        if is_told {
            registration.told = new;
        }
        is_told
    }

    /// Has the poller report room, for one who waits for it.
    pub(super) fn await_room(&self) {
        self.in_vain.store(0, Ordering::Relaxed);
        self.tell(|told| told.room = true);
    }

    /// Room was reported, and nobody waits for it.
    pub(super) fn leave_out_room(&self) {
        if NO_INTEREST.is_none() || self.mapping != Mapping::Ipc {
            return;
        }
        // Only the I/O thread counts.
        let in_vain = self.in_vain.load(Ordering::Relaxed) + 1;
        self.in_vain.store(in_vain % IN_VAIN, Ordering::Relaxed);
        if in_vain == IN_VAIN {
            // Looked at under the lock: who waits says so before he has the poller told.
            self.tell(|told| told.room = self.blocked.load(Ordering::SeqCst));
        }
    }
}
