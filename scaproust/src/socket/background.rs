//! Closing sockets in the background: all by one thread, which runs while there is something to close.
//!
//! Owns the sockets that are being closed in this way. A socket that takes long to deliver what was sent, or that a call takes long
//! to leave, does not delay the others: all of them deliver at the same time, and the thread waits for the next one that can go on.
//! Nor does a panic in one of them.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use super::closing::{self, BegunClosing, Progress};
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
    new: VecDeque<(SocketRef, Done)>,
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
        state.new.push_back((socket, Box::new(done)));
        let is_running = mem::replace(&mut state.is_running, true);
        let started =
            if is_running { Ok(()) } else { start_detached("nanomsg-close", || BACKGROUND.get().run()) };
        started.err().map(|error| {
            state.is_running = false;
            (error, state.new.pop_back())
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

    /// Closes sockets until there are none left. Not even a panic ends that.
    fn run(&self) {
        self.thread.store(thread_address(), Ordering::Relaxed);
        let mut begun = Vec::new();
        while contained(|| self.turn(&mut begun)).unwrap_or(true) {}
    }

    /// Goes on with each closing as far as it can, and waits until one can go on. Returns whether there are any left.
    fn turn(&self, begun: &mut Vec<(BegunClosing, Done)>) -> bool {
        let epoch = self.changed.epoch();
        self.begin_new(begun);
        let (mut index, mut next) = (0, None);
        while let Some((closing, _)) = begun.get_mut(index) {
            match contained(|| closing.proceed(now())).unwrap_or(Progress::Over) {
                Progress::Waits(moment) => {
                    next = next.into_iter().chain(moment).min();
                    index += 1;
                }
                Progress::Over => {
                    let (closing, done) = begun.swap_remove(index);
                    contained(|| closing.finish());
                    call(done, Ok(()));
                }
            }
        }
        if begun.is_empty() {
            return !self.ends();
        }
        self.changed.wait(epoch, next);
        true
    }

    /// Begins to close the new sockets.
    fn begin_new(&self, begun: &mut Vec<(BegunClosing, Done)>) {
        while let Some((socket, done)) = self.take_new() {
            match self.begin(&socket) {
                Ok(closing) => begun.push((closing, done)),
                Err(error) => call(done, Err(error)),
            }
        }
    }

    fn take_new(&self) -> Option<(SocketRef, Done)> {
        lock(&self.state).new.pop_front()
    }

    /// Ends the thread, unless there are new sockets.
    fn ends(&self) -> bool {
        let mut state = lock(&self.state);
        if state.new.is_empty() {
            self.thread.store(0, Ordering::Relaxed);
            state.is_running = false;
        }
        !state.is_running
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

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;
    use crate::option::{Setting, SocketOption};
    use crate::protocol;
    use crate::socket::{AF_SP, enter, open};
    use crate::transport::{Endpoint, Linger};

    fn open_socket() -> i32 {
        open(AF_SP, protocol::PUSH.number.into()).unwrap()
    }

    /// Closes a socket in the background. The outcome can be received.
    fn begin_to_close(id: i32) -> Receiver<Result<(), Error>> {
        let (tell, outcome) = channel();
        let done = move |closed| tell.send(closed).unwrap();
        close_in_background(SocketRef::of(&enter(id).unwrap()), done).unwrap();
        outcome
    }

    fn close_another() {
        assert_eq!(begin_to_close(open_socket()).recv(), Ok(Ok(())));
    }

    /// An endpoint that delivers until the test takes what it holds, which is unfinished.
    #[derive(Default)]
    struct Delivering(Mutex<Vec<Box<dyn Send>>, rank::Dialer>);

    impl Endpoint for Delivering {
        fn close(&self, linger: &Arc<Linger>) {
            lock(&self.0).push(Box::new(linger.unfinished()));
        }
    }

    /// An endpoint that cannot be closed.
    struct Panicking;

    impl Endpoint for Panicking {
        fn close(&self, _linger: &Arc<Linger>) {
            panic!("asked for by the test");
        }
    }

    #[test]
    fn a_call_inside_delays_no_other_closing() {
        let id = open_socket();
        let call = enter(id).unwrap();
        let outcome = begin_to_close(id);
        close_another();
        assert!(outcome.try_recv().is_err());
        drop(call);
        assert_eq!(outcome.recv(), Ok(Ok(())));
    }

    /// The call is one of `nn_shutdown`.
    #[test]
    fn an_endpoint_that_is_shut_down_late_delays_no_other_closing() {
        let id = open_socket();
        let call = enter(id).unwrap();
        call.set_option(SocketOption::Linger, Setting::Int(-1)).unwrap();
        let outcome = begin_to_close(id);
        while !call.core.lock().is_closing {
            std::thread::yield_now();
        }
        let endpoint = Arc::new(Delivering::default());
        call.core.lock().endpoints.closing.push((Linger::begin(None), endpoint.clone()));
        drop(call);
        while lock(&endpoint.0).is_empty() {
            std::thread::yield_now();
        }
        close_another();
        assert!(outcome.try_recv().is_err());
        drop(mem::take(&mut *lock(&endpoint.0)));
        assert_eq!(outcome.recv(), Ok(Ok(())));
    }

    #[test]
    fn a_panic_ends_neither_the_thread_nor_another_closing() {
        let slow = open_socket();
        let call = enter(slow).unwrap();
        let outcome = begin_to_close(slow);
        let id = open_socket();
        let endpoint = (Linger::begin(Some(Duration::ZERO)), Arc::new(Panicking) as Arc<dyn Endpoint>);
        enter(id).unwrap().core.lock().endpoints.closing.push(endpoint);
        let closed = SocketRef::of(&enter(id).unwrap());
        assert_eq!(begin_to_close(id).recv(), Ok(Ok(())));
        assert!(closed.enter().is_err());
        let other = SocketRef::of(&enter(open_socket()).unwrap());
        close_in_background(other, |_| panic!("asked for by the test")).unwrap();
        drop(call);
        assert_eq!(outcome.recv(), Ok(Ok(())));
        close_another();
    }
}
