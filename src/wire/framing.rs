//! The frames of tcp and ipc: a length, and that many bytes.
//!
//! tcp: `length u64 | payload`. ipc: `01 | length u64 | payload`. The decoder takes no memory for
//! a length that is not allowed, and for an allowed one only as the bytes come: it begins with what
//! [`Chunk::for_announced`] gives and is a few times what has come.

use std::mem::MaybeUninit;

use crate::message::{Chunk, INLINE_MAX};

/// The memory for a frame of known length becomes so many times as large when it is full.
const GROWTH: usize = 4;
/// The longest prefix of a frame.
const PREFIX_MAX: usize = 9;

/// Which of the two the stream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// SP over TCP.
    Tcp,
    /// SP over local sockets.
    Ipc,
}

impl Framing {
    /// Bytes in front of each payload.
    pub(crate) const fn prefix_size(self) -> usize {
        match self {
            Framing::Tcp => 8,
            Framing::Ipc => 9,
        }
    }

    /// Writes the prefix of a payload of `length` bytes.
    pub(crate) fn encode_prefix(self, length: usize, out: &mut Vec<u8>) {
        if self == Framing::Ipc {
            out.push(1);
        }
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// The stream is not what it should be, memory is out, or the peer has taken its leave: the
/// connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadFrame {
    /// An ipc frame of another type than a message.
    Type,
    /// A length over the limit.
    TooLong,
    /// There is no memory for the frame.
    OutOfMemory,
    /// A WebSocket frame that must not be, or not there.
    Protocol,
    /// A WebSocket text that is not UTF-8.
    NotText,
    /// The peer of a WebSocket closes it, for a reason that this number stands for.
    Closed(Option<u16>),
}

impl BadFrame {
    /// What a WebSocket's close frame gives as the reason (RFC 6455, 7.4); the peer's own is given
    /// back to it.
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

/// A payload that has come in.
#[derive(Debug)]
pub(crate) enum Frame<'a> {
    /// A small one, in place.
    Bytes(&'a [u8]),
    /// A large one, in memory of its own.
    Chunk(Chunk),
}

/// Cuts a stream into payloads.
#[derive(Debug)]
pub(crate) struct Decoder {
    framing: Framing,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between or inside prefixes; this much of one has come.
    Prefix { bytes: [u8; PREFIX_MAX], count: usize },
    /// In a small payload, of which this has come.
    Small { length: usize, bytes: Vec<u8> },
    /// In a large payload, of which the chunk holds what has come.
    Large { length: usize, chunk: Chunk },
}

impl State {
    const START: State = State::Prefix { bytes: [0; PREFIX_MAX], count: 0 };
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub(crate) fn new(framing: Framing) -> Decoder {
        Decoder { framing, state: State::START }
    }

    /// Whether part of a frame has come, and the rest has not.
    pub(crate) fn is_mid_frame(&self) -> bool {
        !matches!(self.state, State::Prefix { count: 0, .. })
    }

    /// Takes all of `input`, and calls `each` for every payload that it completes. `max` is the
    /// longest payload allowed.
    ///
    /// # Errors
    /// [`BadFrame`]; the decoder is of no further use then.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        max: Option<usize>,
        mut each: impl FnMut(Frame<'_>),
    ) -> Result<(), BadFrame> {
        let prefix_size = self.framing.prefix_size();
        loop {
            // The common case first: whole small frames, without a copy.
            while let State::Prefix { count: 0, .. } = self.state
                && let Some((prefix, rest)) = input.split_at_checked(prefix_size)
            {
                let length = self.parse(prefix, max)?;
                if length > INLINE_MAX || length > rest.len() {
                    break;
                }
                let (payload, rest) = rest.split_at(length);
                each(Frame::Bytes(payload));
                input = rest;
            }
            if input.is_empty() {
                return Ok(());
            }
            self.feed_part(&mut input, max, &mut each)?;
        }
    }

    /// Takes some of `input`: the rest of a prefix, or of a payload.
    fn feed_part(
        &mut self,
        input: &mut &[u8],
        max: Option<usize>,
        each: &mut impl FnMut(Frame<'_>),
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
                    each(Frame::Bytes(bytes));
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
                    each(Frame::Chunk(chunk));
                }
            }
        }
        Ok(())
    }

