//! What a connection has taken from its lane and not yet given to the kernel.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use super::platform::{NO_SIGNAL, Stream};
use crate::message::{Chunk, Front, MessageType};
use crate::pipe::Consumer;
use crate::wire::{Encoder, Framing, Mask};

/// So much is gathered for one system call.
const GATHER: usize = 128 * 1024;
/// A body at least this long is written from its chunk; a shorter one is copied next to others.
const COPY_MAX: usize = 16 * 1024;
/// Pieces handed to the kernel at once.
const PIECES: usize = 32;
/// Memory that an idle connection may keep.
const KEEP: usize = 2048;

/// Bytes on their way into the kernel, in pieces.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Piece>,
    /// How much of the first piece the kernel has.
    sent: usize,
    /// Bytes in all pieces, with what was sent of the first.
    length: usize,
    /// Memory of a piece that was sent.
    spare: Vec<u8>,
    /// The last pong that waits for the one before it to be sent.
    pong: Vec<u8>,
    /// Bytes that the kernel has taken, ever; wraps.
    sent_ever: usize,
    /// Bytes that the kernel must take before it has the pong that was appended last.
    before_pong: usize,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Chunk(Chunk),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Bytes(bytes) => bytes,
            Piece::Chunk(chunk) => chunk,
        }
    }
}

impl Outbox {
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

    /// Has a pong sent as soon as the pong before it is with the kernel. Until then it gives way to
    /// a later one, so that a peer which only asks and never reads gathers nothing here.
    pub(super) fn set_pong(&mut self, pong: Vec<u8>) {
        self.pong = pong;
    }

    fn append_pong(&mut self) {
        let pong = std::mem::take(&mut self.pong);
        self.append(&pong);
        self.before_pong = self.length - self.sent;
    }

    /// Takes messages from the lane, encoded, until enough is gathered or there are no more; then
    /// the lane is parked, if `parks` says so. Answers whether the lane's producer waits for room.
    ///
    /// # Errors
    /// When there is no memory to mask a message in that others have too.
    pub(super) fn fill(
        &mut self,
        lane: &mut Consumer,
        encoder: &mut Encoder,
        parks: bool,
    ) -> io::Result<bool> {
        if !self.pong.is_empty() && self.before_pong == 0 {
            self.append_pong();
        }
        // Once here, and not for every message.
        match encoder {
            Encoder::Framed(Framing::Tcp) => self.gather(lane, parks, |length, _, out| {
                Framing::Tcp.encode_prefix(length, out);
                None
            }),
            Encoder::Framed(Framing::Ipc) => self.gather(lane, parks, |length, _, out| {
                Framing::Ipc.encode_prefix(length, out);
                None
            }),
            Encoder::WebSocket(encoder) => self.gather(lane, parks, |length, message_type, out| {
                encoder.encode_prefix(length, message_type, out)
            }),
        }
    }

    /// As `fill`. `encode_prefix` writes what comes in front of a payload of some length and type, and
    /// answers the mask that is to be laid over it, if there is to be one.
    fn gather(
        &mut self,
        lane: &mut Consumer,
        parks: bool,
        mut encode_prefix: impl FnMut(usize, Option<MessageType>, &mut Vec<u8>) -> Option<Mask>,
    ) -> io::Result<bool> {
        let mut any = false;
        let mut bytes = self.take_bytes();
        let mut before = bytes.len();
        while self.length + bytes.len() - before - self.sent < GATHER {
            let Some(front) = (if parks { lane.front() } else { lane.look() }) else { break };
            let Front { head, body, message_type } = front;
            let mask = encode_prefix(head.len() + body.len(), message_type, &mut bytes);
            let (start, in_head) = (bytes.len(), head.len());
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
            match if is_long { lane.take_chunk() } else { None } {
                Some(chunk) => {
                    let chunk = match mask {
                        Some(mask) => masked(chunk, mask, in_head)?,
                        None => chunk,
                    };
                    self.length += bytes.len() - before + chunk.len();
                    self.put_bytes(bytes);
                    self.pieces.push_back(Piece::Chunk(chunk));
                    bytes = self.take_bytes();
                    before = bytes.len();
                }
                None => lane.skip(),
            }
        }
        self.length += bytes.len() - before;
        self.put_bytes(bytes);
        // Once for all: the producer is not kept waiting for long.
        Ok(any && lane.tell())
    }

