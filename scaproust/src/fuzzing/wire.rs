//! The targets `handshake`, `framing`, `upgrade` and `frames`: any bytes as those of a peer.
//!
//! The result must be the same for any segmentation of the stream. It is compared with that of a
//! simple decoder, or encoded and decoded again.

use std::hash::RandomState;
use std::mem::MaybeUninit;

use crate::message::{MessageType, Payload};
use crate::wire::{
    BadFrame, Decoder, Encoder, FrameContent, FramePosition, Framing, Greeted, Greeting, Mapping, PAIR,
    Random,
};

/// How an input is read, from its first two bytes.
pub(super) struct Reading {
    /// Selects one of two sides or mappings.
    pub(super) is_second: bool,
    /// The longest payload allowed.
    pub(super) max: Option<usize>,
    /// The longest segment of the stream.
    pub(super) part: usize,
    /// Large payloads are read directly into their memory, as far as the decoder asks for that.
    pub(super) is_direct: bool,
}

impl Reading {
    pub(super) fn split(input: &[u8]) -> Option<(Reading, &[u8])> {
        let (&[flags, part], rest) = input.split_first_chunk()?;
        let max = [None, Some(5), Some(4096), Some(1 << 20)][usize::from(flags >> 2 & 3)];
        let reading = Reading {
            is_second: flags & 1 != 0,
            is_direct: flags & 2 != 0,
            max,
            part: usize::from(part) * usize::from(part) + 1,
        };
        Some((reading, rest))
    }
}

/// The SP header of tcp and ipc.
pub fn handshake(input: &[u8]) {
    let Some((reading, stream)) = Reading::split(input) else { return };
    let mapping = if reading.is_second { Mapping::Ipc } else { Mapping::Tcp };
    let begin = || begin(&mapping).greeting;
    let (whole, left) = greet(begin(), stream, usize::MAX);
    assert_eq!((&whole, left), (&greet(begin(), stream, reading.part).0, left));
    assert!(whole.is_err() || left == stream.len().saturating_sub(8), "it takes no byte behind the header");
    let is_valid =
        |(position, byte): (usize, u8)| [4, 5].contains(&position) || byte == b"\0SP\0__\0\0"[position];
    let header = &stream[..stream.len().min(8)];
    match (header.iter().copied().enumerate().all(is_valid), header) {
        (true, &[_, _, _, _, high, low, _, _]) => {
            let protocol = u16::from_be_bytes([high, low]);
            let own = (protocol == PAIR.peer.number).then_some(PAIR.own);
            assert_eq!(whole, Ok(Some(Greeted { protocol, own, reply: Vec::new(), resource: None })));
        }
        (true, _) => assert_eq!(whole, Ok(None)),
        (false, _) => assert_eq!(whole, Err(Vec::new())),
    }
}

/// The request for an upgrade, or the response to our request.
pub fn upgrade(input: &[u8]) {
    let Some((reading, stream)) = Reading::split(input) else { return };
    let server = || begin(&Mapping::WebSocketServer).greeting;
    let (whole, cut) = if reading.is_second {
        // The client's key is random: `ACCEPT` in the input stands for the value that matches it.
        let client = || {
            let client = begin(&client());
            let (greeted, _) = greet(server(), &client.initial_bytes, usize::MAX);
            let response = greeted.expect("our own request is valid").expect("and complete").reply;
            let start = find(&response, b"Accept: ").expect("every response has it") + b"Accept: ".len();
            let position = find(stream, b"ACCEPT").unwrap_or(stream.len());
            let rest = &stream[stream.len().min(position + b"ACCEPT".len())..];
            (client.greeting, [&stream[..position], &response[start..start + 28], rest].concat())
        };
        let ((whole, stream), (cut, again)) = (client(), client());
        (greet(whole, &stream, usize::MAX), greet(cut, &again, reading.part))
    } else {
        (greet(server(), stream, usize::MAX), greet(server(), stream, reading.part))
    };
    assert_eq!(whole, cut, "cut in parts of {}", reading.part);
    match whole.0 {
        Ok(Some(greeted)) => assert!(reading.is_second || greeted.reply.starts_with(b"HTTP/1.1 101 ")),
        Err(final_reply) => assert!(final_reply.is_empty() == reading.is_second),
        Ok(None) => assert_eq!(whole.1, 0, "all of it is kept"),
    }
}

/// The frames of tcp and ipc.
pub fn framing(input: &[u8]) {
    let Some((reading, stream)) = Reading::split(input) else { return };
    let (mapping, framing) =
        if reading.is_second { (Mapping::Ipc, Framing::Ipc) } else { (Mapping::Tcp, Framing::Tcp) };
    let decoded = decode(&mapping, stream, &reading);
    assert_eq!(decoded, decode(&mapping, stream, &Reading { part: usize::MAX, is_direct: false, ..reading }));

    // The result of a simple decoder; a stream that ends within a frame is no error.
    let mut expected = Decoded::default();
    let mut rest = stream;
    while !rest.is_empty() {
        if reading.is_second && rest[0] != 1 {
            expected.end = Err(BadFrame::Type);
            break;
        }
        let Some((prefix, payload)) = rest.split_at_checked(framing.prefix_size()) else { break };
        let length = u64::from_be_bytes(*prefix.last_chunk().expect("it is longer"));
        if length > reading.max.unwrap_or(isize::MAX as usize) as u64 {
            expected.end = Err(BadFrame::TooLong);
            break;
        }
        let Some((payload, behind)) = payload.split_at_checked(length as usize) else { break };
        expected.payloads.push((payload.to_vec(), None));
        rest = behind;
    }
    assert_eq!(decoded, expected);
}

