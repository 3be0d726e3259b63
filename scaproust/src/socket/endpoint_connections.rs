//! How many connections an endpoint has, for calls that wait for one.

use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

/// The connections of an endpoint over which both sides can send: those whose peers have been greeted.
#[derive(Debug, Default)]
pub(super) struct EndpointConnections {
    /// The number of those that are open. May be negative for a moment, since a connection can end while it is counted.
    open: AtomicI32,
    /// Whether there has been one.
    were_any: AtomicBool,
}

impl EndpointConnections {
    /// Whether one is open.
    pub(super) fn is_any_open(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// Whether there has been one.
    pub(super) fn were_any(&self) -> bool {
        self.were_any.load(Ordering::Acquire)
    }
}

/// One of these connections. It is counted from [`Connection::open`] to [`Connection::close`].
pub(super) struct Connection {
    endpoint: Arc<EndpointConnections>,
    /// [`NEW`], [`OPEN`] or [`CLOSED`]. It only increases.
    stage: AtomicU8,
}

const NEW: u8 = 0;
const OPEN: u8 = 1;
const CLOSED: u8 = 2;

impl Connection {
    /// A connection that is not counted yet.
    pub(super) fn new(endpoint: Arc<EndpointConnections>) -> Connection {
        Connection { endpoint, stage: AtomicU8::new(NEW) }
    }

    /// Counts the connection. Returns whether it was not counted before.
    #[inline]
    pub(super) fn open(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == NEW && self.count()
    }

    #[cold]
    fn count(&self) -> bool {
        let is_new = self.stage.compare_exchange(NEW, OPEN, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_new {
            self.endpoint.open.fetch_add(1, Ordering::Release);
            self.endpoint.were_any.store(true, Ordering::Release);
        }
        is_new
    }

    /// The connection has ended.
    pub(super) fn close(&self) {
        if self.stage.swap(CLOSED, Ordering::Relaxed) == OPEN {
            self.endpoint.open.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_from_its_first_opening_to_its_close() {
        let endpoint = Arc::<EndpointConnections>::default();
        let (one, other) = (Connection::new(endpoint.clone()), Connection::new(endpoint.clone()));
        assert!(!endpoint.is_any_open() && !endpoint.were_any());
        assert!(one.open() && !one.open() && other.open());
        one.close();
        one.close();
        assert!(endpoint.is_any_open());
        other.close();
        assert!(!endpoint.is_any_open() && endpoint.were_any());
    }

    #[test]
    fn a_connection_that_has_ended_is_not_counted_any_more() {
        let endpoint = Arc::<EndpointConnections>::default();
        let connection = Connection::new(endpoint.clone());
        connection.close();
        assert!(!connection.open() && !endpoint.were_any());
    }
}
