//! Length-prefixed framing, for tcp and ipc: each frame is a length and a payload of that many bytes, a message.
//!
//! tcp: `length u64 | payload`. ipc: `01 | length u64 | payload`. Lengths are big-endian.
//!
//! The length is checked against the limit before memory is allocated. A peer may announce a long
//! payload and never send it, so memory grows with the bytes that arrive: it begins with what
//! [`Chunk::for_announced`] gives, and grows by the factor [`GROWTH`] whenever it is full.

use std::mem::MaybeUninit;

use crate::message::{Chunk, INLINE_MAX, Payload};

/// The factor by which the memory of an incomplete payload grows when it is full.
const GROWTH: usize = 4;
/// The longest prefix of a payload in bytes.
const PREFIX_MAX: usize = 9;

/// The format of the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// SP over TCP.
    Tcp,
    /// SP over local sockets.
    Ipc,
}

impl Framing {
    /// Length in bytes of the prefix of each payload.
    pub(crate) const fn prefix_size(self) -> usize {
        match self {
            Framing::Tcp => 8,
            Framing::Ipc => 9,
        }
    }

    /// Appends the prefix of a payload of `length` bytes to `out`.
    pub(crate) fn encode_prefix(self, length: usize, out: &mut Vec<u8>) {
        if self == Framing::Ipc {
            out.push(1);
        }
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// Why no more frames can be decoded: the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadFrame {
    /// An ipc frame of another type than a message.
    Type,
    /// The length exceeds the limit.
    TooLong,
    /// Out of memory.
    OutOfMemory,
    /// A WebSocket frame that is invalid, or not allowed at this point.
    Protocol,
    /// A WebSocket text message that is not UTF-8.
    NotText,
    /// A close frame of a WebSocket, with its status code if it has one.
    Closed(Option<u16>),
}

impl BadFrame {
    /// The status code of the close frame to be sent (RFC 6455, 7.4). A code of the peer is echoed.
    pub(super) fn close_code(self) -> Option<u16> {
        match self {
            BadFrame::Type | BadFrame::Protocol => Some(1002),
            BadFrame::NotText => Some(1007),
            BadFrame::TooLong => Some(1009),
            BadFrame::OutOfMemory => Some(1011),
            BadFrame::Closed(code) => code,
        }
    }
}

/// Decodes frames into payloads: borrowed ones of up to [`INLINE_MAX`] bytes, and owned ones of more.
#[derive(Debug)]
pub(crate) struct LengthPrefixDecoder {
    framing: Framing,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before or inside a prefix, of which `count` bytes have arrived.
    Prefix { bytes: [u8; PREFIX_MAX], count: usize },
    /// Inside a payload of up to [`INLINE_MAX`] bytes, of which `bytes` have arrived.
    Small { length: usize, bytes: Vec<u8> },
    /// Inside a longer payload; the chunk holds the bytes that have arrived.
    Large { length: usize, chunk: Chunk },
}

impl State {
    const START: State = State::Prefix { bytes: [0; PREFIX_MAX], count: 0 };
}

impl LengthPrefixDecoder {
    /// A decoder at the start of a stream.
    pub(crate) fn new(framing: Framing) -> LengthPrefixDecoder {
        LengthPrefixDecoder { framing, state: State::START }
    }

    /// Whether a frame has arrived in part.
    pub(crate) fn is_mid_message(&self) -> bool {
        !matches!(self.state, State::Prefix { count: 0, .. })
    }

    /// Decodes all of `input`, and calls `each` for every payload that is complete with it. `max` is
    /// the longest payload allowed, in bytes.
    ///
    /// # Errors
    /// [`BadFrame`]; the decoder must not be used any more then.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        max: Option<usize>,
        mut each: impl FnMut(Payload<'_>),
    ) -> Result<(), BadFrame> {
        let prefix_size = self.framing.prefix_size();
        loop {
            // The common case first: complete small frames, which need no copy.
            while let State::Prefix { count: 0, .. } = self.state
                && let Some((prefix, rest)) = input.split_at_checked(prefix_size)
            {
                let length = self.parse(prefix, max)?;
                if length > INLINE_MAX || length > rest.len() {
                    break;
                }
                let (payload, rest) = rest.split_at(length);
                each(Payload::Borrowed(payload));
                input = rest;
            }
            if input.is_empty() {
                return Ok(());
            }
            self.feed_part(&mut input, max, &mut each)?;
        }
    }