/// The frames of ws.
pub fn frames(input: &[u8]) {
    let Some((reading, stream)) = Reading::split(input) else { return };
    let (mapping, sender) = if reading.is_second {
        (client(), Mapping::WebSocketServer)
    } else {
        (Mapping::WebSocketServer, client())
    };
    let decoded = decode(&mapping, stream, &reading);
    assert_eq!(decoded, decode(&mapping, stream, &Reading { part: usize::MAX, is_direct: false, ..reading }));
    let total: usize = decoded.payloads.iter().map(|(payload, _)| payload.len()).sum();
    assert!(total <= stream.len());

    // The same messages, encoded by the library.
    let Encoder::WebSocket(mut encoder) = begin(&sender).encoder else { unreachable!("it is ws") };
    let mut stream = Vec::new();
    for (payload, message_type) in &decoded.payloads {
        assert!(reading.max.is_none_or(|max| payload.len() <= max));
        let mut position = FramePosition::First { head: 0, message_type: *message_type };
        let mut rest = &payload[..];
        loop {
            let FrameContent { body, mask } = encoder.encode_prefix(position, rest.len(), &mut stream);
            let start = stream.len();
            stream.extend_from_slice(&rest[..body]);
            if let Some(mask) = mask {
                mask.apply(0, &mut stream[start..]);
            }
            (position, rest) = (FramePosition::Further, &rest[body..]);
            if rest.is_empty() {
                break;
            }
        }
    }
    let again = decode(&mapping, &stream, &reading);
    assert_eq!((again.payloads, again.end), (decoded.payloads, Ok(())));
}

fn client() -> Mapping {
    Mapping::WebSocketClient {
        authority: "example.org:80".into(),
        resource: "/".into(),
        message_type: MessageType::Binary,
    }
}

/// A connection of a PAIR socket.
fn begin(mapping: &Mapping) -> crate::wire::Handshake {
    mapping.begin(PAIR, MessageType::Binary, Random::new(RandomState::new()))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The result of a handshake and the number of bytes after it; or the final reply to a peer whose
/// handshake is wrong.
type GreetingOutcome = (Result<Option<Greeted>, Vec<u8>>, usize);

fn greet(mut greeting: Greeting, stream: &[u8], part: usize) -> GreetingOutcome {
    let mut left = stream.len();
    for part in stream.chunks(part) {
        let mut rest = part;
        let outcome = greeting.feed(&mut rest);
        left -= part.len() - rest.len();
        match outcome {
            Ok(None) => assert!(rest.is_empty(), "an incomplete greeting takes all bytes"),
            Ok(greeted) => return (Ok(greeted), left),
            Err(bad) => return (Err(bad.final_reply), 0),
        }
    }
    (Ok(None), left)
}

/// The messages that a peer has sent after its handshake, and how its stream ends.
#[derive(Debug, PartialEq)]
pub(super) struct Decoded {
    pub(super) payloads: Vec<(Vec<u8>, Option<MessageType>)>,
    /// The last ping.
    ping: Option<Vec<u8>>,
    pub(super) end: Result<(), BadFrame>,
}

impl Default for Decoded {
    fn default() -> Decoded {
        Decoded { payloads: Vec::new(), ping: None, end: Ok(()) }
    }
}

pub(super) fn decode(mapping: &Mapping, stream: &[u8], reading: &Reading) -> Decoded {
    let mut decoder = mapping.decoder();
    let mut decoded = Decoded::default();
    let mut rest = stream;
    while !rest.is_empty() && decoded.end.is_ok() {
        let (part, behind) = rest.split_at(rest.len().min(reading.part));
        let mut keep = |payload: Payload<'_>, message_type| {
            decoded.payloads.push((payload.bytes().to_vec(), message_type));
        };
        rest = behind;
        decoded.end = if reading.is_direct {
            directly(&mut decoder, part, reading.max, &mut keep)
        } else {
            decoder.feed(part, reading.max, keep)
        };
        decoded.ping = decoder.take_ping().or(decoded.ping);
    }
    decoded
}

/// Decodes as a connection does that reads large payloads directly into their memory.
fn directly(
    decoder: &mut Decoder,
    part: &[u8],
    max: Option<usize>,
    keep: &mut impl FnMut(Payload<'_>, Option<MessageType>),
) -> Result<(), BadFrame> {
    let Some(spare) = decoder.spare()? else { return decoder.feed(part, max, keep) };
    let count = part.len().min(spare.len());
    for (to, from) in spare.iter_mut().zip(part) {
        *to = MaybeUninit::new(*from);
    }
    // SAFETY: that many bytes were just written.
    unsafe { decoder.appended(count, &mut *keep) }?;
    decoder.feed(&part[count..], max, keep)
}
