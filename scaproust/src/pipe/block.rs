//! The memory of a lane: linked blocks of records.
//!
//! A record is a prefix of eight bytes and, rounded up to eight bytes, either the bytes of a small
//! message, or a pointer to the chunk of a large one and its charge, followed by its head. The prefix has the
//! message's metadata. The producer writes behind `committed` and then advances it; the consumer reads only what is
//! in front of it.

use std::mem::{ManuallyDrop, size_of};
use std::ptr::{self, NonNull};

use crate::message::{self, Chunk, Front, Metadata};
use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Capacity in bytes of a lane's first block; a parked lane keeps at most one of these.
pub(crate) const SMALL: usize = 1024 - size_of::<Header>();
/// Capacity in bytes of the blocks of a lane that holds more.
const LARGE: usize = 16 * 1024 - size_of::<Header>();

/// The header in front of a block's data.
struct Header {
    /// Bytes of whole records, from the start of the data.
    committed: AtomicUsize,
    /// The block that follows; set once, after the last record was committed.
    next: AtomicPtr<Header>,
    capacity: usize,
}

/// The header in front of a record's data.
#[repr(C)]
#[derive(Clone, Copy)]
struct Prefix {
    /// Length in bytes of the inline data: the message, or the head of a message in a chunk.
    inline: u32,
    kind: Kind,
    metadata: Metadata,
}

const _: () = assert!(size_of::<Prefix>() == 8);
const _: () = assert!(size_of::<Header>().is_multiple_of(align_of::<ChunkEntry>()));

#[repr(u16)]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The whole message is inline.
    Inline = 0,
    /// The data is a [`ChunkEntry`], then the head.
    Chunk = 1,
}

/// What a record has of a chunk.
#[repr(C)]
#[derive(Clone, Copy)]
struct ChunkEntry {
    /// From [`Chunk::into_raw`].
    chunk: NonNull<u8>,
    /// What the lane's bound counts for the record.
    charge: usize,
}

/// A pointer to a live block. Copies are allowed; the lane decides when it is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block(NonNull<Header>);

/// The bytes that a record with `inline` bytes of inline data takes in a block.
pub(crate) const fn record_size(inline: usize, with_chunk: bool) -> usize {
    let data = inline + if with_chunk { size_of::<ChunkEntry>() } else { 0 };
    size_of::<Prefix>() + data.next_multiple_of(size_of::<Prefix>())
}

/// What a lane's bound counts, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Charge {
    /// The bytes of messages, an empty one as one byte.
    Payload,
    /// The memory of records, and of their chunks.
    Memory,
}

/// The most lanes among which the memory of a chunk is divided.
const MAX_SHARES: usize = 8;

impl Charge {
    /// The charge of a record with `inline` bytes of a message that takes `size` bytes of its block.
    #[inline]
    pub(crate) fn of_inline(self, inline: usize, size: usize) -> usize {
        match self {
            Charge::Payload => inline.max(1),
            Charge::Memory => size,
        }
    }

    /// As `of_inline`, with a chunk as well, which is put into `lanes` lanes.
    pub(crate) fn of_chunk(self, inline: usize, size: usize, chunk: &Chunk, lanes: usize) -> usize {
        match self {
            Charge::Payload => (inline + chunk.len()).max(1),
            Charge::Memory => size + chunk.footprint().div_ceil(lanes.clamp(1, MAX_SHARES)),
        }
    }
}

/// A record to be written.
pub(crate) enum Record<'a> {
    /// A small message, in two parts that are joined.
    Inline(&'a [u8], &'a [u8]),
    /// A head and the chunk that follows it, with the charge of both.
    Chunk(&'a [u8], Chunk, usize),
}

impl Record<'_> {
    /// The bytes it takes in a block.
    pub(crate) fn size(&self) -> usize {
        match self {
            Record::Inline(head, body) => record_size(head.len() + body.len(), false),
            Record::Chunk(head, ..) => record_size(head.len(), true),
        }
    }
}

