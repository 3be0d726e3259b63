//! Tests of the machines with contexts, in a simulated context.

use super::{Changed, OWN};
use crate::option::Setting;
use crate::protocol::backtrace::LAST_WORD;
use crate::protocol::simulation::{FIRST_MAILBOX, Received, SEED, Simulation, simulate, wire};
use crate::protocol::{
    self, Place, Protocol, ProtocolInfo, RESEND_INTERVAL, Refusal, SUBSCRIBE, SURVEY_DEADLINE, UNSUBSCRIBE,
};

/// The numbers of the first questions on the wire.
const FIRST: u32 = LAST_WORD | (SEED + 1);
const SECOND: u32 = FIRST + 1;
const THIRD: u32 = FIRST + 2;

/// A socket with two pipes and one context.
fn with_context(info: &ProtocolInfo, test: impl Fn(Simulation, Place)) {
    simulate(info, false, |mut socket| {
        socket.attach(1);
        socket.attach(2);
        socket.share(info);
        let place = socket.add((info.machine)(false, SEED));
        test(socket, place);
    });
}

impl Simulation {
    /// The next calls are those of this place.
    fn at(&mut self, place: Place) -> &mut Simulation {
        self.machine.select(place);
        self
    }

    /// The places that may have something to receive.
    fn changed(&mut self) -> Vec<Place> {
        std::iter::from_fn(|| self.machine.next_changed()).map(|changed| changed.place).collect()
    }

    fn body_at(&mut self, place: Place) -> Result<String, Refusal> {
        self.at(place).body()
    }
}

#[test]
fn replies_on_one_pipe_reach_their_requests_in_any_order() {
    with_context(&protocol::REQ, |mut socket, context| {
        socket.close(2);
        assert_eq!((socket.at(OWN).send("a"), socket.at(context).send("b")), (Ok(()), Ok(())));
        assert_eq!(socket.sent(1), [wire(&[FIRST], "a"), wire(&[SECOND], "b")]);
        assert_eq!(socket.changed(), [OWN; 0]);
        socket.arrive(1, wire(&[SECOND], "to b"));
        assert_eq!(socket.changed(), [context]);
        assert_eq!(socket.body_at(OWN), Err(Refusal::WouldBlock));
        socket.arrive(1, wire(&[SECOND], "to b, again"));
        socket.arrive(1, wire(&[FIRST], "to a"));
        assert_eq!(socket.unread(1), 0);
        let received = Received { pipe: FIRST_MAILBOX + 1, header: vec![], body: "to b".into() };
        assert_eq!(socket.at(context).recv(), Ok(received));
        assert_eq!((socket.body_at(OWN), socket.changed()), (Ok("to a".into()), vec![OWN]));
        assert_eq!(
            [OWN, context].map(|place| socket.body_at(place)),
            [const { Err(Refusal::WrongState) }; 2]
        );
        assert!(!socket.machine.is_busy());
    });
}

#[test]
fn a_new_request_cancels_only_that_of_its_conversation() {
    with_context(&protocol::REQ, |mut socket, context| {
        assert_eq!((socket.at(OWN).send("a"), socket.at(context).send("b")), (Ok(()), Ok(())));
        socket.arrive(1, wire(&[SECOND], "to b, not received"));
        assert_eq!(socket.at(context).send("c"), Ok(()));
        socket.arrive(1, wire(&[SECOND], "to b"));
        assert_eq!(socket.body_at(context), Err(Refusal::WouldBlock));
        socket.arrive(2, wire(&[THIRD], "to c"));
        socket.arrive(2, wire(&[FIRST], "to a"));
        assert_eq!((socket.body_at(context), socket.body_at(OWN)), (Ok("to c".into()), Ok("to a".into())));
    });
}

#[test]
fn a_request_or_survey_that_is_given_up_gets_nothing() {
    for info in [&protocol::REQ, &protocol::SURVEYOR] {
        with_context(info, |mut socket, context| {
            assert_eq!((socket.at(OWN).send("a"), socket.at(context).send("b")), (Ok(()), Ok(())));
            socket.arrive(1, wire(&[SECOND], "to b, not received"));
            socket.at(context).give_up();
            socket.arrive(1, wire(&[SECOND], "to b"));
            assert_eq!((socket.unread(1), socket.body_at(context)), (0, Err(Refusal::WrongState)));
            socket.arrive(1, wire(&[FIRST], "to a"));
            assert_eq!(socket.body_at(OWN), Ok("to a".into()));
            socket.at(OWN).give_up();
            assert!(!socket.machine.is_busy() && socket.machine.deadline().is_none());
        });
    }
}

