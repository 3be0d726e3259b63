//! The registered sources, and which of them are ready.

use std::collections::VecDeque;
use std::sync::Arc;

use mio::{Events, Token};

use super::{MAILBOX, Ready, Source};

/// Sources by token, and the queue of those that are ready.
#[derive(Default)]
pub(super) struct Sources {
    places: Vec<Place>,
    /// Tokens of places without a source.
    free: Vec<usize>,
    /// Places that were reported ready, in that order. One whose source has gone stays in it.
    queue: VecDeque<usize>,
}

#[derive(Default)]
struct Place {
    source: Option<Arc<dyn Source>>,
    /// What is to be reported to the source; then the place is in the queue.
    ready: Option<Ready>,
}

impl Sources {
    /// Gives a source a token.
    pub(super) fn insert(&mut self, source: Arc<dyn Source>) -> Token {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        });
        self.places[place].source = Some(source);
        Token(place)
    }

    /// Forgets a source; nothing is reported to the next one that gets its token.
    pub(super) fn remove(&mut self, token: Token) -> Option<Arc<dyn Source>> {
        let place = std::mem::take(self.places.get_mut(token.0)?);
        if place.source.is_some() {
            self.free.push(token.0);
        }
        place.source
    }

    /// Puts every source that has an event into the queue.
    pub(super) fn note_all(&mut self, events: &Events) {
        for event in events.iter().filter(|event| event.token() != MAILBOX) {
            let failed = event.is_error();
            let ready = Ready {
                read: failed || event.is_readable() || event.is_read_closed(),
                write: failed || event.is_writable() || event.is_write_closed(),
                end: failed || event.is_read_closed(),
            };
            self.note(event.token(), ready);
        }
    }

    /// Puts a source into the queue; one that is there already stays at its place.
    pub(super) fn note(&mut self, token: Token, ready: Ready) {
        let Some(place) = self.places.get_mut(token.0).filter(|place| place.source.is_some()) else { return };
        match &mut place.ready {
            Some(before) => *before = before.and(ready),
            None => {
                place.ready = Some(ready);
                self.queue.push_back(token.0);
            }
        }
    }

    /// Takes the first source out of the queue.
    pub(super) fn next(&mut self) -> Option<(Token, Arc<dyn Source>, Ready)> {
        while let Some(number) = self.queue.pop_front() {
            let place = &mut self.places[number];
            if let (Some(ready), Some(source)) = (place.ready.take(), &place.source) {
                return Some((Token(number), source.clone(), ready));
            }
        }
        None
    }

    /// Whether the queue is empty.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Every source.
    pub(super) fn all(&self) -> Vec<Arc<dyn Source>> {
        self.places.iter().filter_map(|place| place.source.clone()).collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Silent;
    impl Source for Silent {}

    const READ: Ready = Ready { read: true, write: false, end: false };
    const WRITE: Ready = Ready { read: false, write: true, end: false };

    fn next(sources: &mut Sources) -> Option<(usize, bool, bool)> {
        sources.next().map(|(token, _, ready)| (token.0, ready.read, ready.write))
    }

    #[test]
    fn a_source_is_in_the_queue_once_however_often_it_is_reported() {
        let mut sources = Sources::default();
        let (first, second) = (sources.insert(Arc::new(Silent)), sources.insert(Arc::new(Silent)));
        for _ in 0..3 {
            sources.note(first, READ);
            sources.note(second, READ);
        }
        sources.note(first, WRITE);
        assert_eq!(next(&mut sources), Some((first.0, true, true)));
        sources.note(first, READ);
        assert_eq!(next(&mut sources), Some((second.0, true, false)));
        assert_eq!(next(&mut sources), Some((first.0, true, false)));
        assert!(next(&mut sources).is_none() && sources.is_idle());
    }

    #[test]
    fn what_was_reported_of_a_source_does_not_reach_the_next_one_with_its_token() {
        let mut sources = Sources::default();
        let token = sources.insert(Arc::new(Silent));
        sources.note(token, READ);
        assert!(sources.remove(token).is_some() && sources.remove(token).is_none());
        sources.note(token, READ);
        assert_eq!(sources.insert(Arc::new(Silent)), token);
        assert!(next(&mut sources).is_none());
    }
}
