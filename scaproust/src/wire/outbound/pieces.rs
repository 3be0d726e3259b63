//! The bytes that are encoded and not sent yet, in pieces.
//!
//! Small messages are copied one behind the other into one piece. A large body is a piece of its own, which shares the
//! memory of its chunk.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use super::MessageQueue;
use crate::message::{Chunk, Front, Metadata};
use crate::wire::{Encoder, FrameContent, FramePosition, Framing, LARGE_BODY, Mask};

/// The number of unsent bytes at which no more messages are taken.
const FILL_MAX: usize = 128 * 1024;
/// The most pieces in one write.
pub(crate) const PIECES_MAX: usize = 32;
/// The longest prefix of a frame in bytes.
const PREFIX_MAX: usize = 14;
/// The most spare memory of an idle connection in bytes.
const SPARE_MAX: usize = 2048;

/// The unsent bytes of a connection.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: VecDeque<Piece>,
    /// The number of bytes of the first piece that are sent.
    sent: usize,
    /// The number of bytes in all pieces, including `sent`.
    length: usize,
    /// The empty memory of a piece that was sent.
    spare: Vec<u8>,
    /// The last pong that waits until the one before it is sent; often empty.
    pong: Vec<u8>,
    /// The number of bytes sent since the beginning; wraps.
    sent_total: usize,
    /// The number of messages taken since the beginning; wraps.
    taken_total: u32,
    /// The number of unsent bytes up to the end of the last appended pong.
    before_pong: usize,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// Part of a chunk. Other pieces may share the chunk.
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

    /// Appends a chunk as it is.
    pub(super) fn append_chunk(&mut self, chunk: Chunk) {
        let length = chunk.len();
        self.length += length;
        self.pieces.push_back(Piece::Chunk(chunk, 0..length));
    }

    /// Takes a message without its body, of so many bytes.
    pub(super) fn begin_lent(&mut self, framing: Framing, head: &[u8], body: usize) {
        let mut bytes = self.take_bytes();
        framing.encode_prefix(head.len() + body, &mut bytes);
        bytes.extend_from_slice(head);
        self.length += bytes.len();
        self.put_bytes(bytes);
        self.taken_total = self.taken_total.wrapping_add(1);
    }

    /// Has a pong appended as soon as the pong before it is sent. Until then a later one replaces it, so that memory is bounded
    /// for a peer that sends pings and does not read.
    pub(super) fn set_pong(&mut self, pong: Vec<u8>) {
        self.pong = pong;
    }

    fn append_pong(&mut self) {
        let pong = std::mem::take(&mut self.pong);
        self.append(&pong);
        self.before_pong = self.length - self.sent;
    }

    /// Takes messages from the queue and encodes them, until [`FILL_MAX`] is reached or the queue is empty. `parks` as in
    /// [`MessageQueue::front`]; returns as [`MessageQueue::publish_progress`].
    ///
    /// # Errors
    /// When there is no memory to copy messages into, or to mask a shared one.
    pub(super) fn fill(
        &mut self,
        queue: &mut impl MessageQueue,
        encoder: &mut Encoder,
        parks: bool,
    ) -> io::Result<bool> {
        if !self.pong.is_empty() && self.before_pong == 0 {
            self.append_pong();
        }
        // Matched once here, and not for every message.
        match encoder {
            Encoder::LengthPrefix(Framing::Tcp) => {
                self.encode(queue, parks, |position, body, out| only_frame(Framing::Tcp, position, body, out))
            }
            Encoder::LengthPrefix(Framing::Ipc) => {
                self.encode(queue, parks, |position, body, out| only_frame(Framing::Ipc, position, body, out))
            }
            Encoder::WebSocket(encoder) => {
                self.encode(queue, parks, |position, rest, out| encoder.encode_prefix(position, rest, out))
            }
        }
    }

    /// As `fill`. `encode_prefix` appends the prefix of a frame to its last argument. It is given the number of bytes of the
    /// body that are in no earlier frame, and returns how many of them the frame carries.
    fn encode(
        &mut self,
        queue: &mut impl MessageQueue,
        parks: bool,
        mut encode_prefix: impl FnMut(FramePosition, usize, &mut Vec<u8>) -> FrameContent,
    ) -> io::Result<bool> {
        let taken_before = self.taken_total;
        let mut bytes = self.take_bytes();
        let mut before = bytes.len();
        loop {
            let room = (FILL_MAX + self.sent + before).saturating_sub(self.length);
            let mut drained = 0;
            queue.drain(|front| {
                let takes = bytes.len() < room && make_room(&mut bytes, front).is_ok();
                if takes {
                    append_frame(&mut bytes, front, front.body, &mut encode_prefix);
                    drained += 1;
                }
                takes
            });
            self.taken_total = self.taken_total.wrapping_add(drained);
            if bytes.len() >= room {
                break;
            }
            let Some(front) = queue.front(parks) else { break };
            make_room(&mut bytes, &front)?;
            let (head_length, body_length) = (front.head.len(), front.body.len());
            let is_long = body_length >= LARGE_BODY;
            let copied: &[u8] = if is_long { &[] } else { front.body };
            let FrameContent { body: carried, mask } =
                append_frame(&mut bytes, &front, copied, &mut encode_prefix);
            self.taken_total = self.taken_total.wrapping_add(1);
            match if is_long { queue.take_chunk() } else { None } {
                Some(chunk) => {
                    self.length += bytes.len() - before + carried;
                    self.put_bytes(bytes);
                    let mut chunk = if mask.is_some() { unshared(chunk)? } else { chunk };
                    mask_part(&mut chunk, 0..carried, mask, head_length)?;
                    if carried < body_length {
                        self.put_fragments(chunk, carried, &mut encode_prefix)?;
                    } else {
                        self.pieces.push_back(Piece::Chunk(chunk, 0..carried));
                    }
                    bytes = self.take_bytes();
                    before = bytes.len();
                }
                None => queue.skip(),
            }
        }
        self.length += bytes.len() - before;
        self.put_bytes(bytes);
        // Once for all messages: they are few enough that a producer does not wait long.
        Ok(self.taken_total != taken_before && queue.publish_progress())
    }

    /// Appends a body as pieces, with the prefixes of all its frames but the first, which are there. The first frame carries
    /// `done` bytes.
    fn put_fragments(
        &mut self,
        mut chunk: Chunk,
        done: usize,
        encode_prefix: &mut impl FnMut(FramePosition, usize, &mut Vec<u8>) -> FrameContent,
    ) -> io::Result<()> {
        // Everything is masked before the pieces share the chunk.
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

    /// Whether everything is sent.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The number of bytes sent since the beginning; wraps.
    pub(super) fn sent_total(&self) -> usize {
        self.sent_total
    }

    /// The number of messages taken since the beginning; wraps.
    pub(super) fn taken_total(&self) -> u32 {
        self.taken_total
    }

    /// The bytes to be written next, in at most [`PIECES_MAX`] pieces.
    pub(super) fn front(&self) -> impl Iterator<Item = &[u8]> {
        let skips = std::iter::once(self.sent).chain(std::iter::repeat(0));
        self.pieces.iter().zip(skips).map(|(piece, skip)| &piece.bytes()[skip..]).take(PIECES_MAX)
    }

    /// The length of the piece of which a part is sent; 0 if there is none.
    pub(super) fn begun_length(&self) -> usize {
        self.pieces.front().filter(|_| self.sent > 0).map_or(0, |piece| piece.bytes().len())
    }

    /// Frees memory that an idle connection should not keep.
    pub(super) fn free_spare(&mut self) {
        if self.spare.capacity() > SPARE_MAX {
            self.spare = Vec::new();
        }
    }

    /// Notes that the first `count` bytes of [`Pieces::front`] were sent.
    pub(super) fn note_sent(&mut self, count: usize) {
        self.sent += count;
        self.sent_total = self.sent_total.wrapping_add(count);
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

    /// As [`Pieces::note_sent`], but of these bytes the last may be of a body that is in no piece. Returns how many.
    pub(super) fn note_sent_with_lent(&mut self, count: usize) -> usize {
        let own = count.min(self.length - self.sent);
        self.note_sent(own);
        self.sent_total = self.sent_total.wrapping_add(count - own);
        count - own
    }

    /// Removes the last piece, if it can be appended to, or gives the memory for a new one.
    fn take_bytes(&mut self) -> Vec<u8> {
        match self.pieces.pop_back() {
            // A long piece is left as it is: what is sent of it is freed with the whole, and that moment would never come
            // if it grew while it is sent.
            Some(Piece::Bytes(bytes)) if bytes.len() < FILL_MAX => return bytes,
            Some(piece) => self.pieces.push_back(piece),
            None => {}
        }
        std::mem::take(&mut self.spare)
    }

    /// Makes the vector from [`Pieces::take_bytes`] the last piece, unless it is empty.
    fn put_bytes(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            self.spare = bytes;
        } else {
            self.pieces.push_back(Piece::Bytes(bytes));
        }
    }
}

