//! A lane: a bounded queue of messages from one producer to one consumer.
//!
//! Small messages are stored inline in recycled blocks, large ones as a pointer to their chunk,
//! so a small message costs one copy in, one copy out, and no allocation.
//!
//! # Edges
//!
//! The consumer reads without a lock for as long as it finds messages. When it finds none, it
//! takes the producer's lock and looks again; if there is still nothing, it *parks* the lane. The
//! first push to a parked lane is an edge: [`Pushed::edge`] says that the consumer must be told.
//! As parking is decided under the lock that every push holds, no edge is lost and none comes
//! twice, and a push costs no fence besides that lock. A lane is parked from the start.
//!
//! A consumer that lets messages gather leaves the lane unparked, and names the number of bytes at which the push is
//! an edge as well ([`Consumer::report_at`]).
//!
//! The other way round, a producer that finds the lane full says so in `starved` and looks again;
//! the consumer that then takes a message sees the mark, and if there is room again, its pop is an edge.
//! A producer that has much to bring at once may be told later, when half of the lane is free.
//!
//! # Memory
//!
//! A lane that has carried nothing owns no block. One at rest keeps at most its small first
//! block; larger ones are given back when it parks. The bound counts the memory that records take,
//! with their prefix, rounded up, and with the whole of their chunk; but a bound of at most 1 KiB,
//! where that does not matter, counts the bytes of messages. A lane below its bound takes a message
//! of any size. Blocks come on top: one that is being filled and a spare one, and
//! up to 2 KiB in each where the next record did not fit.

use std::sync::Arc;
use std::time::Duration;

use super::block::{Block, Charge, LARGE, Record, SMALL, record_size};
use crate::message::{Chunk, Front, Metadata, Payload};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};
use crate::sync::{CachePadded, PausePolicy, SpinGuard, SpinLock, let_others_proceed, store_then_load};

/// A consumer that takes nothing is worth so many waits of a producer that could do without it.
const MOST_WAITS: u32 = 32;

/// A producer that had to sleep for little room lets more gather for so long at first,
const PAUSE: Duration = Duration::from_micros(50);
/// and in the end, while that is still little.
const MOST_PAUSE: Duration = Duration::from_millis(8);

/// Bounds up to this count the bytes of messages: hosts that set one count on it, and what a record
/// takes besides is little.
const COUNTS_PAYLOAD: usize = 1024;

/// Both ends of a new lane that holds messages of about `limit` bytes of memory, at least one.
pub(crate) fn lane(limit: usize) -> (Producer, Consumer) {
    let charge = if limit <= COUNTS_PAYLOAD { Charge::Payload } else { Charge::Memory };
    let shared = Arc::new(Shared {
        limit: limit.max(1),
        charge,
        tail: SpinLock::new(Tail {
            block: None,
            first: None,
            offset: 0,
            parked: true,
            gone: false,
            written: 0,
            edge_at: 1,
        }),
        consumer: CachePadded(Progress {
            taken: AtomicUsize::new(0),
            starved: AtomicBool::new(false),
            room_at: AtomicUsize::new(0),
        }),
        spare: AtomicPtr::new(std::ptr::null_mut()),
    });
    let consumer = Consumer {
        shared: shared.clone(),
        block: None,
        offset: 0,
        committed: 0,
        taken: 0,
        charge,
        told_at: None,
        pauses: PausePolicy::new(),
    };
    (
        Producer {
            shared,
            seen: Seen { taken: 0, waited_at: 0, waits: 0, was_little: false, pause: Duration::ZERO },
        },
        consumer,
    )
}

struct Shared {
    limit: usize,
    charge: Charge,
    tail: SpinLock<Tail>,
    /// A large block that the consumer is through with, for the producer to use again.
    spare: AtomicPtr<()>,
    consumer: CachePadded<Progress>,
}

/// What the consumer looks at and writes with every message, and the producer seldom.
struct Progress {
    /// The charges of what the consumer has taken, ever; wraps.
    taken: AtomicUsize,
    /// The producer found the lane full and wants to be told of room,
    starved: AtomicBool,
    /// which there is when `taken` has come to this.
    room_at: AtomicUsize,
}

