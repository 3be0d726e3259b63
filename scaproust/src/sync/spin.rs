//! Adaptive spinning: how long to poll a condition before sleeping.
//!
//! A sleep and its wake-up cost some microseconds on both sides. A thread whose condition comes sooner
//! is faster if it spins; one that waits for longer only takes the processor from others. A [`Spin`]
//! learns from the durations of earlier waits, for each position after the last long one: in a burst the waits
//! are short, and the one after it is long.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use super::processors::{PROCESSORS, Processors, Scheduler, processors};

/// The longest spin, in nanoseconds; a wait that usually takes longer sleeps at once.
const MAX_SPIN: u32 = 40_000;
/// The processor time of a sleep and its wake-up on both sides together, in nanoseconds. A wait that expects
/// no reply spins for no longer, and sleeps at once if it usually takes longer.
const SLEEP_COST: u32 = 15_000;
/// The number of waits after a long one that have statistics of their own. The last counts for all later ones.
const POSITIONS: usize = 8;
/// The time in nanoseconds after which the thread yields the processor between two polls.
const YIELD_AFTER: u32 = 2_000;
/// The longest wait that is recorded, in nanoseconds: a longer one counts as this, so that a few short waits
/// outweigh it.
const MAX_RECORDED: u32 = 16 * MAX_SPIN;
/// The largest number of waits that sleep at once after unsuccessful spins.
const MAX_BACKOFF: u32 = 1024;

/// A message that comes within this time, in nanoseconds, is part of a stream.
const STREAM: u32 = 1_000;
/// How long a stream gathers at first, in nanoseconds: taking each message as it comes would be slower for
/// both sides. The time doubles while the stream lasts.
const MIN_GATHER: u32 = 2_000;
/// The longest such time.
const MAX_GATHER: u32 = 32_000;

/// The number of threads of the process that spin now.
static SPINNING: AtomicI32 = AtomicI32::new(0);

/// The kind of a wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitKind {
    /// A larger batch is better than a short latency.
    pub(crate) prefers_batches: bool,
    /// The thread does not wait for a reply, so spinning does not make messages come sooner.
    pub(crate) expects_no_reply: bool,
}

/// The statistics of the waits for one event. Threads that wait at the same time share them; an update that
/// is lost between two threads is only a lost sample.
#[derive(Debug)]
pub(crate) struct Spin {
    /// The moving averages of the durations of recent waits, in nanoseconds, by position.
    typical: [AtomicU32; POSITIONS],
    /// The position of the next wait: the number of waits since the last one that was longer than [`MAX_SPIN`].
    position: AtomicUsize,
    /// The number of waits that sleep at once before spinning is tried again.
    backoff: AtomicU32,
    /// The value of `backoff` after the next unsuccessful spin.
    next_backoff: AtomicU32,
    /// How long the stream gathers next time, in nanoseconds.
    gather: AtomicU32,
}

impl Spin {
    /// Statistics without samples: the first wait spins.
    pub(crate) fn new() -> Spin {
        Spin {
            typical: [const { AtomicU32::new(MAX_SPIN / 2) }; POSITIONS],
            position: AtomicUsize::new(0),
            backoff: AtomicU32::new(0),
            next_backoff: AtomicU32::new(0),
            gather: AtomicU32::new(MIN_GATHER),
        }
    }

    /// Calls `poll` until it returns something, as long as spinning is worthwhile. Otherwise fails with the
    /// time of its start, for [`Spin::record_sleep`]. `before_long_wait` is called before the wait may take
    /// more than some microseconds; perhaps more than once.
    pub(crate) fn run<T>(
        &self,
        wait: WaitKind,
        poll: impl FnMut() -> Option<T>,
        before_long_wait: impl FnMut(),
    ) -> Result<T, Duration> {
        self.run_on(&PROCESSORS, wait, poll, before_long_wait)
    }

    fn run_on<T>(
        &self,
        processors: &Processors<impl Scheduler>,
        wait: WaitKind,
        poll: impl FnMut() -> Option<T>,
        mut before_long_wait: impl FnMut(),
    ) -> Result<T, Duration> {
        let start = processors.machine.now();
        let longest = if wait.expects_no_reply { SLEEP_COST } else { MAX_SPIN };
        let should_spin =
            processors.allow_spinning(start) && processors.count(start) > 1 && self.should_spin(longest);
        let found =
            should_spin.then(|| self.spin(processors, start, longest, poll, &mut before_long_wait)).flatten();
        let Some(found) = found else {
            before_long_wait();
            return Err(start);
        };
        let spent = processors.since(start);
        self.record(spent);
        if spent < STREAM {
            if wait.prefers_batches {
                self.let_gather(processors, start);
            }
        } else {
            self.gather.store(MIN_GATHER, Ordering::Relaxed);
        }
        Ok(found)
    }

