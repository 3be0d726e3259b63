//! `nn_send`, `nn_recv`, `nn_sendmsg`, `nn_recvmsg`.
//!
//! Owns what these calls add to the socket layer's: the ownership of a message's memory before and
//! after a call, and the length that is returned. A plain send or receive allocates nothing here and
//! copies the message at most once.

use std::ffi::{c_int, c_void};

use libc::size_t;

use super::body::{Body, FilledBody};
use super::boundary::{self, CallState};
use super::constants::{NN_DONTWAIT, NN_MSG};
use super::control::{ControlData, Inbound, Outbound};
use super::message::{chunk_behind, give};
use super::vector::{bytes_at, gather, list_at, nn_iovec, nn_msghdr, total};
use scaproust::ffi::error::Error;
use scaproust::ffi::message::{INLINE_MAX, Outgoing, Payload};
use scaproust::ffi::socket::{
    self, BlockingCall, Entered, Pending, Received, Receiving, Sending, Step, ToSend,
};
use scaproust::ffi::sync::{CancelState, Sleep};

/// Sends a message; returns its length, or -1.
///
/// If `len` is NN_MSG, `buf` is a pointer to a pointer to a message from nn_allocmsg. Once sent it
/// belongs to the library; if the call fails it still belongs to the caller. `flags` is 0 or
/// NN_DONTWAIT. Fails with EBADF (no such socket, or it was closed during the call), EFAULT (not a
/// message), EMSGSIZE (longer than INT_MAX), ENOTSUP (the protocol cannot send), EFSM (it cannot
/// send in its present state), EAGAIN (NN_DONTWAIT was given and the call would block), ETIMEDOUT
/// (NN_SNDTIMEO has passed), EINTR (a signal handler ran) or ENOMEM.
///
/// # Safety
/// `buf` must point to `len` bytes, or, if that is NN_MSG, to a pointer to a message of the
/// caller's; or be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn nn_send(s: c_int, buf: *const c_void, len: size_t, flags: c_int) -> c_int {
    if len > INLINE_MAX {
        // SAFETY: no frame up to C has anything to drop.
        unsafe { CancelState::test() };
    }
    boundary::blocking(|| {
        if len == NN_MSG {
            // SAFETY: as the caller promises.
            let message =
                unsafe { CallersMessage::from_chunk(buf) }.map_err(|error| socket_first(s, error))?;
            return send(s, message, flags);
        }
        // SAFETY: as the caller promises; the message does not outlive this call.
        let body = if len > LONGEST { Err(Error::MessageSize) } else { unsafe { bytes_at(buf, len) } };
        let body = Payload::Borrowed(body.map_err(|error| socket_first(s, error))?);
        // The most frequent case is kept short: only a call that blocks needs a `CallersMessage`.
        let mut message = Outgoing::new(body);
        let length = as_length(message.body.bytes().len());
        match socket::try_send(s, &mut message, dont_wait(flags)) {
            Ok(Step::Done(())) => Ok(CallState::Done(length)),
            Ok(Step::Blocked(entered)) => send_later(entered, CallersMessage::of(message), length),
            Ok(Step::Untried) => Ok(CallState::Untested),
            Err(error) => Err(error),
        }
    })
}

/// Receives a message; returns its length, or -1.
///
/// At most `len` bytes are written to `buf`; the full length of the message is returned in any
/// case. If `len` is NN_MSG, the message's address is written to the pointer that `buf` points to,
/// and the caller frees the message with nn_freemsg. `flags` is 0 or NN_DONTWAIT. Fails with EBADF
/// (no such socket, or it was closed during the call), EFAULT (no buffer), ENOTSUP (the protocol
/// cannot receive), EFSM (it cannot receive in its present state), EAGAIN (NN_DONTWAIT was given
/// and the call would block), ETIMEDOUT (NN_RCVTIMEO has passed), EINTR (a signal handler ran) or
/// ENOMEM (with NN_MSG only: the message is lost).
///
/// # Safety
/// `buf` must point to `len` writable bytes, or, if that is NN_MSG, to a pointer; or be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn nn_recv(s: c_int, buf: *mut c_void, len: size_t, flags: c_int) -> c_int {
    boundary::blocking(|| {
        let body =
            Body::of(nn_iovec { iov_base: buf, iov_len: len }).map_err(|error| socket_first(s, error))?;
        // SAFETY: as the caller promises, here and below.
        unsafe { receive(s, flags, body, move |received| body.fill(received)) }
    })
}

