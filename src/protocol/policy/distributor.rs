//! One message to all pipes; who has no room misses it.
//!
//! A pipe is active until it answers that it is full, and again when it is writable.

use std::collections::BTreeMap;

use crate::message::Payload;
use crate::protocol::{Context, PipeId, PipeRefused, Push};

/// The outbound side of PUB and BUS.
#[derive(Debug)]
pub struct Distributor {
    /// The active pipes, and behind them the others; in no order otherwise.
    pipes: Vec<PipeId>,
    /// How many of them are active.
    active: usize,
    /// Where each pipe is in `pipes`.
    positions: BTreeMap<PipeId, usize>,
}

impl Distributor {
    pub fn new() -> Distributor {
        Distributor { pipes: Vec::new(), active: 0, positions: BTreeMap::new() }
    }

    /// Adds a pipe, which is not active yet.
    ///
    /// # Errors
    /// [`PipeRefused`] when there is no memory for it.
    pub fn insert(&mut self, pipe: PipeId) -> Result<(), PipeRefused> {
        self.pipes.try_reserve(1).map_err(|_| PipeRefused)?;
        let before = self.positions.insert(pipe, self.pipes.len());
        debug_assert!(before.is_none(), "{pipe:?} was added twice");
        self.pipes.push(pipe);
        Ok(())
    }

    /// Forgets a pipe, if it is there.
    pub fn remove(&mut self, pipe: PipeId) {
        let Some(&position) = self.positions.get(&pipe) else { return };
        let position = self.deactivate(position);
        self.exchange(position, self.pipes.len() - 1);
        self.pipes.pop();
        self.positions.remove(&pipe);
    }

    pub fn writable(&mut self, pipe: PipeId) {
        if let Some(&position) = self.positions.get(&pipe)
            && position >= self.active
        {
            self.exchange(position, self.active);
            self.active += 1;
        }
    }

    /// Sends a message to every active pipe but one. The last of them gets the body itself, so
    /// that a sole receiver can have the very memory, and those before it get clones.
    pub fn send(
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
                Push::Taken => position += 1,
                // Another active pipe, if there is one, has its position now.
                Push::Full => _ = self.deactivate(position),
            }
        }
    }

    /// Moves a pipe to the front if it is active; answers where the other active ones begin.
    fn set_aside(&mut self, pipe: Option<PipeId>) -> usize {
        match pipe.and_then(|pipe| self.positions.get(&pipe)) {
            Some(&position) if position < self.active => {
                self.exchange(0, position);
                1
            }
            _ => 0,
        }
    }

    /// Moves a pipe behind the active ones; answers where it is then.
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