#[test]
fn a_delayed_request_that_is_given_up_is_not_sent() {
    simulate(&protocol::REQ, false, |mut socket| {
        socket.share(&protocol::REQ);
        let context = socket.add((protocol::REQ.machine)(false, SEED));
        assert_eq!((socket.at(context).send("a"), socket.at(OWN).send("b")), (Ok(()), Ok(())));
        socket.at(context).give_up();
        socket.attach(1);
        assert_eq!(socket.sent(1), [wire(&[SECOND], "b")]);
    });
}

#[test]
fn requests_are_sent_again_at_their_own_times() {
    with_context(&protocol::REQ, |mut socket, context| {
        socket.at(context).set_option(RESEND_INTERVAL, Setting::Int(50)).unwrap();
        assert_eq!(socket.at(context).machine.option(RESEND_INTERVAL), Ok(50));
        assert_eq!(socket.at(OWN).machine.option(RESEND_INTERVAL), Ok(60_000));
        assert_eq!((socket.at(OWN).send("a"), socket.at(context).send("b")), (Ok(()), Ok(())));
        assert_eq!((socket.sent(1).len(), socket.sent(2).len()), (1, 1));
        socket.elapse(50);
        assert_eq!(socket.sent(1), [wire(&[SECOND], "b")]);
        socket.arrive(1, wire(&[SECOND], "to b"));
        socket.elapse(59_949);
        assert!(socket.sent(1).is_empty() && socket.sent(2).is_empty());
        socket.elapse(1);
        assert_eq!(socket.sent(2), [wire(&[FIRST], "a")]);
        socket.arrive(1, wire(&[FIRST], "to a"));
        assert_eq!(socket.machine.deadline(), None);
    });
}

#[test]
fn requests_wait_for_room_in_the_order_of_sending() {
    simulate(&protocol::REQ, false, |mut socket| {
        socket.share(&protocol::REQ);
        let context = socket.add((protocol::REQ.machine)(false, SEED));
        assert_eq!((socket.at(context).send("a"), socket.at(OWN).send("b")), (Ok(()), Ok(())));
        // The place of the first request is kept by its conversation.
        assert_eq!(socket.at(context).send("c"), Ok(()));
        socket.attach_with(1, 8, 1).unwrap();
        assert_eq!(socket.sent(1), [wire(&[THIRD], "c")]);
        assert_eq!(socket.sent(1), [wire(&[SECOND], "b")]);
        assert!(socket.sent(1).is_empty());
    });
}

#[test]
fn the_requests_of_a_lost_pipe_are_sent_again() {
    with_context(&protocol::REQ, |mut socket, context| {
        assert_eq!((socket.at(OWN).send("a"), socket.at(context).send("b")), (Ok(()), Ok(())));
        socket.arrive_and_close(1, wire(&[FIRST], "the last word"));
        assert_eq!(socket.sent(2), [wire(&[SECOND], "b")]);
        socket.detach(2);
        socket.attach(3);
        assert_eq!(socket.sent(3), [wire(&[SECOND], "b")]);
        assert_eq!(socket.body_at(OWN), Ok("the last word".into()));
    });
}

#[test]
fn a_conversation_is_removed_with_its_request() {
    with_context(&protocol::REQ, |mut socket, context| {
        assert_eq!(socket.at(context).send("a"), Ok(()));
        socket.at(OWN).machine.remove(context);
        assert!(!socket.machine.is_busy() && socket.machine.deadline().is_none());
        socket.arrive(1, wire(&[FIRST], "to a"));
        assert_eq!((socket.unread(1), socket.changed()), (0, vec![]));
        assert_eq!(socket.add((protocol::REQ.machine)(false, SEED)), context);
        assert_eq!(socket.body_at(context), Err(Refusal::WrongState));
    });
}

