//! Waiting for several sockets at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::blocking::{Blocked, HeldSignals, Place};
use super::{PollEvent, enter};
use crate::error::Error;
use crate::sync::{Alarm, Sleep, Uncancellable, now};
use crate::transport;

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

/// A call that waits for several sockets. While it sleeps it is inside none of them.
pub struct Polling {
    entries: Vec<PollEntry>,
    places: Vec<Place>,
    /// What is waited for: up to two for each entry, in their order. They stay open while they are.
    alarms: Vec<Arc<Alarm>>,
    deadline: Option<Duration>,
    ends_by_signals: bool,
    sleep: Sleep,
    has_looked: bool,
    is_asleep: bool,
    /// The last to go: handlers run then.
    signals: Option<HeldSignals>,
}

impl Polling {
    /// Waits until a question can be answered with yes, or for `timeout`; without one for ever. A
    /// signal that is handled ends the call, unless it is not to.
    ///
    /// # Errors
    /// [`Error::Closed`] if an entry is no open socket, [`Error::UnknownOption`] if it cannot be asked
    /// that, [`Error::OutOfMemory`].
    pub fn new(
        entries: Vec<PollEntry>,
        timeout: Option<Duration>,
        ends_by_signals: bool,
    ) -> Result<Polling, Error> {
        let _uncancellable = Uncancellable::begin();
        let mut places = room_for(entries.len())?;
        let mut alarms = room_for(2 * entries.len())?;
        for entry in &entries {
            let call = enter(entry.socket)?;
            for event in entry.events() {
                alarms.push(call.alarm(event)?);
            }
            places.push(Place::of(&call));
        }
        let deadline = timeout.map(|time| now() + time);
        Ok(Polling {
            entries,
            places,
            alarms,
            deadline,
            ends_by_signals,
            sleep: Sleep::new(),
            has_looked: false,
            is_asleep: false,
            signals: None,
        })
    }

    /// The entries, with their answers once there are any.
    #[must_use]
    pub fn entries(&self) -> &[PollEntry] {
        &self.entries
    }

    /// The caller has looked already, and perhaps holds back signals.
    pub(crate) fn after_looks(self, signals: Option<HeldSignals>) -> Polling {
        Polling { has_looked: true, signals, ..self }
    }

    /// Signals are held back on.
    pub(crate) fn take_signals(&mut self) -> Option<HeldSignals> {
        self.signals.take()
    }

    fn prepare(&mut self) -> Result<(), Error> {
        let descriptors = self.alarms.iter().map(|alarm| alarm.descriptor());
        let mask = self.signals.as_ref().map(HeldSignals::mask);
        if self.sleep.prepare(descriptors, self.deadline, mask) { Ok(()) } else { Err(Error::OutOfMemory) }
    }

    /// Writes the answers; answers the number of entries with a yes.
    fn answer(&mut self) -> Result<usize, Error> {
        for place in &self.places {
            if place.enter()?.is_closing() {
                return Err(Error::Closed);
            }
        }
        let mut answered = 0;
        let mut polled = self.sleep.entries().iter();
        let mut is_so = || polled.next().is_some_and(crate::sync::Polled::is_readable);
        for entry in &mut self.entries {
            for event in entry.events() {
                let is_so = is_so();
                match event {
                    PollEvent::Readable => entry.is_readable = is_so,
                    PollEvent::Writable => entry.is_writable = is_so,
                    // Nothing was asked, and nobody is closing it.
                    PollEvent::Closed => {}
                }
            }
            answered += usize::from(entry.is_readable || entry.is_writable);
        }
        Ok(answered)
    }
}

impl Blocked for Polling {
    type Output = usize;

    fn proceed(&mut self) -> Result<Option<usize>, Error> {
        let _uncancellable = Uncancellable::begin();
        let is_over = if std::mem::replace(&mut self.is_asleep, true) {
            match self.sleep.result() {
                Ok(0) => self.deadline.is_some_and(|deadline| deadline <= now()),
                Ok(_) => true,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                Err(_) if self.ends_by_signals => return Err(Error::Interrupted),
                Err(_) => false,
            }
        } else if self.has_looked {
            false
        } else {
            self.prepare()?;
            self.sleep.look()? > 0 || self.deadline.is_some_and(|deadline| deadline <= now())
        };
        if is_over {
            return self.answer().map(Some);
        }
        transport::before_blocking(None);
        if self.ends_by_signals {
            self.signals.get_or_insert_with(HeldSignals::begin);
        }
        self.prepare()?;
        Ok(None)
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        Some(&mut self.sleep)
    }
}

impl PollEntry {
    /// What its socket is polled for.
    fn events(&self) -> impl Iterator<Item = PollEvent> + use<> {
        let is_asked = self.readable || self.writable;
        let asked = [
            (self.readable, PollEvent::Readable),
            (self.writable, PollEvent::Writable),
            (!is_asked, PollEvent::Closed),
        ];
        asked.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, event)| event)
    }
}

/// An empty list that need not grow. How long it is, the host says.
pub fn room_for<T>(count: usize) -> Result<Vec<T>, Error> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
    Ok(list)
}
