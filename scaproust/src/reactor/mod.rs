//! The I/O thread: it waits for descriptors and for moments, and calls the sources that wait for them.
//!
//! Owns the poller, the registrations, the timers and the mailbox. Must not know what a source
//! does when it is called: it has no notion of messages, pipes or sockets. It is a guest of the
//! process: it starts with the first source, takes no signals, has no descriptor left when it is stopped,
//! and is gone a moment later.

mod near;
mod sources;
mod timers;
mod turn;
mod wake_flag;
mod worker;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mio::{Interest, Poll, Registry, Token, Waker, event};

use crate::sync::{
    Condvar, Mutex, MutexGuard, PerProcess, above_standard, before_unload, is_standard, lock, now,
    thread_address, try_lock,
};
use sources::Sources;
pub(crate) use timers::TimerId;
use timers::Timers;
use wake_flag::WakeFlag;
use worker::Worker;

/// Something that the reactor calls.
///
/// Calls come from the I/O thread, one at a time. They must not block. Each is one step, with a bound on
/// what it does: other sources wait for its end.
pub(crate) trait Source: Send + Sync {
    /// The descriptor may be ready. Readiness is reported at its edge: a source that stops before
    /// the kernel has nothing more answers [`Progress::More`], or remembers that it has stopped.
    fn ready(self: Arc<Self>, ready: Ready) -> Progress {
        let _ = ready;
        Progress::Done
    }
    /// This call was asked for with [`Reactor::wake`].
    fn woken(self: Arc<Self>) {}
    /// The moment given to [`Reactor::at`] has come.
    fn timeout(self: Arc<Self>, now: Duration) {
        let _ = now;
    }
    /// The poller has lost its registrations, this one among them: the host has closed descriptors
    /// that are not its own. Nothing more is reported, unless [`Reactor::register_again`] succeeds.
    fn lost(self: Arc<Self>) {}
}

/// What a step has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is no more to do.
    Done,
    /// There may be more: the call is made again after those of others.
    More,
}

/// What a descriptor is ready for. A failed one is ready for everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// Reading will not block; it may find the end.
    pub(crate) read: bool,
    /// Writing will not block.
    pub(crate) write: bool,
    /// Reading will come to an end, which is not reported again.
    pub(crate) end: bool,
}

impl Ready {
    /// To read, or to accept.
    pub(crate) const READ: Ready = Ready { read: true, write: false, end: false };

    fn and(self, other: Ready) -> Ready {
        Ready { read: self.read || other.read, write: self.write || other.write, end: self.end || other.end }
    }
}

/// The poller's token of the mailbox.
const MAILBOX: Token = Token(usize::MAX);

/// The I/O thread of the process, as others reach it.
pub(crate) struct Reactor {
    /// What the thread polls. Held by the thread but while it naps; nothing, once the reactor was stopped.
    poll: Mutex<Option<Poll>>,
    /// Told when that has gone.
    stopped: Condvar,
    /// Nothing, once the reactor was stopped.
    poller: RwLock<Option<Poller>>,
    /// A descriptor of the poller was found closed: the thread makes a new one.
    has_lost_poller: AtomicBool,
    sources: Mutex<Sources>,
    timers: Mutex<Timers<Arc<dyn Source>>>,
    mailbox: Mutex<VecDeque<Arc<dyn Source>>>,
    wake_flag: WakeFlag,
    stopping: AtomicBool,
    /// When it was said to end, in nanoseconds of the monotonic clock, if it was.
    ending: AtomicU64,
    /// The thread that runs it, by its address.
    thread: AtomicUsize,
    /// Where that thread reads to.
    scratch: Mutex<Vec<u8>>,
}

/// The poller, as threads that do not poll have it.
struct Poller {
    registry: Registry,
    waker: Waker,
}

impl Poller {
    /// A poller, and what the I/O thread polls.
    fn new() -> io::Result<(Poll, Poller)> {
        let make = || {
            let poll = Poll::new()?;
            let (registry, waker) = (poll.registry().try_clone()?, Waker::new(poll.registry(), MAILBOX)?);
            Ok((poll, Poller { registry, waker }))
        };
        // What is opened after a poll that is not low is not low either.
        above_standard(make, |(poll, _)| is_standard(poll))
    }
}

