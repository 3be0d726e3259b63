//! REQ and REP: a request goes to one replier, and its reply comes back the way it went.

mod raw_replier;
mod raw_requester;
mod replier;
mod requester;

pub use raw_replier::RawReplier;
pub use raw_requester::RawRequester;
pub use replier::Replier;
pub use requester::{RESEND_INTERVAL, Requester};
