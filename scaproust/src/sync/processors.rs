//! What is known of the processors that the process runs on: how many there are, and whether others want
//! them.
//!
//! A thread that gives way while another one computes gets the processor back after a whole time slice,
//! milliseconds later; one that sleeps gets it as soon as it is woken. So nobody looks before sleeping for some
//! time after a turn was lost. The time is many times what was lost, and twice as long each time that the next
//! look costs a turn as well. A process that has used up its share of time (a quota) meets the same.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::{now, system};

/// Giving way for longer than this, in nanoseconds, is a lost turn. Threads that work for a moment and wait
/// again take less, even several of them.
const LOST: u64 = 300_000;
/// So many times what was lost, nobody looks.
const REST: u64 = 8;
/// For so long at most, in nanoseconds: one turn of 3 ms in this time is hardly to be seen.
const MOST_REST: u64 = 2_000_000_000;
/// How many there are is asked anew after so long, in nanoseconds.
const ASK: u64 = 100_000_000;

/// What threads find where they run.
pub(super) trait Machine {
    /// The present moment on the monotonic clock.
    fn now(&self) -> Duration;
    /// Lets another thread have the processor.
    fn give_way(&self);
    /// How many processors the process may run on.
    fn processors(&self) -> u32;
}

/// The machine that this is.
#[derive(Debug)]
pub(super) struct This;

impl Machine for This {
    fn now(&self) -> Duration {
        now()
    }

    fn give_way(&self) {
        std::thread::yield_now();
    }

    fn processors(&self) -> u32 {
        system::processors()
    }
}

/// Moments are nanoseconds on the monotonic clock. A race between threads costs a lesson, no more.
#[derive(Debug)]
pub(super) struct Processors<M> {
    pub(super) machine: M,
    /// Until then nobody looks.
    rest_until: AtomicU64,
    /// How long the last rest was, in nanoseconds.
    last_rest: AtomicU64,
    count: AtomicU32,
    /// When the count is to be asked for again.
    ask_at: AtomicU64,
}

/// Those of this process. A forked child has the same.
pub(super) static PROCESSORS: Processors<This> = Processors::new(This);

impl<M> Processors<M> {
    pub(super) const fn new(machine: M) -> Processors<M> {
        Processors {
            machine,
            rest_until: AtomicU64::new(0),
            last_rest: AtomicU64::new(0),
            count: AtomicU32::new(1),
            ask_at: AtomicU64::new(0),
        }
    }
}

impl<M: Machine> Processors<M> {
    /// Whether looking costs no more than the time that it takes, as far as is known.
    pub(super) fn are_free(&self, now: Duration) -> bool {
        nanoseconds(now) >= self.rest_until.load(Ordering::Relaxed)
    }

    /// How many there are, or were a short time ago.
    pub(super) fn count(&self, now: Duration) -> u32 {
        let now = nanoseconds(now);
        if now >= self.ask_at.load(Ordering::Relaxed) {
            self.ask_at.store(now + ASK, Ordering::Relaxed);
            self.count.store(self.machine.processors(), Ordering::Relaxed);
        }
        self.count.load(Ordering::Relaxed)
    }

    /// Nanoseconds since a moment.
    pub(super) fn since(&self, start: Duration) -> u32 {
        u32::try_from(self.machine.now().saturating_sub(start).as_nanos()).unwrap_or(u32::MAX)
    }

    /// Lets another thread have the processor, and learns from how long it had it.
    pub(super) fn give_way(&self) {
        let start = self.machine.now();
        self.machine.give_way();
        let now = self.machine.now();
        let lost = nanoseconds(now.saturating_sub(start));
        if lost > LOST {
            self.rest(nanoseconds(now), lost);
        }
    }