    fn start_payload(&mut self, length: usize, each: &mut impl FnMut(Frame<'_>)) -> Result<(), BadFrame> {
        self.state = if length == 0 {
            each(Frame::Bytes(&[]));
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

    /// The memory where the next bytes of a large payload belong, for a read straight into it; say
    /// so with [`Decoder::appended`]. Nothing when the next bytes belong elsewhere.
    ///
    /// # Errors
    /// [`BadFrame::OutOfMemory`] when the payload cannot grow.
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

    /// Says that the first `count` bytes of [`Decoder::spare`] have come; answers the payload if
    /// those were its last.
    ///
    /// # Safety
    /// They must have been written.
    pub(crate) unsafe fn appended(&mut self, count: usize) -> Option<Chunk> {
        if let State::Large { chunk, .. } = &mut self.state {
            // SAFETY: as the caller promises.
            unsafe { chunk.appended(count) };
        }
        self.finished()
    }

    /// Takes the large payload out if it is whole.
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

    /// The length that a whole prefix tells, if it is allowed.
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

/// The chunk of a payload of `length` bytes, with room for more of it.
pub(super) fn grown(chunk: &mut Chunk, length: usize) -> Result<&mut Chunk, BadFrame> {
    if chunk.spare().is_empty() {
        // Where the length is not known, less of it may be in vain.
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

    fn decode(decoder: &mut Decoder, input: &[u8], max: Option<usize>) -> Result<Vec<Vec<u8>>, BadFrame> {
        let mut payloads = Vec::new();
        decoder.feed(input, max, |frame| {
            payloads.push(match frame {
                Frame::Bytes(bytes) => bytes.to_vec(),
                Frame::Chunk(chunk) => chunk.to_vec(),
            });
        })?;
        Ok(payloads)
    }

    proptest! {
        #[test]
        fn a_stream_may_be_cut_anywhere(
            ipc: bool,
            lengths in prop::collection::vec(prop_oneof![0_usize..40, 2040_usize..2060, 5000_usize..6000], 1..8),
            cuts in prop::collection::vec(1_usize..3000, 1..20),
        ) {
            let framing = if ipc { Framing::Ipc } else { Framing::Tcp };
            let payloads: Vec<Vec<u8>> =
                lengths.iter().enumerate().map(|(index, length)| vec![index as u8; *length]).collect();
            let stream = encode(framing, &payloads);
            let mut decoder = Decoder::new(framing);
            let mut rest = &stream[..];
            let mut decoded = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                decoded.extend(decode(&mut decoder, split_front(&mut rest, *cut), Some(6000)).unwrap());
            }
            prop_assert_eq!(decoded, payloads);
            prop_assert!(!decoder.is_mid_frame());
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), ipc: bool) {
            let framing = if ipc { Framing::Ipc } else { Framing::Tcp };
            let _ = decode(&mut Decoder::new(framing), &bytes, Some(1 << 20));
        }
    }

    #[test]
    fn the_limit_is_exact_and_costs_no_memory() {
        let mut decoder = Decoder::new(Framing::Tcp);
        assert_eq!(decode(&mut decoder, &5_u64.to_be_bytes(), Some(4)), Err(BadFrame::TooLong));
        let mut decoder = Decoder::new(Framing::Tcp);
        let stream = encode(Framing::Tcp, &[vec![1; 4]]);
        assert_eq!(decode(&mut decoder, &stream, Some(4)), Ok(vec![vec![1; 4]]));
        for length in [1 << 63, u64::MAX] {
            let mut decoder = Decoder::new(Framing::Tcp);
            assert_eq!(decode(&mut decoder, &length.to_be_bytes(), None), Err(BadFrame::TooLong));
        }
    }

    #[test]
    fn a_long_frame_takes_memory_only_as_its_bytes_come() {
        let mut decoder = Decoder::new(Framing::Tcp);
        assert_eq!(decode(&mut decoder, &(1_u64 << 40).to_be_bytes(), None), Ok(vec![]));
        // All that lies ready, at most.
        assert!(decoder.spare().unwrap().unwrap().len() <= (1 << 20) + 64);
        assert!(decoder.is_mid_frame());
    }

    #[test]
    fn the_memory_of_a_frame_ends_where_the_frame_ends() {
        // Memory that was larger is used again.
        drop(Chunk::with_capacity(30_000));
        let mut decoder = Decoder::new(Framing::Tcp);
        assert_eq!(decode(&mut decoder, &20_000_u64.to_be_bytes(), None), Ok(vec![]));
        let spare = decoder.spare().unwrap().unwrap();
        assert_eq!(spare.len(), 20_000);
        spare.fill(MaybeUninit::new(7));
        // SAFETY: all of it was just written.
        let payload = unsafe { decoder.appended(20_000) }.unwrap();
        assert_eq!(&*payload, [7; 20_000]);
        assert!(decoder.spare().unwrap().is_none() && !decoder.is_mid_frame());
    }

    #[test]
    fn another_ipc_type_is_refused_by_its_first_byte() {
        let mut decoder = Decoder::new(Framing::Ipc);
        assert_eq!(decode(&mut decoder, &[2], None), Err(BadFrame::Type));
        let mut decoder = Decoder::new(Framing::Ipc);
        assert_eq!(decode(&mut decoder, &[0; 9], None), Err(BadFrame::Type));
    }
}