    /// Records a wait that began at `start` and has slept.
    pub(crate) fn record_sleep(&self, start: Duration) {
        self.record(PROCESSORS.since(start));
        self.gather.store(MIN_GATHER, Ordering::Relaxed);
    }

    fn let_gather(&self, processors: &Processors<impl Scheduler>, start: Duration) {
        let time = self.gather.load(Ordering::Relaxed);
        self.gather.store((2 * time).min(MAX_GATHER), Ordering::Relaxed);
        while processors.since(start) < time {
            (0..32).for_each(|_| std::hint::spin_loop());
        }
    }

    /// Whether this wait should spin: there is no back-off, and the typical wait is at most `longest`.
    fn should_spin(&self, longest: u32) -> bool {
        self.may_try() && self.typical() <= longest
    }

    /// Counts a wait. Returns whether it may begin with tries that take processor time, and not sleep at once: there is no
    /// back-off. How that ends is to be noted with [`Spin::note_outcome`].
    pub(crate) fn may_try(&self) -> bool {
        let backoff = self.backoff.load(Ordering::Relaxed);
        if backoff > 0 {
            self.backoff.store(backoff - 1, Ordering::Relaxed);
            return false;
        }
        // loom would explore spinning without end.
        !cfg!(loom)
    }

    /// Notes whether the tries of a wait have found something. Begins a back-off of up to `max_backoff` waits if they
    /// repeatedly have not.
    pub(crate) fn note_outcome(&self, is_found: bool, max_backoff: u32) {
        if is_found {
            self.next_backoff.store(0, Ordering::Relaxed);
        } else {
            // The first in a row has none: it may be the end of a burst.
            let backoff = self.next_backoff.load(Ordering::Relaxed);
            self.backoff.store(backoff, Ordering::Relaxed);
            self.next_backoff.store((2 * backoff).clamp(1, max_backoff), Ordering::Relaxed);
        }
    }

    /// What the next wait usually takes, in nanoseconds.
    fn typical(&self) -> u32 {
        self.typical_at(self.position.load(Ordering::Relaxed)).load(Ordering::Relaxed)
    }

    /// Whether the next wait usually takes longer than any spin.
    pub(crate) fn is_typically_long(&self) -> bool {
        self.typical() > MAX_SPIN
    }

    fn typical_at(&self, position: usize) -> &AtomicU32 {
        &self.typical[position.min(POSITIONS - 1)]
    }

    fn spin<T>(
        &self,
        processors: &Processors<impl Scheduler>,
        start: Duration,
        longest: u32,
        mut poll: impl FnMut() -> Option<T>,
        before_long_wait: &mut impl FnMut(),
    ) -> Option<T> {
        let mut is_long = self.typical() > YIELD_AFTER;
        if is_long {
            before_long_wait();
        }
        let others = SPINNING.fetch_add(1, Ordering::Relaxed);
        let is_crowded = is_crowd(others, processors.count(start));
        let mut found = poll();
        let mut spent = 0;
        while found.is_none() && spent < longest {
            if spent >= YIELD_AFTER && !is_long {
                is_long = true;
                before_long_wait();
            }
            if spent < YIELD_AFTER && !is_crowded {
                (0..32).for_each(|_| std::hint::spin_loop());
            } else {
                processors.yield_now();
            }
            found = poll();
            spent = processors.since(start);
        }
        SPINNING.fetch_sub(1, Ordering::Relaxed);
        self.note_outcome(found.is_some(), MAX_BACKOFF);
        found
    }

    fn record(&self, wait: u32) {
        let position = self.position.load(Ordering::Relaxed);
        let next = if wait > MAX_SPIN { 0 } else { (position + 1).min(POSITIONS - 1) };
        self.position.store(next, Ordering::Relaxed);
        let average = self.typical_at(position);
        let typical = average.load(Ordering::Relaxed);
        average.store(typical - typical / 4 + wait.min(MAX_RECORDED) / 4, Ordering::Relaxed);
    }
}

/// Whether so many threads of the process spin that one more would take a processor from others.
pub(crate) fn is_crowded() -> bool {
    is_crowd(SPINNING.load(Ordering::Relaxed), processors())
}

/// Whether a thread that spins beside `others` leaves none of the `processors` free.
fn is_crowd(others: i32, processors: u32) -> bool {
    others >= processors.cast_signed() - 1
}

/// Pauses for one or two microseconds, so that threads on other processors make progress. Makes no system
/// call and does not read the clock, since it is part of calls that make none.
pub(crate) fn let_others_proceed() {
    if !cfg!(loom) {
        (0..64).for_each(|_| std::hint::spin_loop());
    }
}