    /// Whether the kernel has everything.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes that the kernel has taken, ever; wraps.
    pub(super) fn sent_ever(&self) -> usize {
        self.sent_ever
    }

    /// Gives the kernel as much as it takes at once.
    ///
    /// # Errors
    /// The system call's, `WouldBlock` among them.
    pub(super) fn write_to(&mut self, stream: &Stream) -> io::Result<()> {
        // The host must not see SIGPIPE, whatever it does with that signal.
        let count = match self.pieces.iter().collect::<smallvec::SmallVec<[_; 2]>>().as_slice() {
            [] => return Ok(()),
            [only] => stream.send_with_flags(&only.bytes()[self.sent..], NO_SIGNAL)?,
            many => {
                let mut slices = smallvec::SmallVec::<[IoSlice<'_>; PIECES]>::new();
                let skips = std::iter::once(self.sent).chain(std::iter::repeat(0));
                slices.extend(
                    many.iter()
                        .zip(skips)
                        .take(PIECES)
                        .map(|(piece, skip)| IoSlice::new(&piece.bytes()[skip..])),
                );
                stream.send_vectored_with_flags(&slices, NO_SIGNAL)?
            }
        };
        self.advance(count);
        Ok(())
    }

    /// Gives back memory that a connection at rest should not keep.
    pub(super) fn rest(&mut self) {
        if self.spare.capacity() > KEEP {
            self.spare = Vec::new();
        }
    }

    fn advance(&mut self, count: usize) {
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

    /// Makes what [`Outbox::take_bytes`] has given the last piece, if there is anything in it.
    fn put_bytes(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            self.spare = bytes;
        } else {
            self.pieces.push_back(Piece::Bytes(bytes));
        }
    }
}

/// The chunk with a mask laid over it, if nobody else has it; or else a copy. Its first byte is at
/// `offset` in the payload.
fn masked(chunk: Chunk, mask: Mask, offset: usize) -> io::Result<Chunk> {
    let own = if chunk.is_unique() { Some(chunk) } else { Chunk::copy_of(&chunk) };
    let mut own = own.ok_or(io::ErrorKind::OutOfMemory)?;
    mask.apply(offset, own.unique().ok_or(io::ErrorKind::OutOfMemory)?);
    Ok(own)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::message::Payload;
    use crate::pipe::lane;
    use crate::transport::stream::tests::connected_pair;
    use std::io::Read;

    #[test]
    fn small_and_large_messages_leave_in_order() {
        let (mut producer, mut consumer) = lane(1 << 20);
        let large = Chunk::copy_of(&[7; 20_000]).unwrap();
        producer.batch().push(b"h", &mut Payload::Borrowed(b"one"), None).unwrap();
        producer.batch().push(b"hh", &mut Payload::Owned(large), None).unwrap();
        producer.batch().push(&[], &mut Payload::Borrowed(b""), None).unwrap();
        let mut outbox = Outbox::default();
        assert!(!outbox.fill(&mut consumer, &mut Encoder::Framed(Framing::Ipc), true).unwrap());
        assert!(consumer.front().is_none());

        let (near, mut far) = connected_pair();
        let near = Stream::from(near);
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        while !outbox.is_empty() {
            outbox.write_to(&near).unwrap();
        }
        drop(near);
        let mut expected = [&[1, 0, 0, 0, 0, 0, 0, 0, 4][..], b"hone"].concat();
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0x4e, 0x22, b'h', b'h']);
        expected.extend([7; 20_000]);
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(reader.join().unwrap(), expected);
    }
}
