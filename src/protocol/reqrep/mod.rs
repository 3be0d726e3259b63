//! REQ and REP: a request goes to one replier, and its reply comes back the way it went.
//!
//! In front of a body lies a stack of 32-bit words, the *backtrace*: the pipes a request came
//! through, the last one first, and at its end, marked by the top bit, the number of the request.
//! A replier sends the stack back, and each hop takes the word that it had put there.

mod raw_replier;
mod raw_requester;
mod replier;
mod requester;

pub use raw_replier::RawReplier;
pub use raw_requester::RawRequester;
pub use replier::Replier;
pub use requester::Requester;

/// Marks the last word of a backtrace. A pipe's id never has this bit.
const LAST_WORD: u32 = 0x8000_0000;

/// Bytes of a word.
const WORD: usize = size_of::<u32>();
