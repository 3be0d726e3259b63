//! The words in front of a question and its answers: the way back to who asked.
//!
//! In front of a body lies a stack of 32-bit words, the *backtrace*: the pipes a request or a
//! survey came through, the last one first, and at its end, marked by the top bit, the number of
//! the question. Whoever answers sends the stack back, and each hop takes the word that it had put
//! there. Knows words and queues; must not know who asks, nor what becomes of an answer.

use super::policy::FairQueue;
use super::{Context, Delivery, PipeId, PipeRefused, Refusal, Shown};
use crate::message::{Front, ProtocolHeader};

/// Marks the last word of a backtrace. A pipe's id never has this bit.
pub const LAST_WORD: u32 = 0x8000_0000;

/// Bytes of a word.
pub const WORD: usize = size_of::<u32>();

/// The backtrace in front of a question; `None` when it has no end, or too many words.
pub fn backtrace(front: Front<'_>, max_hops: usize) -> Option<ProtocolHeader> {
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

/// The inbound side of those who ask: answers, each known by its first word.
///
/// One word is the header: if more follow, the next hop will see to them.
#[derive(Debug)]
pub struct Answers {
    pipes: FairQueue,
}

impl Answers {
    pub fn new() -> Answers {
        Answers { pipes: FairQueue::new() }
    }

    pub fn insert(&mut self, pipe: PipeId, priority: u8) -> Result<(), PipeRefused> {
        self.pipes.insert(pipe, priority)
    }

    pub fn remove(&mut self, pipe: PipeId) {
        self.pipes.remove(pipe);
    }

    pub fn readable(&mut self, pipe: PipeId) {
        self.pipes.readable(pipe);
    }

    /// The pipe whose front message is an answer that begins with `word`; drops all others that it
    /// meets, and with `None` all there are. The same answer is found again.
    pub fn find(&mut self, word: Option<u32>, context: &mut impl Context) -> Option<PipeId> {
        let expected = |first| (word == Some(first)).then_some(());
        let (pipe, ()) = self.pipes.find(context, |front| front.word(0).and_then(expected))?;
        Some(pipe)
    }

    /// As [`Answers::find`], for an answer that is delivered: the next pipe comes to its turn.
    pub fn take(&mut self, word: u32, context: &mut impl Context) -> Option<PipeId> {
        let expected = |first| (word == first).then_some(());
        let (pipe, ()) = self.pipes.take(context, |front| front.word(0).and_then(expected))?;
        Some(pipe)
    }

    /// Delivers whatever has a first word, and shows that.
    pub fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let (pipe, _) = self.pipes.take(context, |front| front.word(0)).ok_or(Refusal::WouldBlock)?;
        Ok(Delivery { pipe, skip: WORD, shows: Shown::Skipped })
    }

    /// Whether [`Answers::recv`] would deliver something.
    pub fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.pipes.find(context, |front| front.word(0)).is_some()
    }
}
