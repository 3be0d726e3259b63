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
    /// The index of each pipe in `pipes`.
    positions: BTreeMap<PipeId, usize>,
}

impl Distributor {
    pub(crate) fn new() -> Distributor {
        Distributor { pipes: Vec::new(), active: 0, positions: BTreeMap::new() }
    }

    /// Adds an inactive pipe.
    ///
    /// # Errors
    /// [`PipeRefused`] when out of memory.
    pub(crate) fn insert(&mut self, pipe: PipeId) -> Result<(), PipeRefused> {
        self.pipes.try_reserve(1).map_err(|_| PipeRefused)?;
        let before = self.positions.insert(pipe, self.pipes.len());
        debug_assert!(before.is_none(), "{pipe:?} was added twice");
        self.pipes.push(pipe);
        Ok(())
    }

    /// Removes a pipe, if it is there.
    pub(crate) fn remove(&mut self, pipe: PipeId) {
        let Some(&position) = self.positions.get(&pipe) else { return };
        let position = self.deactivate(position);
        self.exchange(position, self.pipes.len() - 1);
        self.pipes.pop();
        self.positions.remove(&pipe);
    }

    pub(crate) fn writable(&mut self, pipe: PipeId) {
        if let Some(&position) = self.positions.get(&pipe)
            && position >= self.active
        {
            self.exchange(position, self.active);
            self.active += 1;
        }
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
        while position < self.active {
            let pipe = self.pipes[position];
            let push = if position + 1 == self.active {
                context.push(pipe, header, body)
            } else {
                context.push(pipe, header, &mut body.clone())
            };
            match push {
                PushOutcome::Taken => position += 1,
                // The last active pipe, if there is another one, is at its position now.
                PushOutcome::Full => _ = self.deactivate(position),
            }
        }
        if self.active < self.pipes.len() {
            self.note_drops(except, context);
        }
    }

    /// The inactive pipes have missed a message, except for the one in `except`.
    #[cold]
    fn note_drops(&self, except: Option<PipeId>, context: &mut impl Context) {
        let position = except.and_then(|pipe| self.positions.get(&pipe));
        let is_excepted = position.is_some_and(|position| *position >= self.active);
        context.note_drops(self.pipes.len() - self.active - usize::from(is_excepted));
    }

    /// Moves a pipe to the front if it is active. Returns the position of the first other active pipe.
    fn set_aside(&mut self, pipe: Option<PipeId>) -> usize {
        match pipe.and_then(|pipe| self.positions.get(&pipe)) {
            Some(&position) if position < self.active => {
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
        self.active -= 1;
        self.exchange(position, self.active);
        self.active
    }

    fn exchange(&mut self, one: usize, two: usize) {
        if one != two {
            self.pipes.swap(one, two);
            self.positions.insert(self.pipes[one], one);
            self.positions.insert(self.pipes[two], two);
        }
    }
}
