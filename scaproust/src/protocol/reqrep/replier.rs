//! REP: receives a request and sends its reply, one after the other.
//!
//! Keeps the pipe and the backtrace of the request that was received last. RESPONDENT is the same
//! machine, and its requests are surveys.

use super::RawReplier;
use crate::message::{Outgoing, ProtocolHeader};
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a REP or RESPONDENT socket.
#[derive(Debug)]
pub struct Replier {
    raw: RawReplier,
    /// The request that has been received and not answered.
    request: Option<ReplyRoute>,
}

/// The route of the reply to a received request.
#[derive(Debug)]
pub struct ReplyRoute {
    /// The pipe it came from; `None` once that is closed: the reply is then dropped.
    pipe: Option<PipeId>,
    backtrace: ProtocolHeader,
}

impl Replier {
    pub fn new() -> Replier {
        Replier { raw: RawReplier::new(), request: None }
    }

    /// What the machine of a socket with contexts takes over: the pipes, and the request.
    pub fn into_parts(self) -> (RawReplier, Option<ReplyRoute>) {
        (self.raw, self.request)
    }

    fn clear_route(&mut self, lost: PipeId) {
        if let Some(request) = &mut self.request {
            request.clear_if_lost(lost);
        }
    }
}

impl ReplyRoute {
    /// The route to the sender of a request, which came from this pipe with this backtrace.
    pub(crate) fn new(pipe: PipeId, backtrace: ProtocolHeader) -> ReplyRoute {
        ReplyRoute { pipe: Some(pipe), backtrace }
    }

    /// Receives a request. Returns the route of its reply as well.
    // Always inlined, as each machine has its own copy.
    #[inline(always)]
    pub(in crate::protocol) fn receive(
        raw: &mut RawReplier,
        context: &mut impl Context,
    ) -> Result<(ReplyRoute, Delivery), Refusal> {
        let (pipe, backtrace) = raw.take(context)?;
        let skip = backtrace.len();
        Ok((ReplyRoute { pipe: Some(pipe), backtrace }, Delivery::plain(pipe, skip)))
    }

    /// Sends the reply to a request, and takes the request. Never blocks: the reply is dropped if the requester's
    /// pipe is closed or full.
    // As above.
    #[inline(always)]
    pub(crate) fn reply(
        request: &mut Option<ReplyRoute>,
        message: &mut Outgoing<'_>,
        context: &mut impl Context,
    ) -> Result<(), Refusal> {
        if request.is_some() && !message.header.is_empty() {
            return Err(Refusal::InvalidArgument);
        }
        let ReplyRoute { pipe, backtrace } = request.take().ok_or(Refusal::WrongState)?;
        if let Some(pipe) = pipe {
            context.push(pipe, &backtrace, &mut message.body);
        }
        Ok(())
    }

    /// Clears the route if it leads to this pipe.
    pub fn clear_if_lost(&mut self, lost: PipeId) {
        self.pipe.take_if(|pipe| *pipe == lost);
    }
}

impl Protocol for Replier {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.clear_route(pipe);
        self.raw.closing(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.clear_route(pipe);
        self.raw.detach(pipe, context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
    }

    /// As [`ReplyRoute::reply`].
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        ReplyRoute::reply(&mut self.request, message, context)
    }

    /// Receives a request. An earlier one that was not answered is forgotten, even if there is no other.
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.request = None;
        let (route, delivery) = ReplyRoute::receive(&mut self.raw, context)?;
        self.request = Some(route);
        Ok(delivery)
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
        for info in [&protocol::REP, &protocol::RESPONDENT] {
            simulate(info, false, &test);
        }
    }

    #[test]
    fn a_reply_goes_to_the_pipe_of_its_request() {
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
    fn a_request_has_one_reply() {
        simulate_both(|mut socket| {
            socket.attach(1);
            assert_eq!(socket.send("no request"), Err(Refusal::WrongState));
            socket.arrive(1, wire(&[NUMBER], "question"));
            assert_eq!(socket.send("not received yet"), Err(Refusal::WrongState));
            assert!(socket.recv().is_ok());
            assert_eq!(socket.send_raw(b"head", "x"), Err(Refusal::InvalidArgument));
            assert_eq!(socket.send("answer"), Ok(()));
            assert_eq!(socket.send("again"), Err(Refusal::WrongState));
        });
    }

    #[test]
    fn receiving_forgets_the_earlier_request() {
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
    fn a_reply_to_a_closed_or_full_pipe_is_dropped() {
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

    /// The ids of pipes wrap around, so a later pipe may have the id of an earlier one.
    #[test]
    fn a_reply_does_not_reach_a_later_pipe_of_the_same_id() {
        simulate_both(|mut socket| {
            for end in [Simulation::close, Simulation::detach] {
                socket.attach(1);
                socket.arrive(1, wire(&[NUMBER], "question"));
                assert_eq!(socket.body().unwrap(), "question");
                end(&mut socket, 1);
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
