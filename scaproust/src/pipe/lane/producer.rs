//! The end of a lane that messages are pushed into.

use std::sync::Arc;
use std::time::Duration;

use super::{ConsumerProgress, Shared, Tail, is_reached, never};
use crate::message::{Metadata, Payload, SHARED_FROM};
use crate::pipe::block::{Block, Charge, Record, record_size};
use crate::sync::atomic::{Ordering, fence};
use crate::sync::{SpinGuard, rank};

/// The number of times that a producer throttles itself for a consumer that makes no progress.
pub(super) const MAX_THROTTLES: u32 = 32;

/// The shortest pause of a producer that had to sleep for little room.
pub(super) const MIN_PAUSE: Duration = Duration::from_micros(50);
/// The longest one; the pause doubles while the room stays little. A sender that has slept for as long does not
/// pause: its receiver is slow.
pub(super) const MAX_PAUSE: Duration = Duration::from_millis(64);
/// The longest one after a short sleep.
pub(super) const MAX_PAUSE_AFTER_SHORT_SLEEP: Duration = Duration::from_millis(8);
/// The longest one after other sleeps, as a multiple of the sleep: the receiver takes about so many messages
/// of this lane meanwhile.
const MAX_PAUSE_PER_SLEEP: u32 = 256;

/// The least bytes of messages of which a consumer is told together: see [`Batch::hold_back`].
const HELD: usize = 16 * 1024;

/// The result of a successful push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// The consumer must be notified: the lane was parked, or has reached the size that it asked for.
    pub(crate) edge: bool,
}

/// The lane has no room, or its consumer was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The end that messages are pushed into.
pub(crate) struct Producer {
    pub(super) shared: Arc<Shared>,
    seen: Seen,
    /// See [`Producer::dividing`].
    divides: bool,
}

/// What the producer knows of the consumer's progress.
struct Seen {
    /// The last value read from `ConsumerProgress::taken`; it is read again only when the lane seems full.
    taken: usize,
    /// The value of `taken` when progress was last checked.
    progress_at: usize,
    /// How often [`Batch::should_throttle`] has returned `true` since then.
    throttles: u32,
    /// The last sleep ended with little room: a second one in a row is followed by a pause.
    was_little: bool,
    /// The length of the last pause after a sleep.
    pause: Duration,
}

impl Producer {
    pub(super) fn new(shared: Arc<Shared>) -> Producer {
        let seen = Seen { taken: 0, progress_at: 0, throttles: 0, was_little: false, pause: Duration::ZERO };
        Producer { shared, seen, divides: false }
    }

    /// The same producer, but several lanes that share a body ([`Batch::share_among`]) each count only a part of it. The last lane
    /// that still has the body holds all of its memory, and so may exceed its bound. Only for lanes whose consumer is in this
    /// process: another process could delay it for ever.
    pub(crate) fn dividing(self) -> Producer {
        Producer { divides: true, ..self }
    }

    /// Whether a body of so many bytes that other lanes get too should be in memory that they share.
    pub(crate) fn shares(&self, length: usize) -> bool {
        length >= if self.divides { SHARED_FROM } else { SHARED_FROM_BY_CONNECTIONS }
    }

    /// Whether the next push will succeed. If not, the pop that makes room will be an edge.
    pub(crate) fn has_room(&mut self) -> bool {
        self.batch().has_room()
    }

    /// As [`Producer::has_room`], but if not, the edge comes only when half of the lane is free.
    pub(crate) fn has_room_or_waits_for_half(&mut self) -> bool {
        let half = self.shared.limit.div_ceil(2);
        self.batch().has_room_or_waits_for(half)
    }

    /// About how many bytes wait in the lane, as its bound counts them.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting()
    }

    /// The lane's bound in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Takes the tail's lock, for several pushes.
    pub(crate) fn batch(&mut self) -> Batch<'_> {
        Batch {
            tail: self.shared.tail.lock(),
            shared: &self.shared,
            seen: &mut self.seen,
            divides: self.divides,
            lanes: 1,
        }
    }
}

