//! The reactor: the I/O thread, which waits for descriptors and timers, and calls the sources that registered
//! them.
//!
//! Owns the poller, the registrations, the timers and the mailbox. Must not know what a source does when it
//! is called: it has no notion of messages, pipes or sockets. The thread starts on demand, and
//! blocks all signals. Stopping the reactor closes its descriptors. The thread ends shortly after.

mod context;
mod current;
mod io_thread;
mod poller;
mod short_wait;
#[cfg(all(test, shuttle))]
mod shuttle_tests;
mod source;
mod sources;
mod thread_settings;
mod timers;
mod turn;
mod wake_flag;
mod worker;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Token};

pub(crate) use self::context::{IoContext, Running, Seat};
pub(crate) use self::current::{
    current, end_spare_thread, end_spare_thread_at_exit, is_io_thread, prepare_to_stop, stop, wake_tasks,
};
use self::poller::{Poll, Pollable, PollerHandle};
pub(crate) use self::source::{Progress, Ready, Source};
use self::sources::Sources;
pub(crate) use self::thread_settings::ThreadSettings;
pub(crate) use self::timers::TimerId;
use self::timers::Timers;
use self::wake_flag::WakeFlag;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{
    Condvar, Mutex, MutexGuard, RwLock, Wakers, lock, nanoseconds, now, rank, thread_address, try_lock,
};

/// The state of the I/O thread, shared with other threads.
pub(crate) struct Reactor {
    /// What the thread polls. It holds this lock except while it waits for an announced stop. `None` once
    /// the reactor was stopped.
    poll: Mutex<Option<Poll>, rank::Poll>,
    /// Notified when `poll` was taken away.
    stopped: Condvar,
    /// `None` once the reactor was stopped.
    poller: RwLock<Option<PollerHandle>, rank::Poller>,
    /// A descriptor of the poller was found closed: the thread must make a new poller.
    has_lost_poller: AtomicBool,
    sources: Mutex<Sources, rank::Sources>,
    timers: Mutex<Timers<Arc<dyn Source>>, rank::Timers>,
    mailbox: Mutex<VecDeque<Arc<dyn Source>>, rank::Mailbox>,
    /// The wakers of tasks that were notified where none may run. `None` once the reactor was stopped.
    wakers: Mutex<Option<Wakers>, rank::Wakers>,
    wake_flag: WakeFlag,
    is_stopping: AtomicBool,
    /// When a stop was announced, in nanoseconds of the monotonic clock; 0 if none was.
    stop_announced: AtomicU64,
    /// The address that identifies the thread.
    thread: AtomicUsize,
    /// The buffer into which the thread reads.
    scratch: Mutex<Vec<u8>, rank::Scratch>,
    /// How long the thread looks for events before it sleeps.
    spin: Duration,
}

impl Reactor {
    /// A reactor that no thread runs yet. Its thread looks for events for the time `spin` before it sleeps.
    fn new(spin: Duration) -> io::Result<Arc<Reactor>> {
        let (poll, poller) = PollerHandle::new()?;
        let reactor = Reactor {
            poll: Mutex::new(Some(poll)),
            stopped: Condvar::new(),
            poller: RwLock::new(Some(poller)),
            has_lost_poller: AtomicBool::new(false),
            sources: Mutex::default(),
            timers: Mutex::new(Timers::default()),
            mailbox: Mutex::default(),
            wakers: Mutex::new(Some(Wakers::default())),
            wake_flag: WakeFlag::new(),
            is_stopping: AtomicBool::new(false),
            stop_announced: AtomicU64::new(0),
            thread: AtomicUsize::new(0),
            scratch: Mutex::default(),
            spin,
        };
        Ok(Arc::new(reactor))
    }

