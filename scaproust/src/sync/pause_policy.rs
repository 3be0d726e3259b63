//! Whether a consumer follows its producer so closely that each slows the other down.
//!
//! Two threads that look at the same cache lines in turn wait for them most of the time. A consumer
//! that finds a handful of messages, takes them, and looks again at once does better to let more gather
//! in between, if there is a producer at work: the pauses themselves show whether anything gathers.

/// What a look finds is a handful if it is less than this, in bytes.
const SMALL_BATCH: usize = 1024;
/// After so many small batches in a row a pause is tried.
const SEVERAL: u32 = 4;
/// After a pause in vain none is tried for so many looks, and twice as many after the next.
const REST: u32 = 16;
/// None is tried for so many looks at most.
const MOST_REST: u32 = 4096;

/// What the looks of one consumer have found lately.
#[derive(Debug)]
pub(crate) struct PausePolicy {
    /// Handfuls in a row.
    small_batches: u32,
    /// Looks before which no pause is to be tried.
    rest: u32,
    /// How long to rest after the next pause in vain.
    next_rest: u32,
    /// Bytes that the last look found, if a pause follows it; else 0.
    before_pause: usize,
    /// The pause is still to be made.
    is_due: bool,
}

impl PausePolicy {
    /// Nothing was looked for yet.
    pub(crate) fn new() -> PausePolicy {
        PausePolicy { small_batches: 0, rest: 0, next_rest: REST, before_pause: 0, is_due: false }
    }

    /// Whether to make a pause before the next look.
    #[inline]
    pub(crate) fn should_pause(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    /// A look has found something, of so many bytes.
    #[inline]
    pub(crate) fn found(&mut self, bytes: usize) {
        if self.before_pause > 0 {
            self.judge(bytes);
        }
        if bytes >= SMALL_BATCH || self.rest > 0 {
            self.rest = self.rest.saturating_sub(1);
            self.small_batches = 0;
            return;
        }
        self.small_batches += 1;
        if self.small_batches >= SEVERAL {
            self.small_batches = SEVERAL;
            self.before_pause = bytes;
            self.is_due = true;
        }
    }

    /// A look has found nothing.
    pub(crate) fn found_nothing(&mut self) {
        self.small_batches = 0;
        self.before_pause = 0;
        self.is_due = false;
    }

    /// Whether the pause was of use: more has gathered than there was before it.
    fn judge(&mut self, bytes: usize) {
        if bytes > self.before_pause {
            self.next_rest = REST;
        } else {
            self.rest = self.next_rest;
            self.next_rest = (2 * self.next_rest).min(MOST_REST);
        }
        self.before_pause = 0;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    impl PausePolicy {
        fn pauses_after(&mut self, bytes: usize) -> bool {
            self.found(bytes);
            self.should_pause()
        }
    }

    #[test]
    fn who_follows_closely_makes_pauses_while_more_gathers() {
        let mut pauses = PausePolicy::new();
        for _ in 1..SEVERAL {
            assert!(!pauses.pauses_after(64));
        }
        for round in 0..100 {
            assert!(pauses.pauses_after(64 + round), "{round}");
        }
    }

    #[test]
    fn a_consumer_for_whom_nothing_gathers_makes_few_pauses() {
        let mut pauses = PausePolicy::new();
        let pauses = (0..100_000).filter(|_| pauses.pauses_after(64)).count();
        assert!((8..50).contains(&pauses), "{pauses}");
    }

    #[test]
    fn who_finds_much_or_nothing_begins_anew() {
        for finds_much in [false, true] {
            let mut pauses = PausePolicy::new();
            assert!((0..SEVERAL).all(|count| pauses.pauses_after(64) == (count + 1 == SEVERAL)));
            if finds_much {
                assert!(!pauses.pauses_after(SMALL_BATCH))
            } else {
                pauses.found_nothing()
            }
            assert!(!pauses.pauses_after(64));
        }
    }
}
