//! Backtraces, the protocol headers of REQ/REP and SURVEYOR/RESPONDENT.
//!
//! A *question* is a request or a survey, a *reply* is the answer to one. In front of the body of both
//! lies a stack of 32-bit words, the *backtrace*. Its last word is the number of the question, marked by
//! the top bit. Each device on the way of a question pushes the id of the pipe it came from; the
//! replier sends the backtrace back in front of its reply, and each device pops the word that it had
//! pushed to find the pipe for the reply.
//!
//! Owns the format, the numbering of questions, and the queue of replies.

use super::policy::FairQueue;
use super::{Context, Delivery, HeaderSource, PipeId, PipeRefused, Refusal};
use crate::message::{Front, ProtocolHeader};

/// The bit that marks the last word of a backtrace. It is not set in the id of a pipe.
pub(super) const LAST_WORD: u32 = 0x8000_0000;

/// Size of a word in bytes.
pub(super) const WORD: usize = size_of::<u32>();

/// The word that identifies the question after that of `word`: its number has 31 bits and wraps around.
pub(super) fn next_question(word: u32) -> u32 {
    word.wrapping_add(1) | LAST_WORD
}

/// The backtrace in front of a question; `None` when it has no last word among the first `max_hops`.
pub(crate) fn backtrace(front: Front<'_>, max_hops: usize) -> Option<ProtocolHeader> {
    let mut words = ProtocolHeader::new();
    for index in 0..max_hops {
        let word = front.word(index)?;
        words.extend_from_slice(&word.to_be_bytes());
        if word & LAST_WORD != 0 {
            return Some(words);
        }
    }
    None
}

/// The inbound side of REQ and SURVEYOR: replies, each matched by its first word. Any further words are
/// left in front of the body, for the next device.
#[derive(Debug)]
pub(super) struct ReplyQueue {
    pipes: FairQueue,
}

impl ReplyQueue {
    pub(super) fn new() -> ReplyQueue {
        ReplyQueue { pipes: FairQueue::new() }
    }

    pub(super) fn insert(&mut self, pipe: PipeId, priority: u8) -> Result<(), PipeRefused> {
        self.pipes.insert(pipe, priority)
    }

    pub(super) fn remove(&mut self, pipe: PipeId) {
        self.pipes.remove(pipe);
    }

    pub(super) fn readable(&mut self, pipe: PipeId) {
        self.pipes.readable(pipe);
    }

    /// The pipe whose first message is a reply that begins with `word`. Drops other messages that it finds
    /// first; with `None`, it drops all messages. The reply stays in its lane.
    pub(super) fn find(&mut self, word: Option<u32>, context: &mut impl Context) -> Option<PipeId> {
        let expected = |first| (word == Some(first)).then_some(());
        let (pipe, ()) = self.pipes.find(context, |front| front.word(0).and_then(expected))?;
        Some(pipe)
    }

    /// As [`ReplyQueue::find`], for a reply that is delivered: it is then the turn of the next pipe.
    pub(super) fn take(&mut self, word: u32, context: &mut impl Context) -> Option<PipeId> {
        let expected = |first| (word == first).then_some(());
        let (pipe, ()) = self.pipes.take(context, |front| front.word(0).and_then(expected))?;
        Some(pipe)
    }

    /// Takes a reply for whose first word `look_up` returns a value: it is then the turn of the next pipe. Returns its
    /// pipe and that value. Drops other messages that it finds first.
    pub(super) fn take_known<T>(
        &mut self,
        look_up: impl Fn(u32) -> Option<T>,
        context: &mut impl Context,
    ) -> Option<(PipeId, T)> {
        self.pipes.take(context, |front| front.word(0).and_then(&look_up))
    }

    /// Delivers any message with a first word, which becomes its protocol header. Drops shorter ones.
    pub(super) fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let (pipe, _) = self.pipes.take(context, |front| front.word(0)).ok_or(Refusal::WouldBlock)?;
        Ok(Delivery { pipe, skip: WORD, header: HeaderSource::Skipped })
    }

    /// Whether [`ReplyQueue::recv`] would deliver a message.
    pub(super) fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.pipes.find(context, |front| front.word(0)).is_some()
    }
}
