//! Raw SURVEYOR: sends messages unchanged to all respondents, and receives every response.
//!
//! Keeps no state of surveys, and has no deadline.

use crate::message::{Outgoing, Payload};
use crate::protocol::backtrace::ReplyQueue;
use crate::protocol::policy::Distributor;
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a raw SURVEYOR socket.
#[derive(Debug)]
pub struct RawSurveyor {
    respondents: Distributor,
    responses: ReplyQueue,
}

impl RawSurveyor {
    pub fn new() -> RawSurveyor {
        RawSurveyor { respondents: Distributor::new(), responses: ReplyQueue::new() }
    }

    /// Sends a survey to all pipes that have room.
    pub fn send_to_all(&mut self, header: &[u8], body: &mut Payload<'_>, context: &mut impl Context) {
        self.respondents.send(header, body, None, context);
    }

    /// As [`ReplyQueue::take_known`].
    pub fn take_reply<T>(
        &mut self,
        look_up: impl Fn(u32) -> Option<T>,
        context: &mut impl Context,
    ) -> Option<(PipeId, T)> {
        self.responses.take_known(look_up, context)
    }

    /// As [`ReplyQueue::find`].
    pub fn find_response(&mut self, word: Option<u32>, context: &mut impl Context) -> Option<PipeId> {
        self.responses.find(word, context)
    }

    /// As [`ReplyQueue::take`].
    pub fn take_response(&mut self, word: u32, context: &mut impl Context) -> Option<PipeId> {
        self.responses.take(word, context)
    }
}

impl Protocol for RawSurveyor {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.respondents.insert(pipe)?;
        self.responses.insert(pipe, options.receive_priority).inspect_err(|_| self.respondents.remove(pipe))
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.respondents.remove(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.respondents.remove(pipe);
        self.responses.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.responses.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.respondents.writable(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        self.send_to_all(&message.header, &mut message.body, context);
        Ok(())
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.responses.recv(context)
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.responses.can_recv(context)
    }

    fn missed_by(&self, pipe: PipeId) -> u64 {
        self.respondents.missed_by(pipe)
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Received, simulate, wire};
    use crate::protocol::{self, Refusal};

    const NUMBER: u32 = 0x8000_0001;

    #[test]
    fn a_survey_is_sent_unchanged_to_all_pipes_that_have_room() {
        simulate(&protocol::SURVEYOR, true, |mut socket| {
            assert_eq!(socket.send("no peer"), Ok(()));
            socket.attach(1);
            socket.attach_with(2, 8, 1).unwrap();
            for text in ["a", "b"] {
                assert_eq!(socket.send_raw(&wire(&[5, NUMBER], ""), text), Ok(()));
            }
            assert_eq!(socket.sent(1), [wire(&[5, NUMBER], "a"), wire(&[5, NUMBER], "b")]);
            assert_eq!(socket.sent(2), [wire(&[5, NUMBER], "a")]);
            socket.close(1);
            socket.detach(2);
            assert_eq!(socket.send("c"), Ok(()));
            assert!(socket.sent(1).is_empty());
        });
    }

    #[test]
    fn responses_come_from_all_pipes_in_turn_with_their_first_word_as_header() {
        simulate(&protocol::SURVEYOR, true, |mut socket| {
            socket.attach(1);
            socket.attach(2);
            socket.arrive(1, wire(&[5, NUMBER], "a"));
            socket.arrive(1, "odd");
            socket.arrive(1, wire(&[NUMBER], "c"));
            socket.arrive_and_close(2, wire(&[NUMBER], "b"));
            let first = socket.recv().unwrap();
            assert_eq!((first.pipe, first.header), (1, wire(&[5], "")));
            assert_eq!(first.body.as_bytes(), String::from_utf8_lossy(&wire(&[NUMBER], "a")).as_bytes());
            let header = wire(&[NUMBER], "");
            assert_eq!(socket.recv(), Ok(Received { pipe: 2, header, body: "b".into() }));
            assert_eq!(socket.body().unwrap(), "c");
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
        });
    }
}
