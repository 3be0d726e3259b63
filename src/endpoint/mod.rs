//! The rules of endpoints that need neither descriptors nor a clock.
//!
//! Owns which attempt to connect comes next, and the back-off between attempts. Must not know the
//! network: it is told what happened, and answers what to do next and how long to wait.

mod attempts;
mod backoff;

pub(crate) use attempts::{Attempts, MAX_ADDRESSES, Step};
pub(crate) use backoff::Backoff;
