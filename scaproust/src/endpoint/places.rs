//! The places for TLS handshakes at a listener, and which of them is given to the next peer when all are taken.
//!
//! A handshake takes memory, so their number is bounded. The places are shared by the sites that peers come from: while all
//! are taken, the next peer gets the place of one whose site has the most. So peers of one site that stand still keep no
//! others out. Of that site's peers the one is ended that has kept this side waiting longest; a handshake that waits for
//! this side is never ended. [`Pressure`] tells a crowd of peers that go on from those that stand still.

use std::collections::HashMap;
use std::time::Duration;

use super::Pressure;
use crate::address::Site;

/// The most connections of a listener that are in a TLS handshake. A handshake takes up to 80 KiB of memory.
pub(crate) const PLACES: usize = 256;
/// The time that every peer has, also while others wait for its place.
const LEAST_PATIENCE: Duration = Duration::from_millis(100);
/// The time for the rest of its handshake that a peer of a crowd has which has sent the first message.
const MOST_PATIENCE: Duration = Duration::from_secs(1);
/// A place is given away in each such time, on average: peers that come again at once must not keep the I/O thread busy.
const INTERVAL: Duration = Duration::from_millis(1);
/// The most that are given away at once, since timers may be late.
const BURST: u32 = 4;
/// The most peers that are turned away for each place that is, or could be, given away.
const TURNED_AWAY: u32 = 2;

/// A connection in its handshake.
pub(crate) trait Handshaking: Clone {
    /// When the first message of its peer was answered, if it was.
    fn answered(&self) -> Option<Duration>;
    /// Whether it is the peer that has to go on.
    fn awaits_peer(&self) -> bool;
}

/// Whether there is a place for another handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<C> {
    /// There is one.
    Free,
    /// There is one if this connection is ended.
    Of(C),
    /// There may be one at this moment.
    At(Duration),
    /// The peer is turned away: those of other sites may wait behind it.
    Never,
}

/// The connections of a listener that are in a TLS handshake.
#[derive(Debug)]
pub(crate) struct Places<C> {
    /// In the order in which they have come.
    taken: Vec<Taken<C>>,
    /// The number of places that each site has.
    shares: HashMap<Site, usize>,
    pressure: Pressure,
    /// When another place may be given away.
    next: Duration,
    /// The number of peers that were turned away since the last one was.
    turned_away: u32,
}

#[derive(Debug)]
struct Taken<C> {
    connection: C,
    site: Site,
    /// When it has come.
    since: Duration,
}

impl<C: Handshaking> Places<C> {
    /// All places are free.
    pub(crate) fn new() -> Places<C> {
        Places {
            taken: Vec::new(),
            shares: HashMap::new(),
            pressure: Pressure::default(),
            next: Duration::ZERO,
            turned_away: 0,
        }
    }

    /// The number of handshakes.
    #[cfg(all(test, feature = "tls"))]
    pub(crate) fn taken(&self) -> usize {
        self.taken.len()
    }

    /// Gives a place to a connection of `site` that has come at `now`.
    pub(crate) fn take(&mut self, connection: C, site: Site, now: Duration) {
        self.taken.push(Taken { connection, site, since: now });
        *self.shares.entry(site).or_default() += 1;
    }

    /// The handshake of a connection has ended at `now`; `is_done` says whether it has succeeded.
    pub(crate) fn leave(&mut self, is_it: impl Fn(&C) -> bool, is_done: bool, now: Duration) {
        let Some(index) = self.taken.iter().position(|taken| is_it(&taken.connection)) else { return };
        let site = self.taken.remove(index).site;
        let share = self.share(site) - 1;
        match share {
            0 => self.shares.remove(&site),
            share => self.shares.insert(site, share),
        };
        if is_done {
            self.pressure.note_done(now);
        }
    }

