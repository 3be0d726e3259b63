//! REP: receives a request, sends its reply, and so on in turn.
//!
//! Knows one request at a time; what is needed to answer it is the way that it came. RESPONDENT is
//! the same machine, and its requests are surveys.

use super::RawReplier;
use crate::message::{Outgoing, ProtocolHeader};
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a REP or RESPONDENT socket.
#[derive(Debug)]
pub struct Replier {
    raw: RawReplier,
    /// The request that waits for its reply.
    request: Option<Request>,
}

/// What is needed to answer a request.
#[derive(Debug)]
struct Request {
    /// Where it came from; `None` once that peer is gone. Its reply is dropped then.
    pipe: Option<PipeId>,
    backtrace: ProtocolHeader,
}

impl Replier {
    pub fn new() -> Replier {
        Replier { raw: RawReplier::new(), request: None }
    }

    /// Nothing can be sent to a pipe any more.
    fn forget(&mut self, lost: PipeId) {
        if let Some(request) = &mut self.request {
            request.pipe.take_if(|pipe| *pipe == lost);
        }
    }
}

impl Protocol for Replier {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.forget(pipe);
        self.raw.closing(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.forget(pipe);
        self.raw.detach(pipe, context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
    }

    /// Takes a reply also when there is nobody to receive it: the peer is gone, or reads too slowly.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if self.request.is_some() && !message.header.is_empty() {
            return Err(Refusal::InvalidArgument);
        }
        let Request { pipe, backtrace } = self.request.take().ok_or(Refusal::WrongState)?;
        if let Some(pipe) = pipe {
            context.push(pipe, &backtrace, &mut message.body);
        }
        Ok(())
    }

    /// Receives a request. One that was not answered is given up, also when there is no other.
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.request = None;
        let (pipe, backtrace) = self.raw.take(context)?;
        let skip = backtrace.len();
        self.request = Some(Request { pipe: Some(pipe), backtrace });
        Ok(Delivery::plain(pipe, skip))
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        self.request.is_some()
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.raw.can_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Received, Simulation, simulate, wire};
    use crate::protocol::{self, Refusal};

    const NUMBER: u32 = 0x8000_0009;

    fn simulate_both(test: impl Fn(Simulation)) {
        for kind in [&protocol::REP, &protocol::RESPONDENT] {
            simulate(kind, false, &test);
        }
    }

    #[test]
    fn a_reply_goes_back_the_way_of_its_request() {
        simulate_both(|mut socket| {
            socket.attach(1);
            socket.attach(2);
            socket.arrive(2, wire(&[7, 8, NUMBER], "question"));
            assert_eq!(socket.recv(), Ok(Received { pipe: 2, header: vec![], body: "question".into() }));
            assert_eq!(socket.send("answer"), Ok(()));
            assert_eq!((socket.sent(1), socket.sent(2)), (vec![], vec![wire(&[7, 8, NUMBER], "answer")]));
        });
    }

    #[test]
    fn there_is_one_reply_to_a_request() {
        simulate_both(|mut socket| {
            socket.attach(1);
            assert_eq!(socket.send("nobody asked"), Err(Refusal::WrongState));
            socket.arrive(1, wire(&[NUMBER], "question"));
            assert_eq!(socket.send("not received yet"), Err(Refusal::WrongState));
            assert!(socket.recv().is_ok());
            assert_eq!(socket.send_raw(b"head", "x"), Err(Refusal::InvalidArgument));
            assert_eq!(socket.send("answer"), Ok(()));
            assert_eq!(socket.send("again"), Err(Refusal::WrongState));
        });
    }

    #[test]
    fn receiving_gives_up_the_request_before() {
        simulate_both(|mut socket| {
            socket.attach(1);
            socket.arrive(1, wire(&[NUMBER], "first"));
            socket.arrive(1, wire(&[NUMBER + 1], "second"));
            assert_eq!((socket.body().unwrap(), socket.body().unwrap()), ("first".into(), "second".into()));
            assert_eq!(socket.send("answer"), Ok(()));
            assert_eq!(socket.sent(1), [wire(&[NUMBER + 1], "answer")]);

            socket.arrive(1, wire(&[NUMBER + 2], "third"));
            assert!(socket.recv().is_ok());
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            assert_eq!(socket.send("answer"), Err(Refusal::WrongState));
        });
    }

    #[test]
    fn a_reply_to_one_who_has_gone_or_is_full_is_dropped() {
        simulate_both(|mut socket| {
            socket.attach(1);
            socket.attach_with(2, 8, 0).unwrap();
            socket.attach(3);
            socket.arrive(1, wire(&[NUMBER], "a"));
            assert_eq!(socket.body().unwrap(), "a");
            socket.detach(1);
            assert_eq!(socket.send("answer"), Ok(()));
            socket.arrive(2, wire(&[NUMBER], "b"));
            assert_eq!(socket.body().unwrap(), "b");
            assert_eq!(socket.send("answer"), Ok(()));
            socket.arrive_and_close(3, wire(&[NUMBER], "c"));
            assert_eq!(socket.body().unwrap(), "c");
            assert_eq!(socket.send("answer"), Ok(()));
            assert!(socket.sent(2).is_empty() && socket.sent(3).is_empty());
        });
    }

    /// As when the count of pipes has wrapped in the meantime.
    #[test]
    fn a_reply_does_not_reach_a_later_pipe_of_the_same_id() {
        simulate_both(|mut socket| {
            for goes in [Simulation::close, Simulation::detach] {
                socket.attach(1);
                socket.arrive(1, wire(&[NUMBER], "question"));
                assert_eq!(socket.body().unwrap(), "question");
                goes(&mut socket, 1);
                if socket.is_attached(1) {
                    socket.detach(1);
                }
                socket.attach(1);
                assert_eq!(socket.send("answer"), Ok(()));
                assert!(socket.sent(1).is_empty());
                assert_eq!(socket.send("again"), Err(Refusal::WrongState));
                socket.detach(1);
            }
        });
    }
}
