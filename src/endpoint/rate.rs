//! How many connections a listener accepts in a given time.

use std::time::Duration;

/// Accepted without a pause after a quiet time.
const MOST: u32 = 256;
/// One more may be accepted after this time.
const REFILL: Duration = Duration::from_micros(125);

/// The connections that may be accepted now. Beyond a first crowd there is a bound on what comes in
/// a second: peers that connect and go would else keep the I/O thread busy, and a thread that
/// is always busy gets the processor late when others want it too.
#[derive(Debug)]
pub(crate) struct Rate {
    left: u32,
    /// Until when `left` was counted up.
    counted: Duration,
}

impl Rate {
    /// After a quiet time.
    pub(crate) fn new() -> Rate {
        Rate { left: MOST, counted: Duration::ZERO }
    }

    /// Whether one may be accepted at `now`, which is counted then.
    pub(crate) fn allows(&mut self, now: Duration) -> bool {
        let gained = now.saturating_sub(self.counted).as_nanos() / REFILL.as_nanos();
        match u32::try_from(gained).ok().filter(|gained| gained + self.left < MOST) {
            Some(gained) => {
                self.left += gained;
                self.counted += REFILL * gained;
            }
            None => (self.left, self.counted) = (MOST, now),
        }
        let is_allowed = self.left > 0;
        self.left -= u32::from(is_allowed);
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(rate: &mut Rate, now: Duration) -> u32 {
        (0..).take_while(|_| rate.allows(now)).count() as u32
    }

    #[test]
    fn a_crowd_is_accepted_at_once_and_a_flood_at_a_bounded_rate() {
        let mut rate = Rate::new();
        let start = Duration::from_secs(1);
        assert_eq!(accepted(&mut rate, start), MOST);
        assert_eq!(
            (1..=1000).map(|ms| accepted(&mut rate, start + Duration::from_millis(ms))).sum::<u32>(),
            8000
        );
        assert_eq!(accepted(&mut rate, Duration::from_secs(100)), MOST);
    }
}
