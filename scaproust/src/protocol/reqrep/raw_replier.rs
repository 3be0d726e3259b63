//! Raw REP: receives requests with their pipe and backtrace as the protocol header, and sends replies to the
//! pipe in the header.
//!
//! Keeps no state of requests. Raw RESPONDENT is the same machine, and its requests are surveys.

use crate::message::{Outgoing, ProtocolHeader};
use crate::protocol::backtrace::backtrace;
use crate::protocol::policy::FairQueue;
use crate::protocol::{Context, Delivery, HeaderSource, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a raw REP or RESPONDENT socket.
#[derive(Debug)]
pub struct RawReplier {
    requests: FairQueue,
}

impl RawReplier {
    pub fn new() -> RawReplier {
        RawReplier { requests: FairQueue::new() }
    }

    /// Delivers the next request: its pipe, and its backtrace. Drops messages without a valid backtrace.
    pub fn take(&mut self, context: &mut impl Context) -> Result<(PipeId, ProtocolHeader), Refusal> {
        let max_hops = context.max_hops();
        let found = self.requests.take(context, |front| backtrace(front, max_hops));
        found.ok_or(Refusal::WouldBlock)
    }
}

impl Protocol for RawReplier {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.requests.insert(pipe, options.receive_priority)
    }

    fn closing(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.requests.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.requests.readable(pipe);
    }

    fn writable(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

    /// The first word of the header is the pipe, the rest is sent in front of the body. The reply is dropped
    /// when there is no such word or pipe, or the pipe is full.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if let Some((pipe, backtrace)) = message.header.split_first_chunk() {
            let pipe = PipeId(u32::from_be_bytes(*pipe));
            context.push(pipe, backtrace, &mut message.body);
        }
        Ok(())
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let (pipe, backtrace) = self.take(context)?;
        Ok(Delivery { pipe, skip: backtrace.len(), header: HeaderSource::WordAndSkipped(pipe.0) })
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        let max_hops = context.max_hops();
        self.requests.find(context, |front| backtrace(front, max_hops)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Simulation, simulate, wire};
    use crate::protocol::{self, Refusal};

    const NUMBER: u32 = 0x8000_0009;

    fn simulate_both(test: impl Fn(Simulation)) {
        for info in [&protocol::REP, &protocol::RESPONDENT] {
            simulate(info, true, &test);
        }
    }

    #[test]
    fn the_header_of_a_request_is_its_pipe_and_its_backtrace() {
        simulate_both(|mut socket| {
            socket.attach(3);
            socket.arrive(3, wire(&[7, 8, NUMBER], "question"));
            let request = socket.recv().unwrap();
            assert_eq!((request.header, &*request.body), (wire(&[3, 7, 8, NUMBER], ""), "question"));
        });
    }

    #[test]
    fn a_reply_goes_to_the_pipe_in_its_header() {
        simulate_both(|mut socket| {
            socket.attach(3);
            socket.attach(4);
            assert_eq!(socket.send_raw(&wire(&[4, 7, NUMBER], ""), "answer"), Ok(()));
            assert_eq!((socket.sent(3), socket.sent(4)), (vec![], vec![wire(&[7, NUMBER], "answer")]));
        });
    }

    #[test]
    fn a_reply_that_cannot_be_sent_is_dropped() {
        simulate_both(|mut socket| {
            socket.attach_with(3, 8, 1).unwrap();
            let header = wire(&[3, NUMBER], "");
            for dropped in [&wire(&[], "")[..], &wire(&[], "abc"), &wire(&[99, NUMBER], "")] {
                assert_eq!(socket.send_raw(dropped, "x"), Ok(()));
            }
            assert_eq!((socket.send_raw(&header, "a"), socket.send_raw(&header, "b")), (Ok(()), Ok(())));
            assert_eq!(socket.sent(3), [wire(&[NUMBER], "a")]);
            socket.close(3);
            assert_eq!(socket.send_raw(&header, "c"), Ok(()));
            assert!(socket.sent(3).is_empty());
        });
    }

    #[test]
    fn malformed_requests_are_dropped_and_the_next_is_found() {
        simulate_both(|mut socket| {
            socket.attach(1);
            socket.attach(2);
            let seven_hops = [1, 2, 3, 4, 5, 6, 7, NUMBER];
            let eight_hops = [1, 2, 3, 4, 5, 6, 7, 8, NUMBER];
            for malformed in [wire(&[], ""), wire(&[], "abc"), wire(&[7, 8], "ab"), wire(&eight_hops, "x")] {
                socket.arrive(1, malformed);
            }
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.arrive(1, "no number");
            socket.arrive(1, wire(&seven_hops, "far"));
            socket.arrive(2, "nor here");
            socket.arrive(2, wire(&[NUMBER], ""));
            let mut bodies = socket.bodies();
            bodies.sort();
            assert_eq!(bodies, ["", "far"]);
        });
    }
}
