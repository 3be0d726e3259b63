//! The mappings of SP onto streams, each with its greeting, its encoder and its decoder.
//!
//! Which of them a connection speaks is asked once for a whole read, and once for all messages that
//! are gathered for a write.

use std::mem::MaybeUninit;

use tungstenite::protocol::frame::coding::Control;

use super::framing::{self, BadFrame, Frame, Framing};
use super::greeting::{Greeting, ProtocolPair};
use super::handshake::{Handshake, encode_header};
use super::websocket::{self, Client, Random, Server, Side};
use crate::message::MessageType;

/// How SP is spoken on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// SP over TCP.
    Tcp,
    /// SP over local sockets.
    Ipc,
    /// SP over WebSocket, by the side that was bound.
    WebSocketServer,
    /// SP over WebSocket, by the side that connected.
    WebSocketClient {
        /// Whom to ask: host and port, as they stood in the address.
        authority: String,
        /// What to ask for.
        resource: String,
        /// What messages are sent as.
        message_type: MessageType,
    },
}

/// How a connection begins, and what comes after.
pub(crate) struct Beginning {
    /// What is to be sent at once.
    pub(crate) words: Vec<u8>,
    /// What the peer is to say.
    pub(crate) greeting: Greeting,
    /// For messages on their way out.
    pub(crate) encoder: Encoder,
}

impl Mapping {
    /// Begins a connection. `accepted_type` is what messages are
    /// sent as by the bound side of a WebSocket.
    pub(crate) fn begin(
        &self,
        protocols: ProtocolPair,
        accepted_type: MessageType,
        mut random: Random,
    ) -> Beginning {
        let header = |encoder| {
            let greeting = Greeting::Header(Handshake::default());
            Beginning { words: encode_header(protocols.own.number).to_vec(), greeting, encoder }
        };
        match self {
            Mapping::Tcp => header(Encoder::Framed(Framing::Tcp)),
            Mapping::Ipc => header(Encoder::Framed(Framing::Ipc)),
            Mapping::WebSocketServer => {
                let encoder = websocket::Encoder::new(Side::Server, accepted_type, random);
                let greeting = Greeting::Request(Server::new(protocols));
                Beginning { words: Vec::new(), greeting, encoder: Encoder::WebSocket(encoder) }
            }
            Mapping::WebSocketClient { authority, resource, message_type } => {
                let (client, words) = Client::new(protocols, authority, resource, &mut random);
                let encoder = websocket::Encoder::new(Side::Client, *message_type, random);
                let greeting = Greeting::Answer(Box::new(client));
                Beginning { words, greeting, encoder: Encoder::WebSocket(encoder) }
            }
        }
    }

    /// A decoder for what comes after the greeting.
    pub(crate) fn decoder(&self) -> Decoder {
        match self {
            Mapping::Tcp => Decoder::Framed(framing::Decoder::new(Framing::Tcp)),
            Mapping::Ipc => Decoder::Framed(framing::Decoder::new(Framing::Ipc)),
            Mapping::WebSocketServer => Decoder::WebSocket(Box::new(websocket::Decoder::new(Side::Server))),
            Mapping::WebSocketClient { .. } => {
                Decoder::WebSocket(Box::new(websocket::Decoder::new(Side::Client)))
            }
        }
    }
}

/// Makes messages into bytes of a stream.
#[derive(Debug)]
pub(crate) enum Encoder {
    /// SP over TCP, or over local sockets.
    Framed(Framing),
    /// SP over WebSocket.
    WebSocket(websocket::Encoder),
}

impl Encoder {
    /// What answers a ping that said this.
    pub(crate) fn pong(&mut self, said: &[u8]) -> Vec<u8> {
        match self {
            Encoder::Framed(_) => Vec::new(),
            Encoder::WebSocket(encoder) => encoder.control(Control::Pong, said),
        }
    }

    /// The last words to a peer whose stream ended so; none, where the mapping has none.
    pub(crate) fn close(&mut self, why: BadFrame) -> Vec<u8> {
        match self {
            Encoder::Framed(_) => Vec::new(),
            Encoder::WebSocket(encoder) => {
                let code = why.close_code().map(u16::to_be_bytes);
                encoder.control(Control::Close, code.as_ref().map_or(&[], |code| code))
            }
        }
    }
}

/// Cuts a stream into payloads.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// SP over TCP, or over local sockets.
    Framed(framing::Decoder),
    /// SP over WebSocket.
    WebSocket(Box<websocket::Decoder>),
}

