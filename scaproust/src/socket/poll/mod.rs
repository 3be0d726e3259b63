//! Polling: waiting for several sockets at once.
//!
//! Owns the entries, and the direct reads of a call that must wait: like a blocked receiver, it reads
//! directly from the connections of its sockets. The event that it waits for is that of its [`PollWaiter`].

mod entry;
mod leases;
mod set;
mod watch;

pub use entry::{PollEntry, room_for};
pub(crate) use set::{PollSet, notify_polls};
pub(crate) use watch::{Watch, Watched};

use leases::{Candidate, SocketLease};

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::blocking::{BlockedSignals, BlockingCall, TURNS, prepare_sleep, spin_before_sleep};
use super::direct_read::DirectReads;
use super::poll_waiter::PollWaiter;
use super::registry::{Call, SocketRef, enter};
use super::wait_policy::DROP_TIME;
use crate::error::Error;
use crate::pipe::Edges;
use crate::protocol::Protocol;
use crate::sync::{Epoch, Sleep, Sleeper, Uncancellable, WaitKind, Wake, now};
use crate::transport;

/// After this many polls in a row that found nothing to receive at a socket, the I/O thread reads for it.
const MAX_EMPTY_POLLS: u32 = 256;

opaque!([] Polling);

/// A call that polls several sockets. While it sleeps it is inside none of them.
pub struct Polling {
    entries: Vec<PollEntry>,
    /// The sockets of the entries, in their order: of all of them, or of those checked so far.
    sockets: Vec<SocketRef>,
    /// Whether the call waits: its timeout is not zero, and the last check has not begun.
    waits: bool,
    has_checked: bool,
    /// Whether something was found for an entry.
    has_ready_entry: bool,
    /// Whether a protocol has hit the drop limit during the last checks.
    hit_drop_limit: bool,
    deadline: Option<Duration>,
    ends_by_signals: bool,
    /// What the call waits for, once it must wait.
    waiter: Option<Arc<PollWaiter>>,
    /// The epoch of the waiter's event, read before the last checks.
    epoch: Option<Epoch>,
    /// `prefers_batches`, unless a socket has sent something since it last received.
    wait: WaitKind,
    /// Sockets whose connections may be read from. Emptied before the call sleeps.
    candidates: SmallVec<[Candidate; 1]>,
    leases: SmallVec<[SocketLease; 1]>,
    sleeper: Option<Sleeper>,
    sleep: Sleep,
    /// When the wait began.
    start: Duration,
    /// What the set of this call keeps, if it is one of a set.
    kept: Option<Kept>,
    /// Declared last, and so dropped last, since that runs signal handlers.
    signals: Option<BlockedSignals>,
}

/// What a [`PollSet`] keeps between its calls, besides the entries.
struct Kept {
    /// What is known of the values at which the set waits, in the order of the entries.
    watches: Vec<Arc<Watch>>,
    /// The entries that this call must check when it begins.
    due: Vec<u32>,
    /// Those that the next call must check then, perhaps repeatedly: they are not registered, or connections of theirs were read
    /// directly.
    due_later: Vec<u32>,
}

impl Polling {
    /// A call that waits until something is found for an entry, at most for `timeout` if there is one. With
    /// `ends_by_signals`, a signal handler that runs ends the call.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]. The call fails with [`Error::Closed`] if the socket of an entry is not open,
    /// and with [`Error::UnknownOption`] if it cannot receive or send.
    pub fn new(
        entries: Vec<PollEntry>,
        timeout: Option<Duration>,
        ends_by_signals: bool,
    ) -> Result<Polling, Error> {
        let sockets = room_for(entries.len())?;
        Ok(Polling::of(sockets, entries, timeout, ends_by_signals))
    }

    /// As [`Polling::new`], for sockets that the caller refers to: `sockets` has that of each entry, in their order.
    pub(crate) fn of(
        sockets: Vec<SocketRef>,
        entries: Vec<PollEntry>,
        timeout: Option<Duration>,
        ends_by_signals: bool,
    ) -> Polling {
        Polling {
            entries,
            sockets,
            waits: timeout != Some(Duration::ZERO),
            has_checked: false,
            has_ready_entry: false,
            hit_drop_limit: false,
            deadline: timeout.map(|time| now().saturating_add(time)),
            ends_by_signals,
            waiter: None,
            epoch: None,
            wait: WaitKind { prefers_batches: true, expects_no_reply: false },
            candidates: SmallVec::new(),
            leases: SmallVec::new(),
            sleeper: None,
            sleep: Sleep::new(),
            start: Duration::ZERO,
            kept: None,
            signals: None,
        }
    }

    /// Takes over the signals that the caller has blocked already.
    pub(crate) fn with_signals_blocked(mut self, signals: Option<BlockedSignals>) -> Polling {
        self.signals = signals;
        self
    }

    /// The entries, with what was found.
    #[must_use]
    pub fn entries(&self) -> &[PollEntry] {
        &self.entries
    }

    /// Passes the blocked signals on.
    pub(crate) fn take_signals(&mut self) -> Option<BlockedSignals> {
        self.signals.take()
    }

