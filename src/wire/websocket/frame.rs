//! Frames on their way out, and the mask that a client puts on its own.

use std::hash::{BuildHasher, RandomState};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Side;
use crate::message::MessageType;

/// Four bytes that are laid over a payload, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mask(pub(crate) [u8; 4]);

impl Mask {
    /// Lays the mask over `bytes`, or takes it off. The first of them is at `offset` in the
    /// payload.
    pub(crate) fn apply(self, offset: usize, bytes: &mut [u8]) {
        let mut key = self.0;
        key.rotate_left(offset % self.0.len());
        let [one, two, three, four] = key;
        let wide = u64::from_ne_bytes([one, two, three, four, one, two, three, four]);
        let (words, rest) = bytes.as_chunks_mut();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
    }
}

/// Numbers that nobody else can foretell: a count, hashed with keys that are secret and random.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    keys: RandomState,
    count: u64,
}

impl Random {
    /// Numbers made with these keys.
    pub(crate) fn new(keys: RandomState) -> Random {
        Random { keys, count: 0 }
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.count = self.count.wrapping_add(1);
        self.keys.hash_one(self.count)
    }
}

/// The longest payload of a frame; a longer message goes in fragments. nng takes no longer frame, if
/// it was not told to.
const FRAME_MAX: usize = 1024 * 1024;

/// Which frame of a message is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first one; it carries the protocol's header, of `head` bytes, in front of the body.
    First {
        /// The length of the header.
        head: usize,
        /// The type of the message, if that was said.
        message_type: Option<MessageType>,
    },
    /// One that goes on with the body.
    Further,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Bytes of the body; less than all that are left, if another frame follows.
    pub(crate) body: usize,
    /// What must be laid over the header and these bytes, if anything.
    pub(crate) mask: Option<Mask>,
}

/// Makes the frames of one side.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// Of messages of which nothing else is said.
    message_type: MessageType,
    /// Where a client's masks come from.
    masks: Option<Random>,
}

impl Encoder {
    /// The frames of this side. Its messages are of this type, unless something else is said of
    /// one.
    pub(crate) fn new(side: Side, message_type: MessageType, random: Random) -> Encoder {
        Encoder { message_type, masks: (side == Side::Client).then_some(random) }
    }

    /// Writes the header of a message's frame, when `rest` bytes of the body were in no frame yet.
    pub(crate) fn encode_prefix(&mut self, place: Place, rest: usize, out: &mut Vec<u8>) -> Carried {
        let (data, head) = match place {
            Place::First { head, message_type } => match message_type.unwrap_or(self.message_type) {
                MessageType::Text => (Data::Text, head),
                MessageType::Binary => (Data::Binary, head),
            },
            Place::Further => (Data::Continue, 0),
        };
        // A header that leaves no room for half of that is not one of ours.
        let body = rest.min(FRAME_MAX.saturating_sub(head).max(FRAME_MAX / 2));
        let mask = self.header(OpCode::Data(data), body == rest, head + body, out);
        Carried { body, mask }
    }

    /// A whole control frame; its payload has at most 125 bytes.
    pub(crate) fn control(&mut self, kind: Control, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let mask = self.header(OpCode::Control(kind), true, payload.len(), &mut frame);
        let start = frame.len();
        frame.extend_from_slice(payload);
        if let Some(mask) = mask {
            mask.apply(0, &mut frame[start..]);
        }
        frame
    }

    fn header(&mut self, opcode: OpCode, is_final: bool, length: usize, out: &mut Vec<u8>) -> Option<Mask> {
        let mask = self.masks.as_mut().map(|random| {
            let [one, two, three, four, ..] = random.next().to_ne_bytes();
            [one, two, three, four]
        });
        let header = FrameHeader { is_final, opcode, mask, ..FrameHeader::default() };
        // A vector takes whatever is written to it.
        let _ = header.format(length as u64, out);
        mask.map(Mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mask_is_the_same_in_one_piece_and_in_several(
            key: [u8; 4],
            payload in prop::collection::vec(any::<u8>(), 0..60),
            cut in 0_usize..60,
        ) {
            let expected: Vec<u8> =
                payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            let cut = cut.min(payload.len());
            let mut masked = payload.clone();
            Mask(key).apply(0, &mut masked[..cut]);
            Mask(key).apply(cut, &mut masked[cut..]);
            prop_assert_eq!(masked, expected);
        }
    }

    #[test]
    fn each_side_makes_its_own_frames() {
        let random = || Random::new(RandomState::new());
        let first = |message_type| Place::First { head: 1, message_type };
        let plain = |body| Carried { body, mask: None };
        let mut server = Encoder::new(Side::Server, MessageType::Text, random());
        let mut out = Vec::new();
        assert_eq!(server.encode_prefix(first(None), 125, &mut out), plain(125));
        assert_eq!(out, [0x81, 126, 0, 126]);
        out.clear();
        assert_eq!(server.encode_prefix(first(Some(MessageType::Binary)), 1, &mut out), plain(1));
        assert_eq!(out, [0x82, 2]);
        assert_eq!(server.control(Control::Pong, b"x"), [0x8a, 1, b'x']);
        let mut client = Encoder::new(Side::Client, MessageType::Binary, random());
        out.clear();
        let mask = client.encode_prefix(first(None), 4, &mut out).mask.unwrap();
        assert_eq!(out, [&[0x82, 0x85][..], &mask.0].concat());
        assert_ne!(client.encode_prefix(first(None), 4, &mut out).mask, Some(mask), "a mask is used once");
    }

    #[test]
    fn a_long_body_goes_in_fragments() {
        let mut server = Encoder::new(Side::Server, MessageType::Binary, Random::new(RandomState::new()));
        let mut out = Vec::new();
        let first = Place::First { head: 4, message_type: None };
        let most = FRAME_MAX - 4;
        assert_eq!(server.encode_prefix(first, most + 2, &mut out).body, most);
        assert_eq!(server.encode_prefix(Place::Further, 2, &mut out).body, 2);
        assert_eq!(out, [&[0x02, 127, 0, 0, 0, 0, 0, 0x10, 0, 0][..], &[0x80, 2]].concat());
        out.clear();
        assert_eq!(server.encode_prefix(first, most, &mut out).body, most);
        assert_eq!(out[0], 0x82);
    }
}
