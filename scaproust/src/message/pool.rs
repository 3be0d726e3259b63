//! The memory of message bodies that are not copied into a lane, and of the blocks of lanes; with a pool of freed pieces.
//!
//! The allocator returns large pieces to the kernel, and the end of its heap when many small ones are freed together. The kernel
//! then has to map and clear the pages for the next message: more work than copying that message. So a few freed pieces are kept,
//! at most [`KEEP`] bytes in all, while a socket is open.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, TryLockError};

use super::SHARED_FROM;

/// The alignment of all pieces in bytes, as that of `malloc`.
const ALIGNMENT: usize = 2 * size_of::<usize>();
/// The longest message in bytes whose memory is kept.
pub(super) const LARGEST: usize = 1024 * 1024;
/// Sizes in bytes that are kept: shorter bodies are not shared by lanes, and longer ones are rare.
const SIZES: std::ops::RangeInclusive<usize> = SHARED_FROM..=LARGEST + 64;
/// The most bytes kept in all. A fuzzer must see each use of memory that was freed.
const KEEP: usize = if cfg!(fuzzing) { 0 } else { 4 * 1024 * 1024 };
/// The most pieces kept: one that fits is searched for.
const MOST: usize = 1024;
/// How often a thread tries to empty the pool while another one uses it, which takes a moment.
const TRIES: usize = 64;

/// Freed pieces of memory, each with its size in bytes, in the order in which they were freed.
struct Pool {
    pieces: VecDeque<(usize, NonNull<u8>)>,
    /// The sum of their sizes.
    bytes: usize,
}

// SAFETY: the pool is the only owner of its pieces.
unsafe impl Send for Pool {}

/// Whether freed memory is kept. It changes outside the lock, and is read under it.
static KEEPS: AtomicBool = AtomicBool::new(false);

static POOL: Mutex<Pool> = Mutex::new(Pool { pieces: VecDeque::new(), bytes: 0 });

