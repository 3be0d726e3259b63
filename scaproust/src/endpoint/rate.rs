//! The rate at which a listener accepts connections.

use std::time::Duration;

/// The most connections that are accepted at once.
const BURST: u32 = 256;
/// The time after which one more connection over a network protocol may be accepted, also from this machine.
const NETWORK_REFILL: Duration = Duration::from_nanos(62_500);
/// The time after which one more connection over a local socket may be accepted.
const LOCAL_REFILL: Duration = Duration::from_nanos(31_250);

/// A token bucket: [`BURST`] connections at once, and one more each `refill`. Without it, peers that
/// connect and disconnect could keep the I/O thread busy, and the kernel's scheduler would then prefer
/// other threads to it.
#[derive(Debug)]
pub(crate) struct Rate {
    /// The time after which one more connection may be accepted.
    refill: Duration,
    /// Connections that may be accepted now.
    left: u32,
    /// The time at which `left` was last refilled.
    refilled: Duration,
}

impl Rate {
    /// A full bucket, for network protocols and transports of the program.
    pub(crate) fn network() -> Rate {
        Rate { refill: NETWORK_REFILL, left: BURST, refilled: Duration::ZERO }
    }

    /// A full bucket, for local sockets.
    pub(crate) fn local() -> Rate {
        Rate { refill: LOCAL_REFILL, ..Rate::network() }
    }

    /// Whether the bucket holds a connection at `now`, the time since any fixed origin.
    pub(super) fn allows(&mut self, now: Duration) -> bool {
        let gained = now.saturating_sub(self.refilled).as_nanos() / self.refill.as_nanos();
        match u32::try_from(gained).ok().filter(|gained| gained.saturating_add(self.left) < BURST) {
            Some(gained) => {
                self.left += gained;
                self.refilled += self.refill * gained;
            }
            None => (self.left, self.refilled) = (BURST, now),
        }
        self.left > 0
    }

    /// Takes one connection, which was accepted, out of the bucket.
    pub(super) fn count(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(rate: &mut Rate, now: Duration) -> u32 {
        let mut count = 0;
        while rate.allows(now) {
            rate.count();
            count += 1;
        }
        count
    }

    /// The calls come more often than connections are allowed.
    #[test]
    fn fractions_of_the_time_for_one_connection_add_up() {
        let mut rate = Rate::network();
        let start = Duration::from_secs(1);
        assert_eq!(accepted(&mut rate, start), BURST);
        let moments = (1..=40).map(|step| start + NETWORK_REFILL * step / 4);
        assert_eq!(moments.map(|moment| accepted(&mut rate, moment)).sum::<u32>(), 10);
    }

    #[test]
    fn a_bucket_is_full_after_a_rest_and_never_more_than_full() {
        let mut rate = Rate::network();
        let start = Duration::from_secs(1);
        assert_eq!(accepted(&mut rate, start), BURST);
        assert_eq!(accepted(&mut rate, start + NETWORK_REFILL * (BURST - 1)), BURST - 1);
        assert!(rate.allows(start + NETWORK_REFILL * 2 * BURST));
        assert_eq!(accepted(&mut rate, start + NETWORK_REFILL * 3 * BURST), BURST);
    }

    #[test]
    fn a_burst_is_accepted_at_once_and_a_flood_at_a_bounded_rate() {
        for (mut rate, in_a_second) in [(Rate::network(), 16_000), (Rate::local(), 32_000)] {
            let start = Duration::from_secs(1);
            assert_eq!(accepted(&mut rate, start), BURST);
            let moments = (1..=1000).map(|ms| start + Duration::from_millis(ms));
            assert_eq!(moments.map(|moment| accepted(&mut rate, moment)).sum::<u32>(), in_a_second);
            assert_eq!(accepted(&mut rate, Duration::from_secs(100)), BURST);
        }
    }
}
