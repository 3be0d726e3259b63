//! PUB and SUB, and both together.

use crate::error::Error;
use crate::option::Setting;
use crate::protocol::simulation::{Memory, Simulation, simulate};
use crate::protocol::{self, FILTER, Protocol, RESEND_INTERVAL, Refusal, SUBSCRIBE, UNSUBSCRIBE};

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

/// A publisher or a subscriber whose pipes are filtering.
fn simulate_filtering(info: &protocol::ProtocolInfo, raw: bool, test: impl Fn(Simulation)) {
    simulate(info, raw, |mut socket| {
        socket.is_filtering = true;
        test(socket);
    });
}

#[test]
fn a_filtering_subscriber_gets_only_what_it_has_subscribed_to() {
    for raw in [false, true] {
        simulate_filtering(&protocol::PUB, raw, |mut publisher| {
            (1..=3).for_each(|pipe| publisher.attach(pipe));
            publisher.is_filtering = false;
            publisher.attach(4);
            publisher.arrive(1, "\x01sport/");
            publisher.arrive(1, "\x01weather/");
            publisher.arrive(2, "\x01weather/n");
            assert_eq!(publisher.machine.subscriptions(), 3);
            for text in ["sport/1", "weather/north", "weather/south", "other"] {
                assert_eq!(publisher.send(text), Ok(()));
            }
            assert_eq!(publisher.sent(1), [&b"sport/1"[..], b"weather/north", b"weather/south"]);
            assert_eq!(publisher.sent(2), [b"weather/north"]);
            assert!(publisher.sent(3).is_empty());
            assert_eq!(publisher.sent(4).len(), 4);
            publisher.arrive(1, "\x02weather/");
            publisher.close(2);
            assert_eq!(publisher.send("weather/north"), Ok(()));
            assert!(publisher.sent(1).is_empty());
            assert_eq!(publisher.machine.subscriptions(), 1);
        });
    }
}

#[test]
fn malformed_changes_are_dropped_and_counted() {
    simulate_filtering(&protocol::PUB, false, |mut publisher| {
        publisher.attach(1);
        for change in ["", "\0a", "\x03a", "a", "\x7f", "\x01a", "\x02b", "\x02", "\x01a"] {
            publisher.arrive(1, change);
        }
        assert_eq!(publisher.send("ab"), Ok(()));
        assert_eq!((publisher.sent(1).len(), publisher.machine.invalid_messages()), (1, 5));
        publisher.arrive(1, "\x02a");
        assert_eq!(publisher.send("ab"), Ok(()));
        assert!(publisher.sent(1).is_empty());
        assert_eq!(publisher.recv(), Err(Refusal::NotSupported));
    });
}

#[test]
fn a_full_filtering_subscriber_misses_messages() {
    simulate_filtering(&protocol::PUB, false, |mut publisher| {
        publisher.attach_with(1, 8, 1).unwrap();
        publisher.attach(2);
        publisher.arrive(1, "\x01");
        publisher.arrive(2, "\x01");
        for text in ["a", "b"] {
            assert_eq!(publisher.send(text), Ok(()));
        }
        assert_eq!((publisher.sent(1).len(), publisher.sent(2).len()), (1, 2));
        assert_eq!(publisher.world.drops, 1);
        assert_eq!(publisher.send("c"), Ok(()));
        assert_eq!(publisher.sent(1), [b"c"]);
    });
}

#[test]
fn a_sole_filtering_subscriber_gets_the_body_without_a_copy() {
    simulate_filtering(&protocol::PUB, false, |mut publisher| {
        publisher.attach(1);
        publisher.attach(2);
        publisher.arrive(1, "\x01la");
        let address = publisher.send_chunk(&[], "large");
        assert_eq!(publisher.memory(1), Some(Memory { address, unique: true }));
    });
}

#[test]
fn what_a_closed_filtering_pipe_has_left_is_read() {
    simulate_filtering(&protocol::PUB, false, |mut publisher| {
        publisher.attach(1);
        publisher.arrive_and_close(1, "\x01a");
        assert_eq!((publisher.unread(1), publisher.machine.subscriptions()), (0, 0));
    });
}

#[test]
fn a_subscriber_sends_its_topics_to_publishers_that_filter() {
    for raw in [false, true] {
        simulate_filtering(&protocol::SUB, raw, |mut subscriber| {
            subscriber.set_option(SUBSCRIBE, Setting::Bytes(b"a")).unwrap();
            subscriber.set_option(SUBSCRIBE, Setting::Bytes(b"a")).unwrap();
            subscriber.attach(1);
            subscriber.is_filtering = false;
            subscriber.attach(2);
            subscriber.set_option(SUBSCRIBE, Setting::Bytes(b"b")).unwrap();
            // Still subscribed to once.
            subscriber.set_option(UNSUBSCRIBE, Setting::Bytes(b"a")).unwrap();
            subscriber.set_option(UNSUBSCRIBE, Setting::Bytes(b"a")).unwrap();
            subscriber.set_option(UNSUBSCRIBE, Setting::Bytes(b"c")).unwrap();
            assert_eq!(subscriber.sent(1), [b"\x01a", b"\x01b", b"\x02a"]);
            assert!(subscriber.sent(2).is_empty());
            subscriber.is_filtering = true;
            subscriber.attach(3);
            assert_eq!(subscriber.sent(3), [b"\x01b"]);
            // It drops what it does not want in any case.
            for text in ["a1", "b1"] {
                subscriber.arrive(1, text);
            }
            assert_eq!(subscriber.bodies(), ["b1"]);
        });
    }
}

#[test]
fn topics_wait_for_room_and_are_bounded() {
    simulate_filtering(&protocol::SUB, false, |mut subscriber| {
        subscriber.attach_with(1, 8, 1).unwrap();
        subscriber.attach_with(2, 8, 1).unwrap();
        for topic in [&b"a"[..], b"b", b"c"] {
            subscriber.set_option(SUBSCRIBE, Setting::Bytes(topic)).unwrap();
        }
        for topic in [b"\x01a", b"\x01b", b"\x01c"] {
            assert_eq!(subscriber.sent(1), [topic]);
        }
        // The other one reads nothing: it is asked for everything in the end.
        let long = vec![b'x'; super::MAX_TOPIC_BYTES / 4];
        for _ in 0..3 {
            subscriber.set_option(SUBSCRIBE, Setting::Bytes(&long)).unwrap();
            subscriber.set_option(UNSUBSCRIBE, Setting::Bytes(&long)).unwrap();
        }
        assert_eq!(subscriber.sent(2), [b"\x01a"]);
        assert_eq!(subscriber.sent(2), [b"\x01"]);
        subscriber.set_option(SUBSCRIBE, Setting::Bytes(b"d")).unwrap();
        assert!(subscriber.sent(2).is_empty());
    });
}

#[test]
fn the_option_is_off_at_first_and_is_0_or_1() {
    for info in [&protocol::PUB, &protocol::SUB] {
        simulate(info, false, |mut socket| {
            assert_eq!((socket.machine.option(FILTER), socket.machine.filters()), (Ok(0), false));
            assert!(!socket.machine.is_busy());
            for wrong in [Setting::Int(2), Setting::Int(-1), Setting::Bytes(b"1")] {
                assert_eq!(socket.set_option(FILTER, wrong), Err(Error::InvalidArgument));
            }
            assert_eq!(socket.set_option(FILTER, Setting::Int(1)), Ok(()));
            assert_eq!((socket.machine.option(FILTER), socket.machine.filters()), (Ok(1), true));
            assert!(socket.machine.is_busy());
        });
    }
}
