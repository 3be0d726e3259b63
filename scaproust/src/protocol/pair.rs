//! PAIR: messages in both directions between two sockets.
//!
//! A socket may be its own peer: then its pipe's outbound lane is also its inbound lane. Raw PAIR is the
//! same machine.

use super::policy::Exclusive;
use super::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};
use crate::message::Outgoing;

/// The machine of a PAIR socket.
#[derive(Debug)]
pub struct Pair {
    exclusive: Exclusive,
}

impl Pair {
    pub fn new() -> Pair {
        Pair { exclusive: Exclusive::new() }
    }
}

impl Protocol for Pair {
    fn attach(&mut self, pipe: PipeId, _options: PipeOptions) -> Result<(), PipeRefused> {
        self.exclusive.insert(pipe)
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.exclusive.release(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.exclusive.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.exclusive.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.exclusive.open(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        let sent = self.exclusive.send(&message.header, &mut message.body, context);
        if sent { Ok(()) } else { Err(Refusal::WouldBlock) }
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let pipe = self.exclusive.find(context, |_| true).ok_or(Refusal::WouldBlock)?;
        Ok(Delivery::plain(pipe, 0))
    }

    fn can_send(&mut self, context: &mut impl Context) -> bool {
        self.exclusive.can_send(context)
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.exclusive.find(context, |_| true).is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::simulate;
    use crate::protocol::{self, PipeRefused, Refusal};

    #[test]
    fn sends_to_and_receives_from_one_peer() {
        for raw in [false, true] {
            simulate(&protocol::PAIR, raw, |mut socket| {
                assert_eq!(socket.send("no peer"), Err(Refusal::WouldBlock));
                assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
                socket.attach(1);
                assert_eq!(socket.send("a"), Ok(()));
                assert_eq!(socket.send_raw(b"head", "body"), Ok(()));
                assert_eq!(socket.sent(1), [&b"a"[..], b"headbody"]);
                socket.arrive(1, "b");
                let received = socket.recv().unwrap();
                assert_eq!((received.pipe, &*received.header, &*received.body), (1, &b""[..], "b"));
            });
        }
    }

    #[test]
    fn a_full_pipe_blocks_until_it_has_room() {
        simulate(&protocol::PAIR, false, |mut socket| {
            assert_eq!(socket.attach_with(1, 8, 1), Ok(()));
            assert_eq!(socket.send("a"), Ok(()));
            assert_eq!(socket.send("b"), Err(Refusal::WouldBlock));
            assert_eq!(socket.sent(1), [b"a"]);
            assert_eq!(socket.send("b"), Ok(()));
        });
    }

    #[test]
    fn a_second_peer_is_refused_until_the_first_is_closed() {
        simulate(&protocol::PAIR, false, |mut socket| {
            socket.attach(1);
            assert_eq!(socket.attach_with(2, 8, 1), Err(PipeRefused));
            socket.close(1);
            assert_eq!(socket.send("x"), Err(Refusal::WouldBlock));
            socket.attach(3);
            assert_eq!(socket.attach_with(4, 8, 1), Err(PipeRefused));
            socket.detach(1);
            assert_eq!(socket.attach_with(4, 8, 1), Err(PipeRefused));
            socket.detach(3);
            socket.attach(4);
            assert_eq!(socket.send("x"), Ok(()));
            assert_eq!(socket.sent(4), [b"x"]);
        });
    }

    #[test]
    fn messages_of_earlier_peers_are_received_first_and_in_order() {
        simulate(&protocol::PAIR, false, |mut socket| {
            socket.attach(1);
            socket.arrive(1, "a");
            socket.arrive(1, "b");
            socket.close(1);
            socket.attach(2);
            socket.arrive(2, "d");
            assert_eq!(socket.body().unwrap(), "a");
            socket.arrive_and_close(2, "e");
            socket.attach(3);
            socket.arrive(3, "f");
            assert_eq!(socket.bodies(), ["b", "d", "e", "f"]);
            socket.detach(1);
            socket.detach(2);
            socket.arrive(3, "g");
            assert_eq!(socket.bodies(), ["g"]);
        });
    }

    #[test]
    fn a_closed_pipe_that_is_empty_can_become_readable_again() {
        simulate(&protocol::PAIR, false, |mut socket| {
            socket.attach(1);
            socket.close(1);
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.attach(2);
            socket.arrive(1, "late");
            assert_eq!(socket.bodies(), ["late"]);
        });
    }

    #[test]
    fn messages_of_a_detached_pipe_are_lost() {
        simulate(&protocol::PAIR, false, |mut socket| {
            socket.attach(1);
            socket.arrive(1, "a");
            socket.detach(1);
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
        });
    }

    #[test]
    fn a_pair_can_be_its_own_peer() {
        simulate(&protocol::PAIR, false, |mut socket| {
            socket.attach(1);
            socket.join_lanes(1);
            for text in ["a", "b"] {
                assert_eq!(socket.send(text), Ok(()));
                assert_eq!(socket.body().as_deref(), Ok(text));
            }
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
        });
    }
}
