//! How long it pays to look again and again before sleeping.
//!
//! A sleep and the wake-up that ends it cost some microseconds on both sides. Whoever waits for
//! something that comes sooner does better to look until it is there; whoever waits for longer
//! only takes the processor from others. A [`Spin`] learns from how long its waits have taken.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use super::processors::{Machine, PROCESSORS, Processors};

/// The longest look, in nanoseconds; waits that take longer than this are slept through.
const LONGEST: u32 = 40_000;
/// As long as this, in nanoseconds, a sleep and its wake-up take the processors of both sides together. A wait that is paced
/// is slept through if it usually takes longer.
const PACED: u32 = 15_000;
/// From here on others may run on the same processor between two looks.
const ALONE: u32 = 2_000;
/// A wait counts for no more than this, so that what was learned is not long to unlearn.
const LONG_WAIT: u32 = 16 * LONGEST;
/// After a look in vain, so many waits are slept through at most.
const MOST_REST: u32 = 1024;

/// What comes within this time, in nanoseconds, is one of many that come one after the other.
const STREAM: u32 = 1_000;
/// So long a stream is let gather at first, in nanoseconds: taking each of it as it comes would be
/// slower for both sides. The time is doubled for as long as the stream goes on.
const GATHER: u32 = 2_000;
/// So long it is let gather at most.
const MOST_GATHER: u32 = 32_000;

/// Threads that are looking now, in the whole process.
static LOOKING: AtomicI32 = AtomicI32::new(0);

/// What kind of wait it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// More of what comes is better than to have it at once.
    pub(crate) gathers: bool,
    /// What comes is no answer to what the thread has sent, and comes no sooner because it is looked for.
    pub(crate) is_paced: bool,
}

/// What the waits of one kind have taught. Threads that wait at once learn together; a race
/// between them costs a lesson, no more.
#[derive(Debug)]
pub(crate) struct Spin {
    /// How long a wait has taken lately, in nanoseconds.
    typical: AtomicU32,
    /// Waits that are to be slept through before looking is tried again.
    rest: AtomicU32,
    /// How long to rest after the next look in vain.
    next_rest: AtomicU32,
    /// How long to let the stream gather when it comes next, in nanoseconds.
    gather: AtomicU32,
}

impl Spin {
    /// Nothing is known: the first wait is looked through.
    pub(crate) fn new() -> Spin {
        Spin {
            typical: AtomicU32::new(LONGEST / 2),
            rest: AtomicU32::new(0),
            next_rest: AtomicU32::new(1),
            gather: AtomicU32::new(GATHER),
        }
    }

    /// Calls `look` until it answers something, for as long as that pays. Else answers when it
    /// began, for [`Spin::has_slept`]. `commit` is called, perhaps more than once, before a wait goes on that is not expected
    /// to end within a few microseconds.
    pub(crate) fn look_first<T>(
        &self,
        wait: Wait,
        look: impl FnMut() -> Option<T>,
        commit: impl FnMut(),
    ) -> Result<T, Duration> {
        self.look_first_on(&PROCESSORS, wait, look, commit)
    }

    fn look_first_on<T>(
        &self,
        processors: &Processors<impl Machine>,
        wait: Wait,
        look: impl FnMut() -> Option<T>,
        mut commit: impl FnMut(),
    ) -> Result<T, Duration> {
        let start = processors.machine.now();
        let longest = if wait.is_paced { PACED } else { LONGEST };
        let pays = self.pays(longest) && processors.are_free(start) && processors.count(start) > 1;
        let found = pays.then(|| self.look(processors, start, look, &mut commit)).flatten();
        let Some(found) = found else {
            commit();
            return Err(start);
        };
        let spent = processors.since(start);
        self.learn(spent);
        if spent < STREAM {
            if wait.gathers {
                self.let_gather(processors, start);
            }
        } else {
            self.gather.store(GATHER, Ordering::Relaxed);
        }
        Ok(found)
    }

    /// A wait that began at `start` was slept through.
    pub(crate) fn has_slept(&self, start: Duration) {
        self.learn(PROCESSORS.since(start));
        self.gather.store(GATHER, Ordering::Relaxed);
    }

    fn let_gather(&self, processors: &Processors<impl Machine>, start: Duration) {
        let time = self.gather.load(Ordering::Relaxed);
        self.gather.store((2 * time).min(MOST_GATHER), Ordering::Relaxed);
        while processors.since(start) < time {
            (0..32).for_each(|_| std::hint::spin_loop());
        }
    }

    /// Whether this wait is to be looked through, if it usually takes no longer than that.
    fn pays(&self, longest: u32) -> bool {
        let rest = self.rest.load(Ordering::Relaxed);
        if rest > 0 {
            self.rest.store(rest - 1, Ordering::Relaxed);
            return false;
        }
        // loom would explore looks without end.
        !cfg!(loom) && self.typical.load(Ordering::Relaxed) <= longest
    }

