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

/// The number of gathered bytes at which the sender writes them: the first and least,
const GATHER_MIN: usize = 512;
/// and the largest. It doubles while the sender's writes are frequent, or the messages are a flood; it halves while they are
/// rare.
const GATHER_MAX: usize = 64 * 1024;
/// Writes are frequent if the time between them is shorter: a write takes several microseconds.
const FREQUENT: Duration = Duration::from_micros(16);
/// Writes are rare if the time between them is longer: that is how long a message waits.
const RARE: Duration = Duration::from_micros(40);
/// The least rate of a flood, in bytes per microsecond. Its receivers gain more by few large writes than by early ones.
const FLOOD: usize = 64;
/// The number of rare writes in a row that halve. A single one is rare because its thread has lost the processor.
const RARE_IN_A_ROW: u8 = 4;

/// A queue of messages to be sent, which others fill.
pub(crate) trait MessageQueue {
    /// The first message. If there is none and `parks` is set, the next push is reported.
    fn front(&mut self, parks: bool) -> Option<Front<'_>>;

    /// Drops the first message.
    fn skip(&mut self);

    /// Removes the first message if its body is in a chunk, and returns that chunk. If not, the message stays.
    fn take_chunk(&mut self) -> Option<Chunk>;

    /// Makes room for the producer where messages were removed. Returns whether the producer waits for that and must be woken.
    fn publish_progress(&mut self) -> bool;

    /// Has the push reported that brings the queue to this number of bytes. Returns whether it has so many already.
    fn report_at(&mut self, bytes: usize) -> bool;
}

/// The outbound half of a connection.
#[derive(Debug)]
pub(crate) struct Outbound {
    pieces: Pieces,
    encoder: Encoder,
    gathering: Option<Gathering>,
}

/// The state while messages gather: pushes to the queue are not reported one by one.
#[derive(Debug)]
struct Gathering {
    /// The number of bytes in the queue at which the sender writes them.
    enough: usize,
    /// When gathering began, or the sender last wrote because the messages were `enough`.
    since: Duration,
    /// The number of the sender's last writes that were rare, in a row.
    rare: u8,
    /// The sender has written since [`Outbound::take_written_by_sender`] was called last.
    is_written_by_sender: bool,
}

impl Outbound {
    /// An outbound half whose first bytes are `initial_bytes`.
    pub(crate) fn new(initial_bytes: &[u8], encoder: Encoder) -> Outbound {
        let mut pieces = Pieces::default();
        pieces.append(initial_bytes);
        Outbound { pieces, encoder, gathering: None }
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
    /// When memory for them is out.
    pub(crate) fn fill(&mut self, queue: &mut impl MessageQueue) -> io::Result<bool> {
        self.pieces.fill(queue, &mut self.encoder, self.gathering.is_none())
    }

    /// The bytes to be written next, in at most [`PIECES_MAX`] pieces.
    pub(crate) fn front(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.front()
    }

    /// Notes that the first `count` bytes of [`Outbound::front`] were sent.
    pub(crate) fn note_sent(&mut self, count: usize) {
        self.pieces.note_sent(count);
    }

    /// The number of bytes sent since the beginning; wraps.
    pub(crate) fn sent_total(&self) -> usize {
        self.pieces.sent_total()
    }

    /// Whether everything that was taken is sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Frees spare memory, when everything is sent. Returns whether enough has gathered in the queue meanwhile to be written
    /// as well.
    pub(crate) fn note_idle(&mut self, queue: Option<&mut impl MessageQueue>) -> bool {
        self.pieces.free_spare();
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
        self.gathering =
            Some(Gathering { enough: GATHER_MIN, since: now, rare: 0, is_written_by_sender: false });
        // If there are enough already, the next check of the I/O thread finds them.
        queue.report_at(GATHER_MIN);
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

    /// Notes that the sender is about to write gathered messages because they are enough. Messages gather for so many
    /// `connections`, which the sender writes in turn. Decides how many are enough for its next write.
    pub(crate) fn note_enough(&mut self, now: Duration, connections: u32) {
        if let Some(gathering) = &mut self.gathering {
            gathering.is_written_by_sender = true;
            let interval = now.saturating_sub(gathering.since) / connections.max(1);
            gathering.since = now;
            gathering.adapt(interval);
        }
    }

    /// Whether the sender has written gathered messages since the last call.
    pub(crate) fn take_written_by_sender(&mut self) -> bool {
        self.gathering.as_mut().is_some_and(|gathering| std::mem::take(&mut gathering.is_written_by_sender))
    }
}

impl Gathering {
    /// Changes `enough` after this interval between two writes of the sender.
    fn adapt(&mut self, interval: Duration) {
        let is_flood = self.enough as u128 * 1000 >= interval.as_nanos() * FLOOD as u128;
        if interval < FREQUENT || is_flood {
            self.enough = (2 * self.enough).min(GATHER_MAX);
            self.rare = 0;
        } else if interval > RARE {
            self.rare += 1;
        }
        if self.rare == RARE_IN_A_ROW {
            self.enough = (self.enough / 2).max(GATHER_MIN);
            self.rare = 0;
        }
    }
}
