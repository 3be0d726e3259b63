//! Receiving without another thread: a call that would sleep reads from the connections itself.
//!
//! Owns what a blocked receiver reads from. It borrows the reading of its socket's connections, waits
//! for their descriptors and for the socket's event, and reads into the lanes; after that it is as
//! if the I/O thread had done so. One thread of a socket does this, the others sleep. Of many
//! connections it borrows those that spoke lately, if they are few. The I/O thread reads from the
//! others, and from all of a socket whose descriptors somebody polls.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Socket;
use super::core::Core;
use super::recent_peers::MOST;
use crate::pipe::DirectRead;
use crate::protocol::PipeId;
use crate::sync::Descriptor;
use crate::sync::atomic::Ordering;

/// The connections of a socket that are worth reading from.
pub(super) type DirectReads = SmallVec<[Arc<dyn DirectRead>; 2]>;

impl Core {
    /// Remembers whom a message came from, if there are more than can all be read from.
    #[inline]
    pub(super) fn note_speaker(&mut self, pipe: PipeId) {
        if self.pipes.open() > MOST {
            self.recent_peers.note(pipe);
        }
    }

    /// The connections that a call may read from itself.
    pub(super) fn direct_reads(&mut self) -> DirectReads {
        if self.receivable.is_some() {
            return DirectReads::new();
        }
        if self.pipes.open() <= MOST {
            return self.pipes.peers().filter_map(|peer| peer.clone().direct_read()).collect();
        }
        let peer = |id: &PipeId| self.pipes.get(*id)?.peer.clone();
        self.recent_peers.pipes().iter().filter_map(peer).filter_map(|peer| peer.direct_read()).collect()
    }

    /// As `direct_reads`, and remembers that a call is going to borrow from them.
    pub(super) fn lend(&mut self) -> DirectReads {
        let direct_reads = self.direct_reads();
        self.fetches = !direct_reads.is_empty();
        direct_reads
    }
}

/// Connections whose reading was borrowed; it is given back when this goes.
pub(super) struct Acquired {
    direct_reads: DirectReads,
    descriptors: SmallVec<[Descriptor; 2]>,
}

impl Acquired {
    /// Borrows from those that lend.
    pub(super) fn from(mut direct_reads: DirectReads) -> Acquired {
        let mut descriptors = SmallVec::new();
        direct_reads.retain(|direct_read| {
            let descriptor = direct_read.clone().acquire();
            descriptors.extend(descriptor);
            descriptor.is_some()
        });
        Acquired { direct_reads, descriptors }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.direct_reads.len()
    }

    /// What to wait for.
    pub(super) fn descriptors(&self) -> &[Descriptor] {
        &self.descriptors
    }

    /// Reads what has come, into the lanes.
    pub(super) fn fetch(&self) {
        self.direct_reads.iter().for_each(|direct_read| direct_read.clone().fetch());
    }

    /// As `fetch`, of those that are ready.
    pub(super) fn fetch_ready(&self, readiness: impl Iterator<Item = bool>) {
        // Of what was not waited for, nothing is known.
        let readiness = readiness.chain(std::iter::repeat(true));
        for (direct_read, _) in self.direct_reads.iter().zip(readiness).filter(|(_, is_ready)| *is_ready) {
            direct_read.clone().fetch();
        }
    }

    /// Has the I/O thread read again at once: the socket is being closed.
    pub(super) fn revoke(mut self) {
        self.direct_reads.drain(..).for_each(|direct_read| direct_read.revoke());
    }
}

impl Drop for Acquired {
    fn drop(&mut self) {
        for direct_read in self.direct_reads.drain(..) {
            direct_read.release();
        }
    }
}

impl Socket {
    /// Gives back what was borrowed, and the right to borrow: another call may have it now.
    pub(super) fn release(&self, acquired: Acquired) {
        drop(acquired);
        self.receivers.unwatch();
        // With the fence in `unwatch`, and that of a socket that becomes watchful: either we see that, or
        // who registers finds the right free.
        if self.needs_prompt_processing.load(Ordering::Relaxed) {
            self.core.lock().registrations.notify_receivers();
        }
    }

    /// Reads from the connections that are not read in the background, for a call that does not
    /// wait.
    pub(super) fn fetch_borrowed(&self, direct_reads: DirectReads) {
        let mut any = false;
        for direct_read in direct_reads {
            any |= direct_read.fetch_if_acquired();
        }
        if !any {
            // A call may be about to borrow. Then what comes is read when that call ends, or
            // shortly after by the I/O thread, as if this call had come a moment earlier.
            self.core.lock().fetches = false;
        }
    }
}
