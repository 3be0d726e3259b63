//! The layout of a control buffer.
//!
//! A control buffer is a sequence of control messages, each a `nn_cmsghdr` and its data, padded to whole
//! words. A length in it may be wrong or uninitialised, so each is compared with the size of the buffer
//! before it is used. Must not know pointers: a buffer is a slice, a control message an offset in it.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use libc::size_t;

#[cfg(feature = "tls")]
use crate::constants::NN_CMSG_TLS_PEER;
use crate::constants::{
    NN_CMSG_CRED, NN_CMSG_ENDPOINT, NN_CMSG_LOCAL, NN_CMSG_PEER, NN_CMSG_PIPE, NN_CMSG_WS_URI, NN_SOL_SOCKET,
    NN_WS, NN_WS_MSG_TYPE, PROTO_SP, SP_HDR,
};
use scaproust::ffi::error::Error;
use scaproust::ffi::message::MessageType;
use scaproust::ffi::pipe::Credentials;
use scaproust::ffi::socket::PeerInfo;

/// The header of a control message; its data follow.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_cmsghdr {
    /// Length in bytes of this structure and the data.
    pub cmsg_len: size_t,
    /// The level: PROTO_SP, or a transport.
    pub cmsg_level: c_int,
    /// The type within the level, such as SP_HDR.
    pub cmsg_type: c_int,
}

const WORD: usize = size_of::<size_t>();
/// Length of a control message without data. It is a whole number of words.
pub(super) const EMPTY: usize = size_of::<nn_cmsghdr>();
const _: () = assert!(EMPTY.is_multiple_of(WORD));
/// The length that ends the control messages of a received message. It is longer than any buffer,
/// but small enough that a program can add it to an offset without an overflow.
const END: usize = isize::MAX as usize & !(WORD - 1);

/// Length of the control message that carries `length` bytes of data.
fn space(length: usize) -> usize {
    EMPTY + length.next_multiple_of(WORD)
}

/// The control data of a received message.
pub(crate) struct ControlData<'a> {
    /// The protocol header.
    pub(crate) header: &'a [u8],
    /// The type of a message that came over ws.
    pub(crate) message_type: Option<MessageType>,
    /// The peer, while NN_PEER_INFO is set.
    pub(crate) peer: Option<&'a PeerInfo>,
}

impl ControlData<'_> {
    /// The length of all control messages.
    pub(super) fn space(&self) -> usize {
        let header = space(WORD + self.header.len());
        header + self.message_type.map_or(0, |_| space(1)) + self.peer.map_or(0, peer_space)
    }

    /// Writes the control messages to a buffer.
    ///
    /// A control message that does not fit is left out, and so are those after it. If there is room, a
    /// control message of length [`END`] follows, at which [`next`] stops: what was in the buffer before
    /// is not read. Where there is no room for it, `next` stops at the end of the buffer.
    pub(super) fn write(&self, buffer: Room<'_>) {
        let length = self.header.len().to_ne_bytes();
        let mut rest = put(buffer, PROTO_SP, SP_HDR, &length, self.header);
        if let (Ok(place), Some(message_type)) = (&mut rest, self.message_type) {
            // One byte, which is also the first byte of a little-endian int.
            let number = message_type.number().to_le_bytes();
            rest = put(std::mem::take(place), NN_WS, NN_WS_MSG_TYPE, &number[..1], &[]);
        }
        if let (Ok(place), Some(peer)) = (&mut rest, self.peer) {
            rest = put_peer(std::mem::take(place), peer);
        }
        let (Ok(rest) | Err(rest)) = rest;
        if let Some(end) = rest.get_mut(..EMPTY) {
            end.fill(MaybeUninit::new(0));
            for (place, byte) in end.iter_mut().zip(END.to_ne_bytes()) {
                place.write(byte);
            }
        }
    }
}

/// Calls `each` for each control message that describes a peer, with its type, and its data in two slices.
fn describe_peer(peer: &PeerInfo, mut each: impl FnMut(c_int, &[u8], &[u8])) {
    each(NN_CMSG_PIPE, &peer.pipe.to_ne_bytes(), &[]);
    each(NN_CMSG_ENDPOINT, &peer.endpoint.get().to_ne_bytes(), &[]);
    each(NN_CMSG_PEER, &peer.address, &[0]);
    if let Some(local) = &peer.local_address {
        each(NN_CMSG_LOCAL, local, &[0]);
    }
    if let Some(Credentials { pid, uid, gid }) = peer.credentials {
        let ids = [uid.to_ne_bytes(), gid.to_ne_bytes()].concat();
        each(NN_CMSG_CRED, &pid.to_ne_bytes(), &ids);
    }
    if let Some(resource) = &peer.resource {
        each(NN_CMSG_WS_URI, resource, &[0]);
    }
    #[cfg(feature = "tls")]
    if let Some(identity) = &peer.tls {
        each(NN_CMSG_TLS_PEER, identity.to_string().as_bytes(), &[0]);
    }
}

