//! The I/O thread: it waits for descriptors and for moments, and calls whoever waits for them.
//!
//! Owns the poller, the registrations, the timers and the mailbox. Must not know what a source
//! does when it is called: it has no notion of messages, pipes or sockets. It is a guest of the
//! process: it starts with the first source, takes no signals, and is gone when it is stopped.

mod bell;
mod near;
mod timers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Interest, Poll, Registry, Token, Waker, event};

use crate::sync::{Mutex, PerProcess, lock, now, without_signals};
use bell::Bell;
pub(crate) use timers::TimerId;
use timers::Timers;

/// Something that the reactor calls.
///
/// Calls come from the I/O thread, one at a time. They must not block.
pub(crate) trait Source: Send + Sync {
    /// The descriptor may be ready. Readiness is reported at its edge: the source goes on until
    /// the kernel has nothing more, or remembers that it has not.
    fn ready(self: Arc<Self>, ready: Ready) {
        let _ = ready;
    }
    /// Somebody asked for this call with [`Reactor::wake`].
    fn woken(self: Arc<Self>) {}
    /// The moment given to [`Reactor::at`] has come.
    fn timeout(self: Arc<Self>, now: Duration) {
        let _ = now;
    }
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

/// The poller's token of the mailbox.
const MAILBOX: Token = Token(usize::MAX);

/// The poller counts in milliseconds. Whoever asks to be called earlier than this means microseconds.
const NEAR: Duration = Duration::from_millis(1);

/// The I/O thread of the process, as others reach it.
pub(crate) struct Reactor {
    registry: Registry,
    waker: Waker,
    /// Sources by token; a free place keeps its token for the next.
    sources: Mutex<Sources>,
    timers: Mutex<Timers<Arc<dyn Source>>>,
    mailbox: Mutex<Vec<Arc<dyn Source>>>,
    bell: Bell,
    stopping: AtomicBool,
}

#[derive(Default)]
struct Sources {
    places: Vec<Option<Arc<dyn Source>>>,
    free: Vec<usize>,
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
pub(crate) fn current() -> std::io::Result<Arc<Reactor>> {
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
    fn new() -> std::io::Result<(Arc<Reactor>, Poll)> {
        let poll = Poll::new()?;
        let reactor = Reactor {
            registry: poll.registry().try_clone()?,
            waker: Waker::new(poll.registry(), MAILBOX)?,
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
    pub(crate) fn register(
        &self,
        mut polled: impl event::Source,
        source: Arc<dyn Source>,
    ) -> std::io::Result<Token> {
        let mut sources = lock(&self.sources);
        let place = sources.free.pop().unwrap_or_else(|| {
            sources.places.push(None);
            sources.places.len() - 1
        });
        sources.places[place] = Some(source);
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = self.registry.register(&mut polled, Token(place), both);
        if registered.is_err() {
            sources.places[place] = None;
            sources.free.push(place);
        }
        registered.map(|()| Token(place))
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
    ) -> std::io::Result<()> {
        self.registry.reregister(&mut polled, token, interest)
    }

    /// Forgets a registration. An event already on its way may still reach the next source that
    /// gets the token, which must bear it.
    pub(crate) fn deregister(&self, mut polled: impl event::Source, token: Token) {
        // Fails only if the descriptor is unknown to the poller, which is what we want.
        let _ = self.registry.deregister(&mut polled);
        let mut sources = lock(&self.sources);
        let forgotten = sources.places.get_mut(token.0).and_then(Option::take);
        if forgotten.is_some() {
            sources.free.push(token.0);
        }
        drop(sources);
        drop(forgotten);
    }

    /// Has [`Source::woken`] called soon.
    pub(crate) fn wake(&self, source: Arc<dyn Source>) {
        lock(&self.mailbox).push(source);
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
        if self.bell.rings() {
            // Cannot fail for want of anything: the descriptor exists, its counter only saturates.
            let _ = self.waker.wake();
        }
    }

    fn run(&self, mut poll: Poll) {
        let mut events = Events::with_capacity(256);
        while !self.stopping.load(Ordering::SeqCst) {
            let mut timeout = lock(&self.timers).next().map(|moment| moment.saturating_sub(now()));
            if let Some(time) = timeout.filter(|time| *time < NEAR) {
                near::pause(&poll, time);
                timeout = Some(Duration::ZERO);
            }
            // Fails only when interrupted; then there are no events, and we come back.
            let failed = poll.poll(&mut events, timeout).is_err();
            // From here on a notification need not wake us: we look at everything below.
            self.bell.awake();
            for event in events.iter().filter(|event| !failed && event.token() != MAILBOX) {
                let source = lock(&self.sources).places.get(event.token().0).cloned().flatten();
                if let Some(source) = source {
                    let failed = event.is_error();
                    let ready = Ready {
                        read: failed || event.is_readable() || event.is_read_closed(),
                        write: failed || event.is_writable() || event.is_write_closed(),
                        end: failed || event.is_read_closed(),
                    };
                    guarded(|| source.ready(ready));
                }
            }
            // Cleared before the mailbox is read: whoever comes after that wakes us again.
            self.bell.looks();
            let mail = std::mem::take(&mut *lock(&self.mailbox));
            for source in mail {
                guarded(|| source.woken());
            }
            self.run_timers();
        }
    }

    fn run_timers(&self) {
        let now = now();
        loop {
            // The lock is not held during the call, which may set or cancel timers.
            let due = lock(&self.timers).pop_due(now);
            let Some(source) = due else { return };
            guarded(|| source.timeout(now));
        }
    }
}

/// Keeps the thread alive when a source panics: the others go on.
fn guarded(call: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(call));
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
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
