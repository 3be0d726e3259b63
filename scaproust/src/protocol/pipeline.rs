//! PUSH and PULL: each message is sent to one of the receivers, and messages are received from all senders.
//!
//! Raw PUSH and PULL are the same machines.

use super::policy::{FairQueue, LoadBalancer};
use super::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};
use crate::message::Outgoing;

/// The machine of a PUSH socket.
///
/// It never reads: messages that a peer sends against the protocol stay in the inbound lane, and
/// back-pressure stops the peer when that is full.
#[derive(Debug)]
pub struct Pusher {
    receivers: LoadBalancer,
}

impl Pusher {
    pub fn new() -> Pusher {
        Pusher { receivers: LoadBalancer::new() }
    }
}

impl Protocol for Pusher {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.receivers.insert(pipe, options.send_priority)
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.receivers.remove(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.receivers.remove(pipe);
    }

    fn readable(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.receivers.writable(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        let taker = self.receivers.send(&message.header, &mut message.body, context);
        taker.map(|_| ()).ok_or(Refusal::WouldBlock)
    }

    fn recv(&mut self, _context: &mut impl Context) -> Result<Delivery, Refusal> {
        Err(Refusal::NotSupported)
    }

    fn can_send(&mut self, context: &mut impl Context) -> bool {
        self.receivers.can_send(context)
    }

    fn can_recv(&mut self, _context: &mut impl Context) -> bool {
        false
    }

    fn send_priority(&mut self, context: &mut impl Context) -> Option<u8> {
        self.receivers.priority(context)
    }
}

/// The machine of a PULL socket.
#[derive(Debug)]
pub struct Puller {
    senders: FairQueue,
}

impl Puller {
    pub fn new() -> Puller {
        Puller { senders: FairQueue::new() }
    }
}

impl Protocol for Puller {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.senders.insert(pipe, options.receive_priority)
    }

    fn closing(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.senders.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.senders.readable(pipe);
    }

