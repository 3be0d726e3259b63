//! `nn_send`, `nn_recv`, `nn_sendmsg`, `nn_recvmsg`.
//!
//! Owns the way of a message through the C face: who owns its memory before and after, and what
//! the answer says of its length. A plain send or receive allocates nothing here and copies the
//! message at most once.

use std::ffi::{c_int, c_void};

use libc::size_t;

use super::boundary;
use super::constants::{NN_DONTWAIT, NN_MSG};
use super::control::{Inbound, Outbound};
use super::message::{chunk_behind, give};
use super::vector::{bytes_at, check, gather, list_at, nn_iovec, scatter, total};
use crate::error::Error;
use crate::message::{Chunk, Outgoing, Payload};
use crate::socket::{self, Received};

/// A message in several runs of bytes, with control messages.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_msghdr {
    /// The runs of the body.
    pub msg_iov: *mut nn_iovec,
    /// Their number.
    pub msg_iovlen: c_int,
    /// The buffer of the control messages, or NULL; with a length of NN_MSG, a pointer to a
    /// pointer to it.
    pub msg_control: *mut c_void,
    /// The buffer's length in bytes, or NN_MSG.
    pub msg_controllen: size_t,
}

/// Sends a message; returns its length, or -1.
///
/// With `len` NN_MSG, `buf` is a pointer to a pointer to a message of nn_allocmsg: if it is sent
/// it belongs to the library, if not, to the caller as before. `flags` is 0 or NN_DONTWAIT.
/// Fails with EBADF (no such socket, or closed meanwhile), EFAULT (no message), EMSGSIZE (longer
/// than INT_MAX), ENOTSUP (the socket cannot send), EFSM (not now), EAGAIN (NN_DONTWAIT),
/// ETIMEDOUT (NN_SNDTIMEO is over), EINTR (a signal came) or ENOMEM.
///
/// # Safety
/// `buf` must point to `len` bytes, or, if that is NN_MSG, to a pointer to a message of the
/// caller's; or be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_send(s: c_int, buf: *const c_void, len: size_t, flags: c_int) -> c_int {
    boundary::call(-1, || {
        if len == NN_MSG {
            // SAFETY: as the caller promises.
            let lent = unsafe { Lent::behind(buf) }.map_err(|error| socket_first(s, error))?;
            return lent.send(s, flags);
        }
        // SAFETY: as the caller promises; the message does not outlive this call.
        let body = if len > LONGEST { Err(Error::MessageSize) } else { unsafe { bytes_at(buf, len) } };
        let body = Payload::Borrowed(body.map_err(|error| socket_first(s, error))?);
        send(s, &mut Outgoing::new(body), flags)
    })
}

/// Receives a message; returns its length, or -1.
///
/// At most `len` bytes are written to `buf`; the length returned is the message's even so. With
/// `len` NN_MSG, the message's address is written to the pointer that `buf` points to, and the
/// caller frees it with nn_freemsg. `flags` is 0 or NN_DONTWAIT. Fails with EBADF (no such
/// socket, or closed meanwhile), EFAULT (no buffer), ENOTSUP (the socket cannot receive), EFSM
/// (not now), EAGAIN (NN_DONTWAIT), ETIMEDOUT (NN_RCVTIMEO is over), EINTR (a signal came) or
/// ENOMEM (NN_MSG only: the message is lost).
///
/// # Safety
/// `buf` must point to `len` writable bytes, or, if that is NN_MSG, to a pointer; or be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_recv(s: c_int, buf: *mut c_void, len: size_t, flags: c_int) -> c_int {
    boundary::call(-1, || {
        let body =
            Body::of(nn_iovec { iov_base: buf, iov_len: len }).map_err(|error| socket_first(s, error))?;
        // SAFETY: as the caller promises, here and below.
        let filled = socket::recv(s, dont_wait(flags), |received| unsafe { body.fill(received) })??;
        // SAFETY: as above.
        Ok(unsafe { body.finish(filled) })
    })
}

