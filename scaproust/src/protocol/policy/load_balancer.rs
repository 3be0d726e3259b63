//! Sends each message to one pipe, in turn; pipes of a lower priority get messages while the higher ones are
//! full.
//!
//! A pipe becomes inactive when it is full, and active when it is writable.

use super::PriorityList;
use crate::message::Payload;
use crate::protocol::{Context, PipeId, PipeRefused, PushOutcome};

/// The outbound side of PUSH and REQ.
#[derive(Debug)]
pub(crate) struct LoadBalancer {
    pipes: PriorityList,
}

impl LoadBalancer {
    pub(crate) fn new() -> LoadBalancer {
        LoadBalancer { pipes: PriorityList::new() }
    }

    pub(crate) fn insert(&mut self, pipe: PipeId, priority: u8) -> Result<(), PipeRefused> {
        self.pipes.insert(pipe, priority)
    }

    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.pipes.remove(pipe);
    }

    pub(crate) fn writable(&mut self, pipe: PipeId) {
        self.pipes.activate(pipe);
    }

    /// Sends a message, and returns the pipe that has taken it; `None` when no pipe has room: the body is
    /// then unchanged.
    #[inline]
    pub(crate) fn send(
        &mut self,
        header: &[u8],
        body: &mut Payload<'_>,
        context: &mut impl Context,
    ) -> Option<PipeId> {
        while let Some(pipe) = self.pipes.current() {
            match context.push(pipe, header, body) {
                PushOutcome::Taken => {
                    self.pipes.advance();
                    return Some(pipe);
                }
                PushOutcome::Full => self.pipes.deactivate_current(),
            }
        }
        None
    }

    pub(crate) fn can_send(&mut self, context: &mut impl Context) -> bool {
        while let Some(pipe) = self.pipes.current() {
            if context.has_room(pipe) {
                return true;
            }
            self.pipes.deactivate_current();
        }
        false
    }

    /// The priority of the pipe that the next message will be sent to; `None` while no pipe has room.
    pub(crate) fn priority(&mut self, context: &mut impl Context) -> Option<u8> {
        self.can_send(context).then(|| self.pipes.current_priority())?
    }
}
