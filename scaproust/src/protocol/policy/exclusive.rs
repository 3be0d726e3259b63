//! One peer at a time.
//!
//! Messages of earlier peers are received first, in the order of these peers. So messages stay in order
//! when the connection to a peer is lost and established again.

use std::collections::VecDeque;

use crate::message::{Front, Payload};
use crate::protocol::{Context, PipeId, PipeRefused, PushOutcome};

/// Both sides of PAIR and PAIR v1.
#[derive(Debug)]
pub(crate) struct Exclusive {
    /// The pipe that messages are sent to.
    peer: Option<PipeId>,
    /// The pipes that messages are received from, the oldest first; the peer is the last.
    sources: VecDeque<PipeId>,
    /// Whether there was an edge of the peer's pipe. Its lane is not looked into before: the pipe may not be announced.
    is_open: bool,
}

impl Exclusive {
    pub(crate) fn new() -> Exclusive {
        Exclusive { peer: None, sources: VecDeque::new(), is_open: false }
    }

    /// Makes a pipe the peer.
    ///
    /// # Errors
    /// [`PipeRefused`] while there is a peer.
    pub(crate) fn insert(&mut self, pipe: PipeId) -> Result<(), PipeRefused> {
        if self.peer.is_some() {
            return Err(PipeRefused);
        }
        self.peer = Some(pipe);
        self.is_open = false;
        self.sources.push_back(pipe);
        Ok(())
    }

    /// Stops sending to a pipe and lets another become the peer. Its messages can still be received.
    pub(crate) fn release(&mut self, pipe: PipeId) {
        if self.peer == Some(pipe) {
            self.peer = None;
        }
    }

    /// Removes a pipe, if it is there.
    pub(crate) fn remove(&mut self, pipe: PipeId) {
        self.release(pipe);
        self.sources.retain(|source| *source != pipe);
    }

    /// A pipe has a message. A pipe of an earlier peer may have been removed as empty: it is added again.
    pub(crate) fn readable(&mut self, pipe: PipeId) {
        self.open(pipe);
        if !self.sources.contains(&pipe) {
            self.sources.push_front(pipe);
        }
    }

    /// There was an edge of a pipe.
    pub(crate) fn open(&mut self, pipe: PipeId) {
        self.is_open |= self.peer == Some(pipe);
    }

    /// Sends a message; `false` when there is no peer, or no room: the body is then unchanged.
    pub(crate) fn send(&mut self, header: &[u8], body: &mut Payload<'_>, context: &mut impl Context) -> bool {
        self.peer.is_some_and(|pipe| context.push(pipe, header, body) == PushOutcome::Taken)
    }

    pub(crate) fn can_send(&self, context: &mut impl Context) -> bool {
        self.peer.is_some_and(|pipe| context.has_room(pipe))
    }

    /// The pipe of the next message that `is_wanted`. Other messages are dropped, as long as
    /// [`Context::drop_front`] allows it.
    #[inline]
    pub(crate) fn find(
        &mut self,
        context: &mut impl Context,
        mut is_wanted: impl FnMut(Front<'_>) -> bool,
    ) -> Option<PipeId> {
        while let Some(&pipe) = self.sources.front() {
            let is_peer = self.peer == Some(pipe);
            if is_peer && !self.is_open {
                return None;
            }
            match context.front(pipe).map(&mut is_wanted) {
                Some(true) => return Some(pipe),
                Some(false) if context.drop_front(pipe) => {}
                Some(false) => return None,
                None if is_peer => return None,
                // An earlier peer, whose messages have all been received.
                None => _ = self.sources.pop_front(),
            }
        }
        None
    }
}
