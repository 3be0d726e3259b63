//! Waiting for several sockets at once.

use std::fmt;
use std::time::Duration;

use super::polled::{Direction, Polled, Readable, Writable};
use crate::error::Error;
use crate::socket::SocketRef;
use crate::socket::poll::{PollEntry, PollSet};

/// Waits until one of several sockets can receive, or send.
///
/// It can wait any number of times, and sockets are added and removed in between. One that waits for thousands of sockets looks
/// at each of them once. From then on a wait costs as much as has happened: it looks only at those at which something has
/// happened since the last wait, or was found by it. Of requests, surveys and events it also looks at the end of each, which
/// takes some nanoseconds.
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
/// A server that lives for long has one poller, and its sockets come and go:
///
/// ```
/// # use scaproust::{Error, Pair, Poller};
/// let mut poller = Poller::new();
/// let mut sessions = Vec::new();
/// for number in 0..3 {
///     let session = Pair::new()?;
///     session.bind(format!("inproc://doc/poller/session/{number}"))?;
///     poller.add_readable(&session)?;
///     sessions.push(session);
/// }
/// let client = Pair::new()?;
/// client.connect("inproc://doc/poller/session/1")?;
/// client.send("leave")?;
/// let ready = poller.wait(None)?;
/// sessions.retain(|session| !(ready.is_readable(session) && session.try_recv() == Ok("leave".into())));
/// assert_eq!(sessions.len(), 2);
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
/// A forked child may wait with the poller of its parent, for sockets of its own, once it has removed those of the parent.
///
/// A socket that cannot receive does not compile:
///
/// ```compile_fail,E0277
/// # use scaproust::{Poller, Push};
/// let source = Push::new()?;
/// Poller::new().readable(&source);
/// # Ok::<(), scaproust::Error>(())
/// ```
#[must_use = "a poller does nothing until it waits"]
pub struct Poller {
    set: PollSet,
    /// Why it cannot wait.
    refusal: Option<Error>,
    ends_by_signals: bool,
}

impl Poller {
    /// A poller without sockets.
    pub fn new() -> Poller {
        Poller { set: PollSet::new(), refusal: None, ends_by_signals: false }
    }

    /// As [`Poller::add_readable`], when the poller is made. What cannot be added lets it fail when it waits.
    pub fn readable<S: Readable + ?Sized>(mut self, source: &S) -> Poller {
        let added = self.add_readable(source);
        self.refusal = self.refusal.or(added.err());
        self
    }

    /// As [`Poller::add_writable`], when the poller is made. What cannot be added lets it fail when it waits.
    pub fn writable<S: Writable + ?Sized>(mut self, socket: &S) -> Poller {
        let added = self.add_writable(socket);
        self.refusal = self.refusal.or(added.err());
        self
    }

    /// Waits from now on until a message can be received from this socket, request, survey or sequence of events, among others.
    /// [`Socket::try_recv`](crate::Socket::try_recv) may still fail, if another thread is faster.
    ///
    /// The poller does not borrow it. It forgets what is dropped.
    ///
    /// # Errors
    /// [`Error::NotSupported`] for an [`AnySocket`](crate::AnySocket) whose protocol does not receive such messages.
    pub fn add_readable<S: Readable + ?Sized>(&mut self, source: &S) -> Result<(), Error> {
        self.add(source, Direction::In)
    }

    /// Waits from now on until a message can be sent by this socket, among others. As [`Poller::add_readable`].
    ///
    /// # Errors
    /// [`Error::NotSupported`] for an [`AnySocket`](crate::AnySocket) whose protocol does not send such messages.
    pub fn add_writable<S: Writable + ?Sized>(&mut self, socket: &S) -> Result<(), Error> {
        self.add(socket, Direction::Out)
    }

    fn add<S: Polled + ?Sized>(&mut self, polled: &S, direction: Direction) -> Result<(), Error> {
        polled.check(direction)?;
        self.set.add(polled.target().0, polled.watch().0, direction == Direction::In);
        Ok(())
    }

    /// Waits no longer for this value. Returns whether the poller has waited for it.
    pub fn remove<S: Polled + ?Sized>(&mut self, polled: &S) -> bool {
        self.set.remove(polled.target().0, &polled.watch().0)
    }

    /// Sets whether a signal handler that runs in the waiting thread ends the wait, with [`Error::Interrupted`]: not by
    /// default, whatever [`Socket::is_interruptible`](crate::Socket::is_interruptible) is.
    pub fn interruptible(mut self, interruptible: bool) -> Poller {
        self.ends_by_signals = interruptible;
        self
    }

    /// Waits, at most for `timeout`: `None` is without limit, and zero does not wait. Returns which sockets are ready: none
    /// if the time is over. What is ready and stays so is ready at the next wait too.
    ///
    /// # Errors
    /// [`Error::Closed`] if one of the sockets is closed and was not removed, [`Error::Interrupted`], [`Error::OutOfMemory`]; and
    /// those of [`Poller::add_readable`] for what was given to [`Poller::readable`].
    ///
    /// ```
    /// # use scaproust::{Error, Poller, Push};
    /// # use std::time::Duration;
    /// let socket = Push::new()?; // It has no peer.
    /// let mut poller = Poller::new().writable(&socket);
    /// assert!(poller.wait(Duration::from_millis(5))?.is_empty());
    /// socket.close()?;
    /// assert_eq!(poller.wait(None).err(), Some(Error::Closed));
    /// assert!(poller.remove(&socket) && poller.wait(Duration::ZERO)?.is_empty());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn wait(&mut self, timeout: impl Into<Option<Duration>>) -> Result<Ready, Error> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let mut sockets = self.set.wait(timeout.into(), self.ends_by_signals)?;
        sockets.sort_unstable_by_key(|(socket, _)| socket.id);
        Ok(Ready { sockets })
    }
}

impl Default for Poller {
    fn default() -> Poller {
        Poller::new()
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("entries", &self.set.entries()).finish_non_exhaustive()
    }
}

/// The sockets that were ready when [`Poller::wait`] returned.
#[derive(Clone)]
pub struct Ready {
    /// In the order of their numbers.
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
    pub fn is_readable<S: Readable + ?Sized>(&self, source: &S) -> bool {
        self.of(source).any(|entry| entry.is_readable)
    }

    /// Whether a message could be sent by this socket, if the poller was to wait for that.
    #[must_use]
    pub fn is_writable<S: Writable + ?Sized>(&self, socket: &S) -> bool {
        self.of(socket).any(|entry| entry.is_writable)
    }

    fn of<S: Polled + ?Sized>(&self, polled: &S) -> impl Iterator<Item = &PollEntry> {
        let socket = polled.target().0;
        let first = self.sockets.partition_point(|(ready, _)| ready.id < socket.id);
        let same = self.sockets[first..].iter().take_while(|(ready, _)| ready.id == socket.id);
        same.filter(|(ready, _)| ready.is_same(socket)).map(|(_, entry)| entry)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sockets.iter().map(|(_, entry)| entry)).finish()
    }
}
