//! Tests of a program's protocol by the simulated pipes with which the library tests its own.

use crate::protocol::simulation::{SEED, Simulation};
use crate::protocol::{CustomProtocol, Machine, PipeId, Refusal};
use crate::random::Random;

/// How the pipes of a [`Bench`] call a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As rarely and as late as the contract allows; each message that is dropped is enough for now.
    Strict,
    /// After each event, and repeatedly.
    Lavish,
}

/// A machine with simulated pipes and a simulated clock. Each call checks that the machine keeps the contract of
/// [`StateMachine`](crate::protocol::StateMachine), and panics if it does not.
///
/// ```
/// use scaproust::custom::testing::{Bench, Manner, check_contract};
/// use scaproust::custom::*;
///
/// /// Drops all.
/// #[derive(Default)]
/// struct Hole;
///
/// impl StateMachine for Hole {
///     fn attach(&mut self, _: PipeId, _: Priorities) -> bool {
///         false // It needs no peers.
///     }
///     fn detach(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
///     fn readable(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
///     fn writable(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
///     fn send(&mut self, _: &mut Body<'_, '_>, _: &mut Pipes<'_>) -> Result<(), Refusal> {
///         Ok(())
///     }
///     fn recv(&mut self, _: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
///         Err(Refusal::WouldBlock)
///     }
///     fn can_send(&mut self, _: &mut Pipes<'_>) -> bool {
///         true
///     }
///     fn can_recv(&mut self, _: &mut Pipes<'_>) -> bool {
///         false
///     }
/// }
///
/// static HOLE: Protocol = Protocol::new::<Hole>(0xf300, "hole", &HOLE);
///
/// let mut bench = Bench::new(&HOLE, Manner::Strict);
/// assert!(!bench.attach(1, 8));
/// assert_eq!(bench.send("lost"), Ok(()));
/// check_contract(&HOLE, 0..10);
/// ```
pub struct Bench(pub(super) Simulation);

opaque!([] Bench);

impl Bench {
    /// A new machine of the protocol, without pipes.
    #[must_use]
    pub fn new(protocol: &'static CustomProtocol, manner: Manner) -> Bench {
        Bench(Simulation::new(protocol.row(), false, manner == Manner::Lavish))
    }

    /// Adds a pipe whose outbound lane has room for so many messages. Returns whether the machine accepts it.
    pub fn attach(&mut self, pipe: u32, room: usize) -> bool {
        let is_attached = self.0.attach_with(pipe, 8, room).is_ok();
        self.check();
        is_attached
    }

    /// The peer sends a message.
    pub fn arrive(&mut self, pipe: u32, message: impl AsRef<[u8]>) {
        self.0.arrive(pipe, message);
        self.check();
    }

    /// The peer reads what was sent to it. Returns the messages, each with its header.
    pub fn sent(&mut self, pipe: u32) -> Vec<Vec<u8>> {
        let sent = self.0.sent(pipe);
        self.check();
        sent
    }

    /// The peer closes the pipe.
    pub fn close(&mut self, pipe: u32) {
        self.0.close(pipe);
        self.check();
    }

    /// The pipe is removed.
    pub fn detach(&mut self, pipe: u32) {
        self.0.detach(pipe);
        self.check();
    }

    /// So many milliseconds pass.
    pub fn elapse(&mut self, milliseconds: u64) {
        self.0.elapse(milliseconds);
        self.check();
    }

    /// The program sends a message.
    ///
    /// # Errors
    /// The machine's.
    pub fn send(&mut self, body: &str) -> Result<(), Refusal> {
        let sent = self.0.send(body);
        self.check();
        sent
    }

    /// The program receives a message. Returns the pipe that it has come from, and its body without the header.
    ///
    /// # Errors
    /// The machine's.
    pub fn recv(&mut self) -> Result<(PipeId, String), Refusal> {
        let received = self.0.recv().map(|received| (PipeId(received.pipe), received.body));
        self.check();
        received
    }

    /// The machine may not panic, and must be called by the next edge if it waits for nothing else.
    pub(super) fn check(&self) {
        let has_panicked = matches!(&self.0.machine, Machine::Custom(machine) if machine.has_panicked());
        assert!(!has_panicked, "the machine has panicked, or has named a pipe that is not there");
    }
}

/// Checks the contract of [`StateMachine`](crate::protocol::StateMachine) with random events, once for each seed and [`Manner`]: pipes come and
/// go, messages arrive, the program sends and receives, time passes.
///
/// # Panics
/// If the machine breaks the contract. The message names the seed, with which the same events happen again.
pub fn check_contract(protocol: &'static CustomProtocol, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        for manner in [Manner::Strict, Manner::Lavish] {
            let outcome = std::panic::catch_unwind(|| run(protocol, manner, seed));
            assert!(outcome.is_ok(), "{protocol:?} breaks the contract: seed {seed}, {manner:?}");
        }
    }
}

/// The number of events with one seed.
const EVENTS: usize = 100;
/// The pipes that come and go.
const PIPES: u64 = 5;

fn run(protocol: &'static CustomProtocol, manner: Manner, seed: u64) {
    let mut bench = Bench::new(protocol, manner);
    let mut random = Random::new(seed.wrapping_add(SEED.into()));
    for _ in 0..EVENTS {
        let pipe = 1 + random.below(PIPES) as u32;
        let (is_attached, is_open) = (bench.0.is_attached(pipe), bench.0.is_open(pipe));
        let text = format!("{}:{}", random.below(4), random.below(100));
        match random.below(16) {
            0..3 if !is_attached => _ = bench.attach(pipe, random.below(3) as usize),
            3..7 if is_open => bench.arrive(pipe, text),
            7 if is_open => bench.close(pipe),
            8 if is_attached => bench.detach(pipe),
            9..11 if is_open => _ = bench.sent(pipe),
            11 => bench.elapse(random.below(2000)),
            12..14 => _ = bench.send(&text),
            _ => _ = bench.recv(),
        }
    }
}
