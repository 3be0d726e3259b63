//! Waiting for several sockets at once.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::pattern::{Pattern, Receives, Sends};
use super::socket::Socket;
use crate::error::Error;
use crate::socket::poll::{PollEntry, Polling};
use crate::socket::{BlockingCall, SocketRef, finish_and_wake};
use crate::sync::Sleep;

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
    ends_by_signals: bool,
    borrows: PhantomData<&'a ()>,
}

impl<'a> Poller<'a> {
    /// A poller without sockets.
    pub fn new() -> Poller<'a> {
        Poller::default()
    }

    /// Waits until a message can be received from this socket, among others. [`Socket::try_recv`] may still fail, if
    /// another thread is faster.
    pub fn readable<P: Receives>(self, socket: &'a Socket<P>) -> Poller<'a> {
        self.with(socket.handle.socket(), true)
    }

    /// Waits until a message can be sent by this socket, among others.
    pub fn writable<P: Sends>(self, socket: &'a Socket<P>) -> Poller<'a> {
        self.with(socket.handle.socket(), false)
    }

    fn with(mut self, socket: &SocketRef, readable: bool) -> Poller<'a> {
        self.entries.push(PollEntry {
            socket: socket.id,
            readable,
            writable: !readable,
            is_readable: false,
            is_writable: false,
        });
        self.sockets.push(socket.clone());
        self
    }

    /// Sets whether a signal handler that runs in the waiting thread ends the wait, with [`Error::Interrupted`]: not by
    /// default, whatever [`Socket::is_interruptible`] is.
    pub fn interruptible(mut self, interruptible: bool) -> Poller<'a> {
        self.ends_by_signals = interruptible;
        self
    }

    /// Waits, at most for `timeout`: `None` is without limit, and zero does not wait. Returns which sockets are ready: none
    /// if the time is over.
    ///
    /// # Errors
    /// [`Error::Closed`] if one of the sockets is closed, [`Error::Interrupted`], [`Error::OutOfMemory`].
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
        let (sockets, entries) = (self.sockets.clone(), self.entries.clone());
        let polling = Polling::of(sockets, entries, timeout.into(), self.ends_by_signals);
        let entries = finish_and_wake(Wait(polling), self.ends_by_signals)?;
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

    /// Whether a message could be received from this socket, if the poller was to wait for that.
    #[must_use]
    pub fn is_readable<P: Receives>(&self, socket: &Socket<P>) -> bool {
        self.of(socket).any(|entry| entry.is_readable)
    }

    /// Whether a message could be sent by this socket, if the poller was to wait for that.
    #[must_use]
    pub fn is_writable<P: Sends>(&self, socket: &Socket<P>) -> bool {
        self.of(socket).any(|entry| entry.is_writable)
    }

    fn of<P: Pattern>(&self, socket: &Socket<P>) -> impl Iterator<Item = &PollEntry> {
        let socket = socket.handle.socket();
        self.sockets.iter().filter(|(ready, _)| ready.is_same(socket)).map(|(_, entry)| entry)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sockets.iter().map(|(_, entry)| entry)).finish()
    }
}
