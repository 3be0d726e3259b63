//! Sources: the objects that the reactor calls, and what it tells them.

use std::sync::Arc;
use std::time::Duration;

/// An object that the reactor calls.
///
/// The I/O thread makes the calls, one at a time. A call must not block. It is one step with a bound on its
/// work, since other sources wait until it returns.
pub(crate) trait Source: Send + Sync {
    /// The descriptor may be ready. Readiness is edge-triggered: a source that stops before the kernel has
    /// nothing more returns [`Progress::More`], or remembers that it has stopped.
    fn ready(self: Arc<Self>, ready: Ready) -> Progress {
        let _ = ready;
        Progress::Done
    }
    /// The call that [`Reactor::wake`](super::Reactor::wake) has requested.
    fn woken(self: Arc<Self>) {}
    /// The moment given to [`Reactor::at`](super::Reactor::at) has come.
    fn timeout(self: Arc<Self>, now: Duration) {
        let _ = now;
    }
    /// The poller has lost all registrations, since the program has closed descriptors that are not its own.
    /// Readiness is not reported any more, unless [`Reactor::register_again`](super::Reactor::register_again)
    /// succeeds.
    fn lost(self: Arc<Self>) {}
}

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is nothing more to do.
    Done,
    /// There may be more to do: the call is repeated after those of other sources.
    More,
}

/// What a descriptor is ready for. A failed descriptor is ready for everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// Reading will not block; it may find the end of the stream.
    pub(crate) read: bool,
    /// Writing will not block.
    pub(crate) write: bool,
    /// The peer sends nothing more: reading will find the end, which is not reported again.
    pub(crate) end: bool,
}

impl Ready {
    /// To read, or to accept.
    pub(crate) const READ: Ready = Ready { read: true, write: false, end: false };

    pub(super) fn and(self, other: Ready) -> Ready {
        Ready { read: self.read || other.read, write: self.write || other.write, end: self.end || other.end }
    }
}