    #[cold]
    fn rest(&self, now: u64, lost: u64) {
        let last = self.last_rest.load(Ordering::Relaxed);
        let is_soon = now < self.rest_until.load(Ordering::Relaxed) + last;
        let rest = (REST * lost).max(if is_soon { 2 * last } else { 0 }).min(MOST_REST);
        self.last_rest.store(rest, Ordering::Relaxed);
        self.rest_until.store(now + rest, Ordering::Relaxed);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(loom)))]
pub(super) mod tests {
    use super::*;
    use std::cell::Cell;

    /// A machine whose time passes when a thread looks at the clock, and when it gives way.
    pub(in crate::sync) struct Simulated {
        pub(in crate::sync) now: Cell<Duration>,
        /// How long giving way takes.
        pub(in crate::sync) turn: Cell<Duration>,
        pub(in crate::sync) turns: Cell<u32>,
        pub(in crate::sync) processors: Cell<u32>,
    }

    pub(in crate::sync) const MOMENT: Duration = Duration::from_nanos(500);
    pub(in crate::sync) const TURN: Duration = Duration::from_millis(3);

    impl Simulated {
        pub(in crate::sync) fn idle() -> Processors<Simulated> {
            Processors::new(Simulated {
                now: Cell::new(Duration::from_secs(1_000)),
                turn: Cell::new(MOMENT),
                turns: Cell::new(0),
                processors: Cell::new(2),
            })
        }

        pub(in crate::sync) fn pass(&self, time: Duration) {
            self.now.set(self.now.get() + time);
        }
    }

    impl Machine for Simulated {
        fn now(&self) -> Duration {
            self.pass(Duration::from_nanos(25));
            self.now.get()
        }

        fn give_way(&self) {
            self.turns.set(self.turns.get() + 1);
            self.pass(self.turn.get());
        }

        fn processors(&self) -> u32 {
            self.processors.get()
        }
    }

    /// Gives way, and lets the rest that follows pass; answers how long it was.
    fn rest_after(processors: &Processors<Simulated>, turn: Duration) -> Duration {
        let machine = &processors.machine;
        machine.turn.set(turn);
        processors.give_way();
        let rest = Duration::from_nanos(processors.rest_until.load(Ordering::Relaxed));
        let rest = rest.saturating_sub(machine.now.get());
        if !rest.is_zero() {
            machine.pass(rest - Duration::from_nanos(1));
            assert!(!processors.are_free(machine.now.get()));
            machine.pass(Duration::from_nanos(1));
        }
        assert!(processors.are_free(machine.now.get()));
        rest
    }

    #[test]
    fn who_gives_way_for_a_moment_does_not_rest() {
        assert_eq!(rest_after(&Simulated::idle(), Duration::from_nanos(LOST - 25)), Duration::ZERO);
    }

    #[test]
    fn the_rest_grows_with_each_lost_turn_up_to_a_bound() {
        let processors = Simulated::idle();
        let rests: Vec<_> = (0..10).map(|_| rest_after(&processors, TURN)).collect();
        assert!(rests[0] >= 8 * TURN && rests[0] < 9 * TURN);
        assert!(rests.windows(2).all(|pair| pair[1] == (2 * pair[0]).min(Duration::from_nanos(MOST_REST))));
        assert_eq!(rests[9], Duration::from_nanos(MOST_REST));
    }

    #[test]
    fn rests_are_short_again_when_no_turn_was_lost_for_as_long_as_the_last() {
        let processors = Simulated::idle();
        let rests: Vec<_> = (0..5).map(|_| rest_after(&processors, TURN)).collect();
        processors.machine.pass(rests[4]);
        assert_eq!(rest_after(&processors, TURN), rests[0]);
    }

    #[test]
    fn how_many_there_are_is_asked_again_after_some_time() {
        let processors = Simulated::idle();
        let count = || processors.count(processors.machine.now());
        assert_eq!(count(), 2);
        processors.machine.processors.set(1);
        assert_eq!(count(), 2);
        processors.machine.pass(Duration::from_nanos(ASK));
        assert_eq!(count(), 1);
    }
}
