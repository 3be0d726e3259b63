//! The I/O thread of this process, for the sockets that belong to no [context](super::IoContext).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Reactor;
use super::context::stop_contexts;
use super::io_thread::IoThread;
use crate::sync::{PerProcess, Wakers, before_unload, pass_up};

static CURRENT: PerProcess<IoThread> = PerProcess::new(IoThread::default);

/// How long an exit of the process waits for the end of a spare thread.
const EXIT_TIME: Duration = Duration::from_millis(100);

/// The reactor of this process. Starts one, and its thread, if there is none.
///
/// # Errors
/// The operating system's, when it has no descriptor or thread to spare.
pub(crate) fn current() -> io::Result<Arc<Reactor>> {
    CURRENT.get().reactor(watch_unloading)
}

/// Has all threads end before the library is unloaded.
pub(super) fn watch_unloading() {
    before_unload(unload);
}

/// Announces that the reactor, if there is one, is about to be stopped. Its thread leaves the poller, so that
/// [`stop`] need not wait for that. If the stop does not follow, the thread continues as before.
pub(crate) fn prepare_to_stop() {
    if let Some(reactor) = CURRENT.get().present() {
        reactor.announce_stop();
    }
}

/// Stops the reactor, if there is one, and waits until its thread has left it. Then it has no sources and no
/// descriptors. The thread stays for a moment, as a spare one. Returns the wakers that are still to be called.
pub(crate) fn stop() -> Wakers {
    CURRENT.get().stop()
}

/// Whether the calling thread is the I/O thread, for instance in a waker.
pub(crate) fn is_io_thread() -> bool {
    CURRENT.get().present().is_some_and(|reactor| reactor.is_run_by_this_thread())
}

/// Calls the wakers at the end of the calling thread's [`run_then_wake`](crate::sync::run_then_wake), or in the
/// I/O thread. The caller may hold locks and be inside a socket.
pub(crate) fn wake_tasks(wakers: Wakers) {
    let wakers = pass_up(wakers);
    if wakers.is_empty() {
        return;
    }
    let rest = match CURRENT.get().present() {
        Some(reactor) => reactor.wake_later(wakers),
        None => wakers,
    };
    // The reactor was stopped, after the last socket was closed: the thread is inside no socket, and has no lock of one.
    rest.wake();
}

/// Ends a spare thread at once.
pub(crate) fn end_spare_thread() {
    if let Some(worker) = CURRENT.get().take_spare() {
        worker.end();
    }
}

/// As [`end_spare_thread`], for an exit of the process, which must not wait for a lock.
pub(crate) fn end_spare_thread_at_exit() {
    if let Some(worker) = CURRENT.get().try_take_spare() {
        worker.end_within(EXIT_TIME);
    }
}

/// The library is being unloaded: no thread may run its code afterwards.
fn unload() {
    stop_contexts();
    stop().wake();
    end_spare_thread();
}
