//! The processors that the process runs on: how many there are, and whether other threads compete for them.
//!
//! A spinning thread that yields while another one computes loses a time slice: it gets the processor back
//! milliseconds later. A thread that sleeps gets it as soon as it is woken. So after a lost time slice no
//! thread of the process spins for some time, the back-off. It is many times what was lost, and doubles each
//! time that the next spin loses a time slice too. A process that has used up its CPU quota loses time slices
//! in the same way.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::{nanoseconds, now, system};

/// A yield that takes longer than this, in nanoseconds, has lost a time slice. Threads that work for a moment
/// and wait again take less, even several of them.
const LOST_SLICE: u64 = 300_000;
/// The back-off in multiples of the time lost.
const BACKOFF: u64 = 8;
/// The longest back-off, in nanoseconds: one lost slice of 3 ms in this time is negligible.
const MAX_BACKOFF: u64 = 2_000_000_000;
/// The time in nanoseconds after which the number of processors is queried again.
const QUERY_INTERVAL: u64 = 100_000_000;

/// The clock and the scheduler of the machine; tests simulate them.
pub(super) trait Scheduler {
    /// The time on the monotonic clock.
    fn now(&self) -> Duration;
    /// Yields the processor to another thread.
    fn yield_now(&self);
    /// The number of processors that the process may run on.
    fn processors(&self) -> u32;
}

/// The real machine.
#[derive(Debug)]
pub(super) struct RealMachine;

impl Scheduler for RealMachine {
    fn now(&self) -> Duration {
        now()
    }

    fn yield_now(&self) {
        crate::sync::yield_now();
    }

    fn processors(&self) -> u32 {
        system::processors()
    }
}

/// What the process knows of its processors. Times are nanoseconds on the monotonic clock. An update that is
/// lost between two threads is only a lost sample.
#[derive(Debug)]
pub(super) struct Processors<M> {
    pub(super) machine: M,
    /// The end of the back-off.
    backoff_until: AtomicU64,
    /// The length of the last back-off, in nanoseconds.
    last_backoff: AtomicU64,
    count: AtomicU32,
    /// The time at which the count is queried again.
    query_at: AtomicU64,
}

/// The processors of this process. A forked child inherits the state.
pub(super) static PROCESSORS: Processors<RealMachine> = Processors::new(RealMachine);

/// The number of processors that the process may run on, or what it was a short time ago.
pub(crate) fn processors() -> u32 {
    PROCESSORS.count(now())
}

/// The next simulated world knows nothing of the processors of the last one.
#[cfg(simulated)]
pub(super) fn forget_world() {
    let Processors { machine: RealMachine, backoff_until, last_backoff, count, query_at } = &PROCESSORS;
    [backoff_until, last_backoff, query_at].iter().for_each(|time| time.store(0, Ordering::Relaxed));
    count.store(1, Ordering::Relaxed);
}

impl<M> Processors<M> {
    pub(super) const fn new(machine: M) -> Processors<M> {
        Processors {
            machine,
            backoff_until: AtomicU64::new(0),
            last_backoff: AtomicU64::new(0),
            count: AtomicU32::new(1),
            query_at: AtomicU64::new(0),
        }
    }
}

impl<M: Scheduler> Processors<M> {
    /// Whether threads may spin: there is no back-off.
    pub(super) fn allow_spinning(&self, now: Duration) -> bool {
        nanoseconds(now) >= self.backoff_until.load(Ordering::Relaxed)
    }

    /// The number of processors, or what it was a short time ago.
    pub(super) fn count(&self, now: Duration) -> u32 {
        let now = nanoseconds(now);
        if now >= self.query_at.load(Ordering::Relaxed) {
            self.query_at.store(now + QUERY_INTERVAL, Ordering::Relaxed);
            self.count.store(self.machine.processors(), Ordering::Relaxed);
        }
        self.count.load(Ordering::Relaxed)
    }

    /// The nanoseconds since `start`.
    pub(super) fn since(&self, start: Duration) -> u32 {
        u32::try_from(self.machine.now().saturating_sub(start).as_nanos()).unwrap_or(u32::MAX)
    }

    /// Yields the processor, and begins a back-off if that has lost a time slice.
    pub(super) fn yield_now(&self) {
        let start = self.machine.now();
        self.machine.yield_now();
        let now = self.machine.now();
        let lost = nanoseconds(now.saturating_sub(start));
        if lost > LOST_SLICE {
            self.back_off(nanoseconds(now), lost);
        }
    }

