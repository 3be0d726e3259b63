//! Control buffers of the caller: `nn_cmsg_nxthdr_`, and the buffers of `nn_sendmsg` and `nn_recvmsg`.
//!
//! Owns the memory of a control buffer, which belongs to the caller or, with `NN_MSG`, to the library.
//! `layout` knows what is in it.

use std::ffi::c_void;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;

mod layout;

use super::boundary;
use super::constants::NN_MSG;
use super::message::{chunk_behind, give};
use super::vector::{bytes_at, nn_msghdr};
use scaproust::ffi::error::Error;
use scaproust::ffi::message::{Chunk, MessageType};

pub(crate) use layout::ControlData;
use layout::EMPTY;
pub use layout::nn_cmsghdr;
use layout::{message_type, next, protocol_header};

/// Returns the control message of `mhdr` after `cmsg`, or the first one if `cmsg` is NULL; NULL if
/// there are no more. Called by NN_CMSG_FIRSTHDR and NN_CMSG_NXTHDR.
///
/// # Safety
/// `mhdr` must be NULL or point to a header with a valid control buffer, and `cmsg` be NULL or
/// point into that buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_cmsg_nxthdr_(mhdr: *const nn_msghdr, cmsg: *const nn_cmsghdr) -> *mut nn_cmsghdr {
    boundary::call(ptr::null_mut(), || {
        // SAFETY: as the caller promises; the buffer is only read during this call.
        let Some(message) = (unsafe { mhdr.as_ref() }) else { return Ok(ptr::null_mut()) };
        // SAFETY: as above.
        let Ok(buffer) = (unsafe { Outbound::of(message) }) else { return Ok(ptr::null_mut()) };
        let after = (!cmsg.is_null()).then(|| cmsg.addr().wrapping_sub(buffer.start.addr()));
        let found = next(buffer.bytes, after);
        Ok(found.map_or(ptr::null_mut(), |offset| buffer.start.wrapping_byte_add(offset).cast()))
    })
}

/// The control buffer of a message to be sent. The caller owns it until [`Outbound::free`].
pub(super) struct Outbound<'a> {
    start: *mut c_void,
    bytes: &'a [u8],
    /// The buffer's memory, if the caller passes that to the library (`NN_MSG`).
    chunk: Option<ManuallyDrop<Chunk>>,
}

impl Outbound<'_> {
    /// The control buffer of `message`.
    ///
    /// # Errors
    /// [`Error::BadPointer`] for null with a length, or a pointer that is not to a message.
    ///
    /// # Safety
    /// `msg_control` must be null, or point to `msg_controllen` bytes, or, if that is `NN_MSG`,
    /// to a pointer to a message of the caller's. The buffer must live as long as the result.
    pub(super) unsafe fn of(message: &nn_msghdr) -> Result<Self, Error> {
        let start = message.msg_control;
        if start.is_null() {
            return Ok(Outbound { start, bytes: &[], chunk: None });
        }
        if message.msg_controllen != NN_MSG {
            // SAFETY: as the caller promises.
            let bytes = unsafe { bytes_at(start, message.msg_controllen) }?;
            return Ok(Outbound { start, bytes, chunk: None });
        }
        // SAFETY: as the caller promises; `chunk_behind` has read the same pointer.
        let (chunk, start) = unsafe { (chunk_behind(start)?, start.cast::<*mut c_void>().read_unaligned()) };
        // SAFETY: the chunk has `len()` bytes, and its data do not move when the `Chunk` does.
        let bytes = unsafe { bytes_at(start, chunk.len()) }?;
        Ok(Outbound { start, bytes, chunk: Some(chunk) })
    }

    /// The protocol header in the buffer; empty if there is none, or it exceeds its control message.
    pub(super) fn protocol_header(&self) -> &[u8] {
        protocol_header(self.bytes)
    }

    /// The message type in the buffer, if there is one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown type.
    pub(super) fn message_type(&self) -> Result<Option<MessageType>, Error> {
        message_type(self.bytes)
    }

    /// Frees the buffer if the caller passed it to the library. Called when the message was sent.
    pub(super) fn free(self) {
        drop(self.chunk.map(ManuallyDrop::into_inner));
    }
}

/// Where the control data of a received message goes.
#[derive(Clone, Copy)]
pub(super) enum Inbound {
    /// The caller does not ask for it.
    Nowhere,
    /// Into the caller's buffer.
    Room(*mut c_void, usize),
    /// Into a new chunk, whose address is written to this place.
    Chunk(*mut c_void),
}

impl Inbound {
    /// The destination that `message` names.
    pub(super) fn of(message: &nn_msghdr) -> Inbound {
        match (message.msg_control, message.msg_controllen) {
            (place, _) if place.is_null() => Inbound::Nowhere,
            (place, NN_MSG) => Inbound::Chunk(place),
            (place, room) => Inbound::Room(place, room),
        }
    }

