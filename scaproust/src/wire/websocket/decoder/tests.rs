use std::hash::RandomState;

use proptest::prelude::*;

use super::super::{FrameContent, FramePosition, Random, WebSocketEncoder};
use super::*;
use crate::message::MessageType;

const KEY: [u8; 4] = [1, 2, 3, 250];

/// A frame with this first byte; masked as a client does, or not.
fn frame(first: u8, is_masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = FrameHeader { mask: is_masked.then_some(KEY), ..FrameHeader::default() };
    header.format(payload.len() as u64, &mut bytes).unwrap();
    bytes[0] = first;
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    if is_masked {
        Mask(KEY).apply(0, &mut bytes[start..]);
    }
    bytes
}

/// A masked frame, as a server receives it.
fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, true, payload)
}

fn decode(
    decoder: &mut WebSocketDecoder,
    input: &[u8],
    max: Option<usize>,
) -> Result<Vec<Vec<u8>>, BadFrame> {
    let mut messages = Vec::new();
    decoder.feed(input, max, |payload, _| messages.push(payload.bytes().to_vec()))?;
    Ok(messages)
}

/// The messages that a server decodes from these frames.
fn server(frames: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, BadFrame> {
    decode(&mut WebSocketDecoder::new(Side::Server), &frames.concat(), Some(10_000))
}

/// Decodes as a connection does: in parts of `cuts` bytes, written straight to the decoder's spare memory
/// where it has some.
fn read(
    decoder: &mut WebSocketDecoder,
    mut rest: &[u8],
    cuts: &[usize],
    max: usize,
) -> Result<Vec<Vec<u8>>, BadFrame> {
    let mut messages = Vec::new();
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let part = match decoder.spare()? {
            Some(spare) => {
                assert!(!spare.is_empty());
                let part = split_front(&mut rest, spare.len().min(*cut));
                for (place, byte) in spare.iter_mut().zip(part) {
                    place.write(*byte);
                }
                // SAFETY: just written.
                unsafe {
                    decoder.appended(part.len(), |payload, _| messages.push(payload.bytes().to_vec()))
                }?;
                continue;
            }
            None => split_front(&mut rest, *cut),
        };
        decoder.feed(part, Some(max), |payload, _| messages.push(payload.bytes().to_vec()))?;
    }
    Ok(messages)
}

proptest! {
    #[test]
    fn frames_may_arrive_in_parts(
        is_client: bool,
        lengths in prop::collection::vec(prop_oneof![0_usize..200, 4090_usize..4105, 5000_usize..6000, 65_530_usize..65_540], 1..6),
        cuts in prop::collection::vec(1_usize..3000, 1..20),
    ) {
        let (from, to) = if is_client { (Side::Server, Side::Client) } else { (Side::Client, Side::Server) };
        let mut encoder = WebSocketEncoder::new(from, MessageType::Binary, Random::new(RandomState::new()));
        let mut stream = Vec::new();
        let payloads: Vec<Vec<u8>> =
            lengths.iter().enumerate().map(|(index, length)| vec![index as u8; *length]).collect();
        for payload in &payloads {
            let first = FramePosition::First { head: 0, message_type: None };
            let FrameContent { mask, .. } = encoder.encode_prefix(first, payload.len(), &mut stream);
            let start = stream.len();
            stream.extend_from_slice(payload);
            if let Some(mask) = mask {
                mask.apply(0, &mut stream[start..]);
            }
            stream.extend(encoder.control_frame(Control::Ping, b"between"));
        }
        let mut decoder = WebSocketDecoder::new(to);
        prop_assert_eq!(read(&mut decoder, &stream, &cuts, 70_000), Ok(payloads));
        prop_assert!(!decoder.is_mid_message());
        prop_assert_eq!(decoder.take_ping(), Some(b"between".to_vec()));
        prop_assert_eq!(decoder.take_ping(), None);
    }

    #[test]
    fn fragments_are_joined_to_one_message(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..900), 2..12),
        cuts in prop::collection::vec(1_usize..700, 1..20),
    ) {
        let mut stream = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let first = if index == 0 { 2 } else { 0 } | if index == parts.len() - 1 { 0x80 } else { 0 };
            stream.extend(sent(first, part));
            stream.extend(sent(0x89, b"ping"));
            stream.extend(sent(0x8a, b"pong"));
        }
        let whole = parts.concat();
        let mut decoder = WebSocketDecoder::new(Side::Server);
        prop_assert_eq!(read(&mut decoder, &stream, &cuts, whole.len()), Ok(vec![whole.clone()]));
        prop_assert!(!decoder.is_mid_message());
        if !whole.is_empty() {
            let mut decoder = WebSocketDecoder::new(Side::Server);
            prop_assert_eq!(read(&mut decoder, &stream, &cuts, whole.len() - 1), Err(BadFrame::TooLong));
        }
    }

    #[test]
    fn random_bytes_never_panic(
        is_client: bool,
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..10),
    ) {
        let mut decoder = WebSocketDecoder::new(if is_client { Side::Client } else { Side::Server });
        for part in parts {
            if decode(&mut decoder, &part, Some(1 << 20)).is_err() {
                break;
            }
        }
    }

    #[test]
    fn random_frames_never_panic(
        frames in prop::collection::vec((any::<u8>(), 0_usize..200, prop::num::u8::ANY), 0..20),
        cuts in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let stream: Vec<u8> =
            frames.iter().flat_map(|(first, length, fill)| sent(first & 0x8f, &vec![*fill; *length])).collect();
        let mut decoder = WebSocketDecoder::new(Side::Server);
        let _ = read(&mut decoder, &stream, &cuts, 500);
    }
}

