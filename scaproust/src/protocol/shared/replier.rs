//! REP and RESPONDENT with contexts. A request is received by the first conversation that asks for one.

use super::{Place, Sharing};
use crate::message::Outgoing;
use crate::protocol::reqrep::{RawReplier, Replier, ReplyRoute};
use crate::protocol::slab::Slab;
use crate::protocol::{Context, Delivery, Machine, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a REP or RESPONDENT socket with contexts.
#[derive(Debug)]
pub struct SharedReplier {
    raw: RawReplier,
    /// The request that each conversation has received and not answered.
    requests: Slab<Option<ReplyRoute>>,
    selected: Place,
}

impl SharedReplier {
    pub(super) fn new(machine: Replier) -> SharedReplier {
        let (raw, request) = machine.into_parts();
        let mut requests = Slab::new();
        let selected = requests.insert(request);
        SharedReplier { raw, requests, selected }
    }

    fn clear_routes(&mut self, lost: PipeId) {
        self.requests.iter_mut().flatten().for_each(|route| route.clear_if_lost(lost));
    }
}

impl Sharing for SharedReplier {
    fn try_reserve(&mut self) -> Option<()> {
        self.requests.try_reserve()
    }

    fn add(&mut self, machine: Machine, _mailbox: PipeId) -> Option<Place> {
        matches!(machine, Machine::Replier(_)).then(|| self.requests.insert(None))
    }

    fn remove(&mut self, place: Place) {
        self.requests.remove(place, None);
    }

    fn select(&mut self, place: Place) {
        self.selected = place;
    }
}

impl Protocol for SharedReplier {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.clear_routes(pipe);
        self.raw.closing(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.clear_routes(pipe);
        self.raw.detach(pipe, context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        ReplyRoute::reply(&mut self.requests[self.selected], message, context)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.requests[self.selected] = None;
        let (route, delivery) = ReplyRoute::receive(&mut self.raw, context)?;
        self.requests[self.selected] = Some(route);
        Ok(delivery)
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        self.requests[self.selected].is_some()
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.raw.can_recv(context)
    }
}