/// [`SHARED_FROM`] for lanes of connections, which copy short bodies once more for a write.
const SHARED_FROM_BY_CONNECTIONS: usize = 1024;

/// A producer that holds the tail's lock.
pub(crate) struct Batch<'a> {
    tail: SpinGuard<'a, Tail, rank::Lane>,
    shared: &'a Shared,
    seen: &'a mut Seen,
    divides: bool,
    /// The number of lanes of which each counts its part of a body.
    lanes: usize,
}

impl Batch<'_> {
    /// Appends `head` and `body` as one message.
    ///
    /// # Errors
    /// [`Full`], and the body stays with the caller; the pop that makes room will be an edge.
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

    /// The bodies that are pushed from now on are put into so many lanes, which share the memory of those in a chunk.
    #[inline]
    pub(crate) fn share_among(&mut self, lanes: usize) {
        if self.divides {
            self.lanes = lanes;
        }
    }

    /// As [`Producer::has_room`].
    #[inline]
    fn has_room(&mut self) -> bool {
        self.has_room_or_waits_for(self.shared.limit)
    }

    /// Whether the lane is below its bound. If not, the edge comes when the lane holds less than `enough`.
    #[inline]
    fn has_room_or_waits_for(&mut self, enough: usize) -> bool {
        !self.tail.closed && (self.fits(self.seen.taken) || self.has_room_now(enough))
    }

    /// Whether the lane is below its bound once the consumer has taken `taken`.
    #[inline]
    fn fits(&self, taken: usize) -> bool {
        self.tail.written.wrapping_sub(taken) < self.shared.limit
    }

    /// Reads the consumer's progress and returns whether there is room. If not, the pop that leaves less than `enough` is an
    /// edge.
    #[cold]
    fn has_room_now(&mut self, enough: usize) -> bool {
        self.seen.taken = self.shared.consumer.taken.load(Ordering::Acquire);
        self.fits(self.seen.taken) || {
            let was_waiting = self.wait_for(enough);
            let fits = self.fits(self.seen.taken);
            // An earlier caller that waits needs the edge still.
            if fits && !was_waiting {
                self.shared.consumer.starved.store(false, Ordering::Relaxed);
            }
            fits
        }
    }

    /// Makes the pop that leaves less than `enough` an edge, and reads the consumer's progress. Returns whether a pop was to be an
    /// edge before.
    fn wait_for(&mut self, enough: usize) -> bool {
        let ConsumerProgress { taken, starved, room_at } = &*self.shared.consumer;
        // Pairs with `Consumer::publish_progress`: either it sees the mark, or this sees its progress.
        room_at.store(self.tail.written.wrapping_sub(enough).wrapping_add(1), Ordering::Relaxed);
        let was_waiting = starved.swap(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.seen.taken = taken.load(Ordering::SeqCst);
        was_waiting
    }

    /// Whether the producer should wait a moment: the lane is more than half full, and the consumer makes
    /// progress, so it is only slower. After [`MAX_THROTTLES`] calls without progress this is `false`.
    pub(crate) fn should_throttle(&mut self) -> bool {
        if !self.is_crowded() {
            return false;
        }
        self.seen.taken = self.shared.consumer.taken.load(Ordering::Acquire);
        if self.seen.taken != self.seen.progress_at {
            self.seen.progress_at = self.seen.taken;
            self.seen.throttles = 0;
        }
        let should_throttle = self.is_crowded() && self.seen.throttles < MAX_THROTTLES;
        self.seen.throttles += u32::from(should_throttle);
        should_throttle
    }

    /// Whether the lane is still more than half full. If it is, the pop that leaves less than a quarter is an edge; of a full lane the
    /// pop that makes room, for which others may wait.
    pub(crate) fn waits_until_drained(&mut self) -> bool {
        if self.tail.closed {
            return false;
        }
        if !self.has_room() {
            return true;
        }
        self.wait_for(self.shared.limit / 4);
        self.is_crowded()
    }

    /// Whether the lane is more than half full, as far as the producer has seen.
    fn is_crowded(&self) -> bool {
        self.tail.written.wrapping_sub(self.seen.taken) > self.shared.limit / 2
    }

    /// After a push that was an edge: makes it none, and one the push that brings the lane to [`HELD`] bytes, or to eight times what it
    /// holds now if that is more, but at most to a quarter of its bound. Returns `false`, and changes nothing, if the lane has
    /// room for few such messages.
    pub(crate) fn hold_back(&mut self) -> bool {
        self.seen.taken = self.shared.consumer.taken.load(Ordering::Acquire);
        let held = self.tail.written.wrapping_sub(self.seen.taken);
        let most = HELD.max(8 * held).min(self.shared.limit / 4);
        let holds = held <= most / 4;
        if holds {
            self.tail.edge_at = self.tail.written.wrapping_sub(held).wrapping_add(most);
        }
        holds
    }

    /// Whether the consumer is told of fewer bytes than that of other lanes, since the lane has a small bound.
    pub(crate) fn is_small(&self) -> bool {
        self.shared.limit / 4 < HELD
    }

    /// How long the producer's thread should pause after it has slept for `slept` until there was room, and
    /// pushed: more room gathers meanwhile. Without the pause each of many producers of one consumer would
    /// be woken for each of its messages.
    pub(crate) fn pause_after(&mut self, slept: Duration) -> Duration {
        let Shared { limit, charge, consumer, .. } = self.shared;
        // Room that comes this slowly needs no batching; and in a lane with a small bound few messages are
        // taken during the shortest pause.
        if slept >= MAX_PAUSE || matches!(charge, Charge::Payload) {
            return Duration::ZERO;
        }
        let Seen { taken, progress_at, was_little, pause, .. } = self.seen;
        *taken = consumer.taken.load(Ordering::Acquire);
        let room = taken.wrapping_sub(*progress_at);
        *progress_at = *taken;
        let is_little = room < limit / 16;
        if is_little && *was_little {
            let longest = (MAX_PAUSE_PER_SLEEP * slept).clamp(MAX_PAUSE_AFTER_SHORT_SLEEP, MAX_PAUSE);
            *pause = (2 * *pause).clamp(MIN_PAUSE, longest);
        } else if room > limit / 4 {
            let eighths = u32::try_from(room / (limit / 8)).unwrap_or(u32::MAX);
            *pause = Some(*pause / eighths).filter(|shorter| *shorter >= MIN_PAUSE).unwrap_or_default();
        }
        *was_little = is_little;
        *pause
    }

    /// Pushes beyond the lane's bound, for bytes that were read from the kernel already.
    ///
    /// # Errors
    /// [`Full`] when the consumer was dropped, or when out of memory.
    pub(crate) fn push_over(
        &mut self,
        head: &[u8],
        body: &mut Payload<'_>,
        metadata: Metadata,
    ) -> Result<Pushed, Full> {
        if self.tail.closed {
            return Err(Full);
        }
        self.append(head, body, metadata)
    }

    /// Whether the consumer was dropped: every push fails.
    pub(crate) fn is_closed(&self) -> bool {
        self.tail.closed
    }

    fn append(&mut self, head: &[u8], body: &mut Payload<'_>, metadata: Metadata) -> Result<Pushed, Full> {
        let tail = &mut *self.tail;
        let (size, charge) = match &*body {
            Payload::Borrowed(bytes) => {
                let inline = head.len() + bytes.len();
                let size = record_size(inline, false);
                (size, self.shared.charge.of_inline(inline, size))
            }
            Payload::Owned(chunk) => {
                let size = record_size(head.len(), true);
                (size, self.shared.charge.of_chunk(head.len(), size, chunk, self.lanes))
            }
        };
        let block = match tail.block {
            Some(block) if tail.offset + size <= block.capacity() => block,
            previous => {
                let block = Block::for_record(size, previous.is_none()).ok_or(Full)?;
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
            Payload::Owned(chunk) => Record::Chunk(head, chunk, charge),
        };
        // SAFETY: the tail's lock is held, the record fits, and `offset` is the end.
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
