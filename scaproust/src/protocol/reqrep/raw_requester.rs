//! Raw REQ: sends messages unchanged, each to one replier, and receives every reply.
//!
//! Keeps no state of requests.

use crate::message::{Outgoing, Payload};
use crate::protocol::backtrace::ReplyQueue;
use crate::protocol::policy::LoadBalancer;
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a raw REQ socket.
#[derive(Debug)]
pub struct RawRequester {
    repliers: LoadBalancer,
    replies: ReplyQueue,
}

impl RawRequester {
    pub fn new() -> RawRequester {
        RawRequester { repliers: LoadBalancer::new(), replies: ReplyQueue::new() }
    }

    /// Sends a request to a pipe that has room, and returns that pipe; `None` if none has.
    pub fn send_to(
        &mut self,
        header: &[u8],
        body: &mut Payload<'_>,
        context: &mut impl Context,
    ) -> Option<PipeId> {
        self.repliers.send(header, body, context)
    }

    /// As [`ReplyQueue::take_known`].
    pub fn take_reply<T>(
        &mut self,
        look_up: impl Fn(u32) -> Option<T>,
        context: &mut impl Context,
    ) -> Option<(PipeId, T)> {
        self.replies.take_known(look_up, context)
    }

    /// As [`ReplyQueue::find`].
    pub fn find_reply(&mut self, word: Option<u32>, context: &mut impl Context) -> Option<PipeId> {
        self.replies.find(word, context)
    }
}

impl Protocol for RawRequester {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.repliers.insert(pipe, options.send_priority)?;
        self.replies.insert(pipe, options.receive_priority).inspect_err(|_| self.repliers.remove(pipe))
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.repliers.remove(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.repliers.remove(pipe);
        self.replies.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.replies.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.repliers.writable(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        let taker = self.send_to(&message.header, &mut message.body, context);
        taker.map(|_| ()).ok_or(Refusal::WouldBlock)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.replies.recv(context)
    }

    fn can_send(&mut self, context: &mut impl Context) -> bool {
        self.repliers.can_send(context)
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.replies.can_recv(context)
    }

    fn send_priority(&mut self, context: &mut impl Context) -> Option<u8> {
        self.repliers.priority(context)
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Received, simulate, wire};
    use crate::protocol::{self, Refusal};

    #[test]
    fn requests_are_sent_as_they_are_to_one_replier_after_the_other() {
        simulate(&protocol::REQ, true, |mut socket| {
            assert_eq!(socket.send("no peer"), Err(Refusal::WouldBlock));
            socket.attach(1);
            socket.attach_with(2, 8, 1).unwrap();
            for text in ["a", "b", "c", "d"] {
                assert_eq!(socket.send_raw(&wire(&[5, 0x8000_0001], ""), text), Ok(()));
            }
            assert_eq!(socket.sent(2), [wire(&[5, 0x8000_0001], "b")]);
            assert_eq!(socket.sent(1).len(), 3);
            socket.close(1);
            socket.detach(2);
            assert_eq!(socket.send("e"), Err(Refusal::WouldBlock));
        });
    }

    #[test]
    fn the_header_of_a_reply_is_its_first_word() {
        simulate(&protocol::REQ, true, |mut socket| {
            socket.attach(1);
            socket.arrive(1, wire(&[5], "a"));
            socket.arrive(1, "odd");
            socket.arrive_and_close(1, wire(&[0x8000_0001], ""));
            let header = wire(&[5], "");
            assert_eq!(socket.recv(), Ok(Received { pipe: 1, header, body: "a".into() }));
            assert_eq!(socket.recv().unwrap().header, wire(&[0x8000_0001], ""));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
        });
    }
}
