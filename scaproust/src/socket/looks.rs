//! Looks: a task that expects an answer reads from its socket's connections itself for a short time, before it leaves that
//! to the I/O thread and waits.
//!
//! Owns when a task looks, and for how long. Between two looks the task lets the others of its executor run: it has woken
//! itself. So two tasks of one thread answer each other without any other thread, and without waiting for descriptors.
//! The first look is made only when others have run, since the answer cannot have come before.
//!
//! The connections are lent: a task that is dropped, or not polled any more, keeps them from the I/O thread for no longer
//! than a lease lasts. Any other call that waits to receive at the socket returns them at once.

use std::time::Duration;

use super::Socket;
use super::core::Core;
use super::direct_read::DirectReads;
use crate::sync::{Event, now};

/// How long a task looks for an answer: long enough for one that the I/O thread must read for the peer. Then both look, and
/// need no I/O thread any more.
const LONGEST: Duration = Duration::from_micros(100);
/// How often it looks at least: its thread may have lost its processor.
const LEAST: u32 = 4;
/// How often it looks at most: the clock of a simulated machine may stand still.
const MOST: u32 = 256;
/// The most waits of a socket without looks, after looks in vain: fewer than with spinning, since what looks save is more.
const MAX_BACKOFF: u32 = 64;

/// The looks of one call.
pub(super) struct Looks {
    /// The connections to be lent, until they are. Kept no longer than a poll, so that closing finds no other owner of them.
    chosen: Option<DirectReads>,
    start: Duration,
    /// How often the call has looked.
    count: u32,
    /// No connection is lent to the call any more.
    is_revoked: bool,
}

impl Looks {
    /// Looks of a call that begins to wait, if it is the only one, expects an answer, and its socket's calls have not looked
    /// in vain lately. [`Looks::prepare`] must follow.
    pub(super) fn begin(core: &mut Core, event: &Event) -> Option<Looks> {
        if !core.face.has_sent || core.receiving_tasks > 1 || event.has_waiters() || !event.spin.may_try() {
            return None;
        }
        let chosen = Some(core.choose_direct_reads()).filter(|direct_reads| !direct_reads.is_empty())?;
        Some(Looks { chosen: Some(chosen), start: now(), count: 0, is_revoked: false })
    }

    /// Has the connections lent, if they are not yet. Returns `false` if that fails: then the looks are over.
    /// The caller is inside the socket, and has not locked it.
    pub(super) fn prepare(&mut self) -> bool {
        if let Some(chosen) = self.chosen.take() {
            self.is_revoked = !chosen.lend();
        }
        !self.is_revoked
    }

    /// Reads what has come into the lanes. The caller is inside `socket`, and has not locked it.
    pub(super) fn fetch(&mut self, socket: &Socket) {
        self.count += 1;
        let lent = {
            let mut core = socket.core.lock();
            if core.reads_directly { core.direct_reads() } else { DirectReads::default() }
        };
        self.is_revoked |= !lent.fetch_if_leased();
    }

    /// Whether they have taken too long, or the I/O thread reads again.
    pub(super) fn are_over(&self) -> bool {
        let is_late = || now().saturating_sub(self.start) > LONGEST;
        self.is_revoked || self.count >= MOST || self.count >= LEAST && is_late()
    }

    /// Notes what they have led to.
    pub(super) fn end(self, event: &Event, is_found: bool) {
        event.spin.note_outcome(is_found, MAX_BACKOFF);
    }
}
