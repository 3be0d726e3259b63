//! The machines of sockets with contexts: several conversations over the same pipes.
//!
//! A conversation is what a plain machine has besides its pipes: a request and its reply, a survey, subscriptions. Each
//! has a *place*. Place [`OWN`] is that of the socket which owns the pipes, the others are those of its contexts. The
//! calls of the contract that concern one conversation concern the selected one; events of pipes concern all.
//!
//! Messages that belong to a conversation are put into its *mailbox*, a pipe of the socket that has no peer. So no
//! conversation delays another one. Requests and surveys, which belong to none, stay in their lanes.

mod questions;
mod replier;
mod requester;
mod subscriber;
mod surveyor;
#[cfg(test)]
mod tests;
mod waiting_line;

use questions::Questions;
use replier::SharedReplier;
use requester::SharedRequester;
use subscriber::SharedSubscriber;
use surveyor::SharedSurveyor;

use super::slab::SlabIndex;
use super::{Context, Delivery, Machine, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Time};
use crate::error::Error;
use crate::message::Outgoing;
use crate::option::Setting;

/// The place of a conversation.
pub(crate) type Place = SlabIndex;

/// The place of the conversation of the socket that owns the pipes.
pub(crate) const OWN: Place = 0;

/// A conversation that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    pub place: Place,
    /// Whether all its receivers must be woken, since what they wait for may never come.
    pub has_ended: bool,
}

impl Changed {
    /// A message has come.
    fn message(place: Place) -> Changed {
        Changed { place, has_ended: false }
    }
}

/// The machine of a socket with contexts. Place [`OWN`] is selected at first.
#[derive(Debug)]
pub enum Shared {
    /// REQ.
    Requester(SharedRequester),
    /// REP and RESPONDENT.
    Replier(SharedReplier),
    /// SURVEYOR.
    Surveyor(SharedSurveyor),
    /// SUB.
    Subscriber(SharedSubscriber),
}

/// What the socket layer calls besides the contract.
trait Sharing: Protocol {
    /// Reserves memory for one more conversation; `None` when out of memory.
    fn try_reserve(&mut self) -> Option<()>;

    /// Adds the conversation of a machine without pipes, after [`Sharing::try_reserve`]. Returns its place; `None` if
    /// the machine is that of another protocol.
    fn add(&mut self, machine: Machine, mailbox: PipeId) -> Option<Place>;

    /// Removes a conversation. Its mailbox will be removed too.
    fn remove(&mut self, place: Place);

    /// Selects a conversation.
    fn select(&mut self, place: Place);

    /// A conversation that may have something to receive since the last call. Not for messages that belong to no
    /// conversation.
    fn next_changed(&mut self) -> Option<Changed> {
        None
    }
}

/// Calls a method of the machine in each variant.
macro_rules! of_each {
    ($shared:expr, $it:ident => $call:expr) => {
        match $shared {
            Shared::Requester($it) => $call,
            Shared::Replier($it) => $call,
            Shared::Surveyor($it) => $call,
            Shared::Subscriber($it) => $call,
        }
    };
}

impl Shared {
    /// The machine with the pipes of this plain one, whose conversation gets place [`OWN`]; `None` if its protocol has
    /// no contexts.
    pub(super) fn new(machine: Machine, mailbox: PipeId) -> Option<Shared> {
        Some(match machine {
            Machine::Requester(machine) => Shared::Requester(SharedRequester::new(machine, mailbox)),
            Machine::Replier(machine) => Shared::Replier(SharedReplier::new(machine)),
            Machine::Surveyor(machine) => Shared::Surveyor(SharedSurveyor::new(machine, mailbox)),
            Machine::Subscriber(machine) => Shared::Subscriber(SharedSubscriber::new(machine, mailbox)),
            _ => return None,
        })
    }

    /// See [`Sharing::try_reserve`].
    pub(super) fn try_reserve(&mut self) -> Option<()> {
        of_each!(self, shared => shared.try_reserve())
    }

    /// See [`Sharing::add`].
    pub(super) fn add(&mut self, machine: Machine, mailbox: PipeId) -> Option<Place> {
        of_each!(self, shared => shared.add(machine, mailbox))
    }

    /// See [`Sharing::remove`].
    pub(super) fn remove(&mut self, place: Place) {
        of_each!(self, shared => shared.remove(place));
    }

    /// See [`Sharing::select`].
    pub(super) fn select(&mut self, place: Place) {
        of_each!(self, shared => shared.select(place));
    }

    /// See [`Sharing::next_changed`].
    pub(super) fn next_changed(&mut self) -> Option<Changed> {
        of_each!(self, shared => shared.next_changed())
    }
}

// Not inlined, to keep the code of plain machines short.
impl Protocol for Shared {
    #[inline(never)]
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        of_each!(self, shared => shared.attach(pipe, options))
    }

    #[inline(never)]
    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        of_each!(self, shared => shared.closing(pipe, context));
    }

    #[inline(never)]
    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        of_each!(self, shared => shared.detach(pipe, context));
    }

    #[inline(never)]
    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        of_each!(self, shared => shared.readable(pipe, context));
    }

    #[inline(never)]
    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        of_each!(self, shared => shared.writable(pipe, context));
    }

    #[inline(never)]
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        of_each!(self, shared => shared.send(message, context))
    }

    #[inline(never)]
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        of_each!(self, shared => shared.recv(context))
    }

    #[inline(never)]
    fn can_send(&mut self, context: &mut impl Context) -> bool {
        of_each!(self, shared => shared.can_send(context))
    }

    #[inline(never)]
    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        of_each!(self, shared => shared.can_recv(context))
    }

    #[inline(never)]
    fn send_priority(&mut self, context: &mut impl Context) -> Option<u8> {
        of_each!(self, shared => shared.send_priority(context))
    }

    #[inline(never)]
    fn missed_by(&self, pipe: PipeId) -> u64 {
        of_each!(self, shared => shared.missed_by(pipe))
    }

    #[inline(never)]
    fn is_busy(&self) -> bool {
        of_each!(self, shared => shared.is_busy())
    }

    #[inline(never)]
    fn deadline(&self) -> Option<Time> {
        of_each!(self, shared => shared.deadline())
    }

    #[inline(never)]
    fn timeout(&mut self, context: &mut impl Context) {
        of_each!(self, shared => shared.timeout(context));
    }

    #[inline(never)]
    fn give_up(&mut self, context: &mut impl Context) {
        of_each!(self, shared => shared.give_up(context));
    }

    #[inline(never)]
    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        context: &mut impl Context,
    ) -> Result<(), Error> {
        of_each!(self, shared => shared.set_option(name, setting, context))
    }

    #[inline(never)]
    fn filters(&self) -> bool {
        of_each!(self, shared => shared.filters())
    }

    #[inline(never)]
    fn option(&self, name: i32) -> Result<i32, Error> {
        of_each!(self, shared => shared.option(name))
    }
}
