//! Rechecks: the next waiter is woken if a notification was spent on a task that does not use it.
//!
//! A task takes a notification when its waker is called, and takes the message when it is polled. In between it may do
//! something else for any time: a `select!` may have polled its future by reference, or a stream may be kept for later. If
//! others wait behind such a task, a timer checks after [`RECHECK_TIME`] whether what was announced is still there, and
//! notifies the next of them; after another such time the next two, and so on, so that many unpolled tasks in a row cost little more
//! time than one. At most one timer for each event of a socket is set, so a flood of messages costs no more.

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
    /// How many there were.
    #[cfg(test)]
    count: std::sync::atomic::AtomicUsize,
}

/// The timer of a recheck.
struct Recheck {
    socket: Weak<Socket>,
    /// For receivers, not for senders.
    receives: bool,
    /// How many waiters are notified.
    count: usize,
}

impl Socket {
    /// Wakes the next sender. The caller may hold the socket's lock.
    #[inline]
    pub(super) fn notify_sender(&self) {
        if self.senders.notify_one() {
            self.recheck_later(false, 1);
        }
    }

    /// Wakes the next receiver. The caller may hold the socket's lock.
    #[inline]
    pub(super) fn notify_receiver(&self) {
        if self.receivers.notify_one() {
            self.recheck_later(true, 1);
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
                    socket.recheck_later(receives, 1);
                }
            }
        }
    }

    fn is_due(&self, receives: bool) -> &AtomicBool {
        if receives { &self.rechecks.for_receivers } else { &self.rechecks.for_senders }
    }

    #[cold]
    fn recheck_later(&self, receives: bool, count: usize) {
        if self.is_due(receives).swap(true, Ordering::Relaxed) {
            return;
        }
        match reactor::current() {
            Ok(reactor) => {
                let recheck = Recheck { socket: self.this.clone(), receives, count };
                reactor.at(now() + RECHECK_TIME, Arc::new(recheck));
            }
            // The next notification tries again.
            Err(_) => self.is_due(receives).store(false, Ordering::Relaxed),
        }
    }

    /// Notifies the next `count` waiters if they have something to do.
    fn recheck(&self, receives: bool, count: usize) {
        #[cfg(test)]
        self.rechecks.count.fetch_add(1, Ordering::Relaxed);
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
        if is_ready && event.notify_some(count) {
            self.recheck_later(receives, count.saturating_mul(2));
        }
    }
}

impl Source for Recheck {
    fn timeout(self: Arc<Self>, _now: Duration) {
        if let Some(socket) = self.socket.upgrade() {
            socket.recheck(self.receives, self.count);
        }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use std::sync::mpsc;
    use std::task::{Wake, Waker};

    use super::*;
    use crate::message::{Metadata, Outgoing, Payload};
    use crate::option::Setting;
    use crate::pipe::{Peer, lane};
    use crate::protocol;
    use crate::socket::peer_info::EndpointName;
    use crate::socket::pending::tests::sleeping;
    use crate::socket::socket_endpoint::SocketEndpoint;
    use crate::socket::{
        AF_SP, BlockingCall, SocketRef, TaskCall, TaskReceiving, Wait, close, enter, open, send,
    };
    use crate::transport::{EndpointContext, PipeEnds};

    /// Tells the test that it was woken.
    struct Telling(mpsc::Sender<usize>, usize);

    impl Wake for Telling {
        fn wake(self: Arc<Self>) {
            // The test may be over.
            _ = self.0.send(self.1);
        }
    }

    /// So many tasks that wait for a message at a socket.
    fn waiting_tasks(
        id: i32,
        count: usize,
        told: &mpsc::Sender<usize>,
    ) -> Vec<TaskCall<SocketRef, TaskReceiving<()>>> {
        let begin = |number| {
            let receiving = TaskReceiving { place: (), put: |_: &mut (), _| Ok(()) };
            let mut call = TaskCall::new(SocketRef::of(&enter(id).unwrap()), receiving, Wait::Option);
            assert!(call.poll(&Waker::from(Arc::new(Telling(told.clone(), number)))).is_pending());
            call
        };
        (0..count).map(begin).collect()
    }

    #[test]
    fn many_tasks_that_are_not_polled_cost_few_rechecks() {
        const TASKS: usize = 127;
        let [sender, receiver] =
            [protocol::PUSH, protocol::PULL].map(|info| open(AF_SP, info.number.into()).unwrap());
        enter(receiver).unwrap().bind(b"inproc://recheck").unwrap();
        enter(sender).unwrap().connect(b"inproc://recheck").unwrap();
        let (told, woken) = mpsc::channel();
        let mut calls = waiting_tasks(receiver, TASKS, &told);
        send(sender, &mut Outgoing::new(Payload::Borrowed(b"for the last")), false).unwrap();
        assert!((0..TASKS).all(|number| woken.recv() == Ok(number)), "in their order");
        // 1, 1, 2, 4, 8, 16, 32, 64: the first by the message, and the last timer wakes all that are left.
        assert_eq!(enter(receiver).unwrap().rechecks.count.load(Ordering::Relaxed), 7);
        assert!(calls[TASKS - 1].poll(Waker::noop()).is_ready());
        drop(calls);
        [sender, receiver].into_iter().for_each(|id| close(id).unwrap());
    }

    /// The peer of a pipe, which does nothing.
    struct Silent;

    impl Peer for Silent {
        fn readable(self: Arc<Self>, _size: usize) {}
        fn writable(self: Arc<Self>) {}
    }

    #[test]
    fn what_a_thread_leaves_at_a_context_is_announced_to_a_task_that_is_polled() {
        let [parent, id] = [(); 2].map(|()| open(AF_SP, protocol::SUB.number.into()).unwrap());
        enter(id).unwrap().set_protocol_option(protocol::SUBSCRIBE, Setting::Bytes(b"")).unwrap();
        enter(id).unwrap().share(parent).unwrap();
        let socket = enter(parent).unwrap();
        let name = EndpointName::default();
        let context = SocketEndpoint::new(socket.this.upgrade().unwrap(), name, &socket.core.lock().options);
        let ((mut peer, inbound), (outbound, _)) = (lane(100), lane(100));
        let pipe = context.attach(PipeEnds::plain(inbound, outbound, Arc::new(Silent))).ok().unwrap();
        pipe.clone().writable();
        let mut thread = sleeping(id);
        let (told, woken) = mpsc::channel();
        let mut tasks = waiting_tasks(id, 2, &told);
        for _ in 0..2 {
            peer.batch().push(&[], &mut Payload::Borrowed(b"x"), Metadata::default()).unwrap();
        }
        pipe.readable(1);
        thread.sleep().unwrap().run();
        assert_eq!(thread.proceed(), Ok(Some(())));
        assert_eq!([woken.recv(), woken.recv()], [Ok(0), Ok(1)], "the first task is not polled");
        assert!(tasks[1].poll(Waker::noop()).is_ready());
        drop((thread, tasks, socket));
        [id, parent].into_iter().for_each(|id| close(id).unwrap());
    }
}
