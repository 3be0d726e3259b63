//! The memory of a lane: a linked block of records.
//!
//! A record is eight bytes of prefix, the message's type among them, and, rounded up to eight
//! bytes, either the bytes of a small message or a pointer to the chunk of a large one followed by
//! its head. The producer writes behind `committed` and then moves it; the consumer reads only in
//! front of it.

use std::alloc::{Layout, alloc, dealloc};
use std::mem::{ManuallyDrop, size_of};
use std::ptr::{self, NonNull};

use crate::message::{Chunk, Front, Metadata};
use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Capacity of a lane's first block; a lane at rest keeps at most one of these.
pub(crate) const SMALL: usize = 1024 - size_of::<Header>();
/// Capacity of the blocks of a lane that is behind.
pub(crate) const LARGE: usize = 16 * 1024 - size_of::<Header>();

/// What stands in front of a block's data.
struct Header {
    /// Bytes of whole records, from the start of the data.
    committed: AtomicUsize,
    /// The block that follows; set once, after the last record was committed.
    next: AtomicPtr<Header>,
    capacity: usize,
}

/// What stands in front of a record's data.
#[repr(C)]
#[derive(Clone, Copy)]
struct Prefix {
    /// Bytes that follow inline: the message, or the head of a message in a chunk.
    inline: u32,
    kind: Kind,
    metadata: Metadata,
}

const _: () = assert!(size_of::<Prefix>() == 8);

#[repr(u16)]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The whole message is inline.
    Inline = 0,
    /// A pointer to a chunk comes first, then the head.
    Chunk = 1,
}

/// A pointer to a block that is alive. Copies are allowed; who may free it is the lane's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block(NonNull<Header>);

/// The bytes a record of `inline` bytes takes in a block.
pub(crate) const fn record_size(inline: usize, with_chunk: bool) -> usize {
    let data = inline + if with_chunk { size_of::<usize>() } else { 0 };
    size_of::<Prefix>() + data.next_multiple_of(size_of::<Prefix>())
}

/// What a lane's bound counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Charge {
    /// The bytes of messages, an empty one as one byte.
    Payload,
    /// The memory of records, and of their chunks.
    Memory,
}

impl Charge {
    /// What a record counts that holds so many bytes inline, and takes `size` bytes of its block.
    #[inline]
    pub(crate) fn of(self, inline: usize, size: usize, chunk: Option<&Chunk>) -> usize {
        match self {
            Charge::Payload => (inline + chunk.map_or(0, |chunk| chunk.len())).max(1),
            Charge::Memory => size + chunk.map_or(0, Chunk::footprint),
        }
    }
}

/// What a record holds, as the producer hands it over.
pub(crate) enum Record<'a> {
    /// A small message, in two runs that are joined.
    Inline(&'a [u8], &'a [u8]),
    /// A head and the chunk that follows it.
    Chunk(&'a [u8], Chunk),
}

impl Record<'_> {
    /// The bytes it takes in a block.
    pub(crate) fn size(&self) -> usize {
        match self {
            Record::Inline(head, body) => record_size(head.len() + body.len(), false),
            Record::Chunk(head, _) => record_size(head.len(), true),
        }
    }
}

impl Block {
    /// A block for at least `capacity` bytes; `None` when memory is out.
    pub(crate) fn new(capacity: usize) -> Option<Block> {
        let layout = Self::layout(capacity)?;
        // SAFETY: the layout has a size, that of the header at least.
        let header = NonNull::new(unsafe { alloc(layout) })?.cast::<Header>();
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

    /// # Safety
    /// Nobody may use the block any more, and its chunks must have been taken or dropped.
    pub(crate) unsafe fn free(self) {
        let layout = Self::layout(self.capacity());
        // SAFETY: allocated with this layout; the caller says that it was the last use.
        unsafe {
            ptr::drop_in_place(self.0.as_ptr());
            if let Some(layout) = layout {
                dealloc(self.0.as_ptr().cast(), layout);
            }
        }
    }

    fn layout(capacity: usize) -> Option<Layout> {
        let header = Layout::new::<Header>().align_to(size_of::<Prefix>()).ok()?;
        Some(header.extend(Layout::array::<u8>(capacity).ok()?).ok()?.0)
    }

    fn header(&self) -> &Header {
        // SAFETY: the block is alive; everything that is shared in its header is atomic.
        unsafe { self.0.as_ref() }
    }

    fn data(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.capacity());
        // SAFETY: the data follows the header in the same allocation.
        unsafe { self.0.add(1).cast::<u8>().add(offset) }
    }

    /// The block as a pointer that can stand in an atomic.
    pub(crate) fn into_raw(self) -> *mut () {
        self.0.as_ptr().cast()
    }

