//! A set of sockets that is polled again and again.
//!
//! Its registrations stay at the sockets between its calls. So a call asks only those sockets at which something has happened since,
//! those where something was found or whose connections were read directly by the last call, and new ones.

use std::sync::Arc;
use std::time::Duration;

use super::super::blocking::{BlockingCall, finish_and_wake};
use super::super::core::Core;
use super::super::poll_waiter::PollWaiter;
use super::super::registry::SocketRef;
use super::{Kept, PollEntry, Polling, Watch};
use crate::error::Error;
use crate::pipe::Edges;
use crate::protocol::Time;
use crate::sync::{OfProcess, Sleep, now, run_then_wake};

/// The sockets at which a poller waits, and what for.
pub(crate) struct PollSet {
    entries: Vec<PollEntry>,
    /// The sockets of the entries, in their order.
    sockets: Vec<SocketRef>,
    /// What is known of the values at which it waits, in the order of the entries.
    watches: Vec<Arc<Watch>>,
    /// The entries that the next call checks when it begins. The others are registered.
    due: Vec<u32>,
    /// The calls of the set wait for its event, one after another. Its descriptor is kept for the next one.
    waiter: OfProcess<Arc<PollWaiter>>,
    /// How many of the values can have an end.
    ending: usize,
    /// With so many entries, those of values that are gone are removed.
    sweep_at: usize,
}

/// The least number of entries at which those of values that are gone are removed.
const FIRST_SWEEP: usize = 16;

impl PollSet {
    /// An empty set.
    pub(crate) fn new() -> PollSet {
        PollSet {
            entries: Vec::new(),
            sockets: Vec::new(),
            watches: Vec::new(),
            due: Vec::new(),
            waiter: OfProcess::new(PollWaiter::new()),
            ending: 0,
            sweep_at: FIRST_SWEEP,
        }
    }

    /// The entries.
    pub(crate) fn entries(&self) -> &[PollEntry] {
        &self.entries
    }

    /// Adds a value, which waits at this socket for one of the directions.
    pub(crate) fn add(&mut self, socket: &SocketRef, watch: Arc<Watch>, readable: bool) {
        if self.entries.len() >= self.sweep_at {
            self.remove_where(|_, watch| watch.is_gone());
            self.sweep_at = FIRST_SWEEP.max(2 * self.entries.len());
        }
        let entry = PollEntry {
            socket: socket.id,
            readable,
            writable: !readable,
            is_readable: false,
            is_writable: false,
        };
        // The number of sockets is bounded.
        self.due.push(self.entries.len() as u32);
        self.ending += usize::from(watch.may_end);
        self.entries.push(entry);
        self.sockets.push(socket.clone());
        self.watches.push(watch);
    }

    /// Removes what waits for this value. Returns whether there was anything.
    pub(crate) fn remove(&mut self, socket: &SocketRef, watch: &Arc<Watch>) -> bool {
        self.remove_where(|other, known| other.is_same(socket) && Arc::ptr_eq(known, watch))
    }

    fn remove_where(&mut self, is_meant: impl Fn(&SocketRef, &Arc<Watch>) -> bool) -> bool {
        let count = self.entries.len();
        for index in (0..count).rev() {
            if is_meant(&self.sockets[index], &self.watches[index]) {
                self.remove_at(index);
            }
        }
        self.entries.len() < count
    }

    /// Removes an entry. The last one gets its number.
    fn remove_at(&mut self, index: usize) {
        let last = self.entries.len() - 1;
        self.unregister(index);
        self.due.retain(|entry| *entry as usize != last);
        if index < last {
            self.unregister(last);
            self.due.push(index as u32);
        }
        self.ending -= usize::from(self.watches[index].may_end);
        self.entries.swap_remove(index);
        self.sockets.swap_remove(index);
        self.watches.swap_remove(index);
    }

    /// Removes the registration of an entry from its socket.
    fn unregister(&self, index: usize) {
        if let Some(waiter) = self.waiter.get() {
            change(&self.sockets[index], |core| core.face.registrations.remove(waiter, index as u32));
        }
    }

