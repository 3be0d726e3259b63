//! What was taken to be sent, and has not left yet: encoded, in pieces.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::Messages;
use crate::message::{Chunk, Front, Metadata};
use crate::wire::{Encoder, FrameContent, FramePosition, Framing, Mask};

/// So much is taken before it leaves.
const GATHER: usize = 128 * 1024;
/// A body at least this long is written from its chunk; a shorter one is copied next to others.
const COPY_MAX: usize = 16 * 1024;
/// Pieces that leave at once, at most.
pub(crate) const PIECES: usize = 32;
/// The longest prefix of a payload.
const PREFIX_MAX: usize = 14;
/// Memory that an idle connection may keep.
const KEEP: usize = 2048;

/// Bytes on their way into the stream, in pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: VecDeque<Piece>,
    /// How much of the first piece has left.
    sent: usize,
    /// Bytes in all pieces, with what was sent of the first.
    length: usize,
    /// Memory of a piece that was sent.
    spare: Vec<u8>,
    /// The last pong that waits for the one before it to be sent.
    pong: Vec<u8>,
    /// Bytes that have left, ever; wraps.
    sent_ever: usize,
    /// Bytes that must leave before the pong that was appended last has left.
    before_pong: usize,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// Part of a chunk; other pieces may have the rest.
    Chunk(Chunk, Range<usize>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Bytes(bytes) => bytes,
            Piece::Chunk(chunk, range) => &chunk[range.clone()],
        }
    }
}