    /// What [`Block::into_raw`] made, or `None` for a null pointer.
    pub(crate) fn from_raw(raw: *mut ()) -> Option<Block> {
        NonNull::new(raw.cast()).map(Block)
    }

    /// Bytes of records that fit.
    pub(crate) fn capacity(&self) -> usize {
        self.header().capacity
    }

    /// The memory that the block takes.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Header>() + self.capacity()
    }

    /// The bytes of whole records, with what they contain.
    pub(crate) fn committed(&self) -> usize {
        self.header().committed.load(Ordering::Acquire)
    }

    /// The block that follows. All records of this one are committed if there is one.
    pub(crate) fn next(&self) -> Option<Block> {
        NonNull::new(self.header().next.load(Ordering::Acquire)).map(Block)
    }

    /// Links the block that follows.
    pub(crate) fn link(&self, next: Block) {
        self.header().next.store(next.0.as_ptr(), Ordering::Release);
    }

    /// Makes the block empty and alone again.
    ///
    /// # Safety
    /// Nobody else may use the block meanwhile, and its chunks must have been taken or dropped.
    pub(crate) unsafe fn reset(&self) {
        self.header().committed.store(0, Ordering::Relaxed);
        self.header().next.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Appends a record at `offset` and commits it; returns the offset behind it.
    ///
    /// # Safety
    /// `offset` must be what is committed, the record must fit, and no other thread may write.
    pub(crate) unsafe fn write(&self, offset: usize, record: Record<'_>, metadata: Metadata) -> usize {
        let end = offset + record.size();
        debug_assert!(end <= self.capacity());
        let prefix = self.data(offset).cast::<Prefix>();
        // SAFETY: the record fits, and nobody reads behind `committed`. Offsets are multiples of
        // eight from data that is aligned to eight.
        unsafe {
            let data = prefix.add(1).cast::<u8>();
            match record {
                Record::Inline(head, body) => {
                    let inline = small(head.len() + body.len());
                    prefix.write(Prefix { inline, kind: Kind::Inline, metadata });
                    data.copy_from_nonoverlapping(NonNull::from(head).cast(), head.len());
                    data.add(head.len()).copy_from_nonoverlapping(NonNull::from(body).cast(), body.len());
                }
                Record::Chunk(head, chunk) => {
                    prefix.write(Prefix { inline: small(head.len()), kind: Kind::Chunk, metadata });
                    data.cast::<NonNull<u8>>().write(chunk.into_raw());
                    data.add(size_of::<usize>())
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
    /// A whole record must be committed at `offset`, and nobody may take it out meanwhile.
    #[inline]
    pub(crate) unsafe fn read(&self, offset: usize) -> (Front<'_>, usize) {
        // SAFETY: the caller says that a record is there; the block outlives the borrow of it.
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
                    let head = std::slice::from_raw_parts(data.add(size_of::<usize>()).as_ptr(), inline);
                    let raw = data.cast::<NonNull<u8>>().read();
                    let body: &[u8] = match Chunk::from_raw(raw).map(ManuallyDrop::new) {
                        Some(chunk) => std::slice::from_raw_parts(chunk.as_ptr(), chunk.len()),
                        None => &[],
                    };
                    (Front { head, body, metadata }, record_size(inline, true))
                }
            }
        }
    }

    /// Whether the body of the record at `offset` is in a chunk.
    ///
    /// # Safety
    /// As for [`Block::read`].
    pub(crate) unsafe fn has_chunk(&self, offset: usize) -> bool {
        // SAFETY: the caller says that a record is there.
        unsafe { self.data(offset).cast::<Prefix>().as_ref().kind == Kind::Chunk }
    }

    /// Takes out the record at `offset`: answers its size in the block, what it counts, and its chunk.
    ///
    /// # Safety
    /// As for [`Block::read`], once for each record, and nobody may be reading it or read it later.
    #[inline]
    pub(crate) unsafe fn take(&self, offset: usize, charge: Charge) -> (usize, usize, Option<Chunk>) {
        // SAFETY: the caller says that a record is there, and that it is his alone.
        unsafe {
            let prefix = self.data(offset).cast::<Prefix>();
            let Prefix { inline, kind, .. } = prefix.read();
            let inline = inline as usize;
            let (size, chunk) = match kind {
                Kind::Inline => (record_size(inline, false), None),
                Kind::Chunk => {
                    let raw = prefix.add(1).cast::<NonNull<u8>>().read();
                    (record_size(inline, true), Chunk::from_raw(raw))
                }
            };
            (size, charge.of(inline, size, chunk.as_ref()), chunk)
        }
    }
}

/// Inline lengths are far below four gigabytes: the lane puts what is longer into a chunk, and a
/// header has at most 256 words.
fn small(length: usize) -> u32 {
    debug_assert!(u32::try_from(length).is_ok());
    length as u32
}
