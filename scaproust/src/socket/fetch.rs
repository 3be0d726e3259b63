//! Receiving without another thread: a call that would sleep reads from the connections itself.
//!
//! Owns what a blocked receiver reads from. It borrows the reading of its socket's connections, waits
//! for their descriptors and for the socket's event, and reads into the lanes; after that it is as
//! if the I/O thread had done so. One thread of a socket does this, the others sleep. Of many
//! connections it borrows those that spoke lately, if they are few. The I/O thread reads from the
//! others, and from all of a socket whose descriptors somebody polls.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Core, Socket};
use crate::pipe::Remote;
use crate::protocol::PipeId;
use crate::sync::Descriptor;
use crate::sync::atomic::Ordering;

/// With more connections than this, waiting for all of them costs more than another thread.
const MOST: usize = 16;
/// When more connections than that speak, so many messages are received before it is tried again.
const REST: u32 = 1024;

/// The connections of a socket that are worth reading from.
pub(super) type Remotes = SmallVec<[Arc<dyn Remote>; 2]>;

/// The pipes of a socket that messages came from lately, if they are few.
#[derive(Debug)]
pub(super) struct Speakers {
    pipes: SmallVec<[PipeId; MOST]>,
    /// Messages that are to come before any pipe is noted.
    rest: u32,
}

impl Speakers {
    /// Nobody has spoken.
    pub(super) fn new() -> Speakers {
        Speakers { pipes: SmallVec::new(), rest: 0 }
    }

    /// A message came from this pipe.
    fn note(&mut self, pipe: PipeId) {
        if self.rest > 0 {
            self.rest -= 1;
        } else if self.pipes.contains(&pipe) {
            // It is known.
        } else if self.pipes.len() < MOST {
            self.pipes.push(pipe);
        } else {
            self.pipes.clear();
            self.rest = REST;
        }
    }

    /// A pipe is gone.
    pub(super) fn forget(&mut self, pipe: PipeId) {
        self.pipes.retain(|speaker| *speaker != pipe);
    }
}

impl Core {
    /// Remembers whom a message came from, if there are more than can all be read from.
    #[inline]
    pub(super) fn note_speaker(&mut self, pipe: PipeId) {
        if self.pipes.open() > MOST {
            self.speakers.note(pipe);
        }
    }

    /// The connections that a call may read from itself.
    pub(super) fn remotes(&mut self) -> Remotes {
        if self.receivable.is_some() {
            return Remotes::new();
        }
        if self.pipes.open() <= MOST {
            return self.pipes.peers().filter_map(|peer| peer.clone().remote()).collect();
        }
        let peer = |id: &PipeId| self.pipes.get(*id)?.peer.clone();
        self.speakers.pipes.iter().filter_map(peer).filter_map(|peer| peer.remote()).collect()
    }

    /// As `remotes`, and remembers that a call is going to borrow from them.
    pub(super) fn lend(&mut self) -> Remotes {
        let remotes = self.remotes();
        self.fetches = !remotes.is_empty();
        remotes
    }
}

/// Connections whose reading was borrowed; it is given back when this goes.
pub(super) struct Borrowed {
    remotes: Remotes,
    descriptors: SmallVec<[Descriptor; 2]>,
}

impl Borrowed {
    /// Borrows from those that lend.
    pub(super) fn from(mut remotes: Remotes) -> Borrowed {
        let mut descriptors = SmallVec::new();
        remotes.retain(|remote| {
            let descriptor = remote.clone().borrow();
            descriptors.extend(descriptor);
            descriptor.is_some()
        });
        Borrowed { remotes, descriptors }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.remotes.len()
    }

    /// What to wait for.
    pub(super) fn descriptors(&self) -> &[Descriptor] {
        &self.descriptors
    }

    /// Reads what has come, into the lanes.
    pub(super) fn fetch(&self) {
        self.remotes.iter().for_each(|remote| remote.clone().fetch());
    }

    /// As `fetch`, of those that are ready.
    pub(super) fn fetch_ready(&self, readiness: impl Iterator<Item = bool>) {
        // Of what was not waited for, nothing is known.
        let readiness = readiness.chain(std::iter::repeat(true));
        for (remote, _) in self.remotes.iter().zip(readiness).filter(|(_, is_ready)| *is_ready) {
            remote.clone().fetch();
        }
    }

    /// Has the I/O thread read again at once: the socket is being closed.
    pub(super) fn recall(mut self) {
        self.remotes.drain(..).for_each(|remote| remote.recall());
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        for remote in self.remotes.drain(..) {
            remote.give_back();
        }
    }
}

impl Socket {
    /// Gives back what was borrowed, and the right to borrow: another call may have it now.
    pub(super) fn give_back(&self, borrowed: Borrowed) {
        drop(borrowed);
        self.receivers.unwatch();
        // With the fence in `unwatch`, and that of a socket that becomes watchful: either we see that, or
        // who registers finds the right free.
        if self.is_watchful.load(Ordering::Relaxed) {
            self.core.lock().tell_receivers();
        }
    }

    /// Reads from the connections that are not read in the background, for a call that does not
    /// wait.
    pub(super) fn fetch_borrowed(&self, remotes: Remotes) {
        let mut any = false;
        for remote in remotes {
            any |= remote.fetch_if_borrowed();
        }
        if !any {
            // A call may be about to borrow. Then what comes is read when that call ends, or
            // shortly after by the I/O thread, as if this call had come a moment earlier.
            self.core.lock().fetches = false;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn few_speakers_are_known_and_many_are_left_alone_for_a_while() {
        let mut speakers = Speakers::new();
        let ids: Vec<_> = (0..=MOST as u32).map(PipeId).collect();
        for _ in 0..3 {
            ids[..MOST].iter().for_each(|id| speakers.note(*id));
            assert_eq!(speakers.pipes.as_slice(), &ids[..MOST]);
        }
        speakers.forget(ids[0]);
        speakers.note(ids[0]);
        assert_eq!(speakers.pipes.len(), MOST);
        speakers.note(ids[MOST]);
        for _ in 0..REST {
            assert!(speakers.pipes.is_empty());
            speakers.note(ids[0]);
        }
        speakers.note(ids[1]);
        assert_eq!(speakers.pipes.as_slice(), &ids[1..2]);
    }
}
