//! The policy by which a consumer pauses so that larger batches gather.
//!
//! A producer and a consumer that access the same cache lines in turn wait for them most of the time. A
//! consumer that finds only small batches is faster if it pauses between them, provided that the
//! producer is active: the size of the batch after a pause shows whether it is.

/// A batch below this size, in bytes, is small; in a queue with a small bound, below half of that.
const SMALL_BATCH: usize = 8 * 1024;
/// The number of small batches in a row after which a pause is tried.
const BATCHES_BEFORE_PAUSE: u32 = 4;
/// The number of batches without a pause after one that was useless; it doubles with each useless pause.
const MIN_BACKOFF: u32 = 16;
/// The largest such number.
const MAX_BACKOFF: u32 = 4096;

/// The state of one consumer.
#[derive(Debug)]
pub(super) struct PausePolicy {
    /// A batch below this size is small.
    small_batch: usize,
    /// Small batches in a row.
    small_batches: u32,
    /// The number of batches before the next pause may be tried.
    backoff: u32,
    /// The value of `backoff` after the next useless pause.
    next_backoff: u32,
    /// The size in bytes of the last batch, if a pause follows it; else 0.
    before_pause: usize,
    /// A pause must be made before the next batch.
    is_due: bool,
}

impl PausePolicy {
    /// The state before the first batch of a queue with this bound.
    pub(super) fn new(limit: usize) -> PausePolicy {
        PausePolicy {
            small_batch: SMALL_BATCH.min(limit / 2),
            small_batches: 0,
            backoff: 0,
            next_backoff: MIN_BACKOFF,
            before_pause: 0,
            is_due: false,
        }
    }

    /// Whether to pause before looking for the next batch; `true` once for each pause.
    #[inline]
    pub(super) fn should_pause(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    /// Records a batch of `bytes`, not 0.
    #[inline]
    pub(super) fn found(&mut self, bytes: usize) {
        if self.before_pause > 0 {
            self.rate_pause(bytes);
        }
        if bytes >= self.small_batch || self.backoff > 0 {
            self.backoff = self.backoff.saturating_sub(1);
            self.small_batches = 0;
            return;
        }
        self.small_batches += 1;
        if self.small_batches >= BATCHES_BEFORE_PAUSE {
            self.small_batches = BATCHES_BEFORE_PAUSE;
            self.before_pause = bytes;
            self.is_due = true;
        }
    }

    /// Records that the queue was empty.
    pub(super) fn found_nothing(&mut self) {
        self.small_batches = 0;
        self.before_pause = 0;
        self.is_due = false;
    }

    /// Records whether the pause was useful: the batch after it, of `bytes`, is larger than the one before.
    fn rate_pause(&mut self, bytes: usize) {
        if bytes > self.before_pause {
            self.next_backoff = MIN_BACKOFF;
        } else {
            self.backoff = self.next_backoff;
            self.next_backoff = (2 * self.next_backoff).min(MAX_BACKOFF);
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
    fn small_batches_are_followed_by_pauses_while_these_are_useful() {
        let mut pauses = PausePolicy::new(1 << 20);
        for _ in 1..BATCHES_BEFORE_PAUSE {
            assert!(!pauses.pauses_after(64));
        }
        for round in 0..100 {
            assert!(pauses.pauses_after(64 + round), "{round}");
        }
    }

    #[test]
    fn half_of_a_small_queue_is_no_small_batch() {
        for (bytes, pauses) in [(1000, false), (999, true)] {
            let mut policy = PausePolicy::new(2000);
            assert_eq!((0..BATCHES_BEFORE_PAUSE).any(|_| policy.pauses_after(bytes)), pauses);
        }
    }

    #[test]
    fn useless_pauses_become_rare() {
        let mut pauses = PausePolicy::new(1 << 20);
        let pauses = (0..100_000).filter(|_| pauses.pauses_after(64)).count();
        assert!((8..50).contains(&pauses), "{pauses}");
    }

    #[test]
    fn a_large_batch_or_an_empty_queue_resets_the_count() {
        for is_large in [false, true] {
            let mut pauses = PausePolicy::new(1 << 20);
            assert!(
                (0..BATCHES_BEFORE_PAUSE)
                    .all(|count| pauses.pauses_after(64) == (count + 1 == BATCHES_BEFORE_PAUSE))
            );
            if is_large {
                assert!(!pauses.pauses_after(SMALL_BATCH))
            } else {
                pauses.found_nothing()
            }
            assert!(!pauses.pauses_after(64));
        }
    }
}
