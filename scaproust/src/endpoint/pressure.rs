//! How long a listener's places for TLS handshakes have been taken, and whether handshakes are completed meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

/// The number of handshakes, completed within [`RECENT`], by which a crowd is told from a flood: peers that go on, if there are
/// more of them than there are places, from peers that stand still.
const CROWD: usize = 64;
/// The time for those.
const RECENT: Duration = Duration::from_secs(1);
/// The time after which the places have been taken for long.
const LONG: Duration = Duration::from_secs(1);

/// The demand for places.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    /// Since when each peer that has come has found all places taken.
    full_since: Option<Duration>,
    /// When the last handshakes were completed, [`CROWD`] of them at most.
    done: VecDeque<Duration>,
}

impl Pressure {
    /// A peer finds all places taken at `now`.
    pub(super) fn note_full(&mut self, now: Duration) {
        self.full_since.get_or_insert(now);
    }

    /// A peer finds a free place.
    pub(super) fn end(&mut self) {
        self.full_since = None;
    }

    /// A handshake is completed at `now`.
    pub(super) fn note_done(&mut self, now: Duration) {
        if self.done.len() == CROWD {
            self.done.pop_front();
        }
        self.done.push_back(now);
    }

    /// Whether all places have been taken for long.
    pub(super) fn is_long(&self, now: Duration) -> bool {
        self.full_since.is_some_and(|since| now >= since + LONG)
    }

    /// Whether the peers are a crowd that goes on.
    pub(super) fn is_crowd(&self, now: Duration) -> bool {
        self.done.len() == CROWD && self.done.front().is_some_and(|first| now < *first + RECENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_taken_without_a_pause_have_been_taken_for_long() {
        let mut pressure = Pressure::default();
        pressure.note_full(LONG);
        pressure.note_full(LONG * 3 / 2);
        assert!(!pressure.is_long(LONG * 2 - Duration::from_nanos(1)));
        assert!(pressure.is_long(LONG * 2));
        pressure.end();
        pressure.note_full(LONG * 2);
        assert!(!pressure.is_long(LONG * 2));
    }

    #[test]
    fn a_crowd_completes_handshakes() {
        let mut pressure = Pressure::default();
        let begin = RECENT;
        for number in 0..CROWD as u32 {
            assert!(!pressure.is_crowd(begin));
            pressure.note_done(begin + Duration::from_millis(number.into()));
        }
        assert!(pressure.is_crowd(begin + RECENT - Duration::from_nanos(1)));
        assert!(!pressure.is_crowd(begin + RECENT));
        pressure.note_done(begin + RECENT);
        assert!(pressure.is_crowd(begin + RECENT));
    }
}
