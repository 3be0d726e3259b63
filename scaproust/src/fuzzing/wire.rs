//! The targets `handshake`, `framing`, `upgrade` and `frames`: any bytes as those of a peer.
//!
//! The result must be the same for any segmentation of the stream. It is compared with that of a
//! simple decoder, or encoded and decoded again.

use std::hash::RandomState;
use std::mem::MaybeUninit;

use crate::message::MessageType;
use crate::wire::{
    BadFrame, Decoder, Encoder, Frame, FrameContent, FramePosition, Framing, Greeted, Greeting, Mapping,
    Random,
};

/// How an input is read, from its first two bytes.
struct Reading {
    /// Selects the side, or one of two mappings.
    other: bool,
    /// The longest payload allowed.
    max: Option<usize>,
    /// The longest segment of the stream.
    part: usize,
    /// Large payloads are read directly into their memory, as far as the decoder asks for that.
    is_direct: bool,
}

impl Reading {
    fn split(input: &[u8]) -> Option<(Reading, &[u8])> {
        let (&[flags, part], rest) = input.split_first_chunk()?;
        let max = [None, Some(5), Some(2048), Some(1 << 20)][usize::from(flags >> 2 & 3)];
        let reading = Reading {
            other: flags & 1 != 0,
            is_direct: flags & 2 != 0,
            max,
            part: usize::from(part) * usize::from(part) + 1,
        };
        Some((reading, rest))
    }
}

/// The header of tcp and ipc.
pub fn handshake(input: &[u8]) {
    let Some((reading, stream)) = Reading::split(input) else { return };
    let mapping = if reading.other { Mapping::Ipc } else { Mapping::Tcp };
    let begin = || begin(&mapping).greeting;
    let (whole, left) = greet(begin(), stream, usize::MAX);
    assert_eq!((&whole, left), (&greet(begin(), stream, reading.part).0, left));
    assert!(whole.is_err() || left == stream.len().saturating_sub(8), "it takes no more than it needs");
    let fits = |&(place, byte): &(usize, u8)| [4, 5].contains(&place) || byte == b"\0SP\0__\0\0"[place];
    let header = &stream[..stream.len().min(8)];
    match (header.iter().copied().enumerate().all(|pair| fits(&pair)), header) {
        (true, &[_, _, _, _, high, low, _, _]) => {
            let protocol = u16::from_be_bytes([high, low]);
            assert_eq!(whole, Ok(Some(Greeted { protocol, reply: Vec::new() })));
        }
        (true, _) => assert_eq!(whole, Ok(None)),
        (false, _) => assert_eq!(whole, Err(Vec::new())),
    }
}

/// The request for an upgrade, or the response to our request.
pub fn upgrade(input: &[u8]) {
    let Some((reading, stream)) = Reading::split(input) else { return };
    let server = || begin(&Mapping::WebSocketServer).greeting;
    let (whole, cut) = if reading.other {
        // The client's key is random: `ACCEPT` in the input stands for the value that matches it.
        let client = || {
            let client = begin(&client());
            let (said, _) = greet(server(), &client.initial_bytes, usize::MAX);
            let said = said.expect("our own request is good").expect("and whole").reply;
            let start = find(&said, b"Accept: ").expect("every server says so") + b"Accept: ".len();
            let place = find(stream, b"ACCEPT").unwrap_or(stream.len());
            let rest = &stream[stream.len().min(place + b"ACCEPT".len())..];
            (client.greeting, [&stream[..place], &said[start..start + 28], rest].concat())
        };
        let ((whole, stream), (cut, again)) = (client(), client());
        (greet(whole, &stream, usize::MAX), greet(cut, &again, reading.part))
    } else {
        (greet(server(), stream, usize::MAX), greet(server(), stream, reading.part))
    };
    assert_eq!(whole, cut, "cut in parts of {}", reading.part);
    match whole.0 {
        Ok(Some(greeted)) => assert!(reading.other || greeted.reply.starts_with(b"HTTP/1.1 101 ")),
        Err(answer) => assert!(answer.is_empty() == reading.other),
        Ok(None) => assert_eq!(whole.1, 0, "all of it is kept"),
    }
}

