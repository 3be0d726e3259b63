//! The drop of old messages, for new ones, before the queue of a pipe.

use crate::message::{Front, Payload, ProtocolHeader};
use crate::pipe::{Consumer, Producer, lane};

/// Which messages a receive queue drops for new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// `NN_RCV_PREFER_NEW`: the oldest, when the queue is full.
    Newest,
    /// `NN_CONFLATE`: all that are older.
    Last,
}

/// What stands between the peer and the inbound lane of a pipe that drops old messages. A lane has one producer and one
/// consumer, so the peer, which fills one, cannot take a message out of it. At each edge the socket moves all messages on
/// into a second lane, of which it has both ends.
pub(super) struct Intake {
    /// The end of the lane that the peer fills. Empty and parked whenever no edge is on its way.
    source: Consumer,
    /// The other end of the pipe's inbound lane.
    sink: Producer,
    keep: Keep,
}

/// What [`Intake::take_in`] has done.
pub(super) struct TakenIn {
    /// How many older messages were dropped.
    pub(super) missed: u64,
    /// The peer waits for room.
    pub(super) has_progress: bool,
}

impl Intake {
    /// An intake that takes from the lane `inbound`, which becomes a new one with about `limit` bytes, into which it moves what comes.
    pub(super) fn before(inbound: &mut Consumer, keep: Keep, limit: usize) -> Intake {
        let (sink, queue) = lane(limit);
        let source = std::mem::replace(inbound, queue);
        Intake { source, sink, keep }
    }

    /// About how many bytes of messages were not taken in yet.
    pub(super) fn waiting(&self) -> usize {
        self.source.waiting()
    }

    /// Moves what the peer has sent, and the protocol `wants`, into the lane `inbound`, in which it takes the place of older
    /// messages.
    pub(super) fn take_in(&mut self, inbound: &mut Consumer, wants: impl Fn(Front<'_>) -> bool) -> TakenIn {
        let Intake { source, sink, keep } = self;
        let mut missed = 0;
        // Ends, since the peer is not notified of room before: it can send no more than the lane holds.
        while let Some(front) = source.front() {
            if !wants(front) {
                source.skip();
                continue;
            }
            while (*keep == Keep::Last || !sink.has_room()) && inbound.front_unparked().is_some() {
                inbound.pop();
                missed += 1;
            }
            let (metadata, head) = (front.metadata, ProtocolHeader::from_slice(front.head));
            // Without memory the message is lost, as any other that is dropped.
            if let Some(chunk) = source.take_chunk() {
                _ = sink.batch().push_over(&head, &mut Payload::Owned(chunk), metadata);
            } else if let Some(front) = source.peek() {
                _ = sink.batch().push_over(&[], &mut Payload::Borrowed(front.body), metadata);
                source.skip();
            }
        }
        TakenIn { missed, has_progress: source.publish_progress() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::message::{Chunk, Metadata};

    /// The lane that a peer fills, an intake after it, and the queue.
    fn intake(keep: Keep, limit: usize) -> (Producer, Intake, Consumer) {
        let (far_out, mut inbound) = lane(100);
        let intake = Intake::before(&mut inbound, keep, limit);
        (far_out, intake, inbound)
    }

    /// The messages in the queue after the peer has sent these, of which those with an x are not wanted.
    fn queue_after(keep: Keep, limit: usize, sent: &[&str]) -> Vec<String> {
        let (mut far_out, mut intake, mut inbound) = intake(keep, limit);
        for message in sent {
            let body = &mut Payload::Borrowed(message.as_bytes());
            assert!(far_out.batch().push(b"", body, Metadata::default()).unwrap().edge);
            intake.take_in(&mut inbound, |front| !front.body.contains(&b'x'));
        }
        let mut queue = Vec::new();
        while let Some(front) = inbound.front() {
            queue.push(String::from_utf8(front.body.to_vec()).unwrap());
            inbound.pop();
        }
        queue
    }

    #[test]
    fn the_oldest_or_all_older_messages_make_room() {
        let sent = ["1", "2x", "3", "4", "5xx", "6x"];
        assert_eq!(queue_after(Keep::Newest, 2, &sent), ["3", "4"]);
        assert_eq!(queue_after(Keep::Newest, 100, &sent), ["1", "3", "4"]);
        assert_eq!(queue_after(Keep::Last, 100, &sent), ["4"]);
        assert_eq!(queue_after(Keep::Newest, 2, &["long message", "other"]), ["other"]);
        assert_eq!(queue_after(Keep::Last, 2, &["x"]), [""; 0]);
    }

    #[test]
    fn a_full_lane_is_taken_in_as_a_whole_and_a_chunk_without_a_copy() {
        let (mut far_out, mut intake, mut inbound) = intake(Keep::Last, 100);
        while far_out.batch().push(b"", &mut Payload::Borrowed(b"old"), Metadata::default()).is_ok() {}
        assert!(intake.take_in(&mut inbound, |_| true).has_progress, "the peer waits for room");
        let chunk = Chunk::copy_of(b"body").unwrap();
        let address = chunk.as_ptr();
        assert!(far_out.batch().push(b"head", &mut Payload::Owned(chunk), Metadata::default()).is_ok());
        assert!(!intake.take_in(&mut inbound, |_| true).has_progress);
        let front = inbound.front().unwrap();
        assert_eq!((front.head, front.body, front.body.as_ptr()), (&b"head"[..], &b"body"[..], address));
        inbound.pop();
        assert!(inbound.is_empty());
    }
}
