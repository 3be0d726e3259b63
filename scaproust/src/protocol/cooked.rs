//! The machine of an ordinary socket of BUS, STAR or PAIR v1: that of a raw one without the headers.

use super::{Context, Delivery, HeaderSource, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};
use crate::message::{Outgoing, Payload};

/// A raw machine whose headers the program need not see.
pub(crate) trait Raw: Protocol {
    /// Sends a message that begins here. On success its body was taken.
    ///
    /// # Errors
    /// As [`Protocol::send`].
    fn send_first(&mut self, body: &mut Payload<'_>, context: &mut impl Context) -> Result<(), Refusal>;

    /// As [`Protocol::recv`], for a program that does not forward the message.
    ///
    /// # Errors
    /// As [`Protocol::recv`].
    fn recv_last(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.recv(context)
    }

    /// Whether `recv_last` would deliver a message.
    fn can_recv_last(&mut self, context: &mut impl Context) -> bool {
        self.can_recv(context)
    }
}

/// The machine of an ordinary socket over a raw one.
#[derive(Debug)]
pub struct Cooked<R> {
    raw: R,
}

impl<R> Cooked<R> {
    pub fn new(raw: R) -> Cooked<R> {
        Cooked { raw }
    }
}

impl<R: Raw> Protocol for Cooked<R> {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.closing(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.detach(pipe, context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if !message.header.is_empty() {
            return Err(Refusal::InvalidArgument);
        }
        self.raw.send_first(&mut message.body, context)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let delivery = self.raw.recv_last(context)?;
        Ok(Delivery { header: HeaderSource::Empty, ..delivery })
    }

    fn can_send(&mut self, context: &mut impl Context) -> bool {
        self.raw.can_send(context)
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.raw.can_recv_last(context)
    }

    fn invalid_messages(&self) -> u64 {
        self.raw.invalid_messages()
    }

    fn missed_by(&self, pipe: PipeId) -> u64 {
        self.raw.missed_by(pipe)
    }

    fn is_busy(&self) -> bool {
        self.raw.is_busy()
    }
}