    /// Registers `source` for readiness of the descriptor `polled`.
    ///
    /// # Errors
    /// The poller's.
    pub(crate) fn register(
        &self,
        polled: impl Pollable,
        interest: Interest,
        source: Arc<dyn Source>,
    ) -> io::Result<Token> {
        // Locked until the descriptor is registered, so that its first event finds the source.
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
            // The descriptor has just been opened, so it is the poller's that was closed.
            self.has_lost_poller.store(true, Ordering::SeqCst);
            self.notify();
        }
        Err(error)
    }

    /// Registers a source again that the poller has [lost](Source::lost), under its token.
    ///
    /// # Errors
    /// The poller's.
    pub(crate) fn register_again(
        &self,
        mut polled: impl Pollable,
        interest: Interest,
        token: Token,
    ) -> io::Result<()> {
        self.with_poller(|poller| poller.registry.register(&mut polled, token, interest))
    }

    /// Changes the interest of a source. Readiness is reported again.
    ///
    /// # Errors
    /// The poller's: the descriptor is not registered any more.
    pub(crate) fn change(
        &self,
        mut polled: impl Pollable,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.with_poller(|poller| poller.registry.reregister(&mut polled, token, interest))
    }

    /// Removes a registration.
    pub(crate) fn deregister(&self, mut polled: impl Pollable, token: Token) {
        // Fails only if the poller does not know the descriptor, which is the goal.
        let _ = self.with_poller(|poller| poller.registry.deregister(&mut polled));
        let forgotten = lock(&self.sources).remove(token);
        drop(forgotten);
    }

    /// Requests a call of [`Source::ready`], as after an event.
    pub(crate) fn ready_again(&self, token: Token, ready: Ready) {
        lock(&self.sources).note(token, ready);
        self.notify();
    }

    /// Requests a call of [`Source::woken`]. Does nothing once the reactor was stopped.
    pub(crate) fn wake(&self, source: Arc<dyn Source>) {
        self.post(lock(&self.mailbox), source);
    }

    /// As [`Reactor::wake`], for a thread that may have been interrupted in any call. Does nothing, and returns `false`, if it
    /// would have to wait for a lock.
    pub(crate) fn try_wake(&self, source: Arc<dyn Source>) -> bool {
        let Some(mailbox) = try_lock(&self.mailbox) else { return false };
        self.post(mailbox, source);
        true
    }

    fn post(
        &self,
        mut mailbox: MutexGuard<'_, VecDeque<Arc<dyn Source>>, rank::Mailbox>,
        source: Arc<dyn Source>,
    ) {
        if !self.is_stopping.load(Ordering::SeqCst) {
            mailbox.push_back(source);
            drop(mailbox);
            self.notify();
        }
    }

    /// Has the I/O thread call these wakers, between two turns. Returns them if the reactor was stopped.
    fn wake_later(&self, new: Wakers) -> Wakers {
        match &mut *lock(&self.wakers) {
            Some(wakers) => wakers.append(new),
            None => return new,
        }
        self.notify();
        Wakers::default()
    }

    /// Takes the wakers to be called.
    fn take_wakers(&self) -> Wakers {
        lock(&self.wakers).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Requests a call of [`Source::timeout`] at `moment`. Does nothing once the reactor was stopped.
    pub(crate) fn at(&self, moment: Duration, source: Arc<dyn Source>) -> TimerId {
        let mut timers = lock(&self.timers);
        if self.is_stopping.load(Ordering::SeqCst) {
            return timers.next_id(moment);
        }
        let (id, is_first) = timers.insert(moment, source);
        drop(timers);
        if is_first {
            self.notify();
        }
        id
    }

    /// Removes a timer that has not fired yet.
    pub(crate) fn cancel(&self, timer: TimerId) {
        let forgotten = lock(&self.timers).remove(timer);
        drop(forgotten);
    }

    /// The buffer of the I/O thread; `None` for any other thread. It belongs to the reactor, since a
    /// thread-local value with a destructor would keep the library loaded.
    pub(crate) fn scratch(&self) -> Option<MutexGuard<'_, Vec<u8>, rank::Scratch>> {
        self.is_run_by_this_thread().then(|| lock(&self.scratch))
    }

    /// Whether the calling thread is the I/O thread.
    pub(crate) fn is_run_by_this_thread(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == thread_address()
    }

    /// Announces that [`Reactor::stop`] is about to be called: the thread leaves the poller, for a short
    /// time.
    fn announce_stop(&self) {
        self.stop_announced.store(nanoseconds(now()), Ordering::SeqCst);
        self.notify();
    }

    /// Stops the thread, waits until it has left the poller, closes the poller and drops every source. Returns
    /// the wakers that the thread has not called.
    fn stop(&self) -> Wakers {
        // `wake` and `at` check this under the lock of what they add a source to. So no source is added after all were
        // taken out below: most sources keep the reactor, which would then keep them for good.
        self.is_stopping.store(true, Ordering::SeqCst);
        self.notify();
        let poll = lock(&self.poll).take();
        let poller = self.poller.write().take();
        self.stopped.notify_all();
        drop((poll, poller));
        // Dropped outside the locks: the destructor of a source may call the reactor.
        let sources = std::mem::take(&mut *lock(&self.sources));
        let timers = std::mem::take(&mut *lock(&self.timers));
        let mailbox = std::mem::take(&mut *lock(&self.mailbox));
        drop((sources, timers, mailbox));
        lock(&self.wakers).take().unwrap_or_default()
    }

    /// Wakes the thread if it may be asleep.
    fn notify(&self) {
        if self.wake_flag.request() && self.with_poller(|poller| poller.waker.wake()).is_err() {
            // The waker's counter only saturates, so its descriptor was closed.
            self.has_lost_poller.store(true, Ordering::SeqCst);
        }
    }

    fn with_poller<T>(&self, call: impl FnOnce(&PollerHandle) -> io::Result<T>) -> io::Result<T> {
        let poller = self.poller.read();
        poller.as_ref().map_or_else(|| Err(io::ErrorKind::NotConnected.into()), call)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::now;
    use std::sync::mpsc;

    /// For tests of sources. Each has a reactor of its own: that of the process stops with the last socket, which
    /// another test may close.
    impl Reactor {
        /// A reactor for [`Reactor::run_until`].
        pub(crate) fn idle() -> Arc<Reactor> {
            Reactor::new(Duration::ZERO).unwrap()
        }

        /// A reactor with a thread, which runs as long as the process.
        pub(crate) fn running() -> Arc<Reactor> {
            let reactor = Reactor::new(Duration::ZERO).unwrap();
            let own = reactor.clone();
            std::thread::spawn(move || own.run());
            reactor
        }

        /// Runs the reactor in the calling thread until the condition holds.
        pub(crate) fn run_until(&self, is_met: impl Fn() -> bool) {
            self.run_while(|| !is_met());
        }

        /// Whether there is nothing that could call a source.
        pub(crate) fn has_nothing_to_call(&self) -> bool {
            lock(&self.sources).all().is_empty()
                && lock(&self.timers).next().is_none()
                && lock(&self.mailbox).is_empty()
        }

        /// The moment of the next timer.
        pub(crate) fn next_timer(&self) -> Option<Duration> {
            lock(&self.timers).next()
        }

        /// Lets the thread lose its poller, as after the program has closed descriptors that are not its own.
        pub(crate) fn lose_poller(&self) {
            self.has_lost_poller.store(true, Ordering::SeqCst);
        }
    }

    struct Probe(mpsc::Sender<&'static str>);

    impl Source for Probe {
        fn woken(self: Arc<Self>) {
            self.0.send("woken").unwrap();
        }
        fn timeout(self: Arc<Self>, _now: Duration) {
            self.0.send("timeout").unwrap();
            panic!("asked for by the test");
        }
    }

    #[test]
    fn wakes_and_timers_arrive_and_a_panic_is_contained() {
        let reactor = Reactor::new(Duration::ZERO).unwrap();
        let own = reactor.clone();
        let thread = std::thread::spawn(move || own.run());
        let (sender, receiver) = mpsc::channel();
        let probe = Arc::new(Probe(sender));
        let never = reactor.at(now() + Duration::from_secs(3600), probe.clone());
        reactor.at(now(), probe.clone());
        assert_eq!(receiver.recv(), Ok("timeout"));
        reactor.cancel(never);
        reactor.wake(probe.clone());
        assert_eq!(receiver.recv(), Ok("woken"));
        reactor.is_stopping.store(true, Ordering::SeqCst);
        reactor.notify();
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&probe), 1);
    }

    /// A source that keeps its reactor, as connections do.
    struct Keeper(Arc<Reactor>);

    impl Source for Keeper {}

    #[test]
    fn a_stopped_reactor_keeps_no_source() {
        let reactor = Reactor::idle();
        let keeper = Arc::new(Keeper(reactor.clone()));
        let request = |reactor: &Reactor| {
            reactor.wake(keeper.clone());
            reactor.at(now(), keeper.clone())
        };
        let timer = request(&reactor);
        assert_eq!((Arc::strong_count(&keeper), reactor.next_timer()), (3, Some(timer.moment())));
        assert!(reactor.stop().is_empty());
        assert_eq!(Arc::strong_count(&keeper), 1);
        let late = request(&keeper.0);
        assert_ne!(late, timer);
        keeper.0.cancel(late);
        assert_eq!(Arc::strong_count(&keeper), 1);
        let kept = Arc::downgrade(&reactor);
        drop((keeper, reactor));
        assert_eq!(kept.strong_count(), 0);
    }
}
