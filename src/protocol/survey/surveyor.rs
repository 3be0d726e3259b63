//! SURVEYOR: asks everyone, and takes the answers until its deadline.
//!
//! There is one survey at a time. When there is none, whatever arrives is too late and dropped.

use std::time::Duration;

use super::RawSurveyor;
use crate::error::Error;
use crate::message::Outgoing;
use crate::option::Setting;
use crate::protocol::backtrace::{LAST_WORD, WORD};
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Time};

/// `NN_SURVEYOR_DEADLINE`: milliseconds within which a survey is to be answered.
pub const SURVEY_DEADLINE: i32 = 1;
/// Its default.
const DEFAULT_DEADLINE: i32 = 1000;

/// The machine of a SURVEYOR socket.
#[derive(Debug)]
pub struct Surveyor {
    raw: RawSurveyor,
    survey: Survey,
    /// The number of the last survey: 31 bits.
    number: u32,
    /// Milliseconds; a survey that begins when it is negative has no deadline.
    deadline: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Survey {
    /// There is none.
    None,
    /// Answers are taken until this moment.
    Open { until: Option<Time> },
    /// Its time is over, and the next one to receive is told so.
    Over,
}

impl Survey {
    fn is_due(self, now: Time) -> bool {
        matches!(self, Survey::Open { until: Some(until) } if until <= now)
    }
}

impl Surveyor {
    /// A machine whose first survey has the number that follows the seed.
    pub fn new(seed: u32) -> Surveyor {
        Surveyor {
            raw: RawSurveyor::new(),
            survey: Survey::None,
            number: seed & !LAST_WORD,
            deadline: DEFAULT_DEADLINE,
        }
    }

    /// What the answers to the last survey begin with.
    fn word(&self) -> u32 {
        self.number | LAST_WORD
    }

    fn is_open(&self) -> bool {
        matches!(self.survey, Survey::Open { .. })
    }

    /// Drops what nobody will receive any more, so that pipes can come to their end.
    fn drop_if_late(&mut self, context: &mut impl Context) {
        if !self.is_open() {
            self.raw.find_answer(None, context);
        }
    }
}

impl Protocol for Surveyor {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.closing(pipe, context);
        // Its last words may not have been announced yet.
        self.readable(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.detach(pipe, context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
        self.drop_if_late(context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
    }

    /// Begins a survey; the one before is over without a word.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if !message.header.is_empty() {
            return Err(Refusal::InvalidArgument);
        }
        self.number = (self.number + 1) & !LAST_WORD;
        self.raw.send_to_all(&self.word().to_be_bytes(), &mut message.body, context);
        let duration = u64::try_from(self.deadline).ok().map(Duration::from_millis);
        self.survey = Survey::Open { until: duration.and_then(|time| context.now().checked_add(time)) };
        Ok(())
    }

    /// Receives an answer. That a survey's time is over is said once; after that there is none.
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        match self.survey {
            Survey::None => Err(Refusal::WrongState),
            Survey::Over => {
                self.survey = Survey::None;
                Err(Refusal::TimedOut)
            }
            Survey::Open { .. } => match self.raw.take_answer(self.word(), context) {
                Some(pipe) => Ok(Delivery::plain(pipe, WORD)),
                // The caller may be earlier than the call that the deadline is owed.
                None if self.survey.is_due(context.now()) => {
                    self.survey = Survey::None;
                    Err(Refusal::TimedOut)
                }
                None => Err(Refusal::WouldBlock),
            },
        }
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    /// Without a survey, or when its time is over, nobody needs to wait to be told so.
    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        !self.is_open()
            || self.raw.find_answer(Some(self.word()), context).is_some()
            || self.survey.is_due(context.now())
    }

    fn deadline(&self) -> Option<Time> {
        match self.survey {
            Survey::Open { until } => until,
            Survey::None | Survey::Over => None,
        }
    }

    fn timeout(&mut self, context: &mut impl Context) {
        if self.survey.is_due(context.now()) {
            self.survey = Survey::Over;
        }
        self.drop_if_late(context);
    }

    fn set_option(&mut self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        let (SURVEY_DEADLINE, Setting::Int(milliseconds)) = (name, setting) else {
            return Err(Error::UnknownOption);
        };
        self.deadline = milliseconds;
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        if name == SURVEY_DEADLINE { Ok(self.deadline) } else { Err(Error::UnknownOption) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::simulation::{Received, SEED, Simulation, simulate, wire};
    use crate::protocol::{self, Machine};

    /// The first and the second survey's number on the wire.
    const FIRST: u32 = LAST_WORD | (SEED + 1);
    const SECOND: u32 = FIRST + 1;

    fn surveyor(test: impl Fn(Simulation)) {
        simulate(&protocol::SURVEYOR, false, |mut socket| {
            socket.attach(1);
            socket.attach(2);
            test(socket);
        });
    }

    #[test]
    fn everyone_is_asked_and_everyone_may_answer() {
        surveyor(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            assert_eq!(socket.sent(1), [wire(&[FIRST], "question")]);
            assert_eq!(socket.sent(2), [wire(&[FIRST], "question")]);
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.arrive(2, wire(&[FIRST], "two"));
            assert_eq!(socket.recv(), Ok(Received { pipe: 2, header: vec![], body: "two".into() }));
            socket.arrive_and_close(1, wire(&[FIRST], "one"));
            assert_eq!(socket.body().unwrap(), "one");
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
        });
    }

    #[test]
    fn that_the_time_is_over_is_said_once() {
        surveyor(|mut socket| {
            assert_eq!(socket.recv(), Err(Refusal::WrongState));
            assert_eq!(socket.send("question"), Ok(()));
            socket.elapse(999);
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.elapse(1);
            assert_eq!(socket.machine.deadline(), None);
            assert_eq!(socket.recv(), Err(Refusal::TimedOut));
            assert_eq!(socket.recv(), Err(Refusal::WrongState));
        });
    }

    #[test]
    fn a_caller_may_see_the_deadline_first() {
        surveyor(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            socket.drift(1000);
            assert_eq!(socket.recv(), Err(Refusal::TimedOut));
            assert_eq!((socket.recv(), socket.machine.deadline()), (Err(Refusal::WrongState), None));
            socket.elapse(1);
            assert_eq!(socket.recv(), Err(Refusal::WrongState));
        });
    }

