//! The policies of dialers and listeners: the order of attempts to connect, the back-off between them, the
//! order and rate of accepting, and the places for TLS handshakes.
//!
//! Does no I/O and reads no clock: it is given events and the time, and returns the next step or a delay.

mod accepting;
mod attempts;
mod backoff;
mod places;
mod pressure;
mod rate;

pub(crate) use accepting::{AcceptStep, Accepting};
pub(crate) use attempts::{Attempts, DialStep};
pub(crate) use backoff::Backoff;
#[cfg(all(test, feature = "tls"))]
pub(crate) use places::PLACES;
pub(crate) use places::{Handshaking, Place, Places};
use pressure::Pressure;
pub(crate) use rate::Rate;