/// Sends a message from several buffers, with control messages; returns the length of the body, or
/// -1.
///
/// A control message SP_HDR of level PROTO_SP is the protocol header of a raw socket; the first
/// byte of a control message NN_WS_MSG_TYPE of level NN_WS is the message's type over ws. If the
/// only buffer of the body, or the control buffer, has the length NN_MSG, it belongs to the library
/// once the message is sent; if the call fails it still belongs to the caller. Fails as nn_send,
/// and with EINVAL (no header, NN_MSG for one of several buffers, a total length that is too large,
/// or an unknown type) or EMSGSIZE (a negative number of buffers).
///
/// # Safety
/// `msghdr` must be NULL or valid: each pointer in it NULL, or valid for the given number of bytes
/// or entries, or, for NN_MSG, pointing to a pointer to a message of the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn nn_sendmsg(s: c_int, msghdr: *const nn_msghdr, flags: c_int) -> c_int {
    // SAFETY: no frame up to C has anything to drop.
    unsafe { CancelState::test() };
    // SAFETY: as the caller promises.
    boundary::blocking(|| unsafe { send_parts(s, msghdr, flags) }.map_err(|error| socket_first(s, error)))
}

/// Receives a message into several buffers, with control messages; returns the length of the body,
/// or -1.
///
/// The protocol header is written to the control buffer, if there is room, as a control message
/// SP_HDR of level PROTO_SP; after it the type of a message that came over ws, as a control message
/// NN_WS_MSG_TYPE of level NN_WS; after it, if NN_PEER_INFO of nanomsg/ext.h is set, control
/// messages that describe the peer. If the only buffer of the body, or the control buffer, has the
/// length NN_MSG, the library allocates it and writes its address to the pointer that iov_base or
/// msg_control points to; the caller frees it with nn_freemsg. Fails as nn_recv, and with EINVAL
/// (no header, or NN_MSG for one of several buffers) or EMSGSIZE (a negative number of buffers).
///
/// # Safety
/// `msghdr` must be NULL or valid: each pointer in it NULL, or valid for the given number of
/// writable bytes or entries, or, for NN_MSG, pointing to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn nn_recvmsg(s: c_int, msghdr: *mut nn_msghdr, flags: c_int) -> c_int {
    // SAFETY: as the caller promises.
    boundary::blocking(|| unsafe { receive_parts(s, msghdr, flags) }.map_err(|error| socket_first(s, error)))
}

/// The body of [`nn_sendmsg`], with the same safety conditions; what its arguments point to must be
/// valid until the call has ended.
unsafe fn send_parts<'a>(
    s: c_int,
    msghdr: *const nn_msghdr,
    flags: c_int,
) -> Result<CallState<SendCall<'a>>, Error> {
    // SAFETY: as the caller promises, here and below.
    let header = unsafe { msghdr.as_ref() }.ok_or(Error::InvalidArgument)?;
    // SAFETY: as above.
    let vectors = unsafe { list_at(header.msg_iov, header.msg_iovlen) }?;
    let mut message = match *vectors {
        // SAFETY: as above.
        [nn_iovec { iov_base, iov_len: NN_MSG }] => unsafe { CallersMessage::from_chunk(iov_base) }?,
        _ => {
            let length = total(vectors)?;
            if length > LONGEST {
                return Err(Error::MessageSize);
            }
            CallersMessage::of(Outgoing::new(match *vectors {
                [nn_iovec { iov_base, iov_len }] => {
                    // SAFETY: as above.
                    let bytes = unsafe { bytes_at(iov_base, iov_len) }?;
                    Payload::Borrowed(bytes)
                }
                // SAFETY: as above, and `length` is their total.
                _ => Payload::Owned(unsafe { gather(vectors, length) }?),
            }))
        }
    };
    // SAFETY: as above.
    message.set_control(unsafe { Outbound::of(header) }?)?;
    send(s, message, flags)
}

