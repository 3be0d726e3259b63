//! The rules of endpoints that need neither descriptors nor a clock.
//!
//! Owns the back-off between attempts. Must not know the network: it is asked for a delay, and
//! told of success.

mod backoff;

pub(crate) use backoff::Backoff;