/// Appends the first frame of a message: its prefix, and, masked, its head and `copied`, which is the body or nothing.
#[inline]
fn append_frame(
    bytes: &mut Vec<u8>,
    front: &Front<'_>,
    copied: &[u8],
    encode_prefix: &mut impl FnMut(FramePosition, usize, &mut Vec<u8>) -> FrameContent,
) -> FrameContent {
    let Front { head, body, metadata: Metadata { message_type } } = *front;
    let content = encode_prefix(FramePosition::First { head: head.len(), message_type }, body.len(), bytes);
    let start = bytes.len();
    if !head.is_empty() {
        bytes.extend_from_slice(head);
    }
    bytes.extend_from_slice(copied);
    if let Some(mask) = content.mask {
        mask.apply(0, &mut bytes[start..]);
    }
    content
}

/// Reserves memory for what is copied of the message.
#[inline]
fn make_room(bytes: &mut Vec<u8>, front: &Front<'_>) -> io::Result<()> {
    let room = bytes.capacity() - bytes.len();
    if room >= PREFIX_MAX + front.len() { Ok(()) } else { grow(bytes, front) }
}

#[cold]
fn grow(bytes: &mut Vec<u8>, front: &Front<'_>) -> io::Result<()> {
    let copied = if front.body.len() < LARGE_BODY { front.body.len() } else { 0 };
    let reserved = bytes.try_reserve(PREFIX_MAX + front.head.len() + copied);
    reserved.map_err(|_| io::ErrorKind::OutOfMemory.into())
}