/// The body of [`nn_recvmsg`], with the same safety conditions; what its arguments point to must be
/// valid until the call has ended.
unsafe fn receive_parts(
    s: c_int,
    msghdr: *mut nn_msghdr,
    flags: c_int,
) -> Result<CallState<impl BlockingCall<Output = c_int>>, Error> {
    // SAFETY: as the caller promises.
    let message = unsafe { msghdr.as_ref() }.ok_or(Error::InvalidArgument)?;
    // SAFETY: as above.
    let body = Body::of_list(unsafe { list_at(message.msg_iov, message.msg_iovlen) }?)?;
    let control = Inbound::of(message);
    // SAFETY: as above.
    unsafe {
        receive(s, flags, body, move |received| {
            let (header, peer) = (received.header(), received.peer());
            let message_type = received.metadata().message_type;
            let data = ControlData { header: &header, message_type, peer: peer.as_deref() };
            let control = control.fill(&data)?;
            let filled = body.fill(received)?;
            control.deliver();
            Ok(filled)
        })
    }
}

/// The longest body that can be sent: the call returns the length as an `int`.
const LONGEST: usize = c_int::MAX as usize;

/// The error of a call whose arguments are wrong: that of the socket's id has precedence over `error`.
#[cold]
fn socket_first(s: c_int, error: Error) -> Error {
    socket::enter(s).err().unwrap_or(error)
}

fn dont_wait(flags: c_int) -> bool {
    flags & NN_DONTWAIT != 0
}

/// A length as a C function returns it. Only a received message can be longer than `c_int::MAX`.
fn as_length(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// A message that is being sent, with the memory that the caller passed for it.
struct CallersMessage<'a> {
    outgoing: Outgoing<'a>,
    /// The body is a chunk of the caller's. If it is not sent, even because of a panic, it belongs to
    /// the caller again, which still has its address.
    is_callers_chunk: bool,
    control: Option<Outbound<'a>>,
}

impl<'a> CallersMessage<'a> {
    fn of(outgoing: Outgoing<'a>) -> CallersMessage<'a> {
        CallersMessage { outgoing, is_callers_chunk: false, control: None }
    }

    /// The message for the pointer that `place` points to.
    ///
    /// # Errors
    /// Those of [`chunk_behind`], and [`Error::MessageSize`].
    ///
    /// # Safety
    /// As [`chunk_behind`]; and the caller must not use the chunk after it was sent.
    unsafe fn from_chunk(place: *const c_void) -> Result<CallersMessage<'a>, Error> {
        // SAFETY: as the caller promises.
        let chunk = unsafe { chunk_behind(place) }?;
        let body = Payload::Owned(std::mem::ManuallyDrop::into_inner(chunk));
        let mut message = CallersMessage::of(Outgoing::new(body));
        message.is_callers_chunk = true;
        if message.outgoing.body.bytes().len() > LONGEST { Err(Error::MessageSize) } else { Ok(message) }
    }

    /// Sets the message's protocol header and type from a control buffer.
    fn set_control(&mut self, control: Outbound<'a>) -> Result<(), Error> {
        let bytes = control.protocol_header();
        self.outgoing.header.try_reserve(bytes.len()).map_err(|_| Error::OutOfMemory)?;
        self.outgoing.header.extend_from_slice(bytes);
        self.outgoing.metadata.message_type = control.message_type()?;
        self.control = Some(control);
        Ok(())
    }
}

impl<'a> ToSend<'a> for CallersMessage<'a> {
    fn message(&mut self) -> &mut Outgoing<'a> {
        &mut self.outgoing
    }

    fn sent(&mut self) {
        // A protocol without a peer to send to leaves the body in place; it counts as sent.
        self.is_callers_chunk = false;
        if let Some(control) = self.control.take() {
            control.free();
        }
    }
}

impl Drop for CallersMessage<'_> {
    fn drop(&mut self) {
        if self.is_callers_chunk
            && let Payload::Owned(chunk) = self.outgoing.body.take()
        {
            give(chunk);
        }
    }
}

/// A call that sends, and the length that it returns.
struct SendCall<'a> {
    pending: Pending<Sending<CallersMessage<'a>>>,
    length: c_int,
}

impl BlockingCall for SendCall<'_> {
    type Output = c_int;

    fn proceed(&mut self) -> Result<Option<c_int>, Error> {
        Ok(self.pending.proceed()?.map(|()| self.length))
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.pending.sleep()
    }
}

