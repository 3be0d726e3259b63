//! Receives from all pipes in turn; pipes of a lower priority wait until the higher ones are empty.
//!
//! A pipe becomes inactive when its inbound lane is empty, and active when it is readable.

use super::PriorityList;
use crate::message::Front;
use crate::protocol::{Context, PipeId, PipeRefused};

/// The inbound side of most protocols.
#[derive(Debug)]
pub(crate) struct FairQueue {
    pipes: PriorityList,
}

impl FairQueue {
    pub(crate) fn new() -> FairQueue {
        FairQueue { pipes: PriorityList::new() }
    }

    pub(crate) fn insert(&mut self, pipe: PipeId, priority: u8) -> Result<(), PipeRefused> {
        self.pipes.insert(pipe, priority)
    }

    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.pipes.remove(pipe);
    }

    pub(crate) fn readable(&mut self, pipe: PipeId) {
        self.pipes.activate(pipe);
    }

    /// Finds the next message for which `inspect` returns a value, and returns its pipe and that value.
    /// Messages for which it returns `None` are dropped, as long as [`Context::drop_front`] allows it.
    /// The message stays in its lane, and the next call finds it again.
    #[inline]
    pub(crate) fn find<T>(
        &mut self,
        context: &mut impl Context,
        mut inspect: impl FnMut(Front<'_>) -> Option<T>,
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

    /// As [`FairQueue::find`], for a message that is delivered: it is then the turn of the next pipe.
    #[inline]
    pub(crate) fn take<T>(
        &mut self,
        context: &mut impl Context,
        inspect: impl FnMut(Front<'_>) -> Option<T>,
    ) -> Option<(PipeId, T)> {
        let found = self.find(context, inspect)?;
        self.pipes.advance();
        Some(found)
    }
}
