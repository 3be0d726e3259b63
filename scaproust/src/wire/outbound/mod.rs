//! The outbound half of a connection: messages become bytes of the stream.
//!
//! Owns the encoder, the bytes that were taken and are not sent yet, and the rule of how much gathers before it is written.
//! Must not know descriptors, locks, threads or the clock: a driver takes messages, writes the bytes in front, and notes
//! how many were sent.

mod pieces;

use std::io;
use std::time::Duration;

use super::framing::BadFrame;
use super::mapping::Encoder;
use crate::message::{Chunk, Front};
pub(crate) use pieces::PIECES_MAX;
use pieces::Pieces;

/// The number of gathered bytes at which the sender writes them, at first.
const GATHER_FIRST: usize = 1024;
/// The least such number.
const GATHER_MIN: usize = 512;
/// The largest such number. It doubles while the sender's writes are frequent or the messages are a flood, and halves while the
/// writes are rare. A packet of Linux's loopback interface has up to 64 KiB with its headers: a write of this size and one more short
/// message fit into it.
const GATHER_MAX: usize = 60 * 1024;
/// Writes are frequent if they take more than this part of the time, in percent.
const FREQUENT: u32 = 66;
/// Writes are rare if they take less: messages wait longer than they need to.
const RARE: u32 = 25;
/// Gathering is in vain if to write each message by itself would take less of the time than this.
const AFFORDABLE: u32 = 75;
/// No write is taken for shorter: the clock may be coarse.
const WRITE_TIME_MIN: Duration = Duration::from_micros(1);
/// With more connections than this the number always grows by [`CROWD_FACTOR`]. Small writes slow down many receivers that share
/// a processor so much that the sender would be taken for slow.
const CROWD: u32 = 8;
/// The factor by which the number of gathered bytes grows with each write to a crowd.
const CROWD_FACTOR: usize = 4;
/// The least rate of a flood, in bytes per microsecond. Its receivers gain more by few large writes than by early ones.
const FLOOD_RATE: usize = 64;
/// This many rare writes in a row halve the number. A single one is rare because its thread has lost the processor.
const IN_A_ROW: u8 = 4;

/// A queue of messages to be sent, which others fill.
pub(crate) trait MessageQueue {
    /// The first message. If there is none and `parks` is set, the next push is reported.
    fn front(&mut self, parks: bool) -> Option<Front<'_>>;

    /// Drops the first message.
    fn skip(&mut self);

