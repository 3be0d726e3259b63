//! A lane: a bounded queue of messages from one producer to one consumer.
//!
//! Small messages are stored inline in recycled blocks, large ones as a pointer to their chunk,
//! so a small message costs one copy in, one copy out, and no allocation.
//!
//! This module has the state that both ends share; `producer` and `consumer` have the ends.
//!
//! # Edges
//!
//! The consumer reads without a lock while it finds messages. When it finds none, it takes the
//! tail's lock, which every push holds, and looks again; if there is still nothing, it *parks* the
//! lane. The first push to a parked lane is an edge: [`Pushed::edge`] says that the consumer must be
//! notified. Parking is decided under the lock that every push holds, so no edge is lost or
//! duplicated, and a push needs no fence besides that lock. A new lane is parked.
//!
//! A consumer that lets a batch gather leaves the lane unparked, and sets the number of bytes at
//! which a push is an edge as well ([`Consumer::report_at`]).
//!
//! In the other direction, a producer that finds the lane full sets `starved` and looks again; the
//! consumer sees the mark when it takes a message, and its pop is an edge if there is room again. A
//! producer that has a large batch can wait for the edge at which half of the lane is free.
//!
//! # Memory
//!
//! A lane that has carried nothing owns no block. A parked one keeps at most its small first block;
//! larger ones are freed when it parks. The bound counts the memory of the records, with their prefix,
//! rounded up, and the whole of their chunks, or this lane's part of a chunk that several lanes share;
//! but a bound of at most 1 KiB, where that does not matter, counts the bytes of messages. A lane below
//! its bound accepts a message of any size. Blocks come on top: one that is being filled, and up to 4 KiB
//! in each where the next record did not fit.

mod consumer;
mod pause_policy;
mod producer;

use std::sync::Arc;

use super::block::{Block, Charge};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{CachePadded, SpinLock, rank};

pub(crate) use consumer::{Consumer, Lookahead};
pub(crate) use producer::{Batch, Full, Producer, Pushed};

/// Bounds up to this count the bytes of messages: a host that sets so small a bound relies on how many
/// messages it holds, and the memory of the records besides is little.
const PAYLOAD_BOUND: usize = 1024;

/// Both ends of a new lane that holds messages of about `limit` bytes of memory, at least one.
pub(crate) fn lane(limit: usize) -> (Producer, Consumer) {
    let charge = if limit <= PAYLOAD_BOUND { Charge::Payload } else { Charge::Memory };
    let shared = Arc::new(Shared {
        limit: limit.max(1),
        charge,
        tail: SpinLock::new(Tail {
            block: None,
            first: None,
            offset: 0,
            parked: true,
            closed: false,
            written: 0,
            edge_at: 1,
        }),
        consumer: CachePadded(ConsumerProgress {
            taken: AtomicUsize::new(0),
            starved: AtomicBool::new(false),
            room_at: AtomicUsize::new(0),
        }),
    });
    let consumer = Consumer::new(shared.clone());
    (Producer::new(shared), consumer)
}

/// The state of a lane that both ends reach.
struct Shared {
    /// The bound, in what `charge` counts.
    limit: usize,
    charge: Charge,
    tail: SpinLock<Tail, rank::Lane>,
    consumer: CachePadded<ConsumerProgress>,
}

/// What the consumer writes with every message, and the producer reads seldom.
struct ConsumerProgress {
    /// The sum of the charges of all messages taken so far; wraps.
    taken: AtomicUsize,
    /// The producer found the lane full and must be notified of room.
    starved: AtomicBool,
    /// The value of `taken` from which there is the room that a starved producer waits for.
    room_at: AtomicUsize,
}

/// The producer's side. The consumer locks it only to park the lane and at other rare events.
struct Tail {
    /// The block that is written to.
    block: Option<Block>,
    /// The first block of a chain that the consumer has not seen yet.
    first: Option<Block>,
    /// The offset of the next record in `block`.
    offset: usize,
    /// The consumer has found the lane empty: both ends are at the start of the same block, or have none.
    parked: bool,
    /// The consumer was dropped: every push fails.
    closed: bool,
    /// The sum of the charges of all messages pushed so far; wraps.
    written: usize,
    /// The value of `written` from which a push is an edge. In a parked lane every push reaches it.
    edge_at: usize,
}

// SAFETY: the blocks that a tail points to belong to its lane, whose ends are `Send`.
unsafe impl Send for Tail {}

impl Shared {
    /// What waits in the lane, in what `charge` counts, as it was a moment ago.
    fn waiting(&self) -> usize {
        // Read first: what was taken by then was pushed before.
        let taken = self.consumer.taken.load(Ordering::Acquire);
        self.tail.lock().written.wrapping_sub(taken)
    }
}

/// Whether a wrapping count has reached a mark.
#[inline]
fn is_reached(mark: usize, count: usize) -> bool {
    count.wrapping_sub(mark).cast_signed() >= 0
}

/// A mark that a count does not reach before gigabytes have passed; a superfluous edge then does no harm.
fn never(count: usize) -> usize {
    count.wrapping_add(usize::MAX / 2)
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_tests;

#[cfg(all(test, shuttle))]
mod shuttle_tests;
