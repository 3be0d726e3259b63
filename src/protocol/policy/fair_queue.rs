//! One message from one pipe: the next of the best priority that has one.
//!
//! A pipe is active until its lane is empty, and again when it is readable.

use super::PriorityList;
use crate::message::Front;
use crate::protocol::{Context, PipeId, PipeRefused};

/// The inbound side of most protocols.
#[derive(Debug)]
pub struct FairQueue {
    pipes: PriorityList,
}

impl FairQueue {
    pub fn new() -> FairQueue {
        FairQueue { pipes: PriorityList::new() }
    }

    pub fn insert(&mut self, pipe: PipeId, priority: u8) -> Result<(), PipeRefused> {
        self.pipes.insert(pipe, priority)
    }

    pub fn remove(&mut self, pipe: PipeId) {
        self.pipes.remove(pipe);
    }

    pub fn readable(&mut self, pipe: PipeId) {
        self.pipes.activate(pipe);
    }

    /// Finds the next message of which `inspect` makes something, and leaves it in its place: the
    /// same message is found again. Messages of which it makes nothing are dropped,
    /// for as long as the context allows.
    #[inline]
    pub fn find<T>(
        &mut self,
        context: &mut impl Context,
        inspect: impl Fn(Front<'_>) -> Option<T>,
    ) -> Option<(PipeId, T)> {
        while let Some(pipe) = self.pipes.current() {
            let Some(front) = context.front(pipe) else {
                self.pipes.deactivate_current();
                continue;
            };
            if let Some(found) = inspect(front) {
                return Some((pipe, found));
            }
            let may_go_on = context.drop_front(pipe);
            self.pipes.advance();
            if !may_go_on {
                return None;
            }
        }
        None
    }

    /// As [`FairQueue::find`], for a message that is delivered: the next pipe comes to its turn.
    #[inline]
    pub fn take<T>(
        &mut self,
        context: &mut impl Context,
        inspect: impl Fn(Front<'_>) -> Option<T>,
    ) -> Option<(PipeId, T)> {
        let found = self.find(context, inspect)?;
        self.pipes.advance();
        Some(found)
    }
}