    #[test]
    fn an_answer_that_comes_late_is_dropped() {
        surveyor(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            socket.arrive(1, wire(&[FIRST], "in time, but not received in time"));
            socket.elapse(1000);
            assert_eq!(socket.recv(), Err(Refusal::TimedOut));
            socket.arrive(1, wire(&[FIRST], "late"));
            socket.arrive_and_close(2, wire(&[FIRST], "late"));
            assert_eq!(socket.recv(), Err(Refusal::WrongState));
            assert_eq!((socket.unread(1), socket.unread(2)), (0, 0));
        });
    }

    #[test]
    fn a_new_survey_takes_the_place_of_the_one_before() {
        surveyor(|mut socket| {
            assert_eq!(socket.send("a"), Ok(()));
            socket.elapse(600);
            socket.arrive(1, wire(&[FIRST], "answer to a"));
            assert_eq!(socket.send("b"), Ok(()));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.elapse(600);
            socket.arrive(1, wire(&[FIRST], "answer to a, again"));
            socket.arrive(1, wire(&[SECOND], "answer to b"));
            assert_eq!(socket.bodies(), ["answer to b"]);
            socket.elapse(400);
            assert_eq!(socket.send("c"), Ok(()));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
        });
    }

    #[test]
    fn what_is_no_answer_to_the_survey_is_dropped() {
        surveyor(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            for wrong in
                [wire(&[], ""), wire(&[], "abc"), wire(&[SECOND], "x"), wire(&[FIRST & !LAST_WORD], "x")]
            {
                socket.arrive(1, wrong);
            }
            socket.arrive(1, wire(&[5, FIRST], "one hop too many"));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.arrive(1, wire(&[FIRST], ""));
            assert_eq!(socket.body().unwrap(), "");
        });
    }

    #[test]
    fn whoever_has_no_room_misses_the_survey() {
        simulate(&protocol::SURVEYOR, false, |mut socket| {
            assert_eq!(socket.send("nobody is there"), Ok(()));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.attach_with(1, 8, 1).unwrap();
            assert_eq!((socket.send("a"), socket.send("b")), (Ok(()), Ok(())));
            assert_eq!(socket.sent(1), [wire(&[SECOND], "a")]);
        });
    }

    #[test]
    fn a_deadline_holds_for_the_surveys_that_follow() {
        surveyor(|mut socket| {
            assert_eq!(socket.machine.option(SURVEY_DEADLINE), Ok(1000));
            assert_eq!(socket.machine.option(2), Err(Error::UnknownOption));
            assert_eq!(socket.send("a"), Ok(()));
            socket.set_option(SURVEY_DEADLINE, Setting::Int(5)).unwrap();
            assert_eq!(socket.machine.option(SURVEY_DEADLINE), Ok(5));
            socket.elapse(999);
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            assert_eq!(socket.send("b"), Ok(()));
            socket.elapse(5);
            assert_eq!(socket.recv(), Err(Refusal::TimedOut));
        });
    }

    #[test]
    fn no_time_is_over_at_once_and_a_negative_one_never() {
        surveyor(|mut socket| {
            socket.set_option(SURVEY_DEADLINE, Setting::Int(0)).unwrap();
            assert_eq!((socket.send("a"), socket.recv()), (Ok(()), Err(Refusal::TimedOut)));
            for negative in [-1, i32::MIN] {
                socket.set_option(SURVEY_DEADLINE, Setting::Int(negative)).unwrap();
                assert_eq!(socket.send("b"), Ok(()));
                assert_eq!(socket.machine.deadline(), None);
                socket.elapse(u64::from(u32::MAX));
                assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            }
        });
    }

    #[test]
    fn numbers_have_31_bits_and_begin_again() {
        let mut simulation = Simulation::new(&protocol::SURVEYOR, false, false);
        simulation.machine = Machine::Surveyor(Surveyor::new(u32::MAX - 1));
        simulation.attach(1);
        for _ in 0..3 {
            assert_eq!(simulation.send(""), Ok(()));
        }
        assert_eq!(simulation.sent(1), [[0xff; 4], [0x80, 0, 0, 0], [0x80, 0, 0, 1]]);
    }

    #[test]
    fn a_header_and_the_options_of_others_are_refused() {
        surveyor(|mut socket| {
            assert_eq!(socket.send_raw(b"head", "x"), Err(Refusal::InvalidArgument));
            let other = socket.set_option(2, Setting::Int(1));
            assert_eq!(other, Err(Error::UnknownOption));
        });
    }
}
