//! REQ: sends a request, and sends it again until it is answered.
//!
//! Keeps the request until the program has received its reply. The request is sent again when its pipe
//! is closed, and when no reply has arrived within `NN_REQ_RESEND_IVL`. A reply stays in its pipe's inbound
//! lane until it is received.

use super::RawRequester;
use crate::error::Error;
use crate::message::{Chunk, Metadata, Outgoing, Payload};
use crate::option::{Setting, time_limit};
use crate::protocol::backtrace::{LAST_WORD, WORD, next_question};
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Time};

/// `NN_REQ_RESEND_IVL`: milliseconds after which a request is sent again.
pub(crate) const RESEND_INTERVAL: i32 = 1;
/// Its default.
const DEFAULT_RESEND_INTERVAL: i32 = 60_000;

/// The machine of a REQ socket.
#[derive(Debug)]
pub struct Requester {
    raw: RawRequester,
    /// The request whose reply has not been received yet.
    request: Option<Request>,
    /// The word that identifies the last request: its reply begins with it.
    question: u32,
    /// In milliseconds; zero or less: a request is sent again only when its pipe is closed.
    resend_interval: i32,
}

/// A request, kept to be sent again.
#[derive(Debug)]
pub struct Request {
    pub body: Chunk,
    pub metadata: Metadata,
    pub state: RequestState,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It will be sent as soon as a pipe has room.
    Delayed,
    /// It was sent to `pipe`, and has no reply yet.
    Sent { pipe: PipeId, resend_at: Option<Time> },
    /// Its reply is the first message in the inbound lane of `pipe`.
    Answered { pipe: PipeId },
}

impl Requester {
    /// A machine whose first request has the number that follows the seed.
    pub fn new(seed: u32) -> Requester {
        let resend_interval = DEFAULT_RESEND_INTERVAL;
        Requester { raw: RawRequester::new(), request: None, question: seed | LAST_WORD, resend_interval }
    }

    /// What the machine of a socket with contexts takes over: the pipes, the request, the word of the last request,
    /// and the resend interval in milliseconds.
    pub fn into_parts(self) -> (RawRequester, Option<Request>, u32, i32) {
        (self.raw, self.request, self.question, self.resend_interval)
    }

    fn state(&self) -> Option<RequestState> {
        self.request.as_ref().map(|request| request.state)
    }

    fn set_state(&mut self, state: RequestState) {
        if let Some(request) = &mut self.request {
            request.state = state;
        }
    }

    /// Finds the reply to the request, or else sends the request if it is delayed. Called after every event.
    fn proceed(&mut self, context: &mut impl Context) {
        if let Some(RequestState::Answered { .. }) = self.state() {
            return;
        }
        let expected = self.request.is_some().then_some(self.question);
        if let Some(pipe) = self.raw.find_reply(expected, context) {
            self.set_state(RequestState::Answered { pipe });
            return;
        }
        let Some(Request { body, metadata, state }) = &mut self.request else { return };
        if *state == RequestState::Delayed {
            let mut copy = Payload::Owned(body.clone());
            context.send_with(*metadata);
            if let Some(pipe) = self.raw.send_to(&self.question.to_be_bytes(), &mut copy, context) {
                let resend_at = resend_time(context.now(), self.resend_interval);
                *state = RequestState::Sent { pipe, resend_at };
            }
        }
    }
}

impl Request {
    /// The request with this message, whose body is taken. It has not been sent.
    // Always inlined, as each machine has its own copy.
    #[inline(always)]
    pub fn from(message: &mut Outgoing<'_>) -> Result<Request, Refusal> {
        if !message.header.is_empty() {
            return Err(Refusal::InvalidArgument);
        }
        let body = match &message.body {
            Payload::Borrowed(bytes) => Chunk::copy_of(bytes).ok_or(Refusal::OutOfMemory)?,
            Payload::Owned(chunk) => chunk.clone(),
        };
        drop(message.body.take());
        Ok(Request { body, metadata: message.metadata, state: RequestState::Delayed })
    }
}

