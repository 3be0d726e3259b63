//! Control messages: `nn_cmsg_nxthdr_`, and the protocol header and a message's type as such.
//!
//! Owns the layout of a control buffer: a row of control messages, each a `nn_cmsghdr` and its
//! data, padded to whole words. Lengths in such a buffer come from the caller or from nobody, so
//! none is believed before it was compared with the room there is.

use std::ffi::{c_int, c_void};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;

use libc::size_t;

use super::boundary;
use super::constants::{NN_MSG, NN_WS, NN_WS_MSG_TYPE, PROTO_SP, SP_HDR};
use super::message::{chunk_behind, give};
use super::transfer::nn_msghdr;
use super::vector::bytes_at;
use crate::error::Error;
use crate::message::{Chunk, MessageType};

/// The beginning of a control message. Its data follow.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_cmsghdr {
    /// Length in bytes of this structure and the data.
    pub cmsg_len: size_t,
    /// Whose control message it is: PROTO_SP, or the level of a transport.
    pub cmsg_level: c_int,
    /// Which of theirs it is.
    pub cmsg_type: c_int,
}

const WORD: usize = size_of::<size_t>();
/// Length of a control message without data. It is a whole number of words.
const EMPTY: usize = size_of::<nn_cmsghdr>();
const _: () = assert!(EMPTY.is_multiple_of(WORD));
/// The length that stands behind the control messages of a received message: longer than any
/// buffer, and yet a program that steps by itself can add it to an offset without an overflow.
const END: usize = isize::MAX as usize & !(WORD - 1);

/// Steps through the control messages of `mhdr`: the one behind `cmsg`, or the first if that is
/// NULL; NULL if there is no further one. Called by NN_CMSG_FIRSTHDR and NN_CMSG_NXTHDR.
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

/// The control buffer of a message on its way out. The caller owns it until [`Outbound::spend`].
pub(super) struct Outbound<'a> {
    start: *mut c_void,
    bytes: &'a [u8],
    /// The buffer's memory, if the caller gives that to the library.
    chunk: Option<ManuallyDrop<Chunk>>,
}

impl Outbound<'_> {
    /// The control buffer that `message` names.
    ///
    /// # Errors
    /// [`Error::BadPointer`] when it is not there.
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
        // SAFETY: as the caller promises; what was taken for a pointer once can be read again.
        let (chunk, start) = unsafe { (chunk_behind(start)?, start.cast::<*mut c_void>().read_unaligned()) };
        // SAFETY: a chunk is as long as it says, and stays where it is when its owner moves.
        let bytes = unsafe { bytes_at(start, chunk.len()) }?;
        Ok(Outbound { start, bytes, chunk: Some(chunk) })
    }

    /// The protocol header in the buffer; empty if there is none, or one that does not fit.
    pub(super) fn protocol_header(&self) -> &[u8] {
        protocol_header(self.bytes)
    }

    /// The type in the buffer, if there is one: the first byte of its control message, which has
    /// more of them where a program writes an int.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is none.
    pub(super) fn message_type(&self) -> Result<Option<MessageType>, Error> {
        let Some(data) = find(self.bytes, NN_WS, NN_WS_MSG_TYPE) else { return Ok(None) };
        let known = data.first().and_then(|byte| MessageType::from_number((*byte).into()));
        known.map(Some).ok_or(Error::InvalidArgument)
    }

    /// The message was sent: what was given to the library is the library's, which is done with
    /// it.
    pub(super) fn spend(self) {
        drop(self.chunk.map(ManuallyDrop::into_inner));
    }
}

/// Where the control data of a received message goes.
#[derive(Clone, Copy)]
pub(super) enum Inbound {
    /// Nobody wants it.
    Nowhere,
    /// Into the caller's buffer.
    Room(*mut c_void, usize),
    /// Into memory of the library's, whose address is then written to this place.
    Chunk(*mut c_void),
}

impl Inbound {
    /// What `message` asks for.
    pub(super) fn of(message: &nn_msghdr) -> Inbound {
        match (message.msg_control, message.msg_controllen) {
            (place, _) if place.is_null() => Inbound::Nowhere,
            (place, NN_MSG) => Inbound::Chunk(place),
            (place, room) => Inbound::Room(place, room),
        }
    }

