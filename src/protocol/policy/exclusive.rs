//! One peer at a time.
//!
//! What earlier peers sent before they went is received first, in the order in which they came:
//! a peer whose connection was lost and came back is heard in order.

use std::collections::VecDeque;

use crate::message::Payload;
use crate::protocol::{Context, PipeId, PipeRefused, Push};

/// Both sides of PAIR.
#[derive(Debug)]
pub struct Exclusive {
    /// Whom messages are sent to.
    peer: Option<PipeId>,
    /// Whose messages are received, the oldest first; the peer, if there is one, is the last.
    sources: VecDeque<PipeId>,
}

impl Exclusive {
    pub fn new() -> Exclusive {
        Exclusive { peer: None, sources: VecDeque::new() }
    }

    /// Makes a pipe the peer.
    ///
    /// # Errors
    /// [`PipeRefused`] while there is another peer.
    pub fn insert(&mut self, pipe: PipeId) -> Result<(), PipeRefused> {
        if self.peer.is_some() {
            return Err(PipeRefused);
        }
        self.peer = Some(pipe);
        self.sources.push_back(pipe);
        Ok(())
    }

    /// Frees the place of the peer; its messages can still be received.
    pub fn release(&mut self, pipe: PipeId) {
        if self.peer == Some(pipe) {
            self.peer = None;
        }
    }

    /// Forgets a pipe, if it is there.
    pub fn remove(&mut self, pipe: PipeId) {
        self.release(pipe);
        self.sources.retain(|source| *source != pipe);
    }

    /// A pipe has a message; one that has gone may have been given up already.
    pub fn readable(&mut self, pipe: PipeId) {
        if !self.sources.contains(&pipe) {
            self.sources.push_front(pipe);
        }
    }

    /// Sends a message; `false` when there is no peer, or no room: the body is as it was.
    pub fn send(&mut self, header: &[u8], body: &mut Payload<'_>, context: &mut impl Context) -> bool {
        self.peer.is_some_and(|pipe| context.push(pipe, header, body) == Push::Taken)
    }

    pub fn can_send(&self, context: &mut impl Context) -> bool {
        self.peer.is_some_and(|pipe| context.has_room(pipe))
    }

    /// Whose message is the next.
    pub fn find(&mut self, context: &mut impl Context) -> Option<PipeId> {
        while let Some(&pipe) = self.sources.front() {
            if context.front(pipe).is_some() {
                return Some(pipe);
            }
            if self.peer == Some(pipe) {
                return None;
            }
            // It has gone, and nothing of it is left.
            self.sources.pop_front();
        }
        None
    }
}
