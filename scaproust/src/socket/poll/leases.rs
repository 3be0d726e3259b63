//! The connections that a polling call reads from, without the I/O thread.

use super::super::direct_read::{Acquired, DirectReads};
use super::super::registry::Call;
use super::Polling;
use crate::error::Error;

/// The most connections that one polling call reads directly.
const MAX_DIRECT_READS: usize = 128;

/// A socket whose connections may be read from, and its entry.
pub(super) struct Candidate {
    pub(super) entry: usize,
    pub(super) call: Call,
    pub(super) direct_reads: DirectReads,
}

/// The connections of one socket that the call reads from. It has claimed the descriptors of that socket's
/// event for receivers.
pub(super) struct SocketLease {
    pub(super) entry: usize,
    /// `None` while the call sleeps.
    pub(super) call: Option<Call>,
    pub(super) acquired: Acquired,
    /// Something has happened at the socket since the connections were acquired: some may have ended or be
    /// new.
    pub(super) is_stale: bool,
}

impl Polling {
    /// Acquires the connections of its sockets, including those that are new since the last time.
    pub(super) fn acquire(&mut self) {
        let mut count = 0;
        self.leases.retain(|SocketLease { call, acquired, is_stale, .. }| {
            if let (Some(call), true) = (call, std::mem::take(is_stale)) {
                let direct_reads = call.core.lock().begin_direct_reads();
                // Acquired again before the old value is dropped, so that nothing is released in between.
                *acquired = Acquired::from(direct_reads);
                if acquired.count() == 0 {
                    call.receivers.release_descriptors();
                }
            }
            count += acquired.count();
            acquired.count() > 0
        });
        for Candidate { entry, call, direct_reads } in self.candidates.drain(..) {
            if count + direct_reads.len() > MAX_DIRECT_READS {
                call.core.lock().revoke_direct_reads();
                continue;
            }
            if !call.receivers.claim_descriptors() {
                continue;
            }
            let acquired = Acquired::from(direct_reads);
            if acquired.count() == 0 {
                call.receivers.release_descriptors();
                continue;
            }
            count += acquired.count();
            self.leases.push(SocketLease { entry, call: Some(call), acquired, is_stale: false });
        }
    }

    /// Enters the sockets that it reads from again.
    pub(super) fn enter_sockets(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        let outside = |lease: &SocketLease| lease.call.is_none();
        while let Some(index) = self.leases.iter().position(outside).filter(|_| outcome.is_ok()) {
            match self.sockets[self.leases[index].entry].enter() {
                Ok(call) => self.leases[index].call = Some(call),
                Err(error) => {
                    // The timer of a released lease could outlast the I/O thread.
                    let SocketLease { entry, acquired, .. } = self.leases.remove(index);
                    acquired.revoke();
                    if !self.forget_if_gone(entry) {
                        outcome = Err(error);
                    }
                }
            }
        }
        outcome
    }

    /// Leaves all sockets, but keeps the acquired connections.
    pub(super) fn leave_sockets(&mut self) {
        self.leases.iter_mut().for_each(|lease| lease.call = None);
    }

    /// Returns the connections.
    pub(super) fn release(&mut self) {
        while !self.leases.is_empty() {
            // A lease whose socket cannot be entered is revoked and removed.
            if self.enter_sockets().is_ok()
                && let Some(SocketLease { call: Some(call), acquired, .. }) = self.leases.pop()
            {
                call.release(acquired);
            }
        }
    }
}
