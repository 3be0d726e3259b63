//! A call that polls several sockets, as these see it.
//!
//! The call is registered at each of its sockets. A socket with registrations processes edges promptly, and
//! under its lock notifies each registered call once, when the call's condition holds or the socket is being
//! closed. The call does not deregister when it ends: its registrations become stale, and are removed when a
//! socket next goes through them, or replaced by the next call of the same waiter.

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
pub(super) struct PollWaiter {
    /// Changes with each notification.
    pub(super) event: Event,
    /// Counts the calls that have used the waiter.
    generation: AtomicU32,
    /// Whether a call uses the waiter.
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

impl PollWaiter {
    /// A waiter in use.
    pub(super) fn new() -> Arc<PollWaiter> {
        Arc::new(PollWaiter {
            event: Event::new(),
            generation: AtomicU32::new(0),
            in_use: AtomicBool::new(true),
            notified: Mutex::default(),
        })
    }

    /// Takes the waiter for a call. Returns whether it was free.
    fn take(&self) -> bool {
        if self.in_use.swap(true, Ordering::Acquire) {
            return false;
        }
        let mut notified = lock(&self.notified);
        notified.entries.clear();
        notified.all = false;
        true
    }

    /// Ends the call: its registrations are stale, and the waiter is free.
    pub(super) fn end(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.in_use.store(false, Ordering::Release);
    }

    /// The registration of the call at the socket of this entry.
    pub(super) fn registration(
        self: &Arc<Self>,
        entry: u32,
        readable: bool,
        writable: bool,
    ) -> PollRegistration {
        let generation = self.generation.load(Ordering::Relaxed);
        PollRegistration { waiter: self.clone(), generation, entry, readable, writable }
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
pub(super) struct PollRegistration {
    waiter: Arc<PollWaiter>,
    /// The waiter's generation when the call registered.
    generation: u32,
    entry: u32,
    readable: bool,
    writable: bool,
}

impl PollRegistration {
    fn is_stale(&self) -> bool {
        self.generation != self.waiter.generation.load(Ordering::Relaxed)
    }

    /// Tells the call to check its entry.
    fn notify(&self) {
        self.waiter.notify(self.entry);
    }
}

/// The calls that poll one socket, among others.
pub(super) struct Registrations {
    list: SmallVec<[PollRegistration; 1]>,
    /// For calls whose first entry is this socket.
    waiter: Option<Arc<PollWaiter>>,
}

impl Registrations {
    /// No registrations.
    pub(super) fn new() -> Registrations {
        Registrations { list: SmallVec::new(), waiter: None }
    }

    /// Whether no call is registered.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The socket's waiter if it is free, or a new one.
    pub(super) fn take_waiter(&mut self) -> Arc<PollWaiter> {
        match &self.waiter {
            Some(waiter) if waiter.take() => waiter.clone(),
            Some(_) => PollWaiter::new(),
            None => self.waiter.insert(PollWaiter::new()).clone(),
        }
    }

    /// Adds a registration. It replaces one of the same waiter that is for the same entry, or stale.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(super) fn register(&mut self, registration: PollRegistration) -> Result<(), Error> {
        let is_same = |other: &&mut PollRegistration| {
            Arc::ptr_eq(&other.waiter, &registration.waiter)
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

    /// The number of registrations.
    #[cfg(all(test, not(any(loom, simulated))))]
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Removes the registration of one entry.
    pub(super) fn remove(&mut self, waiter: &Arc<PollWaiter>, entry: u32) {
        self.list.retain(|one| one.entry != entry || !Arc::ptr_eq(&one.waiter, waiter));
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
        let waiter = PollWaiter::new();
        let epoch = waiter.event.epoch();
        (0..MAX_NOTIFIED as u32).for_each(|entry| waiter.notify(entry));
        assert!(waiter.event.has_changed(epoch) && !waiter.take_all_notified());
        waiter.notify(1000);
        assert!(waiter.take_all_notified() && !waiter.take_all_notified());
        assert_eq!(std::iter::from_fn(|| waiter.next_notified()).count(), MAX_NOTIFIED);
    }

    #[test]
    fn registrations_are_stale_after_the_call() {
        let waiter = PollWaiter::new();
        assert!(!waiter.take());
        let registration = waiter.registration(3, true, false);
        assert!(!registration.is_stale());
        registration.notify();
        waiter.end();
        assert!(registration.is_stale());
        // The next call does not get the notifications of the last one.
        assert!(waiter.take() && waiter.next_notified().is_none());
        assert!(!waiter.registration(3, true, false).is_stale());
    }
}
