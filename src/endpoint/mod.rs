//! The rules of endpoints that need neither descriptors nor a clock.
//!
//! Owns which attempt to connect comes next, the back-off between attempts and the rate of accepting. Must not know
//! the network: it is told what happened and the time, and answers what to do next and how long to wait.

mod attempts;
mod backoff;
mod rate;

pub(crate) use attempts::{Attempts, MAX_ADDRESSES, Step};
pub(crate) use backoff::Backoff;
pub(crate) use rate::Rate;