    /// Cuts the rest of a prefix or of a payload off the front of `input`, as far as it is there.
    fn feed_part(
        &mut self,
        input: &mut &[u8],
        max: Option<usize>,
        each: &mut impl FnMut(Payload<'_>),
    ) -> Result<(), BadFrame> {
        match &mut self.state {
            State::Prefix { bytes, count } => {
                let prefix_size = self.framing.prefix_size();
                let part = split_front(input, prefix_size - *count);
                bytes[*count..*count + part.len()].copy_from_slice(part);
                *count += part.len();
                if self.framing == Framing::Ipc && bytes[0] != 1 {
                    return Err(BadFrame::Type);
                }
                if *count == prefix_size {
                    let prefix = *bytes;
                    self.start_payload(self.parse(&prefix[..prefix_size], max)?, each)?;
                }
            }
            State::Small { length, bytes } => {
                bytes.extend_from_slice(split_front(input, *length - bytes.len()));
                if bytes.len() == *length {
                    each(Payload::Borrowed(bytes));
                    self.state = State::START;
                }
            }
            State::Large { length, chunk } => {
                let part = split_front(input, *length - chunk.len());
                let mut rest = part;
                while !rest.is_empty() {
                    let count = grown(chunk, *length)?.append(rest);
                    rest = &rest[count..];
                }
                if let Some(chunk) = self.finished() {
                    each(Payload::Owned(chunk));
                }
            }
        }
        Ok(())
    }

    fn start_payload(&mut self, length: usize, each: &mut impl FnMut(Payload<'_>)) -> Result<(), BadFrame> {
        self.state = if length == 0 {
            each(Payload::Borrowed(&[]));
            State::START
        } else if length <= INLINE_MAX {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(length).map_err(|_| BadFrame::OutOfMemory)?;
            State::Small { length, bytes }
        } else {
            State::Large { length, chunk: Chunk::for_announced(length).ok_or(BadFrame::OutOfMemory)? }
        };
        Ok(())
    }

    /// See [`Decoder::spare`](super::mapping::Decoder::spare).
    pub(crate) fn spare(&mut self) -> Result<Option<&mut [MaybeUninit<u8>]>, BadFrame> {
        match &mut self.state {
            State::Large { length, chunk } => {
                let missing = *length - chunk.len();
                let spare = grown(chunk, *length)?.spare();
                let end = missing.min(spare.len());
                Ok(Some(&mut spare[..end]))
            }
            _ => Ok(None),
        }
    }

    /// Takes note of `count` bytes that were written to [`LengthPrefixDecoder::spare`]. Returns the payload if
    /// it is complete with them.
    ///
    /// # Safety
    /// The first `count` bytes of [`LengthPrefixDecoder::spare`] must have been written.
    pub(crate) unsafe fn appended(&mut self, count: usize) -> Option<Chunk> {
        if let State::Large { chunk, .. } = &mut self.state {
            // SAFETY: as the caller promises.
            unsafe { chunk.appended(count) };
        }
        self.finished()
    }

    /// Takes a large payload out if it is complete.
    fn finished(&mut self) -> Option<Chunk> {
        match &self.state {
            State::Large { length, chunk } if chunk.len() == *length => {}
            _ => return None,
        }
        match std::mem::replace(&mut self.state, State::START) {
            State::Large { chunk, .. } => Some(chunk),
            _ => None,
        }
    }

    /// The payload's length in a complete prefix, if it is allowed.
    fn parse(&self, prefix: &[u8], max: Option<usize>) -> Result<usize, BadFrame> {
        let length = match (self.framing, prefix) {
            (Framing::Tcp, length) | (Framing::Ipc, [1, length @ ..]) => length,
            (Framing::Ipc, _) => return Err(BadFrame::Type),
        };
        let length: [u8; 8] = length.try_into().map_err(|_| BadFrame::Type)?;
        let length = usize::try_from(u64::from_be_bytes(length)).map_err(|_| BadFrame::TooLong)?;
        if length > max.unwrap_or(isize::MAX.unsigned_abs()) { Err(BadFrame::TooLong) } else { Ok(length) }
    }
}

/// Makes room in the chunk of an incomplete payload if it is full. `length` is the payload's length, or
/// `usize::MAX` if it is not known.
pub(super) fn grown(chunk: &mut Chunk, length: usize) -> Result<&mut Chunk, BadFrame> {
    if chunk.spare().is_empty() {
        // Without a known length the factor is smaller, so that less memory remains unused.
        let times = if length == usize::MAX { 2 } else { GROWTH };
        let capacity = chunk.len().saturating_mul(times).clamp(1, length);
        let full = std::mem::replace(chunk, Chunk::with_capacity(0).ok_or(BadFrame::OutOfMemory)?);
        *chunk = full.reserve(capacity).map_err(|_| BadFrame::OutOfMemory)?;
    }
    Ok(chunk)
}

/// Cuts at most `count` bytes off the front of `input`.
pub(super) fn split_front<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (front, rest) = input.split_at(input.len().min(count));
    *input = rest;
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(framing: Framing, payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = Vec::new();
        for payload in payloads {
            framing.encode_prefix(payload.len(), &mut stream);
            stream.extend_from_slice(payload);
        }
        stream
    }

    fn decode(
        decoder: &mut LengthPrefixDecoder,
        input: &[u8],
        max: Option<usize>,
    ) -> Result<Vec<Vec<u8>>, BadFrame> {
        let mut payloads = Vec::new();
        decoder.feed(input, max, |payload| payloads.push(payload.bytes().to_vec()))?;
        Ok(payloads)
    }

    proptest! {
        #[test]
        fn frames_may_arrive_in_parts(
            ipc: bool,
            lengths in prop::collection::vec(prop_oneof![0_usize..40, 4090_usize..4105, 5000_usize..6000], 1..8),
            cuts in prop::collection::vec(1_usize..3000, 1..20),
        ) {
            let framing = if ipc { Framing::Ipc } else { Framing::Tcp };
            let payloads: Vec<Vec<u8>> =
                lengths.iter().enumerate().map(|(index, length)| vec![index as u8; *length]).collect();
            let stream = encode(framing, &payloads);
            let mut decoder = LengthPrefixDecoder::new(framing);
            let mut rest = &stream[..];
            let mut decoded = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                decoded.extend(decode(&mut decoder, split_front(&mut rest, *cut), Some(6000)).unwrap());
            }
            prop_assert_eq!(decoded, payloads);
            prop_assert!(!decoder.is_mid_message());
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), ipc: bool) {
            let framing = if ipc { Framing::Ipc } else { Framing::Tcp };
            let _ = decode(&mut LengthPrefixDecoder::new(framing), &bytes, Some(1 << 20));
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused() {
        let mut decoder = LengthPrefixDecoder::new(Framing::Tcp);
        assert_eq!(decode(&mut decoder, &5_u64.to_be_bytes(), Some(4)), Err(BadFrame::TooLong));
        let mut decoder = LengthPrefixDecoder::new(Framing::Tcp);
        let stream = encode(Framing::Tcp, &[vec![1; 4]]);
        assert_eq!(decode(&mut decoder, &stream, Some(4)), Ok(vec![vec![1; 4]]));
        for length in [1 << 63, u64::MAX] {
            let mut decoder = LengthPrefixDecoder::new(Framing::Tcp);
            assert_eq!(decode(&mut decoder, &length.to_be_bytes(), None), Err(BadFrame::TooLong));
        }
    }

    #[test]
    fn memory_for_a_long_payload_grows_with_the_bytes_that_arrive() {
        let mut decoder = LengthPrefixDecoder::new(Framing::Tcp);
        assert_eq!(decode(&mut decoder, &(1_u64 << 30).to_be_bytes(), None), Ok(vec![]));
        // The largest piece that the pool may have.
        assert!(decoder.spare().unwrap().unwrap().len() <= (1 << 20) + 64);
        assert!(decoder.is_mid_message());
    }

    #[test]
    fn spare_memory_ends_with_the_payload() {
        // Puts a piece larger than the payload into the pool.
        crate::message::keep_spare_memory();
        drop(Chunk::with_capacity(30_000));
        let mut decoder = LengthPrefixDecoder::new(Framing::Tcp);
        assert_eq!(decode(&mut decoder, &20_000_u64.to_be_bytes(), None), Ok(vec![]));
        let spare = decoder.spare().unwrap().unwrap();
        assert_eq!(spare.len(), 20_000);
        spare.fill(MaybeUninit::new(7));
        // SAFETY: all of it was just written.
        let payload = unsafe { decoder.appended(20_000) }.unwrap();
        assert_eq!(&*payload, [7; 20_000]);
        assert!(decoder.spare().unwrap().is_none() && !decoder.is_mid_message());
    }

    #[test]
    fn an_ipc_frame_of_another_type_is_refused_at_its_first_byte() {
        let mut decoder = LengthPrefixDecoder::new(Framing::Ipc);
        assert_eq!(decode(&mut decoder, &[2], None), Err(BadFrame::Type));
        let mut decoder = LengthPrefixDecoder::new(Framing::Ipc);
        assert_eq!(decode(&mut decoder, &[0; 9], None), Err(BadFrame::Type));
    }
}
