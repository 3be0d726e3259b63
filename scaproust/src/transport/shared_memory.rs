//! The shared memory that connections of ipc may use: the size of a ring, and how many connections of a socket have one.

use std::sync::Arc;

use crate::option::MOST_SHARED;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The fewest bytes of a ring.
pub(crate) const LEAST_BYTES: u32 = 4096;
/// The most bytes of a ring.
pub(crate) const MOST_BYTES: u32 = MOST_SHARED.unsigned_abs();
/// The most connections of a socket that have rings; others are as without the option.
pub(crate) const MOST_CONNECTIONS: usize = 64;

/// The size of the ring that stands for this number of bytes, at most [`MOST_BYTES`]: the next power of two, and at least
/// [`LEAST_BYTES`]. Zero stays zero.
pub(crate) fn ring_size(bytes: u32) -> u32 {
    if bytes == 0 { 0 } else { bytes.min(MOST_BYTES).next_power_of_two().max(LEAST_BYTES) }
}

/// What a socket allows its connections of ipc.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedMemory {
    /// The bytes of one ring; zero if shared memory is off.
    ring: u32,
    /// The connections of the socket that have rings.
    connections: Arc<AtomicUsize>,
}

/// The right of a connection to have rings. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl SharedMemory {
    /// Rings of `bytes`, rounded as [`ring_size`] says, for a socket that counts its `connections` with rings.
    pub(crate) fn new(bytes: u32, connections: &Arc<AtomicUsize>) -> SharedMemory {
        SharedMemory { ring: ring_size(bytes), connections: connections.clone() }
    }

    /// The bytes of one ring; zero if shared memory is off.
    pub(crate) fn ring(&self) -> u32 {
        self.ring
    }

    /// A place for one more connection, if there is one.
    #[cfg_attr(
        not(any(all(test, not(loom)), all(target_os = "linux", not(any(loom, portable, simulated))))),
        expect(dead_code, reason = "this system has no rings")
    )]
    pub(crate) fn take_place(&self) -> Option<Place> {
        let take = |count| (self.ring > 0 && count < MOST_CONNECTIONS).then_some(count + 1);
        self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Place(self.connections.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_a_power_of_two_of_bytes() {
        let sizes =
            [(0, 0), (1, 4096), (4096, 4096), (4097, 8192), (1 << 20, 1 << 20), (MOST_BYTES, MOST_BYTES)];
        for (bytes, size) in sizes.into_iter().chain([(MOST_BYTES + 1, MOST_BYTES), (u32::MAX, MOST_BYTES)]) {
            assert_eq!(ring_size(bytes), size, "{bytes}");
        }
    }

    #[test]
    fn the_connections_with_rings_are_bounded() {
        let memory = SharedMemory::new(1, &Arc::default());
        let mut places: Vec<_> = std::iter::from_fn(|| memory.take_place()).collect();
        assert_eq!(places.len(), MOST_CONNECTIONS);
        places.pop();
        assert!(memory.take_place().is_some());
        assert!(SharedMemory::default().take_place().is_none());
    }
}
