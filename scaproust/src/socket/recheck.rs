//! Rechecks: the next waiter is woken if a notification was spent on a task that does not use it.
//!
//! A task takes a notification when its waker is called, and takes the message when it is polled. In between it may do
//! something else for any time: a `select!` may have polled its future by reference, or a stream may be kept for later. If
//! others wait behind such a task, a timer checks after [`RECHECK_TIME`] whether what was announced is still there, and
//! notifies the next of them. At most one timer for each event of a socket is set, so a flood of messages costs no more.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Socket;
use crate::pipe::Edges;
use crate::protocol::Protocol;
use crate::reactor::{self, Source};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Event, now};

/// How long a task may take from its waker to its poll before another waiter is woken too.
const RECHECK_TIME: Duration = Duration::from_millis(10);

/// Whether rechecks of a socket are due.
#[derive(Default)]
pub(super) struct Rechecks {
    for_senders: AtomicBool,
    for_receivers: AtomicBool,
}

/// The timer of a recheck.
struct Recheck {
    socket: Weak<Socket>,
    /// For receivers, not for senders.
    receives: bool,
}

impl Socket {
    /// Wakes the next sender. The caller may hold the socket's lock.
    #[inline]
    pub(super) fn notify_sender(&self) {
        if self.senders.notify_one() {
            self.recheck_later(false);
        }
    }

    /// Wakes the next receiver. The caller may hold the socket's lock.
    #[inline]
    pub(super) fn notify_receiver(&self) {
        if self.receivers.notify_one() {
            self.recheck_later(true);
        }
    }

    /// Wakes the next waiter of an event of this socket or, if it is a context, of its parent.
    pub(super) fn notify_next(&self, event: &Event) {
        if !event.notify_one() {
            return;
        }
        for socket in std::iter::once(self).chain(self.parent()) {
            for (receives, own) in [(true, &socket.receivers), (false, &socket.senders)] {
                if std::ptr::eq(event, &raw const **own) {
                    socket.recheck_later(receives);
                }
            }
        }
    }

    fn is_due(&self, receives: bool) -> &AtomicBool {
        if receives { &self.rechecks.for_receivers } else { &self.rechecks.for_senders }
    }

    #[cold]
    fn recheck_later(&self, receives: bool) {
        if self.is_due(receives).swap(true, Ordering::Relaxed) {
            return;
        }
        match reactor::current() {
            Ok(reactor) => {
                let recheck = Recheck { socket: self.this.clone(), receives };
                reactor.at(now() + RECHECK_TIME, Arc::new(recheck));
            }
            // The next notification tries again.
            Err(_) => self.is_due(receives).store(false, Ordering::Relaxed),
        }
    }

    /// Notifies the next waiter if it has something to do.
    fn recheck(&self, receives: bool) {
        // Before the check: a notification from now on sets another timer.
        self.is_due(receives).swap(false, Ordering::AcqRel);
        let event = if receives { &self.receivers } else { &self.senders };
        if !event.has_waiters() {
            return;
        }
        let mut edges = Edges::default();
        let is_ready = {
            let Ok(mut core) = self.lock() else { return };
            let owner = core.owner;
            core.process_ready(&owner.ready, &mut edges);
            let is_ready = core.call(&mut edges, |protocol, context| {
                if receives { protocol.can_recv(context) } else { protocol.can_send(context) }
            });
            owner.process_ready(&mut core, &mut edges);
            is_ready
        };
        edges.deliver();
        if is_ready {
            if receives { self.notify_receiver() } else { self.notify_sender() }
        }
    }
}

impl Source for Recheck {
    fn timeout(self: Arc<Self>, _now: Duration) {
        if let Some(socket) = self.socket.upgrade() {
            socket.recheck(self.receives);
        }
    }
}
