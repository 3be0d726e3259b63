//! PUB and SUB: each message is sent to all subscribers, which receive those that match a subscription.
//!
//! Subscriptions are not sent to the publisher: a subscriber drops the other messages. Raw PUB and SUB
//! are the same machines.

use super::policy::{Distributor, FairQueue};
use super::trie::Trie;
use super::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};
use crate::error::Error;
use crate::message::{Front, Outgoing};
use crate::option::Setting;

/// `NN_SUB_SUBSCRIBE`: receive messages that begin with these bytes.
pub(crate) const SUBSCRIBE: i32 = 1;
/// `NN_SUB_UNSUBSCRIBE`: cancel one subscription with these bytes.
pub(crate) const UNSUBSCRIBE: i32 = 2;

/// The machine of a PUB socket.
///
/// Sending never blocks: a subscriber without room misses the message. As PUSH, it never reads.
#[derive(Debug)]
pub struct Publisher {
    subscribers: Distributor,
}

impl Publisher {
    pub fn new() -> Publisher {
        Publisher { subscribers: Distributor::new() }
    }
}

impl Protocol for Publisher {
    fn attach(&mut self, pipe: PipeId, _options: PipeOptions) -> Result<(), PipeRefused> {
        self.subscribers.insert(pipe)
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.subscribers.remove(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.subscribers.remove(pipe);
    }

    fn readable(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.subscribers.writable(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        self.subscribers.send(&message.header, &mut message.body, None, context);
        Ok(())
    }

    fn recv(&mut self, _context: &mut impl Context) -> Result<Delivery, Refusal> {
        Err(Refusal::NotSupported)
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, _context: &mut impl Context) -> bool {
        false
    }
}

/// The machine of a SUB socket.
#[derive(Debug)]
pub struct Subscriber {
    publishers: FairQueue,
    subscriptions: Subscriptions,
}

impl Subscriber {
    pub fn new() -> Subscriber {
        Subscriber { publishers: FairQueue::new(), subscriptions: Subscriptions::new() }
    }

    /// What the machine of a socket with contexts takes over.
    pub(super) fn into_parts(self) -> (FairQueue, Subscriptions) {
        (self.publishers, self.subscriptions)
    }
}

/// The subscriptions of a SUB socket, or of one of its contexts.
#[derive(Debug)]
pub(super) struct Subscriptions(Trie);

impl Subscriptions {
    pub(super) fn new() -> Subscriptions {
        Subscriptions(Trie::new())
    }

    /// Accepts a message that matches a subscription.
    #[inline]
    pub(super) fn accept(&self, front: Front<'_>) -> Option<()> {
        self.0.matches([front.head, front.body]).then_some(())
    }

    /// Sets an option, as [`Protocol::set_option`].
    pub(super) fn set(&mut self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        match (name, setting) {
            (SUBSCRIBE, Setting::Bytes(prefix)) => {
                if !self.0.subscribe(prefix) {
                    return Err(Error::OutOfMemory);
                }
            }
            (UNSUBSCRIBE, Setting::Bytes(prefix)) => {
                // As in libnanomsg, it is no error if there was no such subscription.
                self.0.unsubscribe(prefix);
            }
            _ => return Err(Error::UnknownOption),
        }
        Ok(())
    }
}

impl Protocol for Subscriber {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.publishers.insert(pipe, options.receive_priority)
    }

    fn closing(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.publishers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.publishers.readable(pipe);
    }

    fn writable(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

    fn send(&mut self, _message: &mut Outgoing<'_>, _context: &mut impl Context) -> Result<(), Refusal> {
        Err(Refusal::NotSupported)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let found = self.publishers.take(context, |front| self.subscriptions.accept(front));
        let (pipe, ()) = found.ok_or(Refusal::WouldBlock)?;
        Ok(Delivery::plain(pipe, 0))
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        false
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.publishers.find(context, |front| self.subscriptions.accept(front)).is_some()
    }

    fn wants(&self, message: Front<'_>) -> bool {
        self.subscriptions.accept(message).is_some()
    }

    fn set_option(&mut self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        self.subscriptions.set(name, setting)
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::option::Setting;
    use crate::protocol::simulation::{Memory, Simulation, simulate};
    use crate::protocol::{self, Protocol, RESEND_INTERVAL, Refusal, SUBSCRIBE, UNSUBSCRIBE};

    #[test]
    fn a_message_goes_to_all_subscribers_that_have_room() {
        for raw in [false, true] {
            simulate(&protocol::PUB, raw, |mut publisher| {
                assert_eq!(publisher.send("no peer"), Ok(()));
                publisher.attach_with(1, 8, 1).unwrap();
                publisher.attach(2);
                publisher.attach(3);
                for text in ["a", "b"] {
                    assert_eq!(publisher.send(text), Ok(()));
                }
                assert_eq!((publisher.sent(1), publisher.world.drops), (vec![b"a".to_vec()], 1));
                assert_eq!(publisher.send("c"), Ok(()));
                assert_eq!(publisher.sent(1), [b"c"]);
                assert_eq!(publisher.sent(2), [b"a", b"b", b"c"]);
                assert_eq!(publisher.sent(3), [b"a", b"b", b"c"]);
            });
        }
    }

    #[test]
    fn nothing_is_sent_to_a_closed_subscriber() {
        simulate(&protocol::PUB, false, |mut publisher| {
            (1..=4).for_each(|pipe| publisher.attach(pipe));
            publisher.close(1);
            publisher.detach(3);
            assert_eq!(publisher.send("a"), Ok(()));
            publisher.detach(1);
            publisher.detach(4);
            assert_eq!(publisher.send("b"), Ok(()));
            assert_eq!(publisher.sent(2), [b"a", b"b"]);
        });
    }

    #[test]
    fn one_subscriber_gets_the_body_without_a_copy_and_several_share_it() {
        simulate(&protocol::PUB, false, |mut publisher| {
            publisher.attach(1);
            let address = publisher.send_chunk(&[], "large");
            assert_eq!(publisher.memory(1), Some(Memory { address, unique: true }));
            publisher.attach(2);
            let address = publisher.send_chunk(&[], "large");
            let (first, second) = (publisher.memory(1).unwrap(), publisher.memory(2).unwrap());
            assert_eq!((first.address, second.address), (address, address));
            assert!(second.unique || first.unique);
        });
    }

    #[test]
    fn full_subscribers_take_no_calls_to_the_context() {
        let mut publisher = Simulation::new(&protocol::PUB, false, false);
        (1..=500).for_each(|pipe| publisher.attach_with(pipe, 8, 1).unwrap());
        publisher.attach(501);
        assert_eq!((publisher.send("fills"), publisher.send("is missed")), (Ok(()), Ok(())));
        publisher.world.calls = 0;
        assert_eq!(publisher.send("a"), Ok(()));
        assert_eq!(publisher.world.calls, 1);
        assert_eq!((publisher.sent(1).len(), publisher.sent(501).len()), (1, 3));
    }

    #[test]
    fn only_messages_that_match_a_subscription_are_received() {
        for raw in [false, true] {
            simulate(&protocol::SUB, raw, |mut subscriber| {
                subscriber.attach(1);
                subscriber.attach(2);
                subscriber.arrive(1, "early");
                assert_eq!(subscriber.recv(), Err(Refusal::WouldBlock));
                subscriber.set_option(SUBSCRIBE, Setting::Bytes(b"weather/")).unwrap();
                for text in ["sport/1", "weather/1", "weather", "", "weather/2"] {
                    subscriber.arrive(1, text);
                }
                subscriber.arrive(2, "sport/2");
                subscriber.arrive(2, "weather/3");
                let mut bodies = subscriber.bodies();
                bodies.sort();
                assert_eq!(bodies, ["weather/1", "weather/2", "weather/3"]);
            });
        }
    }

    #[test]
    fn a_dropped_message_ends_the_turn_of_its_pipe() {
        let mut subscriber = Simulation::new(&protocol::SUB, false, false);
        subscriber.set_option(SUBSCRIBE, Setting::Bytes(b"a")).unwrap();
        subscriber.attach(1);
        subscriber.attach(2);
        subscriber.arrive(1, "b");
        subscriber.arrive(1, "a1");
        subscriber.arrive(2, "a2");
        assert_eq!(subscriber.bodies(), ["a2", "a1"]);
    }

    #[test]
    fn a_subscription_is_cancelled_as_often_as_it_was_made() {
        simulate(&protocol::SUB, false, |mut subscriber| {
            subscriber.attach(1);
            for _ in 0..2 {
                subscriber.set_option(SUBSCRIBE, Setting::Bytes(b"")).unwrap();
            }
            subscriber.set_option(UNSUBSCRIBE, Setting::Bytes(b"")).unwrap();
            subscriber.arrive(1, "a");
            assert_eq!(subscriber.bodies(), ["a"]);
            subscriber.set_option(UNSUBSCRIBE, Setting::Bytes(b"")).unwrap();
            subscriber.arrive(1, "b");
            assert_eq!(subscriber.recv(), Err(Refusal::WouldBlock));
            subscriber.set_option(UNSUBSCRIBE, Setting::Bytes(b"")).unwrap();
        });
    }

    #[test]
    fn options_of_other_protocols_are_refused_and_subscriptions_cannot_be_read() {
        simulate(&protocol::SUB, false, |mut subscriber| {
            let other = subscriber.set_option(RESEND_INTERVAL, Setting::Int(1));
            assert_eq!(other, Err(Error::UnknownOption));
            assert_eq!(subscriber.machine.option(1), Err(Error::UnknownOption));
        });
        simulate(&protocol::PUB, false, |mut publisher| {
            let other = publisher.set_option(SUBSCRIBE, Setting::Bytes(b"a"));
            assert_eq!(other, Err(Error::UnknownOption));
        });
    }

    #[test]
    fn the_other_direction_is_not_supported() {
        simulate(&protocol::PUB, false, |mut publisher| {
            publisher.attach(1);
            publisher.arrive(1, "against the protocol");
            assert_eq!(publisher.recv(), Err(Refusal::NotSupported));
        });
        simulate(&protocol::SUB, false, |mut subscriber| {
            subscriber.attach(1);
            assert_eq!(subscriber.send("against the protocol"), Err(Refusal::NotSupported));
        });
    }
}
