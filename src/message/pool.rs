//! Memory of large messages, kept for the next ones.
//!
//! A large message is often allocated by one thread and freed by another, and memory of that size
//! is given back to the kernel and asked for again: each time its pages are taken and cleared
//! anew, which costs more than copying the message. A few pieces are kept instead, never more
//! than [`KEEP`] bytes, and none after the last socket is closed.

use std::ptr::NonNull;
use std::sync::{Mutex, TryLockError};

/// Memory of messages of at most this size is kept.
pub(super) const LARGEST: usize = 1024 * 1024;
/// Smaller pieces are the allocator's business alone, larger ones are too rare.
const SIZES: std::ops::RangeInclusive<usize> = 16 * 1024..=LARGEST + 64;
/// Bytes that are kept at most.
const KEEP: usize = 4 * 1024 * 1024;

/// Pieces of memory from `malloc`, each with its size.
struct Pool {
    pieces: Vec<(usize, NonNull<u8>)>,
    bytes: usize,
}

// SAFETY: the pieces belong to the pool alone.
unsafe impl Send for Pool {}

static POOL: Mutex<Pool> = Mutex::new(Pool { pieces: Vec::new(), bytes: 0 });

/// Runs `call` unless another thread is in the pool: waiting would cost more than it brings, and
/// in a forked child the other thread may never leave.
fn with_pool<T>(call: impl FnOnce(&mut Pool) -> T) -> Option<T> {
    match POOL.try_lock() {
        Ok(mut pool) => Some(call(&mut pool)),
        Err(TryLockError::Poisoned(pool)) => Some(call(&mut pool.into_inner())),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A piece of at least `size` bytes, and not of many more, with its size.
pub(super) fn take(size: usize) -> Option<(usize, NonNull<u8>)> {
    if !SIZES.contains(&size) {
        return None;
    }
    with_pool(|pool| {
        let fits = |piece: &(usize, NonNull<u8>)| (size..=2 * size).contains(&piece.0);
        let place = pool.pieces.iter().rposition(fits)?;
        let piece = pool.pieces.swap_remove(place);
        pool.bytes -= piece.0;
        Some(piece)
    })
    .flatten()
}

/// Keeps a piece from `malloc`, or frees it.
///
/// # Safety
/// The piece must be of this size, and nobody may use it any more.
pub(super) unsafe fn give(size: usize, piece: NonNull<u8>) {
    let is_kept = SIZES.contains(&size)
        && with_pool(|pool| {
            let has_room = pool.bytes + size <= KEEP;
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

/// Gives everything back that is kept.
pub fn release_spare_memory() {
    let pieces = with_pool(|pool| {
        pool.bytes = 0;
        std::mem::take(&mut pool.pieces)
    });
    for (_, piece) in pieces.unwrap_or_default() {
        // SAFETY: it belonged to the pool, and is in it no more.
        unsafe { libc::free(piece.as_ptr().cast()) };
    }
}
