//! The end of a lane that messages are taken from.

use std::sync::Arc;

use super::pause_policy::PausePolicy;
use super::{ConsumerProgress, Shared, is_reached, never};
use crate::message::{Chunk, Front};
use crate::pipe::block::{Block, Charge, SMALL};
use crate::sync::atomic::Ordering;
use crate::sync::{let_others_proceed, store_then_load};

/// A place in a lane, up to which its consumer has looked ahead.
#[derive(Default)]
pub(crate) struct Lookahead {
    /// The block of the next message. Without meaning once the consumer has taken more than `taken`.
    block: Option<Block>,
    /// The offset of the next message in the block.
    offset: usize,
    /// The value of [`Consumer::taken`] when all messages before the next one are taken.
    taken: u64,
}

// SAFETY: it is used only with the consumer of its lane, which keeps the block alive.
unsafe impl Send for Lookahead {}

/// The end that messages are taken from.
pub(crate) struct Consumer {
    shared: Arc<Shared>,
    /// The block that is read from.
    block: Option<Block>,
    /// The offset of the front message in the block.
    offset: usize,
    /// How far the block was committed when it was last checked.
    committed: usize,
    /// The sum of the charges of all messages taken so far. Does not wrap, so that a [`Lookahead`] of long ago is not mistaken for
    /// one that is ahead.
    taken: u64,
    /// A copy of the field in [`Shared`], to keep off the cache line that the producer writes.
    charge: Charge,
    /// The value of `taken` when the producer was last notified of room. Cleared when the lane is found
    /// empty.
    notified_at: Option<u64>,
    pauses: PausePolicy,
}

// SAFETY: a consumer owns the blocks that it points to, up to what is committed.
unsafe impl Send for Consumer {}

impl Consumer {
    pub(super) fn new(shared: Arc<Shared>) -> Consumer {
        Consumer {
            charge: shared.charge,
            pauses: PausePolicy::new(shared.limit),
            shared,
            block: None,
            offset: 0,
            committed: 0,
            taken: 0,
            notified_at: None,
        }
    }

