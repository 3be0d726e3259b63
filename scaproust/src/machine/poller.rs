//! The poller, with the names of mio: edge-triggered, as epoll is.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use mio::{Interest, Token};

use super::descriptors::Object;
use super::network::Readiness;
use super::{Descriptor, Key, Machine, block, now, point, with};

/// All pollers of the machine.
#[derive(Debug, Default)]
pub(super) struct Pollers {
    all: BTreeMap<usize, State>,
    count: usize,
}

#[derive(Debug, Default)]
struct State {
    registered: BTreeMap<Descriptor, (Token, Interest)>,
    /// Descriptors of which something may be new.
    changed: VecDeque<Descriptor>,
    /// The token of a waker that was used.
    woken: Option<Token>,
}

impl State {
    fn note(&mut self, descriptor: Descriptor) {
        if self.registered.contains_key(&descriptor) && !self.changed.contains(&descriptor) {
            self.changed.push_back(descriptor);
        }
    }
}

impl Machine {
    /// Something is new of a descriptor.
    pub(super) fn note_in_pollers(&mut self, descriptor: Descriptor) {
        let mut noted = Vec::new();
        for (poller, state) in &mut self.pollers.all {
            state.note(descriptor);
            if !state.changed.is_empty() {
                noted.push(*poller);
            }
        }
        for poller in noted {
            self.wake(Key::Poller(poller), usize::MAX);
        }
    }

    /// A descriptor was closed.
    pub(super) fn forget_in_pollers(&mut self, descriptor: Descriptor) {
        for state in self.pollers.all.values_mut() {
            state.registered.remove(&descriptor);
        }
    }

    /// Moves the events that there are into `events`.
    fn collect(&mut self, poller: usize, events: &mut Vec<Event>) {
        let Some(state) = self.pollers.all.get_mut(&poller) else { return };
        if let Some(token) = state.woken.take() {
            events.push(Event { token, readiness: Readiness { read: true, ..Readiness::default() } });
        }
        let changed: Vec<_> = state.changed.drain(..).collect();
        for descriptor in changed {
            let state = &self.pollers.all[&poller];
            let Some(&(token, interest)) = state.registered.get(&descriptor) else { continue };
            let ready = match self.descriptors.get(descriptor) {
                Some(Object::Stream { link, side }) => self.network.readiness(*link, *side),
                Some(Object::Acceptor(place)) => {
                    Readiness { read: self.network.has_pending(place), ..Readiness::default() }
                }
                _ => continue,
            };
            // Errors and hang-ups are always reported.
            let failed = ready.error || ready.hang_up;
            let (reads, writes) = (interest.is_readable(), interest.is_writable());
            let readiness = Readiness {
                read: reads && ready.read || ready.hang_up,
                write: writes && ready.write || ready.hang_up,
                end: reads && ready.end || ready.hang_up,
                ..ready
            };
            if failed || readiness.read || readiness.write {
                events.push(Event { token, readiness });
            }
        }
    }

    fn register(&mut self, poller: usize, descriptor: Descriptor, token: Token, interest: Interest) {
        let Some(state) = self.pollers.all.get_mut(&poller) else { return };
        state.registered.insert(descriptor, (token, interest));
        state.note(descriptor);
        self.wake(Key::Poller(poller), usize::MAX);
    }
}

/// A poller.
#[derive(Debug)]
pub(crate) struct Poll(Registry);

/// The part of a poller with which descriptors are registered.
#[derive(Debug)]
pub(crate) struct Registry(usize);

/// Wakes the thread that polls.
#[derive(Debug)]
pub(crate) struct Waker(usize, Token);

/// The events of one poll.
#[derive(Debug)]
pub(crate) struct Events(Vec<Event>);

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    token: Token,
    readiness: Readiness,
}

/// An object with a descriptor.
pub(crate) trait Source {
    /// Its descriptor.
    fn descriptor(&self) -> Descriptor;

    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        let descriptor = self.descriptor();
        point();
        with(|machine| machine.register(registry.0, descriptor, token, interest));
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.register(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        let descriptor = self.descriptor();
        with(|machine| {
            if let Some(state) = machine.pollers.all.get_mut(&registry.0) {
                state.registered.remove(&descriptor);
            }
        });
        Ok(())
    }
}

impl Registry {
    pub(crate) fn register(
        &self,
        source: &mut impl Source,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        source.register(self, token, interest)
    }

    pub(crate) fn reregister(
        &self,
        source: &mut impl Source,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        source.reregister(self, token, interest)
    }

    pub(crate) fn deregister(&self, source: &mut impl Source) -> io::Result<()> {
        source.deregister(self)
    }

    pub(crate) fn try_clone(&self) -> io::Result<Registry> {
        Ok(Registry(self.0))
    }
}

impl Waker {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Waker> {
        Ok(Waker(registry.0, token))
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        point();
        with(|machine| {
            if let Some(state) = machine.pollers.all.get_mut(&self.0) {
                state.woken = Some(self.1);
                machine.wake(Key::Poller(self.0), usize::MAX);
            }
        });
        Ok(())
    }
}

impl Poll {
    pub(crate) fn new() -> io::Result<Poll> {
        with(|machine| {
            machine.pollers.count += 1;
            let poller = machine.pollers.count;
            machine.pollers.all.insert(poller, State::default());
            Ok(Poll(Registry(poller)))
        })
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0
    }

    pub(crate) fn poll(&mut self, events: &mut Events, time: Option<Duration>) -> io::Result<()> {
        point();
        let deadline = time.map(|time| now() + time);
        loop {
            with(|machine| machine.collect(self.0.0, &mut events.0));
            if !events.0.is_empty() || deadline.is_some_and(|deadline| deadline <= now()) {
                return Ok(());
            }
            block(&[Key::Poller(self.0.0)], deadline);
        }
    }

    /// Waits until there may be an event, at most for `time`.
    pub(crate) fn wait(&self, time: Duration) {
        let is_idle = with(|machine| {
            let state = machine.pollers.all.get(&self.0.0);
            state.is_none_or(|state| state.changed.is_empty() && state.woken.is_none())
        });
        if is_idle {
            block(&[Key::Poller(self.0.0)], Some(now() + time));
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        with(|machine| machine.pollers.all.remove(&self.0.0));
    }
}

impl Events {
    pub(crate) fn with_capacity(_count: usize) -> Events {
        Events(Vec::new())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.0.iter()
    }
}

impl Event {
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    pub(crate) fn is_error(&self) -> bool {
        self.readiness.error
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.readiness.read
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.readiness.write
    }

    pub(crate) fn is_read_closed(&self) -> bool {
        self.readiness.end
    }

    pub(crate) fn is_write_closed(&self) -> bool {
        self.readiness.hang_up
    }
}
