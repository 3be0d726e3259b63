//! Descriptors: small numbers for notifiers, streams and acceptors, and waiting for them.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::{Key, Machine, block, now, point, with};

/// A descriptor.
pub(crate) type Descriptor = i32;

/// The first number: programs leave the standard streams open.
const FIRST: Descriptor = 3;

/// What a descriptor stands for.
#[derive(Debug)]
pub(super) enum Object {
    /// A notifier, and whether it is readable.
    Notifier(bool),
    /// A side of a link.
    Stream { link: usize, side: usize },
    /// An acceptor.
    Acceptor(super::Place),
}

/// The open descriptors.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    open: BTreeMap<Descriptor, Object>,
}

impl Descriptors {
    /// The number of open ones.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// What a descriptor stands for; `None` if it is not open.
    pub(super) fn get(&self, descriptor: Descriptor) -> Option<&Object> {
        self.open.get(&descriptor)
    }

    /// Lets an open descriptor stand for another object.
    pub(super) fn replace(&mut self, descriptor: Descriptor, object: Object) {
        self.open.insert(descriptor, object);
    }

    /// Closes a descriptor.
    pub(super) fn remove(&mut self, descriptor: Descriptor) -> Option<Object> {
        self.open.remove(&descriptor)
    }
}

impl Machine {
    /// Opens a descriptor, the lowest that is free.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn open(&mut self, object: Object) -> io::Result<Descriptor> {
        if self.descriptors.count() >= self.settings.descriptors {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let taken = self.descriptors.open.keys();
        let gap = (FIRST..).zip(taken.map(Some).chain([None])).find(|(free, taken)| *taken != Some(free));
        let descriptor = gap.map_or(FIRST, |(free, _)| free);
        self.descriptors.open.insert(descriptor, object);
        Ok(descriptor)
    }

    /// Reports that a descriptor has become ready for something.
    pub(super) fn raise(&mut self, descriptor: Descriptor) {
        self.wake(Key::Descriptor(descriptor), usize::MAX);
        self.note_in_pollers(descriptor);
    }

    /// Whether poll(2) would say that a descriptor is readable or has failed.
    fn is_readable(&self, descriptor: Descriptor) -> bool {
        match self.descriptors.get(descriptor) {
            Some(Object::Notifier(is_readable)) => *is_readable,
            Some(Object::Stream { link, side }) => self.network.readiness(*link, *side).read,
            Some(Object::Acceptor(place)) => self.network.has_pending(place),
            None => true,
        }
    }
}

/// An object that one thread makes readable for another.
#[derive(Debug)]
pub(crate) struct Notifier(Descriptor);

impl Notifier {
    /// A notifier that is not readable.
    ///
    /// # Errors
    /// When there are too many descriptors.
    pub(crate) fn new() -> io::Result<Notifier> {
        with(|machine| machine.open(Object::Notifier(false))).map(Notifier)
    }

    /// Its descriptor.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.0
    }

    /// Makes it readable.
    pub(crate) fn set_readable(&self) {
        point();
        self.set(true);
    }

    /// Makes it not readable.
    pub(crate) fn clear(&self) {
        self.set(false);
    }

    fn set(&self, is_readable: bool) {
        with(|machine| {
            if let Some(Object::Notifier(state)) = machine.descriptors.open.get_mut(&self.0) {
                *state = is_readable;
            }
            if is_readable {
                machine.raise(self.0);
            }
        });
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        with(|machine| machine.descriptors.remove(self.0));
    }
}

/// A descriptor to wait for until it is readable, and the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Polled {
    descriptor: Descriptor,
    is_ready: bool,
}

impl Polled {
    /// An entry that is not ready yet.
    pub(crate) fn new(descriptor: Descriptor) -> Polled {
        Polled { descriptor, is_ready: false }
    }

    /// Whether it is ready: it is readable or has failed.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }
}

/// poll(2). Without a time it waits for ever. Returns the number of ready entries.
pub(crate) fn poll(entries: &mut [Polled], time: Option<Duration>) -> usize {
    point();
    let deadline = time.map(|time| now().saturating_add(time));
    loop {
        let ready = with(|machine| {
            for entry in &mut *entries {
                entry.is_ready = machine.is_readable(entry.descriptor);
            }
            entries.iter().filter(|entry| entry.is_ready).count()
        });
        if ready > 0 || deadline.is_some_and(|deadline| deadline <= now()) {
            return ready;
        }
        let keys: Vec<_> = entries.iter().map(|entry| Key::Descriptor(entry.descriptor)).collect();
        block(&keys, deadline);
    }
}