#[test]
fn violations_of_the_standard_are_refused() {
    let violations: [(&str, &[Vec<u8>]); 15] = [
        ("no mask", &[frame(0x82, false, b"x")]),
        ("RSV1", &[sent(0xc2, b"x")]),
        ("RSV2", &[sent(0xa2, b"x")]),
        ("RSV3", &[sent(0x92, b"x")]),
        ("unknown data", &[sent(0x83, b"x")]),
        ("unknown control", &[sent(0x8b, b"x")]),
        ("long control", &[sent(0x89, &[0; 126])]),
        ("fragmented control", &[sent(0x09, b"x")]),
        ("nothing to continue", &[sent(0x80, b"x")]),
        ("a message inside another", &[sent(0x02, b"x"), sent(0x82, b"y")]),
        ("a close frame of one byte", &[sent(0x88, b"x")]),
        ("code 1005", &[sent(0x88, &1005_u16.to_be_bytes())]),
        ("code 999", &[sent(0x88, &999_u16.to_be_bytes())]),
        ("a length in two bytes for one", &[vec![0x82, 0xfe, 0, 1, 1, 2, 3, 4, 5]]),
        ("a length of 64 bits", &[vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]]),
    ];
    for (what, frames) in violations {
        assert_eq!(server(frames), Err(BadFrame::Protocol), "{what}");
        // A message before the violation is delivered; one behind it, in the same input, is not.
        let mut decoder = WebSocketDecoder::new(Side::Server);
        let mut stream = sent(0x82, b"first");
        stream.extend(frames.concat());
        stream.extend(sent(0x82, b"last"));
        let mut messages = Vec::new();
        let fed = decoder.feed(&stream, None, |payload, _| messages.push(payload.bytes().to_vec()));
        assert_eq!((fed, messages), (Err(BadFrame::Protocol), vec![b"first".to_vec()]), "{what}");
    }
    let masked = decode(&mut WebSocketDecoder::new(Side::Client), &sent(0x82, b"x"), None);
    assert_eq!(masked, Err(BadFrame::Protocol));
}

#[test]
fn a_message_comes_with_its_type() {
    let large = [b'l'; 5000];
    // In one frame and in two, small and large; a continuation frame has no type.
    let frames = [
        sent(0x81, b"text"),
        sent(0x82, b"bytes"),
        sent(0x81, &large),
        sent(0x01, b"te"),
        sent(0x80, b"xt"),
        sent(0x02, &large),
        sent(0x80, &large),
    ];
    let mut types = Vec::new();
    WebSocketDecoder::new(Side::Server)
        .feed(&frames.concat(), None, |_, message_type| types.push(message_type))
        .unwrap();
    let (text, binary) = (MessageType::Text, MessageType::Binary);
    assert_eq!(types, [text, binary, text, text, binary]);
    let unmasked = [frame(0x82, false, b"bytes"), frame(0x81, false, b"text")].concat();
    let mut types = Vec::new();
    WebSocketDecoder::new(Side::Client)
        .feed(&unmasked, None, |_, message_type| types.push(message_type))
        .unwrap();
    assert_eq!(types, [binary, text]);
}

