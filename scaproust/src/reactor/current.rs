//! The reactor of this process, and the thread that runs it: started on demand, stopped with the last socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Reactor;
use super::worker::Worker;
use crate::sync::{Mutex, PerProcess, Wakers, before_unload, lock, pass_up, rank, try_lock};

/// The reactor, and the thread that runs it or waits for the next one.
#[derive(Default)]
struct Current {
    reactor: Option<Arc<Reactor>>,
    worker: Option<Worker>,
}

static CURRENT: PerProcess<Mutex<Current, rank::CurrentReactor>> = PerProcess::new(Mutex::default);

/// How long an exit of the process waits for the end of a spare thread.
const EXIT_TIME: Duration = Duration::from_millis(100);

/// The reactor of this process. Starts one, and its thread, if there is none.
///
/// # Errors
/// The operating system's, when it has no descriptor or thread to spare.
pub(crate) fn current() -> io::Result<Arc<Reactor>> {
    let mut current = lock(CURRENT.get());
    if let Some(reactor) = &current.reactor {
        return Ok(reactor.clone());
    }
    let reactor = Reactor::new()?;
    let own = reactor.clone();
    let job = Box::new(move || own.run());
    let worker = match current.worker.take() {
        Some(worker) => worker.run(job)?,
        None => {
            before_unload(unload);
            Worker::start(job)?
        }
    };
    *current = Current { reactor: Some(reactor.clone()), worker: Some(worker) };
    Ok(reactor)
}

/// Announces that the reactor, if there is one, is about to be stopped. Its thread leaves the poller, so that
/// [`stop`] need not wait for that. If the stop does not follow, the thread continues as before.
pub(crate) fn prepare_to_stop() {
    let current = lock(CURRENT.get());
    if let Some(reactor) = &current.reactor {
        reactor.announce_stop();
    }
}

/// Stops the reactor, if there is one, and waits until its thread has left it. Then it has no sources and no
/// descriptors. The thread stays for a moment, as a spare one. Returns the wakers that are still to be called.
pub(crate) fn stop() -> Wakers {
    let reactor = lock(CURRENT.get()).reactor.take();
    reactor.map(|reactor| reactor.stop()).unwrap_or_default()
}

/// Whether the calling thread is the I/O thread, for instance in a waker.
pub(crate) fn is_io_thread() -> bool {
    lock(CURRENT.get()).reactor.as_ref().is_some_and(|reactor| reactor.is_run_by_this_thread())
}

/// Calls the wakers at the end of the calling thread's [`run_then_wake`](crate::sync::run_then_wake), or in the
/// I/O thread. The caller may hold locks and be inside a socket.
pub(crate) fn wake_tasks(wakers: Wakers) {
    let wakers = pass_up(wakers);
    if wakers.is_empty() {
        return;
    }
    let reactor = lock(CURRENT.get()).reactor.clone();
    let rest = match reactor {
        Some(reactor) => reactor.wake_later(wakers),
        None => wakers,
    };
    // The reactor was stopped, after the last socket was closed: the thread is inside no socket, and has no lock of one.
    rest.wake();
}

/// Ends a spare thread at once.
pub(crate) fn end_spare_thread() {
    let spare = take_spare_worker(&mut lock(CURRENT.get()));
    if let Some(worker) = spare {
        worker.end();
    }
}

/// As [`end_spare_thread`], for an exit of the process, which must not wait for a lock.
pub(crate) fn end_spare_thread_at_exit() {
    let spare = try_lock(CURRENT.get()).and_then(|mut current| take_spare_worker(&mut current));
    if let Some(worker) = spare {
        worker.end_within(EXIT_TIME);
    }
}

fn take_spare_worker(current: &mut Current) -> Option<Worker> {
    if current.reactor.is_none() { current.worker.take() } else { None }
}

/// The library is being unloaded: no thread may run its code afterwards.
fn unload() {
    stop().wake();
    end_spare_thread();
}
