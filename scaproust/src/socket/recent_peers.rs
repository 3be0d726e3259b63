//! The pipes of a socket that messages have lately come from.

use smallvec::SmallVec;

use crate::protocol::PipeId;

/// With more connections than this, waiting for all of them costs more than leaving them to the I/O thread.
pub(super) const MAX_PEERS: usize = 16;
/// When more peers than that are active, this many messages pass before the list is filled again.
const PAUSE: u32 = 1024;
/// The pipes that messages have lately come from, if they are few.
#[derive(Debug)]
pub(super) struct RecentPeers {
    pipes: SmallVec<[PipeId; MAX_PEERS]>,
    /// How many messages pass before pipes are noted again.
    pause: u32,
}

impl RecentPeers {
    /// No pipes.
    pub(super) fn new() -> RecentPeers {
        RecentPeers { pipes: SmallVec::new(), pause: 0 }
    }

    /// Notes that a message came from this pipe. Returns the pipes noted before, when they have become too many.
    pub(super) fn note(&mut self, pipe: PipeId) -> Option<SmallVec<[PipeId; MAX_PEERS]>> {
        if self.pause > 0 {
            self.pause -= 1;
        } else if self.pipes.contains(&pipe) {
            // It is noted already.
        } else if self.pipes.len() < MAX_PEERS {
            self.pipes.push(pipe);
        } else {
            self.pause = PAUSE;
            return Some(std::mem::take(&mut self.pipes));
        }
        None
    }

    /// The pipes, if they are few.
    pub(super) fn pipes(&self) -> &[PipeId] {
        &self.pipes
    }

    /// Removes a pipe, which is gone.
    pub(super) fn forget(&mut self, pipe: PipeId) {
        self.pipes.retain(|other| *other != pipe);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn few_active_peers_are_listed_and_many_clear_the_list_for_a_while() {
        let mut recent_peers = RecentPeers::new();
        let ids: Vec<_> = (0..=MAX_PEERS as u32).map(PipeId).collect();
        for _ in 0..3 {
            ids[..MAX_PEERS].iter().for_each(|id| assert_eq!(recent_peers.note(*id), None));
            assert_eq!(recent_peers.pipes.as_slice(), &ids[..MAX_PEERS]);
        }
        recent_peers.forget(ids[0]);
        assert_eq!(recent_peers.note(ids[0]), None);
        assert_eq!(recent_peers.pipes.len(), MAX_PEERS);
        let noted = recent_peers.note(ids[MAX_PEERS]).unwrap();
        assert_eq!(noted.len(), MAX_PEERS);
        for _ in 0..PAUSE {
            assert!(recent_peers.pipes.is_empty());
            assert_eq!(recent_peers.note(ids[0]), None);
        }
        assert_eq!(recent_peers.note(ids[1]), None);
        assert_eq!(recent_peers.pipes.as_slice(), &ids[1..2]);
    }
}
