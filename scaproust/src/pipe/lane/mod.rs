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
//! rounded up, and of their chunks the whole, or this lane's part of one that several lanes share; but a bound of at most 1 KiB, where that does not
//! matter, counts the bytes of messages. A lane below its bound accepts a message of any size. Blocks
//! come on top: one that is being filled, and up to 2 KiB in each where the next record did not fit. In
//! a lane that is not parked, blocks that were read stay as spare ones: together with the others no more than it once took.

mod consumer;
mod pause_policy;
mod producer;

use std::sync::Arc;

use super::block::{Block, Charge, LARGE, SMALL};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
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
            spare: None,
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
        spare: AtomicPtr::new(std::ptr::null_mut()),
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
    /// Large blocks that the consumer has read, for the producer to use again: a list, linked as [`Block::next`]; may be null.
    spare: AtomicPtr<()>,
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
    /// A list of blocks to use next.
    spare: Option<Block>,
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

    /// A block with room for a record of `size` bytes; `None` when out of memory.
    fn block(&self, tail: &mut Tail, size: usize) -> Option<Block> {
        if tail.block.is_none() && size <= SMALL {
            return Block::new(SMALL);
        }
        if size > LARGE {
            return Block::new(size);
        }
        let Some(block) = tail.spare.or_else(|| self.take_spare()) else { return Block::new(LARGE) };
        tail.spare = block.next();
        // SAFETY: a spare block is not used.
        unsafe { block.reset() };
        Some(block)
    }

    /// Takes the list to which the consumer adds.
    fn take_spare(&self) -> Option<Block> {
        // Acquire: the consumer's reads happen before a block is overwritten.
        Block::from_raw(self.spare.swap(std::ptr::null_mut(), Ordering::Acquire))
    }

    /// Takes all spare blocks out of both lists.
    fn take_all_spare(&self, tail: &mut Tail) -> [Option<Block>; 2] {
        [tail.spare.take(), self.take_spare()]
    }

    /// Keeps a block as a spare one, or frees it. Called by the consumer.
    ///
    /// # Safety
    /// The block's records must have been taken, and it must not be used after this call.
    unsafe fn recycle(&self, block: Block) {
        if block.capacity() != LARGE {
            // SAFETY: as the caller promises.
            return unsafe { block.free() };
        }
        let mut first = self.spare.load(Ordering::Relaxed);
        loop {
            block.set_next(Block::from_raw(first));
            // The list changes meanwhile only if the producer takes all of it.
            match self.spare.compare_exchange_weak(
                first,
                block.into_raw(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(changed) => first = changed,
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let spare = self.take_all_spare(&mut self.tail.lock());
        // The consumer's drop freed the other blocks.
        // SAFETY: both ends are dropped.
        unsafe { free_all(spare) };
    }
}

/// Frees the blocks of two lists.
///
/// # Safety
/// The blocks must not be used any more, and all their records must have been taken.
unsafe fn free_all(lists: [Option<Block>; 2]) {
    for mut next in lists {
        while let Some(block) = next {
            next = block.next();
            // SAFETY: as the caller promises.
            unsafe { block.free() };
        }
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