    fn look<T>(
        &self,
        processors: &Processors<impl Machine>,
        start: Duration,
        mut look: impl FnMut() -> Option<T>,
        commit: &mut impl FnMut(),
    ) -> Option<T> {
        let mut is_committed = self.typical.load(Ordering::Relaxed) > ALONE;
        if is_committed {
            commit();
        }
        let others = LOOKING.fetch_add(1, Ordering::Relaxed);
        let is_crowded = others >= processors.count(start).cast_signed() - 1;
        let mut found = look();
        let mut spent = 0;
        while found.is_none() && spent < LONGEST {
            if spent >= ALONE && !is_committed {
                is_committed = true;
                commit();
            }
            if spent < ALONE && !is_crowded {
                (0..32).for_each(|_| std::hint::spin_loop());
            } else {
                processors.give_way();
            }
            found = look();
            spent = processors.since(start);
        }
        LOOKING.fetch_sub(1, Ordering::Relaxed);
        match found {
            Some(_) => self.next_rest.store(1, Ordering::Relaxed),
            None => {
                let rest = self.next_rest.load(Ordering::Relaxed);
                self.rest.store(rest, Ordering::Relaxed);
                self.next_rest.store((2 * rest).min(MOST_REST), Ordering::Relaxed);
            }
        }
        found
    }

    fn learn(&self, wait: u32) {
        let wait = wait.min(LONG_WAIT);
        let typical = self.typical.load(Ordering::Relaxed);
        self.typical.store(typical - typical / 4 + wait / 4, Ordering::Relaxed);
    }
}

/// A pause of a microsecond or two, in which others can go on if they have a processor. It asks the system
/// for nothing, not even the time: it is made in calls that make no system call.
pub(crate) fn let_others_proceed() {
    if !cfg!(loom) {
        (0..64).for_each(|_| std::hint::spin_loop());
    }
}

/// In a forked child: the threads that were looking are those of its parent.
pub(super) fn forget() {
    LOOKING.store(0, Ordering::Relaxed);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::processors::tests::{Simulated, TURN};
    use super::*;

    type Machines = Processors<Simulated>;

    /// Waits for something that does not come while it is looked for. Answers whether it was.
    fn in_vain(spin: &Spin, processors: &Machines) -> bool {
        let mut looked = false;
        let mut is_committed = false;
        let found = spin.look_first_on(
            processors,
            Wait { gathers: false, is_paced: false },
            || {
                looked = true;
                None::<()>
            },
            || is_committed = true,
        );
        assert!(found.is_err() && is_committed);
        looked
    }

    /// Waits for something that comes after so many looks. Answers whether it was looked for until then.
    fn after_looks(spin: &Spin, processors: &Machines, mut looks: u32) -> bool {
        let look = || {
            looks -= 1;
            (looks == 0).then_some(())
        };
        spin.look_first_on(processors, Wait { gathers: false, is_paced: false }, look, || ()).is_ok()
    }

    /// Gives it back to those who have not learned that their looks are in vain.
    fn begin_anew(spin: &Spin) {
        spin.typical.store(0, Ordering::Relaxed);
        spin.rest.store(0, Ordering::Relaxed);
    }

    #[test]
    fn what_is_there_at_once_is_not_slept_for() {
        assert!(after_looks(&Spin::new(), &Simulated::idle(), 1));
    }

    #[test]
    fn a_look_in_vain_is_followed_by_more_and_more_sleep() {
        let (spin, idle) = (Spin { rest: AtomicU32::new(3), ..Spin::new() }, Simulated::idle());
        assert_eq!((0..4).map(|_| in_vain(&spin, &idle)).collect::<Vec<_>>(), [false, false, false, true]);
        let mut rests = Vec::new();
        for _ in 0..3 {
            begin_anew(&spin);
            assert!(in_vain(&spin, &idle));
            rests.push(spin.rest.load(Ordering::Relaxed));
        }
        assert_eq!(rests, [2, 4, 8]);
    }

    #[test]
    fn long_waits_are_slept_through_until_they_are_short_again() {
        let spin = Spin::new();
        spin.learn(1_000_000_000);
        assert!(!spin.pays(LONGEST));
        (0..16).for_each(|_| spin.learn(1_000));
        assert!(spin.pays(LONGEST));
    }

    #[test]
    fn what_comes_at_a_pace_is_slept_for_sooner_than_an_answer() {
        let paced_after = |wait| {
            let (spin, idle) = (Spin::new(), Simulated::idle());
            (0..32).for_each(|_| spin.learn(wait));
            [true, false].map(|is_paced| {
                let wait = Wait { gathers: false, is_paced };
                spin.look_first_on(&idle, wait, || Some(()), || ()).is_ok()
            })
        };
        assert_eq!(paced_after(PACED / 2), [true, true]);
        assert_eq!(paced_after(2 * PACED), [false, true]);
    }

    #[test]
    fn after_a_lost_turn_nobody_looks_for_some_time() {
        let processors = Simulated::idle();
        processors.machine.turn.set(TURN);
        assert!(in_vain(&Spin::new(), &processors), "nothing is known yet");
        assert_eq!(processors.machine.turns.get(), 1, "no second turn");
        // It is so for every event, however short its waits.
        for _ in 0..100 {
            assert!(!after_looks(&Spin::new(), &processors, 1));
        }
        processors.machine.pass(9 * TURN);
        assert!(after_looks(&Spin::new(), &processors, 1));
    }

    #[test]
    fn who_is_bound_to_one_processor_later_does_not_look_any_more() {
        let processors = Simulated::idle();
        assert!(after_looks(&Spin::new(), &processors, 1));
        processors.machine.processors.set(1);
        processors.machine.pass(Duration::from_secs(1));
        assert!(!in_vain(&Spin::new(), &processors));
    }
}
