//! Closing one socket, or all of them together.
//!
//! Closing has four phases: no call can enter; the calls inside are interrupted; the endpoints deliver what
//! was sent, within the time of `NN_LINGER`; the rest is torn down. Termination takes all sockets through a
//! phase before any of them enters the next one.

use std::sync::Arc;
use std::time::Duration;

use super::registry::{MAX_SOCKETS, SOCKETS};
use super::{Socket, opening, reporter, table, trace};
use crate::error::Error;
use crate::message;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::reactor::{self, Seat};
use crate::sync::{Event, Wakers, contained};
use crate::transport::{Endpoint, Linger, OtherTeller};

/// Closes a socket: ends the calls inside it with [`Error::Closed`], delivers what was sent within the time
/// of `NN_LINGER`, and frees it.
///
/// # Errors
/// [`Error::Closed`] when the socket is not open, or another thread is closing it.
pub fn close(id: i32) -> Result<(), Error> {
    let interrupt = |socket: &Socket| {
        if SOCKETS.get().is_last() {
            reactor::prepare_to_stop();
        }
        socket.interrupt_calls(None).begin().wait();
    };
    let mut seat = None;
    let teardown = |socket: Arc<Socket>| {
        seat = socket.seat.clone();
        socket.teardown();
    };
    let was_last = SOCKETS.get().close(id, interrupt, teardown)?;
    seat.into_iter().for_each(Seat::leave);
    if was_last {
        release_shared();
    }
    Ok(())
}

/// A closing that has begun, for a thread that has others besides: it goes on without waiting.
pub(super) struct BegunClosing {
    socket: table::Closing<'static, Socket, MAX_SOCKETS>,
    /// The endpoints that deliver what was sent.
    endpoints: Option<ClosingEndpoints>,
    /// Since when it waits for the calls inside.
    waits_for_calls: Option<Duration>,
}

/// How far a closing is.
pub(super) enum Progress {
    /// Nothing is left to wait for.
    Over,
    /// It goes on when its watcher is notified, or at this moment.
    Waits(Option<Duration>),
}

/// The least time until a closing looks again whether the calls inside have left, which notify no watcher. Otherwise it is as long as
/// the closing has waited for them.
const SHORTEST_LOOK: Duration = Duration::from_micros(100);
/// The most time until it looks again.
const LONGEST_LOOK: Duration = Duration::from_millis(10);

/// Begins to close a socket. `watcher` is notified when everything may be delivered.
///
/// # Errors
/// As [`close`].
pub(super) fn begin(id: i32, watcher: Arc<Event>) -> Result<BegunClosing, Error> {
    let socket = SOCKETS.get().begin_closing(id)?;
    let endpoints = contained(|| {
        if SOCKETS.get().is_last() {
            reactor::prepare_to_stop();
        }
        socket.interrupt_calls(Some(watcher)).begin()
    });
    Ok(BegunClosing { socket, endpoints, waits_for_calls: None })
}

impl BegunClosing {
    /// Goes on as far as it can at the moment `now`.
    pub(super) fn proceed(&mut self, now: Duration) -> Progress {
        loop {
            if let Some(ClosingEndpoints { linger, .. }) = &self.endpoints {
                let deadline = linger.deadline();
                if !linger.is_finished() && deadline.is_none_or(|deadline| deadline > now) {
                    return Progress::Waits(deadline);
                }
            }
            self.endpoints.take().into_iter().for_each(ClosingEndpoints::wait);
            if self.socket.has_calls() {
                let time = now.saturating_sub(*self.waits_for_calls.get_or_insert(now));
                return Progress::Waits(Some(now + time.clamp(SHORTEST_LOOK, LONGEST_LOOK)));
            }
            self.endpoints = self.socket.late_endpoints().map(ClosingEndpoints::begin);
            if self.endpoints.is_none() {
                return Progress::Over;
            }
        }
    }

    /// Frees the socket, once it is over.
    pub(super) fn finish(self) {
        let socket = self.socket;
        let seat = socket.seat.clone();
        let was_last = socket.finish(|socket| socket.teardown());
        seat.into_iter().for_each(Seat::leave);
        if was_last {
            release_shared();
        }
    }
}

/// Closes every socket, and prevents new ones from being opened. Does nothing in a process that has never
/// tried to open one.
///
/// The sockets are closed together: the time of `NN_LINGER` begins for all of them before the first wait. A
/// socket that another thread is closing is left to that thread.
pub fn terminate() {
    if !opening::end_use() {
        return;
    }
    let sockets = SOCKETS.get();
    let closings: Vec<_> =
        (0..sockets.end_after_openings()).filter_map(|id| sockets.begin_closing(id).ok()).collect();
    // A panic in one socket is contained and does not affect the others.
    let endpoints: Vec<_> =
        closings.iter().filter_map(|socket| contained(|| socket.interrupt_calls(None))).collect();
    let endpoints: Vec<_> = endpoints.into_iter().map(ClosingEndpoints::begin).collect();
    endpoints.into_iter().for_each(ClosingEndpoints::wait);
    let (mut was_last, mut seats) = (false, Vec::new());
    for closing in closings {
        seats.extend(closing.seat.clone());
        was_last |= closing.finish(|socket| socket.teardown());
    }
    seats.into_iter().for_each(Seat::leave);
    if was_last {
        release_shared();
    }
    reactor::end_spare_thread();
}