    /// Looks at `now` for a place for a peer of `site`.
    pub(crate) fn look(&mut self, site: Site, now: Duration) -> Place<C> {
        if self.taken.len() < PLACES {
            self.pressure.end();
            return Place::Free;
        }
        self.pressure.note_full(now);
        let own = self.share(site);
        let most = self.shares.values().copied().max().unwrap_or(0);
        let found = if now < self.next {
            Place::At(self.next)
        } else {
            // A site that has fewer places also with one more has not to wait for those of the other.
            let patience = if own + 1 < most { LEAST_PATIENCE } else { self.patience(now) };
            self.find(most, patience, now)
        };
        match found {
            Place::Of(_) => self.begin_interval(now),
            // A lone peer of its site is no flood.
            Place::At(_) if own == most && own > 1 && self.pressure.is_long(now) => {
                return self.turn_away(now);
            }
            _ => {}
        }
        found
    }

    /// Looks again after the connection of a [`Place::Of`] was to be ended. It has its place still if it goes on, since another
    /// thread has just found something to read from it, or has not ended yet. Then another one is looked for when the next
    /// place may be given away.
    pub(crate) fn look_again(&self) -> Place<C> {
        if self.taken.len() < PLACES { Place::Free } else { Place::At(self.next) }
    }

    /// The number of places that a site has.
    fn share(&self, site: Site) -> usize {
        self.shares.get(&site).copied().unwrap_or(0)
    }

    /// The time that a peer has for the rest of its handshake.
    fn patience(&self, now: Duration) -> Duration {
        if self.pressure.is_crowd(now) { MOST_PATIENCE } else { LEAST_PATIENCE }
    }

    /// Finds the connection that has kept this side waiting longest, of the sites with `most` places.
    fn find(&self, most: usize, patience: Duration, now: Duration) -> Place<C> {
        // Read once: other threads answer peers meanwhile.
        let mut candidates: Vec<(Duration, Duration, &C)> = self
            .taken
            .iter()
            .filter(|taken| self.share(taken.site) == most)
            .map(|taken| match taken.connection.answered() {
                Some(answered) => (answered, patience, &taken.connection),
                None => (taken.since, LEAST_PATIENCE, &taken.connection),
            })
            .collect();
        candidates.sort_by_key(|(since, ..)| *since);
        let mut next = now + LEAST_PATIENCE;
        for (since, patience, connection) in candidates {
            if now < since + patience {
                next = next.min(since + patience);
            } else if connection.awaits_peer() {
                return Place::Of(connection.clone());
            }
        }
        Place::At(next)
    }

    /// Turns a peer away, or has it wait until another one may be.
    fn turn_away(&mut self, now: Duration) -> Place<C> {
        if self.turned_away == TURNED_AWAY {
            if now < self.next {
                return Place::At(self.next);
            }
            self.begin_interval(now);
        }
        self.turned_away += 1;
        Place::Never
    }

    fn begin_interval(&mut self, now: Duration) {
        self.next = self.next.max(now.saturating_sub(INTERVAL * (BURST - 1))) + INTERVAL;
        self.turned_away = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    const LONG: Duration = Duration::from_secs(1);
    const FLOOD: u8 = 1;

    /// A peer with a number, and what it does.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Peer {
        number: usize,
        answered: Option<Duration>,
        is_awaited: bool,
    }

    impl Handshaking for Peer {
        fn answered(&self) -> Option<Duration> {
            self.answered
        }

        fn awaits_peer(&self) -> bool {
            self.is_awaited
        }
    }

    fn silent(number: usize) -> Peer {
        Peer { number, answered: None, is_awaited: true }
    }

    /// A peer that has sent its first message, at the same moment as it has come.
    fn begun(number: usize) -> Peer {
        Peer { answered: Some(Duration::from_micros(number as u64)), ..silent(number) }
    }

    fn site(number: u8) -> Site {
        Site::of(format!("192.0.2.{number}").parse().ok())
    }

    /// All places are taken, by the peers 0, 1, 2 and so on, at intervals of a microsecond.
    fn full(peer: impl Fn(usize) -> Peer, site_of: impl Fn(usize) -> Site) -> Places<Peer> {
        let mut places = Places::new();
        for number in 0..PLACES {
            let (site, now) = (site_of(number), Duration::from_micros(number as u64));
            assert_eq!(places.look(site, now), Place::Free);
            places.take(peer(number), site, now);
        }
        places
    }

