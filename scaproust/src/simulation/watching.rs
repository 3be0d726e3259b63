//! Subscribers of monitors, and what the events of a socket must agree on.

use std::collections::BTreeSet;

use super::program::Program;
use super::world::expect;
use crate::error::Error;
use crate::option::{Setting, SocketOption};
use crate::socket::{self, EventKind, SocketEvent, enter};

/// The option of a SUB that adds a subscription.
const SUBSCRIBE: i32 = 1;

/// The events of a socket so far, as one subscriber has received them.
struct Watching {
    /// The number of the socket.
    socket: i32,
    /// The connections that have begun, or ended, since the monitor was set.
    known: BTreeSet<u64>,
    /// Those that have begun and not ended.
    open: BTreeSet<u64>,
    /// The first one that has begun: all that have no beginning are older.
    first: Option<u64>,
    /// Some events were lost, so others may be missing.
    has_lost: bool,
    /// The last event has come.
    has_ended: bool,
}

impl Watching {
    fn new(socket: i32) -> Watching {
        Watching {
            socket,
            known: BTreeSet::new(),
            open: BTreeSet::new(),
            first: None,
            has_lost: false,
            has_ended: false,
        }
    }

    /// Checks the next event.
    ///
    /// # Errors
    /// What is wrong with it.
    fn note(&mut self, event: &SocketEvent) -> Result<(), String> {
        if self.has_ended {
            return Err(format!("an event after the last one: {event}"));
        }
        if event.socket != self.socket {
            return Err(format!("an event of the socket {}: {event}", event.socket));
        }
        match (event.kind, event.pipe) {
            (EventKind::Lost, _) => self.has_lost = true,
            (EventKind::Connected | EventKind::Accepted, Some(pipe)) => {
                if !self.known.insert(pipe) {
                    return Err(format!("a connection has begun twice, or after its end: {event}"));
                }
                self.open.insert(pipe);
                self.first = Some(self.first.map_or(pipe, |first| first.min(pipe)));
            }
            (EventKind::Disconnected, Some(pipe)) => {
                let has_begun = self.open.remove(&pipe);
                if !has_begun && !self.known.insert(pipe) {
                    return Err(format!("a connection has ended twice: {event}"));
                }
                let is_older = self.first.is_none_or(|first| pipe < first);
                if !has_begun && !is_older && !self.has_lost {
                    return Err(format!("a connection has ended and not begun: {event}"));
                }
            }
            (EventKind::Connected | EventKind::Accepted | EventKind::Disconnected, None) => {
                return Err(format!("an event without a connection: {event}"));
            }
            (EventKind::Closed, _) if event.endpoint.is_none() => {
                self.has_ended = true;
                if !self.open.is_empty() && !self.has_lost {
                    return Err(format!("the socket is closed, and {:?} have not ended", self.open));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Program<'_> {
    /// Subscribes to the events of another socket, and checks them until it is closed.
    pub(super) fn watch(&self, watched: usize) -> Result<(), Error> {
        let (other, _) = self.world.socket(watched).ok_or(Error::Closed)?;
        let address = format!("inproc://events-of-{watched}");
        enter(self.id)?.set_protocol_option(SUBSCRIBE, Setting::Bytes(b""))?;
        let endpoint = enter(self.id)?.connect(address.as_bytes())?;
        self.world.endpoints.borrow_mut().entry(self.name.0).or_default().push(endpoint);
        self.world.watchers.borrow_mut().insert(self.name.0);
        let outcome = self.watch_at(other, &address);
        self.world.watchers.borrow_mut().remove(&self.name.0);
        outcome
    }

    fn watch_at(&self, other: i32, address: &str) -> Result<(), Error> {
        // The subscriber waits for the address, so it gets the first event.
        enter(other)?.set_option(SocketOption::Monitor, Setting::Bytes(address.as_bytes()))?;
        let mut watching = Watching::new(other);
        while !watching.has_ended {
            let checked = socket::recv(self.id, false, |received| {
                let (first, second) = received.body();
                let event = SocketEvent::decode(&[first, second].concat()).ok_or("a message is no event")?;
                watching.note(&event)
            })?;
            expect(checked);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, pipe: u64) -> SocketEvent {
        let mut event =
            SocketEvent::decode(&[[kind as u8, 1].as_slice(), &[0; 46]].concat()).expect("a header");
        event.socket = 7;
        event.pipe = Some(pipe).filter(|pipe| *pipe > 0);
        event
    }

    /// Whether the events agree, up to the last one.
    fn agree(events: &[(EventKind, u64)]) -> bool {
        let mut watching = Watching::new(7);
        events.iter().try_for_each(|(kind, pipe)| watching.note(&event(*kind, *pipe))).is_ok()
    }

    #[test]
    fn each_connection_begins_once_and_ends_once() {
        use EventKind::{Accepted, Closed, Connected, Disconnected, Lost};

        assert!(agree(&[
            (Disconnected, 2),
            (Connected, 5),
            (Disconnected, 3),
            (Disconnected, 5),
            (Closed, 0)
        ]));
        assert!(!agree(&[(Connected, 5), (Accepted, 5)]));
        assert!(!agree(&[(Connected, 5), (Disconnected, 5), (Disconnected, 5)]));
        assert!(!agree(&[(Disconnected, 2), (Disconnected, 2)]));
        assert!(!agree(&[(Connected, 5), (Disconnected, 6)]));
        assert!(agree(&[(Connected, 5), (Lost, 0), (Disconnected, 6), (Closed, 0)]));
        assert!(!agree(&[(Connected, 5), (Closed, 0)]));
        assert!(!agree(&[(Closed, 0), (Connected, 5)]));
        assert!(!agree(&[(Connected, 0)]));
    }
}
