//! The reactor of this process, and the thread that runs it: started on demand, stopped with the last socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Reactor;
use super::worker::Worker;
use crate::sync::{Mutex, PerProcess, before_unload, lock, rank, try_lock};

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
/// descriptors. The thread stays for a moment, as a spare one.
pub(crate) fn stop() {
    let reactor = lock(CURRENT.get()).reactor.take();
    if let Some(reactor) = reactor {
        reactor.stop();
    }
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
    stop();
    end_spare_thread();
}
