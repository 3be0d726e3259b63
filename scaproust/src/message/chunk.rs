//! The memory of one message body.
//!
//! A chunk is what `nn_allocmsg` returns: a pointer to data, with bookkeeping in front of it. Chunks
//! are reference-counted (a publisher's message is shared by many pipes), and are trimmed from the
//! front without moving a byte (a protocol header that arrived in the same memory is cut off).
//!
//! ```text
//! | Head: references, size, capacity | gap | gap length u32 | tag u32 | data …
//!                                                                     ^ the pointer
//! ```

use std::fmt;
use std::mem::{MaybeUninit, size_of};
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pool;

/// The tag in front of live data.
const TAG: u32 = 0x5ca9_4057;
/// The tag in front of freed data.
const FREED: u32 = 0xdead_4057;
/// Distance in bytes from the head to data that was never trimmed.
const DATA_OFFSET: usize = (size_of::<Head>() + 8).next_multiple_of(2 * size_of::<usize>());
/// The least capacity in bytes to which the allocator may grow a chunk in place. Smaller chunks are copied: the C library's own
/// tests expect that a small message which grows has a new address.
const REALLOCATES_FROM: usize = 4096;
/// The largest allocation in bytes for a message of which only the length has arrived.
const ANNOUNCED_MAX: usize = 64 * 1024;

/// The size of an allocation with this capacity; `None` if it exceeds `isize::MAX`.
fn total(capacity: usize) -> Option<usize> {
    capacity.checked_add(DATA_OFFSET).filter(|total| isize::try_from(*total).is_ok())
}

/// Whether the simulated machine has no memory for a message at this moment.
fn lacks_memory() -> bool {
    #[cfg(simulated)]
    return crate::machine::lacks_memory();
    #[cfg(not(simulated))]
    false
}

/// Bookkeeping in front of the data.
#[repr(C)]
struct Head {
    references: AtomicUsize,
    /// Length of the data in bytes.
    size: usize,
    /// Bytes that were allocated behind the first [`DATA_OFFSET`] bytes.
    capacity: usize,
}

/// A counted reference to message memory. Dereferences to its bytes.
pub struct Chunk {
    /// Points at the data, behind a head and a tag.
    data: NonNull<u8>,
}