impl Pieces {
    /// Appends bytes as they are.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut end = self.take_bytes();
        end.extend_from_slice(bytes);
        self.put_bytes(end);
        self.length += bytes.len();
    }

    /// Has a pong sent as soon as the pong before it has left. Until then it gives way to a later one, so that a peer which
    /// only asks and never reads gathers nothing here.
    pub(super) fn set_pong(&mut self, pong: Vec<u8>) {
        self.pong = pong;
    }

    fn append_pong(&mut self) {
        let pong = std::mem::take(&mut self.pong);
        self.append(&pong);
        self.before_pong = self.length - self.sent;
    }

    /// Takes messages, encoded, until enough is gathered or there are no more; `parks` as in [`Messages::front`]. Returns
    /// what [`Messages::publish_progress`] does.
    ///
    /// # Errors
    /// When there is no memory to gather messages in, or to mask one in that others have too.
    pub(super) fn fill(
        &mut self,
        messages: &mut impl Messages,
        encoder: &mut Encoder,
        parks: bool,
    ) -> io::Result<bool> {
        if !self.pong.is_empty() && self.before_pong == 0 {
            self.append_pong();
        }
        // Once here, and not for every message.
        match encoder {
            Encoder::Framed(Framing::Tcp) => {
                self.gather(messages, parks, |place, body, out| framed(Framing::Tcp, place, body, out))
            }
            Encoder::Framed(Framing::Ipc) => {
                self.gather(messages, parks, |place, body, out| framed(Framing::Ipc, place, body, out))
            }
            Encoder::WebSocket(encoder) => {
                self.gather(messages, parks, |place, rest, out| encoder.encode_prefix(place, rest, out))
            }
        }
    }

    /// As `fill`. `encode_prefix` writes what comes in front of a frame, when so many bytes of the body
    /// are left, and answers how many of them the frame carries.
    fn gather(
        &mut self,
        messages: &mut impl Messages,
        parks: bool,
        mut encode_prefix: impl FnMut(FramePosition, usize, &mut Vec<u8>) -> FrameContent,
    ) -> io::Result<bool> {
        let mut any = false;
        let mut bytes = self.take_bytes();
        let mut before = bytes.len();
        while self.length + bytes.len() - before - self.sent < GATHER {
            let Some(front) = messages.front(parks) else { break };
            make_room(&mut bytes, &front)?;
            let Front { head, body, metadata: Metadata { message_type } } = front;
            let (in_head, in_body) = (head.len(), body.len());
            let first = FramePosition::First { head: in_head, message_type };
            let FrameContent { body: carried, mask } = encode_prefix(first, in_body, &mut bytes);
            let start = bytes.len();
            if in_head > 0 {
                bytes.extend_from_slice(head);
            }
            let is_long = body.len() >= COPY_MAX;
            if !is_long {
                bytes.extend_from_slice(body);
            }
            if let Some(mask) = mask {
                mask.apply(0, &mut bytes[start..]);
            }
            any = true;
            match if is_long { messages.take_chunk() } else { None } {
                Some(chunk) => {
                    self.length += bytes.len() - before + carried;
                    self.put_bytes(bytes);
                    let mut chunk = if mask.is_some() { unshared(chunk)? } else { chunk };
                    mask_part(&mut chunk, 0..carried, mask, in_head)?;
                    if carried < in_body {
                        self.put_fragments(chunk, carried, &mut encode_prefix)?;
                    } else {
                        self.pieces.push_back(Piece::Chunk(chunk, 0..carried));
                    }
                    bytes = self.take_bytes();
                    before = bytes.len();
                }
                None => messages.skip(),
            }
        }
        self.length += bytes.len() - before;
        self.put_bytes(bytes);
        // Once for all: their sender is not kept waiting for long.
        Ok(any && messages.publish_progress())
    }

    /// Appends a body of whose first frame, which carries `done` bytes, everything else is there.
    fn put_fragments(
        &mut self,
        mut chunk: Chunk,
        done: usize,
        encode_prefix: &mut impl FnMut(FramePosition, usize, &mut Vec<u8>) -> FrameContent,
    ) -> io::Result<()> {
        // All is masked before the pieces share the chunk.
        let mut further = Vec::new();
        let mut end = done;
        while end < chunk.len() {
            let mut prefix = Vec::new();
            let FrameContent { body, mask } =
                encode_prefix(FramePosition::Further, chunk.len() - end, &mut prefix);
            let part = end..end + body;
            mask_part(&mut chunk, part.clone(), mask, 0)?;
            end = part.end;
            further.push((prefix, part));
        }
        self.pieces.push_back(Piece::Chunk(chunk.clone(), 0..done));
        for (prefix, part) in further {
            self.append(&prefix);
            self.length += part.len();
            self.pieces.push_back(Piece::Chunk(chunk.clone(), part));
        }
        Ok(())
    }

    /// Whether everything has left.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes that have left, ever; wraps.
    pub(super) fn sent_ever(&self) -> usize {
        self.sent_ever
    }

    /// What is to leave next, in order: [`PIECES`] at most.
    pub(super) fn front(&self) -> impl Iterator<Item = &[u8]> {
        let skips = std::iter::once(self.sent).chain(std::iter::repeat(0));
        self.pieces.iter().zip(skips).map(|(piece, skip)| &piece.bytes()[skip..]).take(PIECES)
    }

    /// Gives back memory that a connection at rest should not keep.
    pub(super) fn rest(&mut self) {
        if self.spare.capacity() > KEEP {
            self.spare = Vec::new();
        }
    }

    /// So many bytes have left.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent += count;
        self.sent_ever = self.sent_ever.wrapping_add(count);
        self.before_pong = self.before_pong.saturating_sub(count);
        while let Some(first) = self.pieces.front()
            && self.sent >= first.bytes().len()
        {
            let length = first.bytes().len();
            self.sent -= length;
            self.length -= length;
            if let Some(Piece::Bytes(mut bytes)) = self.pieces.pop_front()
                && bytes.capacity() > self.spare.capacity()
            {
                bytes.clear();
                self.spare = bytes;
            }
        }
    }

    /// Takes the last piece out, if it may be added to; or else the memory for a new one.
    fn take_bytes(&mut self) -> Vec<u8> {
        match self.pieces.pop_back() {
            Some(Piece::Bytes(bytes)) => return bytes,
            Some(chunk) => self.pieces.push_back(chunk),
            None => {}
        }
        std::mem::take(&mut self.spare)
    }

    /// Makes what [`Pieces::take_bytes`] has given the last piece, if there is anything in it.
    fn put_bytes(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            self.spare = bytes;
        } else {
            self.pieces.push_back(Piece::Bytes(bytes));
        }
    }
}

/// Sees to it that there is memory for what is copied of the message.
#[inline]
fn make_room(bytes: &mut Vec<u8>, front: &Front<'_>) -> io::Result<()> {
    let room = bytes.capacity() - bytes.len();
    if room >= PREFIX_MAX + front.len() { Ok(()) } else { grow(bytes, front) }
}