    /// Writes the protocol header of a received message, and its type if it has one.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    ///
    /// # Safety
    /// The place must be writable, and as long as it was said to be.
    pub(super) unsafe fn fill(
        self,
        header: &[u8],
        message_type: Option<MessageType>,
    ) -> Result<Filled, Error> {
        let total = space(header.len()) + message_type.map_or(0, |_| TYPE_SPACE);
        match self {
            Inbound::Nowhere => Ok(Filled(None)),
            Inbound::Room(place, room) => {
                let used = room.min(total.saturating_add(EMPTY));
                // SAFETY: as the caller promises; `used` is no more than the room, nor than the
                // few bytes that are written.
                write(unsafe { std::slice::from_raw_parts_mut(place.cast(), used) }, header, message_type);
                Ok(Filled(None))
            }
            Inbound::Chunk(place) => {
                let mut chunk = Chunk::new(total).ok_or(Error::OutOfMemory)?;
                let bytes = chunk.unique().ok_or(Error::OutOfMemory)?;
                // SAFETY: bytes that are initialised may be seen as bytes that need not be, as
                // long as nothing uninitialised is written to them, and `write` does not.
                let bytes = unsafe { &mut *(ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) };
                write(bytes, header, message_type);
                Ok(Filled(Some((chunk, place))))
            }
        }
    }
}

/// Control data that were written; memory of the library's is not the caller's yet.
pub(super) struct Filled(Option<(Chunk, *mut c_void)>);

impl Filled {
    /// Hands the memory over, now that nothing can fail any more.
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

/// Length of the control message that carries a protocol header of `length` bytes.
fn space(length: usize) -> usize {
    EMPTY + WORD + length.next_multiple_of(WORD)
}

/// Length of the control message that carries a type.
const TYPE_SPACE: usize = EMPTY + WORD;

/// Offset of the control message behind the one at `after`, or of the first.
///
/// A length of 0 is let pass, for a program that is about to fill a cleared buffer; but there is
/// nothing behind such a one.
fn next(buffer: &[u8], after: Option<usize>) -> Option<usize> {
    let offset = match after {
        None => 0,
        Some(offset) => {
            let length = word_at(buffer, offset)?;
            if length < EMPTY {
                return None;
            }
            offset.checked_add(length.checked_next_multiple_of(WORD)?)?
        }
    };
    let rest = buffer.len().checked_sub(offset)?;
    let length = word_at(buffer, offset)?.checked_next_multiple_of(WORD)?;
    (rest >= EMPTY && length <= rest).then_some(offset)
}

/// The data of the first control message of a level and type, if it is as long as it says.
fn find(buffer: &[u8], level: c_int, kind: c_int) -> Option<&[u8]> {
    let mut offset = next(buffer, None);
    while let Some(start) = offset {
        if level_and_type_at(buffer, start) == Some((level, kind)) {
            let length = word_at(buffer, start)?;
            return buffer.get(start..start.checked_add(length)?)?.get(EMPTY..);
        }
        offset = next(buffer, offset);
    }
    None
}

/// The protocol header in a control buffer; empty if there is none, or one that does not fit.
fn protocol_header(buffer: &[u8]) -> &[u8] {
    find(buffer, PROTO_SP, SP_HDR)
        .and_then(|data| data.get(WORD..)?.get(..word_at(data, 0)?))
        .unwrap_or_default()
}

/// Writes a protocol header and a type as the control messages of a buffer.
///
/// What has no room is left out, and all behind it. If there is room for it, a control message of
/// the length [`END`] follows, at which [`next`] stops whatever was in the buffer before. If there is
/// none, `next` stops too.
fn write(buffer: &mut [MaybeUninit<u8>], header: &[u8], message_type: Option<MessageType>) {
    let length = header.len().to_ne_bytes();
    let mut rest = put(buffer, PROTO_SP, SP_HDR, &length, header);
    if let (Ok(place), Some(message_type)) = (&mut rest, message_type) {
        // One byte, which is also the first of an int with that value on most machines.
        let number = message_type.number().to_le_bytes();
        rest = put(std::mem::take(place), NN_WS, NN_WS_MSG_TYPE, &number[..1], &[]);
    }
    let (Ok(rest) | Err(rest)) = rest;
    if let Some(end) = rest.get_mut(..EMPTY) {
        end.fill(MaybeUninit::new(0));
        for (place, byte) in end.iter_mut().zip(END.to_ne_bytes()) {
            place.write(byte);
        }
    }
}

type Room<'a> = &'a mut [MaybeUninit<u8>];

/// Writes a control message with data in two runs; answers the room behind it.
///
/// # Errors
/// Hands the room back when it is too short.
fn put<'a>(
    room: Room<'a>,
    level: c_int,
    kind: c_int,
    first: &[u8],
    second: &[u8],
) -> Result<Room<'a>, Room<'a>> {
    let length = EMPTY + (first.len() + second.len()).next_multiple_of(WORD);
    if room.len() < length {
        return Err(room);
    }
    let (place, rest) = room.split_at_mut(length);
    let mut places = place.iter_mut();
    for run in [&length.to_ne_bytes(), &level.to_ne_bytes()[..], &kind.to_ne_bytes(), first, second] {
        for (byte, place) in run.iter().zip(&mut places) {
            place.write(*byte);
        }
    }
    places.for_each(|padding| _ = padding.write(0));
    Ok(rest)
}