    /// Checks all entries for the first time.
    fn check_all(&mut self) -> Result<(), Error> {
        for entry in 0..self.entries.len() {
            let call = match self.sockets.get(entry) {
                Some(socket) => socket.enter()?,
                None => {
                    let call = enter(self.entries[entry].socket)?;
                    self.sockets.push(SocketRef::of(&call));
                    call
                }
            };
            self.check(entry, call)?;
        }
        Ok(())
    }

    /// Checks the entries that the waiter was notified of; all of them if there is no waiter or it says so.
    fn check_notified(&mut self) -> Result<(), Error> {
        self.hit_drop_limit = false;
        self.epoch = self.waiter.as_ref().map(|waiter| waiter.event.epoch());
        if self.waiter.as_ref().is_none_or(|waiter| waiter.take_all_notified()) {
            self.check_each()?;
        }
        self.check_due()?;
        while let Some(entry) = self.waiter.as_ref().and_then(|waiter| waiter.next_notified()) {
            // A notification may have been for an earlier call, with more entries.
            if (entry as usize) < self.sockets.len() {
                self.check_entry(entry as usize)?;
            }
        }
        Ok(())
    }

    /// Checks all entries once more.
    fn check_each(&mut self) -> Result<(), Error> {
        let count = self.entries.len();
        match &mut self.kept {
            // The number of entries is a C int.
            Some(kept) => kept.due = (0..count as u32).collect(),
            None => (0..count).try_for_each(|entry| self.check_entry(entry))?,
        }
        Ok(())
    }

    /// Checks an entry whose socket the call refers to.
    fn check_entry(&mut self, number: usize) -> Result<(), Error> {
        if self.forget_if_gone(number) {
            return Ok(());
        }
        let outcome = self.sockets[number].enter().and_then(|call| self.check(number, call));
        if outcome.is_err() {
            if self.forget_if_gone(number) {
                return Ok(());
            }
            self.check_later(number);
        }
        outcome
    }

    /// Checks an entry. If nothing is found and the call waits, registers the call at the socket.
    fn check(&mut self, number: usize, call: Call) -> Result<(), Error> {
        let entry = &mut self.entries[number];
        if entry.readable && !call.protocol().can_recv || entry.writable && !call.protocol().can_send {
            return Err(Error::UnknownOption);
        }
        let mut edges = Edges::default();
        let mut core = call.lock()?;
        // Under the lock, which the thread that ends the value takes afterwards, to notify the registered calls.
        let end = self.kept.as_ref().and_then(|kept| kept.watches[number].end());
        let is_over = end.is_some_and(|end| end <= now());
        // It may be earlier than when the call began.
        self.deadline = self.deadline.into_iter().chain(end).min();
        let owner = core.owner;
        core.allow_more_drops();
        core.process_ready(&owner.ready, &mut edges);
        entry.is_readable = entry.readable
            && (is_over || core.call(&mut edges, |protocol, context| protocol.can_recv(context)));
        entry.is_writable =
            entry.writable && core.call(&mut edges, |protocol, context| protocol.can_send(context));
        let is_ready = entry.is_readable || entry.is_writable;
        self.has_ready_entry |= is_ready;
        self.hit_drop_limit |= core.hit_drop_limit();
        self.wait.prefers_batches &= !core.face.has_sent;
        let must_wait = self.waits && !self.has_ready_entry;
        let mut direct_reads = DirectReads::default();
        let mut has_lease = false;
        if entry.readable {
            core.face.empty_polls =
                if entry.is_readable { 0 } else { core.face.empty_polls.saturating_add(1) };
            if core.face.empty_polls >= MAX_EMPTY_POLLS && core.reads_directly {
                core.revoke_direct_reads();
            }
            if let Some(lease) = self.leases.iter_mut().find(|lease| lease.entry == number) {
                lease.is_stale = true;
                has_lease = true;
            } else if !entry.is_readable
                && core.face.empty_polls < MAX_EMPTY_POLLS
                && (core.reads_directly || must_wait)
            {
                direct_reads = core.begin_direct_reads();
            }
        }
        let registered = if self.kept.as_ref().map_or(must_wait, |_| !is_ready) {
            let waiter = self.waiter.get_or_insert_with(|| core.face.registrations.take_waiter());
            self.epoch.get_or_insert_with(|| waiter.event.epoch());
            // The number of entries is a C int.
            core.face.registrations.register(waiter.registration(
                number as u32,
                entry.readable,
                entry.writable,
            ))
        } else {
            Ok(())
        };
        owner.process_ready(&mut core, &mut edges);
        drop(core);
        edges.deliver();
        if is_ready || has_lease || !direct_reads.is_empty() {
            self.check_later(number);
        }
        if !direct_reads.is_empty() {
            self.candidates.push(Candidate { entry: number, call, direct_reads });
        }
        registered
    }

    /// Whether the call need not wait any longer.
    fn is_over(&self) -> bool {
        let Some(deadline) = self.deadline.filter(|_| !self.has_ready_entry) else {
            return self.has_ready_entry;
        };
        // A call that does not wait has unwanted messages dropped for a short time.
        let time = if self.waits || !self.hit_drop_limit { Duration::ZERO } else { DROP_TIME };
        deadline.saturating_add(time) <= now()
    }