// SAFETY: the count is atomic, and the bytes are only written through a unique reference.
unsafe impl Send for Chunk {}
// SAFETY: as above: shared chunks are only read.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// An empty chunk with room for at least `capacity` bytes; `None` when out of memory.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Option<Chunk> {
        let total = total(capacity)?;
        if lacks_memory() {
            return None;
        }
        let (total, memory) = pool::allocate(total, 2 * total)?;
        // SAFETY: the memory has no other owner, and `total` bytes.
        Some(unsafe { Chunk::in_memory(memory, total) })
    }

    /// An empty chunk for a message of `length` bytes of which none has arrived. Its capacity may be
    /// smaller, since the peer may never send the message; [`Chunk::reserve`] makes it larger.
    #[must_use]
    pub fn for_announced(length: usize) -> Option<Chunk> {
        if length <= ANNOUNCED_MAX {
            return Chunk::with_capacity(length);
        }
        let total = total(length.min(pool::LARGEST))?;
        match pool::take(total, 2 * total) {
            // SAFETY: a piece taken out of the pool has no other owner, and `total` bytes.
            Some((total, memory)) => Some(unsafe { Chunk::in_memory(memory, total) }),
            None => Chunk::with_capacity(ANNOUNCED_MAX),
        }
    }

    /// An empty chunk in `total` bytes of memory.
    ///
    /// # Safety
    /// `memory` must come from the pool, have no other owner, and be at least [`DATA_OFFSET`] bytes.
    unsafe fn in_memory(memory: NonNull<u8>, total: usize) -> Chunk {
        let (capacity, head) = (total - DATA_OFFSET, memory.cast::<Head>());
        // SAFETY: as the caller promises.
        unsafe {
            head.write(Head { references: AtomicUsize::new(1), size: 0, capacity });
            let data = memory.add(DATA_OFFSET);
            Self::write_tag(data, 0, TAG);
            Chunk { data }
        }
    }

    /// A chunk of `size` zero bytes; `None` when out of memory.
    #[must_use]
    pub fn new(size: usize) -> Option<Chunk> {
        Chunk::with_capacity(size)?.resize(size).ok()
    }

    /// As [`Chunk::new`], but the bytes are uninitialised: the caller must write them through the
    /// pointer before they are read.
    #[must_use]
    pub fn allocate(size: usize) -> Option<NonNull<u8>> {
        let chunk = Chunk::with_capacity(size)?;
        // SAFETY: the only reference. The owner of the raw pointer, a C program, writes the bytes
        // before they are read.
        unsafe { chunk.head_pointer().as_mut() }.size = size;
        Some(chunk.into_raw())
    }

    /// A copy of `bytes`; `None` when out of memory.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Option<Chunk> {
        Chunk::joined(bytes, &[])
    }

    /// A copy of `first` followed by `second`; `None` when out of memory.
    #[must_use]
    pub fn joined(first: &[u8], second: &[u8]) -> Option<Chunk> {
        let mut chunk = Chunk::with_capacity(first.len().checked_add(second.len())?)?;
        chunk.append(first);
        chunk.append(second);
        Some(chunk)
    }

    /// Appends as many of `bytes` as the capacity allows, and returns their number: none if the
    /// chunk is shared.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare();
        let count = bytes.len().min(spare.len());
        // SAFETY: both are valid for `count` bytes, and fresh memory overlaps with nothing.
        unsafe {
            spare.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), count);
            self.appended(count);
        }
        count
    }

    /// The unused capacity behind the data; [`Chunk::appended`] makes bytes of it part of the data.
    /// Empty if the chunk is shared.
    pub fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        if !self.is_unique() {
            return &mut [];
        }
        let (size, room) = (self.len(), self.head().capacity - self.gap() - self.len());
        // SAFETY: the allocation has `capacity` bytes behind its head, and this is the only
        // reference to them.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr().add(size).cast(), room) }
    }

    /// Makes the first `count` bytes of [`Chunk::spare`] part of the data.
    ///
    /// # Safety
    /// They must have been written.
    pub unsafe fn appended(&mut self, count: usize) {
        debug_assert!(count <= self.spare().len());
        // SAFETY: there was room, so this is the only reference.
        unsafe { self.head_pointer().as_mut() }.size += count;
    }

    /// The bytes for writing; `None` if the chunk is shared.
    pub fn unique(&mut self) -> Option<&mut [u8]> {
        if !self.is_unique() {
            return None;
        }
        let size = self.head().size;
        // SAFETY: `data` is valid for `size` bytes, and this is the only reference.
        Some(unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), size) })
    }

    /// Whether this is the only reference to the memory.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        // Acquire: reads through references dropped by other threads happened before.
        self.head().references.load(Ordering::Acquire) == 1
    }

    /// Bytes of memory that the chunk occupies, used or not.
    #[must_use]
    pub fn footprint(&self) -> usize {
        DATA_OFFSET + self.head().capacity
    }

    /// Makes the data `size` bytes long; new bytes are zero. The address of the data stays the same
    /// if the chunk is not shared and `size` is within its capacity.
    ///
    /// # Errors
    /// The unchanged chunk, when out of memory.
    pub fn resize(self, size: usize) -> Result<Chunk, Chunk> {
        let mut resized = self.reserve(size)?;
        if let Some(grow) = size.checked_sub(resized.len()) {
            resized.spare()[..grow].fill(MaybeUninit::new(0));
        }
        // SAFETY: `reserve` left the only reference, with room for `size` bytes; those behind the
        // old data were just written.
        unsafe { resized.head_pointer().as_mut() }.size = size;
        Ok(resized)
    }

    /// The same data in a chunk that is not shared and has room for `capacity` bytes in all. Data
    /// beyond that is cut off if it has to be copied.
    ///
    /// # Errors
    /// The unchanged chunk, when out of memory.
    pub fn reserve(self, capacity: usize) -> Result<Chunk, Chunk> {
        if self.is_unique() && capacity <= self.head().capacity - self.gap() {
            return Ok(self);
        }
        if capacity >= REALLOCATES_FROM && self.is_unique() && self.gap() == 0 {
            return self.reallocated(capacity);
        }
        let Some(mut larger) = Chunk::with_capacity(capacity) else { return Err(self) };
        larger.append(&self);
        Ok(larger)
    }

    /// The same chunk with another capacity. The chunk must be unique and not trimmed,
    /// and the capacity not less than the length of its data.
    fn reallocated(self, capacity: usize) -> Result<Chunk, Chunk> {
        if lacks_memory() {
            return Err(self);
        }
        let Some(total) = total(capacity) else { return Err(self) };
        let old = self.head().capacity + DATA_OFFSET;
        // SAFETY: the only reference to a piece of this size, which begins with the head.
        let Some(moved) = (unsafe { pool::reallocate(self.head_pointer().cast(), old, total) }) else {
            return Err(self);
        };
        let head = moved.cast::<Head>();
        std::mem::forget(self);
        // SAFETY: head, tag and data are at their offsets.
        unsafe {
            (*head.as_ptr()).capacity = capacity;
            Ok(Chunk { data: head.cast::<u8>().add(DATA_OFFSET) })
        }
    }

    /// The same data without its first `count` bytes: in place if the chunk is unique, and otherwise a
    /// copy. `None` when there is no memory for the copy.
    #[must_use]
    pub fn trimmed(mut self, count: usize) -> Option<Chunk> {
        let count = count.min(self.len());
        if count == 0 {
            return Some(self);
        }
        if !self.is_unique() {
            return Chunk::copy_of(&self[count..]);
        }
        let gap = self.gap() + count;
        let Ok(short) = u32::try_from(gap) else { return Chunk::copy_of(&self[count..]) };
        // SAFETY: unique; the new data begins inside the old, and its tag lies in bytes that are
        // either the old tag or trimmed data.
        unsafe {
            self.head_pointer().as_mut().size -= count;
            self.data = self.data.add(count);
            Self::write_tag(self.data, short, TAG);
        }
        Some(self)
    }

    /// Gives up ownership: the pointer stands for this reference until [`Chunk::from_raw`] takes it back.
    #[must_use]
    pub fn into_raw(self) -> NonNull<u8> {
        let data = self.data;
        std::mem::forget(self);
        data
    }

    /// Takes back ownership from a pointer of [`Chunk::into_raw`]; `None` if `data` has no tag of a
    /// live chunk in front of it.
    ///
    /// # Safety
    /// `data` must come from [`Chunk::into_raw`] and not have been taken back since; or else the eight
    /// bytes in front of it must be readable, and must not happen to end with the tag.
    pub unsafe fn from_raw(data: NonNull<u8>) -> Option<Chunk> {
        // SAFETY: the caller promises that the tag can be read.
        let tag = unsafe { data.sub(4).cast::<u32>().read_unaligned() };
        (tag == TAG).then(|| Chunk { data })
    }

    /// Writes the gap's length and the tag in front of `data`.
    ///
    /// # Safety
    /// The eight bytes in front of `data` must be inside the chunk's allocation, and not shared.
    unsafe fn write_tag(data: NonNull<u8>, gap: u32, tag: u32) {
        // SAFETY: as the caller promises; unaligned, since data may be trimmed by any count.
        unsafe {
            data.sub(8).cast::<u32>().write_unaligned(gap);
            data.sub(4).cast::<u32>().write_unaligned(tag);
        }
    }

    /// Bytes that were trimmed off the front of the data.
    fn gap(&self) -> usize {
        // SAFETY: in front of a live chunk's data lie the gap's length and the tag.
        unsafe { self.data.sub(8).cast::<u32>().read_unaligned() as usize }
    }

    fn head_pointer(&self) -> NonNull<Head> {
        // SAFETY: the head lies in the same allocation, at this distance in front of the data.
        unsafe { self.data.sub(self.gap() + DATA_OFFSET).cast::<Head>() }
    }

    fn head(&self) -> &Head {
        // SAFETY: the head lives as long as any reference, and is written only through a unique one.
        unsafe { self.head_pointer().as_ref() }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `data` is valid for `size` bytes as long as the chunk lives.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.head().size) }
    }
}

