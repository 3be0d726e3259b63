//! REQ and REP: a request is sent to one of the repliers, and its reply returns on the same way.

mod raw_replier;
mod raw_requester;
mod replier;
mod requester;

pub use raw_replier::RawReplier;
pub use raw_requester::RawRequester;
pub use replier::Replier;
pub use requester::{RESEND_INTERVAL, Requester};
