//! The registered sources, and which of them are ready.

use std::collections::VecDeque;
use std::sync::Arc;

use mio::Token;

use super::poller::{Events, WAKER};
use super::source::{Ready, Source};

/// Sources by token, and the queue of those that are ready.
#[derive(Default)]
pub(super) struct Sources {
    /// Indexed by token.
    slots: Vec<Slot>,
    /// Tokens of slots without a source.
    free: Vec<usize>,
    /// Tokens of slots that were reported ready, in that order. A slot stays queued when its source is
    /// removed.
    queue: VecDeque<usize>,
}

#[derive(Default)]
struct Slot {
    source: Option<Arc<dyn Source>>,
    /// The readiness to report; set while the slot is queued, unless its source was removed.
    ready: Option<Ready>,
}

impl Sources {
    /// Adds a source. Returns its token.
    pub(super) fn insert(&mut self, source: Arc<dyn Source>) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        self.slots[index].source = Some(source);
        Token(index)
    }

    /// Removes a source. Its readiness is not reported to the next source with this token.
    pub(super) fn remove(&mut self, token: Token) -> Option<Arc<dyn Source>> {
        let slot = std::mem::take(self.slots.get_mut(token.0)?);
        if slot.source.is_some() {
            self.free.push(token.0);
        }
        slot.source
    }

    /// Queues every source that has an event.
    pub(super) fn note_all(&mut self, events: &Events) {
        for event in events.iter().filter(|event| event.token() != WAKER) {
            let failed = event.is_error();
            let ready = Ready {
                read: failed || event.is_readable() || event.is_read_closed(),
                write: failed || event.is_writable() || event.is_write_closed(),
                end: failed || event.is_read_closed(),
            };
            self.note(event.token(), ready);
        }
    }

    /// Queues a source. One that is queued already keeps its position.
    pub(super) fn note(&mut self, token: Token, ready: Ready) {
        let Some(slot) = self.slots.get_mut(token.0).filter(|slot| slot.source.is_some()) else { return };
        match &mut slot.ready {
            Some(before) => *before = before.and(ready),
            None => {
                slot.ready = Some(ready);
                self.queue.push_back(token.0);
            }
        }
    }

    /// Takes the first source from the queue.
    pub(super) fn next(&mut self) -> Option<(Token, Arc<dyn Source>, Ready)> {
        while let Some(index) = self.queue.pop_front() {
            let slot = &mut self.slots[index];
            if let (Some(ready), Some(source)) = (slot.ready.take(), &slot.source) {
                return Some((Token(index), source.clone(), ready));
            }
        }
        None
    }

    /// Whether the queue is empty.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// All sources.
    pub(super) fn all(&self) -> Vec<Arc<dyn Source>> {
        self.slots.iter().filter_map(|slot| slot.source.clone()).collect()
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
    fn a_source_is_queued_once_however_often_it_is_reported() {
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
    fn readiness_of_a_removed_source_is_not_reported_to_the_next_with_its_token() {
        let mut sources = Sources::default();
        let token = sources.insert(Arc::new(Silent));
        sources.note(token, READ);
        assert!(sources.remove(token).is_some() && sources.remove(token).is_none());
        sources.note(token, READ);
        assert_eq!(sources.insert(Arc::new(Silent)), token);
        assert!(next(&mut sources).is_none());
    }
}