    fn writable(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

    fn send(&mut self, _message: &mut Outgoing<'_>, _context: &mut impl Context) -> Result<(), Refusal> {
        Err(Refusal::NotSupported)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let (pipe, ()) = self.senders.take(context, |_| Some(())).ok_or(Refusal::WouldBlock)?;
        Ok(Delivery::plain(pipe, 0))
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        false
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.senders.find(context, |_| Some(())).is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Memory, Simulation, simulate};
    use crate::protocol::{self, Refusal};

    #[test]
    fn each_message_goes_to_the_next_receiver() {
        for raw in [false, true] {
            simulate(&protocol::PUSH, raw, |mut push| {
                (1..=3).for_each(|pipe| push.attach(pipe));
                for text in ["a", "b", "c", "d"] {
                    assert_eq!(push.send(text), Ok(()));
                }
                assert_eq!(push.sent(1), [b"a", b"d"]);
                assert_eq!((push.sent(2), push.sent(3)), (vec![b"b".to_vec()], vec![b"c".to_vec()]));
            });
        }
    }

    #[test]
    fn a_full_receiver_is_skipped_until_it_has_room() {
        simulate(&protocol::PUSH, false, |mut push| {
            assert_eq!(push.send("no peer"), Err(Refusal::WouldBlock));
            push.attach_with(1, 8, 1).unwrap();
            push.attach_with(2, 8, 3).unwrap();
            for text in ["a", "b", "c", "d"] {
                assert_eq!(push.send(text), Ok(()));
            }
            assert_eq!(push.send("e"), Err(Refusal::WouldBlock));
            assert_eq!(push.sent(1), [b"a"]);
            assert_eq!(push.send("e"), Ok(()));
            assert_eq!(push.sent(1), [b"e"]);
            assert_eq!(push.sent(2), [b"b", b"c", b"d"]);
        });
    }

    #[test]
    fn a_lower_priority_is_used_when_higher_ones_have_no_room() {
        simulate(&protocol::PUSH, false, |mut push| {
            push.attach_with(2, 2, 8).unwrap();
            push.attach_with(1, 1, 2).unwrap();
            assert_eq!(push.send_priority(), Some(1));
            for text in ["a", "b"] {
                assert_eq!(push.send(text), Ok(()));
            }
            assert_eq!(push.send_priority(), Some(2));
            assert_eq!(push.send("c"), Ok(()));
            assert_eq!(push.sent(1), [b"a", b"b"]);
            assert_eq!(push.send_priority(), Some(1));
            assert_eq!(push.send("d"), Ok(()));
            assert_eq!((push.sent(1), push.sent(2)), (vec![b"d".to_vec()], vec![b"c".to_vec()]));
            push.close(1);
            assert_eq!(push.send_priority(), Some(2));
            push.close(2);
            assert_eq!(push.send_priority(), None);
        });
    }

    #[test]
    fn nothing_is_sent_to_a_closed_receiver() {
        simulate(&protocol::PUSH, false, |mut push| {
            (1..=3).for_each(|pipe| push.attach(pipe));
            push.close(1);
            push.detach(2);
            assert_eq!((push.send("a"), push.send("b")), (Ok(()), Ok(())));
            assert_eq!(push.sent(3), [b"a", b"b"]);
            push.detach(3);
            assert_eq!(push.send("c"), Err(Refusal::WouldBlock));
        });
    }

    #[test]
    fn the_receiver_gets_the_body_without_a_copy() {
        simulate(&protocol::PUSH, false, |mut push| {
            push.attach_with(1, 8, 0).unwrap();
            push.attach(2);
            let address = push.send_chunk(&[], "large");
            assert_eq!(push.memory(2), Some(Memory { address, unique: true }));
        });
    }

    #[test]
    fn messages_are_received_from_the_senders_in_turn() {
        for raw in [false, true] {
            simulate(&protocol::PULL, raw, |mut pull| {
                assert_eq!(pull.recv(), Err(Refusal::WouldBlock));
                (1..=3).for_each(|pipe| pull.attach(pipe));
                for text in ["1a", "1b", "1c"] {
                    pull.arrive(1, text);
                }
                pull.arrive(3, "3a");
                assert_eq!(pull.body().unwrap(), "1a");
                pull.arrive(2, "2a");
                let mut bodies = pull.bodies();
                assert_eq!(bodies.pop().unwrap(), "1c");
                bodies.sort();
                assert_eq!(bodies, ["1b", "2a", "3a"]);
            });
        }
    }

    #[test]
    fn higher_priorities_are_received_first() {
        simulate(&protocol::PULL, false, |mut pull| {
            pull.attach_with(1, 16, 8).unwrap();
            pull.attach_with(2, 1, 8).unwrap();
            pull.arrive(1, "later");
            pull.arrive(1, "last");
            pull.arrive(2, "first");
            pull.arrive(2, "second");
            assert_eq!(pull.bodies(), ["first", "second", "later", "last"]);
        });
    }

    #[test]
    fn messages_of_a_closed_sender_are_received_and_those_of_a_detached_one_are_not() {
        simulate(&protocol::PULL, false, |mut pull| {
            pull.attach(1);
            pull.attach(2);
            pull.arrive(1, "a");
            pull.arrive_and_close(1, "b");
            pull.arrive(2, "c");
            pull.detach(2);
            assert_eq!(pull.bodies(), ["a", "b"]);
        });
    }

    #[test]
    fn the_other_direction_is_not_supported() {
        simulate(&protocol::PUSH, false, |mut push| {
            push.attach(1);
            push.arrive(1, "against the protocol");
            assert_eq!(push.recv(), Err(Refusal::NotSupported));
        });
        simulate(&protocol::PULL, false, |mut pull| {
            pull.attach(1);
            assert_eq!(pull.send("against the protocol"), Err(Refusal::NotSupported));
        });
    }

    #[test]
    fn idle_pipes_take_no_calls_to_the_context() {
        let mut push = Simulation::new(&protocol::PUSH, false, false);
        (1..=500).for_each(|pipe| push.attach_with(pipe, 1, 0).unwrap());
        push.attach(501);
        assert_eq!(push.send("warm"), Ok(()));
        push.world.calls = 0;
        assert_eq!(push.send("a"), Ok(()));
        assert_eq!(push.world.calls, 1);

        let mut pull = Simulation::new(&protocol::PULL, false, false);
        (1..=500).for_each(|pipe| pull.attach(pipe));
        pull.arrive(500, "a");
        pull.arrive(500, "b");
        assert_eq!(pull.body().unwrap(), "a");
        pull.world.calls = 0;
        assert_eq!(pull.body().unwrap(), "b");
        assert_eq!(pull.world.calls, 1);
    }
}
