//! Buffers of the caller: a pointer and a length, a list of `nn_iovec`, or a `nn_msghdr`.
//!
//! Owns the checks of such lists, and the copying from and to them. Must not know sockets.

use std::ffi::{c_int, c_void};
use std::ptr;

use libc::size_t;

use super::constants::NN_MSG;
use scaproust::ffi::error::Error;
use scaproust::ffi::message::Chunk;

/// A buffer with a part of a message.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_iovec {
    /// Its first byte; if its length is NN_MSG, a pointer to a pointer to the message.
    pub iov_base: *mut c_void,
    /// Its length in bytes, or NN_MSG.
    pub iov_len: size_t,
}

/// A message whose body lies in several buffers, with control messages.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_msghdr {
    /// The buffers of the body.
    pub msg_iov: *mut nn_iovec,
    /// The number of buffers.
    pub msg_iovlen: c_int,
    /// The control buffer, or NULL; if its length is NN_MSG, a pointer to a pointer to it.
    pub msg_control: *mut c_void,
    /// The length in bytes of the control buffer, or NN_MSG.
    pub msg_controllen: size_t,
}

/// The bytes at `start`.
///
/// # Errors
/// [`Error::BadPointer`] for null with a length, [`Error::InvalidArgument`] for a length above
/// `isize::MAX`.
///
/// # Safety
/// `start` must point to `length` bytes, or be null; they must live as long as the result.
#[inline]
pub(super) unsafe fn bytes_at<'a>(start: *const c_void, length: usize) -> Result<&'a [u8], Error> {
    if length == 0 {
        return Ok(&[]);
    }
    if start.is_null() {
        return Err(Error::BadPointer);
    }
    if isize::try_from(length).is_err() {
        return Err(Error::InvalidArgument);
    }
    // SAFETY: as the caller promises; null and lengths above `isize::MAX` were excluded.
    Ok(unsafe { std::slice::from_raw_parts(start.cast(), length) })
}

/// The list at `vectors`.
///
/// # Errors
/// [`Error::MessageSize`] for a negative count, [`Error::BadPointer`] for null with a count.
///
/// # Safety
/// `vectors` must point to `count` entries, or be null; they must live as long as the result.
pub(super) unsafe fn list_at<'a>(vectors: *const nn_iovec, count: c_int) -> Result<&'a [nn_iovec], Error> {
    let count = usize::try_from(count).map_err(|_| Error::MessageSize)?;
    if count == 0 {
        return Ok(&[]);
    }
    if vectors.is_null() {
        return Err(Error::BadPointer);
    }
    // SAFETY: as the caller promises.
    Ok(unsafe { std::slice::from_raw_parts(vectors, count) })
}

/// Checks that a list consists of plain buffers.
///
/// # Errors
/// [`Error::InvalidArgument`] for `NN_MSG` among them, [`Error::BadPointer`] for null with a
/// length.
#[inline]
pub(super) fn check(vectors: &[nn_iovec]) -> Result<(), Error> {
    for vector in vectors {
        if vector.iov_len == NN_MSG {
            return Err(Error::InvalidArgument);
        }
        if vector.iov_base.is_null() && vector.iov_len > 0 {
            return Err(Error::BadPointer);
        }
    }
    Ok(())
}

/// The total length of the buffers of a list.
///
/// # Errors
/// As [`check`], and [`Error::InvalidArgument`] for a sum out of range.
pub(super) fn total(vectors: &[nn_iovec]) -> Result<usize, Error> {
    check(vectors)?;
    let mut lengths = vectors.iter().map(|vector| vector.iov_len);
    lengths.try_fold(0, usize::checked_add).ok_or(Error::InvalidArgument)
}