impl Decoder {
    /// Whether part of a payload has come, and the rest has not.
    pub(crate) fn is_mid_frame(&self) -> bool {
        match self {
            Decoder::Framed(decoder) => decoder.is_mid_frame(),
            Decoder::WebSocket(decoder) => decoder.is_mid_frame(),
        }
    }

    /// Takes all of `input`, and calls `each` for every payload that it completes, with its type if
    /// the mapping has such. `max` is the longest payload allowed.
    ///
    /// # Errors
    /// [`BadFrame`]; the decoder is of no further use then.
    pub(crate) fn feed(
        &mut self,
        input: &[u8],
        max: Option<usize>,
        mut each: impl FnMut(Frame<'_>, Option<MessageType>),
    ) -> Result<(), BadFrame> {
        match self {
            Decoder::Framed(decoder) => decoder.feed(input, max, |frame| each(frame, None)),
            Decoder::WebSocket(decoder) => {
                decoder.feed(input, max, |frame, message_type| each(frame, Some(message_type)))
            }
        }
    }

    /// What a ping said that is to be answered.
    pub(crate) fn take_ping(&mut self) -> Option<Vec<u8>> {
        match self {
            Decoder::Framed(_) => None,
            Decoder::WebSocket(decoder) => decoder.take_ping(),
        }
    }

    /// The memory where the next bytes of a large payload belong, for a read straight into it; say
    /// so with [`Decoder::appended`]. Nothing when the next bytes belong elsewhere.
    ///
    /// # Errors
    /// [`BadFrame::OutOfMemory`] when the payload cannot grow.
    pub(crate) fn spare(&mut self) -> Result<Option<&mut [MaybeUninit<u8>]>, BadFrame> {
        match self {
            Decoder::Framed(decoder) => decoder.spare(),
            Decoder::WebSocket(decoder) => decoder.spare(),
        }
    }

    /// Says that the first `count` bytes of [`Decoder::spare`] have come, and calls `each` if the
    /// payload is whole with them.
    ///
    /// # Errors
    /// As [`Decoder::feed`].
    ///
    /// # Safety
    /// They must have been written.
    pub(crate) unsafe fn appended(
        &mut self,
        count: usize,
        mut each: impl FnMut(Frame<'_>, Option<MessageType>),
    ) -> Result<(), BadFrame> {
        match self {
            Decoder::Framed(decoder) => {
                // SAFETY: as the caller promises.
                if let Some(chunk) = unsafe { decoder.appended(count) } {
                    each(Frame::Chunk(chunk), None);
                }
                Ok(())
            }
            // SAFETY: as the caller promises.
            Decoder::WebSocket(decoder) => unsafe {
                decoder.appended(count, |frame, message_type| each(frame, Some(message_type)))
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::greeting::{PAIR, REP, REQ};
    use std::hash::RandomState;

    /// Brings both sides of a mapping through their greetings, the bytes cut in `cut`s.
    fn meet(connected: ProtocolPair, bound: ProtocolPair, cut: usize) -> Option<(u16, u16)> {
        let random = || Random::new(RandomState::new());
        let client = Mapping::WebSocketClient {
            authority: "example.org:80".into(),
            resource: "/a?b".into(),
            message_type: MessageType::Text,
        };
        let mut client = client.begin(connected, MessageType::Binary, random());
        let mut server = Mapping::WebSocketServer.begin(bound, MessageType::Binary, random());
        let greeted = client.words.chunks(cut).find_map(|part| server.greeting.feed(&mut &*part).transpose());
        let greeted = greeted?.ok()?;
        let agreed =
            greeted.answer.chunks(cut).find_map(|part| client.greeting.feed(&mut &*part).transpose());
        Some((agreed?.ok()?.protocol, greeted.protocol))
    }

    #[test]
    fn two_sides_agree_however_their_bytes_are_cut() {
        for cut in [1, 7, 1000] {
            assert_eq!(meet(REQ, REP, cut), Some((49, 48)));
            assert_eq!(meet(REP, REQ, cut), Some((48, 49)));
            assert_eq!(meet(PAIR, PAIR, cut), Some((16, 16)));
            for (connected, bound) in [(REQ, REQ), (PAIR, REP), (REP, REP), (REQ, PAIR)] {
                assert_eq!(meet(connected, bound, cut), None);
            }
        }
    }
}