/// Sends a message; the call returns the length of its body.
fn send<'a>(
    s: c_int,
    mut message: CallersMessage<'a>,
    flags: c_int,
) -> Result<CallState<SendCall<'a>>, Error> {
    let length = as_length(message.outgoing.body.bytes().len());
    match socket::try_send(s, &mut message.outgoing, dont_wait(flags)) {
        Ok(Step::Done(())) => {
            message.sent();
            Ok(CallState::Done(length))
        }
        Ok(Step::Blocked(entered)) => send_later(entered, message, length),
        Ok(Step::Untried) => Ok(CallState::Untested),
        Err(error) => Err(error),
    }
}

#[cold]
fn send_later<'a>(
    entered: Entered,
    message: CallersMessage<'a>,
    length: c_int,
) -> Result<CallState<SendCall<'a>>, Error> {
    boundary::suspend(SendCall { pending: Pending::new(entered, Sending(message)), length })
}

/// A call that receives, and the destination of the body.
struct ReceiveCall<'a, T: Take> {
    pending: Pending<Receiving<T, Result<FilledBody, Error>>>,
    body: Body<'a>,
}

/// Writes a received message to its destination.
trait Take: Fn(Received<'_>) -> Result<FilledBody, Error> + Copy {}

impl<T: Fn(Received<'_>) -> Result<FilledBody, Error> + Copy> Take for T {}

impl<T: Take> BlockingCall for ReceiveCall<'_, T> {
    type Output = c_int;

    fn proceed(&mut self) -> Result<Option<c_int>, Error> {
        let Some(filled) = self.pending.proceed()? else { return Ok(None) };
        // SAFETY: `receive`, which made the call, requires it of its caller.
        Ok(Some(as_length(unsafe { self.body.finish(filled?) })))
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.pending.sleep()
    }
}

/// Receives a message; `take` writes it to `body`.
///
/// # Safety
/// As for [`Body::fill`], until the call has ended.
#[inline]
unsafe fn receive<'a, T: Take>(
    s: c_int,
    flags: c_int,
    body: Body<'a>,
    take: T,
) -> Result<CallState<ReceiveCall<'a, T>>, Error> {
    // The first try, which must be fast, does not allocate or move a `ReceiveCall`, and does not return what it has filled through
    // the layers of the call. The length of a small message is a variable of its own: a processor waits when it loads as a whole
    // what it has just stored in parts.
    let (mut written, mut other) = (0, None);
    let mut receiving = Receiving::new(|received: Received<'_>| match take(received) {
        Ok(FilledBody::Written(length)) => written = length,
        filled => other = Some(filled),
    });
    match socket::receive(s, dont_wait(flags), &mut receiving) {
        Ok(Step::Done(())) => {
            let length = match other {
                None => written,
                // SAFETY: as the caller promises.
                Some(filled) => unsafe { body.finish(filled?) },
            };
            Ok(CallState::Done(as_length(length)))
        }
        Ok(Step::Untried) => Ok(CallState::Untested),
        Ok(Step::Blocked(entered)) => {
            boundary::suspend(ReceiveCall { pending: Pending::new(entered, Receiving::new(take)), body })
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::message::{nn_allocmsg, nn_freemsg};

    #[test]
    fn a_chunk_that_is_not_sent_stays_the_callers() {
        let mut message = nn_allocmsg(3, 0);
        // SAFETY: `message` is live, also after the send that fails: the second call frees it.
        unsafe {
            let callers = CallersMessage::from_chunk((&raw mut message).cast()).unwrap();
            assert_eq!(callers.outgoing.body.bytes().len(), 3);
            drop(callers);
            assert_eq!(nn_freemsg(message), 0);
        }
    }

    #[test]
    fn a_length_above_the_maximum_is_returned_as_the_maximum() {
        assert_eq!(as_length(LONGEST), c_int::MAX);
        assert_eq!(as_length(LONGEST + 1), c_int::MAX);
    }

    #[test]
    fn ebadf_has_precedence_over_bad_arguments() {
        // SAFETY: null is allowed everywhere.
        unsafe {
            let results = [
                nn_send(-1, ptr::null(), 1, 0),
                nn_recv(-1, ptr::null_mut(), 1, 0),
                nn_sendmsg(-1, ptr::null(), 0),
                nn_recvmsg(-1, ptr::null_mut(), 0),
            ];
            assert_eq!((results, boundary::errno()), ([-1; 4], libc::EBADF));
        }
    }
}