    fn flooded(peer: impl Fn(usize) -> Peer) -> Places<Peer> {
        full(peer, |_| site(FLOOD))
    }

    /// The number of the peer that is ended for one of `site`, whose place is taken by `next`.
    fn displaced(places: &mut Places<Peer>, site: Site, now: Duration, next: Peer) -> Option<usize> {
        let Place::Of(ended) = places.look(site, now) else { return None };
        places.leave(|peer| peer.number == ended.number, false, now);
        places.take(next, site, now);
        Some(ended.number)
    }

    #[test]
    fn a_silent_peer_has_its_place_for_the_least_time() {
        let mut places = flooded(silent);
        let end = LEAST_PATIENCE;
        assert_eq!(places.look(site(FLOOD), end - Duration::from_nanos(1)), Place::At(end));
        assert_eq!(displaced(&mut places, site(FLOOD), end, silent(PLACES)), Some(0));
    }

    #[test]
    fn places_are_lost_one_after_the_other() {
        let mut places = flooded(silent);
        let now = LONG / 2;
        for number in 0..BURST as usize {
            assert_eq!(displaced(&mut places, site(FLOOD), now, silent(PLACES)), Some(number));
        }
        assert_eq!(places.look(site(2), now), Place::At(now + INTERVAL));
        let next = now + INTERVAL;
        assert_eq!(displaced(&mut places, site(2), next, silent(PLACES)), Some(BURST as usize));
        assert_eq!(places.look(site(2), next), Place::At(next + INTERVAL));
    }

    /// Peers that stand still after their first message keep their places no longer than silent ones.
    #[test]
    fn the_peer_that_has_kept_this_side_waiting_longest_is_ended() {
        let mut places = flooded(|number| if number == 3 { silent(3) } else { begun(PLACES - number) });
        let ended = (1..=4).map(|step| {
            let now = LONG / 2 + INTERVAL * step;
            displaced(&mut places, site(2), now, silent(1000))
        });
        assert_eq!(ended.collect::<Vec<_>>(), [Some(1), Some(2), Some(3), Some(3)]);
    }

    #[test]
    fn a_peer_that_waits_for_this_side_keeps_its_place() {
        let waits = |number| Peer { is_awaited: number == 7, ..silent(number) };
        let mut places = flooded(waits);
        assert_eq!(displaced(&mut places, site(2), LONG / 2, waits(PLACES)), Some(7));
        let next = LONG / 2 + INTERVAL;
        assert_eq!(places.look(site(2), next), Place::At(next + LEAST_PATIENCE));
    }

    /// A flood of one site: 1,000 peers a second come and stand still. A peer of the same one that needs 250 ms keeps its
    /// place for that time.
    #[test]
    fn a_peer_that_goes_on_is_not_ended_by_those_that_stand_still() {
        let mut places = flooded(begun);
        let (mut now, honest) = (LONG, usize::MAX);
        let begin = now;
        assert!(
            displaced(&mut places, site(FLOOD), now, Peer { answered: Some(now), ..silent(honest) })
                .is_some()
        );
        for number in PLACES.. {
            now += INTERVAL;
            let ended =
                displaced(&mut places, site(FLOOD), now, Peer { answered: Some(now), ..silent(number) });
            if ended == Some(honest) {
                break;
            }
        }
        assert!(now - begin >= Duration::from_millis(250), "{:?}", now - begin);
    }

    /// Another thread may have read from it in the meantime.
    #[test]
    fn a_connection_that_goes_on_although_it_was_to_be_ended_keeps_its_place() {
        let mut places = flooded(silent);
        let now = LONG / 2;
        for burst in 0..BURST {
            assert_eq!(places.look(site(2), now), Place::Of(silent(0)), "{burst}");
            assert!(matches!(places.look_again(), Place::At(_)));
        }
        assert_eq!(places.look_again(), Place::At(now + INTERVAL));
        assert_eq!(places.look(site(2), now), Place::At(now + INTERVAL));
        places.leave(|peer| peer.number == 0, true, now);
        assert_eq!(places.look_again(), Place::Free);
    }