/// Releases what all sockets share, unless one was opened meanwhile.
fn release_shared() {
    let mut wakers = Wakers::default();
    SOCKETS.get().if_empty(|| {
        reporter::end();
        wakers = reactor::stop();
        message::release_spare_memory();
    });
    wakers.wake();
}

impl Socket {
    /// The second phase of closing: interrupts the calls inside. The time of `NN_LINGER` begins. A `watcher` is notified when
    /// everything may be delivered.
    fn interrupt_calls(&self, watcher: Option<Arc<Event>>) -> ClosingEndpoints {
        let closing = {
            let mut core = self.core.lock();
            core.is_closing = true;
            let core = &mut *core;
            // A sleeping receiver is not inside the socket, and so cannot release the connections that it
            // reads from.
            core.revoke_direct_reads();
            // Wakes the threads that poll the descriptors, which find the socket closed.
            core.face.close();
            for context in core.faces.iter_mut().flat_map(|faces| faces.contexts()) {
                context.face.close();
                context.socket.iter().for_each(|socket| socket.receivers.notify_all());
            }
            let closing = core.endpoints.closing.drain(..).map(|(_, endpoint)| endpoint);
            let open = std::mem::take(&mut core.endpoints.open).into_values();
            let endpoints: Vec<_> = open.map(|open| open.endpoint).chain(closing).collect();
            let linger = Linger::watched(core.options.timeout(SocketOption::Linger), watcher);
            core.linger = Some(linger.clone());
            ClosingEndpoints { endpoints, linger }
        };
        self.interrupt_context();
        self.senders.notify_all();
        self.receivers.notify_all();
        self.connects.notify_all();
        self.batching.close();
        // Also if their holding has begun just now, and the batching does not know of it yet.
        self.tell_all(OtherTeller::IsAwaited);
        closing
    }

    /// Endpoints that a call was shutting down while calls were interrupted. They get the linger time of this closing, as all
    /// others.
    fn late_endpoints(&self) -> Option<ClosingEndpoints> {
        let mut core = self.core.lock();
        let late = std::mem::take(&mut core.endpoints.closing);
        let linger = core.linger.clone().filter(|_| !late.is_empty())?;
        Some(ClosingEndpoints { endpoints: late.into_iter().map(|(_, endpoint)| endpoint).collect(), linger })
    }

    /// The last phase of closing: no call is inside the socket.
    fn teardown(&self) {
        self.leave_parent();
        self.late_endpoints().into_iter().for_each(|late| late.begin().wait());
        let (pipes, timer, pollables, monitoring) = {
            let mut core = self.core.lock();
            let pollables = [core.face.sendable.take(), core.face.receivable.take()];
            (core.pipes.take_all(), core.timer.take(), pollables, core.watch.monitoring.take())
        };
        // Only if there is a timer, since this starts the I/O thread.
        if let Some((_, timer)) = timer
            && let Ok(reactor) = self.reactor()
        {
            reactor.cancel(timer);
        }
        // Dropped outside the lock: their destructors may call the socket.
        drop(pollables);
        let ends: Vec<_> = pipes.filter_map(|mut pipe| pipe.disconnected()).collect();
        let mut edges = Edges::default();
        ends.iter().for_each(|event| trace::record(self.id, event, &mut edges));
        edges.deliver();
        if let Some(monitoring) = monitoring {
            monitoring.end_with(ends.into_iter());
        }
    }
}

/// The endpoints of a socket that is being closed, and their linger time.
struct ClosingEndpoints {
    endpoints: Vec<Arc<dyn Endpoint>>,
    linger: Arc<Linger>,
}

impl ClosingEndpoints {
    /// Begins to close the endpoints, which continue to deliver.
    fn begin(self) -> ClosingEndpoints {
        self.close(&self.linger);
        self
    }

    /// Waits until everything is delivered or the time is over, and closes the rest.
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
    use crate::sync::{Mutex, lock, rank};

    /// An endpoint that never finishes delivering.
    #[derive(Default)]
    struct Stuck(Mutex<Vec<Arc<Linger>>, rank::Dialer>);

    impl Endpoint for Stuck {
        fn close(&self, linger: &Arc<Linger>) {
            lock(&self.0).push(linger.clone());
        }
    }

    #[test]
    fn an_endpoint_shut_down_during_nn_close_gets_its_linger_time() {
        let id = open(AF_SP, protocol::PUSH.number.into()).unwrap();
        let socket = enter(id).unwrap().this.upgrade().unwrap();
        socket.set_option(SocketOption::Linger, Setting::Int(0)).unwrap();
        socket.interrupt_calls(None).begin().wait();
        // The last step of an nn_shutdown that began earlier, with an infinite linger time.
        let (endpoint, forever) = (Arc::new(Stuck::default()), Linger::begin(None));
        let unfinished = forever.unfinished();
        socket.core.lock().endpoints.closing.push((forever, endpoint.clone()));
        socket.teardown();
        assert!(lock(&endpoint.0).iter().all(|linger| linger.deadline().is_some()));
        drop((unfinished, socket));
        close(id).unwrap();
    }
}
