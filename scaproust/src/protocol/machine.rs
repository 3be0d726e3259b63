//! An enum of all machines: each socket has one.
//!
//! An enum, not a `Box<dyn Protocol>`, so that the compiler can inline the machine's calls to the
//! [`Context`], and the socket's calls to the machine.

use super::{
    Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Time, bus, pair, pair_v1,
    pipeline, pubsub, reqrep, star, survey,
};
use crate::error::Error;
use crate::message::Outgoing;
use crate::option::Setting;

/// The machine of a socket.
#[derive(Debug)]
pub enum Machine {
    /// PAIR.
    Pair(pair::Pair),
    /// PAIR v1.
    PairV1(pair_v1::PairV1),
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
    Bus(bus::Bus),
    /// Raw BUS.
    RawBus(bus::RawBus),
    /// STAR.
    Star(star::Star),
    /// Raw STAR.
    RawStar(star::RawStar),
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
        }
    };
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
