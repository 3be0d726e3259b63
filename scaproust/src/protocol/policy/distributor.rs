//! Sends each message to all pipes; a pipe without room misses it.
//!
//! A pipe becomes inactive when it is full, and active when it is writable.

use std::collections::BTreeMap;

use crate::message::Payload;
use crate::protocol::{Context, PipeId, PipeRefused, PushOutcome};

/// The outbound side of PUB, BUS and SURVEYOR.
#[derive(Debug)]
pub(crate) struct Distributor {
    /// The active pipes, followed by the inactive ones.
    pipes: Vec<PipeId>,
    /// The number of active pipes.
    active: usize,
    /// What is known of each pipe.
    entries: BTreeMap<PipeId, Entry>,
    /// The number of messages that were sent to all pipes.
    messages: u64,
}

/// What is known of a pipe.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its index in the list.
    position: usize,
    /// How many messages an active pipe has missed. For an inactive one, which misses each further message, it is that
    /// number less [`Distributor::messages`], and so need not be changed with each of them. It wraps around.
    missed: u64,
}

impl Distributor {
    pub(crate) fn new() -> Distributor {
        Distributor { pipes: Vec::new(), active: 0, entries: BTreeMap::new(), messages: 0 }
    }

    /// Adds an inactive pipe.
    ///
    /// # Errors
    /// [`PipeRefused`] when out of memory.
    pub(crate) fn insert(&mut self, pipe: PipeId) -> Result<(), PipeRefused> {
        self.pipes.try_reserve(1).map_err(|_| PipeRefused)?;
        let entry = Entry { position: self.pipes.len(), missed: 0_u64.wrapping_sub(self.messages) };
        let before = self.entries.insert(pipe, entry);
        debug_assert!(before.is_none(), "{pipe:?} was added twice");
        self.pipes.push(pipe);
        Ok(())
    }

    /// Removes a pipe, if it is there.
    pub(crate) fn remove(&mut self, pipe: PipeId) {
        let Some(&Entry { position, .. }) = self.entries.get(&pipe) else { return };
        let position = self.deactivate(position);
        self.exchange(position, self.pipes.len() - 1);
        self.pipes.pop();
        self.entries.remove(&pipe);
    }

    pub(crate) fn writable(&mut self, pipe: PipeId) {
        if let Some(Entry { position, missed }) = self.entries.get_mut(&pipe)
            && *position >= self.active
        {
            *missed = missed.wrapping_add(self.messages);
            let position = *position;
            self.exchange(position, self.active);
            self.active += 1;
        }
    }

    /// How many messages a pipe has missed since it was added; 0 if it is not there.
    pub(crate) fn missed_by(&self, pipe: PipeId) -> u64 {
        let Some(Entry { position, missed }) = self.entries.get(&pipe) else { return 0 };
        if *position < self.active { *missed } else { missed.wrapping_add(self.messages) }
    }

    /// Whether there is an active pipe.
    pub(crate) fn has_active(&self) -> bool {
        self.active > 0
    }

    /// Sends a message to all active pipes, without the one in `except`. The last pipe gets the body
    /// itself, and the others clones, so that a sole receiver gets the body without a copy.
    pub(crate) fn send(
        &mut self,
        header: &[u8],
        body: &mut Payload<'_>,
        except: Option<PipeId>,
        context: &mut impl Context,
    ) {
        let mut position = self.set_aside(except);
        context.share_among(self.active - position);
        while position < self.active {
            let pipe = self.pipes[position];
            let push = if position + 1 == self.active {
                context.push(pipe, header, body)
            } else {
                context.push_copy(pipe, header, body)
            };
            match push {
                PushOutcome::Taken => position += 1,
                // The last active pipe, if there is another one, is at its position now.
                PushOutcome::Full => _ = self.deactivate(position),
            }
        }
        context.share_among(1);
        self.messages += 1;
        if self.active < self.pipes.len() {
            self.note_drops(except, context);
        }
    }

    /// The inactive pipes have missed a message, except for the one in `except`.
    #[cold]
    fn note_drops(&mut self, except: Option<PipeId>, context: &mut impl Context) {
        let mut count = self.pipes.len() - self.active;
        if let Some(entry) = except.and_then(|pipe| self.entries.get_mut(&pipe))
            && entry.position >= self.active
        {
            entry.missed = entry.missed.wrapping_sub(1);
            count -= 1;
        }
        context.note_drops(count);
    }

    /// Moves a pipe to the front if it is active. Returns the position of the first other active pipe.
    fn set_aside(&mut self, pipe: Option<PipeId>) -> usize {
        match pipe.and_then(|pipe| self.entries.get(&pipe)) {
            Some(&Entry { position, .. }) if position < self.active => {
                self.exchange(0, position);
                1
            }
            _ => 0,
        }
    }

    /// Moves a pipe behind the active ones. Returns its new position.
    fn deactivate(&mut self, position: usize) -> usize {
        if position >= self.active {
            return position;
        }
        if let Some(entry) = self.entries.get_mut(&self.pipes[position]) {
            entry.missed = entry.missed.wrapping_sub(self.messages);
        }
        self.active -= 1;
        self.exchange(position, self.active);
        self.active
    }

    fn exchange(&mut self, one: usize, two: usize) {
        if one != two {
            self.pipes.swap(one, two);
            for position in [one, two] {
                if let Some(entry) = self.entries.get_mut(&self.pipes[position]) {
                    entry.position = position;
                }
            }
        }
    }
}
