//! The I/O thread: it waits for descriptors and for moments, and calls the sources that wait for them.
//!
//! Owns the poller, the registrations, the timers and the mailbox. Must not know what a source
//! does when it is called: it has no notion of messages, pipes or sockets. It is a guest of the
//! process: it starts with the first source, takes no signals, and is gone when it is stopped.

mod bell;
mod near;
mod sources;
mod timers;
mod turn;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Interest, Poll, Registry, Token, Waker, event};

use crate::sync::{Mutex, PerProcess, above_standard, is_standard, lock, without_signals};
use bell::Bell;
use sources::Sources;
pub(crate) use timers::TimerId;
use timers::Timers;

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
    poller: RwLock<Poller>,
    /// A descriptor of the poller was found closed: the thread makes a new one.
    has_lost_poller: AtomicBool,
    sources: Mutex<Sources>,
    timers: Mutex<Timers<Arc<dyn Source>>>,
    mailbox: Mutex<VecDeque<Arc<dyn Source>>>,
    bell: Bell,
    stopping: AtomicBool,
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

/// A running thread.
struct Running {
    reactor: Arc<Reactor>,
    thread: JoinHandle<()>,
}

static CURRENT: PerProcess<Mutex<Option<Running>>> = PerProcess::new(|| Mutex::new(None));

/// The reactor of this process; starts its thread if there is none.
///
/// # Errors
/// When the system has no descriptor or no thread to spare.
pub(crate) fn current() -> io::Result<Arc<Reactor>> {
    let mut current = lock(CURRENT.get());
    if let Some(running) = &*current {
        return Ok(running.reactor.clone());
    }
    let (reactor, poll) = Reactor::new()?;
    let own = reactor.clone();
    let spawn = || std::thread::Builder::new().name("nanomsg".into()).spawn(move || own.run(poll));
    let thread = without_signals(spawn)?;
    *current = Some(Running { reactor: reactor.clone(), thread });
    Ok(reactor)
}

/// Ends the I/O thread, if there is one, and waits until it is gone. Every source is forgotten.
pub(crate) fn stop() {
    let Some(Running { reactor, thread }) = lock(CURRENT.get()).take() else { return };
    reactor.stopping.store(true, Ordering::SeqCst);
    reactor.notify();
    // A panic of the thread was caught inside it.
    let _ = thread.join();
    // Dropped outside the locks: a source that goes may call back.
    let sources = std::mem::take(&mut *lock(&reactor.sources));
    let timers = std::mem::take(&mut *lock(&reactor.timers));
    let mailbox = std::mem::take(&mut *lock(&reactor.mailbox));
    drop((sources, timers, mailbox));
}

impl Reactor {
    /// A reactor whose thread does not run yet, and what the thread polls.
    fn new() -> io::Result<(Arc<Reactor>, Poll)> {
        let (poll, poller) = Poller::new()?;
        let reactor = Reactor {
            poller: RwLock::new(poller),
            has_lost_poller: AtomicBool::new(false),
            sources: Mutex::default(),
            timers: Mutex::new(Timers::default()),
            mailbox: Mutex::default(),
            bell: Bell::new(),
            stopping: AtomicBool::new(false),
        };
        Ok((Arc::new(reactor), poll))
    }

    /// Lets `source` hear of what it polls, for reading and writing.
    ///
    /// # Errors
    /// The poller's.
    pub(crate) fn register(&self, polled: impl event::Source, source: Arc<dyn Source>) -> io::Result<Token> {
        // Locked until it is registered: an event finds the source.
        let mut sources = lock(&self.sources);
        let token = sources.insert(source);
        let error = match self.register_again(polled, token) {
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
    pub(crate) fn register_again(&self, mut polled: impl event::Source, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.with_poller(|poller| poller.registry.register(&mut polled, token, both))
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

    fn notify(&self) {
        if self.bell.rings() && self.with_poller(|poller| poller.waker.wake()).is_err() {
            // The counter only saturates: it is the descriptor that was closed.
            self.has_lost_poller.store(true, Ordering::SeqCst);
        }
    }

    fn with_poller<T>(&self, call: impl FnOnce(&Poller) -> T) -> T {
        call(&self.poller.read().unwrap_or_else(PoisonError::into_inner))
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
        let (reactor, poll) = Reactor::new().unwrap();
        let own = reactor.clone();
        let thread = std::thread::spawn(move || own.run(poll));
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
