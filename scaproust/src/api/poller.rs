//! Waiting for several sockets at once.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::polled::{Direction, Polled, Readable, Writable};
use crate::error::Error;
use crate::protocol::Time;
use crate::socket::poll::{PollEntry, Polling};
use crate::socket::{BlockingCall, SocketRef, finish_and_wake};
use crate::sync::{Sleep, now};

/// Waits until one of several sockets can receive, or send.
///
/// It can wait any number of times. One that waits for thousands of sockets looks at each of them once, when the wait
/// begins, and then only at those at which something happens.
///
/// ```
/// use scaproust::{Error, Poller, Pull, Push};
/// use std::time::Duration;
///
/// let (jobs, control) = (Pull::new()?, Pull::new()?);
/// jobs.bind("inproc://doc/poller/jobs")?;
/// control.bind("inproc://doc/poller/control")?;
/// let operator = Push::new()?;
/// operator.connect("inproc://doc/poller/control")?;
/// operator.send("stop")?;
///
/// let ready = Poller::new().readable(&jobs).readable(&control).wait(Duration::from_secs(10))?;
/// assert!(ready.is_readable(&control) && !ready.is_readable(&jobs));
/// assert_eq!(control.try_recv()?, "stop");
/// # Ok::<(), Error>(())
/// ```
///
/// Servers, requests, surveys and events are waited for as sockets are:
///
/// ```
/// # use scaproust::{Error, EventKind, Poller, Rep, Req};
/// let (client, server) = (Req::new()?, Rep::new()?);
/// let mut events = server.events()?;
/// server.bind("inproc://doc/poller/server")?;
/// client.connect("inproc://doc/poller/server")?;
/// let pending = client.request("ping")?;
/// let ready = Poller::new().readable(&server).readable(&pending).readable(&events).wait(None)?;
/// assert!(ready.is_readable(&events) && !ready.is_readable(&pending));
/// assert_eq!(events.try_next().unwrap().kind, EventKind::Listening);
/// assert!(Poller::new().readable(&server).wait(None)?.is_readable(&server));
///
/// server.try_accept()?.1.send("pong")?;
/// assert!(Poller::new().readable(&pending).wait(None)?.is_readable(&pending));
/// assert_eq!(pending.wait()?, "pong");
/// # Ok::<(), Error>(())
/// ```
///
/// A socket that cannot receive does not compile:
///
/// ```compile_fail,E0277
/// # use scaproust::{Poller, Push};
/// let source = Push::new()?;
/// Poller::new().readable(&source);
/// # Ok::<(), scaproust::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a poller does nothing until it waits"]
pub struct Poller<'a> {
    sockets: Vec<SocketRef>,
    /// What is waited for at each of them.
    entries: Vec<PollEntry>,
    /// From when on each of them is ready, whatever has come.
    ends: Vec<Option<Time>>,
    /// Why it cannot wait.
    refusal: Option<Error>,
    ends_by_signals: bool,
    borrows: PhantomData<&'a ()>,
}