impl Block {
    /// A block that begins with a record of `size` bytes, the first block of a lane or another one; `None` when out of memory.
    pub(crate) fn for_record(size: usize, is_first: bool) -> Option<Block> {
        Block::new(if is_first && size <= SMALL { SMALL } else { LARGE.max(size) })
    }

    /// A block for `capacity` bytes of records.
    fn new(capacity: usize) -> Option<Block> {
        let size = size_of::<Header>().checked_add(capacity)?;
        let header = message::allocate(size, size)?.1.cast::<Header>();
        // SAFETY: fresh memory, large enough and aligned for a header.
        unsafe {
            header.write(Header {
                committed: AtomicUsize::new(0),
                next: AtomicPtr::new(ptr::null_mut()),
                capacity,
            });
        }
        Some(Block(header))
    }

    /// Frees the block.
    ///
    /// # Safety
    /// No copy of the pointer may be used any more, and the block's chunks must have been taken.
    pub(crate) unsafe fn free(self) {
        let size = self.footprint();
        // SAFETY: allocated with this size; the caller promises that this is the last use.
        unsafe {
            ptr::drop_in_place(self.0.as_ptr());
            message::free(size, self.0.cast());
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: the block is alive; all that changes in its header is atomic.
        unsafe { self.0.as_ref() }
    }

    fn data(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.capacity());
        // SAFETY: the data follows the header in the same allocation.
        unsafe { self.0.add(1).cast::<u8>().add(offset) }
    }

