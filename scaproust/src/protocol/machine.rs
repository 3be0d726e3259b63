//! An enum of all machines: each socket has one.
//!
//! An enum, not a `Box<dyn Protocol>`, so that the compiler can inline the machine's calls to the
//! [`Context`], and the socket's calls to the machine.

use super::cooked::Cooked;
use super::custom::Custom;
use super::shared::{Changed, Place, Shared};
use super::{
    Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Time, bus, pair, pair_v1,
    pipeline, pubsub, reqrep, star, survey,
};
use crate::error::Error;
use crate::message::{Front, Outgoing};
use crate::option::Setting;

/// The machine of a socket.
#[derive(Debug)]
pub enum Machine {
    /// PAIR.
    Pair(pair::Pair),
    /// PAIR v1.
    PairV1(Cooked<pair_v1::RawPairV1>),
    /// Raw PAIR v1.
    RawPairV1(pair_v1::RawPairV1),
    /// PUB.
    Publisher(pubsub::Publisher),
    /// SUB.
    Subscriber(pubsub::Subscriber),
    /// REQ.
    Requester(reqrep::Requester),
    /// Raw REQ.
    RawRequester(reqrep::RawRequester),
    /// REP and RESPONDENT.
    Replier(reqrep::Replier),
    /// Raw REP and RESPONDENT.
    RawReplier(reqrep::RawReplier),
    /// PUSH.
    Pusher(pipeline::Pusher),
    /// PULL.
    Puller(pipeline::Puller),
    /// SURVEYOR.
    Surveyor(survey::Surveyor),
    /// Raw SURVEYOR.
    RawSurveyor(survey::RawSurveyor),
    /// BUS.
    Bus(Cooked<bus::RawBus>),
    /// Raw BUS.
    RawBus(bus::RawBus),
    /// STAR.
    Star(Cooked<star::RawStar>),
    /// Raw STAR.
    RawStar(star::RawStar),
    /// That of a socket with contexts, of any protocol that can have them.
    Shared(Box<Shared>),
    /// That of a protocol of the program.
    Custom(Custom),
}

/// Calls a method of the machine in each variant.
macro_rules! of_each {
    ($machine:expr, $it:ident => $call:expr) => {
        match $machine {
            Machine::Pair($it) => $call,
            Machine::PairV1($it) => $call,
            Machine::RawPairV1($it) => $call,
            Machine::Publisher($it) => $call,
            Machine::Subscriber($it) => $call,
            Machine::Requester($it) => $call,
            Machine::RawRequester($it) => $call,
            Machine::Replier($it) => $call,
            Machine::RawReplier($it) => $call,
            Machine::Pusher($it) => $call,
            Machine::Puller($it) => $call,
            Machine::Surveyor($it) => $call,
            Machine::RawSurveyor($it) => $call,
            Machine::Bus($it) => $call,
            Machine::RawBus($it) => $call,
            Machine::Star($it) => $call,
            Machine::RawStar($it) => $call,
            Machine::Shared($it) => $call,
            Machine::Custom($it) => $call,
        }
    };
}

impl Machine {
    /// Makes a plain machine one for a socket with contexts. `plain` must be a new machine of the same protocol.
    /// Returns whether the protocol has contexts.
    pub fn share(&mut self, plain: Machine, mailbox: PipeId) -> bool {
        let shared = Shared::new(std::mem::replace(self, plain), mailbox);
        let is_shared = shared.is_some();
        if let Some(shared) = shared {
            *self = Machine::Shared(Box::new(shared));
        }
        is_shared
    }

    /// Reserves memory for one more conversation; `None` when out of memory, or if the machine is not shared.
    pub fn try_reserve(&mut self) -> Option<()> {
        self.shared()?.try_reserve()
    }

    /// Adds the conversation of a machine of the same protocol without pipes, after [`Machine::try_reserve`]. Returns
    /// its place.
    pub fn add(&mut self, machine: Machine, mailbox: PipeId) -> Option<Place> {
        self.shared()?.add(machine, mailbox)
    }

    /// Removes the conversation of a place.
    pub fn remove(&mut self, place: Place) {
        if let Some(shared) = self.shared() {
            shared.remove(place);
        }
    }

    /// Selects the conversation of a place, for the calls that follow.
    pub fn select(&mut self, place: Place) {
        if let Some(shared) = self.shared() {
            shared.select(place);
        }
    }

    /// A conversation that may have something to receive since the last call.
    pub fn next_changed(&mut self) -> Option<Changed> {
        self.shared()?.next_changed()
    }

    fn shared(&mut self) -> Option<&mut Shared> {
        match self {
            Machine::Shared(shared) => Some(shared),
            _ => None,
        }
    }
}

impl Protocol for Machine {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        of_each!(self, machine => machine.attach(pipe, options))
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        of_each!(self, machine => machine.closing(pipe, context));
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        of_each!(self, machine => machine.detach(pipe, context));
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        of_each!(self, machine => machine.readable(pipe, context));
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        of_each!(self, machine => machine.writable(pipe, context));
    }

    #[inline]
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        of_each!(self, machine => machine.send(message, context))
    }

    #[inline]
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        of_each!(self, machine => machine.recv(context))
    }

    fn can_send(&mut self, context: &mut impl Context) -> bool {
        of_each!(self, machine => machine.can_send(context))
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        of_each!(self, machine => machine.can_recv(context))
    }

    fn send_priority(&mut self, context: &mut impl Context) -> Option<u8> {
        of_each!(self, machine => machine.send_priority(context))
    }

    fn invalid_messages(&self) -> u64 {
        of_each!(self, machine => machine.invalid_messages())
    }

    fn missed_by(&self, pipe: PipeId) -> u64 {
        of_each!(self, machine => machine.missed_by(pipe))
    }

    fn subscriptions(&self) -> u64 {
        of_each!(self, machine => machine.subscriptions())
    }

    fn filters(&self) -> bool {
        of_each!(self, machine => machine.filters())
    }

    fn is_busy(&self) -> bool {
        of_each!(self, machine => machine.is_busy())
    }

    fn deadline(&self) -> Option<Time> {
        of_each!(self, machine => machine.deadline())
    }

    fn timeout(&mut self, context: &mut impl Context) {
        of_each!(self, machine => machine.timeout(context));
    }

    fn give_up(&mut self, context: &mut impl Context) {
        of_each!(self, machine => machine.give_up(context));
    }

    fn wants(&self, message: Front<'_>) -> bool {
        of_each!(self, machine => machine.wants(message))
    }

    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        context: &mut impl Context,
    ) -> Result<(), Error> {
        of_each!(self, machine => machine.set_option(name, setting, context))
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        of_each!(self, machine => machine.option(name))
    }
}
