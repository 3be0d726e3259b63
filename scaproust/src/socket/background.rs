//! Closing sockets in the background: all by one thread, which runs while there is something to close.
//!
//! Owns the sockets that are being closed in this way. A socket that takes long to deliver what was sent does not delay the others:
//! all of them deliver at the same time, and the thread waits for the next one that is done or whose linger time is over.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::closing::{self, BegunClosing};
use super::registry::SocketRef;
use crate::error::Error;
use crate::reactor;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Event, Mutex, PerProcess, contained, lock, now, rank, start_detached, thread_address};

/// What is called with the outcome, in the thread.
type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

static BACKGROUND: PerProcess<Background> = PerProcess::new(Background::new);

struct Background {
    state: Mutex<State, rank::BackgroundClosing>,
    /// Notified when there is a new socket to close, and when one may have delivered everything.
    changed: Arc<Event>,
    /// The address that identifies the thread; 0 without one.
    thread: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// The sockets that the thread has not begun to close.
    new: Vec<(SocketRef, Done)>,
    is_running: bool,
}

/// Closes a socket in the background, and then calls `done` with the outcome there.
///
/// # Errors
/// The operating system's, when it has no thread to spare: then the socket stays open.
pub(crate) fn close_in_background(
    socket: SocketRef,
    done: impl FnOnce(Result<(), Error>) + Send + 'static,
) -> Result<(), Error> {
    let background = BACKGROUND.get();
    let refused = {
        let mut state = lock(&background.state);
        state.new.push((socket, Box::new(done)));
        let is_running = mem::replace(&mut state.is_running, true);
        let started =
            if is_running { Ok(()) } else { start_detached("nanomsg-close", || BACKGROUND.get().run()) };
        started.err().map(|error| {
            state.is_running = false;
            (error, state.new.pop())
        })
    };
    if let Some((error, _not_called)) = refused {
        return Err(error.into());
    }
    background.changed.notify_all();
    Ok(())
}

/// As [`close`](super::close), for a thread that must not wait if it is the I/O thread, which would wait for itself, or the thread
/// of this module, for which others wait: then the socket is closed in the background. If there is no thread to spare, it stays
/// open until the process ends.
///
/// # Errors
/// As [`close`](super::close), if the thread waits.
pub(crate) fn close_from_waker(socket: SocketRef) -> Result<(), Error> {
    if !reactor::is_io_thread() && !BACKGROUND.get().is_run_by_this_thread() {
        drop(socket.enter()?);
        return super::close(socket.id);
    }
    close_in_background(socket, drop)
}

impl Background {
    fn new() -> Background {
        Background { state: Mutex::default(), changed: Arc::new(Event::new()), thread: AtomicUsize::new(0) }
    }

    fn is_run_by_this_thread(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == thread_address()
    }

    /// Closes sockets until there are none left.
    fn run(&self) {
        self.thread.store(thread_address(), Ordering::Relaxed);
        let mut begun: Vec<(BegunClosing, Done)> = Vec::new();
        loop {
            let epoch = self.changed.epoch();
            let new = mem::take(&mut lock(&self.state).new);
            for (socket, done) in new {
                match self.begin(&socket) {
                    Ok(closing) => begun.push((closing, done)),
                    Err(error) => call(done, Err(error)),
                }
            }
            let (over, left) = begun.into_iter().partition(|(closing, _)| closing.is_over(now()));
            begun = left;
            let over: Vec<_> = over;
            for (closing, done) in over {
                closing.finish();
                call(done, Ok(()));
            }
            if begun.is_empty() {
                let mut state = lock(&self.state);
                if state.new.is_empty() {
                    self.thread.store(0, Ordering::Relaxed);
                    state.is_running = false;
                    return;
                }
                continue;
            }
            let deadline: Option<Duration> = begun.iter().filter_map(|(closing, _)| closing.deadline()).min();
            self.changed.wait(epoch, deadline);
        }
    }

    fn begin(&self, socket: &SocketRef) -> Result<BegunClosing, Error> {
        drop(socket.enter()?);
        closing::begin(socket.id, self.changed.clone())
    }
}

/// Calls the program, whose panic ends nothing.
fn call(done: Done, outcome: Result<(), Error>) {
    contained(|| done(outcome));
}
