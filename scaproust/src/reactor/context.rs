//! Contexts: I/O threads of their own for some sockets of the process.
//!
//! Each socket of a context has one of its threads, for all its connections and timers, so a socket is served as by the thread
//! of the process. The threads run from the first endpoint that needs them until the last socket of the context is closed.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::Reactor;
use super::current::watch_unloading;
use super::io_thread::IoThread;
use super::thread_settings::ThreadSettings;
use crate::error::Error;
use crate::sync::{Mutex, OfProcess, PerProcess, Wakers, lock, rank};

/// The contexts of this process, for its end.
static CONTEXTS: PerProcess<Mutex<Vec<Weak<IoContext>>, rank::Contexts>> = PerProcess::new(Mutex::default);

/// The number of the last context; the sockets without one have the number 0.
static LAST: AtomicU64 = AtomicU64::new(0);

/// I/O threads, and the sockets that use them.
pub(crate) struct IoContext {
    number: u64,
    threads: Box<[IoThread]>,
    /// A forked child has none of the threads.
    usage: OfProcess<Mutex<Usage, rank::ContextSockets>>,
}

#[derive(Default)]
struct Usage {
    /// The sockets that are open.
    sockets: usize,
    /// The thread of the next socket.
    next: usize,
}

impl IoContext {
    /// A context with threads, which do not run yet.
    pub(crate) fn new(threads: impl IntoIterator<Item = ThreadSettings>) -> Arc<IoContext> {
        let context = Arc::new(IoContext {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            threads: threads.into_iter().map(IoThread::new).collect(),
            usage: OfProcess::new(Mutex::default()),
        });
        let mut contexts = lock(CONTEXTS.get());
        contexts.retain(|context| context.strong_count() > 0);
        contexts.push(Arc::downgrade(&context));
        drop(contexts);
        context
    }

    /// A seat for a new socket: the threads have them in turn.
    ///
    /// # Errors
    /// [`Error::Closed`] in a forked child.
    pub(crate) fn join(self: &Arc<Self>) -> Result<Seat, Error> {
        let mut usage = lock(self.usage.get().ok_or(Error::Closed)?);
        usage.sockets += 1;
        let thread = usage.next;
        usage.next = (thread + 1) % self.threads.len();
        Ok(Seat { context: self.clone(), thread })
    }

    /// Starts all threads, which then run as long as the value lives, or a socket is open.
    ///
    /// # Errors
    /// The operating system's, when it has no descriptor or thread to spare.
    pub(crate) fn start(self: &Arc<Self>) -> Result<Running, Error> {
        let running = Running(Some(self.join()?));
        self.threads.iter().try_for_each(|thread| thread.reactor(watch_unloading).map(drop))?;
        Ok(running)
    }

    /// Stops the reactors, and ends the threads.
    fn stop(&self) -> Wakers {
        let mut wakers = Wakers::default();
        for thread in &self.threads {
            wakers.append(thread.stop());
            if let Some(worker) = thread.take_spare() {
                worker.end();
            }
        }
        wakers
    }
}

/// What a socket has of its context.
#[derive(Clone)]
pub(crate) struct Seat {
    context: Arc<IoContext>,
    thread: usize,
}

impl Seat {
    /// The reactor of the socket. Starts it, and its thread, if there is none.
    ///
    /// # Errors
    /// The operating system's, when it has no descriptor or thread to spare.
    pub(crate) fn reactor(&self) -> io::Result<Arc<Reactor>> {
        self.context.threads[self.thread].reactor(watch_unloading)
    }

    /// The number of the context, never 0.
    pub(crate) fn context(&self) -> u64 {
        self.context.number
    }

    /// The socket is closed, and the caller is inside none. The threads end with the last one. Does nothing in a forked child.
    pub(crate) fn leave(self) {
        let Some(usage) = self.context.usage.get() else { return };
        let mut wakers = Wakers::default();
        {
            // Under the lock, so that a socket which is opened now gets new threads.
            let mut usage = lock(usage);
            usage.sockets -= 1;
            if usage.sockets == 0 {
                wakers = self.context.stop();
            }
        }
        wakers.wake();
    }
}

/// Keeps the threads of a context running. It counts as a socket.
pub(crate) struct Running(Option<Seat>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Seat::leave);
    }
}

/// Ends the threads of all contexts, before the library is unloaded.
pub(super) fn stop_contexts() {
    let contexts = std::mem::take(&mut *lock(CONTEXTS.get()));
    contexts.iter().filter_map(Weak::upgrade).for_each(|context| context.stop().wake());
}