    /// Reads what the I/O thread does not read, and checks those sockets once more. Returns the number of
    /// entries for which something was found.
    fn finish_check(&mut self) -> Result<usize, Error> {
        self.waits = false;
        for Candidate { entry, call, direct_reads } in std::mem::take(&mut self.candidates) {
            call.fetch_if_leased(&direct_reads);
            self.check(entry, call)?;
        }
        self.candidates.clear();
        Ok(self.entries.iter().filter(|entry| entry.is_readable || entry.is_writable).count())
    }

    /// Waits until another check may find something. Returns whether the call must sleep for that.
    fn wait(&mut self) -> Result<bool, Error> {
        transport::before_blocking(None);
        self.acquire();
        let Polling { waiter, epoch, leases, sleep, signals, start, .. } = self;
        let event = &waiter.get_or_insert_with(PollWaiter::new).event;
        let epoch = *epoch.get_or_insert_with(|| event.epoch());
        let ends_by_signals = self.ends_by_signals;
        let before_long_wait = || {
            if ends_by_signals {
                signals.get_or_insert_with(BlockedSignals::begin);
            }
        };
        let count = leases.iter().map(|lease| lease.acquired.count()).sum();
        if count > 1 {
            let descriptors = leases.iter().flat_map(|lease| lease.acquired.descriptors());
            sleep.prepare(count, descriptors.copied(), None, None);
        }
        let fetch = || match count {
            0 => {}
            1 => leases.iter().for_each(|lease| lease.acquired.fetch()),
            // Only a few of many connections have something to read.
            _ => {
                if sleep.poll_now().is_ok_and(|ready| ready > 0) {
                    let mut readiness = sleep.readiness();
                    leases.iter().for_each(|lease| lease.acquired.fetch_ready(&mut readiness));
                }
            }
        };
        let has_deadline = self.deadline.is_some();
        match spin_before_sleep(event, epoch, self.wait, count, has_deadline, fetch, before_long_wait) {
            Ok(()) => return Ok(false),
            Err(moment) => *start = moment,
        }
        let Some(sleeper) = event.register(epoch) else { return Ok(false) };
        let descriptors = leases.iter().flat_map(|lease| lease.acquired.descriptors());
        let has_room = prepare_sleep(sleep, &sleeper, (count, descriptors), self.deadline, signals.as_ref());
        self.sleeper = Some(sleeper);
        if has_room { Ok(true) } else { Err(Error::OutOfMemory) }
    }

    /// Continues after a sleep: reads what has arrived.
    fn after_sleep(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        let Polling { waiter: Some(waiter), sleep, leases, .. } = self else { return Ok(()) };
        let wake = sleep.wake();
        waiter.event.spin.record_sleep(self.start);
        let mut readiness = sleep.readiness();
        if wake == Wake::Woken && readiness.next() == Some(true) {
            sleeper.clear();
        }
        waiter.event.unregister(sleeper);
        match wake {
            Wake::Woken => {
                for lease in leases {
                    let count = lease.acquired.count();
                    let ready: SmallVec<[bool; 2]> = readiness.by_ref().take(count).collect();
                    lease.is_stale = ready.contains(&true);
                    lease.acquired.fetch_ready(ready.into_iter());
                }
                Ok(())
            }
            Wake::Interrupted if self.ends_by_signals => Err(Error::Interrupted),
            Wake::Interrupted | Wake::TimedOut => Ok(()),
        }
    }
}

impl BlockingCall for Polling {
    type Output = usize;

    fn proceed(&mut self) -> Result<Option<usize>, Error> {
        let _uncancellable = Uncancellable::begin();
        self.enter_sockets()?;
        if let Some(sleeper) = self.sleeper.take() {
            self.after_sleep(sleeper)?;
        }
        for turn in 0..TURNS {
            if std::mem::replace(&mut self.has_checked, true) {
                self.check_notified()?
            } else {
                if !self.waits {
                    // What the thread has sent may be for one of the sockets.
                    transport::before_blocking(None);
                }
                self.check_all()?
            }
            if self.is_over() {
                return self.finish_check().map(Some);
            }
            if turn > 0 && self.signals.as_ref().is_some_and(BlockedSignals::deliver_pending) {
                return Err(Error::Interrupted);
            }
            if self.waits && self.wait()? {
                break;
            }
        }
        // The call sleeps, or its thread may be cancelled now: it must not be inside a socket.
        self.leave_sockets();
        Ok(None)
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.sleeper.is_some().then_some(&mut self.sleep)
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.end();
    }
}

impl Polling {
    /// Ends the call, which may have been cancelled.
    fn end(&mut self) {
        self.candidates.clear();
        if let Some(waiter) = self.waiter.take() {
            // The call is asleep only if its thread was cancelled.
            self.sleeper.take().map(|sleeper| waiter.event.unregister(sleeper));
            if self.kept.is_none() {
                waiter.end();
            }
        }
        self.release();
    }
}