/// When a request that is sent now will be sent again.
pub(in crate::protocol) fn resend_time(now: Time, interval: i32) -> Option<Time> {
    now.checked_add(time_limit(interval).filter(|time| !time.is_zero())?)
}

impl Protocol for Requester {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.closing(pipe, context);
        // The reply may be in the lane already, without a call to `readable` so far.
        self.raw.readable(pipe, context);
        if matches!(self.state(), Some(RequestState::Sent { pipe: lost, .. }) if lost == pipe) {
            self.set_state(RequestState::Delayed);
        }
        self.proceed(context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.detach(pipe, context);
        match self.state() {
            Some(RequestState::Sent { pipe: lost, .. } | RequestState::Answered { pipe: lost })
                if lost == pipe =>
            {
                self.set_state(RequestState::Delayed);
            }
            _ => {}
        }
        self.proceed(context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
        self.proceed(context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
        self.proceed(context);
    }

    /// Never blocks. An earlier request that was not answered is forgotten.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        self.request = Some(Request::from(message)?);
        self.question = next_question(self.question);
        self.proceed(context);
        Ok(())
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.proceed(context);
        match self.state() {
            None => Err(Refusal::WrongState),
            Some(RequestState::Answered { pipe }) => {
                self.request = None;
                Ok(Delivery::plain(pipe, WORD))
            }
            Some(_) => Err(Refusal::WouldBlock),
        }
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.proceed(context);
        matches!(self.state(), Some(RequestState::Answered { .. }))
    }

    fn send_priority(&mut self, context: &mut impl Context) -> Option<u8> {
        self.raw.send_priority(context)
    }

    fn is_busy(&self) -> bool {
        matches!(self.state(), Some(RequestState::Delayed | RequestState::Sent { .. }))
    }

    fn deadline(&self) -> Option<Time> {
        match self.state()? {
            RequestState::Sent { resend_at, .. } => resend_at,
            _ => None,
        }
    }

    fn timeout(&mut self, context: &mut impl Context) {
        if self.deadline().is_some_and(|deadline| deadline <= context.now()) {
            self.set_state(RequestState::Delayed);
        }
        self.proceed(context);
    }

    fn give_up(&mut self, context: &mut impl Context) {
        self.request = None;
        self.proceed(context);
    }

    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        _context: &mut impl Context,
    ) -> Result<(), Error> {
        let (RESEND_INTERVAL, Setting::Int(milliseconds)) = (name, setting) else {
            return Err(Error::UnknownOption);
        };
        self.resend_interval = milliseconds;
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        if name == RESEND_INTERVAL { Ok(self.resend_interval) } else { Err(Error::UnknownOption) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::simulation::{Memory, Received, SEED, Simulation, simulate, wire};
    use crate::protocol::{self, Machine};

    /// The first and the second request's number on the wire.
    const FIRST: u32 = LAST_WORD | (SEED + 1);
    const SECOND: u32 = FIRST + 1;

    fn requester(test: impl Fn(Simulation)) {
        simulate(&protocol::REQ, false, |mut socket| {
            socket.attach(1);
            socket.attach(2);
            test(socket);
        });
    }

    #[test]
    fn a_request_is_answered() {
        requester(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            assert!(socket.machine.is_busy());
            assert_eq!(socket.sent(1), [wire(&[FIRST], "question")]);
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.arrive(1, wire(&[FIRST], "answer"));
            assert!(!socket.machine.is_busy());
            assert_eq!(socket.recv(), Ok(Received { pipe: 1, header: vec![], body: "answer".into() }));
            assert_eq!(socket.machine.deadline(), None);
            assert!(socket.sent(2).is_empty());
        });
    }

    #[test]
    fn a_request_that_is_given_up_is_neither_answered_nor_sent_again() {
        requester(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            assert_eq!(socket.sent(1).len(), 1);
            socket.give_up();
            assert!(!socket.machine.is_busy() && socket.machine.deadline().is_none());
            socket.close(1);
            assert_eq!((socket.sent(2), socket.recv()), (vec![], Err(Refusal::WrongState)));
            assert_eq!(socket.send("another"), Ok(()));
            socket.arrive(2, wire(&[FIRST], "late"));
            socket.arrive(2, wire(&[SECOND], "answer"));
            assert_eq!(socket.body().unwrap(), "answer");
            assert_eq!(socket.send("third"), Ok(()));
            socket.arrive(2, wire(&[SECOND + 1], "not received"));
            socket.give_up();
            assert_eq!((socket.recv(), socket.unread(2)), (Err(Refusal::WrongState), 0));
        });
    }

