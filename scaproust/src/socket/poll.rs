//! Waiting for several sockets at once.
//!
//! Owns the questions, and what a call that must wait for an answer borrows from its sockets: the reading
//! of their connections, as a receiver does. What it waits on besides is its [`Poller`].

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::blocking::{Blocked, HeldSignals, TURNS, look_before_sleep, prepare_sleep};
use super::direct_read::{Acquired, DirectReads};
use super::poller::Poller;
use super::registry::{Call, Place, enter};
use super::wait_policy::DROPPING;
use crate::error::Error;
use crate::pipe::Edges;
use crate::protocol::Protocol;
use crate::sync::{Epoch, Sleep, Sleeper, Uncancellable, Wait, Wake, now};
use crate::transport;

/// The most connections that a call reads from itself.
const MOST: usize = 128;
/// After this many calls in a row that found nothing at a socket, the I/O thread reads for it.
const IDLE: u32 = 64;

/// A question about a socket, and its answer. Without a question, it is only waited for the
/// socket's being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollEntry {
    /// The socket's number.
    pub socket: i32,
    /// Asked: can a message be received?
    pub readable: bool,
    /// Asked: can a message be sent?
    pub writable: bool,
    /// Answered: a message can be received.
    pub is_readable: bool,
    /// Answered: a message can be sent.
    pub is_writable: bool,
}

opaque!([] Polling);

/// A call that waits for several sockets. While it sleeps it is inside none of them.
pub struct Polling {
    entries: Vec<PollEntry>,
    /// Their sockets, as far as it has looked.
    places: Vec<Place>,
    /// It does not only look.
    waits: bool,
    has_looked: bool,
    /// Some entry has a yes.
    is_answered: bool,
    /// In the last looks a protocol was cut short.
    is_unsure: bool,
    deadline: Option<Duration>,
    ends_by_signals: bool,
    /// What it waits on, once it must.
    poller: Option<Arc<Poller>>,
    /// Of the poller, drawn before the last looks.
    epoch: Option<Epoch>,
    /// It gathers unless a peer may wait for an answer of the caller.
    wait: Wait,
    /// Sockets to borrow from. Taken before it sleeps.
    lenders: SmallVec<[Lender; 1]>,
    leases: SmallVec<[SocketLease; 1]>,
    sleeper: Option<Sleeper>,
    sleep: Sleep,
    /// When the wait began.
    start: Duration,
    /// The last to go: handlers run then.
    signals: Option<HeldSignals>,
}

/// A socket whose connections may be read from, for this entry.
struct Lender {
    entry: usize,
    call: Call,
    direct_reads: DirectReads,
}

/// What it reads from, for an entry, and so has the watch of that socket's receivers.
struct SocketLease {
    entry: usize,
    /// Inside, unless it sleeps.
    call: Option<Call>,
    acquired: Acquired,
    /// Something came that did not suffice: some connections may have gone.
    is_stale: bool,
}

impl Polling {
    /// Waits until a question can be answered with yes, or for `timeout`; without one for ever. A
    /// signal that is handled ends the call, unless it is not to.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]. Later on [`Error::Closed`] if an entry is no open socket, and
    /// [`Error::UnknownOption`] if it cannot be asked that.
    pub fn new(
        entries: Vec<PollEntry>,
        timeout: Option<Duration>,
        ends_by_signals: bool,
    ) -> Result<Polling, Error> {
        let places = room_for(entries.len())?;
        Ok(Polling {
            entries,
            places,
            waits: timeout != Some(Duration::ZERO),
            has_looked: false,
            is_answered: false,
            is_unsure: false,
            deadline: timeout.map(|time| now() + time),
            ends_by_signals,
            poller: None,
            epoch: None,
            wait: Wait { gathers: true, is_paced: false },
            lenders: SmallVec::new(),
            leases: SmallVec::new(),
            sleeper: None,
            sleep: Sleep::new(),
            start: Duration::ZERO,
            signals: None,
        })
    }

    /// The same, by a caller that holds back signals already.
    pub(crate) fn holding_back(mut self, signals: Option<HeldSignals>) -> Polling {
        self.signals = signals;
        self
    }

    /// The entries, with their answers once there are any.
    #[must_use]
    pub fn entries(&self) -> &[PollEntry] {
        &self.entries
    }

    /// Signals are held back on.
    pub(crate) fn take_signals(&mut self) -> Option<HeldSignals> {
        self.signals.take()
    }

    /// Looks at the sockets of all entries.
    fn look_at_all(&mut self) -> Result<(), Error> {
        for entry in 0..self.entries.len() {
            let call = enter(self.entries[entry].socket)?;
            self.places.push(Place::of(&call));
            self.look(entry, call)?;
        }
        Ok(())
    }

