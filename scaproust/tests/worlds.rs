//! Worlds of simulated sockets: what a seed decides, what the links do, and which faults of a protocol they show.

#![cfg(all(feature = "testing", not(any(loom, simulated))))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use scaproust::custom::testing::{Event, SocketId, World, check_contract, explore, replay};
use scaproust::custom::{Body, Chosen, PipeId, Pipes, Priorities, Protocol, Refusal, StateMachine};

/// Has one peer.
static ONE: Protocol = Protocol::new::<One>(0xf500, "one", &ONE);
static ASKER: Protocol = Protocol::new::<One>(0xf501, "one-asker", &ANSWERER);
static ANSWERER: Protocol = Protocol::new::<Answerer<false>>(0xf502, "answerer", &ASKER);
/// An answerer with a fault: a request that arrives, before it is received, takes the answer to the one before.
static CONFUSED: Protocol = Protocol::new::<Answerer<true>>(0xf502, "answerer", &ASKER);
static SOURCE: Protocol = Protocol::new::<One>(0xf503, "source", &SINK).only_sends();
static SINK: Protocol = Protocol::new::<One>(0xf504, "sink", &SOURCE).only_receives();
/// Has a deadline that stays the same.
static RESTLESS: Protocol = Protocol::new::<Idler<RESTS_NOT>>(0xf505, "restless", &RESTLESS);
static PATIENT: Protocol = Protocol::new::<Idler<WAITS>>(0xf506, "patient", &PATIENT);
static CARELESS: Protocol = Protocol::new::<Idler<PANICS>>(0xf507, "careless", &CARELESS);
static UNTIDY: Protocol = Protocol::new::<Idler<PANICS_AT_END>>(0xf508, "untidy", &UNTIDY);

/// What an idler does.
const RESTS_NOT: u8 = 0;
const WAITS: u8 = 1;
const PANICS: u8 = 2;
const PANICS_AT_END: u8 = 3;

#[derive(Default)]
struct One {
    peer: Option<PipeId>,
    /// What has come from a peer that has gone is still received.
    past: Vec<PipeId>,
}

impl One {
    fn pipes(&self) -> impl Iterator<Item = PipeId> {
        self.past.iter().copied().chain(self.peer)
    }
}

impl StateMachine for One {
    fn attach(&mut self, pipe: PipeId, _priorities: Priorities) -> bool {
        let is_first = self.peer.is_none();
        self.peer = self.peer.or(Some(pipe));
        is_first
    }

    fn closing(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.past.extend(self.peer.take_if(|peer| *peer == pipe));
    }

    fn detach(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.peer.take_if(|peer| *peer == pipe);
        self.past.retain(|other| *other != pipe);
    }

    fn readable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn writable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
        let is_sent = self.peer.is_some_and(|peer| pipes.push(peer, &[], body));
        if is_sent { Ok(()) } else { Err(Refusal::WouldBlock) }
    }

    fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
        let pipe = self.pipes().find(|pipe| pipes.front(*pipe).is_some()).ok_or(Refusal::WouldBlock)?;
        Ok(Chosen { pipe, skip: 0 })
    }

    fn can_send(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.peer.is_some_and(|peer| pipes.has_room(peer))
    }

    fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.pipes().any(|pipe| pipes.front(pipe).is_some())
    }
}

#[derive(Default)]
struct Answerer<const IS_CONFUSED: bool> {
    pipes: Vec<PipeId>,
    client: Option<PipeId>,
}

impl<const IS_CONFUSED: bool> StateMachine for Answerer<IS_CONFUSED> {
    fn attach(&mut self, pipe: PipeId, _priorities: Priorities) -> bool {
        self.pipes.push(pipe);
        true
    }

    fn detach(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.pipes.retain(|other| *other != pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        if IS_CONFUSED && self.client.is_some() {
            self.client = Some(pipe);
        }
    }

    fn writable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
        let client = self.client.take().ok_or(Refusal::WrongState)?;
        pipes.push(client, &[], body);
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
        let has_message = |pipe: &PipeId| pipes.front(*pipe).is_some();
        let pipe = self.pipes.iter().copied().find(has_message).ok_or(Refusal::WouldBlock)?;
        self.client = Some(pipe);
        Ok(Chosen { pipe, skip: 0 })
    }