/// The frames of tcp and ipc.
pub fn framing(input: &[u8]) {
    let Some((reading, stream)) = Reading::split(input) else { return };
    let (mapping, framing) =
        if reading.other { (Mapping::Ipc, Framing::Ipc) } else { (Mapping::Tcp, Framing::Tcp) };
    let said = decode(&mapping, stream, &reading);
    assert_eq!(said, decode(&mapping, stream, &Reading { part: usize::MAX, is_direct: false, ..reading }));

    // The result of a simple decoder; a stream that ends within a frame is no error.
    let mut expected = Said::default();
    let mut rest = stream;
    while !rest.is_empty() {
        if reading.other && rest[0] != 1 {
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
    assert_eq!(said, expected);
}

/// The frames of ws.
pub fn frames(input: &[u8]) {
    let Some((reading, stream)) = Reading::split(input) else { return };
    let (mapping, sender) = if reading.other {
        (client(), Mapping::WebSocketServer)
    } else {
        (Mapping::WebSocketServer, client())
    };
    let said = decode(&mapping, stream, &reading);
    assert_eq!(said, decode(&mapping, stream, &Reading { part: usize::MAX, is_direct: false, ..reading }));
    let total: usize = said.payloads.iter().map(|(payload, _)| payload.len()).sum();
    assert!(total <= stream.len());

    // The same messages, encoded by the library.
    let Encoder::WebSocket(mut encoder) = begin(&sender).encoder else { unreachable!("it is ws") };
    let mut stream = Vec::new();
    for (payload, message_type) in &said.payloads {
        assert!(reading.max.is_none_or(|max| payload.len() <= max));
        let mut place = FramePosition::First { head: 0, message_type: *message_type };
        let mut rest = &payload[..];
        loop {
            let FrameContent { body, mask } = encoder.encode_prefix(place, rest.len(), &mut stream);
            let start = stream.len();
            stream.extend_from_slice(&rest[..body]);
            if let Some(mask) = mask {
                mask.apply(0, &mut stream[start..]);
            }
            (place, rest) = (FramePosition::Further, &rest[body..]);
            if rest.is_empty() {
                break;
            }
        }
    }
    let again = decode(&mapping, &stream, &reading);
    assert_eq!((again.payloads, again.end), (said.payloads, Ok(())));
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
    mapping.begin(crate::wire::PAIR, MessageType::Binary, Random::new(RandomState::new()))
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
            Ok(None) => assert!(rest.is_empty(), "what is needed is taken"),
            Ok(greeted) => return (Ok(greeted), left),
            Err(bad) => return (Err(bad.final_reply), 0),
        }
    }
    (Ok(None), left)
}

/// What a peer has sent after its handshake.
#[derive(Debug, PartialEq)]
struct Said {
    payloads: Vec<(Vec<u8>, Option<MessageType>)>,
    /// The last ping.
    ping: Option<Vec<u8>>,
    end: Result<(), BadFrame>,
}

impl Default for Said {
    fn default() -> Said {
        Said { payloads: Vec::new(), ping: None, end: Ok(()) }
    }
}

fn decode(mapping: &Mapping, stream: &[u8], reading: &Reading) -> Said {
    let mut decoder = mapping.decoder();
    let mut said = Said::default();
    let mut rest = stream;
    while !rest.is_empty() && said.end.is_ok() {
        let (part, behind) = rest.split_at(rest.len().min(reading.part));
        let mut keep = |frame: Frame<'_>, message_type| {
            let payload = match frame {
                Frame::Bytes(bytes) => bytes.to_vec(),
                Frame::Chunk(chunk) => <[u8]>::to_vec(&chunk),
            };
            said.payloads.push((payload, message_type));
        };
        rest = behind;
        said.end = if reading.is_direct {
            directly(&mut decoder, part, reading.max, &mut keep)
        } else {
            decoder.feed(part, reading.max, keep)
        };
        said.ping = decoder.take_ping().or(said.ping);
    }
    said
}

/// Decodes as a connection does that reads large payloads directly into their memory.
fn directly(
    decoder: &mut Decoder,
    part: &[u8],
    max: Option<usize>,
    keep: &mut impl FnMut(Frame<'_>, Option<MessageType>),
) -> Result<(), BadFrame> {
    let Some(spare) = decoder.spare()? else { return decoder.feed(part, max, keep) };
    let count = part.len().min(spare.len());
    for (place, byte) in spare.iter_mut().zip(part) {
        *place = MaybeUninit::new(*byte);
    }
    // SAFETY: that many bytes were just written.
    unsafe { decoder.appended(count, &mut *keep) }?;
    decoder.feed(&part[count..], max, keep)
}