    #[test]
    fn without_a_request_nothing_is_received() {
        requester(|mut socket| {
            socket.arrive(1, wire(&[LAST_WORD | SEED], "no request"));
            assert_eq!(socket.recv(), Err(Refusal::WrongState));
            assert_eq!(socket.send("question"), Ok(()));
            socket.arrive(1, wire(&[FIRST], "answer"));
            socket.arrive(1, wire(&[FIRST], "again"));
            assert_eq!(socket.body().unwrap(), "answer");
            assert_eq!(socket.recv(), Err(Refusal::WrongState));
            assert_eq!(socket.unread(1), 0);
        });
    }

    #[test]
    fn a_request_keeps_its_metadata() {
        requester(|mut socket| {
            let text = Metadata { message_type: Some(crate::message::MessageType::Text) };
            socket.world.metadata = text;
            assert_eq!(socket.send("question"), Ok(()));
            socket.world.metadata = Metadata::default();
            socket.close(1);
            assert_eq!(socket.sent(2), [wire(&[FIRST], "question")]);
            assert_eq!(socket.world.metadata, text);
        });
    }

    #[test]
    fn a_request_is_delayed_until_a_pipe_has_room() {
        simulate(&protocol::REQ, false, |mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            assert!(socket.machine.is_busy());
            socket.attach_with(1, 8, 0).unwrap();
            assert_eq!((socket.recv(), socket.machine.deadline()), (Err(Refusal::WouldBlock), None));
            socket.attach(2);
            assert_eq!(socket.sent(2), [wire(&[FIRST], "question")]);
        });
    }

    #[test]
    fn a_new_request_cancels_the_earlier_one() {
        requester(|mut socket| {
            assert_eq!(socket.send("a"), Ok(()));
            socket.arrive(1, wire(&[FIRST], "answer to a"));
            assert_eq!(socket.send("b"), Ok(()));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.arrive(1, wire(&[FIRST], "answer to a, again"));
            socket.arrive(2, wire(&[SECOND], "answer to b"));
            assert_eq!(socket.body().unwrap(), "answer to b");
            assert_eq!(socket.sent(2), [wire(&[SECOND], "b")]);
        });
    }

    #[test]
    fn messages_that_do_not_match_the_request_are_dropped() {
        requester(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            for wrong in
                [wire(&[], ""), wire(&[], "abc"), wire(&[SECOND], "x"), wire(&[FIRST & !LAST_WORD], "x")]
            {
                socket.arrive(1, wrong);
            }
            socket.arrive(1, wire(&[5, FIRST], "one hop too many"));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.arrive(2, wire(&[FIRST], ""));
            assert_eq!(socket.body().unwrap(), "");
        });
    }

    #[test]
    fn a_request_is_sent_again_when_no_reply_comes() {
        requester(|mut socket| {
            assert_eq!(socket.machine.option(RESEND_INTERVAL), Ok(60_000));
            assert_eq!(socket.machine.option(2), Err(Error::UnknownOption));
            socket.set_option(RESEND_INTERVAL, Setting::Int(100)).unwrap();
            assert_eq!(socket.machine.option(RESEND_INTERVAL), Ok(100));
            assert_eq!(socket.send("question"), Ok(()));
            socket.set_option(RESEND_INTERVAL, Setting::Int(40)).unwrap();
            socket.elapse(99);
            assert!(socket.sent(2).is_empty());
            socket.elapse(1);
            assert_eq!(socket.sent(2), [wire(&[FIRST], "question")]);
            socket.elapse(40);
            assert_eq!(socket.sent(1).len(), 2);
            socket.arrive(2, wire(&[FIRST], "late, and good"));
            socket.elapse(1000);
            assert_eq!(socket.body().unwrap(), "late, and good");
            assert!(socket.sent(1).is_empty() && socket.sent(2).is_empty());
        });
    }

    #[test]
    fn a_request_that_cannot_be_sent_again_is_still_answered_by_the_first_replier() {
        simulate(&protocol::REQ, false, |mut socket| {
            socket.attach_with(1, 8, 1).unwrap();
            assert_eq!(socket.send("question"), Ok(()));
            socket.elapse(60_000);
            assert_eq!((socket.machine.is_busy(), socket.machine.deadline()), (true, None));
            socket.arrive(1, wire(&[FIRST], "answer"));
            assert_eq!(socket.sent(1).len(), 1);
            assert_eq!(socket.body().unwrap(), "answer");
            assert!(socket.sent(1).is_empty());
        });
    }

    #[test]
    fn without_an_interval_no_request_is_sent_again_after_a_time() {
        for interval in [0, -1, i32::MIN] {
            requester(|mut socket| {
                socket.set_option(RESEND_INTERVAL, Setting::Int(interval)).unwrap();
                assert_eq!(socket.send("question"), Ok(()));
                assert_eq!(socket.machine.deadline(), None);
                socket.elapse(u64::from(u32::MAX));
                assert!(socket.sent(2).is_empty());
                socket.close(1);
                assert_eq!(socket.sent(2).len(), 1);
            });
        }
    }

    #[test]
    fn a_request_is_sent_again_when_its_pipe_is_closed() {
        requester(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            socket.close(1);
            assert_eq!(socket.sent(2), [wire(&[FIRST], "question")]);
            socket.detach(1);
            assert!(socket.sent(2).is_empty());
            socket.detach(2);
            assert!(socket.machine.is_busy());
            socket.attach(3);
            assert_eq!(socket.sent(3), [wire(&[FIRST], "question")]);
        });
    }

    #[test]
    fn the_last_message_of_a_closing_pipe_can_be_the_reply() {
        requester(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            socket.arrive_and_close(1, wire(&[FIRST], "answer"));
            assert!(!socket.machine.is_busy() && socket.sent(2).is_empty());
            assert_eq!(socket.body().unwrap(), "answer");
        });
    }

    #[test]
    fn a_reply_that_is_lost_with_its_pipe_is_requested_again() {
        requester(|mut socket| {
            assert_eq!(socket.send("question"), Ok(()));
            socket.arrive(1, wire(&[FIRST], "answer"));
            socket.detach(1);
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            assert_eq!(socket.sent(2), [wire(&[FIRST], "question")]);
        });
    }

    #[test]
    fn the_body_is_shared_with_the_pipe_and_kept() {
        requester(|mut socket| {
            let address = socket.send_chunk(&[], "question");
            assert_eq!(socket.memory(1), Some(Memory { address, unique: false }));
            socket.elapse(60_000);
            assert_eq!(socket.memory(2), Some(Memory { address, unique: false }));
        });
    }

    #[test]
    fn numbers_have_31_bits_and_wrap_around() {
        let mut simulation = Simulation::new(&protocol::REQ, false, false);
        simulation.machine = Machine::Requester(Requester::new(u32::MAX - 1));
        simulation.attach(1);
        for _ in 0..3 {
            assert_eq!(simulation.send(""), Ok(()));
        }
        assert_eq!(simulation.sent(1), [[0xff; 4], [0x80, 0, 0, 0], [0x80, 0, 0, 1]]);
    }

    #[test]
    fn a_header_and_options_of_other_protocols_are_refused() {
        requester(|mut socket| {
            assert_eq!(socket.send_raw(b"head", "x"), Err(Refusal::InvalidArgument));
            let other = socket.set_option(2, Setting::Int(1));
            assert_eq!(other, Err(Error::UnknownOption));
        });
    }
}
