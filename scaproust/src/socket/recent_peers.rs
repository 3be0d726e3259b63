//! The pipes that messages came from lately.

use smallvec::SmallVec;

use crate::protocol::PipeId;

/// With more connections than this, waiting for all of them costs more than another thread.
pub(super) const MOST: usize = 16;
/// When more connections than that speak, so many messages are received before it is tried again.
const REST: u32 = 1024;
/// The pipes of a socket that messages came from lately, if they are few.
#[derive(Debug)]
pub(super) struct RecentPeers {
    pipes: SmallVec<[PipeId; MOST]>,
    /// Messages that are to come before any pipe is noted.
    rest: u32,
}

impl RecentPeers {
    /// Nobody has spoken.
    pub(super) fn new() -> RecentPeers {
        RecentPeers { pipes: SmallVec::new(), rest: 0 }
    }

    /// A message came from this pipe.
    pub(super) fn note(&mut self, pipe: PipeId) {
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

    /// The pipes, if they are few.
    pub(super) fn pipes(&self) -> &[PipeId] {
        &self.pipes
    }

    /// A pipe is gone.
    pub(super) fn forget(&mut self, pipe: PipeId) {
        self.pipes.retain(|speaker| *speaker != pipe);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn few_speakers_are_known_and_many_are_left_alone_for_a_while() {
        let mut recent_peers = RecentPeers::new();
        let ids: Vec<_> = (0..=MOST as u32).map(PipeId).collect();
        for _ in 0..3 {
            ids[..MOST].iter().for_each(|id| recent_peers.note(*id));
            assert_eq!(recent_peers.pipes.as_slice(), &ids[..MOST]);
        }
        recent_peers.forget(ids[0]);
        recent_peers.note(ids[0]);
        assert_eq!(recent_peers.pipes.len(), MOST);
        recent_peers.note(ids[MOST]);
        for _ in 0..REST {
            assert!(recent_peers.pipes.is_empty());
            recent_peers.note(ids[0]);
        }
        recent_peers.note(ids[1]);
        assert_eq!(recent_peers.pipes.as_slice(), &ids[1..2]);
    }
}
