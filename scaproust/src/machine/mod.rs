//! A simulated machine, which takes the place of the operating system with `--cfg simulated`.
//!
//! Owns threads, the clock, descriptors, streams between them, host names and the poller. One seed decides everything: which thread
//! runs next, how long each step takes, when bytes arrive and what fails. Must not know the library: the modules `sync`,
//! `reactor` and `transport` use it where they otherwise call the operating system, and the simulation drives it.
//!
//! A process has one machine at a time. Its threads are coroutines on the thread that calls [`run`], so nothing here needs a
//! lock. A thread gives way to the others when it waits, and at some of the calls of this module, as the seed decides.
//!
//! With `--cfg shuttle` besides, the crate shuttle decides which thread runs next, and threads give way at each atomic
//! operation as well.

#[cfg(not(shuttle))]
mod coroutines;
mod descriptors;
#[cfg(all(test, shuttle))]
pub(crate) mod exploring;
mod locks;
mod network;
pub(crate) mod poller;
#[cfg(shuttle)]
mod shuttled;
mod threads;

use std::cell::RefCell;
use std::time::Duration;

#[cfg(not(shuttle))]
pub(crate) use self::coroutines::{point, run, spawn, yield_now};
use self::descriptors::Descriptors;
pub(crate) use self::descriptors::{Descriptor, Notifier, Polled, poll};
pub(crate) use self::locks::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use self::network::Network;
pub(crate) use self::network::{
    Acceptor, Place, Stream, connect, connect_to, cut, damage_names, half_close, listen, look_up, place,
    remove_file, reset, stall, streams,
};
use self::poller::Pollers;
#[cfg(shuttle)]
pub(crate) use self::shuttled::{point, run, spawn, yield_now};
use self::threads::Threads;
pub(crate) use self::threads::{
    Key, Outcome, Thread, block, current_thread, exchange_ranks, set_thread_place, sleep, steps,
    thread_place, wake,
};
use crate::random::Random;

/// The most connections that wait to be accepted, if a plan does not say.
pub(crate) const BACKLOG: usize = 128;

impl Default for Settings {
    /// A quick and regular machine.
    fn default() -> Settings {
        Settings {
            seed: 0,
            processors: 1,
            switch_every: 0,
            longest_step: Duration::from_micros(1),
            latest_timer: Duration::ZERO,
            longest_way: Duration::from_micros(1),
            room: 100_000,
            scarce_every: 0,
            descriptors: 1000,
            backlog: BACKLOG,
            lacking_every: 0,
        }
    }
}

/// What a world's machine is like.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Decides everything.
    pub(crate) seed: u64,
    /// How many processors the process believes to have.
    pub(crate) processors: u32,
    /// At one of so many calls a thread gives way to others.
    pub(crate) switch_every: u32,
    /// The longest step of a thread.
    pub(crate) longest_step: Duration,
    /// The latest that a thread runs after its timer is due.
    pub(crate) latest_timer: Duration,
    /// The longest way of a byte.
    pub(crate) longest_way: Duration,
    /// The most bytes on their way in one direction of a stream.
    pub(crate) room: usize,
    /// One of so many reads, writes, connects and accepts fails, most of them for lack of memory; none if 0.
    pub(crate) scarce_every: u32,
    /// The most descriptors.
    pub(crate) descriptors: usize,
    /// The most connections that wait to be accepted at one place.
    pub(crate) backlog: usize,
    /// For one of so many messages there is no memory; never with 0.
    pub(crate) lacking_every: u32,
}

/// What is done when a world has ended.
pub(crate) type Ending = Box<dyn FnOnce()>;

/// The state of the machine.
struct Machine {
    settings: Settings,
    random: Random,
    now: Duration,
    /// The part of `now` in which the machine was suspended.
    suspended: Duration,
    threads: Threads,
    descriptors: Descriptors,
    network: Network,
    pollers: Pollers,
    /// What happened, as a number: two runs of one seed have the same.
    trace: u64,
    /// A check of the machine that failed.
    failure: Option<String>,
    endings: Vec<Ending>,
}

thread_local! {
    static MACHINE: RefCell<Option<Machine>> = const { RefCell::new(None) };
}

/// Calls `access` with the machine, which exists while [`run`] runs.
fn with<R>(access: impl FnOnce(&mut Machine) -> R) -> R {
    let result = MACHINE
        .with(|machine| access(machine.borrow_mut().as_mut().expect("no machine runs in this thread")));
    #[cfg(shuttle)]
    shuttled::unpark_resumed();
    result
}

impl Machine {
    fn new(settings: Settings) -> Machine {
        Machine {
            random: Random::new(settings.seed),
            settings,
            now: Duration::from_secs(86_400),
            suspended: Duration::ZERO,
            threads: Threads::default(),
            descriptors: Descriptors::default(),
            network: Network::default(),
            pollers: Pollers::default(),
            trace: 0,
            failure: None,
            endings: Vec::new(),
        }
    }

    /// Mixes an event into the trace.
    fn note(&mut self, event: u64) {
        self.trace = (self.trace ^ event).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
    }

    /// A time up to `longest`; short times are more frequent.
    fn time_up_to(&mut self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        let scale = self.random.below(8);
        Duration::from_nanos(self.random.up_to(longest >> (2 * scale)))
    }
}

/// The time on the monotonic clock. Each look takes some of it, so that a loop which waits for a moment ends.
pub(crate) fn now() -> Duration {
    with(|machine| {
        machine.now += Duration::from_nanos(50);
        machine.now
    })
}

/// Lets the clock jump forward, as it does when the machine is suspended.
pub(crate) fn suspend(time: Duration) {
    with(|machine| {
        machine.now += time;
        machine.suspended += time;
    });
}

/// The time on a clock that stands still while the machine is suspended.
pub(crate) fn running_time() -> Duration {
    with(|machine| machine.now - machine.suspended)
}

/// Whether there is no memory for a message at this moment. There is outside of a world.
pub(crate) fn lacks_memory() -> bool {
    MACHINE.with(|machine| {
        machine
            .borrow_mut()
            .as_mut()
            .is_some_and(|machine| machine.random.one_in(machine.settings.lacking_every))
    })
}

/// The number of processors.
pub(crate) fn processors() -> u32 {
    with(|machine| machine.settings.processors)
}

/// The most bytes on their way in one direction of a stream.
pub(crate) fn room() -> usize {
    with(|machine| machine.settings.room)
}

/// A random number below `bound`, which is not 0.
pub(crate) fn below(bound: u64) -> u64 {
    with(|machine| machine.random.below(bound))
}

/// Changes how many descriptors there may be.
pub(crate) fn limit_descriptors(count: usize) {
    with(|machine| machine.settings.descriptors = count);
}

/// The number of open descriptors.
pub(crate) fn open_descriptors() -> usize {
    with(|machine| machine.descriptors.count())
}

/// Adds to what is done when the world has ended.
pub(crate) fn at_the_end(ending: Ending) {
    with(|machine| machine.endings.push(ending));
}

/// Takes what is to be done when the world has ended.
pub(crate) fn take_endings() -> Vec<Ending> {
    with(|machine| std::mem::take(&mut machine.endings))
}

/// Records that a check has failed. The world ends as failed.
pub(crate) fn fail(what: String) {
    #[cfg(shuttle)]
    panic!("{what}");
    #[cfg(not(shuttle))]
    with(|machine| _ = machine.failure.get_or_insert(what));
}