/// In each of its states.
#[test]
fn a_request_of_a_plain_machine_goes_on() {
    simulate(&protocol::REQ, false, |mut socket| {
        assert_eq!(socket.send("delayed"), Ok(()));
        socket.share(&protocol::REQ);
        socket.attach(1);
        assert_eq!(socket.sent(1), [wire(&[FIRST], "delayed")]);
    });
    for is_answered in [false, true] {
        simulate(&protocol::REQ, false, |mut socket| {
            socket.attach(1);
            assert_eq!(socket.send("a"), Ok(()));
            let reply = wire(&[FIRST], "to a");
            if is_answered {
                socket.arrive(1, &reply);
                socket.share(&protocol::REQ);
            } else {
                socket.share(&protocol::REQ);
                socket.elapse(60_000);
                assert_eq!(socket.sent(1).len(), 2);
                socket.arrive(1, &reply);
            }
            assert_eq!(socket.body(), Ok("to a".into()));
        });
    }
}

#[test]
fn a_context_brings_its_request_along() {
    let mut other = Simulation::new(&protocol::REQ, false, false);
    assert_eq!(other.send("early"), Ok(()));
    let mut socket = Simulation::new(&protocol::REQ, false, false);
    socket.attach(1);
    socket.share(&protocol::REQ);
    let context = socket.add(other.machine);
    socket.at(context).elapse(1);
    assert!(!socket.machine.can_recv(&mut socket.world));
    assert_eq!(socket.sent(1), [wire(&[FIRST], "early")]);
}

#[test]
fn each_request_has_its_own_reply_route() {
    for info in [&protocol::REP, &protocol::RESPONDENT] {
        with_context(info, |mut socket, context| {
            socket.arrive(1, wire(&[7, FIRST], "a"));
            socket.arrive(2, wire(&[SECOND], "b"));
            assert_eq!((socket.body_at(context), socket.body_at(OWN)), (Ok("a".into()), Ok("b".into())));
            assert_eq!((socket.at(OWN).send("to b"), socket.at(context).send("to a")), (Ok(()), Ok(())));
            assert_eq!(socket.sent(1), [wire(&[7, FIRST], "to a")]);
            assert_eq!(socket.sent(2), [wire(&[SECOND], "to b")]);
            assert_eq!(socket.at(context).send("again"), Err(Refusal::WrongState));

            socket.arrive(1, wire(&[THIRD], "c"));
            assert_eq!(socket.body_at(context), Ok("c".into()));
            assert_eq!(socket.body_at(OWN), Err(Refusal::WouldBlock));
            socket.detach(1);
            socket.attach(1);
            assert_eq!(socket.at(context).send("to none"), Ok(()));
            assert!(socket.sent(1).is_empty());
        });
    }
}

#[test]
fn a_replier_that_becomes_shared_can_still_reply() {
    simulate(&protocol::REP, false, |mut socket| {
        socket.attach(1);
        socket.arrive(1, wire(&[FIRST], "a"));
        assert_eq!(socket.body(), Ok("a".into()));
        socket.share(&protocol::REP);
        assert_eq!(socket.send("to a"), Ok(()));
        assert_eq!(socket.sent(1).len(), 1);
    });
}

#[test]
fn surveys_have_their_own_responses_and_deadlines() {
    with_context(&protocol::SURVEYOR, |mut socket, context| {
        socket.at(context).set_option(SURVEY_DEADLINE, Setting::Int(50)).unwrap();
        assert_eq!((socket.at(OWN).send("a"), socket.at(context).send("b")), (Ok(()), Ok(())));
        assert_eq!(socket.sent(1), [wire(&[FIRST], "a"), wire(&[SECOND], "b")]);
        assert_eq!(socket.sent(2).len(), 2);
        socket.arrive(1, wire(&[SECOND], "one to b"));
        socket.arrive(2, wire(&[SECOND], "two to b"));
        socket.arrive(2, wire(&[FIRST], "two to a"));
        assert_eq!(socket.body_at(OWN), Ok("two to a".into()));
        assert_eq!(socket.changed(), [OWN, context]);
        assert_eq!(socket.body_at(context), Ok("one to b".into()));
        socket.elapse(50);
        // What was not received in time is dropped.
        let ended = Changed { place: context, has_ended: true };
        assert_eq!((socket.machine.next_changed(), socket.machine.next_changed()), (Some(ended), None));
        assert_eq!(socket.body_at(context), Err(Refusal::TimedOut));
        assert_eq!(socket.body_at(context), Err(Refusal::WrongState));
        socket.arrive(1, wire(&[SECOND], "late"));
        assert_eq!((socket.unread(1), socket.body_at(OWN)), (0, Err(Refusal::WouldBlock)));
        // Before the timer.
        socket.drift(950);
        assert_eq!((socket.body_at(OWN), socket.machine.deadline()), (Err(Refusal::TimedOut), None));
        assert_eq!(socket.machine.next_changed(), Some(Changed { place: OWN, has_ended: true }));
    });
}