impl<'a> Poller<'a> {
    /// A poller without sockets.
    pub fn new() -> Poller<'a> {
        Poller::default()
    }

    /// Waits until a message can be received from this socket, request, survey or sequence of events, among others.
    /// [`Socket::try_recv`](crate::Socket::try_recv) may still fail, if another thread is faster.
    pub fn readable<S: Readable>(self, source: &'a S) -> Poller<'a> {
        self.with(source, Direction::In)
    }

    /// Waits until a message can be sent by this socket, among others.
    pub fn writable<S: Writable>(self, socket: &'a S) -> Poller<'a> {
        self.with(socket, Direction::Out)
    }

    fn with(mut self, polled: &impl Polled, direction: Direction) -> Poller<'a> {
        if let Err(error) = polled.check(direction) {
            self.refusal.get_or_insert(error);
        }
        let socket = polled.target().0;
        self.entries.push(PollEntry {
            socket: socket.id,
            readable: direction == Direction::In,
            writable: direction == Direction::Out,
            is_readable: false,
            is_writable: false,
        });
        self.sockets.push(socket.clone());
        self.ends.push(polled.end());
        self
    }

    /// Sets whether a signal handler that runs in the waiting thread ends the wait, with [`Error::Interrupted`]: not by
    /// default, whatever [`Socket::is_interruptible`](crate::Socket::is_interruptible) is.
    pub fn interruptible(mut self, interruptible: bool) -> Poller<'a> {
        self.ends_by_signals = interruptible;
        self
    }

    /// Waits, at most for `timeout`: `None` is without limit, and zero does not wait. Returns which sockets are ready: none
    /// if the time is over.
    ///
    /// # Errors
    /// [`Error::Closed`] if one of the sockets is closed, [`Error::Interrupted`], [`Error::OutOfMemory`]; and
    /// [`Error::NotSupported`] for an [`AnySocket`](crate::AnySocket) whose protocol does not receive, or send, such messages.
    ///
    /// ```
    /// # use scaproust::{Error, Poller, Push};
    /// # use std::time::Duration;
    /// let socket = Push::new()?; // It has no peer.
    /// let poller = Poller::new().writable(&socket);
    /// assert!(poller.wait(Duration::from_millis(5))?.is_empty());
    /// socket.close()?;
    /// assert_eq!(poller.wait(None).err(), Some(Error::Closed));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn wait(&self, timeout: impl Into<Option<Duration>>) -> Result<Ready, Error> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let (sockets, entries) = (self.sockets.clone(), self.entries.clone());
        let until_end = self.ends.iter().flatten().min().map(|end| end.saturating_sub(now()));
        let timeout = timeout.into().into_iter().chain(until_end).min();
        let polling = Polling::of(sockets, entries, timeout, self.ends_by_signals);
        let mut entries = finish_and_wake(Wait(polling), self.ends_by_signals)?;
        let now = now();
        for (entry, end) in entries.iter_mut().zip(&self.ends) {
            entry.is_readable |= entry.readable && end.is_some_and(|end| end <= now);
        }
        let found = self.sockets.iter().zip(entries);
        let ready = found.filter(|(_, entry)| entry.is_readable || entry.is_writable);
        Ok(Ready { sockets: ready.map(|(socket, entry)| (socket.clone(), entry)).collect() })
    }
}

impl fmt::Debug for Poller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("entries", &self.entries).finish_non_exhaustive()
    }
}

/// A wait, which returns the entries.
struct Wait(Polling);

impl BlockingCall for Wait {
    type Output = Vec<PollEntry>;

    fn proceed(&mut self) -> Result<Option<Vec<PollEntry>>, Error> {
        Ok(self.0.proceed()?.map(|_| self.0.entries().to_vec()))
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.0.sleep()
    }
}

/// The sockets that were ready when [`Poller::wait`] returned.
#[derive(Clone)]
pub struct Ready {
    sockets: Vec<(SocketRef, PollEntry)>,
}

impl Ready {
    /// Whether no socket was ready.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Whether a message could be received there, if the poller was to wait for that.
    #[must_use]
    pub fn is_readable<S: Readable>(&self, source: &S) -> bool {
        self.of(source).any(|entry| entry.is_readable)
    }

    /// Whether a message could be sent by this socket, if the poller was to wait for that.
    #[must_use]
    pub fn is_writable<S: Writable>(&self, socket: &S) -> bool {
        self.of(socket).any(|entry| entry.is_writable)
    }

    fn of(&self, polled: &impl Polled) -> impl Iterator<Item = &PollEntry> {
        let socket = polled.target().0;
        self.sockets.iter().filter(|(ready, _)| ready.is_same(socket)).map(|(_, entry)| entry)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sockets.iter().map(|(_, entry)| entry)).finish()
    }
}