/// In a forked child: the threads that were spinning are those of its parent.
pub(super) fn forget() {
    SPINNING.store(0, Ordering::Relaxed);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::processors::tests::{Simulated, TIME_SLICE};
    use super::*;

    type Machines = Processors<Simulated>;

    /// Waits for something that does not come during a spin. Returns whether it spun.
    fn spins_in_vain(spin: &Spin, processors: &Machines) -> bool {
        let mut has_spun = false;
        let mut is_announced = false;
        let found = spin.run_on(
            processors,
            WaitKind { prefers_batches: false, expects_no_reply: false },
            || {
                has_spun = true;
                None::<()>
            },
            || is_announced = true,
        );
        assert!(found.is_err() && is_announced);
        has_spun
    }

    /// Waits for something that comes with the given poll. Returns whether spinning found it.
    fn finds_after(spin: &Spin, processors: &Machines, mut polls: u32) -> bool {
        let poll = || {
            polls -= 1;
            (polls == 0).then_some(())
        };
        spin.run_on(processors, WaitKind { prefers_batches: false, expects_no_reply: false }, poll, || ())
            .is_ok()
    }

    /// Resets the statistics to a typical wait of zero and no back-off.
    fn reset(spin: &Spin) {
        spin.typical.iter().for_each(|typical| typical.store(0, Ordering::Relaxed));
        spin.backoff.store(0, Ordering::Relaxed);
    }

    #[test]
    fn a_wait_that_is_over_at_once_does_not_sleep() {
        assert!(finds_after(&Spin::new(), &Simulated::idle(), 1));
    }

    #[test]
    fn unsuccessful_spins_are_followed_by_a_growing_backoff() {
        let (spin, idle) = (Spin { backoff: AtomicU32::new(3), ..Spin::new() }, Simulated::idle());
        assert_eq!(
            (0..4).map(|_| spins_in_vain(&spin, &idle)).collect::<Vec<_>>(),
            [false, false, false, true]
        );
        let mut backoffs = Vec::new();
        for _ in 0..3 {
            reset(&spin);
            assert!(spins_in_vain(&spin, &idle));
            backoffs.push(spin.backoff.load(Ordering::Relaxed));
        }
        assert_eq!(backoffs, [1, 2, 4]);
    }

    #[test]
    fn long_waits_sleep_at_once_until_they_are_short_again() {
        let spin = Spin::new();
        spin.record(1_000_000_000);
        spin.record(1_000_000_000);
        assert!(!spin.should_spin(MAX_SPIN));
        (0..16).for_each(|_| spin.record(1_000));
        assert!(spin.should_spin(MAX_SPIN));
    }

    #[test]
    fn the_waits_of_a_burst_spin_and_the_one_after_it_sleeps() {
        let spin = Spin::new();
        let burst = [1_000, 1_000, 1_000, 1_000_000];
        burst.iter().cycle().take(32).for_each(|wait| spin.record(*wait));
        let spins = burst.map(|wait| {
            let spins = spin.should_spin(MAX_SPIN);
            spin.record(wait);
            spins
        });
        assert_eq!(spins, [true, true, true, false]);
    }

    #[test]
    fn a_wait_that_expects_no_reply_sleeps_sooner() {
        let spins_after = |wait| {
            let (spin, idle) = (Spin::new(), Simulated::idle());
            (0..32).for_each(|_| spin.record(wait));
            [true, false].map(|expects_no_reply| {
                let wait = WaitKind { prefers_batches: false, expects_no_reply };
                spin.run_on(&idle, wait, || Some(()), || ()).is_ok()
            })
        };
        assert_eq!(spins_after(SLEEP_COST / 2), [true, true]);
        assert_eq!(spins_after(2 * SLEEP_COST), [false, true]);
    }

    #[test]
    fn no_wait_spins_for_some_time_after_a_lost_time_slice() {
        let processors = Simulated::idle();
        processors.machine.yield_time.set(TIME_SLICE);
        assert!(spins_in_vain(&Spin::new(), &processors), "there are no samples yet");
        assert_eq!(processors.machine.yields.get(), 1, "no second yield");
        // This holds for every event, however short its waits.
        for _ in 0..100 {
            assert!(!finds_after(&Spin::new(), &processors, 1));
        }
        processors.machine.pass(9 * TIME_SLICE);
        assert!(finds_after(&Spin::new(), &processors, 1));
    }

    #[test]
    fn a_process_bound_to_one_processor_stops_spinning() {
        let processors = Simulated::idle();
        assert!(finds_after(&Spin::new(), &processors, 1));
        processors.machine.processors.set(1);
        processors.machine.pass(Duration::from_secs(1));
        assert!(!spins_in_vain(&Spin::new(), &processors));
    }
}
