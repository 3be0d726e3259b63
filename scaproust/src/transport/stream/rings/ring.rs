//! A ring of bytes in memory that two processes share: one writes, the other one reads.
//!
//! Owns the positions, the copying and the two marks by which a side asks to be woken. Must not know how the memory is made, nor
//! how a side is woken.
//!
//! The peer can write anything to this memory, at any time. So each side keeps its own position for itself and only publishes
//! it; it reads the peer's position once for each use, and a position that no valid peer publishes is [`Corrupt`]. There is no
//! Rust reference to the bytes: they are copied to private memory before anything looks at them.
//!
//! A side that goes to sleep marks that and looks once more; the other side publishes its position and then looks at the mark.
//! With a fence between the two steps on each side, at least one of them sees what the other has done.

use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

/// The words of a ring that both sides see. The positions are counts of bytes, modulo 2^32.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Control {
    /// How far the writer has written.
    head: CachePadded<AtomicU32>,
    /// How far the reader has read.
    tail: CachePadded<AtomicU32>,
    /// Not zero: the reader wants to be woken when bytes have come. Set by the reader, cleared by the side that sees to it.
    reader_sleeps: CachePadded<AtomicU32>,
    /// Not zero: the writer wants to be woken when half of the ring is free.
    writer_waits: CachePadded<AtomicU32>,
}

impl Control {
    /// Initialises the words of an empty ring whose reader sleeps. They must be zero.
    pub(super) fn initialise(&self) {
        self.reader_sleeps.store(1, Ordering::Relaxed);
    }
}

/// The shared memory holds positions that no valid peer publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

/// The memory of a ring.
#[derive(Clone, Copy, Debug)]
struct Ring {
    control: NonNull<Control>,
    bytes: NonNull<u8>,
    /// The number of the bytes, a power of two.
    size: u32,
}

// SAFETY: the words are atomic, and the bytes are reached only by copies of which the two halves make sure that they stay inside.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    fn control(&self) -> &Control {
        // SAFETY: the maker of a half has promised that the words live as long as it.
        unsafe { self.control.as_ref() }
    }

    /// The number of bytes that are written and not read.
    fn used(self, head: u32, tail: u32) -> Result<u32, Corrupt> {
        let used = head.wrapping_sub(tail);
        if used <= self.size { Ok(used) } else { Err(Corrupt) }
    }

    /// Where the bytes from `position` on are, and how many of `length` are there; the others are at the start of the ring.
    fn place(self, position: u32, length: usize) -> (NonNull<u8>, usize) {
        let offset = position & (self.size - 1);
        let contiguous = length.min((self.size - offset) as usize);
        // SAFETY: the offset is less than the size of the ring's memory.
        (unsafe { self.bytes.add(offset as usize) }, contiguous)
    }
}

/// The reading side of a ring. One thread at a time reads.
#[derive(Debug)]
pub(super) struct RingReader {
    ring: Ring,
    /// How far this side has read.
    tail: AtomicU32,
    /// This side has marked that it sleeps, and has not removed the mark.
    is_armed: AtomicBool,
}

impl RingReader {
    /// The reader of a ring that was never read from, of `size` bytes.
    ///
    /// # Safety
    /// Both pointers stay valid as long as the reader exists, the second one for `size` bytes, a power of two. In this process
    /// nothing but the two halves of this ring touches that memory.
    pub(super) unsafe fn new(control: NonNull<Control>, bytes: NonNull<u8>, size: u32) -> RingReader {
        let ring = Ring { control, bytes, size };
        RingReader { ring, tail: AtomicU32::new(0), is_armed: AtomicBool::new(true) }
    }

    /// The number of bytes to be read.
    fn available(&self) -> Result<u32, Corrupt> {
        // Acquires the bytes before the position.
        let head = self.ring.control().head.load(Ordering::Acquire);
        self.ring.used(head, self.tail.load(Ordering::Relaxed))
    }

    /// Whether there is nothing to read.
    pub(super) fn is_empty(&self) -> Result<bool, Corrupt> {
        self.available().map(|available| available == 0)
    }