    /// Calls `takes` with the messages in their order, and removes those for which it returns `true`. Ends at the first message for
    /// which `takes` returns `false`, or whose body is in a chunk, if not earlier: that message and those behind it stay.
    fn drain(&mut self, takes: impl FnMut(&Front<'_>) -> bool);

    /// Removes the first message if its body is in a chunk, and returns that chunk. If not, the message stays.
    fn take_chunk(&mut self) -> Option<Chunk>;

    /// Makes room for the producer where messages were removed. Returns whether the producer waits for that and must be woken.
    fn publish_progress(&mut self) -> bool;

    /// Has the push reported that brings the queue to this number of bytes, as its bound counts them. Returns whether it has so many
    /// already.
    fn report_at(&mut self, bytes: usize) -> bool;
}

/// The outbound half of a connection.
#[derive(Debug)]
pub(crate) struct Outbound {
    pieces: Pieces,
    encoder: Encoder,
    gathering: Option<Gathering>,
    /// A fill has failed: bytes of a message may be missing, and nothing may be sent after them.
    is_cut: bool,
}

/// The state while messages gather: pushes to the queue are not reported one by one.
#[derive(Debug)]
struct Gathering {
    /// The number of bytes in the queue at which the sender writes them.
    enough: usize,
    /// When gathering began, or the sender last wrote because the messages were `enough`.
    since: Duration,
    /// The time that a write takes: the shortest lately, since a thread may lose the processor during a write.
    write_time: Duration,
    /// [`Pieces::taken_total`] after this write.
    taken: u32,
    /// The number of the sender's last writes that were rare, in a row.
    rare: u8,
    /// The sender has written since [`Outbound::take_written_by_sender`] was called last.
    is_written_by_sender: bool,
    /// Messages gather for more than [`CROWD`] connections. Then memory is not kept for the next write.
    is_crowd: bool,
}

impl Outbound {
    /// An outbound half whose first bytes are `initial_bytes`.
    pub(crate) fn new(initial_bytes: &[u8], encoder: Encoder) -> Outbound {
        let mut pieces = Pieces::default();
        pieces.append(initial_bytes);
        Outbound { pieces, encoder, gathering: None, is_cut: false }
    }

    /// Appends bytes as they are, behind everything that was taken so far.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.pieces.append(bytes);
    }

    /// Answers a ping with this payload. While a pong is unsent, only the last of the further ones is kept.
    pub(crate) fn answer_ping(&mut self, payload: &[u8]) {
        let pong = self.encoder.pong(payload);
        self.pieces.set_pong(pong);
    }

    /// The final reply to a peer that has sent `bad`; often empty.
    pub(crate) fn final_reply(&mut self, bad: BadFrame) -> Vec<u8> {
        self.encoder.final_reply(bad)
    }

    /// Takes messages from the queue, until there is enough for a write or the queue is empty. Returns whether the producer of
    /// the queue must be woken.
    ///
    /// # Errors
    /// When memory for them is out. The connection has to end: each further call fails as well.
    pub(crate) fn fill(&mut self, queue: &mut impl MessageQueue) -> io::Result<bool> {
        if self.is_cut {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let filled = self.pieces.fill(queue, &mut self.encoder, self.gathering.is_none());
        self.is_cut = filled.is_err();
        filled
    }

    /// Whether everything that was taken is sent, and the next message may be one of [`Outbound::begin_lent`].
    pub(crate) fn lends(&self) -> bool {
        let is_prefixed = matches!(self.encoder, Encoder::LengthPrefix(_));
        is_prefixed && self.is_empty() && self.gathering.is_none() && !self.is_cut
    }

    /// Takes a message but for its body, of so many bytes, which the driver writes itself behind [`Outbound::front`], or appends as
    /// a chunk. [`Outbound::lends`] must hold.
    pub(crate) fn begin_lent(&mut self, head: &[u8], body: usize) {
        if let Encoder::LengthPrefix(framing) = self.encoder {
            self.pieces.begin_lent(framing, head, body);
        }
    }

    /// Notes that the first `count` bytes of [`Outbound::front`] and then of a lent body were sent. Returns how many of them were of
    /// that body.
    pub(crate) fn note_sent_with_lent(&mut self, count: usize) -> usize {
        self.pieces.note_sent_with_lent(count)
    }

    /// Appends what is left of a lent body.
    pub(crate) fn append_chunk(&mut self, chunk: Chunk) {
        self.pieces.append_chunk(chunk);
    }

    /// The bytes to be written next, in at most [`PIECES_MAX`] pieces.
    pub(crate) fn front(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.front()
    }

    /// The length of the piece that is sent in part, a large body or small messages one behind the other; 0 if there is none.
    pub(crate) fn begun_length(&self) -> usize {
        self.pieces.begun_length()
    }

    /// Notes that the first `count` bytes of [`Outbound::front`] were sent.
    pub(crate) fn note_sent(&mut self, count: usize) {
        self.pieces.note_sent(count);
    }

    /// The number of bytes sent since the beginning; wraps.
    pub(crate) fn sent_total(&self) -> usize {
        self.pieces.sent_total()
    }

    /// The number of messages taken since the beginning; wraps.
    pub(crate) fn taken_total(&self) -> u32 {
        self.pieces.taken_total()
    }

    /// Whether everything that was taken is sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Notes that everything is sent. Frees spare memory, unless messages gather for a few connections: their next write needs it.
    /// Returns whether the queue has enough messages for another write.
    pub(crate) fn note_idle(&mut self, queue: Option<&mut impl MessageQueue>) -> bool {
        if self.gathering.as_ref().is_none_or(|gathering| gathering.is_crowd) {
            self.pieces.free_spare();
        }
        match (&self.gathering, queue) {
            (Some(gathering), Some(queue)) => queue.report_at(gathering.enough),
            _ => false,
        }
    }

    /// Whether messages gather.
    pub(crate) fn is_gathering(&self) -> bool {
        self.gathering.is_some()
    }

    /// Lets messages gather in the queue, which has the first one: from now on only the push is reported that makes them enough.
    pub(crate) fn begin_gathering(&mut self, queue: &mut impl MessageQueue, now: Duration) {
        self.gathering = Some(Gathering {
            enough: GATHER_FIRST,
            since: now,
            write_time: Duration::MAX,
            taken: self.pieces.taken_total(),
            rare: 0,
            is_written_by_sender: false,
            is_crowd: false,
        });
        // If there are enough already, the next check of the I/O thread finds them.
        queue.report_at(GATHER_FIRST);
    }

    /// Ends gathering: each push to the empty queue is reported again.
    pub(crate) fn stop_gathering(&mut self) {
        self.gathering = None;
    }

    /// Notes that the sender is about to write gathered messages because the queue is full.
    pub(crate) fn note_full(&mut self) {
        if let Some(gathering) = &mut self.gathering {
            gathering.is_written_by_sender = true;
            gathering.rare = 0;
        }
    }

    /// Notes that the sender has written gathered messages because they were enough, from `began` to `ended`. Messages gather
    /// for so many `connections`, which the sender writes in turn. Decides how many are enough for its next write, and returns
    /// whether gathering was worth it for this one.
    pub(crate) fn note_enough(&mut self, began: Duration, ended: Duration, connections: u32) -> bool {
        let taken = self.pieces.taken_total();
        let Some(gathering) = &mut self.gathering else { return true };
        gathering.is_written_by_sender = true;
        let messages = taken.wrapping_sub(std::mem::replace(&mut gathering.taken, taken));
        let interval = began.saturating_sub(std::mem::replace(&mut gathering.since, began));
        let forgotten = gathering.write_time.saturating_add(gathering.write_time / 8);
        gathering.write_time = ended.saturating_sub(began).min(forgotten).max(WRITE_TIME_MIN);
        gathering.is_crowd = connections > CROWD;
        if gathering.is_crowd {
            gathering.enough = (CROWD_FACTOR * gathering.enough).min(GATHER_MAX);
            return true;
        }
        gathering.adapt(interval / connections.max(1), messages)
    }

    /// Whether the sender has written gathered messages since the last call.
    pub(crate) fn take_written_by_sender(&mut self) -> bool {
        self.gathering.as_mut().is_some_and(|gathering| std::mem::take(&mut gathering.is_written_by_sender))
    }
}

impl Gathering {
    /// Changes `enough` after a write that brought so many messages, and that began this time after the write before it.
    /// Returns whether the sender could not have written each message by itself.
    fn adapt(&mut self, interval: Duration, messages: u32) -> bool {
        let is_flood = self.enough as u128 * 1000 >= interval.as_nanos() * FLOOD_RATE as u128;
        let exceeds = |time: Duration, percent| time * 100 > interval * percent;
        if exceeds(self.write_time, FREQUENT) || is_flood {
            self.enough = (2 * self.enough).min(GATHER_MAX);
            self.rare = 0;
        } else if exceeds(self.write_time, RARE) {
            self.rare = 0;
        } else {
            self.rare += 1;
        }
        if self.rare == IN_A_ROW {
            self.enough = (self.enough / 2).max(GATHER_MIN);
            self.rare = 0;
        }
        exceeds(self.write_time * messages, AFFORDABLE)
    }
}
