//! `nn_allocmsg`, `nn_reallocmsg`, `nn_freemsg`, and the conversion of their pointers to chunks.
//!
//! Owns the passing of a [`Chunk`] between C and Rust: the check of its pointer, and its ownership.

use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use libc::size_t;

use super::boundary;
use scaproust::ffi::error::Error;
use scaproust::ffi::message::Chunk;

/// No message has a lower address: no system maps the first page.
const FIRST_ADDRESS: usize = 4096;

/// Allocates memory for a message of `size` bytes; `type` must be 0.
///
/// The caller owns the memory until it calls nn_freemsg, or sends the message with NN_MSG as its
/// length. Fails with NULL and ENOMEM (no memory) or EINVAL (no such type).
#[unsafe(no_mangle)]
pub extern "C" fn nn_allocmsg(size: size_t, r#type: c_int) -> *mut c_void {
    boundary::call(ptr::null_mut(), || {
        if r#type != 0 {
            return Err(Error::InvalidArgument);
        }
        Chunk::allocate(size).map(|data| data.as_ptr().cast()).ok_or(Error::OutOfMemory)
    })
}

/// Changes the size of a message, and possibly its address; returns the address.
///
/// The bytes up to the smaller of the two sizes are kept; a message that shrinks is not moved.
/// Fails with NULL and EFAULT (not a message) or ENOMEM (no memory); the message is then left
/// unchanged.
///
/// # Safety
/// `msg` must come from nn_allocmsg, nn_reallocmsg or a receive with NN_MSG, and must not have been
/// freed or sent; or be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_reallocmsg(msg: *mut c_void, size: size_t) -> *mut c_void {
    boundary::call(ptr::null_mut(), || {
        // SAFETY: as the caller promises.
        let chunk = unsafe { chunk_at(msg) }?;
        ManuallyDrop::into_inner(chunk).resize(size).map(give).map_err(|unchanged| {
            give(unchanged);
            Error::OutOfMemory
        })
    })
}

/// Frees a message; returns 0, or -1 with EFAULT (not a message).
///
/// # Safety
/// As nn_reallocmsg.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_freemsg(msg: *mut c_void) -> c_int {
    boundary::call(-1, || {
        // SAFETY: as the caller promises.
        let chunk = unsafe { chunk_at(msg) }?;
        drop(ManuallyDrop::into_inner(chunk));
        Ok(0)
    })
}

/// Passes a chunk to the caller, which owns it from now on.
pub(super) fn give(chunk: Chunk) -> *mut c_void {
    chunk.into_raw().as_ptr().cast()
}

/// The chunk whose data is at `message`. The C caller still owns it; [`ManuallyDrop::into_inner`]
/// takes it over.
///
/// # Errors
/// [`Error::BadPointer`] for a pointer that is recognisably not a chunk's.
///
/// # Safety
/// `message` must be null, or come from [`give`] and be the caller's.
pub(super) unsafe fn chunk_at(message: *mut c_void) -> Result<ManuallyDrop<Chunk>, Error> {
    let data = NonNull::new(message.cast::<u8>()).ok_or(Error::BadPointer)?;
    if data.addr().get() < FIRST_ADDRESS {
        return Err(Error::BadPointer);
    }
    // SAFETY: as the caller promises.
    let chunk = unsafe { Chunk::from_raw(data) }.ok_or(Error::BadPointer)?;
    Ok(ManuallyDrop::new(chunk))
}

/// The chunk that the pointer at `place` points to: the meaning of a buffer with length `NN_MSG`.
///
/// # Errors
/// As [`chunk_at`], and [`Error::BadPointer`] for null.
///
/// # Safety
/// `place` must be null or point to a pointer for which [`chunk_at`] may be called.
pub(super) unsafe fn chunk_behind(place: *const c_void) -> Result<ManuallyDrop<Chunk>, Error> {
    if place.is_null() {
        return Err(Error::BadPointer);
    }
    // SAFETY: as the caller promises. Unaligned, since C programs keep pointers in packed structures.
    unsafe { chunk_at(place.cast::<*mut c_void>().read_unaligned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errno() -> c_int {
        boundary::errno()
    }

    #[test]
    fn a_message_can_be_resized_and_freed() {
        let message = nn_allocmsg(100, 0);
        // SAFETY: a live message of 100 bytes, then of 10, of 1000 and of 10,000.
        unsafe {
            message.cast::<u8>().write(b'x');
            assert_eq!(nn_reallocmsg(message, 10), message);
            let larger = nn_reallocmsg(message, 1000);
            assert_ne!(larger, message);
            let message = nn_reallocmsg(larger, 10_000);
            assert_eq!(message.cast::<u8>().read(), b'x');
            assert!(nn_reallocmsg(message, usize::MAX).is_null());
            assert_eq!(errno(), libc::ENOMEM);
            assert_eq!(message.cast::<u8>().read(), b'x');
            assert_eq!(nn_freemsg(message), 0);
        }
    }

    #[test]
    fn a_failed_allocation_sets_errno() {
        assert!(nn_allocmsg(1, 1).is_null());
        assert_eq!(errno(), libc::EINVAL);
        assert!(nn_allocmsg(usize::MAX, 0).is_null());
        assert_eq!(errno(), libc::ENOMEM);
    }

    #[test]
    fn a_pointer_to_something_else_is_refused() {
        let mut other = [0_u64; 4];
        // SAFETY: null, the first page and readable memory may all be passed.
        unsafe {
            for pointer in [ptr::null_mut(), ptr::without_provenance_mut(3), (&raw mut other[2]).cast()] {
                assert_eq!((nn_freemsg(pointer), errno()), (-1, libc::EFAULT));
                assert!(nn_reallocmsg(pointer, 1).is_null());
                assert_eq!(errno(), libc::EFAULT);
            }
            assert!(chunk_behind(ptr::null()).is_err());
        }
    }
}
