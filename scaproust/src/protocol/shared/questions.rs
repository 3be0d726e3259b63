//! The open questions of all conversations: their numbers, and their deadlines.

use std::collections::{BTreeMap, BTreeSet};

use super::Place;
use crate::protocol::Time;
use crate::protocol::backtrace::next_question;

/// Requests without a reply, or surveys whose deadline has not passed.
#[derive(Debug)]
pub(super) struct Questions {
    /// The word of the question that was asked last.
    last: u32,
    /// The places of the open questions by their words.
    places: BTreeMap<u32, Place>,
    /// Their deadlines, if they have one, each with the place.
    deadlines: BTreeSet<(Time, Place)>,
}

impl Questions {
    /// No open questions. The first one will have the number that follows `last`.
    pub(super) fn new(last: u32) -> Questions {
        Questions { last, places: BTreeMap::new(), deadlines: BTreeSet::new() }
    }

    /// Opens a question with a number that no other one has. Returns its word.
    pub(super) fn open(&mut self, place: Place) -> u32 {
        loop {
            self.last = next_question(self.last);
            if !self.places.contains_key(&self.last) {
                self.places.insert(self.last, place);
                return self.last;
            }
        }
    }

    /// Opens a question that a plain machine has asked with this word.
    pub(super) fn adopt(&mut self, word: u32, place: Place) {
        self.places.insert(word, place);
    }

    /// Closes the question of a place, if it is open: no reply will be found for it.
    pub(super) fn close(&mut self, word: u32, place: Place) {
        if self.place(word) == Some(place) {
            self.places.remove(&word);
        }
    }

    /// The place of the open question with this word.
    pub(super) fn place(&self, word: u32) -> Option<Place> {
        self.places.get(&word).copied()
    }

    /// Whether there are open questions.
    pub(super) fn are_open(&self) -> bool {
        !self.places.is_empty()
    }

    /// Replaces the deadline of a place.
    pub(super) fn set_deadline(&mut self, place: Place, old: Option<Time>, new: Option<Time>) {
        if let Some(old) = old {
            self.deadlines.remove(&(old, place));
        }
        if let Some(new) = new {
            self.deadlines.insert((new, place));
        }
    }

    /// The first deadline.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes a deadline that has passed. Returns its place.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Place> {
        let first = *self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        self.deadlines.remove(&first);
        Some(first.1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_number_in_use_is_skipped() {
        let mut questions = Questions::new(u32::MAX - 1);
        assert_eq!((questions.open(4), questions.open(5)), (u32::MAX, 0x8000_0000));
        questions.close(0x8000_0000, 4);
        assert_eq!(questions.place(0x8000_0000), Some(5));
        questions.close(0x8000_0000, 5);
        questions.last = u32::MAX - 1;
        assert_eq!(questions.open(6), 0x8000_0000);
        assert_eq!((questions.place(u32::MAX), questions.place(0x8000_0000)), (Some(4), Some(6)));
        questions.close(u32::MAX, 4);
        assert_eq!(questions.place(u32::MAX), None);
    }

    #[test]
    fn deadlines_are_taken_in_order() {
        let at = Duration::from_millis;
        let mut questions = Questions::new(0);
        questions.set_deadline(1, None, Some(at(30)));
        questions.set_deadline(2, None, Some(at(10)));
        questions.set_deadline(3, None, Some(at(10)));
        questions.set_deadline(2, Some(at(10)), Some(at(20)));
        assert_eq!(questions.deadline(), Some(at(10)));
        assert_eq!((questions.take_due(at(9)), questions.take_due(at(20))), (None, Some(3)));
        assert_eq!((questions.take_due(at(20)), questions.take_due(at(20))), (Some(2), None));
        questions.set_deadline(1, Some(at(30)), None);
        assert_eq!(questions.deadline(), None);
    }
}