/// The producer's side, which the consumer enters only to park.
struct Tail {
    /// The block that is written to.
    block: Option<Block>,
    /// The first block of a chain that the consumer has not seen yet.
    first: Option<Block>,
    /// Where the next record goes.
    offset: usize,
    /// The consumer has found the lane empty, and holds no pointer behind it.
    parked: bool,
    /// The consumer is gone: nothing can be pushed any more.
    gone: bool,
    /// The charges of what was pushed, ever; wraps.
    written: usize,
    /// The push is an edge after which `written` has come to this: any, if the lane is parked.
    edge_at: usize,
}

// SAFETY: the blocks that a tail points to belong to its lane, whose ends are `Send`.
unsafe impl Send for Tail {}

impl Shared {
    /// A block for a record of `size` bytes.
    fn block(&self, size: usize, is_first: bool) -> Option<Block> {
        if is_first && size <= SMALL {
            return Block::new(SMALL);
        }
        if size > LARGE {
            return Block::new(size);
        }
        // Acquire: what the consumer read happens before we write over it.
        let spare = self.spare.swap(std::ptr::null_mut(), Ordering::Acquire);
        Block::from_raw(spare).or_else(|| Block::new(LARGE))
    }

    /// Keeps a block for later, or frees it.
    ///
    /// # Safety
    /// Nobody may use the block any more.
    unsafe fn recycle(&self, block: Block) {
        let mut unused = Some(block);
        if block.capacity() == LARGE {
            // SAFETY: the caller says that the block is ours.
            unsafe { block.reset() };
            unused = Block::from_raw(self.spare.swap(block.into_raw(), Ordering::AcqRel));
        }
        if let Some(unused) = unused {
            // SAFETY: ours, or what stood in `spare`, which nobody uses.
            unsafe { unused.free() };
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The consumer freed the chain when it went; this is all that can be left.
        if let Some(spare) = Block::from_raw(self.spare.load(Ordering::Acquire)) {
            // SAFETY: nobody else has the lane any more.
            unsafe { spare.free() };
        }
    }
}

/// A message was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// The lane was empty: the consumer must be told.
    pub(crate) edge: bool,
}

/// The lane has no room, or its consumer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The end that messages are pushed into.
pub(crate) struct Producer {
    shared: Arc<Shared>,
    seen: Seen,
}

/// What the producer has seen of the consumer.
struct Seen {
    /// The last of `Progress::taken`; looked at again only when the lane seems full.
    taken: usize,
    /// What it was when the consumer was last found to take something.
    waited_at: usize,
    /// How often it was said to be worth waiting for since then.
    waits: u32,
    /// So little room had come at the last sleep that a pause is worth it if it is so again.
    was_little: bool,
    /// How long the last pause was after a sleep.
    pause: Duration,
}

impl Producer {
    /// Whether the next push will be taken. If not, the consumer's next pop will be an edge.
    pub(crate) fn has_room(&mut self) -> bool {
        self.batch().has_room()
    }

    /// As `has_room`; but if not, the edge comes only when half of the lane is free.
    pub(crate) fn has_room_or_waits_for_half(&mut self) -> bool {
        let half = self.shared.limit.div_ceil(2);
        self.batch().has_room_or_waits_for(half)
    }

    /// For pushes under one lock.
    pub(crate) fn batch(&mut self) -> Batch<'_> {
        Batch { tail: self.shared.tail.lock(), shared: &self.shared, seen: &mut self.seen }
    }
}

/// A producer that holds the lane's lock.
pub(crate) struct Batch<'a> {
    tail: SpinGuard<'a, Tail>,
    shared: &'a Shared,
    seen: &'a mut Seen,
}