/// Sends a message whose body lies in several places, with control messages; returns the length
/// of the body, or -1.
///
/// A control message SP_HDR of level PROTO_SP is the protocol header of a raw socket; one
/// NN_WS_MSG_TYPE of level NN_WS says in its first byte what the message is sent as over ws. If
/// the body, which then must be the only run, or the control buffer is given with NN_MSG as its
/// length, it belongs to the library once the message is sent, and to the caller as before if
/// not. Fails as nn_send, and with EINVAL (no header, NN_MSG among several runs, lengths whose
/// sum is too large, or an unknown type) or EMSGSIZE (a negative number of runs).
///
/// # Safety
/// `msghdr` must be NULL or valid: each pointer in it NULL, or good for as many bytes or entries
/// as it says, or, for NN_MSG, pointing to a pointer to a message of the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_sendmsg(s: c_int, msghdr: *const nn_msghdr, flags: c_int) -> c_int {
    // SAFETY: as the caller promises.
    boundary::call(-1, || unsafe { send_parts(s, msghdr, flags) }.map_err(|error| socket_first(s, error)))
}

/// Receives a message into several places, with control messages; returns the length of the
/// body, or -1.
///
/// The protocol header is written to the control buffer as a control message SP_HDR of level
/// PROTO_SP, if it has room for it, and behind it the type of a message that came over ws as one
/// NN_WS_MSG_TYPE of level NN_WS. If the body, which then must be the only run, or the control
/// buffer has NN_MSG as its length, its address is written to the pointer that the header points
/// to, and the caller frees it with nn_freemsg. Fails as nn_recv, and with EINVAL (no header, or
/// NN_MSG among several runs) or EMSGSIZE (a negative number of runs).
///
/// # Safety
/// `msghdr` must be NULL or valid: each pointer in it NULL, or good for as many writable bytes
/// or entries as it says, or, for NN_MSG, pointing to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_recvmsg(s: c_int, msghdr: *mut nn_msghdr, flags: c_int) -> c_int {
    // SAFETY: as the caller promises.
    boundary::call(-1, || unsafe { receive_parts(s, msghdr, flags) }.map_err(|error| socket_first(s, error)))
}

/// As [`nn_sendmsg`], which says what it must be given.
unsafe fn send_parts(s: c_int, msghdr: *const nn_msghdr, flags: c_int) -> Result<c_int, Error> {
    // SAFETY: as the caller promises, here and below; nothing outlives this call.
    let message = unsafe { msghdr.as_ref() }.ok_or(Error::InvalidArgument)?;
    // SAFETY: as above.
    let vectors = unsafe { list_at(message.msg_iov, message.msg_iovlen) }?;
    if let [nn_iovec { iov_base, iov_len: NN_MSG }] = *vectors {
        // SAFETY: as above.
        let mut lent = unsafe { Lent::behind(iov_base) }?;
        // SAFETY: as above.
        let control = unsafe { Outbound::of(message) }?;
        direct(&mut lent.0, &control)?;
        let length = lent.send(s, flags)?;
        control.spend();
        return Ok(length);
    }
    let length = total(vectors)?;
    if length > LONGEST {
        return Err(Error::MessageSize);
    }
    let body = match *vectors {
        // SAFETY: as above.
        [nn_iovec { iov_base, iov_len }] => Payload::Borrowed(unsafe { bytes_at(iov_base, iov_len) }?),
        // SAFETY: as above, and `length` is their total.
        _ => Payload::Owned(unsafe { gather(vectors, length) }?),
    };
    // SAFETY: as above.
    let control = unsafe { Outbound::of(message) }?;
    let mut message = Outgoing::new(body);
    direct(&mut message, &control)?;
    let length = send(s, &mut message, flags)?;
    control.spend();
    Ok(length)
}

