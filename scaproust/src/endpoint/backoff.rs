//! The delay before the next attempt to connect.

use std::time::Duration;

/// Delays that double from `NN_RECONNECT_IVL` to `NN_RECONNECT_IVL_MAX` until a reset. A maximum of zero,
/// the default, keeps the first delay.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Delays from `first` to `max`. The shortest is a millisecond: zero would make the dialer a busy loop.
    pub(crate) fn new(first: Duration, max: Duration) -> Backoff {
        let first = first.max(Duration::from_millis(1));
        Backoff { first, max: max.max(first), next: first }
    }

    /// The delay before the next attempt; the one after that is twice as long, up to the maximum.
    pub(crate) fn delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(self.max);
        delay
    }

    /// Makes the next delay the first one again.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(first: u64, max: u64) -> Vec<u128> {
        let mut backoff = Backoff::new(Duration::from_millis(first), Duration::from_millis(max));
        (0..5).map(|_| backoff.delay().as_millis()).collect()
    }

    #[test]
    fn delays_double_up_to_the_maximum() {
        assert_eq!(delays(100, 0), [100, 100, 100, 100, 100]);
        assert_eq!(delays(100, 500), [100, 200, 400, 500, 500]);
        assert_eq!(delays(0, 3), [1, 2, 3, 3, 3]);
        assert_eq!(delays(100, 50), [100, 100, 100, 100, 100]);
    }

    #[test]
    fn delays_without_a_bound_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX / 3, Duration::MAX);
        let delays: Vec<_> = (0..4).map(|_| backoff.delay()).collect();
        assert_eq!(delays, [Duration::MAX / 3, Duration::MAX / 3 * 2, Duration::MAX, Duration::MAX]);
    }

    #[test]
    fn a_reset_begins_with_the_first_delay() {
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_secs(1));
        backoff.delay();
        backoff.delay();
        backoff.reset();
        assert_eq!(backoff.delay(), Duration::from_millis(1));
    }
}