/// Appends the prefix of a frame that carries a whole message.
#[inline]
fn only_frame(framing: Framing, position: FramePosition, body: usize, out: &mut Vec<u8>) -> FrameContent {
    if let FramePosition::First { head, .. } = position {
        framing.encode_prefix(head + body, out);
    }
    FrameContent { body, mask: None }
}

/// The chunk if it is not shared, or else a copy.
fn unshared(chunk: Chunk) -> io::Result<Chunk> {
    let own = if chunk.is_unique() { Some(chunk) } else { Chunk::copy_of(&chunk) };
    own.ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Applies the mask, if there is one, to part of a chunk that is not shared. The part begins at `offset` in the payload of
/// its frame.
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
    use crate::wire::{Mapping, Outbound, PAIR, Random};
    use std::hash::RandomState;
    use std::time::Duration;

    #[test]
    fn small_and_large_messages_are_sent_in_order() {
        let mut queue = Queue::default();
        queue.push(b"h", b"one");
        queue.push(b"hh", &[7; 40_000]);
        queue.push(&[], b"");
        let mut pieces = Pieces::default();
        pieces.fill(&mut queue, &mut Encoder::LengthPrefix(Framing::Ipc), true).unwrap();
        assert!(queue.front(true).is_none());
        let mut all = Vec::<u8>::new();
        while !pieces.is_empty() {
            let before = all.len();
            all.extend(pieces.front().flatten().take(15_000));
            pieces.note_sent(all.len() - before);
        }
        let mut expected = [&[1, 0, 0, 0, 0, 0, 0, 0, 4][..], b"hone"].concat();
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0x9c, 0x42, b'h', b'h']);
        expected.extend([7; 40_000]);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(all, expected);
        assert_eq!(pieces.sent_total(), expected.len());
    }

    /// The payload of a message in frames of a client, and the lengths of the frames' payloads.
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
    fn a_large_message_is_sent_in_masked_fragments_of_one_chunk() {
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
            assert!(others.is_none_or(|others| *others == *body), "a shared body is not masked");
            // Nothing was copied into smaller pieces.
            assert_eq!(pieces.pieces.len(), 6);
        }
    }

    /// The bytes of memory that are allocated for pieces.
    fn memory(pieces: &Pieces) -> usize {
        let memory = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.capacity(),
            Piece::Chunk(chunk, _) => chunk.footprint(),
        };
        pieces.pieces.iter().map(memory).sum::<usize>() + pieces.spare.capacity()
    }

    #[test]
    fn memory_is_bounded_while_some_bytes_are_always_unsent() {
        let (mut queue, mut pieces) = (Queue::default(), Pieces::default());
        for _ in 0..1000 {
            for _ in 0..10 {
                queue.push(&[], &[1; 1000]);
            }
            pieces.fill(&mut queue, &mut Encoder::LengthPrefix(Framing::Tcp), true).unwrap();
            let unsent: usize = pieces.front().map(<[u8]>::len).sum();
            pieces.note_sent(10_000.min(unsent - 1));
            assert!(memory(&pieces) < 6 * FILL_MAX, "{} bytes", memory(&pieces));
        }
    }

    #[test]
    fn an_idle_connection_keeps_2_kib_of_spare_memory() {
        let mut queue = Queue::default();
        let mut outbound = Outbound::new(&[], Encoder::LengthPrefix(Framing::Tcp));
        let mut kept = |size| {
            queue.push(&[], &vec![1; size]);
            outbound.fill(&mut queue).unwrap();
            outbound.note_sent(8 + size);
            let spare = memory(&outbound.pieces);
            assert!(spare >= size, "the next fill needs no allocation");
            outbound.note_idle(Some(&mut queue));
            (spare, memory(&outbound.pieces))
        };
        let (spare, kept_small) = kept(1000);
        assert_eq!(kept_small, spare);
        let (_, kept_large) = kept(15_000);
        assert_eq!(kept_large, 0);
        outbound.begin_gathering(&mut queue, Duration::ZERO);
        queue.push(&[], &[1; 15_000]);
        outbound.fill(&mut queue).unwrap();
        outbound.note_sent(8 + 15_000);
        outbound.note_idle(Some(&mut queue));
        assert!(memory(&outbound.pieces) >= 15_000, "the next write of what gathers needs it again");
        outbound.note_enough(Duration::ZERO, Duration::ZERO, 9);
        outbound.note_idle(Some(&mut queue));
        assert_eq!(memory(&outbound.pieces), 0, "many connections gather");
        outbound.stop_gathering();
        outbound.begin_gathering(&mut queue, Duration::ZERO);
        queue.push(&[], &[1; 15_000]);
        outbound.fill(&mut queue).unwrap();
        outbound.note_sent(8 + 15_000);
        outbound.stop_gathering();
        outbound.note_idle(Some(&mut queue));
        assert_eq!(memory(&outbound.pieces), 0);
    }
}