    /// Marks that this side sleeps. To be followed by another look.
    pub(super) fn arm(&self) {
        self.is_armed.store(true, Ordering::Relaxed);
        self.ring.control().reader_sleeps.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Removes the mark. Returns whether the writer has seen it, and wakes this side or is about to.
    pub(super) fn disarm(&self) -> bool {
        let was_armed = self.is_armed.swap(false, Ordering::Relaxed);
        was_armed && self.ring.control().reader_sleeps.swap(0, Ordering::Relaxed) == 0
    }

    /// Whether the writer will wake this side when bytes come, or has done so.
    pub(super) fn is_armed(&self) -> bool {
        self.is_armed.load(Ordering::Relaxed)
    }

    /// Moves bytes from the ring to the `rooms`, which it shortens by them; to a room only if those before it are full. Returns
    /// the number of bytes.
    pub(super) fn take(&self, rooms: &mut [&mut [MaybeUninit<u8>]]) -> Result<usize, Corrupt> {
        let start = self.tail.load(Ordering::Relaxed);
        // The position is read once: bytes that come later must not go to the second room while the first one has a gap.
        let mut available = self.available()? as usize;
        let mut tail = start;
        for room in rooms {
            while available > 0 && !room.is_empty() {
                let (source, contiguous) = self.ring.place(tail, available.min(room.len()));
                let (part, rest) = std::mem::take(room).split_at_mut(contiguous);
                // SAFETY: the source is inside the ring, the target is as long, and no Rust reference leads to the ring's bytes.
                // The peer may change the bytes during the copy: it could have sent the changed ones, and they are checked later.
                unsafe { ptr::copy_nonoverlapping(source.as_ptr(), part.as_mut_ptr().cast(), contiguous) };
                tail = tail.wrapping_add(contiguous as u32);
                available -= contiguous;
                *room = rest;
            }
        }
        self.tail.store(tail, Ordering::Relaxed);
        // Releases the room that the bytes have left.
        self.ring.control().tail.store(tail, Ordering::Release);
        Ok(tail.wrapping_sub(start) as usize)
    }

    /// Whether the writer waits for room and half of the ring is free: then it is to be woken, which this is the only call to
    /// say.
    pub(super) fn owes_wake_up(&self) -> Result<bool, Corrupt> {
        fence(Ordering::SeqCst);
        let waits = &self.ring.control().writer_waits;
        if waits.load(Ordering::Relaxed) == 0 || self.available()? > self.ring.size / 2 {
            return Ok(false);
        }
        Ok(waits.swap(0, Ordering::Relaxed) != 0)
    }
}

/// The writing side of a ring. One thread at a time writes.
#[derive(Debug)]
pub(super) struct RingWriter {
    ring: Ring,
    /// How far this side has written.
    head: AtomicU32,
    /// This side has marked that it waits for room, and has not removed the mark.
    is_waiting: AtomicBool,
}

impl RingWriter {
    /// The writer of a ring that was never written to, of `size` bytes.
    ///
    /// # Safety
    /// As [`RingReader::new`].
    pub(super) unsafe fn new(control: NonNull<Control>, bytes: NonNull<u8>, size: u32) -> RingWriter {
        let ring = Ring { control, bytes, size };
        RingWriter { ring, head: AtomicU32::new(0), is_waiting: AtomicBool::new(false) }
    }

    /// The number of bytes that are not read yet.
    fn unread(&self) -> Result<u32, Corrupt> {
        // Acquires the room before the position.
        let tail = self.ring.control().tail.load(Ordering::Acquire);
        self.ring.used(self.head.load(Ordering::Relaxed), tail)
    }

    /// Whether the peer has read everything.
    pub(super) fn is_read(&self) -> Result<bool, Corrupt> {
        self.unread().map(|unread| unread == 0)
    }

    /// Moves bytes of `pieces` to the ring, as many as it has room for. Returns their number. After this the reader may have to
    /// be woken, see [`RingWriter::owes_wake_up`].
    pub(super) fn put<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Result<usize, Corrupt> {
        let start = self.head.load(Ordering::Relaxed);
        let mut room = (self.ring.size - self.unread()?) as usize;
        let mut head = start;
        for piece in pieces {
            let mut left = &piece[..piece.len().min(room)];
            room -= left.len();
            while !left.is_empty() {
                let (target, contiguous) = self.ring.place(head, left.len());
                let (part, rest) = left.split_at(contiguous);
                // SAFETY: the target is inside the ring, the source is as long, and no Rust reference leads to the ring's bytes.
                unsafe { ptr::copy_nonoverlapping(part.as_ptr(), target.as_ptr(), contiguous) };
                head = head.wrapping_add(contiguous as u32);
                left = rest;
            }
            if room == 0 {
                break;
            }
        }
        self.head.store(head, Ordering::Relaxed);
        // Releases the bytes before the position.
        self.ring.control().head.store(head, Ordering::Release);
        Ok(head.wrapping_sub(start) as usize)
    }

    /// Whether the reader sleeps: then it is to be woken, which this is the only call to say.
    pub(super) fn owes_wake_up(&self) -> bool {
        fence(Ordering::SeqCst);
        let sleeps = &self.ring.control().reader_sleeps;
        sleeps.load(Ordering::Relaxed) != 0 && sleeps.swap(0, Ordering::Relaxed) != 0
    }

    /// Marks that this side waits for room, unless there is some by now. Returns whether there is.
    pub(super) fn await_room(&self) -> Result<bool, Corrupt> {
        let waits = &self.ring.control().writer_waits;
        self.is_waiting.store(true, Ordering::Relaxed);
        waits.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let has_room = self.unread()? < self.ring.size;
        if has_room {
            waits.store(0, Ordering::Relaxed);
            self.is_waiting.store(false, Ordering::Relaxed);
        }
        Ok(has_room)
    }

    /// Whether this side has waited for room, and the reader has seen that there is enough. Says so once.
    pub(super) fn has_been_woken(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
            && self.ring.control().writer_waits.load(Ordering::Relaxed) == 0
            && self.is_waiting.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
