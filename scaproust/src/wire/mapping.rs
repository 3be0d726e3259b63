//! The mappings of SP onto byte streams, each with its greeting, its encoder and its decoder.
//!
//! [`Encoder`] and [`Decoder`] are enums, not traits: the mapping is matched once for each read and
//! each write, not once for each message.

use std::mem::MaybeUninit;

use tungstenite::protocol::frame::coding::Control;

use super::framing::{BadFrame, Framing, LengthPrefixDecoder};
use super::greeting::{Greeting, Protocols};
use super::websocket::{Random, Side, UpgradeClient, UpgradeServer, WebSocketDecoder, WebSocketEncoder};
use crate::message::{MessageType, Payload};

/// A mapping of SP onto a byte stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// SP over TCP.
    Tcp,
    /// SP over local sockets.
    Ipc,
    /// SP over WebSocket, on the bound side.
    WebSocketServer,
    /// SP over WebSocket, on the connecting side.
    WebSocketClient {
        /// The `Host` of the upgrade request: host and port as they are written in the address.
        authority: String,
        /// The path of the upgrade request, with its query.
        resource: String,
        /// The type of messages that are sent without one.
        message_type: MessageType,
    },
}

/// The start of a connection, as [`Mapping::begin`] prepares it.
pub(crate) struct Handshake {
    /// Bytes to send at once: this side's greeting, or none if it is the reply to the peer's.
    pub(crate) initial_bytes: Vec<u8>,
    /// The greeting that is expected of the peer.
    pub(crate) greeting: Greeting,
    /// The encoder of the messages to be sent.
    pub(crate) encoder: Encoder,
}

impl Mapping {
    /// Begins a connection. `accepted_type` is the type of messages that the bound
    /// side of a WebSocket sends without one; `random` makes keys and masks of the connecting side.
    pub(crate) fn begin(
        &self,
        protocols: impl Into<Protocols>,
        accepted_type: MessageType,
        mut random: Random,
    ) -> Handshake {
        let protocols = protocols.into();
        let with_sp_header = |encoder| {
            let (greeting, initial_bytes) = Greeting::sp_header(protocols);
            Handshake { initial_bytes, greeting, encoder }
        };
        match self {
            Mapping::Tcp => with_sp_header(Encoder::LengthPrefix(Framing::Tcp)),
            Mapping::Ipc => with_sp_header(Encoder::LengthPrefix(Framing::Ipc)),
            Mapping::WebSocketServer => {
                let encoder = WebSocketEncoder::new(Side::Server, accepted_type, random);
                let greeting = Greeting::HttpRequest(UpgradeServer::new(protocols));
                Handshake { initial_bytes: Vec::new(), greeting, encoder: Encoder::WebSocket(encoder) }
            }
            Mapping::WebSocketClient { authority, resource, message_type } => {
                let (client, initial_bytes) =
                    UpgradeClient::new(protocols.first, authority, resource, &mut random);
                let encoder = WebSocketEncoder::new(Side::Client, *message_type, random);
                let greeting = Greeting::HttpResponse(Box::new(client));
                Handshake { initial_bytes, greeting, encoder: Encoder::WebSocket(encoder) }
            }
        }
    }

    /// A decoder for the bytes that follow the peer's greeting.
    pub(crate) fn decoder(&self) -> Decoder {
        match self {
            Mapping::Tcp => Decoder::LengthPrefix(LengthPrefixDecoder::new(Framing::Tcp)),
            Mapping::Ipc => Decoder::LengthPrefix(LengthPrefixDecoder::new(Framing::Ipc)),
            Mapping::WebSocketServer => Decoder::WebSocket(Box::new(WebSocketDecoder::new(Side::Server))),
            Mapping::WebSocketClient { .. } => {
                Decoder::WebSocket(Box::new(WebSocketDecoder::new(Side::Client)))
            }
        }
    }
}

/// Encodes messages into bytes of a stream.
#[derive(Debug)]
pub(crate) enum Encoder {
    /// SP over TCP, or over local sockets.
    LengthPrefix(Framing),
    /// SP over WebSocket.
    WebSocket(WebSocketEncoder),
}

impl Encoder {
    /// The reply to a ping with this payload.
    pub(crate) fn pong(&mut self, payload: &[u8]) -> Vec<u8> {
        match self {
            Encoder::LengthPrefix(_) => Vec::new(),
            Encoder::WebSocket(encoder) => encoder.control_frame(Control::Pong, payload),
        }
    }

    /// The final reply to a peer that has sent `bad`: a close frame of a WebSocket, and otherwise nothing.
    pub(crate) fn final_reply(&mut self, bad: BadFrame) -> Vec<u8> {
        match self {
            Encoder::LengthPrefix(_) => Vec::new(),
            Encoder::WebSocket(encoder) => {
                let code = bad.close_code().map(u16::to_be_bytes);
                encoder.control_frame(Control::Close, code.as_ref().map_or(&[], |code| code))
            }
        }
    }
}