    /// Looks at the sockets that have told something, or at all if none was asked to.
    fn look_again(&mut self) -> Result<(), Error> {
        self.is_unsure = false;
        self.epoch = self.poller.as_ref().map(|poller| poller.event.epoch());
        if self.poller.as_ref().is_none_or(|poller| poller.take_all_told()) {
            for entry in 0..self.entries.len() {
                self.look(entry, self.places[entry].enter()?)?;
            }
        }
        while let Some(entry) = self.poller.as_ref().and_then(|poller| poller.next_told()) {
            // An earlier call may have had more entries.
            if let Some(place) = self.places.get(entry as usize) {
                self.look(entry as usize, place.enter()?)?;
            }
        }
        Ok(())
    }

    /// Asks a socket what the entry asks. If the call is to wait for that, the socket will tell the poller.
    fn look(&mut self, number: usize, call: Call) -> Result<(), Error> {
        let entry = &mut self.entries[number];
        if entry.readable && !call.protocol().can_recv || entry.writable && !call.protocol().can_send {
            return Err(Error::UnknownOption);
        }
        let mut edges = Edges::default();
        let mut core = call.core.lock();
        if core.is_closing {
            return Err(Error::Closed);
        }
        core.allow_drops();
        core.process_ready(&call.ready, &mut edges);
        entry.is_readable =
            entry.readable && core.call(&mut edges, |protocol, context| protocol.can_recv(context));
        entry.is_writable =
            entry.writable && core.call(&mut edges, |protocol, context| protocol.can_send(context));
        self.is_answered |= entry.is_readable || entry.is_writable;
        self.is_unsure |= core.is_cut_short();
        self.wait.gathers &= !core.has_sent;
        let is_to_wait = self.waits && !self.is_answered;
        let mut direct_reads = DirectReads::new();
        if entry.readable {
            core.in_vain = if entry.is_readable { 0 } else { core.in_vain.saturating_add(1) };
            if let Some(lease) = self.leases.iter_mut().find(|lease| lease.entry == number) {
                lease.is_stale = true;
            } else if !entry.is_readable && core.in_vain < IDLE && (core.fetches || is_to_wait) {
                direct_reads = core.lend();
            }
        }
        let registered = if is_to_wait {
            let poller = self.poller.get_or_insert_with(|| core.registrations.take_poller());
            self.epoch.get_or_insert_with(|| poller.event.epoch());
            // A count of the C face's.
            core.registrations.register(poller.registration(number as u32, entry.readable, entry.writable))
        } else {
            Ok(())
        };
        call.process_ready(&mut core, &mut edges);
        drop(core);
        edges.deliver();
        if !direct_reads.is_empty() {
            self.lenders.push(Lender { entry: number, call, direct_reads });
        }
        registered
    }

    /// Whether there is nothing more to wait for.
    fn is_over(&self) -> bool {
        let Some(deadline) = self.deadline.filter(|_| !self.is_answered) else { return self.is_answered };
        // A call that does not wait lets unwanted messages be dropped, for a while.
        let time = if self.waits || !self.is_unsure { Duration::ZERO } else { DROPPING };
        deadline + time <= now()
    }

    /// Reads what is not read in the background, and answers the number of entries with a yes.
    fn answer(&mut self) -> Result<usize, Error> {
        self.waits = false;
        for Lender { entry, call, direct_reads } in std::mem::take(&mut self.lenders) {
            call.fetch_borrowed(direct_reads);
            self.look(entry, call)?;
        }
        self.lenders.clear();
        Ok(self.entries.iter().filter(|entry| entry.is_readable || entry.is_writable).count())
    }

    /// Borrows what it can, also what has come since it last did.
    fn acquire(&mut self) {
        let mut count = 0;
        self.leases.retain(|SocketLease { call, acquired, is_stale, .. }| {
            if let (Some(call), true) = (call, std::mem::take(is_stale)) {
                let direct_reads = call.core.lock().lend();
                // What is kept is borrowed before it is given back.
                *acquired = Acquired::from(direct_reads);
                if acquired.count() == 0 {
                    call.receivers.unwatch();
                }
            }
            count += acquired.count();
            acquired.count() > 0
        });
        for Lender { entry, call, direct_reads } in self.lenders.drain(..) {
            if count + direct_reads.len() > MOST || !call.receivers.watch() {
                continue;
            }
            let acquired = Acquired::from(direct_reads);
            if acquired.count() == 0 {
                call.receivers.unwatch();
                continue;
            }
            count += acquired.count();
            self.leases.push(SocketLease { entry, call: Some(call), acquired, is_stale: false });
        }
    }

