//! Tests of the contract in the module `protocol`, for every machine, with random events.
//!
//! No machine may panic, name a removed pipe, or block a call that no later edge will wake, and what it counts for each
//! pipe must add up. The behaviour of each protocol is tested beside its machine.

use proptest::collection::vec;
use proptest::prelude::*;

use super::simulation::{SEED, Simulation, wire};
use super::{Contexts, PROTOCOLS, Place, Protocol, SUB, SUBSCRIBE, UNSUBSCRIBE};
use crate::option::Setting;

#[derive(Clone, Debug)]
enum Event {
    Attach {
        pipe: u32,
        priority: u8,
        room: usize,
        is_filtering: bool,
    },
    Arrive(u32, Vec<u8>),
    ArriveAndClose(u32, Vec<u8>),
    Close(u32),
    Detach(u32),
    PeerReads(u32),
    Subscribe(bool, String),
    Send(Vec<u8>),
    Receive,
    AskForPriority,
    Elapse(u64),
    /// The next calls are those of this place, if there are so many.
    Select(Place),
}

/// Words of a backtrace: numbers of requests, ids of pipes, and others.
fn words() -> impl Strategy<Value = Vec<u32>> {
    let number = (0..5_u32).prop_map(|ahead| 0x8000_0000 | (SEED + ahead));
    vec(prop_oneof![number, 0..6_u32], 0..4)
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (words(), "[ab]{0,3}").prop_map(|(words, text)| wire(&words, &text)),
        1 => "[\x01\x02][ab]{0,2}".prop_map(|change| change.into_bytes()),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let pipe = || 1..5_u32;
    let header = prop_oneof![
        4 => Just(Vec::new()),
        1 => words().prop_map(|words| wire(&words, "")),
        1 => pipe().prop_map(|pipe| wire(&[SEED, pipe], "")),
        1 => (0..10_u32).prop_map(|hops| wire(&[hops], "")),
    ];
    prop_oneof![
        3 => (pipe(), 1..4_u8, 0..3_usize, any::<bool>()).prop_map(|(pipe, priority, room, is_filtering)| {
            Event::Attach { pipe, priority, room, is_filtering }
        }),
        6 => (pipe(), message()).prop_map(|(pipe, message)| Event::Arrive(pipe, message)),
        1 => (pipe(), message()).prop_map(|(pipe, message)| Event::ArriveAndClose(pipe, message)),
        1 => pipe().prop_map(Event::Close),
        1 => pipe().prop_map(Event::Detach),
        3 => pipe().prop_map(Event::PeerReads),
        1 => (any::<bool>(), "[ab]{0,2}").prop_map(|(adds, topic)| Event::Subscribe(adds, topic)),
        6 => header.prop_map(Event::Send),
        6 => Just(Event::Receive),
        1 => Just(Event::AskForPriority),
        1 => (0..70_000_u64).prop_map(Event::Elapse),
        3 => (0..4_u32).prop_map(Event::Select),
    ]
}

fn happen(socket: &mut Simulation, places: Place, event: Event) {
    match event {
        Event::Attach { pipe, priority, room, is_filtering } if !socket.is_attached(pipe) => {
            socket.is_filtering = is_filtering;
            // An exclusive protocol may refuse the pipe.
            _ = socket.attach_with(pipe, priority, room);
        }
        Event::Arrive(pipe, message) if socket.is_open(pipe) => socket.arrive(pipe, message),
        Event::ArriveAndClose(pipe, message) if socket.is_open(pipe) => {
            socket.arrive_and_close(pipe, message);
        }
        Event::Close(pipe) if socket.is_open(pipe) => socket.close(pipe),
        Event::Detach(pipe) if socket.is_attached(pipe) => socket.detach(pipe),
        Event::PeerReads(pipe) if socket.is_open(pipe) => _ = socket.sent(pipe),
        Event::Subscribe(adds, topic) => {
            // Only SUB has these options.
            let name = if adds { SUBSCRIBE } else { UNSUBSCRIBE };
            _ = socket.set_option(name, Setting::Bytes(topic.as_bytes()));
        }
        Event::Send(header) => _ = socket.send_raw(&header, "a"),
        Event::Receive => _ = socket.recv(),
        Event::AskForPriority => _ = socket.send_priority(),
        Event::Elapse(milliseconds) => socket.elapse(milliseconds),
        Event::Select(place) if place < places => socket.machine.select(place),
        _ => {}
    }
}

proptest! {
    #[test]
    fn every_machine_keeps_the_contract(
        info in proptest::sample::select(&PROTOCOLS[..]),
        raw in any::<bool>(),
        lavish in any::<bool>(),
        contexts in 0..4_u32,
        events in vec(event(), 0..100),
    ) {
        let acts_between_calls = info.acts_between_calls && !raw;
        let may_be_busy = acts_between_calls || info.forwards || info.filtering.is_some();
        let mut socket = Simulation::new(info, raw, lavish);
        if *info == SUB {
            socket.set_option(SUBSCRIBE, Setting::Bytes(b"a")).unwrap();
        }
        let mut places = 1;
        if contexts > 0 && info.contexts != Contexts::None && !raw {
            socket.share(info);
            for place in 1..=contexts {
                prop_assert_eq!(socket.add((info.machine)(false, SEED)), place);
            }
            places += contexts;
        }
        for event in events {
            happen(&mut socket, places, event);
            prop_assert!(socket.machine.deadline().is_none() || acts_between_calls);
            prop_assert!(!socket.machine.is_busy() || may_be_busy);
            prop_assert_eq!(socket.misses(), socket.world.drops as u64);
            if info.forwards {
                socket.assert_all_are_forwarded();
            } else if acts_between_calls && socket.machine.is_busy() {
                // A request waits for its reply; without a deadline, it has not been sent yet.
                socket.assert_readable_edges_are_due();
                if socket.machine.deadline().is_none() {
                    socket.assert_writable_edges_are_due();
                }
            }
        }
    }
}