/// The reactor of the process, and the thread that runs it or waits for the next one.
#[derive(Default)]
struct Current {
    reactor: Option<Arc<Reactor>>,
    worker: Option<Worker>,
}

static CURRENT: PerProcess<Mutex<Current>> = PerProcess::new(Mutex::default);

/// How long an exit waits for a thread that has nothing to do.
const EXIT_TIME: Duration = Duration::from_millis(100);

/// The reactor of this process; starts its thread if there is none.
///
/// # Errors
/// When the system has no descriptor or no thread to spare.
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

/// The reactor, if there is one, is about to be stopped: its thread leaves the poller, so that nobody has to wait for it.
/// It goes on as before if that does not come true.
pub(crate) fn prepare_to_stop() {
    let current = lock(CURRENT.get());
    if let Some(reactor) = &current.reactor {
        reactor.ending.store(nanoseconds(), Ordering::SeqCst);
        reactor.notify();
    }
}

/// Ends the reactor, if there is one, and waits until its thread has left it. Every source is forgotten, and no
/// descriptor is left. The thread stays for a moment.
pub(crate) fn stop() {
    let Some(reactor) = lock(CURRENT.get()).reactor.take() else { return };
    reactor.stopping.store(true, Ordering::SeqCst);
    reactor.notify();
    let poll = lock(&reactor.poll).take();
    let poller = reactor.poller.write().unwrap_or_else(PoisonError::into_inner).take();
    reactor.stopped.notify_all();
    drop((poll, poller));
    // Dropped outside the locks: a source that goes may call back.
    let sources = std::mem::take(&mut *lock(&reactor.sources));
    let timers = std::mem::take(&mut *lock(&reactor.timers));
    let mailbox = std::mem::take(&mut *lock(&reactor.mailbox));
    drop((sources, timers, mailbox));
}

/// The present moment, in nanoseconds of the monotonic clock.
fn nanoseconds() -> u64 {
    u64::try_from(now().as_nanos()).unwrap_or(u64::MAX)
}

/// Ends the thread at once, if it has nothing to run.
pub(crate) fn end_spare_thread() {
    let spare = take_spare_worker(&mut lock(CURRENT.get()));
    if let Some(worker) = spare {
        worker.end();
    }
}

/// As [`end_spare_thread`], for an exit, which waits for no lock.
pub(crate) fn end_spare_thread_at_exit() {
    let spare = try_lock(CURRENT.get()).and_then(|mut current| take_spare_worker(&mut current));
    if let Some(worker) = spare {
        worker.end_within(EXIT_TIME);
    }
}

fn take_spare_worker(current: &mut Current) -> Option<Worker> {
    if current.reactor.is_none() { current.worker.take() } else { None }
}

/// The library is unloaded: no thread may run its code any more.
fn unload() {
    stop();
    end_spare_thread();
}

impl Reactor {
    /// A reactor whose thread does not run yet.
    fn new() -> io::Result<Arc<Reactor>> {
        let (poll, poller) = Poller::new()?;
        let reactor = Reactor {
            poll: Mutex::new(Some(poll)),
            stopped: Condvar::new(),
            poller: RwLock::new(Some(poller)),
            has_lost_poller: AtomicBool::new(false),
            sources: Mutex::default(),
            timers: Mutex::new(Timers::default()),
            mailbox: Mutex::default(),
            wake_flag: WakeFlag::new(),
            stopping: AtomicBool::new(false),
            ending: AtomicU64::new(0),
            thread: AtomicUsize::new(0),
            scratch: Mutex::default(),
        };
        Ok(Arc::new(reactor))
    }

    /// Lets `source` hear of what it polls, in so far as that is of interest.
    ///
    /// # Errors
    /// The poller's.
    pub(crate) fn register(
        &self,
        polled: impl event::Source,
        interest: Interest,
        source: Arc<dyn Source>,
    ) -> io::Result<Token> {
        // Locked until it is registered: an event finds the source.
        let mut sources = lock(&self.sources);
        let token = sources.insert(source);
        let error = match self.register_again(polled, interest, token) {
            Ok(()) => return Ok(token),
            Err(error) => error,
        };
        let forgotten = sources.remove(token);
        drop(sources);
        drop(forgotten);
        #[cfg(unix)]
        if error.raw_os_error() == Some(libc::EBADF) {
            // What is registered was opened just now: it is the poller that was closed.
            self.has_lost_poller.store(true, Ordering::SeqCst);
            self.notify();
        }
        Err(error)
    }

