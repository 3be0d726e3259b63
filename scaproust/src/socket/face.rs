//! What a socket shows to its callers, besides its conversation; and the faces of a socket and its contexts.

use std::sync::Arc;

use super::Socket;
use super::poll_waiter::Registrations;
use super::pollable::Pollable;
use crate::protocol::{OWN, PipeId, Place};

/// What a socket shows to its callers. Each context has a face of its own.
pub(super) struct Face {
    /// `NN_SNDFD`, once a program has asked for it.
    pub(super) sendable: Option<Pollable>,
    /// `NN_RCVFD`, once a program has asked for it.
    pub(super) receivable: Option<Pollable>,
    /// Calls that poll this socket among others.
    pub(super) registrations: Registrations,
    /// How many times in a row such calls found nothing to receive.
    pub(super) empty_polls: u32,
    /// Whether something was sent since the last message was received.
    pub(super) has_sent: bool,
}

impl Face {
    /// The face of a new socket.
    pub(super) fn new() -> Face {
        Face {
            sendable: None,
            receivable: None,
            registrations: Registrations::new(),
            empty_polls: 0,
            has_sent: false,
        }
    }

    /// Whether there is a descriptor to keep up to date, or a registered call.
    #[inline]
    pub(super) fn is_polled(&self) -> bool {
        self.receivable.is_some() || self.sendable.is_some() || !self.registrations.is_empty()
    }

    /// Wakes the calls that poll the descriptors or are registered: they find the socket closed.
    pub(super) fn close(&mut self) {
        for pollable in [&mut self.sendable, &mut self.receivable].into_iter().flatten() {
            pollable.set(true);
        }
        self.registrations.notify_all();
    }
}

/// The faces of a socket with contexts, by place. One of them is *shown*: it is in the socket's core. That of the socket
/// itself is shown whenever the lock is free.
pub(super) struct Faces {
    places: Vec<Seat>,
    pub(super) shown: Place,
    /// Whether a message could be received when the faces were last updated, where it goes to any context.
    pub(super) could_recv: bool,
}

/// What belongs to a place.
pub(super) struct Seat {
    /// Meaningless while the face is shown.
    pub(super) face: Face,
    /// The context. `None` for the socket itself, and in a vacant place.
    pub(super) socket: Option<Arc<Socket>>,
    /// The mailbox of the conversation.
    pub(super) mailbox: PipeId,
    /// Calls of the context fail.
    pub(super) is_closing: bool,
}

impl Seat {
    fn vacant(mailbox: PipeId) -> Seat {
        Seat { face: Face::new(), socket: None, mailbox, is_closing: true }
    }
}

impl Faces {
    /// The faces of a socket that gets its first context.
    pub(super) fn new(mailbox: PipeId) -> Faces {
        Faces { places: vec![Seat::vacant(mailbox)], shown: OWN, could_recv: false }
    }

    /// Takes a place, which the machine has chosen.
    pub(super) fn occupy(&mut self, place: Place, seat: Seat) {
        let place = place as usize;
        if place >= self.places.len() {
            self.places.resize_with(place + 1, || Seat::vacant(seat.mailbox));
        }
        self.places[place] = seat;
    }

    /// Vacates a place.
    pub(super) fn vacate(&mut self, place: Place) -> Option<Seat> {
        let seat = self.places.get_mut(place as usize)?;
        let vacant = Seat::vacant(seat.mailbox);
        Some(std::mem::replace(seat, vacant))
    }

    /// What belongs to a place.
    pub(super) fn seat(&mut self, place: Place) -> Option<&mut Seat> {
        self.places.get_mut(place as usize)
    }

    /// The mailboxes of all places.
    pub(super) fn mailboxes(&self) -> Vec<PipeId> {
        self.places.iter().map(|seat| seat.mailbox).collect()
    }

    /// What belongs to the contexts.
    pub(super) fn contexts(&mut self) -> impl Iterator<Item = &mut Seat> {
        self.places.iter_mut().filter(|seat| seat.socket.is_some())
    }

    /// The places whose faces are polled. `shown` is the shown face.
    pub(super) fn polled(&self, shown: &Face) -> Vec<Place> {
        let is_polled = |(place, seat): &(Place, &Seat)| {
            if *place == self.shown { shown.is_polled() } else { seat.face.is_polled() }
        };
        (0..).zip(&self.places).filter(is_polled).map(|(place, _)| place).collect()
    }

    /// Shows the face of a place: exchanges it with the shown one.
    pub(super) fn show(&mut self, place: Place, face: &mut Face) {
        for place in [self.shown, place] {
            if let Some(seat) = self.seat(place) {
                std::mem::swap(&mut seat.face, face);
            }
        }
        self.shown = place;
    }
}
