//! The context of a machine under test: pipes and a clock that are plain values.

use std::collections::{BTreeMap, VecDeque};

use crate::message::{Front, Metadata, Payload};
use crate::protocol::{Context, PipeId, PushOutcome, Time};

/// The default capacity of an outbound lane, and that of a mailbox, in messages.
pub(super) const ROOM: usize = 8;

/// The id of the first mailbox. Pipes have smaller ones.
pub(in crate::protocol) const FIRST_MAILBOX: u32 = 1 << 30;

/// The context: the pipes and the time.
#[derive(Default)]
pub(in crate::protocol) struct World {
    pub(super) pipes: BTreeMap<PipeId, Pipe>,
    pub(super) now: Time,
    /// The length of `head` in a [`Front`].
    pub(super) cut: usize,
    /// The metadata of messages that are sent.
    pub metadata: Metadata,
    /// The number of calls by the machine.
    pub calls: usize,
    /// See [`Context::max_hops`].
    pub max_hops: usize,
    /// How many pipes have missed a message.
    pub drops: usize,
    /// How many messages were missed by pipes that are closed.
    pub(super) past_misses: u64,
    /// Whether the machine is stopped after each dropped message.
    pub(super) is_strict: bool,
    /// The machine was stopped, and must be called again.
    pub(super) hit_drop_limit: bool,
}

/// The memory of a body at the time when a pipe took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Memory {
    pub address: *const u8,
    /// Whether there was no other reference to it.
    pub unique: bool,
}

pub(super) struct Pipe {
    pub(super) inbound: VecDeque<Vec<u8>>,
    /// Messages that the peer has not read, each with the memory of its body if that was a chunk.
    pub(super) outbound: VecDeque<(Vec<u8>, Option<Memory>)>,
    pub(super) room: usize,
    pub(super) closed: bool,
    /// Whether sent messages go to the inbound lane.
    pub(super) looped: bool,
    /// Whether the machine found the inbound lane empty: `readable` must be called when it is not.
    pub(super) seen_empty: bool,
    /// The number of messages in the inbound lane that the machine has looked ahead to.
    pub(super) looked_at: usize,
    /// Whether the machine has looked ahead in vain: `readable` must be called when there is another message.
    pub(super) seen_end: bool,
    /// Whether `writable` was called.
    pub(super) was_writable: bool,
    /// Whether the machine found the outbound lane full: `writable` must be called when it is not.
    pub(super) seen_full: bool,
}

impl Pipe {
    /// Takes the first message out of the inbound lane.
    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.looked_at = self.looked_at.saturating_sub(1);
        self.inbound.pop_front()
    }

    pub(super) fn is_readable_edge_due(&self) -> bool {
        self.seen_empty && !self.inbound.is_empty() || self.seen_end && self.looked_at < self.inbound.len()
    }

    pub(super) fn has_room(&self) -> bool {
        !self.closed && self.outbound.len() < self.room
    }
}

impl World {
    pub(super) fn pipe(&mut self, pipe: u32) -> &mut Pipe {
        self.pipes.get_mut(&PipeId(pipe)).expect("the pipe is attached")
    }

    /// The ids of all pipes that are no mailboxes.
    pub(super) fn ids(&self) -> Vec<PipeId> {
        self.pipes.range(..PipeId(FIRST_MAILBOX)).map(|(id, _)| *id).collect()
    }

    pub(super) fn add_mailbox(&mut self) -> PipeId {
        let id = PipeId(FIRST_MAILBOX.max(self.pipes.last_key_value().map_or(0, |(id, _)| id.0 + 1)));
        let pipe = Pipe {
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            room: ROOM,
            closed: true,
            looped: false,
            looked_at: 0,
            seen_empty: true,
            seen_end: false,
            seen_full: false,
            was_writable: false,
        };
        self.pipes.insert(id, pipe);
        id
    }
}

impl Context for World {
    fn front(&mut self, pipe: PipeId) -> Option<Front<'_>> {
        self.calls += 1;
        let cut = self.cut;
        let pipe = self.pipe(pipe.0);
        pipe.seen_empty = pipe.inbound.is_empty();
        let message = pipe.inbound.front()?;
        let (head, body) = message.split_at(cut.min(message.len()));
        Some(Front { head, body, metadata: Metadata::default() })
    }

    fn drop_front(&mut self, pipe: PipeId) -> bool {
        self.calls += 1;
        self.pipe(pipe.0).pop().expect("only a message that was seen is dropped");
        self.hit_drop_limit = self.is_strict;
        !self.hit_drop_limit
    }

    fn copy_front(&mut self, pipe: PipeId, mailbox: PipeId) -> bool {
        self.calls += 1;
        let message =
            self.pipe(pipe.0).inbound.front().expect("only a message that was seen is copied").clone();
        let mailbox = self.pipe(mailbox.0);
        let has_room = mailbox.inbound.len() < mailbox.room;
        if has_room {
            mailbox.inbound.push_back(message);
        }
        has_room
    }

    fn remove_front(&mut self, pipe: PipeId) -> bool {
        self.drop_front(pipe)
    }

    fn clear(&mut self, mailbox: PipeId) {
        self.pipe(mailbox.0).inbound.clear();
    }

    fn push(&mut self, pipe: PipeId, header: &[u8], body: &mut Payload<'_>) -> PushOutcome {
        if !self.has_room(pipe) {
            return PushOutcome::Full;
        }
        let pipe = self.pipe(pipe.0);
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(body.bytes());
        let memory = match body.take() {
            Payload::Borrowed(_) => None,
            Payload::Owned(chunk) => Some(Memory { address: chunk.as_ptr(), unique: chunk.is_unique() }),
        };
        if pipe.looped {
            pipe.inbound.push_back(bytes);
        } else {
            pipe.outbound.push_back((bytes, memory));
        }
        PushOutcome::Taken
    }

    fn look_ahead(&mut self, pipe: PipeId) -> Option<Front<'_>> {
        self.calls += 1;
        let cut = self.cut;
        let pipe = self.pipe(pipe.0);
        pipe.seen_end = pipe.looked_at == pipe.inbound.len();
        let message = pipe.inbound.get(pipe.looked_at)?;
        pipe.looked_at += 1;
        let (head, body) = message.split_at(cut.min(message.len()));
        Some(Front { head, body, metadata: Metadata::default() })
    }

    fn has_room(&mut self, pipe: PipeId) -> bool {
        self.calls += 1;
        let Some(pipe) = self.pipes.get_mut(&pipe) else { return false };
        pipe.seen_full = !pipe.has_room();
        pipe.has_room()
    }

    fn now(&self) -> Time {
        self.now
    }

    fn share_among(&mut self, _pipes: usize) {}

    fn send_with(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    fn note_drops(&mut self, count: usize) {
        self.drops += count;
    }

    fn max_hops(&self) -> usize {
        self.max_hops
    }
}