#[test]
fn a_survey_of_a_plain_machine_goes_on() {
    simulate(&protocol::SURVEYOR, false, |mut socket| {
        socket.attach(1);
        assert_eq!(socket.send("a"), Ok(()));
        socket.share(&protocol::SURVEYOR);
        socket.arrive(1, wire(&[FIRST], "to a"));
        assert_eq!(socket.body(), Ok("to a".into()));
        socket.elapse(1000);
        assert_eq!(socket.recv(), Err(Refusal::TimedOut));
    });
}

#[test]
fn a_message_goes_to_all_that_want_it_and_have_room() {
    with_context(&protocol::SUB, |mut socket, context| {
        socket.at(OWN).set_option(SUBSCRIBE, Setting::Bytes(b"a")).unwrap();
        socket.at(context).set_option(SUBSCRIBE, Setting::Bytes(b"")).unwrap();
        socket.arrive(1, "b1");
        socket.arrive(2, "a1");
        assert_eq!(socket.at(OWN).bodies(), ["a1"]);
        let mut bodies = socket.at(context).bodies();
        bodies.sort();
        assert_eq!((bodies, socket.changed()), (vec!["a1".into(), "b1".into()], vec![OWN, context]));
        // A mailbox has room for eight.
        for number in 0..12 {
            socket.arrive(1, format!("a{number}"));
            assert_eq!(socket.body_at(OWN), Ok(format!("a{number}")));
        }
        assert_eq!(socket.at(context).bodies().len(), 8);
        assert_eq!(socket.changed(), [OWN, context]);
        socket.at(OWN).machine.remove(context);
        socket.arrive(1, "b2");
        assert_eq!((socket.unread(1), socket.changed()), (0, vec![]));
    });
}

#[test]
fn publishers_that_filter_get_the_topics_of_all_contexts() {
    simulate(&protocol::SUB, false, |mut socket| {
        let set = |socket: &mut Simulation, name, topic: &str| {
            socket.set_option(name, Setting::Bytes(topic.as_bytes())).unwrap();
        };
        socket.is_filtering = true;
        socket.attach(1);
        set(&mut socket, SUBSCRIBE, "a");
        socket.share(&protocol::SUB);
        let mut other = Simulation::new(&protocol::SUB, false, false);
        ["a", "b"].into_iter().for_each(|topic| set(&mut other, SUBSCRIBE, topic));
        let context = socket.add(other.machine);
        assert_eq!(socket.body_at(OWN), Err(Refusal::WouldBlock));
        assert_eq!(socket.sent(1), [b"\x01a", b"\x01b"]);
        set(socket.at(context), SUBSCRIBE, "c");
        set(socket.at(OWN), SUBSCRIBE, "c");
        set(socket.at(context), UNSUBSCRIBE, "c");
        assert_eq!(socket.sent(1), [b"\x01c"]);
        socket.attach(2);
        let mut topics = socket.sent(2);
        topics.sort();
        topics.dedup();
        assert_eq!(topics, [b"\x01a", b"\x01b", b"\x01c"]);
        socket.machine.remove(context);
        assert_eq!(socket.body_at(OWN), Err(Refusal::WouldBlock));
        assert_eq!((socket.sent(1), socket.sent(2)), (vec![b"\x02b".to_vec()], vec![b"\x02b".to_vec()]));
    });
}
