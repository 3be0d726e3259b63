//! Encoding of WebSocket frames, and the masking of a client's frames (RFC 6455, 5.3).

use std::hash::{BuildHasher, RandomState};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Side;
use crate::message::MessageType;

/// A masking key: its four bytes are combined with a payload by XOR, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mask(pub(crate) [u8; 4]);

impl Mask {
    /// Masks `bytes`, or unmasks them. `offset` is the position of the first of them in the payload.
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

/// Unpredictable numbers: a counter, hashed with secret random keys.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    keys: RandomState,
    count: u64,
}

impl Random {
    /// Numbers from a counter that is hashed with these keys.
    pub(crate) fn new(keys: RandomState) -> Random {
        Random { keys, count: 0 }
    }

    /// The same, with a counter that begins at this number: another process may have the same keys.
    pub(crate) fn starting_at(self, count: u64) -> Random {
        Random { count, ..self }
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.count = self.count.wrapping_add(1);
        self.keys.hash_one(self.count)
    }
}

/// The longest payload of a frame in bytes; a longer message is sent in fragments. It is nng's default
/// limit for received frames.
const FRAME_MAX: usize = 1024 * 1024;

/// The position of a frame in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramePosition {
    /// The first frame: the protocol header, then a part of the body or all of it.
    First {
        /// Length of the protocol header in bytes.
        head: usize,
        /// The type of the message, if it has one of its own.
        message_type: Option<MessageType>,
    },
    /// A later one, which continues the body.
    Further,
}

/// What a frame contains behind its own header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameContent {
    /// Bytes of the body. If fewer than remain, another frame follows.
    pub(crate) body: usize,
    /// The mask to apply to the protocol header and these bytes.
    pub(crate) mask: Option<Mask>,
}

/// Encodes messages into frames of one side.
#[derive(Debug)]
pub(crate) struct WebSocketEncoder {
    /// The type of messages that have none of their own.
    message_type: MessageType,
    /// The source of a client's masks; `None` for a server.
    masks: Option<Random>,
}

impl WebSocketEncoder {
    /// An encoder for `side`. Messages have this type unless they have one of their own.
    pub(crate) fn new(side: Side, message_type: MessageType, random: Random) -> WebSocketEncoder {
        WebSocketEncoder { message_type, masks: (side == Side::Client).then_some(random) }
    }

    /// Appends the header of a frame to `out`. `rest` is the length of the part of the body that is in
    /// no earlier frame.
    pub(crate) fn encode_prefix(
        &mut self,
        position: FramePosition,
        rest: usize,
        out: &mut Vec<u8>,
    ) -> FrameContent {
        let (data, head) = match position {
            FramePosition::First { head, message_type } => match message_type.unwrap_or(self.message_type) {
                MessageType::Text => (Data::Text, head),
                MessageType::Binary => (Data::Binary, head),
            },
            FramePosition::Further => (Data::Continue, 0),
        };
        // Behind an oversized protocol header, which only a raw socket can send, the frame exceeds the
        // limit, so that it still carries some of the body.
        let body = rest.min(FRAME_MAX.saturating_sub(head).max(FRAME_MAX / 2));
        let mask = self.encode_header(OpCode::Data(data), body == rest, head + body, out);
        FrameContent { body, mask }
    }

    /// A complete control frame. Its payload must have at most 125 bytes.
    pub(crate) fn control_frame(&mut self, control: Control, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        let mask = self.encode_header(OpCode::Control(control), true, payload.len(), &mut frame);
        let start = frame.len();
        frame.extend_from_slice(payload);
        if let Some(mask) = mask {
            mask.apply(0, &mut frame[start..]);
        }
        frame
    }

    /// Appends the header of a frame with a payload of `length` bytes to `out`.
    fn encode_header(
        &mut self,
        opcode: OpCode,
        is_final: bool,
        length: usize,
        out: &mut Vec<u8>,
    ) -> Option<Mask> {
        let mask = self.masks.as_mut().map(|random| {
            let [one, two, three, four, ..] = random.next().to_ne_bytes();
            [one, two, three, four]
        });
        let header = FrameHeader { is_final, opcode, mask, ..FrameHeader::default() };
        // Writing to a vector cannot fail.
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
        fn a_payload_may_be_masked_in_parts(
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
    fn a_client_masks_its_frames_and_a_server_does_not() {
        let random = || Random::new(RandomState::new());
        let first = |message_type| FramePosition::First { head: 1, message_type };
        let plain = |body| FrameContent { body, mask: None };
        let mut server = WebSocketEncoder::new(Side::Server, MessageType::Text, random());
        let mut out = Vec::new();
        assert_eq!(server.encode_prefix(first(None), 125, &mut out), plain(125));
        assert_eq!(out, [0x81, 126, 0, 126]);
        out.clear();
        assert_eq!(server.encode_prefix(first(Some(MessageType::Binary)), 1, &mut out), plain(1));
        assert_eq!(out, [0x82, 2]);
        assert_eq!(server.control_frame(Control::Pong, b"x"), [0x8a, 1, b'x']);
        let mut client = WebSocketEncoder::new(Side::Client, MessageType::Binary, random());
        out.clear();
        let mask = client.encode_prefix(first(None), 4, &mut out).mask.unwrap();
        assert_eq!(out, [&[0x82, 0x85][..], &mask.0].concat());
        assert_ne!(
            client.encode_prefix(first(None), 4, &mut out).mask,
            Some(mask),
            "each frame has a new mask"
        );
    }

    #[test]
    fn a_long_body_is_sent_in_fragments() {
        let mut server =
            WebSocketEncoder::new(Side::Server, MessageType::Binary, Random::new(RandomState::new()));
        let mut out = Vec::new();
        let first = FramePosition::First { head: 4, message_type: None };
        let most = FRAME_MAX - 4;
        assert_eq!(server.encode_prefix(first, most + 2, &mut out).body, most);
        assert_eq!(server.encode_prefix(FramePosition::Further, 2, &mut out).body, 2);
        assert_eq!(out, [&[0x02, 127, 0, 0, 0, 0, 0, 0x10, 0, 0][..], &[0x80, 2]].concat());
        out.clear();
        assert_eq!(server.encode_prefix(first, most, &mut out).body, most);
        assert_eq!(out[0], 0x82);
    }
}