/// As [`nn_recvmsg`], which says what it must be given.
unsafe fn receive_parts(s: c_int, msghdr: *mut nn_msghdr, flags: c_int) -> Result<c_int, Error> {
    // SAFETY: as the caller promises; nothing outlives this call.
    let message = unsafe { msghdr.as_ref() }.ok_or(Error::InvalidArgument)?;
    // SAFETY: as above.
    let body = Body::of_list(unsafe { list_at(message.msg_iov, message.msg_iovlen) }?)?;
    let control = Inbound::of(message);
    // SAFETY: as above.
    let filled = socket::recv(s, dont_wait(flags), |received| unsafe {
        let control = control.fill(&received.header(), received.message_type())?;
        let filled = body.fill(received)?;
        control.deliver();
        Ok::<_, Error>(filled)
    })??;
    // SAFETY: as above.
    Ok(unsafe { body.finish(filled) })
}

/// The longest body that can be sent: a longer one's length could not be returned.
const LONGEST: usize = c_int::MAX as usize;

/// What a call says when its arguments are wrong: a number that is no open socket is named first.
#[cold]
fn socket_first(s: c_int, error: Error) -> Error {
    socket::enter(s).err().unwrap_or(error)
}

fn dont_wait(flags: c_int) -> bool {
    flags & NN_DONTWAIT != 0
}