    #[cold]
    fn back_off(&self, now: u64, lost: u64) {
        let last = self.last_backoff.load(Ordering::Relaxed);
        let is_soon = now < self.backoff_until.load(Ordering::Relaxed) + last;
        let backoff = (BACKOFF * lost).max(if is_soon { 2 * last } else { 0 }).min(MAX_BACKOFF);
        self.last_backoff.store(backoff, Ordering::Relaxed);
        self.backoff_until.store(now + backoff, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
pub(super) mod tests {
    use super::*;
    use std::cell::Cell;

    /// A machine whose time passes when a thread reads the clock, and when it yields.
    pub(in crate::sync) struct Simulated {
        pub(in crate::sync) now: Cell<Duration>,
        /// How long a yield takes.
        pub(in crate::sync) yield_time: Cell<Duration>,
        pub(in crate::sync) yields: Cell<u32>,
        pub(in crate::sync) processors: Cell<u32>,
    }

    pub(in crate::sync) const SHORT_YIELD: Duration = Duration::from_nanos(500);
    pub(in crate::sync) const TIME_SLICE: Duration = Duration::from_millis(3);

    impl Simulated {
        pub(in crate::sync) fn idle() -> Processors<Simulated> {
            Processors::new(Simulated {
                now: Cell::new(Duration::from_secs(1_000)),
                yield_time: Cell::new(SHORT_YIELD),
                yields: Cell::new(0),
                processors: Cell::new(2),
            })
        }

        pub(in crate::sync) fn pass(&self, time: Duration) {
            self.now.set(self.now.get() + time);
        }
    }

    impl Scheduler for Simulated {
        fn now(&self) -> Duration {
            self.pass(Duration::from_nanos(25));
            self.now.get()
        }

        fn yield_now(&self) {
            self.yields.set(self.yields.get() + 1);
            self.pass(self.yield_time.get());
        }

        fn processors(&self) -> u32 {
            self.processors.get()
        }
    }

    /// Yields, and lets the back-off that follows pass; returns how long it was.
    fn backoff_after(processors: &Processors<Simulated>, yield_time: Duration) -> Duration {
        let machine = &processors.machine;
        machine.yield_time.set(yield_time);
        processors.yield_now();
        let backoff = Duration::from_nanos(processors.backoff_until.load(Ordering::Relaxed));
        let backoff = backoff.saturating_sub(machine.now.get());
        if !backoff.is_zero() {
            machine.pass(backoff - Duration::from_nanos(1));
            assert!(!processors.allow_spinning(machine.now.get()));
            machine.pass(Duration::from_nanos(1));
        }
        assert!(processors.allow_spinning(machine.now.get()));
        backoff
    }

    #[test]
    fn a_short_yield_begins_no_backoff() {
        assert_eq!(backoff_after(&Simulated::idle(), Duration::from_nanos(LOST_SLICE - 25)), Duration::ZERO);
    }

    #[test]
    fn the_backoff_grows_with_each_lost_slice_up_to_a_bound() {
        let processors = Simulated::idle();
        let backoffs: Vec<_> = (0..10).map(|_| backoff_after(&processors, TIME_SLICE)).collect();
        assert!(backoffs[0] >= 8 * TIME_SLICE && backoffs[0] < 9 * TIME_SLICE);
        assert!(
            backoffs.windows(2).all(|pair| pair[1] == (2 * pair[0]).min(Duration::from_nanos(MAX_BACKOFF)))
        );
        assert_eq!(backoffs[9], Duration::from_nanos(MAX_BACKOFF));
    }

    #[test]
    fn the_backoff_is_short_again_when_no_slice_was_lost_for_as_long_as_the_last() {
        let processors = Simulated::idle();
        let backoffs: Vec<_> = (0..5).map(|_| backoff_after(&processors, TIME_SLICE)).collect();
        processors.machine.pass(backoffs[4]);
        assert_eq!(backoff_after(&processors, TIME_SLICE), backoffs[0]);
    }

    #[test]
    fn the_number_of_processors_is_queried_again_after_some_time() {
        let processors = Simulated::idle();
        let count = || processors.count(processors.machine.now());
        assert_eq!(count(), 2);
        processors.machine.processors.set(1);
        assert_eq!(count(), 2);
        processors.machine.pass(Duration::from_nanos(QUERY_INTERVAL));
        assert_eq!(count(), 1);
    }
}