    /// Waits until something is found, at most for the time if there is one. Returns the entries for which something was found,
    /// or which are over. With `ends_by_signals`, a signal handler that runs ends the call.
    ///
    /// # Errors
    /// Those of [`Polling`].
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        ends_by_signals: bool,
    ) -> Result<Vec<(SocketRef, PollEntry)>, Error> {
        let deadline = timeout.map(|time| now().saturating_add(time));
        loop {
            let until = deadline.into_iter().chain(self.first_end()).min();
            let ready = self.wait_until(until, ends_by_signals)?;
            // Nothing is ready before the time-out: the deadline that ended the wait was put off meanwhile. Waits again.
            if !ready.is_empty() || deadline.is_some_and(|deadline| deadline <= now()) {
                return Ok(ready);
            }
        }
    }

    /// Waits until something is found, or until a moment or the end of a value; then perhaps nothing is.
    fn wait_until(
        &mut self,
        until: Option<Time>,
        ends_by_signals: bool,
    ) -> Result<Vec<(SocketRef, PollEntry)>, Error> {
        let timeout = until.map(|moment| moment.saturating_sub(now()));
        finish_and_wake(SetCall::begin(self, timeout, ends_by_signals), ends_by_signals)?;
        self.due.sort_unstable();
        self.due.dedup();
        let mut ready: Vec<_> = self.due.iter().map(|entry| self.entry(*entry as usize)).collect();
        ready.retain(|(_, entry)| entry.is_readable || entry.is_writable);
        self.add_over(&mut ready);
        Ok(ready)
    }

    /// Adds the entries of values that are over to those for which something was found.
    fn add_over(&self, ready: &mut Vec<(SocketRef, PollEntry)>) {
        let Some(first_end) = self.first_end() else { return };
        let now = now();
        if first_end > now {
            return;
        }
        let is_silent = |entry: &usize| self.due.binary_search(&(*entry as u32)).is_err();
        let is_over = |entry: &usize| self.watches[*entry].is_over(now) && !self.watches[*entry].is_gone();
        for entry in (0..self.entries.len()).filter(is_silent).filter(is_over) {
            let (socket, entry) = self.entry(entry);
            ready.push((socket, PollEntry { is_readable: entry.readable, ..entry }));
        }
    }

    /// The waiter, which is a new one in a forked child: then no entry is registered.
    fn own_waiter(&mut self) -> Arc<PollWaiter> {
        let own = self.waiter.get().cloned();
        own.unwrap_or_else(|| {
            let new = PollWaiter::new();
            self.waiter = OfProcess::new(new.clone());
            self.due = (0..self.entries.len() as u32).collect();
            new
        })
    }

    fn entry(&self, index: usize) -> (SocketRef, PollEntry) {
        (self.sockets[index].clone(), self.entries[index])
    }

    /// When the first of the values ends.
    fn first_end(&self) -> Option<Time> {
        let ending = self.watches.iter().filter(|watch| watch.may_end && !watch.is_gone());
        if self.ending == 0 { None } else { ending.filter_map(|watch| watch.end()).min() }
    }
}

impl Drop for PollSet {
    fn drop(&mut self) {
        self.waiter.get().into_iter().for_each(|waiter| waiter.end());
    }
}

/// A call of a set. Dropping it returns to the set what belongs to it.
struct SetCall<'a> {
    polling: Polling,
    set: &'a mut PollSet,
}

impl SetCall<'_> {
    fn begin(set: &mut PollSet, timeout: Option<Duration>, ends_by_signals: bool) -> SetCall<'_> {
        let waiter = set.own_waiter();
        let (sockets, entries) = (std::mem::take(&mut set.sockets), std::mem::take(&mut set.entries));
        let mut polling = Polling::of(sockets, entries, timeout, ends_by_signals);
        polling.waiter = Some(waiter);
        polling.kept = Some(Kept {
            watches: std::mem::take(&mut set.watches),
            due: std::mem::take(&mut set.due),
            due_later: Vec::new(),
        });
        // From the beginning it checks only what it must.
        polling.has_checked = true;
        SetCall { polling, set }
    }
}

impl BlockingCall for SetCall<'_> {
    type Output = ();

    fn proceed(&mut self) -> Result<Option<()>, Error> {
        Ok(self.polling.proceed()?.map(|_count| ()))
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.polling.sleep()
    }
}