/// Runs `call` with the pool locked; returns `None` without waiting if another thread holds the lock.
/// In a forked child that thread may not exist, and would never release it.
fn with_pool<T>(call: impl FnOnce(&mut Pool) -> T) -> Option<T> {
    match POOL.try_lock() {
        Ok(mut pool) => Some(call(&mut pool)),
        Err(TryLockError::Poisoned(pool)) => Some(call(&mut pool.into_inner())),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Memory of at least `size` and, if it comes from the pool, at most `most` bytes; `None` when out of memory. Returns it with its
/// size.
pub(crate) fn allocate(size: usize, most: usize) -> Option<(usize, NonNull<u8>)> {
    take(size, most).or_else(|| {
        let layout = layout(size)?;
        // SAFETY: the size is not 0: each piece has a header.
        Some((size, NonNull::new(unsafe { alloc(layout) })?))
    })
}

/// Takes a piece of `size` to `most` bytes out of the pool, and returns it with its size.
pub(super) fn take(size: usize, most: usize) -> Option<(usize, NonNull<u8>)> {
    if !SIZES.contains(&size) {
        return None;
    }
    with_pool(|pool| {
        let fits = |piece: &(usize, NonNull<u8>)| (size..=most).contains(&piece.0);
        // The last one, which may be in a cache.
        let place = pool.pieces.iter().rposition(fits)?;
        let piece = pool.pieces.remove(place)?;
        pool.bytes -= piece.0;
        Some(piece)
    })
    .flatten()
}

/// Memory of `new` bytes that begins with the content of a piece of `old` bytes; `None` when out of memory: then the piece is
/// unchanged.
///
/// # Safety
/// The piece must come from here with this size, and is not to be used any more.
pub(super) unsafe fn reallocate(piece: NonNull<u8>, old: usize, new: usize) -> Option<NonNull<u8>> {
    layout(new)?;
    // SAFETY: as the caller promises; the new size is one that a layout can have.
    NonNull::new(unsafe { realloc(piece.as_ptr(), layout(old)?, new) })
}

/// Puts a piece of `size` bytes into the pool, or frees it. The pool gives up its oldest pieces for it, since programs change the
/// sizes of their messages.
///
/// # Safety
/// The piece must come from here with this size, and no references to it may be left.
pub(crate) unsafe fn free(size: usize, piece: NonNull<u8>) {
    let mut piece = Some((size, piece));
    while piece.is_some() {
        let keep = |pool: &mut Pool| {
            if KEEPS.load(Ordering::Relaxed) { pool.exchange(&mut piece) } else { piece.take() }
        };
        let unused = if SIZES.contains(&size) { with_pool(keep) } else { None };
        if let Some((size, unused)) = unused.unwrap_or_else(|| piece.take()) {
            // SAFETY: as the caller promises; a piece of the pool has no other owner.
            unsafe { release(size, unused) };
        }
    }
}

/// Returns a piece to the allocator.
///
/// # Safety
/// As for [`free`].
unsafe fn release(size: usize, piece: NonNull<u8>) {
    if let Some(layout) = layout(size) {
        // SAFETY: as the caller promises.
        unsafe { dealloc(piece.as_ptr(), layout) };
    }
}

impl Pool {
    /// Takes `piece`, if there is room for it. Returns a piece to be released: an old one, after which there may be room, or
    /// `piece` itself if it cannot be kept.
    fn exchange(&mut self, piece: &mut Option<(usize, NonNull<u8>)>) -> Option<(usize, NonNull<u8>)> {
        let size = piece.as_ref()?.0;
        if size > KEEP || self.pieces.try_reserve(1).is_err() {
            return piece.take();
        }
        if self.bytes + size <= KEEP && self.pieces.len() < MOST {
            self.bytes += size;
            self.pieces.extend(piece.take());
            return None;
        }
        let oldest = self.pieces.pop_front()?;
        self.bytes -= oldest.0;
        Some(oldest)
    }
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, ALIGNMENT).ok()
}

/// Keeps memory that is freed from now on.
pub(crate) fn keep_spare_memory() {
    KEEPS.store(true, Ordering::Relaxed);
}

/// Frees all memory in the pool, and keeps none that is freed from now on.
pub(crate) fn release_spare_memory() {
    KEEPS.store(false, Ordering::Relaxed);
    let empty = |pool: &mut Pool| {
        pool.bytes = 0;
        std::mem::take(&mut pool.pieces)
    };
    let pieces = (0..TRIES).find_map(|_| {
        let pieces = with_pool(empty);
        if pieces.is_none() {
            std::thread::yield_now();
        }
        pieces
    });
    for (size, piece) in pieces.unwrap_or_default() {
        // SAFETY: the pool was its only owner, and it was just taken out.
        unsafe { release(size, piece) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_pieces_are_given_up_for_a_new_one() {
        let mut pool = Pool { pieces: VecDeque::new(), bytes: 0 };
        let piece = |size| Some((size, NonNull::dangling()));
        let sizes = |pool: &Pool| pool.pieces.iter().map(|(size, _)| *size).collect::<Vec<_>>();
        for size in [KEEP / 2, KEEP / 4, KEEP / 4] {
            assert!(pool.exchange(&mut piece(size)).is_none());
        }
        let mut new = piece(KEEP / 2 + 1);
        assert_eq!(pool.exchange(&mut new).unwrap().0, KEEP / 2);
        assert_eq!(pool.exchange(&mut new).unwrap().0, KEEP / 4);
        assert!(pool.exchange(&mut new).is_none() && new.is_none());
        assert_eq!(sizes(&pool), [KEEP / 4, KEEP / 2 + 1]);
        let mut long = piece(KEEP + 1);
        assert!(pool.exchange(&mut long).is_some() && long.is_none(), "it is released itself");
        assert_eq!(pool.bytes, 3 * KEEP / 4 + 1);
    }
}