    #[test]
    fn a_peer_of_another_site_gets_a_place_of_the_one_with_most_and_keeps_it() {
        // Handshakes are being completed, so those of the flood have more time for each other, but not for others.
        let mut places = flooded(begun);
        let now = LONG / 2;
        for number in 0..PLACES {
            places.leave(|peer| peer.number == number, true, now);
            places.take(begun(number), site(FLOOD), now);
        }
        assert_eq!(places.look(site(FLOOD), now), Place::At(now + LEAST_PATIENCE));
        let mut ended = Vec::new();
        for number in 0..PLACES / 2 {
            let now = now + INTERVAL * (number as u32 + 1);
            ended.extend(displaced(&mut places, site(2), now, begun(1000 + number)));
        }
        // Half of the places, and those are the flood's.
        assert_eq!(ended, (0..PLACES / 2).collect::<Vec<_>>());
        assert_eq!(places.share(site(2)), places.share(site(FLOOD)));
    }

    /// A peer whose first message is answered again and again.
    #[derive(Clone, Debug)]
    struct Restless(Rc<Cell<u64>>);

    impl Handshaking for Restless {
        fn answered(&self) -> Option<Duration> {
            self.0.set(self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            (self.0.get() >> 63 == 0).then(|| Duration::from_nanos(self.0.get() >> 40))
        }

        fn awaits_peer(&self) -> bool {
            false
        }
    }

    /// Other threads do so while a place is looked for.
    #[test]
    fn peers_are_answered_while_a_place_is_looked_for() {
        let (mut places, clock) = (Places::new(), Rc::new(Cell::new(7)));
        for _ in 0..PLACES {
            places.take(Restless(clock.clone()), site(FLOOD), Duration::ZERO);
        }
        for step in 0..100 {
            assert!(matches!(places.look(site(2), LONG + INTERVAL * step), Place::At(_)));
        }
    }

    #[test]
    fn peers_of_many_sites_take_places_of_each_other() {
        let mut places = full(begun, |number| site(number as u8));
        assert_eq!(displaced(&mut places, Site::of(None), LONG / 2, begun(PLACES)), Some(0));
    }

    #[test]
    fn a_crowd_has_time_to_go_on() {
        let mut places = flooded(begun);
        let now = LONG / 4;
        for number in 0..PLACES {
            places.leave(|peer| peer.number == number, true, now);
            places.take(begun(number), site(FLOOD), now);
        }
        assert_eq!(places.look(site(FLOOD), LONG / 2), Place::At(LONG / 2 + LEAST_PATIENCE));
        assert!(matches!(places.look(site(FLOOD), LONG), Place::Of(_)));
    }

    /// So that peers of other sites, which wait to be accepted behind them, need not wait long.
    #[test]
    fn a_site_with_most_places_is_turned_away_when_the_places_stay_full() {
        let waits = |number| Peer { is_awaited: false, ..silent(number) };
        let mut places = flooded(waits);
        assert!(matches!(places.look(site(FLOOD), LONG), Place::At(_)));
        let now = LONG * 2;
        for (interval, count) in [(0, (1 + BURST) * TURNED_AWAY), (1, TURNED_AWAY), (2, TURNED_AWAY)] {
            let now = now + INTERVAL * interval;
            for _ in 0..count {
                assert_eq!(places.look(site(FLOOD), now), Place::Never);
            }
            assert_eq!(places.look(site(FLOOD), now), Place::At(now + INTERVAL));
            assert!(matches!(places.look(site(2), now), Place::At(_)));
        }
        // A place is free for a moment: the flood is over.
        places.leave(|peer| peer.number == 0, false, now);
        let now = now + LONG;
        assert_eq!(places.look(site(FLOOD), now), Place::Free);
        places.take(waits(0), site(FLOOD), now);
        assert!(matches!(places.look(site(FLOOD), now), Place::At(_)));
    }
}