/// The contents of the buffers of a list, joined in a new chunk.
///
/// # Errors
/// [`Error::OutOfMemory`].
///
/// # Safety
/// `size` must be the [`total`] of the list, and each entry must point to its bytes.
pub(super) unsafe fn gather(vectors: &[nn_iovec], size: usize) -> Result<Chunk, Error> {
    let mut chunk = Chunk::with_capacity(size).ok_or(Error::OutOfMemory)?;
    for vector in vectors {
        // SAFETY: as the caller promises.
        chunk.append(unsafe { bytes_at(vector.iov_base, vector.iov_len) }?);
    }
    Ok(chunk)
}

/// Copies a message, which is given in two slices, into the buffers of a list. What does not fit is
/// not copied.
///
/// # Safety
/// Each entry must point to `iov_len` writable bytes, or have the length 0.
#[inline]
pub(super) unsafe fn scatter(message: (&[u8], &[u8]), vectors: &[nn_iovec]) {
    let (mut first, mut second) = message;
    for &nn_iovec { iov_base, iov_len } in vectors {
        let from_first = first.len().min(iov_len);
        let from_second = second.len().min(iov_len - from_first);
        // SAFETY: the sum of both counts does not exceed the entry's length. The buffers belong to the
        // caller and the message to the library, so the two do not overlap.
        unsafe {
            let place = iov_base.cast::<u8>();
            if from_first > 0 {
                ptr::copy_nonoverlapping(first.as_ptr(), place, from_first);
            }
            if from_second > 0 {
                ptr::copy_nonoverlapping(second.as_ptr(), place.add(from_first), from_second);
            }
        }
        (first, second) = (&first[from_first..], &second[from_second..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(bytes: &mut [u8]) -> nn_iovec {
        nn_iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
    }

    #[test]
    fn wrong_lists_are_refused() {
        let mut byte = [0];
        let good = entry(&mut byte);
        let null = |iov_len| nn_iovec { iov_base: ptr::null_mut(), iov_len };
        assert_eq!(total(&[good, null(0), good]), Ok(2));
        assert_eq!(total(&[good, null(1)]), Err(Error::BadPointer));
        assert_eq!(total(&[good, null(NN_MSG)]), Err(Error::InvalidArgument));
        let huge = nn_iovec { iov_len: usize::MAX - 1, ..good };
        assert_eq!(total(&[huge, good, good]), Err(Error::InvalidArgument));
        // SAFETY: null lists and negative counts are allowed.
        unsafe {
            assert_eq!(list_at(ptr::null(), -1).unwrap_err(), Error::MessageSize);
            assert_eq!(list_at(ptr::null(), 1).unwrap_err(), Error::BadPointer);
            assert!(list_at(ptr::null(), 0).unwrap().is_empty());
            assert_eq!(bytes_at(ptr::null(), 1).unwrap_err(), Error::BadPointer);
            assert_eq!(bytes_at(good.iov_base, usize::MAX - 1).unwrap_err(), Error::InvalidArgument);
        }
    }

    proptest! {
        /// For any lengths of the buffers, the bytes that fit arrive in order, and no others are written.
        #[test]
        fn scatter_and_gather_keep_the_bytes(
            message in proptest::collection::vec(1_u8.., 0..64),
            cut in 0_usize..64,
            rooms in proptest::collection::vec(0_usize..20, 0..6),
        ) {
            let mut buffers: Vec<Vec<u8>> = rooms.iter().map(|&room| vec![0; room]).collect();
            let vectors: Vec<nn_iovec> = buffers.iter_mut().map(|buffer| entry(buffer)).collect();
            // SAFETY: each entry points to a buffer of its length.
            unsafe { scatter(message.split_at(cut.min(message.len())), &vectors) };
            let mut expected = message.clone();
            expected.resize(rooms.iter().sum(), 0);
            prop_assert_eq!(buffers.concat(), &expected[..]);

            let size = total(&vectors).unwrap();
            // SAFETY: as above, and `size` is their sum.
            let gathered = unsafe { gather(&vectors, size) }.unwrap();
            prop_assert_eq!(&*gathered, &expected[..]);
        }
    }
}