#[test]
fn a_text_must_be_utf8_as_a_whole_message() {
    let euro = "€uro".as_bytes();
    assert_eq!(server(&[sent(0x81, euro)]), Ok(vec![euro.to_vec()]));
    assert_eq!(server(&[sent(0x01, &euro[..1]), sent(0x80, &euro[1..])]), Ok(vec![euro.to_vec()]));
    assert_eq!(server(&[sent(0x82, &euro[..2])]), Ok(vec![euro[..2].to_vec()]));
    let long = [vec![b'x'; 5000], vec![0xff]].concat();
    for bad in [&euro[..2], b"\xff", b"\xc0\x80", b"\xed\xa0\x80", &long] {
        assert_eq!(server(&[sent(0x81, bad)]), Err(BadFrame::NotText));
        assert_eq!(server(&[sent(0x01, bad), sent(0x80, b"")]), Err(BadFrame::NotText));
        let unmasked = frame(0x81, false, bad);
        assert_eq!(decode(&mut WebSocketDecoder::new(Side::Client), &unmasked, None), Err(BadFrame::NotText));
        assert_eq!(
            read(&mut WebSocketDecoder::new(Side::Server), &sent(0x81, bad), &[14], 9999),
            Err(BadFrame::NotText)
        );
    }
}

#[test]
fn a_close_frame_has_a_code_and_a_reason() {
    assert_eq!(server(&[sent(0x88, b"")]), Err(BadFrame::Closed(None)));
    for code in [1000, 1001, 1011, 3000, 4999] {
        let payload = [&u16::to_be_bytes(code)[..], "späti".as_bytes()].concat();
        assert_eq!(server(&[sent(0x88, &payload)]), Err(BadFrame::Closed(Some(code))));
        assert_eq!(BadFrame::Closed(Some(code)).close_code(), Some(code));
    }
    assert_eq!(server(&[sent(0x88, b"\x03\xe8\xff")]), Err(BadFrame::NotText));
}

#[test]
fn a_length_above_the_limit_is_refused() {
    for length in [10_001_u64, 1 << 40, (1 << 63) - 1] {
        let mut header = Vec::new();
        let masked = FrameHeader { mask: Some(KEY), ..FrameHeader::default() };
        masked.format(length, &mut header).unwrap();
        header[0] = 0x82;
        assert_eq!(server(&[header.clone()]), Err(BadFrame::TooLong));
        assert_eq!(server(&[sent(0x02, b"x"), [&[0x80][..], &header[1..]].concat()]), Err(BadFrame::TooLong));
    }
    let exact = vec![1; 10_000];
    assert_eq!(server(&[sent(0x82, &exact)]), Ok(vec![exact]));
    // Without a limit, memory grows with the bytes that arrive.
    let mut decoder = WebSocketDecoder::new(Side::Server);
    let mut header = vec![0x82, 0xff];
    header.extend((1_u64 << 30).to_be_bytes());
    header.extend(KEY);
    assert_eq!(decode(&mut decoder, &header, None), Ok(vec![]));
    assert!(decoder.spare().unwrap().unwrap().len() <= (1 << 20) + 64);
    assert!(decoder.is_mid_message());
    // Fragments share the message's memory, and spare memory ends with the fragment.
    let mut decoder = WebSocketDecoder::new(Side::Server);
    assert_eq!(decode(&mut decoder, &sent(0x02, &[0; 100])[..50], None), Ok(vec![]));
    assert_eq!(decoder.spare().unwrap().unwrap().len(), 56);
}

#[test]
fn many_small_fragments_are_joined() {
    let mut decoder = WebSocketDecoder::new(Side::Server);
    let mut stream = sent(0x02, b"a");
    for _ in 0..200_000 {
        stream.extend(sent(0x00, b"b"));
    }
    assert_eq!(decode(&mut decoder, &stream, None), Ok(vec![]));
    assert_eq!(decode(&mut decoder, &sent(0x80, b"c"), None).unwrap()[0].len(), 200_002);
}
