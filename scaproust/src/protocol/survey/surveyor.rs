//! SURVEYOR: sends a survey to all respondents, and receives responses until the deadline.
//!
//! There is one survey at a time. While there is none, arriving messages are dropped.

use super::RawSurveyor;
use crate::error::Error;
use crate::message::Outgoing;
use crate::option::{Setting, time_limit};
use crate::protocol::backtrace::{LAST_WORD, WORD, next_question};
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Time};

/// `NN_SURVEYOR_DEADLINE`: milliseconds in which responses to a survey are accepted.
pub(crate) const SURVEY_DEADLINE: i32 = 1;
/// Its default.
const DEFAULT_DEADLINE: i32 = 1000;

/// The machine of a SURVEYOR socket.
#[derive(Debug)]
pub struct Surveyor {
    raw: RawSurveyor,
    survey: Survey,
    /// The word that identifies the last survey: its responses begin with it.
    question: u32,
    /// In milliseconds, for surveys that are sent from now on; negative: no deadline.
    deadline: i32,
}

/// The state of a survey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survey {
    /// There is none.
    None,
    /// Responses are received until this time.
    Open { until: Option<Time> },
    /// Its deadline has passed, and the next call to receive will return that.
    Expired,
}

impl Survey {
    /// Whether responses are received.
    pub fn is_open(self) -> bool {
        matches!(self, Survey::Open { .. })
    }

    /// Until when.
    pub fn until(self) -> Option<Time> {
        match self {
            Survey::Open { until } => until,
            Survey::None | Survey::Expired => None,
        }
    }

    /// Whether its deadline has passed.
    pub fn is_due(self, now: Time) -> bool {
        matches!(self, Survey::Open { until: Some(until) } if until <= now)
    }
}

impl Surveyor {
    /// A machine whose first survey has the number that follows the seed.
    pub fn new(seed: u32) -> Surveyor {
        Surveyor {
            raw: RawSurveyor::new(),
            survey: Survey::None,
            question: seed | LAST_WORD,
            deadline: DEFAULT_DEADLINE,
        }
    }

    /// What the machine of a socket with contexts takes over: the pipes, the survey and its word, and the deadline of
    /// surveys in milliseconds.
    pub fn into_parts(self) -> (RawSurveyor, Survey, u32, i32) {
        (self.raw, self.survey, self.question, self.deadline)
    }

    /// Drops all messages while no survey is open: a closing pipe ends only when its lane is empty.
    fn drop_if_late(&mut self, context: &mut impl Context) {
        if !self.survey.is_open() {
            self.raw.find_response(None, context);
        }
    }
}

impl Protocol for Surveyor {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.closing(pipe, context);
        // There may be messages in the lane, without a call to `readable` so far.
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

    /// Begins a survey, and never blocks. An earlier survey ends, without an error.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if !message.header.is_empty() {
            return Err(Refusal::InvalidArgument);
        }
        self.question = next_question(self.question);
        self.raw.send_to_all(&self.question.to_be_bytes(), &mut message.body, context);
        let until = time_limit(self.deadline).and_then(|time| context.now().checked_add(time));
        self.survey = Survey::Open { until };
        Ok(())
    }

    /// Receives a response. Returns once that a survey has expired; after that there is no survey.
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        match self.survey {
            Survey::None => Err(Refusal::WrongState),
            Survey::Expired => {
                self.survey = Survey::None;
                Err(Refusal::TimedOut)
            }
            Survey::Open { .. } => match self.raw.take_response(self.question, context) {
                Some(pipe) => Ok(Delivery::plain(pipe, WORD)),
                // The deadline may pass just before `timeout` is called.
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

    /// Also true when `recv` would return that there is no survey, or that it has expired.
    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        !self.survey.is_open()
            || self.raw.find_response(Some(self.question), context).is_some()
            || self.survey.is_due(context.now())
    }

    fn deadline(&self) -> Option<Time> {
        self.survey.until()
    }

    fn timeout(&mut self, context: &mut impl Context) {
        if self.survey.is_due(context.now()) {
            self.survey = Survey::Expired;
        }
        self.drop_if_late(context);
    }

    fn give_up(&mut self, context: &mut impl Context) {
        self.survey = Survey::None;
        self.drop_if_late(context);
    }

    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        _context: &mut impl Context,
    ) -> Result<(), Error> {
        let (SURVEY_DEADLINE, Setting::Int(milliseconds)) = (name, setting) else {
            return Err(Error::UnknownOption);
        };
        self.deadline = milliseconds;
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        if name == SURVEY_DEADLINE { Ok(self.deadline) } else { Err(Error::UnknownOption) }
    }

    fn missed_by(&self, pipe: PipeId) -> u64 {
        self.raw.missed_by(pipe)
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
    fn all_respondents_get_the_survey_and_may_respond() {
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
    fn a_survey_that_is_given_up_gets_no_response() {
        surveyor(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            socket.arrive(1, wire(&[FIRST], "not received"));
            socket.give_up();
            socket.arrive(2, wire(&[FIRST], "late"));
            assert_eq!((socket.recv(), socket.machine.deadline()), (Err(Refusal::WrongState), None));
            assert_eq!(socket.send("another"), Ok(()));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
        });
    }

    #[test]
    fn expiry_is_returned_once() {
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
    fn a_receive_may_find_the_deadline_passed_before_the_timeout() {
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
    fn a_late_response_is_dropped() {
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
    fn a_new_survey_replaces_the_earlier_one() {
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
    fn messages_that_do_not_match_the_survey_are_dropped() {
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
    fn a_pipe_without_room_misses_the_survey() {
        simulate(&protocol::SURVEYOR, false, |mut socket| {
            assert_eq!(socket.send("no peer"), Ok(()));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.attach_with(1, 8, 1).unwrap();
            assert_eq!((socket.send("a"), socket.send("b")), (Ok(()), Ok(())));
            assert_eq!(socket.sent(1), [wire(&[SECOND], "a")]);
        });
    }

    #[test]
    fn a_new_deadline_holds_for_later_surveys() {
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
    fn a_deadline_of_zero_expires_at_once_and_a_negative_one_never() {
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
    fn numbers_have_31_bits_and_wrap_around() {
        let mut simulation = Simulation::new(&protocol::SURVEYOR, false, false);
        simulation.machine = Machine::Surveyor(Surveyor::new(u32::MAX - 1));
        simulation.attach(1);
        for _ in 0..3 {
            assert_eq!(simulation.send(""), Ok(()));
        }
        assert_eq!(simulation.sent(1), [[0xff; 4], [0x80, 0, 0, 0], [0x80, 0, 0, 1]]);
    }

    #[test]
    fn a_header_and_options_of_other_protocols_are_refused() {
        surveyor(|mut socket| {
            assert_eq!(socket.send_raw(b"head", "x"), Err(Refusal::InvalidArgument));
            let other = socket.set_option(2, Setting::Int(1));
            assert_eq!(other, Err(Error::UnknownOption));
        });
    }
}
