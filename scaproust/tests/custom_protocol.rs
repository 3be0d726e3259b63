//! Protocols of the program: what its machine may do, and what becomes of one that is wrong.

#![cfg(not(any(loom, simulated)))]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use scaproust::custom::{Body, Chosen, PipeId, Pipes, Priorities, Protocol, Refusal, StateMachine};
use scaproust::{Error, Pair};

/// Sends a copy of each message to all its peers, with a header of two bytes, and receives from all. A message tells its peer's
/// machine what to do.
#[derive(Default)]
struct Copier {
    all: Vec<PipeId>,
    active: VecDeque<PipeId>,
    /// When a message that says `later` may be received.
    deadline: Option<Duration>,
}

impl Copier {
    fn next(&mut self, pipes: &mut Pipes<'_>) -> Option<PipeId> {
        while let Some(pipe) = self.active.front().copied() {
            match pipes.front(pipe) {
                Some(front) if front.bytes(2..).eq(*b"drop me") => _ = pipes.drop_front(pipe),
                Some(front) if front.bytes(2..).eq(*b"panic") => panic!("asked for by the test"),
                Some(front) if front.bytes(2..).eq(*b"later") => {
                    let now = pipes.now();
                    let deadline = *self.deadline.get_or_insert(now + Duration::from_millis(5));
                    return (deadline <= now).then_some(pipe);
                }
                Some(_) => return Some(pipe),
                None => _ = self.active.pop_front(),
            }
        }
        None
    }
}

impl StateMachine for Copier {
    fn attach(&mut self, pipe: PipeId, _priorities: Priorities) -> bool {
        self.all.push(pipe);
        true
    }

    fn closing(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.all.retain(|other| *other != pipe);
    }

    fn detach(&mut self, pipe: PipeId, pipes: &mut Pipes<'_>) {
        self.closing(pipe, pipes);
        self.active.retain(|other| *other != pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        if !self.active.contains(&pipe) {
            self.active.push_back(pipe);
        }
    }

    fn writable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
        if !self.can_send(pipes) {
            return Err(Refusal::WouldBlock);
        }
        self.all.iter().for_each(|pipe| _ = pipes.push_copy(*pipe, b"->", body));
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
        let pipe = self.next(pipes).ok_or(Refusal::WouldBlock)?;
        self.deadline = None;
        self.active.rotate_left(1);
        Ok(Chosen { pipe, skip: 2 })
    }

    fn can_send(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.all.iter().any(|pipe| pipes.has_room(*pipe))
    }

    fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.next(pipes).is_some()
    }

    fn deadline(&self) -> Option<Duration> {
        self.deadline
    }
}

static COPIER: Protocol = Protocol::new::<Copier>(0xf200, "copier", &COPIER);

/// A new address of each transport that needs no file.
fn addresses() -> [String; 3] {
    ["inproc://custom-protocol", "tcp://127.0.0.1:0", "ws://127.0.0.1:0"].map(String::from)
}

#[test]
fn messages_have_their_header_over_each_transport() {
    for address in addresses() {
        let [center, left, right] = [(); 3].map(|()| COPIER.open().unwrap());
        let at = center.bind(address).unwrap().address().unwrap();
        let later = std::time::Instant::now() + Duration::from_secs(60);
        for socket in [&left, &right] {
            socket.connect(&at).unwrap().wait_connected(later).unwrap();
            // Has the center's pipe writable before it sends.
            socket.send("hello").unwrap();
            assert_eq!(center.recv().unwrap(), "hello");
        }
        for message in ["drop me", "drop me", "to all", "later"] {
            center.send(message).unwrap();
        }
        for socket in [&left, &right] {
            assert_eq!(socket.recv().unwrap(), "to all");
            assert_eq!(socket.recv().unwrap(), "later");
        }
        let large = vec![7; 100_000];
        left.send(&large[..]).unwrap();
        assert!(center.recv().unwrap() == large);
    }
}

#[test]
fn a_peer_of_another_protocol_is_none() {
    static OTHER: Protocol = Protocol::new::<Copier>(0xf201, "other", &OTHER);

    let (one, other, pair) = (COPIER.open().unwrap(), OTHER.open().unwrap(), Pair::new().unwrap());
    one.bind("inproc://custom-protocol/other").unwrap();
    other.connect("inproc://custom-protocol/other").unwrap();
    pair.connect("inproc://custom-protocol/other").unwrap();
    assert_eq!(other.try_send("hello"), Err(Error::WouldBlock));
    assert_eq!(pair.try_send("hello"), Err(Error::WouldBlock));
}

#[test]
fn a_number_or_a_name_of_the_library_is_refused() {
    static NUMBER: Protocol = Protocol::new::<Copier>(48, "my-req", &NUMBER);
    static NAME: Protocol = Protocol::new::<Copier>(0xf202, "pub", &NAME);
    static FILTERING: Protocol = Protocol::new::<Copier>(0xf020, "mine", &FILTERING);
    static NO_NAME: Protocol = Protocol::new::<Copier>(0xf203, "", &NO_NAME);
    static LINES: Protocol = Protocol::new::<Copier>(0xf204, "a\r\nb", &LINES);

    for protocol in [&NUMBER, &NAME, &FILTERING, &NO_NAME, &LINES] {
        assert_eq!(protocol.open().err(), Some(Error::InvalidArgument), "{protocol:?}");
    }
}

