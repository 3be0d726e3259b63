//! The memory of one message body.
//!
//! A chunk is what `nn_allocmsg` hands out: a pointer to data, with a small header in front of
//! it. It is shared by counting (a publisher's message goes to many pipes) and trimmed from the
//! front without moving a byte (a protocol header that arrived in the same memory is cut off).
//!
//! ```text
//! | Head: references, size, capacity |  gap  | gap length u32 | tag u32 | data …
//!                                                                       ^ the pointer
//! ```

use std::fmt;
use std::mem::{MaybeUninit, size_of};
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pool;

/// Marks the eight bytes in front of live data.
const TAG: u32 = 0x5ca9_4057;
/// Marks data that was given back.
const FREED: u32 = 0xdead_4057;
/// Distance from the head to data that was never trimmed.
const DATA_OFFSET: usize = size_of::<Head>() + 8;
/// So much memory is taken for data that is only announced.
const UNSEEN: usize = 64 * 1024;

/// What has to be allocated for this capacity, if there can be so much.
fn total(capacity: usize) -> Option<usize> {
    capacity.checked_add(DATA_OFFSET).filter(|total| isize::try_from(*total).is_ok())
}

/// Bookkeeping in front of the data.
#[repr(C)]
struct Head {
    references: AtomicUsize,
    /// Length of the data in bytes.
    size: usize,
    /// Bytes that were allocated behind the head's fixed part.
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
    /// Memory for at least `capacity` bytes, of which there are none yet; `None` when there is not that much.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Option<Chunk> {
        let total = total(capacity)?;
        let (total, memory) = match pool::take(total) {
            Some(piece) => piece,
            // SAFETY: a plain call. `malloc` aligns for every type that C knows.
            None => (total, NonNull::new(unsafe { libc::malloc(total) })?.cast()),
        };
        // SAFETY: the memory is fresh, and so large.
        Some(unsafe { Chunk::in_memory(memory, total) })
    }

    /// Memory for data that is announced to become `length` bytes long, and may never come: as much as
    /// lies ready, and otherwise little. [`Chunk::reserve`] makes it larger.
    #[must_use]
    pub fn for_announced(length: usize) -> Option<Chunk> {
        if length <= UNSEEN {
            return Chunk::with_capacity(length);
        }
        match pool::take(total(length.min(pool::LARGEST))?) {
            // SAFETY: what the pool kept is nobody else's, and so large.
            Some((total, memory)) => Some(unsafe { Chunk::in_memory(memory, total) }),
            None => Chunk::with_capacity(UNSEEN),
        }
    }

    /// An empty chunk in `total` bytes of memory.
    ///
    /// # Safety
    /// They must come from `malloc`, belong to nobody else, and have room for the head and the tag.
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

    /// Memory for `size` bytes, which are zero; `None` when there is not that much memory.
    #[must_use]
    pub fn new(size: usize) -> Option<Chunk> {
        Chunk::with_capacity(size)?.resize(size).ok()
    }

    /// As [`Chunk::new`], for somebody who writes through the pointer before anybody reads: the
    /// bytes have no value yet.
    #[must_use]
    pub fn allocate(size: usize) -> Option<NonNull<u8>> {
        let chunk = Chunk::with_capacity(size)?;
        // SAFETY: the only reference. The bytes are not read before the pointer's owner, who is
        // not bound by Rust's rules, has written them.
        unsafe { chunk.head_pointer().as_mut() }.size = size;
        Some(chunk.into_raw())
    }

    /// Memory that holds a copy of `bytes`.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Option<Chunk> {
        Chunk::joined(bytes, &[])
    }

    /// Memory that holds a copy of two runs of bytes, one after the other.
    #[must_use]
    pub fn joined(first: &[u8], second: &[u8]) -> Option<Chunk> {
        let mut chunk = Chunk::with_capacity(first.len().checked_add(second.len())?)?;
        chunk.append(first);
        chunk.append(second);
        Some(chunk)
    }

    /// Appends what fits of `bytes` in the chunk's capacity, and answers how much that was.
    /// Nothing fits into memory that others refer to.
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

    /// The memory behind the data that can still be filled; say so with [`Chunk::appended`].
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

    /// The bytes for writing, if nobody else holds a reference.
    pub fn unique(&mut self) -> Option<&mut [u8]> {
        if !self.is_unique() {
            return None;
        }
        let size = self.head().size;
        // SAFETY: `data` is valid for `size` bytes, and this is the only reference.
        Some(unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), size) })
    }

    /// Whether nobody else holds a reference.
    #[must_use]
    pub fn is_unique(&self) -> bool {
        // Acquire: what the others did before they let go has happened.
        self.head().references.load(Ordering::Acquire) == 1
    }

    /// The memory that the chunk takes, however much of it is data.
    #[must_use]
    pub fn footprint(&self) -> usize {
        DATA_OFFSET + self.head().capacity
    }

    /// Makes the data `size` bytes long; bytes that are new are zero. Keeps the address when the
    /// data shrinks, or grows within the capacity, and nobody else refers to it.
    ///
    /// # Errors
    /// Hands the chunk back, unchanged, when there is not that much memory.
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

    /// The same data, in memory that nobody else refers to and that can hold `capacity` bytes. Data
    /// beyond the capacity is cut off if it has to move.
    ///
    /// # Errors
    /// Hands the chunk back, unchanged, when there is not that much memory.
    pub fn reserve(self, capacity: usize) -> Result<Chunk, Chunk> {
        if self.is_unique() && capacity <= self.head().capacity - self.gap() {
            return Ok(self);
        }
        if self.is_unique() && self.gap() == 0 {
            return self.reallocated(capacity);
        }
        let Some(mut larger) = Chunk::with_capacity(capacity) else { return Err(self) };
        larger.append(&self);
        Ok(larger)
    }

    /// The same chunk with another capacity. The data is moved only where the allocator must do so. The
    /// chunk must be unique and not trimmed, and the capacity not less than its data.
    fn reallocated(self, capacity: usize) -> Result<Chunk, Chunk> {
        let Some(total) = total(capacity) else { return Err(self) };
        // SAFETY: the only reference to memory from `malloc`, whose begin is the head.
        let moved = unsafe { libc::realloc(self.head_pointer().as_ptr().cast(), total) };
        let Some(head) = NonNull::new(moved.cast::<Head>()) else { return Err(self) };
        std::mem::forget(self);
        // SAFETY: head, tag and data are where they were, counted from the begin of the memory.
        unsafe {
            (*head.as_ptr()).capacity = capacity;
            Ok(Chunk { data: head.cast::<u8>().add(DATA_OFFSET) })
        }
    }

    /// The same data without its first `count` bytes; moves nothing when the chunk is unique.
    /// `None` when a copy was needed and there is no memory for it.
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

    /// Gives the memory to whoever holds the pointer; [`Chunk::from_raw`] takes it back.
    #[must_use]
    pub fn into_raw(self) -> NonNull<u8> {
        let data = self.data;
        std::mem::forget(self);
        data
    }

    /// Takes back what [`Chunk::into_raw`] gave away; `None` if the bytes in front of `data` do
    /// not say that it is a live chunk.
    ///
    /// # Safety
    /// `data` must come from [`Chunk::into_raw`], be live, and not be taken back twice; or the
    /// eight bytes in front of it must at least be readable, for the check to refuse it.
    pub unsafe fn from_raw(data: NonNull<u8>) -> Option<Chunk> {
        // SAFETY: the caller promises that the tag can be read.
        let tag = unsafe { data.sub(4).cast::<u32>().read_unaligned() };
        (tag == TAG).then(|| Chunk { data })
    }

    /// # Safety
    /// The eight bytes in front of `data` must belong to the chunk's memory, and be its own.
    unsafe fn write_tag(data: NonNull<u8>, gap: u32, tag: u32) {
        // SAFETY: as the caller promises; unaligned, since data may be trimmed by any count.
        unsafe {
            data.sub(8).cast::<u32>().write_unaligned(gap);
            data.sub(4).cast::<u32>().write_unaligned(tag);
        }
    }

    /// Bytes between the head's end and the tag of the data.
    fn gap(&self) -> usize {
        // SAFETY: a live chunk has its tag, and the gap in front of it.
        unsafe { self.data.sub(8).cast::<u32>().read_unaligned() as usize }
    }

    fn head_pointer(&self) -> NonNull<Head> {
        // SAFETY: the head lies in the same allocation, `gap` and a fixed distance in front.
        unsafe { self.data.sub(self.gap() + DATA_OFFSET).cast::<Head>() }
    }

    fn head(&self) -> &Head {
        // SAFETY: the head lives as long as any reference; only a unique one writes to it.
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
        // Release: our reads happen before the memory is given back.
        if self.head().references.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Acquire: so do those of the others. (A fence would do as well, but ThreadSanitizer knows none.)
        self.head().references.load(Ordering::Acquire);
        // SAFETY: that was the last reference; the head is where `malloc` put it.
        unsafe {
            Self::write_tag(self.data, 0, FREED);
            let size = head.as_ref().capacity + DATA_OFFSET;
            ptr::drop_in_place(head.as_ptr());
            pool::give(size, head.cast());
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
    fn trimming_keeps_the_rest_in_place() {
        let chunk = Chunk::copy_of(b"headbody").unwrap();
        let address = chunk.as_ptr() as usize;
        let chunk = chunk.trimmed(4).unwrap();
        assert_eq!(&*chunk, b"body");
        assert_eq!(chunk.as_ptr() as usize, address + 4);
        let chunk = chunk.trimmed(99).unwrap();
        assert!(chunk.is_empty());
    }

    #[test]
    fn shared_memory_is_copied_before_it_changes() {
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
    fn memory_is_filled_up_to_its_capacity_and_not_beyond() {
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
    fn announced_data_takes_little_memory_and_all_as_it_comes() {
        let size = pool::LARGEST - 12_345;
        pool::release_spare_memory();
        let mut chunk = Chunk::for_announced(size).unwrap();
        assert!(chunk.footprint() <= UNSEEN + DATA_OFFSET || chunk.footprint() >= size);
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
    fn a_raw_pointer_comes_back_only_while_it_is_live() {
        let chunk = Chunk::copy_of(b"abc").unwrap();
        let raw = chunk.into_raw();
        // SAFETY: `raw` was just given away.
        let back = unsafe { Chunk::from_raw(raw) }.unwrap();
        assert_eq!(&*back, b"abc");
        let mut not_a_chunk = [0_u8; 16];
        // SAFETY: the bytes in front are readable, and say no.
        assert!(unsafe { Chunk::from_raw(NonNull::new(&raw mut not_a_chunk[8]).unwrap()) }.is_none());
    }
}