/// Decodes bytes of a stream into the payloads of messages.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// SP over TCP, or over local sockets.
    LengthPrefix(LengthPrefixDecoder),
    /// SP over WebSocket.
    WebSocket(Box<WebSocketDecoder>),
}

impl Decoder {
    /// Whether a message, or a control frame of a WebSocket, has arrived in part.
    pub(crate) fn is_mid_message(&self) -> bool {
        match self {
            Decoder::LengthPrefix(decoder) => decoder.is_mid_message(),
            Decoder::WebSocket(decoder) => decoder.is_mid_message(),
        }
    }

    /// Decodes all of `input`, and calls `each` for every payload that is complete with it, and with
    /// the message's type if the mapping has types. `max` is the longest payload allowed, in bytes.
    ///
    /// # Errors
    /// [`BadFrame`]; the decoder must not be used any more then.
    pub(crate) fn feed(
        &mut self,
        input: &[u8],
        max: Option<usize>,
        mut each: impl FnMut(Payload<'_>, Option<MessageType>),
    ) -> Result<(), BadFrame> {
        match self {
            Decoder::LengthPrefix(decoder) => decoder.feed(input, max, |payload| each(payload, None)),
            Decoder::WebSocket(decoder) => {
                decoder.feed(input, max, |payload, message_type| each(payload, Some(message_type)))
            }
        }
    }

    /// The payload of the last ping since the last call: it is to be answered with [`Encoder::pong`].
    pub(crate) fn take_ping(&mut self) -> Option<Vec<u8>> {
        match self {
            Decoder::LengthPrefix(_) => None,
            Decoder::WebSocket(decoder) => decoder.take_ping(),
        }
    }

    /// The memory for the next bytes of a large payload, for a read straight into it, to be followed by
    /// [`Decoder::appended`]. `None` when the next bytes must be given to [`Decoder::feed`].
    ///
    /// # Errors
    /// [`BadFrame::OutOfMemory`] when the payload's memory cannot grow.
    pub(crate) fn spare(&mut self) -> Result<Option<&mut [MaybeUninit<u8>]>, BadFrame> {
        match self {
            Decoder::LengthPrefix(decoder) => decoder.spare(),
            Decoder::WebSocket(decoder) => decoder.spare(),
        }
    }

    /// Takes note of `count` bytes that were written to [`Decoder::spare`], and calls `each` if the
    /// payload is complete with them.
    ///
    /// # Errors
    /// As [`Decoder::feed`].
    ///
    /// # Safety
    /// The first `count` bytes of [`Decoder::spare`] must have been written.
    pub(crate) unsafe fn appended(
        &mut self,
        count: usize,
        mut each: impl FnMut(Payload<'_>, Option<MessageType>),
    ) -> Result<(), BadFrame> {
        match self {
            Decoder::LengthPrefix(decoder) => {
                // SAFETY: as the caller promises.
                if let Some(chunk) = unsafe { decoder.appended(count) } {
                    each(Payload::Owned(chunk), None);
                }
                Ok(())
            }
            // SAFETY: as the caller promises.
            Decoder::WebSocket(decoder) => unsafe {
                decoder.appended(count, |payload, message_type| each(payload, Some(message_type)))
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::greeting::{PAIR, ProtocolPair, REP, REQ};
    use std::hash::RandomState;

    /// Lets both sides of a WebSocket exchange their greetings, in parts of `cut` bytes. Returns the
    /// protocol that each found its peer to have.
    fn exchange_greetings(connected: ProtocolPair, bound: ProtocolPair, cut: usize) -> Option<(u16, u16)> {
        let random = || Random::new(RandomState::new());
        let client = Mapping::WebSocketClient {
            authority: "example.org:80".into(),
            resource: "/a?b".into(),
            message_type: MessageType::Text,
        };
        let mut client = client.begin(connected, MessageType::Binary, random());
        let mut server = Mapping::WebSocketServer.begin(bound, MessageType::Binary, random());
        let greeted =
            client.initial_bytes.chunks(cut).find_map(|part| server.greeting.feed(&mut &*part).transpose());
        let greeted = greeted?.ok()?;
        let response =
            greeted.reply.chunks(cut).find_map(|part| client.greeting.feed(&mut &*part).transpose());
        Some((response?.ok()?.protocol, greeted.protocol))
    }

    #[test]
    fn greetings_may_arrive_in_parts() {
        for cut in [1, 7, 1000] {
            assert_eq!(exchange_greetings(REQ, REP, cut), Some((49, 48)));
            assert_eq!(exchange_greetings(REP, REQ, cut), Some((48, 49)));
            assert_eq!(exchange_greetings(PAIR, PAIR, cut), Some((16, 16)));
            for (connected, bound) in [(REQ, REQ), (PAIR, REP), (REP, REP), (REQ, PAIR)] {
                assert_eq!(exchange_greetings(connected, bound, cut), None);
            }
        }
    }
}