/// A length as a C function returns it. Only a peer can make it larger than can be said.
fn as_length(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// Sends a message whose body belongs to this call, and says how long that was.
#[inline]
fn send(s: c_int, message: &mut Outgoing<'_>, flags: c_int) -> Result<c_int, Error> {
    let length = message.body.bytes().len();
    socket::send(s, message, dont_wait(flags))?;
    Ok(as_length(length))
}

/// Gives a message the protocol header and the type that a control buffer holds.
fn direct(message: &mut Outgoing<'_>, control: &Outbound<'_>) -> Result<(), Error> {
    let bytes = control.protocol_header();
    message.header.try_reserve(bytes.len()).map_err(|_| Error::OutOfMemory)?;
    message.header.extend_from_slice(bytes);
    message.message_type = control.message_type()?;
    Ok(())
}

/// A message whose body is a chunk of the caller's.
///
/// It goes back to the caller, who knows its address, unless it was sent: also if the send
/// panics.
struct Lent(Outgoing<'static>);

impl Lent {
    /// The message for the pointer that `place` points to.
    ///
    /// # Safety
    /// As [`chunk_behind`]; and the chunk's owner must know that it is gone once it was sent.
    unsafe fn behind(place: *const c_void) -> Result<Lent, Error> {
        // SAFETY: as the caller promises.
        let chunk = unsafe { chunk_behind(place) }?;
        Ok(Lent(Outgoing::new(Payload::Owned(std::mem::ManuallyDrop::into_inner(chunk)))))
    }

    fn send(mut self, s: c_int, flags: c_int) -> Result<c_int, Error> {
        if self.0.body.bytes().len() > LONGEST {
            return Err(Error::MessageSize);
        }
        let length = send(s, &mut self.0, flags)?;
        // A protocol that has nobody to send to leaves the body where it is. It is sent even so.
        drop(self.0.body.take());
        Ok(length)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Payload::Owned(chunk) = self.0.body.take() {
            give(chunk);
        }
    }
}

/// Where the body of a received message goes.
enum Body<'a> {
    /// Into this run.
    Run(nn_iovec),
    /// Into these runs.
    Runs(&'a [nn_iovec]),
    /// Into memory of the library's, whose address is then written to this place.
    Chunk(*mut c_void),
}

impl<'a> Body<'a> {
    /// What the entry asks for, checked before a message is taken for it.
    #[inline]
    fn of(vector: nn_iovec) -> Result<Body<'a>, Error> {
        match vector {
            nn_iovec { iov_base, iov_len: 1.. } if iov_base.is_null() => Err(Error::BadPointer),
            nn_iovec { iov_base, iov_len: NN_MSG } => Ok(Body::Chunk(iov_base)),
            _ => Ok(Body::Run(vector)),
        }
    }

    /// As `of`, for a list of entries.
    fn of_list(vectors: &'a [nn_iovec]) -> Result<Body<'a>, Error> {
        match *vectors {
            [vector] => Body::of(vector),
            _ => check(vectors).map(|()| Body::Runs(vectors)),
        }
    }

    /// Writes the body there, or takes it out of its lane to be written by [`Body::finish`]: what is large
    /// is not copied while the socket is locked.
    ///
    /// # Safety
    /// Each place must be writable, and as long as it was said to be.
    // Always: it is called from two places, and of each message.
    #[inline(always)]
    unsafe fn fill(&self, received: Received<'_>) -> Result<Filled, Error> {
        if let Body::Chunk(place) = *self {
            let chunk: Chunk = received.into_chunk().ok_or(Error::OutOfMemory)?;
            let length = chunk.len();
            // SAFETY: as the caller promises. Unaligned, since C programs keep pointers in
            // packed places.
            unsafe { place.cast::<*mut c_void>().write_unaligned(give(chunk)) };
            return Ok(Filled::Whole(length));
        }
        Ok(match received.take_chunk() {
            Ok((chunk, begin)) => Filled::Nothing(chunk, begin),
            Err(received) => {
                // SAFETY: as the caller promises.
                unsafe { scatter(received.body(), self.runs()) };
                Filled::Whole(received.len())
            }
        })
    }

    /// Writes what was not yet written, and says how long the body is.
    ///
    /// # Safety
    /// As for [`Body::fill`].
    #[inline]
    unsafe fn finish(&self, filled: Filled) -> c_int {
        as_length(match filled {
            Filled::Whole(length) => length,
            Filled::Nothing(chunk, begin) => {
                let body = chunk.get(begin..).unwrap_or_default();
                // SAFETY: as the caller promises.
                unsafe { scatter((body, &[]), self.runs()) };
                body.len()
            }
        })
    }

    /// The runs that a body is copied to, as `of` and `of_list` have checked them.
    #[inline]
    fn runs(&self) -> &[nn_iovec] {
        match self {
            Body::Run(vector) => std::slice::from_ref(vector),
            Body::Runs(vectors) => vectors,
            Body::Chunk(_) => &[],
        }
    }
}

/// What became of a body while the socket was locked.
enum Filled {
    /// All of its bytes were written, so many.
    Whole(usize),
    /// None were: they are in this chunk, from this byte on.
    Nothing(Chunk, usize),
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::capi::message::{nn_allocmsg, nn_freemsg};

    #[test]
    fn a_lent_message_goes_back_to_its_owner() {
        let mut message = nn_allocmsg(3, 0);
        // SAFETY: `message` is live, and still is after the loan: the second call frees it.
        unsafe {
            let lent = Lent::behind((&raw mut message).cast()).unwrap();
            assert_eq!(lent.0.body.bytes().len(), 3);
            drop(lent);
            assert_eq!(nn_freemsg(message), 0);
        }
    }

    #[test]
    fn buffers_are_checked_before_a_message_is_taken_for_them() {
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

    #[test]
    fn a_length_that_cannot_be_said_is_the_largest_that_can() {
        assert_eq!(as_length(LONGEST), c_int::MAX);
        assert_eq!(as_length(LONGEST + 1), c_int::MAX);
    }

    #[test]
    fn the_socket_is_looked_at_first() {
        // SAFETY: null is allowed everywhere.
        unsafe {
            let answers = [
                nn_send(-1, ptr::null(), 1, 0),
                nn_recv(-1, ptr::null_mut(), 1, 0),
                nn_sendmsg(-1, ptr::null(), 0),
                nn_recvmsg(-1, ptr::null_mut(), 0),
            ];
            assert_eq!((answers, boundary::errno()), ([-1; 4], libc::EBADF));
        }
    }
}