#[test]
fn a_direction_that_the_protocol_does_not_have_is_an_error() {
    static SOURCE: Protocol = Protocol::new::<Copier>(0xf205, "source", &SINK).only_sends();
    static SINK: Protocol = Protocol::new::<Copier>(0xf206, "sink", &SOURCE).only_receives();

    let (source, sink) = (SOURCE.open().unwrap(), SINK.open().unwrap());
    source.bind("inproc://custom-protocol/direction").unwrap();
    sink.connect("inproc://custom-protocol/direction").unwrap();
    source.send("hello").unwrap();
    assert_eq!(sink.recv().unwrap(), "hello");
    assert_eq!(sink.try_send("hello"), Err(Error::NotSupported));
    assert_eq!(source.try_recv().err(), Some(Error::NotSupported));
}

#[test]
fn a_panic_ends_the_machine_and_nothing_else() {
    let (one, other) = (COPIER.open().unwrap(), COPIER.open().unwrap());
    one.bind("inproc://custom-protocol/panic").unwrap();
    other.connect("inproc://custom-protocol/panic").unwrap();
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| other.recv().map(drop));
        one.send("panic").unwrap();
        assert_eq!(receiving.join().unwrap(), Err(Error::InvalidArgument));
    });
    assert_eq!(other.send("hello"), Err(Error::InvalidArgument));
    other.close().unwrap();
    let again = COPIER.open().unwrap();
    again.connect("inproc://custom-protocol/panic").unwrap();
    one.send("hello").unwrap();
    assert_eq!(again.recv().unwrap(), "hello");
}

/// What a [`Wrong`] machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It waits without asking its pipes.
    WaitsBlindly,
    /// It says that it can send, and does not.
    SaysYes,
    /// It names a pipe that is not there.
    OtherPipe,
    /// It chooses a message that is shorter than its header.
    LongHeader,
    /// It says that it has failed, although a pipe has the message.
    SentAndFailed,
}

/// The fault of the next machine.
static FAULT: Mutex<Fault> = Mutex::new(Fault::WaitsBlindly);
static WRONG: Protocol = Protocol::new::<Wrong>(0xf207, "wrong", &WRONG);

struct Wrong {
    fault: Fault,
    pipes: Vec<PipeId>,
}

impl Default for Wrong {
    fn default() -> Wrong {
        Wrong { fault: *FAULT.lock().unwrap(), pipes: Vec::new() }
    }
}

impl StateMachine for Wrong {
    fn attach(&mut self, pipe: PipeId, _priorities: Priorities) -> bool {
        self.pipes.push(pipe);
        true
    }

    fn detach(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.pipes.retain(|other| *other != pipe);
    }

    fn readable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn writable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
        match self.fault {
            Fault::WaitsBlindly | Fault::SaysYes => {}
            _ => self.pipes.iter().for_each(|pipe| _ = pipes.push(*pipe, &[], body)),
        }
        Err(Refusal::WouldBlock)
    }

    fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
        let pipe = self.pipes.iter().copied().find(|pipe| pipes.front(*pipe).is_some());
        let pipe = pipe.ok_or(Refusal::WouldBlock)?;
        match self.fault {
            Fault::OtherPipe => Ok(Chosen { pipe: PipeId(pipe.0 ^ 1), skip: 0 }),
            Fault::LongHeader => Ok(Chosen { pipe, skip: 1000 }),
            _ => Ok(Chosen { pipe, skip: 0 }),
        }
    }

    fn can_send(&mut self, _pipes: &mut Pipes<'_>) -> bool {
        self.fault == Fault::SaysYes
    }

    fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.pipes.iter().any(|pipe| pipes.front(*pipe).is_some())
    }
}

/// One test, since the fault of new machines is one of the process.
#[test]
fn a_wrong_machine_harms_its_own_socket_only() {
    for fault in [Fault::OtherPipe, Fault::LongHeader, Fault::SentAndFailed] {
        *FAULT.lock().unwrap() = fault;
        let (one, other) = (WRONG.open().unwrap(), WRONG.open().unwrap());
        one.bind("inproc://custom-protocol/wrong").unwrap();
        other.connect("inproc://custom-protocol/wrong").unwrap();
        assert_eq!(one.send("hello"), Ok(()), "{fault:?}");
        let received = other.recv().map(|message| message.to_vec());
        match fault {
            Fault::SentAndFailed => assert_eq!(received, Ok(b"hello".to_vec())),
            _ => assert_eq!(received, Err(Error::InvalidArgument), "{fault:?}"),
        }
    }
    #[cfg(feature = "testing")]
    for fault in [Fault::WaitsBlindly, Fault::SaysYes, Fault::OtherPipe] {
        *FAULT.lock().unwrap() = fault;
        let checked = std::panic::catch_unwind(|| scaproust::custom::testing::check_contract(&WRONG, 0..100));
        assert!(checked.is_err(), "{fault:?}");
    }
}

#[cfg(feature = "testing")]
#[test]
fn a_bench_shows_what_a_machine_does() {
    use scaproust::custom::testing::{Bench, Manner, check_contract};

    check_contract(&COPIER, 0..100);
    for manner in [Manner::Strict, Manner::Lavish] {
        let mut bench = Bench::new(&COPIER, manner);
        assert_eq!(bench.send("to nobody"), Err(Refusal::WouldBlock));
        assert!(bench.attach(1, 1) && bench.attach(2, 2));
        assert_eq!((bench.send("a"), bench.send("b")), (Ok(()), Ok(())));
        assert_eq!(bench.send("c"), Err(Refusal::WouldBlock));
        assert_eq!(bench.sent(1), [b"->a"]);
        assert_eq!(bench.sent(2), [b"->a", b"->b"]);
        bench.arrive(2, "->x");
        bench.close(2);
        assert_eq!(bench.recv(), Ok((PipeId(2), "x".to_owned())));
        assert_eq!(bench.recv(), Err(Refusal::WouldBlock));
        bench.detach(2);
        bench.elapse(10);
    }
}