    fn can_send(&mut self, _pipes: &mut Pipes<'_>) -> bool {
        self.client.is_some()
    }

    fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.pipes.iter().any(|pipe| pipes.front(*pipe).is_some())
    }
}

/// Sends and receives nothing.
#[derive(Default)]
struct Idler<const MANNER: u8>;

impl<const MANNER: u8> Drop for Idler<MANNER> {
    fn drop(&mut self) {
        assert_ne!(MANNER, PANICS_AT_END, "something is left");
    }
}

impl<const MANNER: u8> StateMachine for Idler<MANNER> {
    fn attach(&mut self, _pipe: PipeId, _priorities: Priorities) -> bool {
        true
    }

    fn detach(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn readable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn writable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn send(&mut self, _body: &mut Body<'_, '_>, _pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn recv(&mut self, _pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
        Err(Refusal::WrongState)
    }

    fn can_send(&mut self, _pipes: &mut Pipes<'_>) -> bool {
        true
    }

    fn can_recv(&mut self, _pipes: &mut Pipes<'_>) -> bool {
        false
    }

    fn deadline(&self) -> Option<Duration> {
        match MANNER {
            RESTS_NOT => Some(Duration::ZERO),
            WAITS => Some(Duration::MAX),
            PANICS => panic!("no deadline"),
            _ => None,
        }
    }
}

/// The message of the panic with which a call ends.
fn failure(call: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("the call fails");
    *panic.downcast::<String>().expect("a message")
}

/// Two clients ask, one server answers, and nobody gets the answer to another one's request.
fn each_gets_its_own_answer(world: &mut World, answerer: &'static Protocol) {
    let server = world.open(answerer);
    let clients = [world.open(&ASKER), world.open(&ASKER)];
    clients.iter().for_each(|client| _ = world.connect(*client, server));
    // The request that the server works at.
    let mut request = None;
    world.run(200, |world, _event| {
        match request.take() {
            None => request = world.recv(server).ok(),
            Some((_, body)) if world.chance(3) => world.send(server, body).unwrap(),
            later => request = later,
        }
        for client in clients {
            if let Ok((_, answer)) = world.recv(client) {
                assert_eq!(answer, format!("{client:?}").as_bytes());
            }
            if world.chance(4) {
                _ = world.send(client, format!("{client:?}"));
            }
        }
    });
}

#[test]
fn worlds_find_what_the_contract_does_not_forbid() {
    check_contract(&CONFUSED, 0..200);
    explore(0..200, |world| each_gets_its_own_answer(world, &ANSWERER));
    let found = failure(|| explore(0..200, |world| each_gets_its_own_answer(world, &CONFUSED)));
    assert!(found.contains("left == right"), "{found}");

    let seed = found.split_once("replay(").and_then(|(_, rest)| rest.split_once(',')).unwrap().0;
    let again = failure(|| replay(seed.parse().unwrap(), |world| each_gets_its_own_answer(world, &CONFUSED)));
    // The same failure after the same events, of which the last ones were shown at first.
    let (head, last) = found.split_once("The last events:\n").unwrap();
    assert!(again.starts_with(head) && again.ends_with(last), "{found}\n{again}");
    assert!(last.lines().count() == 20 && again.lines().count() > 30, "{found}\n{again}");
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    let events = |seed: u64| {
        let mut world = World::new(seed);
        let sockets = [world.open(&ONE), world.open(&ONE)];
        world.connect(sockets[0], sockets[1]);
        world.set_cuts(10);
        let mut events = Vec::new();
        world.run(200, |world, event| {
            events.push(event);
            let socket = sockets[world.below(2) as usize];
            _ = world.send(socket, "a").and_then(|()| world.recv(socket).map(drop));
        });
        (events, world.elapsed())
    };
    assert_eq!(events(1), events(1));
    assert_ne!(events(1), events(2));
    let has = |kind: fn(&Event) -> bool| events(1).0.iter().any(kind);
    assert!(has(|event| matches!(event, Event::Cut(_))) && has(|event| matches!(event, Event::Closing(..))));
}

/// Sends numbers from one socket to the other. Returns how many, and those that arrive, in the order of sending.
fn numbers(world: &mut World, between: impl Fn(&mut World, SocketId)) -> (usize, Vec<usize>) {
    let (source, sink) = (world.open(&SOURCE), world.open(&SINK));
    world.connect(source, sink);
    let (mut sent, mut received) = (0, Vec::new());
    let mut receive = |world: &mut World| {
        if let Ok((_, body)) = world.recv(sink) {
            received.push(String::from_utf8(body).unwrap().parse().unwrap());
        }
    };
    world.run(300, |world, _event| {
        if world.chance(2) && world.send(source, sent.to_string()).is_ok() {
            sent += 1;
        }
        if world.chance(3) {
            receive(world);
        }
        between(world, source);
    });
    world.settle(|world, _event| receive(world));
    assert!(sent > 0 && received.is_sorted_by(|one, next| one < next), "{received:?}");
    (sent, received)
}

#[test]
fn only_cuts_lose_messages() {
    let mut lossy = 0;
    explore(0..100, |world| {
        let (sent, received) = numbers(world, |_, _| {});
        assert_eq!(received, (0..sent).collect::<Vec<_>>());
    });
    explore(0..100, |world| {
        world.set_cuts(20);
        let (sent, received) = numbers(world, |_, _| {});
        lossy += usize::from(received.len() < sent);
    });
    assert!(lossy > 50, "{lossy}");
}

#[test]
fn what_was_sent_before_a_restart_arrives() {
    explore(0..100, |world| {
        let (sent, received) = numbers(world, |world, source| {
            if world.chance(40) {
                world.restart(source);
            }
        });
        assert_eq!(received, (0..sent).collect::<Vec<_>>());
    });
}

#[test]
fn a_link_that_was_refused_is_joined_when_there_is_a_place() {
    explore(0..50, |world| {
        let center = world.open(&ONE);
        let links = [(); 2].map(|()| {
            let other = world.open(&ONE);
            (other, world.connect(center, other))
        });
        world.settle(|_, _| {});
        let can_send = |world: &mut World, socket| world.send(socket, "x").is_ok();
        let first = usize::from(!can_send(world, links[0].0));
        assert!(world.cut(links[first].1));
        assert!(!world.cut(links[1 - first].1), "the other one was refused");
        // Either is joined now.
        world.settle(|_, _| {});
        assert!(can_send(world, center));
    });
}

#[test]
fn a_world_that_does_not_come_to_rest_fails() {
    let found = failure(|| {
        explore(3..4, |world| {
            world.open(&RESTLESS);
            world.settle(|_, _| {});
        });
    });
    assert!(
        found.starts_with("the world does not come to rest\n") && found.contains("replay(3, …)"),
        "{found}"
    );
}

#[test]
fn a_deadline_that_never_comes_is_none() {
    explore(0..10, |world| {
        world.open(&PATIENT);
        world.run(100, |_, _| {});
        world.settle(|_, _| {});
        assert!(world.elapsed() < Duration::from_secs(3600));
    });
}

#[test]
fn panics_outside_of_calls_name_their_seed() {
    let lonely = |protocol: &'static Protocol| {
        failure(|| {
            explore(5..6, |world| {
                world.open(protocol);
                world.run(100, |_, _| {});
            });
        })
    };
    let [asked, at_end] = [lonely(&CARELESS), lonely(&UNTIDY)];
    assert!(asked.starts_with("the machine has panicked") && asked.contains("replay(5, …)"), "{asked}");
    assert!(at_end.contains("something is left\n") && at_end.contains("replay(5, …)"), "{at_end}");
}

#[test]
fn what_a_protocol_does_not_do_is_refused() {
    let mut world = World::new(0);
    let (source, sink, one) = (world.open(&SOURCE), world.open(&SINK), world.open(&ONE));
    assert_eq!(world.recv(source), Err(Refusal::NotSupported));
    assert_eq!(world.send(sink, "x"), Err(Refusal::NotSupported));
    assert!(catch_unwind(AssertUnwindSafe(|| world.connect(source, one))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| world.connect(one, one))).is_err());
}
