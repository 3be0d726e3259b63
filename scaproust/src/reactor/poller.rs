//! The operating system's poller, and what wakes the thread that polls it.

use std::io;

use mio::Token;
#[cfg(not(simulated))]
pub(super) use mio::event::Source as Pollable;
#[cfg(not(simulated))]
pub(super) use mio::{Events, Poll, Registry, Waker};

#[cfg(simulated)]
pub(super) use crate::machine::poller::{Events, Poll, Registry, Source as Pollable, Waker};
use crate::sync::{above_standard, is_standard};

/// The token of the waker.
pub(super) const WAKER: Token = Token(usize::MAX);

/// The part of the poller for threads that do not poll: registration and waking.
pub(super) struct PollerHandle {
    pub(super) registry: Registry,
    pub(super) waker: Waker,
}

impl PollerHandle {
    /// A new poller, and the part of it that the I/O thread polls.
    pub(super) fn new() -> io::Result<(Poll, PollerHandle)> {
        let make = || {
            let poll = Poll::new()?;
            let (registry, waker) = (poll.registry().try_clone()?, Waker::new(poll.registry(), WAKER)?);
            Ok((poll, PollerHandle { registry, waker }))
        };
        // If the poll's descriptor is above the standard ones, so are those opened after it.
        above_standard(make, |(poll, _)| is_standard(poll))
    }
}
