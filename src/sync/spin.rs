//! How long it pays to look again and again before sleeping.
//!
//! A sleep and the wake-up that ends it cost some microseconds on both sides. Whoever waits for
//! something that comes sooner does better to look until it is there; whoever waits for longer
//! only takes the processor from others. A [`Spin`] learns from how long its waits have taken.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use super::now;

/// The longest look, in nanoseconds; waits that take longer than this are slept through.
const LONGEST: u32 = 40_000;
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
    /// began, for [`Spin::has_slept`]. `gathers` says that more of it is better than to have it at
    /// once. `commit` is called, perhaps more than once, before
    /// a wait goes on that is not expected to end within a few microseconds.
    pub(crate) fn look_first<T>(
        &self,
        gathers: bool,
        look: impl FnMut() -> Option<T>,
        mut commit: impl FnMut(),
    ) -> Result<T, Duration> {
        let start = now();
        let Some(found) = (if self.pays() { self.look(start, look, &mut commit) } else { None }) else {
            commit();
            return Err(start);
        };
        let spent = since(start);
        self.learn(spent);
        if spent < STREAM {
            if gathers {
                self.let_gather(start);
            }
        } else {
            self.gather.store(GATHER, Ordering::Relaxed);
        }
        Ok(found)
    }

    /// A wait that began at `start` was slept through.
    pub(crate) fn has_slept(&self, start: Duration) {
        self.learn(since(start));
        self.gather.store(GATHER, Ordering::Relaxed);
    }

    fn let_gather(&self, start: Duration) {
        let time = self.gather.load(Ordering::Relaxed);
        self.gather.store((2 * time).min(MOST_GATHER), Ordering::Relaxed);
        while since(start) < time {
            (0..32).for_each(|_| std::hint::spin_loop());
        }
    }

    /// Whether this wait is to be looked through.
    fn pays(&self) -> bool {
        let rest = self.rest.load(Ordering::Relaxed);
        if rest > 0 {
            self.rest.store(rest - 1, Ordering::Relaxed);
            return false;
        }
        self.typical.load(Ordering::Relaxed) <= LONGEST && processors() > 1
    }

    fn look<T>(
        &self,
        start: Duration,
        mut look: impl FnMut() -> Option<T>,
        commit: &mut impl FnMut(),
    ) -> Option<T> {
        let mut is_committed = self.typical.load(Ordering::Relaxed) > ALONE;
        if is_committed {
            commit();
        }
        let is_crowded = LOOKING.fetch_add(1, Ordering::Relaxed) >= processors().cast_signed() - 1;
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
                std::thread::yield_now();
            }
            found = look();
            spent = since(start);
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

/// A pause of a microsecond or two, if others can go on meanwhile.
pub(crate) fn let_others_proceed() {
    if processors() > 1 {
        (0..64).for_each(|_| std::hint::spin_loop());
    }
}

/// Nanoseconds since a moment.
fn since(start: Duration) -> u32 {
    u32::try_from(now().saturating_sub(start).as_nanos()).unwrap_or(u32::MAX)
}

/// How many threads of this process can run at once.
fn processors() -> u32 {
    /// 0 until it is known. Threads that find it so may all count, with one result: nothing waits here
    /// for another thread, which a forked child would not have.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    match COUNT.load(Ordering::Relaxed) {
        0 => {
            let count = std::thread::available_parallelism().ok();
            // Unknown is one: then no thread looks.
            let count = count.and_then(|count| u32::try_from(count.get()).ok()).unwrap_or(1);
            let count = if cfg!(loom) { 1 } else { count };
            COUNT.store(count, Ordering::Relaxed);
            count
        }
        count => count,
    }
}

/// In a forked child: the threads that were looking are those of its parent.
pub(super) fn forget() {
    LOOKING.store(0, Ordering::Relaxed);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Waits for something that does not come while it is looked for.
    fn in_vain(spin: &Spin) -> bool {
        let mut looked = false;
        let mut is_committed = false;
        let found = spin.look_first(
            false,
            || {
                looked = true;
                None::<()>
            },
            || is_committed = true,
        );
        spin.has_slept(found.unwrap_err());
        assert!(is_committed);
        looked
    }

    #[test]
    fn what_is_there_at_once_is_not_slept_for() {
        let spin = Spin::new();
        if processors() > 1 {
            assert_eq!(spin.look_first(true, || Some("found"), || ()), Ok("found"));
        }
    }

    #[test]
    fn a_look_in_vain_is_followed_by_more_and_more_sleep() {
        let spin = Spin { rest: AtomicU32::new(3), ..Spin::new() };
        assert_eq!((0..3).map(|_| in_vain(&spin)).collect::<Vec<_>>(), [false; 3]);
        if processors() > 1 {
            let mut rests = Vec::new();
            for _ in 0..3 {
                spin.typical.store(0, Ordering::Relaxed);
                spin.rest.store(0, Ordering::Relaxed);
                assert!(in_vain(&spin));
                rests.push(spin.rest.load(Ordering::Relaxed));
            }
            assert_eq!(rests, [1, 2, 4]);
        }
    }

    #[test]
    fn long_waits_are_slept_through_until_they_are_short_again() {
        let spin = Spin::new();
        spin.learn(1_000_000_000);
        assert!(!spin.pays());
        (0..16).for_each(|_| spin.learn(1_000));
        assert_eq!(spin.pays(), processors() > 1);
    }
}
