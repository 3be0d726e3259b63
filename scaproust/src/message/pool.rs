//! A pool of freed memory, for messages that are not copied into a lane, and for the blocks of lanes.
//!
//! The allocator returns large pieces to the kernel, and the end of its heap when many small ones are freed together. The kernel
//! then has to map and clear the pages for the next message: more work than copying that message. So a few freed pieces are kept,
//! at most [`KEEP`] bytes in all, while a socket is open.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, TryLockError};

use super::INLINE_MAX;

/// The longest message in bytes whose memory is kept.
pub(super) const LARGEST: usize = 1024 * 1024;
/// Sizes in bytes that are kept: shorter messages need no memory of their own, and longer ones are rare.
const SIZES: std::ops::RangeInclusive<usize> = INLINE_MAX..=LARGEST + 64;
/// The most bytes kept in all.
const KEEP: usize = 4 * 1024 * 1024;

/// Pieces of memory from `malloc`, each with its size in bytes.
struct Pool {
    pieces: Vec<(usize, NonNull<u8>)>,
    /// The sum of their sizes.
    bytes: usize,
}

// SAFETY: the pool is the only owner of its pieces.
unsafe impl Send for Pool {}

/// Whether freed memory is kept. It changes outside the lock, and is read under it.
static KEEPS: AtomicBool = AtomicBool::new(false);

static POOL: Mutex<Pool> = Mutex::new(Pool { pieces: Vec::new(), bytes: 0 });

/// Runs `call` with the pool locked; returns `None` without waiting if another thread holds the lock.
/// In a forked child that thread may not exist, and would never release it.
fn with_pool<T>(call: impl FnOnce(&mut Pool) -> T) -> Option<T> {
    match POOL.try_lock() {
        Ok(mut pool) => Some(call(&mut pool)),
        Err(TryLockError::Poisoned(pool)) => Some(call(&mut pool.into_inner())),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Memory of at least `size` and, unless that is new, at most `most` bytes, aligned for every type that C knows; `None` when out
/// of memory. Returns it with its size.
pub(crate) fn allocate(size: usize, most: usize) -> Option<(usize, NonNull<u8>)> {
    take(size, most).or_else(|| {
        // SAFETY: a plain call.
        let new = NonNull::new(unsafe { libc::malloc(size) });
        new.map(|memory| (size, memory.cast()))
    })
}

/// Takes a piece of `size` to `most` bytes out of the pool, and returns it with its size.
pub(super) fn take(size: usize, most: usize) -> Option<(usize, NonNull<u8>)> {
    if !SIZES.contains(&size) {
        return None;
    }
    with_pool(|pool| {
        let fits = |piece: &(usize, NonNull<u8>)| (size..=most).contains(&piece.0);
        let place = pool.pieces.iter().rposition(fits)?;
        let piece = pool.pieces.swap_remove(place);
        pool.bytes -= piece.0;
        Some(piece)
    })
    .flatten()
}

/// Puts a piece of `size` bytes into the pool, or frees it.
///
/// # Safety
/// The piece must come from [`allocate`] or [`take`] with this size, and no references to it may be left.
pub(crate) unsafe fn free(size: usize, piece: NonNull<u8>) {
    let is_kept = SIZES.contains(&size)
        && with_pool(|pool| {
            let has_room = KEEPS.load(Ordering::Relaxed) && pool.bytes + size <= KEEP;
            if has_room {
                pool.pieces.push((size, piece));
                pool.bytes += size;
            }
            has_room
        }) == Some(true);
    if !is_kept {
        // SAFETY: as the caller promises.
        unsafe { libc::free(piece.as_ptr().cast()) };
    }
}

/// Keeps memory that is freed from now on.
pub(crate) fn keep_spare_memory() {
    KEEPS.store(true, Ordering::Relaxed);
}

/// Frees all memory in the pool, and keeps none that is freed from now on.
pub(crate) fn release_spare_memory() {
    KEEPS.store(false, Ordering::Relaxed);
    let pieces = with_pool(|pool| {
        pool.bytes = 0;
        std::mem::take(&mut pool.pieces)
    });
    for (_, piece) in pieces.unwrap_or_default() {
        // SAFETY: the pool was its only owner, and it was just taken out.
        unsafe { libc::free(piece.as_ptr().cast()) };
    }
}