    /// The size of the block's data in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.header().capacity
    }

    /// The memory of the block in bytes.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Header>() + self.capacity()
    }

    /// The length of the whole records in bytes. What they contain is visible to the caller.
    pub(crate) fn committed(&self) -> usize {
        self.header().committed.load(Ordering::Acquire)
    }

    /// The next block, if one is linked: then all records of this one are committed.
    pub(crate) fn next(&self) -> Option<Block> {
        NonNull::new(self.header().next.load(Ordering::Acquire)).map(Block)
    }

    /// Links the next block.
    pub(crate) fn link(&self, next: Block) {
        self.header().next.store(next.0.as_ptr(), Ordering::Release);
    }

    /// Makes the block empty and unlinks the next one.
    ///
    /// # Safety
    /// No other thread may use the block meanwhile, and its chunks must have been taken.
    pub(crate) unsafe fn reset(&self) {
        self.header().committed.store(0, Ordering::Relaxed);
        self.header().next.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Appends a record at `offset` and commits it; returns the offset behind it.
    ///
    /// # Safety
    /// `offset` must be the committed length, the record must fit, and no other thread may write.
    pub(crate) unsafe fn write(&self, offset: usize, record: Record<'_>, metadata: Metadata) -> usize {
        let end = offset + record.size();
        debug_assert!(end <= self.capacity());
        let prefix = self.data(offset).cast::<Prefix>();
        // SAFETY: the record fits, and the consumer does not read behind `committed`. Offsets are
        // multiples of eight, from data that is aligned for a prefix and an entry.
        unsafe {
            let data = prefix.add(1).cast::<u8>();
            match record {
                Record::Inline(head, body) => {
                    let inline = inline_length(head.len() + body.len());
                    prefix.write(Prefix { inline, kind: Kind::Inline, metadata });
                    data.copy_from_nonoverlapping(NonNull::from(head).cast(), head.len());
                    data.add(head.len()).copy_from_nonoverlapping(NonNull::from(body).cast(), body.len());
                }
                Record::Chunk(head, chunk, charge) => {
                    prefix.write(Prefix { inline: inline_length(head.len()), kind: Kind::Chunk, metadata });
                    let entry = data.cast::<ChunkEntry>();
                    entry.write(ChunkEntry { chunk: chunk.into_raw(), charge });
                    entry
                        .add(1)
                        .cast::<u8>()
                        .copy_from_nonoverlapping(NonNull::from(head).cast(), head.len());
                }
            }
        }
        self.header().committed.store(end, Ordering::Release);
        end
    }

    /// The record at `offset`, and its size in the block.
    ///
    /// # Safety
    /// A whole record must be committed at `offset`, and not be taken out while it is borrowed.
    #[inline]
    pub(crate) unsafe fn read(&self, offset: usize) -> (Front<'_>, usize) {
        // SAFETY: the caller promises that a record is there; the block outlives the borrow of it.
        unsafe {
            let prefix = self.data(offset).cast::<Prefix>();
            let data = prefix.add(1).cast::<u8>();
            let Prefix { inline, kind, metadata } = prefix.read();
            let inline = inline as usize;
            match kind {
                Kind::Inline => {
                    let body = std::slice::from_raw_parts(data.as_ptr(), inline);
                    (Front { head: &[], body, metadata }, record_size(inline, false))
                }
                Kind::Chunk => {
                    let entry = data.cast::<ChunkEntry>();
                    let head = std::slice::from_raw_parts(entry.add(1).cast().as_ptr(), inline);
                    let body: &[u8] = match Chunk::from_raw(entry.read().chunk).map(ManuallyDrop::new) {
                        Some(chunk) => std::slice::from_raw_parts(chunk.as_ptr(), chunk.len()),
                        None => &[],
                    };
                    (Front { head, body, metadata }, record_size(inline, true))
                }
            }
        }
    }

    /// The record at `offset`, its size in the block and its charge.
    ///
    /// # Safety
    /// As for [`Block::read`].
    pub(crate) unsafe fn inspect(&self, offset: usize, charge: Charge) -> (Front<'_>, usize, usize) {
        // SAFETY: as the caller promises.
        unsafe {
            let (front, size) = self.read(offset);
            let charge = match self.chunk_entry(offset) {
                Some(entry) => entry.charge,
                None => charge.of_inline(front.len(), size),
            };
            (front, size, charge)
        }
    }

    /// What the record at `offset` has of a chunk, if its body is in one.
    ///
    /// # Safety
    /// As for [`Block::read`].
    unsafe fn chunk_entry(&self, offset: usize) -> Option<ChunkEntry> {
        // SAFETY: the caller promises that a record is there, and one of this kind begins with the entry.
        unsafe {
            let prefix = self.data(offset).cast::<Prefix>();
            (prefix.as_ref().kind == Kind::Chunk).then(|| prefix.add(1).cast::<ChunkEntry>().read())
        }
    }

    /// Whether the body of the record at `offset` is in a chunk.
    ///
    /// # Safety
    /// As for [`Block::read`].
    pub(crate) unsafe fn has_chunk(&self, offset: usize) -> bool {
        // SAFETY: the caller promises that a record is there.
        unsafe { self.chunk_entry(offset).is_some() }
    }

    /// Another reference to the chunk of the record at `offset`, if its body is in one.
    ///
    /// # Safety
    /// As for [`Block::read`].
    pub(crate) unsafe fn share_chunk(&self, offset: usize) -> Option<Chunk> {
        // SAFETY: the caller promises that a record is there. Its reference to the chunk is neither taken nor dropped.
        unsafe {
            let entry = self.chunk_entry(offset)?;
            Chunk::from_raw(entry.chunk).map(ManuallyDrop::new).map(|chunk| Chunk::clone(&chunk))
        }
    }

    /// Takes out the record at `offset`; returns its size in the block, its charge and its chunk.
    ///
    /// # Safety
    /// As for [`Block::read`]; once for each record, which must not be borrowed, nor read later.
    #[inline]
    pub(crate) unsafe fn take(&self, offset: usize, charge: Charge) -> (usize, usize, Option<Chunk>) {
        // SAFETY: the caller promises that a record is there, and that no other use of it is made.
        unsafe {
            let inline = self.data(offset).cast::<Prefix>().as_ref().inline as usize;
            match self.chunk_entry(offset) {
                None => {
                    let size = record_size(inline, false);
                    (size, charge.of_inline(inline, size), None)
                }
                Some(ChunkEntry { chunk, charge }) => {
                    (record_size(inline, true), charge, Chunk::from_raw(chunk))
                }
            }
        }
    }
}

/// A length of inline data as it is stored. It is far below four gigabytes: longer messages are in a
/// chunk, and a header has at most 256 words.
fn inline_length(length: usize) -> u32 {
    debug_assert!(u32::try_from(length).is_ok());
    length as u32
}