impl Clone for Chunk {
    fn clone(&self) -> Chunk {
        // Relaxed: the new reference is made from one that is alive.
        self.head().references.fetch_add(1, Ordering::Relaxed);
        Chunk { data: self.data }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let head = self.head_pointer();
        // Release: reads through this reference happen before the memory is freed.
        if self.head().references.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Acquire: and so do reads through the other ones. (ThreadSanitizer does not know fences.)
        self.head().references.load(Ordering::Acquire);
        // SAFETY: that was the last reference; the head is at the start of the allocation.
        unsafe {
            Self::write_tag(self.data, 0, FREED);
            let size = head.as_ref().capacity + DATA_OFFSET;
            ptr::drop_in_place(head.as_ptr());
            pool::free(size, head.cast());
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk").field("size", &self.len()).field("gap", &self.gap()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trimming_does_not_move_the_rest() {
        let chunk = Chunk::copy_of(b"headbody").unwrap();
        let address = chunk.as_ptr() as usize;
        let chunk = chunk.trimmed(4).unwrap();
        assert_eq!(&*chunk, b"body");
        assert_eq!(chunk.as_ptr() as usize, address + 4);
        let chunk = chunk.trimmed(99).unwrap();
        assert!(chunk.is_empty());
    }

    #[test]
    fn trimming_a_shared_chunk_copies_it() {
        let one = Chunk::copy_of(b"abcd").unwrap();
        let two = one.clone();
        assert!(!one.is_unique());
        let short = one.trimmed(1).unwrap();
        assert_eq!((&*short, &*two), (&b"bcd"[..], &b"abcd"[..]));
        assert!(two.is_unique());
    }

    #[test]
    fn resizing_down_keeps_the_address_and_up_keeps_the_data() {
        let chunk = Chunk::copy_of(b"abcdefgh").unwrap();
        let address = chunk.as_ptr();
        let chunk = chunk.resize(1).unwrap();
        assert_eq!(chunk.as_ptr(), address);
        let chunk = chunk.resize(100).unwrap();
        assert_eq!((&chunk[..2], chunk.len()), (&b"a\0"[..], 100));
        assert!(chunk.resize(usize::MAX - 3).is_err());
        assert!(Chunk::new(usize::MAX).is_none());
    }

    #[test]
    fn appending_stops_at_the_capacity() {
        let mut chunk = Chunk::with_capacity(5).unwrap();
        assert_eq!((chunk.append(b"abc"), chunk.append(b"defg")), (3, 2));
        assert_eq!(&*chunk, b"abcde");
        let mut chunk = chunk.trimmed(1).unwrap().reserve(8).unwrap();
        assert_eq!((chunk.append(b"fghijk"), &*chunk), (4, &b"bcdefghi"[..]));
        let other = chunk.clone();
        assert!(chunk.spare().is_empty());
        drop(other);
    }

    #[test]
    fn an_announced_message_takes_memory_as_it_arrives() {
        let size = pool::LARGEST - 12_345;
        pool::release_spare_memory();
        let mut chunk = Chunk::for_announced(size).unwrap();
        assert!(chunk.footprint() <= ANNOUNCED_MAX + DATA_OFFSET || chunk.footprint() >= size);
        for value in 0..size {
            if chunk.append(&[value as u8]) == 0 {
                let capacity = (2 * chunk.len()).min(size);
                chunk = chunk.reserve(capacity).unwrap();
                assert_eq!((chunk.append(&[value as u8]), chunk.footprint()), (1, capacity + DATA_OFFSET));
            }
        }
        assert_eq!(chunk.len(), size);
        assert!(chunk.iter().zip(0..size).all(|(byte, value)| *byte == value as u8));
        assert_eq!(Chunk::for_announced(100).unwrap().footprint(), 100 + DATA_OFFSET);
        assert!(Chunk::for_announced(usize::MAX).unwrap().footprint() <= pool::LARGEST + 64);
        assert!(chunk.reserve(usize::MAX).is_err());
    }

    #[test]
    fn only_a_pointer_to_a_live_chunk_is_taken_back() {
        let chunk = Chunk::copy_of(b"abc").unwrap();
        let raw = chunk.into_raw();
        // SAFETY: `raw` comes from `into_raw`, and was not taken back yet.
        let back = unsafe { Chunk::from_raw(raw) }.unwrap();
        assert_eq!(&*back, b"abc");
        let mut not_a_chunk = [0_u8; 16];
        // SAFETY: the bytes in front are readable, and are not the tag.
        assert!(unsafe { Chunk::from_raw(NonNull::new(&raw mut not_a_chunk[8]).unwrap()) }.is_none());
    }
}
