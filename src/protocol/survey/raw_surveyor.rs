//! The raw side of SURVEYOR: sends what it is given to everyone, and shows every answer.
//!
//! Knows no survey and no deadline: that is the cooked machine's part.

use crate::message::{Outgoing, Payload};
use crate::protocol::backtrace::Answers;
use crate::protocol::policy::Distributor;
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a raw SURVEYOR socket.
#[derive(Debug)]
pub struct RawSurveyor {
    respondents: Distributor,
    answers: Answers,
}

impl RawSurveyor {
    pub fn new() -> RawSurveyor {
        RawSurveyor { respondents: Distributor::new(), answers: Answers::new() }
    }

    /// Sends a survey to everyone who has room for it.
    pub fn send_to_all(&mut self, header: &[u8], body: &mut Payload<'_>, context: &mut impl Context) {
        self.respondents.send(header, body, None, context);
    }

    /// As [`Answers::find`].
    pub fn find_answer(&mut self, word: Option<u32>, context: &mut impl Context) -> Option<PipeId> {
        self.answers.find(word, context)
    }

    /// As [`Answers::take`].
    pub fn take_answer(&mut self, word: u32, context: &mut impl Context) -> Option<PipeId> {
        self.answers.take(word, context)
    }
}

impl Protocol for RawSurveyor {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.respondents.insert(pipe)?;
        self.answers.insert(pipe, options.receive_priority)
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.respondents.remove(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.respondents.remove(pipe);
        self.answers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.answers.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.respondents.writable(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        self.send_to_all(&message.header, &mut message.body, context);
        Ok(())
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.answers.recv(context)
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.answers.can_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Received, simulate, wire};
    use crate::protocol::{self, Refusal};

    const NUMBER: u32 = 0x8000_0001;

    #[test]
    fn a_survey_goes_as_it_is_to_everyone_who_has_room() {
        simulate(&protocol::SURVEYOR, true, |mut socket| {
            assert_eq!(socket.send("nobody is there"), Ok(()));
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
    fn answers_come_from_everyone_in_turn_and_show_their_first_word() {
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
