//! The hop count, the protocol header of PAIR v1 and STAR: how many sockets have sent the message, as a big-endian
//! 32-bit word of at most 255.

use super::Refusal;
use crate::message::Front;

/// Size of the header in bytes.
pub(super) const SIZE: usize = size_of::<u32>();

/// The header of a message with this hop count.
pub(super) const fn encode(hops: u8) -> [u8; SIZE] {
    [0, 0, 0, hops]
}

/// The hop count in front of a message; `None` if the message is malformed.
pub(super) fn decode(front: Front<'_>) -> Option<u8> {
    u8::try_from(front.word(0)?).ok()
}

/// The hop count in the header that a program gives with a message.
///
/// # Errors
/// [`Refusal::InvalidArgument`] for anything else than a hop count.
pub(super) fn of_header(header: &[u8]) -> Result<u8, Refusal> {
    match *header {
        [0, 0, 0, hops] => Ok(hops),
        _ => Err(Refusal::InvalidArgument),
    }
}
