//! A call that polls several sockets, as these see it.
//!
//! The call is registered at each of its sockets. A socket with registrations processes edges promptly, and
//! under its lock notifies each registered call once, when the call's condition holds or the socket is being
//! closed. The call does not deregister when it ends: its registrations become stale, and are removed when a
//! socket next goes through them, or replaced by the next call of the same poller.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Error;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::sync::{Event, Mutex, lock, rank};

/// How many notified entries are listed one by one. If there are more, the call checks all of its entries.
const MAX_NOTIFIED: usize = 64;

/// The event that a call waits for, used by one call after another. A socket keeps one for the calls whose
/// first entry it is, so that they reuse what earlier calls have learned about waiting, and the descriptor to
/// sleep on.
pub(super) struct Poller {
    /// Changes with each notification.
    pub(super) event: Event,
    /// Counts the calls that have used the poller.
    generation: AtomicU32,
    /// Whether a call uses the poller.
    in_use: AtomicBool,
    notified: Mutex<Notified, rank::Notified>,
}

/// The entries that the call must check.
#[derive(Default)]
struct Notified {
    entries: Vec<u32>,
    /// All entries, and not only the listed ones.
    all: bool,
}

impl Poller {
    /// A poller in use.
    pub(super) fn new() -> Arc<Poller> {
        Arc::new(Poller {
            event: Event::new(),
            generation: AtomicU32::new(0),
            in_use: AtomicBool::new(true),
            notified: Mutex::default(),
        })
    }

    /// Takes the poller for a call. Returns whether it was free.
    fn take(&self) -> bool {
        if self.in_use.swap(true, Ordering::Acquire) {
            return false;
        }
        let mut notified = lock(&self.notified);
        notified.entries.clear();
        notified.all = false;
        true
    }

    /// Ends the call: its registrations are stale, and the poller is free.
    pub(super) fn end(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.in_use.store(false, Ordering::Release);
    }

    /// The registration of the call at the socket of this entry.
    pub(super) fn registration(self: &Arc<Self>, entry: u32, readable: bool, writable: bool) -> Registration {
        let generation = self.generation.load(Ordering::Relaxed);
        Registration { poller: self.clone(), generation, entry, readable, writable }
    }

    /// Tells the call to check an entry.
    fn notify(&self, entry: u32) {
        {
            let mut notified = lock(&self.notified);
            if notified.entries.len() < MAX_NOTIFIED && notified.entries.try_reserve(1).is_ok() {
                notified.entries.push(entry);
            } else {
                notified.all = true;
            }
        }
        self.event.notify_one();
    }

    /// Takes an entry that the call must check.
    pub(super) fn next_notified(&self) -> Option<u32> {
        lock(&self.notified).entries.pop()
    }

    /// Whether the call must check all entries; resets that.
    pub(super) fn take_all_notified(&self) -> bool {
        std::mem::take(&mut lock(&self.notified).all)
    }
}

/// What a call waits for at a socket: a condition, or with neither flag only the socket's closing.
pub(super) struct Registration {
    poller: Arc<Poller>,
    /// That of the poller at the call.
    generation: u32,
    entry: u32,
    readable: bool,
    writable: bool,
}

impl Registration {
    fn is_stale(&self) -> bool {
        self.generation != self.poller.generation.load(Ordering::Relaxed)
    }

    /// Tells the call to check its entry.
    fn notify(&self) {
        self.poller.notify(self.entry);
    }
}

/// The calls that poll one socket, among others.
pub(super) struct Registrations {
    list: SmallVec<[Registration; 1]>,
    /// For calls whose first entry is this socket.
    poller: Option<Arc<Poller>>,
}

impl Registrations {
    /// No registrations.
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

    /// Adds a registration. It replaces one of the same poller that is for the same entry, or stale.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(super) fn register(&mut self, registration: Registration) -> Result<(), Error> {
        let is_same = |other: &&mut Registration| {
            Arc::ptr_eq(&other.poller, &registration.poller)
                && (other.entry == registration.entry || other.is_stale())
        };
        if let Some(old) = self.list.iter_mut().find(is_same) {
            *old = registration;
        } else {
            self.list.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
            self.list.push(registration);
        }
        Ok(())
    }

    /// Removes the registrations of calls that have ended.
    pub(super) fn remove_stale(&mut self) {
        self.list.retain(|registration| !registration.is_stale());
    }

    /// Whether a call waits to receive, and whether one waits to send.
    pub(super) fn interests(&self) -> (bool, bool) {
        (self.list.iter().any(|one| one.readable), self.list.iter().any(|one| one.writable))
    }

    /// Notifies the calls for which one of these conditions holds, and removes their registrations.
    pub(super) fn notify(&mut self, can_recv: bool, can_send: bool) {
        self.list.retain(|registration| {
            let is_meant = registration.readable && can_recv || registration.writable && can_send;
            if is_meant {
                registration.notify();
            }
            !is_meant
        });
    }

    /// Notifies all calls that wait to receive: one of them may read from the connections now.
    pub(super) fn notify_receivers(&mut self) {
        self.remove_stale();
        self.notify(true, false);
    }

    /// Notifies all calls, and removes their registrations.
    pub(super) fn notify_all(&mut self) {
        self.list.drain(..).for_each(|registration| registration.notify());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn after_too_many_notifications_all_entries_are_checked() {
        let poller = Poller::new();
        let epoch = poller.event.epoch();
        (0..MAX_NOTIFIED as u32).for_each(|entry| poller.notify(entry));
        assert!(poller.event.has_changed(epoch) && !poller.take_all_notified());
        poller.notify(1000);
        assert!(poller.take_all_notified() && !poller.take_all_notified());
        assert_eq!(std::iter::from_fn(|| poller.next_notified()).count(), MAX_NOTIFIED);
    }

    #[test]
    fn registrations_are_stale_after_the_call() {
        let poller = Poller::new();
        assert!(!poller.take());
        let registration = poller.registration(3, true, false);
        assert!(!registration.is_stale());
        registration.notify();
        poller.end();
        assert!(registration.is_stale());
        // The next call does not get the notifications of the last one.
        assert!(poller.take() && poller.next_notified().is_none());
        assert!(!poller.registration(3, true, false).is_stale());
    }
}