    /// The first message, in place. `None` parks the lane: the next push will be an edge.
    pub(crate) fn front(&mut self) -> Option<Front<'_>> {
        if !self.advance() {
            return None;
        }
        // SAFETY: `advance` found a committed record at `offset`; only the consumer takes it out.
        self.block.as_ref().map(|block| unsafe { block.read(self.offset).0 })
    }

    /// As [`Consumer::front`], but does not park an empty lane: the caller must look again.
    pub(crate) fn front_unparked(&mut self) -> Option<Front<'_>> {
        // Without a block, the first one can only be taken from the tail.
        if !self.find() && (self.block.is_some() || !self.advance()) {
            return None;
        }
        // SAFETY: a committed record was found at `offset`; only the consumer takes it out.
        self.block.as_ref().map(|block| unsafe { block.read(self.offset).0 })
    }

    /// Makes the push that brings the lane to `bytes` of messages an edge, once, although the lane is not
    /// parked. Returns whether there are as many already: then no push is made an edge.
    pub(crate) fn report_at(&mut self, bytes: usize) -> bool {
        let mut tail = self.shared.tail.lock();
        if tail.parked {
            // Any push is an edge, and must stay one.
            return false;
        }
        let mark = self.taken_part().wrapping_add(bytes);
        let has_gathered = is_reached(mark, tail.written);
        tail.edge_at = if has_gathered { never(tail.written) } else { mark };
        has_gathered
    }

    /// The first message behind `place` in this lane, which stays there. Moves `place` behind it. After `None`, the push of
    /// that message is an edge.
    pub(crate) fn look_ahead<'a>(&'a mut self, place: &'a mut Lookahead) -> Option<Front<'a>> {
        loop {
            if place.taken <= self.taken {
                // No message is between the front and `place`. An empty lane is parked here.
                if !self.advance() {
                    return None;
                }
                *place = Lookahead { block: self.block, offset: self.offset, taken: self.taken };
            }
            let block = place.block?;
            // `next` must be loaded first: then everything committed before it was linked is seen.
            let next = block.next();
            if place.offset < block.committed() {
                break;
            }
            match next {
                Some(next) => (place.block, place.offset) = (Some(next), 0),
                None if self.report_at((place.taken - self.taken) as usize + 1) => {}
                None => return None,
            }
        }
        let Lookahead { block, offset, taken } = place;
        // SAFETY: a committed record is at the place. It is not taken while it is borrowed, since only the consumer takes it.
        let (front, size, charge) = unsafe { block.as_ref()?.inspect(*offset, self.charge) };
        *offset += size;
        *taken += charge as u64;
        Some(front)
    }

    /// Whether there is no message. Parks an empty lane, as [`Consumer::front`] does.
    #[inline]
    pub(crate) fn is_empty(&mut self) -> bool {
        !self.advance()
    }

    /// About how many bytes wait in the lane, as its bound counts them.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting()
    }

    /// The lane's bound in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.shared.limit
    }

    /// The first message, if an earlier call has found it and it was not taken.
    #[inline]
    pub(crate) fn peek(&self) -> Option<Front<'_>> {
        let block = self.block.as_ref().filter(|_| self.offset < self.committed)?;
        // SAFETY: a committed record is at `offset`; only the consumer takes it out.
        Some(unsafe { block.read(self.offset).0 })
    }

    /// The memory of the messages that are left, in bytes, with their blocks.
    pub(crate) fn footprint(&self) -> usize {
        let tail = self.shared.tail.lock();
        let mut footprint = tail.written.wrapping_sub(self.taken_part());
        let (mut next, mut offset) = (self.block.or(tail.first), self.offset);
        while let Some(block) = next {
            footprint = footprint.wrapping_add(block.footprint());
            if let Charge::Memory = self.charge {
                // The records are part of the sum already.
                footprint = footprint.wrapping_sub(block.committed() - offset);
            }
            (next, offset) = (block.next(), 0);
        }
        footprint
    }

    /// Drops the first message. Returns whether the producer must be notified of room.
    pub(crate) fn pop(&mut self) -> bool {
        self.skip();
        self.publish_progress()
    }

    /// Drops the first message. [`Consumer::publish_progress`] must follow.
    #[inline]
    pub(crate) fn skip(&mut self) {
        if !self.advance() {
            return;
        }
        let Some(block) = self.block else { return };
        // SAFETY: a committed record is at `offset`, and no borrow of it is left.
        drop(unsafe { self.take(block) });
    }

    /// Calls `takes` with the messages in their order, and drops those for which it returns `true`. Ends at the first message for
    /// which `takes` returns `false`, or whose body is in a chunk: that message and those behind it stay. Looks for no new messages,
    /// only at those that earlier calls have found. [`Consumer::publish_progress`] must follow.
    #[inline]
    pub(crate) fn drain(&mut self, mut takes: impl FnMut(&Front<'_>) -> bool) {
        let Some(block) = self.block else { return };
        while self.offset < self.committed {
            // SAFETY: a committed record is at `offset`; only the consumer takes it out, and nothing of it is borrowed then.
            unsafe {
                if block.has_chunk(self.offset) || !takes(&block.read(self.offset).0) {
                    return;
                }
                self.take(block);
            }
        }
    }

    /// Takes the chunk that holds the body of the first message, if a chunk does, and drops the
    /// message. [`Consumer::publish_progress`] must follow.
    #[inline]
    pub(crate) fn take_chunk(&mut self) -> Option<Chunk> {
        if !self.advance() {
            return None;
        }
        // SAFETY: a committed record is at `offset`; only the consumer takes it out.
        let block = self.block.filter(|block| unsafe { block.has_chunk(self.offset) })?;
        // SAFETY: as above, and no borrow of it is left.
        unsafe { self.take(block) }
    }

    /// Another reference to the chunk that holds the body of the first message, if a chunk does.
    pub(crate) fn share_chunk(&mut self) -> Option<Chunk> {
        if !self.advance() {
            return None;
        }
        // SAFETY: `advance` found a committed record at `offset`; only the consumer takes it out.
        self.block.and_then(|block| unsafe { block.share_chunk(self.offset) })
    }

    /// Takes the first message out and returns its chunk.
    ///
    /// # Safety
    /// A committed record must be at `offset` in the block, and no borrow of it may be left.
    #[inline]
    unsafe fn take(&mut self, block: Block) -> Option<Chunk> {
        // SAFETY: as the caller promises; the next record is another one.
        let (size, charge, chunk) = unsafe { block.take(self.offset, self.charge) };
        self.offset += size;
        self.taken += charge as u64;
        chunk
    }

    /// The value of `taken` that is published, which wraps on machines with small words.
    #[inline]
    pub(super) fn taken_part(&self) -> usize {
        self.taken as usize
    }

    /// Publishes what was taken. Returns whether the producer waits for room and must be notified.
    #[inline]
    pub(crate) fn publish_progress(&mut self) -> bool {
        let ConsumerProgress { taken, starved, room_at } = &*self.shared.consumer;
        // Pairs with `Batch::has_room_now`: either the producer sees this progress, or this sees its mark.
        store_then_load(taken, self.taken_part());
        let is_edge = starved.load(Ordering::SeqCst)
            && is_reached(room_at.load(Ordering::Relaxed), self.taken_part())
            && starved.swap(false, Ordering::Relaxed);
        if is_edge {
            self.notified_at = Some(self.taken);
        }
        is_edge
    }

    /// Whether the lane, which was just found empty, was full shortly before: the producer was notified of
    /// room but has pushed little since, probably for want of a processor. `true` once for each notification.
    pub(crate) fn producer_is_starved(&mut self) -> bool {
        let soon = self.shared.limit.saturating_mul(2) as u64;
        self.notified_at.take().is_some_and(|notified_at| self.taken - notified_at <= soon)
    }

    /// Moves on to the first message. Returns whether there is one; parks the lane if not.
    #[inline]
    fn advance(&mut self) -> bool {
        self.offset < self.committed || self.advance_further()
    }

    fn advance_further(&mut self) -> bool {
        while !self.find() {
            if self.park() {
                return false;
            }
        }
        true
    }

    /// Moves on to the first message, if it can be found without the tail's lock.
    fn find(&mut self) -> bool {
        loop {
            if self.offset < self.committed {
                return true;
            }
            let Some(block) = self.block else { return false };
            if self.pauses.should_pause() {
                let_others_proceed();
            }
            // `next` must be loaded first: then everything committed before it was linked is seen.
            let next = block.next();
            self.committed = block.committed();
            if self.offset < self.committed {
                self.pauses.found(self.committed - self.offset);
                return true;
            }
            let Some(next) = next else { return false };
            self.block = Some(next);
            self.offset = 0;
            self.committed = 0;
            // SAFETY: both ends have moved on to `next`, and all records were taken.
            unsafe { block.free() };
        }
    }

    /// Parks the lane under the tail's lock. Returns `false` if it is not empty.
    fn park(&mut self) -> bool {
        let mut tail = self.shared.tail.lock();
        if tail.parked {
            return true;
        }
        match self.block {
            None => {
                // The first push to a lane without blocks has left the block here.
                self.block = tail.first.take();
                return false;
            }
            Some(block) if block.next().is_some() || block.committed() > self.offset => return false,
            Some(block) => {
                if block.capacity() == SMALL {
                    // SAFETY: the lock keeps the producer out, and all records were taken.
                    unsafe { block.reset() };
                } else {
                    // SAFETY: as above; both pointers to it are cleared.
                    unsafe { block.free() };
                    self.block = None;
                    tail.block = None;
                }
                tail.offset = 0;
                self.offset = 0;
                self.committed = 0;
                tail.parked = true;
                tail.edge_at = tail.written.wrapping_add(1);
                self.pauses.found_nothing();
            }
        }
        true
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        loop {
            while self.front().is_some() {
                self.pop();
            }
            let mut tail = self.shared.tail.lock();
            if !tail.parked {
                continue;
            }
            tail.closed = true;
            if let Some(block) = tail.block.take() {
                // SAFETY: the lane is empty and parked, and every later push fails.
                unsafe { block.free() };
            }
            return;
        }
    }
}
