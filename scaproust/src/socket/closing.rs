//! Closing: one socket, or all of them together.
//!
//! It has four phases: calls are kept out; those inside are ended; the endpoints deliver what was
//! sent, for as long as `NN_LINGER` allows; what is left is taken apart. Terminating takes all
//! sockets through one phase before any of them enters the next.

use std::sync::Arc;
use std::time::Duration;

use super::registry::SOCKETS;
use super::{Socket, opening};
use crate::error::Error;
use crate::message;
use crate::option::SocketOption;
use crate::pipe::DirectRead;
use crate::reactor;
use crate::sync::contained;
use crate::transport::{Endpoint, Linger};

/// Closes a socket: ends the calls inside it with [`Error::Closed`], delivers what was sent for
/// as long as `NN_LINGER` allows, and frees it.
///
/// # Errors
/// [`Error::Closed`] when it is not open, or another thread is closing it.
pub fn close(id: i32) -> Result<(), Error> {
    let end = |socket: &Socket| {
        if SOCKETS.get().is_last() {
            reactor::prepare_to_stop();
        }
        socket.interrupt_calls().begin().wait();
    };
    if SOCKETS.get().close(id, end, |socket| socket.teardown())? {
        release_shared();
    }
    Ok(())
}

/// Closes every socket, and lets none be opened any more. Does nothing in a process that has not
/// asked for a socket yet.
///
/// The sockets are closed together: the time of `NN_LINGER` begins for all of them before the first
/// wait. One that another thread is closing is left to that thread.
pub fn terminate() {
    if !opening::end_use() {
        return;
    }
    let sockets = SOCKETS.get();
    let closings: Vec<_> = (0..sockets.end()).filter_map(|id| sockets.begin_closing(id).ok()).collect();
    // What panics in one socket is contained, and the others go on.
    let departures: Vec<_> =
        closings.iter().filter_map(|socket| contained(|| socket.interrupt_calls())).collect();
    let departures: Vec<_> = departures.into_iter().map(Departure::begin).collect();
    departures.into_iter().for_each(Departure::wait);
    let mut was_last = false;
    for closing in closings {
        was_last |= closing.finish(|socket| socket.teardown());
    }
    if was_last {
        release_shared();
    }
    reactor::end_spare_thread();
}

/// Releases what the sockets of the process share, unless one was opened meanwhile.
fn release_shared() {
    SOCKETS.get().if_empty(|| {
        reactor::stop();
        message::release_spare_memory();
    });
}

impl Socket {
    /// The first phase of closing: ends the calls inside. The time of `NN_LINGER` begins now.
    fn interrupt_calls(&self) -> Departure {
        let departure = {
            let mut core = self.core.lock();
            core.is_closing = true;
            let core = &mut *core;
            // A receiver that sleeps is not inside: it cannot give back what it borrowed.
            core.pipes.peers().filter_map(|peer| peer.clone().direct_read()).for_each(DirectRead::revoke);
            // Whoever polls the descriptors looks again, and finds the socket closed.
            for pollable in [&mut core.sendable, &mut core.receivable].into_iter().flatten() {
                pollable.set(true);
            }
            core.registrations.notify_all();
            let closing = core.endpoints.closing.drain(..).map(|(_, endpoint)| endpoint);
            let open = std::mem::take(&mut core.endpoints.open).into_values();
            let endpoints: Vec<_> = open.map(|(endpoint, _)| endpoint).chain(closing).collect();
            let linger = Linger::begin(core.options.timeout(SocketOption::Linger));
            core.linger = Some(linger.clone());
            Departure { endpoints, linger }
        };
        self.senders.notify_all();
        self.receivers.notify_all();
        self.batching.close();
        departure
    }

    /// The last phase of closing: no call is inside any more.
    fn teardown(&self) {
        // Endpoints that were being shut down by a call during the first phase: they have the time of this closing, as
        // all others.
        let (late, linger) = {
            let mut core = self.core.lock();
            (std::mem::take(&mut core.endpoints.closing), core.linger.take())
        };
        if let Some(linger) = linger.filter(|_| !late.is_empty()) {
            let endpoints = late.into_iter().map(|(_, endpoint)| endpoint).collect();
            Departure { endpoints, linger }.begin().wait();
        }
        let (pipes, timer, pollables) = {
            let mut core = self.core.lock();
            let pollables = [core.sendable.take(), core.receivable.take()];
            (core.pipes.take_all(), core.timer.take(), pollables)
        };
        // Asked for only if there is a timer: asking starts the I/O thread.
        if let Some((_, timer)) = timer
            && let Ok(reactor) = reactor::current()
        {
            reactor.cancel(timer);
        }
        // Outside the lock: what goes with them may call back.
        drop((pipes, pollables));
    }
}

/// The endpoints of a socket that is being closed, and the time they have.
struct Departure {
    endpoints: Vec<Arc<dyn Endpoint>>,
    linger: Arc<Linger>,
}

impl Departure {
    /// Begins to close the endpoints, which go on delivering.
    fn begin(self) -> Departure {
        self.close(&self.linger);
        self
    }

    /// Waits until everything is delivered or the time is over, and closes what is left.
    fn wait(self) {
        self.linger.wait();
        self.close(&Linger::begin(Some(Duration::ZERO)));
    }

    fn close(&self, linger: &Arc<Linger>) {
        for endpoint in &self.endpoints {
            contained(|| endpoint.close(linger));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::option::Setting;
    use crate::protocol;
    use crate::socket::{AF_SP, enter, open};
    use crate::sync::{Mutex, lock};

    /// An endpoint that never delivers what it has.
    #[derive(Default)]
    struct Stuck(Mutex<Vec<Arc<Linger>>>);

    impl Endpoint for Stuck {
        fn close(&self, linger: &Arc<Linger>) {
            lock(&self.0).push(linger.clone());
        }
    }

    #[test]
    fn an_endpoint_that_is_shut_down_during_nn_close_has_its_time() {
        let id = open(AF_SP, protocol::PUSH.number.into()).unwrap();
        let socket = enter(id).unwrap().this.upgrade().unwrap();
        socket.set_option(SocketOption::Linger, Setting::Int(0)).unwrap();
        socket.interrupt_calls().begin().wait();
        // nn_shutdown, which began before with a time without end, comes to its last step.
        let (endpoint, forever) = (Arc::new(Stuck::default()), Linger::begin(None));
        let unfinished = forever.unfinished();
        socket.core.lock().endpoints.closing.push((forever, endpoint.clone()));
        socket.teardown();
        assert!(lock(&endpoint.0).iter().all(|linger| linger.deadline().is_some()));
        drop((unfinished, socket));
        close(id).unwrap();
    }
}