fn word_at(bytes: &[u8], offset: usize) -> Option<usize> {
    bytes.get(offset..)?.first_chunk().map(|word| usize::from_ne_bytes(*word))
}

fn level_and_type_at(bytes: &[u8], offset: usize) -> Option<(c_int, c_int)> {
    let (level, rest) = bytes.get(offset.checked_add(WORD)?..)?.split_first_chunk()?;
    Some((c_int::from_ne_bytes(*level), c_int::from_ne_bytes(*rest.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What [`write`] makes of a buffer that was full of `garbage`.
    fn written(room: usize, garbage: u8, header: &[u8], message_type: Option<MessageType>) -> Vec<u8> {
        let mut buffer = vec![MaybeUninit::new(garbage); room];
        write(&mut buffer, header, message_type);
        // SAFETY: every byte was initialised at first, and `write` keeps it so.
        buffer.iter().map(|byte| unsafe { byte.assume_init() }).collect()
    }

    /// All offsets that a reader visits.
    fn walk(buffer: &[u8]) -> Vec<usize> {
        std::iter::successors(next(buffer, None), |&offset| next(buffer, Some(offset))).collect()
    }

    fn message(length: usize, level: c_int, kind: c_int, data: &[u8]) -> Vec<u8> {
        let head = [&length.to_ne_bytes()[..], &level.to_ne_bytes(), &kind.to_ne_bytes()].concat();
        [&head, data].concat()
    }

    #[test]
    fn a_header_is_found_behind_other_control_messages() {
        let other = message(EMPTY + 3, -4, 1, &[2, 0, 0, 0, 0, 0, 0, 0]);
        let buffer = [other, written(space(5), 0xff, b"12345", None)].concat();
        assert_eq!(walk(&buffer), [0, EMPTY + 8]);
        assert_eq!(protocol_header(&buffer), b"12345");
    }

    #[test]
    fn the_length_of_what_is_written_is_that_of_the_c_macros() {
        // NN_CMSG_SPACE (8 + sizeof (size_t)), for a request's header over one hop.
        let buffer = written(space(8), 0xff, b"12345678", None);
        assert_eq!(word_at(&buffer, 0), Some(EMPTY + WORD + 8));
        assert_eq!(space(0), EMPTY + WORD);
        assert_eq!(space(1), space(WORD));
    }

    #[test]
    fn a_header_longer_than_its_control_message_is_none() {
        let claims = |length: usize| message(EMPTY + WORD + 4, PROTO_SP, SP_HDR, &length.to_ne_bytes());
        for length in [5, 8, usize::MAX, usize::MAX - WORD, isize::MAX as usize] {
            assert_eq!(protocol_header(&[&claims(length)[..], &[7; 8]].concat()), b"", "{length}");
        }
        assert_eq!(protocol_header(&[&claims(4)[..], &[7; 8]].concat()), [7; 4]);
    }

    #[test]
    fn a_type_is_the_first_byte_of_its_control_message() {
        let read = |buffer: &[u8]| {
            let buffer = Outbound { start: ptr::null_mut(), bytes: buffer, chunk: None };
            buffer.message_type()
        };
        let claims =
            |data: &[u8]| message(EMPTY + data.len(), NN_WS, NN_WS_MSG_TYPE, &[data, &[0; WORD]].concat());
        assert_eq!(read(&claims(&[1])), Ok(Some(MessageType::Text)));
        assert_eq!(read(&claims(&2_i32.to_le_bytes())), Ok(Some(MessageType::Binary)));
        assert_eq!(read(&written(space(1), 0, b"h", None)), Ok(None));
        for wrong in [&[][..], &[0], &[9], &[0x81]] {
            assert_eq!(read(&claims(wrong)), Err(Error::InvalidArgument), "{wrong:?}");
        }
    }

    #[test]
    fn what_was_not_written_is_not_found() {
        for garbage in [0, 1, 0x10, 0x5a, 0xff] {
            for room in 0..200 {
                let buffer = written(room, garbage, b"12345", Some(MessageType::Text));
                let fits = [space(5), space(5) + TYPE_SPACE].map(|length| length <= room);
                assert_eq!(walk(&buffer).len(), fits.into_iter().filter(|fits| *fits).count(), "{room}");
            }
        }
        // A program that steps by itself, as the C library does, does not get beyond the end either.
        assert_eq!(END.checked_next_multiple_of(WORD), Some(END));
    }

    #[test]
    fn a_cleared_buffer_can_be_filled_and_ends() {
        assert_eq!(walk(&[0; 64]), [0]);
        assert_eq!(walk(&[0xff; 64]), [0; 0]);
        assert_eq!(walk(&[0; EMPTY - 1]), [0; 0]);
    }

    /// A message header with this control buffer and nothing else.
    fn with_control(msg_control: *mut c_void, msg_controllen: usize) -> nn_msghdr {
        nn_msghdr { msg_iov: ptr::null_mut(), msg_iovlen: 0, msg_control, msg_controllen }
    }

    #[test]
    fn memory_of_the_library_goes_out_and_comes_back() {
        let mut place: *mut c_void = ptr::null_mut();
        let message = with_control((&raw mut place).cast(), NN_MSG);
        // SAFETY: `place` is a pointer that may be written, and then holds a message of ours.
        unsafe {
            assert!(matches!(Outbound::of(&message), Err(Error::BadPointer)));
            Inbound::of(&message).fill(b"12345", None).unwrap().deliver();
            let first = nn_cmsg_nxthdr_(&raw const message, ptr::null());
            assert_eq!(first.cast(), place);
            assert_eq!(first.read_unaligned().cmsg_len, space(5));
            assert!(nn_cmsg_nxthdr_(&raw const message, first).is_null());
            // As if the message was not sent: the memory is still the caller's.
            assert_eq!(Outbound::of(&message).unwrap().protocol_header(), b"12345");
            Outbound::of(&message).unwrap().spend();
        }
    }

    #[test]
    fn stepping_stays_within_the_buffer() {
        let mut buffer = [written(space(5), 0xff, b"12345", None), message(EMPTY, 0, 0, &[])].concat();
        let message = with_control(buffer.as_mut_ptr().cast(), buffer.len());
        let elsewhere = nn_cmsghdr { cmsg_len: EMPTY, cmsg_level: 0, cmsg_type: 0 };
        // SAFETY: the buffer is as long as was said; of a pointer to elsewhere, only the address
        // is looked at.
        unsafe {
            let first = nn_cmsg_nxthdr_(&raw const message, ptr::null());
            assert_eq!(first.cast(), message.msg_control);
            let second = nn_cmsg_nxthdr_(&raw const message, first);
            assert_eq!(second.addr(), first.addr() + space(5));
            assert!(nn_cmsg_nxthdr_(&raw const message, second).is_null());
            assert!(nn_cmsg_nxthdr_(&raw const message, &raw const elsewhere).is_null());
            assert!(nn_cmsg_nxthdr_(ptr::null(), ptr::null()).is_null());
            assert!(nn_cmsg_nxthdr_(&with_control(ptr::null_mut(), 64), ptr::null()).is_null());
        }
    }

    proptest! {
        /// Whatever the room and what was in it: the header is there in full, or not at all, and the
        /// type behind it as well.
        #[test]
        fn what_was_written_is_read_back(
            header in proptest::collection::vec(any::<u8>(), 0..40),
            room in 0_usize..120,
            garbage in any::<u8>(),
            message_type in proptest::option::of(prop_oneof![Just(MessageType::Text), Just(MessageType::Binary)]),
        ) {
            let buffer = written(room, garbage, &header, message_type);
            let fits = room >= space(header.len());
            prop_assert_eq!(protocol_header(&buffer), if fits { &header[..] } else { &[] });
            let type_fits = room >= space(header.len()) + TYPE_SPACE;
            let number = find(&buffer, NN_WS, NN_WS_MSG_TYPE).map(|data| i32::from(data[0]));
            prop_assert_eq!(number, message_type.filter(|_| type_fits).map(MessageType::number));
            let expected = [0, space(header.len())];
            let count = usize::from(fits) + usize::from(number.is_some());
            prop_assert_eq!(walk(&buffer), &expected[..count]);
        }

        /// Hostile lengths lead neither out of the buffer nor round in circles.
        #[test]
        fn any_buffer_can_be_walked(
            words in proptest::collection::vec(
                prop_oneof![0_usize..64, any::<usize>(), (0_usize..64).prop_map(|distance| usize::MAX - distance)],
                0..12,
            ),
            cut in 0_usize..8,
            after in prop_oneof![0_usize..100, any::<usize>()],
        ) {
            let mut buffer: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            buffer.truncate(buffer.len().saturating_sub(cut));
            let found = walk(&buffer);
            prop_assert!(found.is_sorted_by(|one, two| one < two));
            prop_assert!(found.iter().all(|offset| offset + EMPTY <= buffer.len()));
            prop_assert!(protocol_header(&buffer).len() + EMPTY + WORD <= buffer.len().max(EMPTY + WORD));
            if let Some(offset) = next(&buffer, Some(after)) {
                prop_assert!(offset > after && offset + EMPTY <= buffer.len());
            }
        }
    }
}