impl Batch<'_> {
    /// Appends `head` and `body` as one message of a type, if it has one.
    ///
    /// # Errors
    /// [`Full`], and the body stays with the caller; the consumer's next pop will be an edge.
    #[inline]
    pub(crate) fn push(
        &mut self,
        head: &[u8],
        body: &mut Payload<'_>,
        metadata: Metadata,
    ) -> Result<Pushed, Full> {
        if !self.has_room() {
            return Err(Full);
        }
        self.append(head, body, metadata)
    }

    /// As [`Producer::has_room`].
    #[inline]
    fn has_room(&mut self) -> bool {
        self.has_room_or_waits_for(self.shared.limit)
    }

    /// Whether the lane is below its bound. If not, the edge comes when it holds less than `enough`.
    #[inline]
    fn has_room_or_waits_for(&mut self, enough: usize) -> bool {
        !self.tail.gone && (self.fits(self.seen.taken) || self.has_room_now(enough))
    }

    /// Whether the lane is below its bound when so much was taken.
    #[inline]
    fn fits(&self, taken: usize) -> bool {
        self.tail.written.wrapping_sub(taken) < self.shared.limit
    }

    /// Whether there is room when one looks at what was taken by now.
    #[cold]
    fn has_room_now(&mut self, enough: usize) -> bool {
        let Progress { taken, starved, room_at } = &*self.shared.consumer;
        self.seen.taken = taken.load(Ordering::Acquire);
        if self.fits(self.seen.taken) {
            return true;
        }
        // With `Consumer::publish_progress`: either it sees the mark, or we see what it took.
        room_at.store(self.tail.written.wrapping_sub(enough).wrapping_add(1), Ordering::Relaxed);
        starved.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.seen.taken = taken.load(Ordering::SeqCst);
        let fits = self.fits(self.seen.taken);
        if fits {
            starved.store(false, Ordering::Relaxed);
        }
        fits
    }

    /// Whether the lane is more than half full and the consumer takes something from time to time: then
    /// it is there, and only slower than the producer. One that takes nothing is soon given up.
    pub(crate) fn should_throttle(&mut self) -> bool {
        let is_crowded = |taken: usize| self.tail.written.wrapping_sub(taken) > self.shared.limit / 2;
        if !is_crowded(self.seen.taken) {
            return false;
        }
        self.seen.taken = self.shared.consumer.taken.load(Ordering::Acquire);
        if self.seen.taken != self.seen.waited_at {
            self.seen.waited_at = self.seen.taken;
            self.seen.waits = 0;
        }
        let answer = is_crowded(self.seen.taken) && self.seen.waits < MOST_WAITS;
        self.seen.waits += u32::from(answer);
        answer
    }

    /// How long the producer's thread should pause after a push for whose room it has slept for `slept`, so that more room
    /// gathers. Without the pause each of many producers of one consumer would be woken for each of its messages.
    pub(crate) fn pause_after(&mut self, slept: Duration) -> Duration {
        let Shared { limit, charge, consumer, .. } = self.shared;
        // Room that comes more slowly is waited for, and few messages are taken during the shortest pause.
        if slept >= MOST_PAUSE || matches!(charge, Charge::Payload) {
            return Duration::ZERO;
        }
        let Seen { taken, waited_at, was_little, pause, .. } = self.seen;
        *taken = consumer.taken.load(Ordering::Acquire);
        let room = taken.wrapping_sub(*waited_at);
        *waited_at = *taken;
        let is_little = room < limit / 16;
        if is_little && *was_little {
            *pause = (2 * *pause).clamp(PAUSE, MOST_PAUSE);
        } else if room > limit / 4 {
            *pause = Some(*pause / 2).filter(|half| *half >= PAUSE).unwrap_or_default();
        }
        *was_little = is_little;
        *pause
    }

    /// Pushes beyond the lane's bound: for bytes that have left the kernel already.
    ///
    /// # Errors
    /// [`Full`] when the consumer is gone, or memory is out.
    pub(crate) fn push_over(
        &mut self,
        head: &[u8],
        body: &mut Payload<'_>,
        metadata: Metadata,
    ) -> Result<Pushed, Full> {
        if self.tail.gone {
            return Err(Full);
        }
        self.append(head, body, metadata)
    }

    /// Whether the consumer is gone: what is pushed has nowhere to go.
    pub(crate) fn is_gone(&self) -> bool {
        self.tail.gone
    }

    fn append(&mut self, head: &[u8], body: &mut Payload<'_>, metadata: Metadata) -> Result<Pushed, Full> {
        let tail = &mut *self.tail;
        let (inline, chunk) = match &*body {
            Payload::Borrowed(bytes) => (head.len() + bytes.len(), None),
            Payload::Owned(chunk) => (head.len(), Some(chunk)),
        };
        let size = record_size(inline, chunk.is_some());
        let charge = self.shared.charge.of(inline, size, chunk);
        let block = match tail.block {
            Some(block) if tail.offset + size <= block.capacity() => block,
            previous => {
                let block = self.shared.block(size, previous.is_none()).ok_or(Full)?;
                match previous {
                    Some(previous) => previous.link(block),
                    None => tail.first = Some(block),
                }
                tail.block = Some(block);
                tail.offset = 0;
                block
            }
        };
        let record = match body.take() {
            Payload::Borrowed(bytes) => Record::Inline(head, bytes),
            Payload::Owned(chunk) => Record::Chunk(head, chunk),
        };
        // SAFETY: we hold the producer's lock, the record fits, and `offset` is the end.
        tail.offset = unsafe { block.write(tail.offset, record, metadata) };
        tail.written = tail.written.wrapping_add(charge);
        let edge = is_reached(tail.edge_at, tail.written);
        if edge {
            tail.parked = false;
            tail.edge_at = never(tail.written);
        }
        Ok(Pushed { edge })
    }
}