    /// Registers a source that the poller has [lost](Source::lost), under the token that it has.
    ///
    /// # Errors
    /// The poller's.
    pub(crate) fn register_again(
        &self,
        mut polled: impl event::Source,
        interest: Interest,
        token: Token,
    ) -> io::Result<()> {
        self.with_poller(|poller| poller.registry.register(&mut polled, token, interest))
    }

    /// Lets a source hear of other things than before. What is ready already is reported anew.
    ///
    /// # Errors
    /// The poller's: the descriptor is not registered any more.
    pub(crate) fn change(
        &self,
        mut polled: impl event::Source,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.with_poller(|poller| poller.registry.reregister(&mut polled, token, interest))
    }

    /// Forgets a registration.
    pub(crate) fn deregister(&self, mut polled: impl event::Source, token: Token) {
        // Fails only if the descriptor is unknown to the poller, which is what we want.
        let _ = self.with_poller(|poller| poller.registry.deregister(&mut polled));
        let forgotten = lock(&self.sources).remove(token);
        drop(forgotten);
    }

    /// Has [`Source::ready`] called soon, as after an event.
    pub(crate) fn ready_again(&self, token: Token, ready: Ready) {
        lock(&self.sources).note(token, ready);
        self.notify();
    }

    /// Has [`Source::woken`] called soon.
    pub(crate) fn wake(&self, source: Arc<dyn Source>) {
        lock(&self.mailbox).push_back(source);
        self.notify();
    }

    /// Has [`Source::timeout`] called at `moment`.
    pub(crate) fn at(&self, moment: Duration, source: Arc<dyn Source>) -> TimerId {
        let (id, is_first) = lock(&self.timers).insert(moment, source);
        if is_first {
            self.notify();
        }
        id
    }

    /// Forgets a timer, if it has not come yet.
    pub(crate) fn cancel(&self, timer: TimerId) {
        let forgotten = lock(&self.timers).remove(timer);
        drop(forgotten);
    }

    /// Memory of the I/O thread; `None` for any other thread. It goes with the reactor, while a thread-local
    /// value with a destructor would keep the library loaded.
    pub(crate) fn scratch(&self) -> Option<MutexGuard<'_, Vec<u8>>> {
        (self.thread.load(Ordering::Relaxed) == thread_address()).then(|| lock(&self.scratch))
    }

    fn notify(&self) {
        if self.wake_flag.request() && self.with_poller(|poller| poller.waker.wake()).is_err() {
            // The counter only saturates: it is the descriptor that was closed.
            self.has_lost_poller.store(true, Ordering::SeqCst);
        }
    }

    fn with_poller<T>(&self, call: impl FnOnce(&Poller) -> io::Result<T>) -> io::Result<T> {
        let poller = self.poller.read().unwrap_or_else(PoisonError::into_inner);
        poller.as_ref().map_or_else(|| Err(io::ErrorKind::NotConnected.into()), call)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::now;
    use std::sync::mpsc;

    struct Probe(std::sync::Mutex<mpsc::Sender<&'static str>>);

    impl Source for Probe {
        fn woken(self: Arc<Self>) {
            self.0.lock().unwrap().send("woken").unwrap();
        }
        fn timeout(self: Arc<Self>, _now: Duration) {
            self.0.lock().unwrap().send("timeout").unwrap();
            panic!("a source that panics does not end the thread");
        }
    }

    #[test]
    fn mail_and_timers_arrive_and_a_panic_is_survived() {
        let reactor = Reactor::new().unwrap();
        let own = reactor.clone();
        let thread = std::thread::spawn(move || own.run());
        let (sender, receiver) = mpsc::channel();
        let probe = Arc::new(Probe(std::sync::Mutex::new(sender)));
        let never = reactor.at(now() + Duration::from_secs(3600), probe.clone());
        reactor.at(now(), probe.clone());
        assert_eq!(receiver.recv(), Ok("timeout"));
        reactor.cancel(never);
        reactor.wake(probe.clone());
        assert_eq!(receiver.recv(), Ok("woken"));
        reactor.stopping.store(true, Ordering::SeqCst);
        reactor.notify();
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&probe), 1);
    }
}