/// The length of the control messages that describe a peer.
#[cold]
fn peer_space(peer: &PeerInfo) -> usize {
    let mut total = 0;
    describe_peer(peer, |_, first, second| total += space(first.len() + second.len()));
    total
}

/// Writes the control messages that describe a peer; returns the rest of the room.
///
/// # Errors
/// Returns the room that is left if one of them did not fit.
#[cold]
fn put_peer<'a>(room: Room<'a>, peer: &PeerInfo) -> Result<Room<'a>, Room<'a>> {
    let mut rest: Result<Room<'a>, Room<'a>> = Ok(room);
    describe_peer(peer, |cmsg_type, first, second| {
        if let Ok(place) = &mut rest {
            rest = put(std::mem::take(place), NN_SOL_SOCKET, cmsg_type, first, second);
        }
    });
    rest
}

/// Offset of the control message after the one at `after`, or of the first.
///
/// A control message of length 0 is returned, since a program that fills a cleared buffer steps to
/// it; no control message follows it.
pub(super) fn next(buffer: &[u8], after: Option<usize>) -> Option<usize> {
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

/// The data of the first control message of a level and type, if it is wholly in the buffer.
fn find(buffer: &[u8], level: c_int, cmsg_type: c_int) -> Option<&[u8]> {
    let mut offset = next(buffer, None);
    while let Some(start) = offset {
        if level_and_type_at(buffer, start) == Some((level, cmsg_type)) {
            let length = word_at(buffer, start)?;
            return buffer.get(start..start.checked_add(length)?)?.get(EMPTY..);
        }
        offset = next(buffer, offset);
    }
    None
}

/// The message type in a control buffer, if there is one: the first byte of its control message. (Some
/// programs write a whole int.)
///
/// # Errors
/// [`Error::InvalidArgument`] for an unknown type.
pub(super) fn message_type(buffer: &[u8]) -> Result<Option<MessageType>, Error> {
    let Some(data) = find(buffer, NN_WS, NN_WS_MSG_TYPE) else { return Ok(None) };
    let known = data.first().and_then(|byte| MessageType::from_number((*byte).into()));
    known.map(Some).ok_or(Error::InvalidArgument)
}

/// The protocol header in a control buffer; empty if there is none, or it exceeds its control message.
pub(super) fn protocol_header(buffer: &[u8]) -> &[u8] {
    find(buffer, PROTO_SP, SP_HDR)
        .and_then(|data| data.get(WORD..)?.get(..word_at(data, 0)?))
        .unwrap_or_default()
}

type Room<'a> = &'a mut [MaybeUninit<u8>];

/// Writes a control message whose data are given in two slices; returns the rest of the room.
///
/// # Errors
/// Returns the room unchanged if it is too short.
fn put<'a>(
    room: Room<'a>,
    level: c_int,
    cmsg_type: c_int,
    first: &[u8],
    second: &[u8],
) -> Result<Room<'a>, Room<'a>> {
    let length = space(first.len() + second.len());
    if room.len() < length {
        return Err(room);
    }
    let (mut place, rest) = room.split_at_mut(length);
    for run in [&length.to_ne_bytes(), &level.to_ne_bytes()[..], &cmsg_type.to_ne_bytes(), first, second] {
        let (part, padding) = place.split_at_mut(run.len());
        for (place, byte) in part.iter_mut().zip(run) {
            place.write(*byte);
        }
        place = padding;
    }
    place.fill(MaybeUninit::new(0));
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

    /// The result of [`ControlData::write`] into a buffer that was full of `garbage`.
    fn written(room: usize, garbage: u8, header: &[u8], message_type: Option<MessageType>) -> Vec<u8> {
        let mut buffer = vec![MaybeUninit::new(garbage); room];
        ControlData { header, message_type, peer: None }.write(&mut buffer);
        // SAFETY: every byte was initialised, and `write` writes initialised bytes only.
        buffer.iter().map(|byte| unsafe { byte.assume_init() }).collect()
    }

    /// The length of the control message with a protocol header of this length.
    fn header_space(length: usize) -> usize {
        space(WORD + length)
    }

    /// The length of the control message with a type.
    const TYPE_SPACE: usize = EMPTY + WORD;

    /// All offsets that a reader visits.
    fn walk(buffer: &[u8]) -> Vec<usize> {
        std::iter::successors(next(buffer, None), |&offset| next(buffer, Some(offset))).collect()
    }

    fn message(length: usize, level: c_int, kind: c_int, data: &[u8]) -> Vec<u8> {
        let head = [&length.to_ne_bytes()[..], &level.to_ne_bytes(), &kind.to_ne_bytes()].concat();
        [&head, data].concat()
    }

    #[test]
    fn a_header_is_found_after_other_control_messages() {
        // Three bytes, and padding up to a word.
        let other = message(EMPTY + 3, -4, 1, &2_usize.to_ne_bytes());
        let buffer = [other, written(header_space(5), 0xff, b"12345", None)].concat();
        assert_eq!(walk(&buffer), [0, EMPTY + size_of::<usize>()]);
        assert_eq!(protocol_header(&buffer), b"12345");
    }

    #[test]
    fn control_messages_have_the_lengths_of_the_c_macros() {
        // NN_CMSG_SPACE (8 + sizeof (size_t)), for a request's header over one hop.
        let buffer = written(header_space(8), 0xff, b"12345678", None);
        assert_eq!(word_at(&buffer, 0), Some(EMPTY + WORD + 8));
        assert_eq!(header_space(0), EMPTY + WORD);
        assert_eq!(header_space(1), header_space(WORD));
    }

    #[test]
    fn a_header_longer_than_its_control_message_is_ignored() {
        let claims = |length: usize| message(EMPTY + WORD + 4, PROTO_SP, SP_HDR, &length.to_ne_bytes());
        for length in [5, 8, usize::MAX, usize::MAX - WORD, isize::MAX as usize] {
            assert_eq!(protocol_header(&[&claims(length)[..], &[7; 8]].concat()), b"", "{length}");
        }
        assert_eq!(protocol_header(&[&claims(4)[..], &[7; 8]].concat()), [7; 4]);
    }

    #[test]
    fn a_type_is_the_first_byte_of_its_control_message() {
        let claims =
            |data: &[u8]| message(EMPTY + data.len(), NN_WS, NN_WS_MSG_TYPE, &[data, &[0; WORD]].concat());
        assert_eq!(message_type(&claims(&[1])), Ok(Some(MessageType::Text)));
        assert_eq!(message_type(&claims(&2_i32.to_le_bytes())), Ok(Some(MessageType::Binary)));
        assert_eq!(message_type(&written(header_space(1), 0, b"h", None)), Ok(None));
        for wrong in [&[][..], &[0], &[9], &[0x81]] {
            assert_eq!(message_type(&claims(wrong)), Err(Error::InvalidArgument), "{wrong:?}");
        }
    }

    #[test]
    fn previous_content_is_not_read() {
        for garbage in [0, 1, 0x10, 0x5a, 0xff] {
            for room in 0..200 {
                let buffer = written(room, garbage, b"12345", Some(MessageType::Text));
                let fits = [header_space(5), header_space(5) + TYPE_SPACE].map(|length| length <= room);
                assert_eq!(walk(&buffer).len(), fits.into_iter().filter(|fits| *fits).count(), "{room}");
            }
        }
        // A program that steps without nn_cmsg_nxthdr_ does not get beyond the end either.
        assert_eq!(END.checked_next_multiple_of(WORD), Some(END));
    }

    #[test]
    fn a_cleared_buffer_has_one_control_message() {
        assert_eq!(walk(&[0; 64]), [0]);
        assert_eq!(walk(&[0xff; 64]), [0; 0]);
        assert_eq!(walk(&[0; EMPTY - 1]), [0; 0]);
    }

    proptest! {
        /// For any room and any previous content, the header is there in full or not at all, and so
        /// is the type.
        #[test]
        fn control_messages_are_read_back(
            header in proptest::collection::vec(any::<u8>(), 0..40),
            room in 0_usize..120,
            garbage in any::<u8>(),
            message_type in proptest::option::of(prop_oneof![Just(MessageType::Text), Just(MessageType::Binary)]),
        ) {
            let buffer = written(room, garbage, &header, message_type);
            let fits = room >= header_space(header.len());
            prop_assert_eq!(protocol_header(&buffer), if fits { &header[..] } else { &[] });
            let type_fits = room >= header_space(header.len()) + TYPE_SPACE;
            let number = find(&buffer, NN_WS, NN_WS_MSG_TYPE).map(|data| i32::from(data[0]));
            prop_assert_eq!(number, message_type.filter(|_| type_fits).map(MessageType::number));
            let expected = [0, header_space(header.len())];
            let count = usize::from(fits) + usize::from(number.is_some());
            prop_assert_eq!(walk(&buffer), &expected[..count]);
        }

        /// With wrong lengths a walk neither leaves the buffer nor runs for ever.
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