    /// Waits until another look may find more. Answers whether the call is to sleep for that.
    fn wait(&mut self) -> Result<bool, Error> {
        transport::before_blocking(None);
        self.acquire();
        let Polling { poller, epoch, leases, sleep, signals, start, .. } = self;
        let event = &poller.get_or_insert_with(Poller::new).event;
        let epoch = *epoch.get_or_insert_with(|| event.epoch());
        let ends_by_signals = self.ends_by_signals;
        let hold = || {
            if ends_by_signals {
                signals.get_or_insert_with(HeldSignals::begin);
            }
        };
        let count = leases.iter().map(|lease| lease.acquired.count()).sum();
        if count > 1 {
            let mut all = leases.iter().flat_map(|lease| lease.acquired.descriptors()).copied();
            sleep.prepare((0..count).map(|_| all.next().unwrap_or_default()), None, None);
        }
        let fetch = || match count {
            0 => {}
            1 => leases.iter().for_each(|lease| lease.acquired.fetch()),
            // Of many few have something.
            _ => {
                if sleep.look().is_ok_and(|ready| ready > 0) {
                    let mut readiness = sleep.readiness();
                    leases.iter().for_each(|lease| lease.acquired.fetch_ready(&mut readiness));
                }
            }
        };
        match look_before_sleep(event, epoch, self.wait, count, fetch, hold) {
            Ok(()) => return Ok(false),
            Err(moment) => *start = moment,
        }
        let Some(sleeper) = event.lie_down(epoch) else { return Ok(false) };
        let watched = leases.iter().flat_map(|lease| lease.acquired.descriptors());
        let has_room = prepare_sleep(sleep, &sleeper, (count, watched), self.deadline, signals.as_ref());
        self.sleeper = Some(sleeper);
        if has_room { Ok(true) } else { Err(Error::OutOfMemory) }
    }

    /// Is inside the sockets that it borrows from, again.
    fn enter(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        let outside = |lease: &SocketLease| lease.call.is_none();
        while let Some(place) = self.leases.iter().position(outside).filter(|_| outcome.is_ok()) {
            match self.places[self.leases[place].entry].enter() {
                Ok(call) => self.leases[place].call = Some(call),
                Err(error) => {
                    // The timer of a lease could outlast the I/O thread.
                    self.leases.remove(place).acquired.revoke();
                    outcome = Err(error);
                }
            }
        }
        outcome
    }

    /// Is not inside any socket, but still borrows.
    fn leave(&mut self) {
        self.leases.iter_mut().for_each(|lease| lease.call = None);
    }

    /// What is to be done after a sleep: reads what has come.
    fn get_up(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        let Polling { poller: Some(poller), sleep, leases, .. } = self else { return Ok(()) };
        let wake = sleep.wake();
        poller.event.spin.has_slept(self.start);
        let mut readiness = sleep.readiness();
        if wake == Wake::Woken && readiness.next() == Some(true) {
            sleeper.silence();
        }
        poller.event.get_up(sleeper);
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

impl Blocked for Polling {
    type Output = usize;

    fn proceed(&mut self) -> Result<Option<usize>, Error> {
        let _uncancellable = Uncancellable::begin();
        self.enter()?;
        if let Some(sleeper) = self.sleeper.take() {
            self.get_up(sleeper)?;
        }
        for turn in 0..TURNS {
            if std::mem::replace(&mut self.has_looked, true) {
                self.look_again()?
            } else {
                self.look_at_all()?
            }
            if self.is_over() {
                return self.answer().map(Some);
            }
            if turn > 0 && self.signals.as_ref().is_some_and(HeldSignals::has_let_one_in) {
                return Err(Error::Interrupted);
            }
            if self.waits && self.wait()? {
                break;
            }
        }
        // It sleeps, or its thread may be cancelled now.
        self.leave();
        Ok(None)
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.sleeper.is_some().then_some(&mut self.sleep)
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.lenders.clear();
        if let Some(poller) = &self.poller {
            // Asleep only if the thread was cancelled.
            self.sleeper.take().map(|sleeper| poller.event.get_up(sleeper));
            poller.end();
        }
        while !self.leases.is_empty() {
            // One that cannot be entered is gone then.
            if self.enter().is_ok()
                && let Some(SocketLease { call: Some(call), acquired, .. }) = self.leases.pop()
            {
                call.release(acquired);
            }
        }
    }
}

/// An empty list that need not grow. How long it is, the host says.
pub fn room_for<T>(count: usize) -> Result<Vec<T>, Error> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
    Ok(list)
}