    /// Writes the control data of a received message.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    ///
    /// # Safety
    /// The place must be writable, over the whole length given for it.
    pub(super) unsafe fn fill(self, data: &ControlData<'_>) -> Result<FilledControl, Error> {
        match self {
            Inbound::Nowhere => Ok(FilledControl(None)),
            Inbound::Room(place, room) => {
                let used = room.min(data.space().saturating_add(EMPTY));
                // SAFETY: as the caller promises; `used` does not exceed the room.
                data.write(unsafe { std::slice::from_raw_parts_mut(place.cast(), used) });
                Ok(FilledControl(None))
            }
            Inbound::Chunk(place) => {
                let mut chunk = Chunk::new(data.space()).ok_or(Error::OutOfMemory)?;
                let bytes = chunk.unique().ok_or(Error::OutOfMemory)?;
                // SAFETY: initialised bytes may be viewed as `MaybeUninit` as long as nothing
                // uninitialised is written to them; `write` writes initialised bytes only.
                let bytes = unsafe { &mut *(ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) };
                data.write(bytes);
                Ok(FilledControl(Some((chunk, place))))
            }
        }
    }
}

/// Control data that were written. A chunk with them is passed to the caller by [`FilledControl::deliver`].
pub(super) struct FilledControl(Option<(Chunk, *mut c_void)>);

impl FilledControl {
    /// Passes the chunk to the caller. Called when the receive can no longer fail.
    ///
    /// # Safety
    /// As [`Inbound::fill`].
    pub(super) unsafe fn deliver(self) {
        if let Some((chunk, place)) = self.0 {
            // SAFETY: as the caller promises.
            unsafe { place.cast::<*mut c_void>().write_unaligned(give(chunk)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The control data of a message with this header.
    const HEADER: ControlData<'_> = ControlData { header: b"12345", message_type: None, peer: None };
    /// The length of its control message.
    const SPACE: usize = EMPTY + size_of::<usize>() + 8;

    /// A message header with this control buffer and no body.
    fn with_control(msg_control: *mut c_void, msg_controllen: usize) -> nn_msghdr {
        nn_msghdr { msg_iov: ptr::null_mut(), msg_iovlen: 0, msg_control, msg_controllen }
    }

    #[test]
    fn a_control_buffer_of_the_library_is_received_and_sent() {
        let mut place: *mut c_void = ptr::null_mut();
        let message = with_control((&raw mut place).cast(), NN_MSG);
        // SAFETY: `place` is a pointer that may be written, and then holds a message of ours.
        unsafe {
            assert!(matches!(Outbound::of(&message), Err(Error::BadPointer)));
            Inbound::of(&message).fill(&HEADER).unwrap().deliver();
            let first = nn_cmsg_nxthdr_(&raw const message, ptr::null());
            assert_eq!(first.cast(), place);
            assert_eq!(first.read_unaligned().cmsg_len, SPACE);
            assert!(nn_cmsg_nxthdr_(&raw const message, first).is_null());
            // As when the message was not sent: the caller still owns the memory.
            assert_eq!(Outbound::of(&message).unwrap().protocol_header(), b"12345");
            Outbound::of(&message).unwrap().free();
        }
    }

    #[test]
    fn stepping_stays_within_the_buffer() {
        let mut buffer = vec![0_u8; SPACE + EMPTY];
        let start: *mut c_void = buffer.as_mut_ptr().cast();
        let message = with_control(start, buffer.len());
        let elsewhere = nn_cmsghdr { cmsg_len: EMPTY, cmsg_level: 0, cmsg_type: 0 };
        // SAFETY: the buffer has the given length; a pointer to elsewhere is not dereferenced.
        unsafe {
            Inbound::Room(start, SPACE).fill(&HEADER).unwrap().deliver();
            start.byte_add(SPACE).cast::<nn_cmsghdr>().write_unaligned(elsewhere);
            let first = nn_cmsg_nxthdr_(&raw const message, ptr::null());
            assert_eq!(first.cast(), message.msg_control);
            let second = nn_cmsg_nxthdr_(&raw const message, first);
            assert_eq!(second.addr(), first.addr() + SPACE);
            assert!(nn_cmsg_nxthdr_(&raw const message, second).is_null());
            assert!(nn_cmsg_nxthdr_(&raw const message, &raw const elsewhere).is_null());
            assert!(nn_cmsg_nxthdr_(ptr::null(), ptr::null()).is_null());
            assert!(nn_cmsg_nxthdr_(&with_control(ptr::null_mut(), 64), ptr::null()).is_null());
        }
    }
}
