//! The outbound half of a connection: messages become bytes of the stream.
//!
//! Owns what was taken and has not left yet, the encoder, and the rule of when messages that gather are written. Must not
//! know descriptors, locks, threads or the time: a driver asks what is to leave, and says how much of it has.

mod pieces;

use std::io;
use std::time::Duration;

use super::framing::BadFrame;
use super::mapping::Encoder;
use crate::message::{Chunk, Front};
pub(crate) use pieces::PIECES;
use pieces::Pieces;

/// The number of bytes that gather before the sender writes them: at first and at least,
const GATHER_LEAST: usize = 512;
/// and at most. It is doubled while the sender's writes are frequent, or it sends a flood; and halved while they are rare.
const GATHER_MOST: usize = 64 * 1024;
/// Writes are frequent when they are less than this apart: each takes several microseconds.
const FREQUENT: Duration = Duration::from_micros(16);
/// Writes are rare when they are more than this apart: a message waits as long.
const RARE: Duration = Duration::from_micros(40);
/// A flood is at least this many bytes in a microsecond. To its receivers, few large writes are worth more than early ones.
const FLOOD: usize = 64;
/// This many rare writes in a row halve the number: one is rare because its thread has lost the processor.
const RARE_IN_ROW: u8 = 4;

/// Where the messages come from that are to be sent: a queue that others fill.
pub(crate) trait Messages {
    /// The first one. If there is none and `parks` says so, the next one that comes is reported.
    fn front(&mut self, parks: bool) -> Option<Front<'_>>;

    /// Drops the first one.
    fn skip(&mut self);

    /// Takes the first one if its body is in a chunk, and returns that chunk; if not, the message stays.
    fn take_chunk(&mut self) -> Option<Chunk>;

    /// Tells the producer how much was taken. Returns whether the producer waits for room and must be woken.
    fn publish_progress(&mut self) -> bool;

    /// Has the message reported that brings the queue to `bytes` bytes. Returns whether there are as many already.
    fn report_at(&mut self, bytes: usize) -> bool;
}

/// What is on its way to the peer.
#[derive(Debug)]
pub(crate) struct Outbound {
    pieces: Pieces,
    encoder: Encoder,
    gathering: Option<Gathering>,
}

/// Messages gather, and are not reported one by one.
#[derive(Debug)]
struct Gathering {
    /// They are written when there are so many bytes of them.
    enough: usize,
    /// When gathering began, or the sender last wrote because they were `enough`.
    since: Duration,
    /// The sender's last writes that were rare, in a row.
    rare: u8,
    /// Some were written since [`Outbound::take_written`] was called last.
    is_written: bool,
}

impl Outbound {
    /// An outbound half whose first bytes are `initial_bytes`.
    pub(crate) fn new(initial_bytes: &[u8], encoder: Encoder) -> Outbound {
        let mut pieces = Pieces::default();
        pieces.append(initial_bytes);
        Outbound { pieces, encoder, gathering: None }
    }

    /// Appends bytes as they are, after everything that was taken so far.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.pieces.append(bytes);
    }

    /// Answers a ping with this payload. Of answers that wait for the one before them only the last is sent.
    pub(crate) fn answer_ping(&mut self, payload: &[u8]) {
        let pong = self.encoder.pong(payload);
        self.pieces.set_pong(pong);
    }

    /// The final reply to a peer that has sent `bad`; often empty.
    pub(crate) fn final_reply(&mut self, bad: BadFrame) -> Vec<u8> {
        self.encoder.close(bad)
    }

    /// Takes messages, until enough is on its way or there are no more. Returns what [`Messages::publish_progress`] does.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub(crate) fn fill(&mut self, messages: &mut impl Messages) -> io::Result<bool> {
        self.pieces.fill(messages, &mut self.encoder, self.gathering.is_none())
    }

    /// What is to leave next, in order: [`PIECES`] at most.
    pub(crate) fn front(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.front()
    }

    /// So many bytes have left.
    pub(crate) fn sent(&mut self, count: usize) {
        self.pieces.sent(count);
    }

    /// Bytes that have left, ever; wraps.
    pub(crate) fn sent_ever(&self) -> usize {
        self.pieces.sent_ever()
    }

    /// Whether everything that was taken has left.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Gives back spare memory, once everything has left. Returns whether enough has gathered in the meantime to be taken too.
    pub(crate) fn rest(&mut self, messages: Option<&mut impl Messages>) -> bool {
        self.pieces.rest();
        match (&self.gathering, messages) {
            (Some(gathering), Some(messages)) => messages.report_at(gathering.enough),
            _ => false,
        }
    }

    /// Whether messages gather.
    pub(crate) fn gathers(&self) -> bool {
        self.gathering.is_some()
    }

    /// Lets messages gather, of which the first has come: from now on one is reported when they are enough.
    pub(crate) fn gather(&mut self, messages: &mut impl Messages, now: Duration) {
        self.gathering = Some(Gathering { enough: GATHER_LEAST, since: now, rare: 0, is_written: false });
        // If there is more already, the next look finds it.
        messages.report_at(GATHER_LEAST);
    }

    /// Lets no more gather: each message is reported that finds the queue empty.
    pub(crate) fn stop_gathering(&mut self) {
        self.gathering = None;
    }

    /// The sender is about to write what has gathered, since there is no room for more.
    pub(crate) fn note_full(&mut self) {
        if let Some(gathering) = &mut self.gathering {
            gathering.is_written = true;
            gathering.rare = 0;
        }
    }

    /// The sender is about to write what has gathered at `now`, since it is enough. Messages gather for so many
    /// `connections`, which the sender writes in turn. Decides how much is enough the next time.
    pub(crate) fn note_enough(&mut self, now: Duration, connections: u32) {
        if let Some(gathering) = &mut self.gathering {
            gathering.is_written = true;
            let interval = now.saturating_sub(gathering.since) / connections.max(1);
            gathering.since = now;
            gathering.adapt(interval);
        }
    }

    /// Whether what had gathered was written since the last call.
    pub(crate) fn take_written(&mut self) -> bool {
        self.gathering.as_mut().is_some_and(|gathering| std::mem::take(&mut gathering.is_written))
    }
}

impl Gathering {
    /// Changes how much is enough, after a write that came this long after the one before it.
    fn adapt(&mut self, interval: Duration) {
        let is_flood = self.enough as u128 * 1000 >= interval.as_nanos() * FLOOD as u128;
        if interval < FREQUENT || is_flood {
            self.enough = (2 * self.enough).min(GATHER_MOST);
            self.rare = 0;
        } else if interval > RARE {
            self.rare += 1;
        }
        if self.rare == RARE_IN_ROW {
            self.enough = (self.enough / 2).max(GATHER_LEAST);
            self.rare = 0;
        }
    }
}