impl Drop for SetCall<'_> {
    fn drop(&mut self) {
        self.polling.end();
        self.set.sockets = std::mem::take(&mut self.polling.sockets);
        self.set.entries = std::mem::take(&mut self.polling.entries);
        if let Some(mut kept) = self.polling.kept.take() {
            self.set.watches = kept.watches;
            // Those that were due are left over if the call has failed.
            kept.due.append(&mut kept.due_later);
            self.set.due = kept.due;
        }
    }
}

impl Polling {
    /// Checks the entries that are due.
    pub(super) fn check_due(&mut self) -> Result<(), Error> {
        while let Some(entry) = self.kept.as_mut().and_then(|kept| kept.due.pop()) {
            self.check_entry(entry as usize)?;
        }
        Ok(())
    }

    /// Lets the next call check an entry.
    pub(super) fn check_later(&mut self, number: usize) {
        if let Some(kept) = &mut self.kept {
            kept.due_later.push(number as u32);
        }
    }

    /// Returns whether the value of an entry is gone; then nothing is found for it any more.
    pub(super) fn forget_if_gone(&mut self, number: usize) -> bool {
        let is_gone = self.kept.as_ref().is_some_and(|kept| kept.watches[number].is_gone());
        if is_gone {
            let entry = &mut self.entries[number];
            (entry.is_readable, entry.is_writable) = (false, false);
        }
        is_gone
    }
}

/// Lets the calls that poll this socket check it once more.
pub(crate) fn notify_polls(socket: &SocketRef) {
    change(socket, |core| core.face.registrations.notify_all());
}

