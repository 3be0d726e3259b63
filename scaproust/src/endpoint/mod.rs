//! The policies of dialers and listeners: the order of attempts to connect, the back-off between them, and the
//! order and rate of accepting.
//!
//! Does no I/O and reads no clock: it is given events and the time, and returns the next step or a delay.

mod accepting;
mod attempts;
mod backoff;
mod rate;

pub(crate) use accepting::{AcceptStep, Accepting};
pub(crate) use attempts::{Attempts, DialStep};
pub(crate) use backoff::Backoff;
use rate::Rate;