/// Whether a count that wraps has come to a mark.
#[inline]
fn is_reached(mark: usize, count: usize) -> bool {
    count.wrapping_sub(mark).cast_signed() >= 0
}

/// A mark that a count does not come to: at least not before gigabytes, and then an edge too many does no harm.
fn never(count: usize) -> usize {
    count.wrapping_add(usize::MAX / 2)
}

/// The end that messages are taken from.
pub(crate) struct Consumer {
    shared: Arc<Shared>,
    /// The block that is read from.
    block: Option<Block>,
    /// Where the front message begins in it.
    offset: usize,
    /// How far the block was committed when we last looked.
    committed: usize,
    /// As `Progress::taken`, which only we write.
    taken: usize,
    /// As in [`Shared`], whose other fields the producer writes.
    charge: Charge,
    /// What was taken when the producer was last told of room, until the lane is found empty.
    told_at: Option<usize>,
    /// How closely we follow the producer.
    pauses: PausePolicy,
}

// SAFETY: a consumer owns the blocks it points to, up to what is committed.
unsafe impl Send for Consumer {}

impl Consumer {
    /// The first message, in place. `None` parks the lane: its next push will be an edge.
    pub(crate) fn front(&mut self) -> Option<Front<'_>> {
        if !self.advance() {
            return None;
        }
        // SAFETY: `advance` found a committed record at `offset`; only we take it out.
        self.block.as_ref().map(|block| unsafe { block.read(self.offset).0 })
    }

    /// As [`Consumer::front`], but an empty lane is not parked: whoever looks goes on looking.
    pub(crate) fn front_unparked(&mut self) -> Option<Front<'_>> {
        // Without a block, what there may be is still with the producer.
        if !self.find() && (self.block.is_some() || !self.advance()) {
            return None;
        }
        // SAFETY: a committed record was found at `offset`; only we take it out.
        self.block.as_ref().map(|block| unsafe { block.read(self.offset).0 })
    }

    /// Makes the push an edge that brings the lane to `bytes` of messages, once, also if the lane is not parked.
    /// Answers whether there are so many already: then there is no such push.
    pub(crate) fn report_at(&mut self, bytes: usize) -> bool {
        let mut tail = self.shared.tail.lock();
        if tail.parked {
            // Any push is an edge, and must stay one.
            return false;
        }
        let mark = self.taken.wrapping_add(bytes);
        let has_gathered = is_reached(mark, tail.written);
        tail.edge_at = if has_gathered { never(tail.written) } else { mark };
        has_gathered
    }

    /// Whether there is no message. As [`Consumer::front`] without one, an empty lane is parked.
    #[inline]
    pub(crate) fn is_empty(&mut self) -> bool {
        !self.advance()
    }

    /// The first message, if the last call has found one and it was not taken.
    #[inline]
    pub(crate) fn peek(&self) -> Option<Front<'_>> {
        let block = self.block.as_ref().filter(|_| self.offset < self.committed)?;
        // SAFETY: a committed record is at `offset`; only we take it out.
        Some(unsafe { block.read(self.offset).0 })
    }

    /// Gives back the spare block, which is of no use without a producer. Answers the memory that the
    /// messages take which are still there, and their blocks.
    pub(crate) fn shrink(&mut self) -> usize {
        self.free_spare();
        let tail = self.shared.tail.lock();
        let mut footprint = tail.written.wrapping_sub(self.taken);
        let (mut next, mut offset) = (self.block.or(tail.first), self.offset);
        while let Some(block) = next {
            footprint = footprint.wrapping_add(block.footprint());
            if let Charge::Memory = self.charge {
                // Its records are part of the sum already.
                footprint = footprint.wrapping_sub(block.committed() - offset);
            }
            (next, offset) = (block.next(), 0);
        }
        footprint
    }

    /// Drops the first message. Answers whether the producer waits for room and must be told.
    pub(crate) fn pop(&mut self) -> bool {
        self.skip();
        self.publish_progress()
    }

    /// Drops the first message. The producer does not know before [`Consumer::publish_progress`].
    #[inline]
    pub(crate) fn skip(&mut self) {
        if !self.advance() {
            return;
        }
        let Some(block) = self.block else { return };
        // SAFETY: a committed record is at `offset`, and nobody reads it any more.
        drop(unsafe { self.take(block) });
    }

    /// Takes the chunk that holds the body of the first message, if a chunk does, and drops the
    /// message. The producer does not know before [`Consumer::publish_progress`].
    #[inline]
    pub(crate) fn take_chunk(&mut self) -> Option<Chunk> {
        if !self.advance() {
            return None;
        }
        // SAFETY: a committed record is at `offset`, and it is ours.
        let block = self.block.filter(|block| unsafe { block.has_chunk(self.offset) })?;
        // SAFETY: as above, and nobody reads it any more.
        unsafe { self.take(block) }
    }

    /// Goes on behind the first message; answers its chunk.
    ///
    /// # Safety
    /// A committed record must be at `offset` in the block, and nobody read it any more.
    #[inline]
    unsafe fn take(&mut self, block: Block) -> Option<Chunk> {
        // SAFETY: as the caller promises; the next record is another one.
        let (size, charge, chunk) = unsafe { block.take(self.offset, self.charge) };
        self.offset += size;
        self.taken = self.taken.wrapping_add(charge);
        chunk
    }

    /// Tells the producer what was taken. Answers whether it waits for room and must be told so.
    #[inline]
    pub(crate) fn publish_progress(&mut self) -> bool {
        let Progress { taken, starved, room_at } = &*self.shared.consumer;
        // With `has_room`: either the producer sees what we took, or we see its mark.
        store_then_load(taken, self.taken);
        let is_edge = starved.load(Ordering::SeqCst)
            && is_reached(room_at.load(Ordering::Relaxed), self.taken)
            && starved.swap(false, Ordering::Relaxed);
        if is_edge {
            self.told_at = Some(self.taken);
        }
        is_edge
    }

    /// Whether the lane, which was just found empty, was full shortly before: its producer was told of
    /// room, but has not come to use it, or not for long.
    pub(crate) fn producer_is_starved(&mut self) -> bool {
        let soon = self.shared.limit.saturating_mul(2);
        self.told_at.take().is_some_and(|told_at| self.taken.wrapping_sub(told_at) <= soon)
    }

    /// Moves on to the first message; answers whether there is one, and parks the lane if not.
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

    /// Moves on to the first message, if it can be seen without the producer's lock.
    fn find(&mut self) -> bool {
        loop {
            if self.offset < self.committed {
                return true;
            }
            let Some(block) = self.block else { return false };
            if self.pauses.should_pause() {
                let_others_proceed();
            }
            // The order matters: what was committed before `next` was linked is seen.
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
            // SAFETY: the producer has gone on to `next`, and so have we.
            unsafe { self.shared.recycle(block) };
        }
    }

    /// Decides under the producer's lock that the lane is empty; `false` if it is not.
    fn park(&mut self) -> bool {
        let mut tail = self.shared.tail.lock();
        if tail.parked {
            return true;
        }
        match self.block {
            None => {
                // The first push after a time without blocks left them here.
                self.block = tail.first.take();
                return false;
            }
            Some(block) if block.next().is_some() || block.committed() > self.offset => return false,
            Some(block) => {
                if block.capacity() == SMALL {
                    // SAFETY: the producer is kept out by the lock, and we have read all.
                    unsafe { block.reset() };
                } else {
                    // SAFETY: as above; both pointers to it are cleared.
                    unsafe { self.shared.recycle(block) };
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
        drop(tail);
        if self.block.is_none() {
            self.free_spare();
        }
        true
    }

    fn free_spare(&self) {
        if let Some(spare) = Block::from_raw(self.shared.spare.swap(std::ptr::null_mut(), Ordering::Acquire))
        {
            // SAFETY: what stands in `spare` is used by nobody.
            unsafe { spare.free() };
        }
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
            tail.gone = true;
            if let Some(block) = tail.block.take() {
                // SAFETY: the lane is empty and parked, and nothing is pushed any more.
                unsafe { block.free() };
            }
            return;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_tests;