/// Changes what belongs to a socket, unless it is closed.
fn change(socket: &SocketRef, change: impl FnOnce(&mut Core)) {
    run_then_wake(|| {
        let Ok(call) = socket.enter() else { return };
        let Ok(mut core) = call.lock() else { return };
        let (owner, mut edges) = (core.owner, Edges::default());
        change(&mut core);
        owner.process_ready(&mut core, &mut edges);
        drop(core);
        edges.deliver();
    });
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::super::Watched;
    use super::*;
    use crate::message::{Outgoing, Payload};
    use crate::protocol;
    use crate::socket::{AF_SP, close, enter, open, recv, send};

    /// Sockets that receive over inproc, with one that sends to each.
    fn pairs<const N: usize>(name: &str) -> [[i32; 2]; N] {
        std::array::from_fn(|index| {
            let pair = [(); 2].map(|()| open(AF_SP, protocol::PAIR.number.into()).unwrap());
            let address = format!("inproc://poll_set/{name}/{index}");
            enter(pair[0]).unwrap().bind(address.as_bytes()).unwrap();
            enter(pair[1]).unwrap().connect(address.as_bytes()).unwrap();
            pair
        })
    }

    fn socket(id: i32) -> SocketRef {
        SocketRef::of(&enter(id).unwrap())
    }

    fn send_to(pair: [i32; 2]) {
        send(pair[1], &mut Outgoing::new(Payload::Borrowed(b"a")), false).unwrap();
    }

    /// How many calls are registered at a socket, and how often it was asked since it had a message.
    fn asked(id: i32) -> (usize, u32) {
        let call = enter(id).unwrap();
        let face = &call.core.lock().face;
        (face.registrations.count(), face.empty_polls)
    }

    #[test]
    fn a_silent_socket_is_asked_once() {
        let pairs = pairs::<3>("silent");
        let watched = pairs.map(|_| Watched::default());
        let mut set = PollSet::new();
        for (pair, watched) in pairs.iter().zip(&watched) {
            set.add(&socket(pair[0]), watched.share(None), true);
        }
        for round in 0..10 {
            let busy = pairs[1 + round % 2];
            send_to(busy);
            let ready = set.wait(None, false).unwrap();
            assert!(ready.iter().map(|(socket, _)| socket.id).eq([busy[0]]));
            recv(busy[0], true, |_| ()).unwrap();
        }
        assert!(set.wait(Some(Duration::ZERO), false).unwrap().is_empty());
        assert_eq!(asked(pairs[0][0]), (1, 1));
        assert!(set.due.is_empty() && pairs.iter().all(|pair| asked(pair[0]).0 == 1));
        drop(set);
        pairs.as_flattened().iter().for_each(|id| close(*id).unwrap());
    }

    #[test]
    fn what_is_removed_leaves_nothing_at_its_socket() {
        let pairs = pairs::<3>("removed");
        let watched = pairs.map(|_| Watched::default().share(None));
        let mut set = PollSet::new();
        for round in 0..12 {
            for (pair, watch) in pairs.iter().zip(&watched) {
                set.add(&socket(pair[0]), watch.clone(), true);
            }
            assert!(set.wait(Some(Duration::ZERO), false).unwrap().is_empty());
            // In each order, so that the last one, another one and the only one are removed.
            for step in 0..3 {
                let pair = pairs[(round * (step + 1) + step) % 3];
                let index = pairs.iter().position(|other| *other == pair).unwrap();
                set.remove(&socket(pair[0]), &watched[index]);
                assert!(set.wait(Some(Duration::ZERO), false).unwrap().is_empty());
                assert_eq!(asked(pair[0]).0, 0);
            }
            pairs.iter().zip(&watched).for_each(|(pair, watch)| _ = set.remove(&socket(pair[0]), watch));
            assert!(set.entries.is_empty() && set.due.is_empty());
        }
        drop(set);
        pairs.as_flattened().iter().for_each(|id| close(*id).unwrap());
    }

    #[test]
    fn what_is_gone_is_swept_away() {
        let pairs = pairs::<1>("swept");
        let mut set = PollSet::new();
        for _ in 0..1000 {
            set.add(&socket(pairs[0][0]), Watched::default().share(Some(None)), true);
            assert!(set.wait(Some(Duration::ZERO), false).unwrap().is_empty());
        }
        assert!(set.entries.len() <= 2 * FIRST_SWEEP);
        drop(set);
        pairs.as_flattened().iter().for_each(|id| close(*id).unwrap());
    }

    /// The wait of the child takes no notification of the parent.
    #[cfg(unix)]
    #[test]
    fn a_forked_child_waits_for_a_descriptor_of_its_own() {
        use std::io::Read;

        let (mut notified, notify) = std::io::pipe().unwrap();
        let mut set = PollSet::new();
        // It sleeps, so that it has a descriptor, which it keeps.
        assert!(set.wait(Some(Duration::from_millis(10)), false).unwrap().is_empty());
        // SAFETY: the child allocates, which the C library allows, and ends without returning.
        let child = unsafe { libc::fork() };
        if child == 0 {
            drop(notify);
            let is_told = notified.read(&mut [0]).is_ok_and(|count| count == 0);
            let waited = set.wait(Some(Duration::from_millis(10)), false);
            // SAFETY: a plain call.
            unsafe { libc::_exit(i32::from(!(is_told && waited.is_ok_and(|ready| ready.is_empty())))) };
        }
        let event = &set.waiter.get().unwrap().event;
        let sleeper = event.register(event.epoch()).unwrap();
        event.notify_one();
        drop(notify);
        let mut status = -1;
        // SAFETY: `status` is valid for writing.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        let mut polled = [crate::sync::Polled::new(sleeper.descriptor().unwrap())];
        let ready = crate::sync::poll(&mut polled, Some(Duration::ZERO)).unwrap();
        assert_eq!((status, ready), (0, 1));
        event.unregister(sleeper);
    }

    /// The entries after one that is closed are not forgotten.
    #[test]
    fn a_call_that_fails_leaves_the_others_to_the_next_one() {
        let pairs = pairs::<3>("failed");
        let watched = pairs.map(|_| Watched::default());
        let mut set = PollSet::new();
        for (pair, watched) in pairs.iter().zip(&watched) {
            set.add(&socket(pair[0]), watched.share(None), true);
            send_to(*pair);
        }
        let closed = socket(pairs[1][0]);
        close(pairs[1][0]).unwrap();
        assert_eq!(set.wait(None, false).err(), Some(Error::Closed));
        assert!(set.remove(&closed, &watched[1].share(None)));
        assert_eq!(set.wait(None, false).unwrap().len(), 2);
        drop(set);
        [pairs[0], pairs[2], [pairs[1][1]; 2]]
            .iter()
            .for_each(|ids| ids.iter().for_each(|id| _ = close(*id)));
    }
}
