//! The places for TLS handshakes at a listener, and which of them is given to the next peer when all are taken.
//!
//! A handshake takes memory, so their number is bounded. A peer that takes a place and then sends nothing must not keep others
//! out: the place of the one that has had it longest is given away, unless this side is the one that is late.

use std::collections::VecDeque;
use std::time::Duration;

/// The most connections of a listener that are in a TLS handshake. A handshake takes up to 80 KiB of memory.
pub(crate) const PLACES: usize = 256;
/// The time that every peer has, also while others wait for its place.
pub(crate) const LEAST_PATIENCE: Duration = Duration::from_millis(100);
/// The time that a peer has which has sent the first message of its handshake.
#[cfg(feature = "tls")]
pub(crate) const MOST_PATIENCE: Duration = Duration::from_secs(1);

/// The least time between two connections that lose their places: peers that come again at once must not keep the I/O thread busy.
const INTERVAL: Duration = Duration::from_millis(1);

/// Whether there is a place for another handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<C> {
    /// There is one.
    Free,
    /// There is one if this connection is ended.
    Of(C),
    /// There may be one at this moment.
    At(Duration),
}

/// The connections of a listener that are in a TLS handshake.
#[derive(Debug)]
pub(crate) struct Places<C> {
    /// Each with the moment at which it has come; the first one came first.
    taken: VecDeque<(C, Duration)>,
    /// When a place may be given away again.
    next: Duration,
}

impl<C: Clone> Places<C> {
    /// All places are free.
    pub(crate) fn new() -> Places<C> {
        Places { taken: VecDeque::new(), next: Duration::ZERO }
    }

    /// The number of handshakes.
    #[cfg(all(test, feature = "tls"))]
    pub(crate) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// Gives a place to a connection that has come at `now`.
    pub(crate) fn take(&mut self, connection: C, now: Duration) {
        self.taken.push_back((connection, now));
    }

    /// The handshake of a connection has ended.
    pub(crate) fn leave(&mut self, is_it: impl Fn(&C) -> bool) {
        self.taken.retain(|(connection, _)| !is_it(connection));
    }

    /// A connection loses its place at `now`.
    pub(crate) fn note_loss(&mut self, now: Duration) {
        self.next = now + INTERVAL;
    }

    /// Looks for a place at `now`. `patience` is the time that a peer may keep its place without sending anything, at least
    /// [`LEAST_PATIENCE`]; `None` if it is not the peer that is awaited.
    pub(crate) fn look(&self, now: Duration, patience: impl Fn(&C) -> Option<Duration>) -> Place<C> {
        if self.taken.len() < PLACES {
            return Place::Free;
        }
        if now < self.next {
            return Place::At(self.next);
        }
        let mut next = now + LEAST_PATIENCE;
        for (connection, since) in &self.taken {
            if now < *since + LEAST_PATIENCE {
                // Those behind it came later.
                return Place::At(next.min(*since + LEAST_PATIENCE));
            }
            let Some(patience) = patience(connection) else { continue };
            if now >= *since + patience {
                return Place::Of(connection.clone());
            }
            next = next.min(*since + patience);
        }
        Place::At(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1);

    /// All places are taken, by the connections 0, 1, 2 and so on, at intervals of a microsecond.
    fn full() -> Places<usize> {
        let mut places = Places::new();
        for number in 0..PLACES {
            assert_eq!(places.look(Duration::MAX, |_| Some(LEAST_PATIENCE)), Place::Free);
            places.take(number, Duration::from_micros(number as u64));
        }
        places
    }

    #[test]
    fn a_silent_peer_has_its_place_for_the_least_time() {
        let mut places = full();
        let silent = |_: &usize| Some(LEAST_PATIENCE);
        let end = LEAST_PATIENCE;
        assert_eq!(places.look(end - Duration::from_nanos(1), silent), Place::At(end));
        assert_eq!(places.look(end, silent), Place::Of(0));
        places.leave(|number| *number == 0);
        assert_eq!(places.look(end, silent), Place::Free);
        places.take(PLACES, end);
        assert_eq!(places.look(end, silent), Place::At(end + Duration::from_micros(1)));
    }

    #[test]
    fn places_are_lost_one_after_the_other() {
        let mut places = full();
        let silent = |_: &usize| Some(LEAST_PATIENCE);
        assert_eq!(places.look(LONG, silent), Place::Of(0));
        places.note_loss(LONG);
        places.leave(|number| *number == 0);
        assert_eq!(places.look(LONG, silent), Place::Free);
        places.take(PLACES, LONG);
        assert_eq!(places.look(LONG, silent), Place::At(LONG + INTERVAL));
        assert_eq!(places.look(LONG + INTERVAL, silent), Place::Of(1));
    }

    #[test]
    fn a_peer_that_has_begun_its_handshake_has_more_time() {
        let places = full();
        let begun = |number: &usize| Some(if *number == 2 { LEAST_PATIENCE } else { LONG });
        assert_eq!(places.look(LONG / 2, begun), Place::Of(2));
        assert_eq!(places.look(LONG - Duration::from_micros(1), |_| Some(LONG)), Place::At(LONG));
        assert_eq!(places.look(LONG, |_| Some(LONG)), Place::Of(0));
    }

    #[test]
    fn a_peer_that_waits_for_this_side_keeps_its_place() {
        let places = full();
        assert_eq!(places.look(LONG, |_| None), Place::At(LONG + LEAST_PATIENCE));
        assert_eq!(places.look(LONG, |number| (*number == 7).then_some(LONG / 2)), Place::Of(7));
    }
}
