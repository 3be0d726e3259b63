//! Timers, ordered by the moment at which they fire. Moments are times of the monotonic clock.

use std::collections::BTreeMap;
use std::time::Duration;

/// Identifies a timer; never reused by the same [`Timers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerId {
    moment: Duration,
    number: u64,
}

impl TimerId {
    /// When the timer fires.
    pub(crate) fn moment(self) -> Duration {
        self.moment
    }
}

/// Timers in the order of their moments; those of one moment in the order in which they were set.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    waiting: BTreeMap<TimerId, T>,
    /// How many timers were set so far.
    count: u64,
}

impl<T> Default for Timers<T> {
    /// No timers.
    fn default() -> Timers<T> {
        Timers { waiting: BTreeMap::new(), count: 0 }
    }
}

impl<T> Timers<T> {
    /// Sets a timer. Returns its id, and whether it is the next one to fire.
    pub(crate) fn insert(&mut self, moment: Duration, what: T) -> (TimerId, bool) {
        let id = self.next_id(moment);
        let is_first = self.waiting.first_key_value().is_none_or(|(first, _)| id < *first);
        self.waiting.insert(id, what);
        (id, is_first)
    }

    /// An id that no other timer has.
    pub(crate) fn next_id(&mut self, moment: Duration) -> TimerId {
        self.count += 1;
        TimerId { moment, number: self.count }
    }

    /// Removes a timer.
    pub(crate) fn remove(&mut self, id: TimerId) -> Option<T> {
        self.waiting.remove(&id)
    }

    /// The moment of the next timer.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.waiting.first_key_value().map(|(id, _)| id.moment)
    }

    /// Removes the next timer if its moment has come.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<T> {
        let entry = self.waiting.first_entry()?;
        (entry.key().moment <= now).then(|| entry.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_only_when_due() {
        let mut timers = Timers::default();
        let at = Duration::from_secs;
        let (_, first) = timers.insert(at(5), "five");
        let (three, earlier) = timers.insert(at(3), "three");
        let (_, later) = timers.insert(at(5), "five again");
        assert_eq!((first, earlier, later), (true, true, false));
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.remove(three), Some("three"));
        assert_eq!(timers.pop_due(at(4)), None);
        assert_eq!(timers.pop_due(at(5)), Some("five"));
        assert_eq!(timers.pop_due(at(6)), Some("five again"));
        assert_eq!(timers.pop_due(at(6)), None);
        assert_eq!(timers.next(), None);
    }
}
