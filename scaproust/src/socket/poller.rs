//! A call that waits for several sockets, as these see it.
//!
//! Such a call is registered at each of its sockets. A socket with registrations is watchful, and says
//! under its lock, once for each, that what was asked for is there, or that it is being closed. The
//! call need not be told when it ends: what is registered for it is void then, and is taken out by
//! whoever comes across it, or used again by the next call of the same poller.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Error;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::sync::{Event, Mutex, lock};

/// A poller is told of so many entries one by one; of more, that it is to look at all.
const MOST_TOLD: usize = 64;

/// What one call after the other waits on. A socket keeps one for the calls that name it first, which
/// so have what earlier ones have learned, and a descriptor to sleep on.
pub(super) struct Poller {
    /// Something was told.
    pub(super) event: Event,
    /// Counts the calls.
    turn: AtomicU32,
    /// A call uses it.
    is_taken: AtomicBool,
    told: Mutex<Told>,
}

/// Entries of the call that are to be looked at.
#[derive(Default)]
struct Told {
    entries: Vec<u32>,
    /// And all others.
    all: bool,
}

impl Poller {
    /// One that is taken.
    pub(super) fn new() -> Arc<Poller> {
        Arc::new(Poller {
            event: Event::new(),
            turn: AtomicU32::new(0),
            is_taken: AtomicBool::new(true),
            told: Mutex::default(),
        })
    }

    /// Takes it for a call, if no other has it.
    fn take(&self) -> bool {
        if self.is_taken.swap(true, Ordering::Acquire) {
            return false;
        }
        let mut told = lock(&self.told);
        told.entries.clear();
        told.all = false;
        true
    }

    /// The call is over.
    pub(super) fn end(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
        self.is_taken.store(false, Ordering::Release);
    }

    /// What the call registers at the socket of this entry.
    pub(super) fn registration(self: &Arc<Self>, entry: u32, readable: bool, writable: bool) -> Registration {
        let turn = self.turn.load(Ordering::Relaxed);
        Registration { poller: self.clone(), turn, entry, readable, writable }
    }

    fn tell(&self, entry: u32) {
        {
            let mut told = lock(&self.told);
            if told.entries.len() < MOST_TOLD && told.entries.try_reserve(1).is_ok() {
                told.entries.push(entry);
            } else {
                told.all = true;
            }
        }
        self.event.notify_one();
    }

    /// An entry that is to be looked at.
    pub(super) fn next_told(&self) -> Option<u32> {
        lock(&self.told).entries.pop()
    }

    /// Whether all entries are to be looked at.
    pub(super) fn take_all_told(&self) -> bool {
        std::mem::take(&mut lock(&self.told).all)
    }
}

/// What a socket is asked by a call that waits. If nothing is asked, it is told of the closing.
pub(super) struct Registration {
    poller: Arc<Poller>,
    /// Of which call.
    turn: u32,
    entry: u32,
    readable: bool,
    writable: bool,
}

impl Registration {
    fn is_void(&self) -> bool {
        self.turn != self.poller.turn.load(Ordering::Relaxed)
    }

    /// Tells the call to look.
    fn tell(&self) {
        self.poller.tell(self.entry);
    }
}

/// The calls that wait for one socket, among others.
pub(super) struct Registrations {
    list: SmallVec<[Registration; 1]>,
    /// What calls that name this socket first wait on.
    poller: Option<Arc<Poller>>,
}

impl Registrations {
    /// No call waits.
    pub(super) fn new() -> Registrations {
        Registrations { list: SmallVec::new(), poller: None }
    }

    /// Whether no call is registered.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The socket's poller if it is free, or a new one.
    pub(super) fn take_poller(&mut self) -> Arc<Poller> {
        match &self.poller {
            Some(poller) if poller.take() => poller.clone(),
            Some(_) => Poller::new(),
            None => self.poller.insert(Poller::new()).clone(),
        }
    }

    /// Has a call told of what is asked.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(super) fn register(&mut self, registration: Registration) -> Result<(), Error> {
        let is_same = |other: &&mut Registration| {
            Arc::ptr_eq(&other.poller, &registration.poller)
                && (other.entry == registration.entry || other.is_void())
        };
        if let Some(old) = self.list.iter_mut().find(is_same) {
            *old = registration;
        } else {
            self.list.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
            self.list.push(registration);
        }
        Ok(())
    }

    /// Forgets calls that are over.
    pub(super) fn forget_void(&mut self) {
        self.list.retain(|registration| !registration.is_void());
    }

    /// Whether a call waits to receive, and whether one waits to send.
    pub(super) fn questions(&self) -> (bool, bool) {
        (self.list.iter().any(|one| one.readable), self.list.iter().any(|one| one.writable))
    }

    /// Tells the calls that wait for one of these.
    pub(super) fn notify(&mut self, can_recv: bool, can_send: bool) {
        self.list.retain(|registration| {
            let is_meant = registration.readable && can_recv || registration.writable && can_send;
            if is_meant {
                registration.tell();
            }
            !is_meant
        });
    }

    /// Tells all calls that wait to receive: one of them may read from the connections now.
    pub(super) fn notify_receivers(&mut self) {
        self.forget_void();
        self.notify(true, false);
    }

    /// Tells all calls.
    pub(super) fn notify_all(&mut self) {
        self.list.drain(..).for_each(|registration| registration.tell());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_of_too_many_entries_looks_at_all() {
        let poller = Poller::new();
        let epoch = poller.event.epoch();
        (0..MOST_TOLD as u32).for_each(|entry| poller.tell(entry));
        assert!(poller.event.has_changed(epoch) && !poller.take_all_told());
        poller.tell(1000);
        assert!(poller.take_all_told() && !poller.take_all_told());
        assert_eq!(std::iter::from_fn(|| poller.next_told()).count(), MOST_TOLD);
    }

    #[test]
    fn what_was_registered_is_void_after_the_call() {
        let poller = Poller::new();
        assert!(!poller.take());
        let registration = poller.registration(3, true, false);
        assert!(!registration.is_void());
        registration.tell();
        poller.end();
        assert!(registration.is_void());
        // The next call is not told what was meant for the last one.
        assert!(poller.take() && poller.next_told().is_none());
        assert!(!poller.registration(3, true, false).is_void());
    }
}
