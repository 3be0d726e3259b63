//! REQ and REP: a request is sent to one of the repliers, and its reply comes back along the same route.

mod raw_replier;
mod raw_requester;
mod replier;
mod requester;

pub(super) use raw_replier::RawReplier;
pub(super) use raw_requester::RawRequester;
pub(super) use replier::Replier;
pub(crate) use replier::ReplyRoute;
pub(crate) use requester::RESEND_INTERVAL;
pub(super) use requester::{Request, RequestState, Requester, resend_time};
