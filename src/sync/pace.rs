//! Whether a consumer follows its producer so closely that each slows the other down.
//!
//! Two threads that look at the same cache lines in turn wait for them most of the time. A consumer
//! that finds a handful of messages, takes them, and looks again at once does better to let more gather
//! in between. One that finds a handful now and then does not: nothing would gather.

use std::time::Duration;

/// What a look finds is a handful if it is less than this, in bytes.
const HANDFUL: usize = 1024;
/// So many handfuls in a row, found within [`CLOSE`], mean that the consumer follows closely.
const SEVERAL: u32 = 4;
/// See [`SEVERAL`].
const CLOSE: Duration = Duration::from_micros(4);
/// After so many pauses it is looked anew whether they are of use.
const MOST_PAUSES: u32 = 64;

/// What the looks of one consumer have found lately.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Handfuls in a row.
    handfuls: u32,
    /// When the first of them was found.
    since: Duration,
}

impl Pace {
    /// A look has found something, of so many bytes.
    pub(crate) fn found(&mut self, bytes: usize, now: impl FnOnce() -> Duration) {
        if bytes >= HANDFUL {
            return self.found_nothing();
        }
        if self.handfuls == 0 {
            self.since = now();
        }
        self.handfuls += 1;
    }

    /// A look has found nothing.
    pub(crate) fn found_nothing(&mut self) {
        self.handfuls = 0;
    }

    /// Whether to make a pause before the next look.
    #[inline]
    pub(crate) fn pauses(&mut self, now: impl FnOnce() -> Duration) -> bool {
        self.handfuls >= SEVERAL && self.pauses_after_several(now)
    }

    fn pauses_after_several(&mut self, now: impl FnOnce() -> Duration) -> bool {
        let is_close = match self.handfuls - SEVERAL {
            0 => now().saturating_sub(self.since) < CLOSE,
            pauses => pauses < MOST_PAUSES,
        };
        if !is_close {
            self.found_nothing();
        }
        is_close
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Looks that find a handful each, this time apart: how many pauses there are before them.
    fn pauses(looks: u32, apart: Duration) -> u32 {
        let (mut pace, mut moment, mut pauses) = (Pace::default(), Duration::ZERO, 0);
        for _ in 0..looks {
            moment += apart;
            pauses += u32::from(pace.pauses(|| moment));
            pace.found(64, || moment);
        }
        pauses
    }

    #[test]
    fn who_follows_closely_makes_pauses_and_sometimes_none() {
        assert_eq!(pauses(SEVERAL, Duration::from_nanos(100)), 0);
        assert_eq!(pauses(SEVERAL + 10, Duration::from_nanos(100)), 10);
        assert_eq!(pauses(2 * (SEVERAL + MOST_PAUSES), Duration::from_nanos(100)), 2 * MOST_PAUSES);
    }

    #[test]
    fn who_finds_a_handful_now_and_then_makes_none() {
        assert_eq!(pauses(1000, Duration::from_micros(20)), 0);
    }

    #[test]
    fn who_finds_much_or_nothing_begins_anew() {
        let mut pace = Pace::default();
        for what in [HANDFUL, 0] {
            (0..SEVERAL).for_each(|_| pace.found(1, || Duration::ZERO));
            assert!(pace.pauses(|| Duration::ZERO));
            if what == 0 {
                pace.found_nothing()
            } else {
                pace.found(what, || Duration::ZERO)
            }
            assert!(!pace.pauses(|| Duration::ZERO));
        }
    }
}