#[cold]
fn grow(bytes: &mut Vec<u8>, front: &Front<'_>) -> io::Result<()> {
    let copied = if front.body.len() < COPY_MAX { front.body.len() } else { 0 };
    let reserved = bytes.try_reserve(PREFIX_MAX + front.head.len() + copied);
    reserved.map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Writes the prefix of the only frame that a message has.
#[inline]
fn framed(framing: Framing, place: FramePosition, body: usize, out: &mut Vec<u8>) -> FrameContent {
    if let FramePosition::First { head, .. } = place {
        framing.encode_prefix(head + body, out);
    }
    FrameContent { body, mask: None }
}

/// The chunk if nobody else has it, or else a copy.
fn unshared(chunk: Chunk) -> io::Result<Chunk> {
    let own = if chunk.is_unique() { Some(chunk) } else { Chunk::copy_of(&chunk) };
    own.ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Lays a mask, if there is one, over part of a chunk that nobody else has. The part begins at
/// `offset` in the payload of its frame.
fn mask_part(chunk: &mut Chunk, part: Range<usize>, mask: Option<Mask>, offset: usize) -> io::Result<()> {
    if let Some(mask) = mask {
        let bytes = chunk.unique().ok_or(io::ErrorKind::OutOfMemory)?;
        mask.apply(offset, &mut bytes[part]);
    }
    Ok(())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::message::MessageType;
    use crate::wire::halves_tests::Queue;
    use crate::wire::{Mapping, PAIR, Random};
    use std::hash::RandomState;

    #[test]
    fn small_and_large_messages_leave_in_order() {
        let mut queue = Queue::default();
        queue.push(b"h", b"one");
        queue.push(b"hh", &[7; 20_000]);
        queue.push(&[], b"");
        let mut pieces = Pieces::default();
        pieces.fill(&mut queue, &mut Encoder::Framed(Framing::Ipc), true).unwrap();
        assert!(queue.front(true).is_none());
        let mut all = Vec::<u8>::new();
        while !pieces.is_empty() {
            let before = all.len();
            all.extend(pieces.front().flatten().take(15_000));
            pieces.sent(all.len() - before);
        }
        let mut expected = [&[1, 0, 0, 0, 0, 0, 0, 0, 4][..], b"hone"].concat();
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0x4e, 0x22, b'h', b'h']);
        expected.extend([7; 20_000]);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(all, expected);
        assert_eq!(pieces.sent_ever(), expected.len());
    }

    /// The payload of a message in frames of a client, and how long the frames' payloads are.
    fn unmasked(mut stream: &[u8]) -> (Vec<u8>, Vec<usize>) {
        let (mut payload, mut lengths) = (Vec::new(), Vec::new());
        while let [_, short, rest @ ..] = stream {
            let (length, rest) = match short & 127 {
                127 => (u64::from_be_bytes(*rest.first_chunk().unwrap()), &rest[8..]),
                126 => (u16::from_be_bytes(*rest.first_chunk().unwrap()).into(), &rest[2..]),
                short => (short.into(), rest),
            };
            let (key, rest) = rest.split_first_chunk().unwrap();
            let (part, rest) = rest.split_at(length.try_into().unwrap());
            let start = payload.len();
            payload.extend_from_slice(part);
            Mask(*key).apply(0, &mut payload[start..]);
            lengths.push(part.len());
            stream = rest;
        }
        (payload, lengths)
    }

    #[test]
    fn a_large_message_goes_in_masked_fragments_of_one_chunk() {
        let body: Vec<u8> = (0..2_300_000_u32).map(|number| (number / 3) as u8).collect();
        for is_shared in [false, true] {
            let mut queue = Queue::default();
            queue.push(b"head", &body);
            let others = is_shared.then(|| queue.messages[0].1.clone());
            let random = Random::new(RandomState::new());
            let mapping = Mapping::WebSocketClient {
                authority: "h".into(),
                resource: "/".into(),
                message_type: MessageType::Binary,
            };
            let mut encoder = mapping.begin(PAIR, MessageType::Binary, random).encoder;
            let mut pieces = Pieces::default();
            pieces.fill(&mut queue, &mut encoder, true).unwrap();
            let stream: Vec<u8> = pieces.pieces.iter().flat_map(Piece::bytes).copied().collect();
            assert_eq!(pieces.length, stream.len());
            let (payload, lengths) = unmasked(&stream);
            assert_eq!(lengths, [1_048_576, 1_048_576, 202_852]);
            assert_eq!((&payload[..4], &payload[4..]), (&b"head"[..], &body[..]));
            assert!(others.is_none_or(|others| *others == *body), "others' memory is not masked");
            // Nothing was copied into smaller pieces.
            assert_eq!(pieces.pieces.len(), 6);
        }
    }
}
