//! The destination of the body of a received message.
//!
//! Owns the choice between the caller's buffers and a chunk of the library (`NN_MSG`), and when the body
//! is copied: a small one under the socket's lock, a large one after it.

use std::ffi::c_void;

use super::constants::NN_MSG;
use super::message::give;
use super::vector::{check, nn_iovec, scatter};
use scaproust::ffi::error::Error;
use scaproust::ffi::message::Chunk;
use scaproust::ffi::socket::Received;

/// The destination of the body of a received message.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    /// This buffer.
    Buffer(nn_iovec),
    /// These buffers.
    Buffers(&'a [nn_iovec]),
    /// A chunk, whose address is written to this place.
    Chunk(*mut c_void),
}

impl<'a> Body<'a> {
    /// The destination that the entry names. It is checked before a message is received.
    #[inline]
    pub(super) fn of(vector: nn_iovec) -> Result<Body<'a>, Error> {
        match vector {
            nn_iovec { iov_base, iov_len: 1.. } if iov_base.is_null() => Err(Error::BadPointer),
            nn_iovec { iov_base, iov_len: NN_MSG } => Ok(Body::Chunk(iov_base)),
            _ => Ok(Body::Buffer(vector)),
        }
    }

    /// As `of`, for a list of entries.
    pub(super) fn of_list(vectors: &'a [nn_iovec]) -> Result<Body<'a>, Error> {
        match *vectors {
            [vector] => Body::of(vector),
            _ => check(vectors).map(|()| Body::Buffers(vectors)),
        }
    }

    /// Writes a small body. A large one is not copied while the socket is locked: its chunk is taken from
    /// the lane, and [`Body::finish`] copies it.
    ///
    /// # Safety
    /// Each place must be writable, over the whole length given for it.
    // Inlined always: it runs for each message, and has two call sites.
    #[inline(always)]
    pub(super) unsafe fn fill(&self, received: Received<'_>) -> Result<FilledBody, Error> {
        if let Body::Chunk(place) = *self {
            let chunk: Chunk = received.into_chunk().ok_or(Error::OutOfMemory)?;
            let length = chunk.len();
            // SAFETY: as the caller promises. Unaligned, since C programs keep pointers in
            // packed structures.
            unsafe { place.cast::<*mut c_void>().write_unaligned(give(chunk)) };
            return Ok(FilledBody::Written(length));
        }
        Ok(match received.take_chunk() {
            Ok((chunk, begin)) => FilledBody::Taken(chunk, begin),
            Err(received) => {
                // SAFETY: as the caller promises.
                unsafe { scatter(received.body(), self.buffers()) };
                FilledBody::Written(received.length())
            }
        })
    }

    /// Writes a body that [`Body::fill`] has not written; returns the length of the body.
    ///
    /// # Safety
    /// As for [`Body::fill`].
    #[inline]
    pub(super) unsafe fn finish(&self, filled: FilledBody) -> usize {
        match filled {
            FilledBody::Written(length) => length,
            FilledBody::Taken(chunk, begin) => {
                let body = chunk.get(begin..).unwrap_or_default();
                // SAFETY: as the caller promises.
                unsafe { scatter((body, &[]), self.buffers()) };
                body.len()
            }
        }
    }

    /// The buffers that a body is copied to, which `of` and `of_list` have checked.
    #[inline]
    fn buffers(&self) -> &[nn_iovec] {
        match self {
            Body::Buffer(vector) => std::slice::from_ref(vector),
            Body::Buffers(vectors) => vectors,
            Body::Chunk(_) => &[],
        }
    }
}

/// The state of a body after [`Body::fill`].
pub(super) enum FilledBody {
    /// It was written; its length.
    Written(usize),
    /// It was not: it is in this chunk, from this byte on.
    Taken(Chunk, usize),
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn buffers_are_checked_before_a_message_is_received() {
        let mut byte = 0_u8;
        let start = (&raw mut byte).cast();
        let run = |iov_len| nn_iovec { iov_base: start, iov_len };
        let null = |iov_len| nn_iovec { iov_base: ptr::null_mut(), iov_len };
        let error = |vectors: &[nn_iovec]| Body::of_list(vectors).err();
        assert_eq!(error(&[null(1)]), Some(Error::BadPointer));
        assert_eq!(error(&[null(NN_MSG)]), Some(Error::BadPointer));
        assert_eq!(error(&[run(1), run(NN_MSG)]), Some(Error::InvalidArgument));
        assert_eq!(error(&[null(0), run(1)]), None);
        assert!(matches!(Body::of(run(NN_MSG)), Ok(Body::Chunk(place)) if place == start));
    }
}
