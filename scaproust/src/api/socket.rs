//! The socket: opening, its endpoints, closing.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use super::conversation::Conversations;
use super::endpoint::Endpoint;
use super::handle::Handle;
use super::pattern::{Known, Pattern};
use crate::error::Error;
use crate::protocol::ProtocolInfo;
use crate::socket::poll::Watched;
use crate::socket::{Call, connect_in};

/// A socket with the role `P`, on which its methods depend.
///
/// Programs mostly use the type aliases: [`Pair`](crate::Pair), [`Push`](crate::Push),
/// [`Pull`](crate::Pull), [`Req`](crate::Req), [`Rep`](crate::Rep), [`Pub`](crate::Pub),
/// [`Sub`](crate::Sub), [`Surveyor`](crate::Surveyor), [`Respondent`](crate::Respondent) and
/// [`Bus`](crate::Bus).
///
/// Any number of threads and tasks may use a socket at the same time, through references or an `Arc`. Dropping
/// it closes it, which blocks the thread for up to [`Socket::linger`] if messages are still to be delivered: a task first
/// awaits [`Socket::close_async`]. In a waker that runs in the library's I/O thread it is closed in the background. In the
/// child of a `fork` each call on the parent's sockets fails with [`Error::Closed`], as does each future of one; dropping them does
/// nothing.
pub struct Socket<P: Pattern> {
    pub(super) handle: Handle,
    pub(super) protocol: &'static ProtocolInfo,
    pub(super) is_closed: AtomicBool,
    /// A signal handler ends a blocked call.
    pub(super) ends_by_signals: AtomicBool,
    pub(super) conversations: Conversations,
    pub(super) watched: Watched,
    role: PhantomData<fn() -> P>,
}

impl<P: Known> Socket<P> {
    /// Opens a socket.
    ///
    /// # Errors
    /// [`Error::TooManySockets`] if 65,536 are open, [`Error::Terminated`] after a call of `nn_term`
    /// from C code in the same process.
    ///
    /// ```
    /// let socket = scaproust::Pair::new()?;
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn new() -> Result<Socket<P>, Error> {
        Socket::open_protocol(P::PROTOCOL)
    }
}

impl<P: Pattern> Socket<P> {
    /// Opens a socket of a protocol.
    pub(super) fn open_protocol(protocol: &'static ProtocolInfo) -> Result<Socket<P>, Error> {
        Ok(Socket::at(Handle::open(protocol, P::IS_RAW)?, protocol))
    }

    /// The socket of a handle, which nothing else closes.
    pub(super) fn at(handle: Handle, protocol: &'static ProtocolInfo) -> Socket<P> {
        Socket {
            handle,
            protocol,
            is_closed: AtomicBool::new(false),
            ends_by_signals: AtomicBool::new(false),
            conversations: Conversations::default(),
            watched: Watched::default(),
            role: PhantomData,
        }
    }

    /// The same socket with another role, which must be one of the same protocol.
    pub(super) fn with_role<Q: Pattern>(mut self) -> Socket<Q> {
        let mut socket = Socket::at(self.handle.clone(), self.protocol);
        // Some may be in use, the socket's own among them.
        socket.conversations = std::mem::take(&mut self.conversations);
        socket.ends_by_signals.store(self.ends_by_signals(), Ordering::Relaxed);
        // Dropping this value closes nothing.
        socket.is_closed.store(self.is_closed.swap(true, Ordering::Relaxed), Ordering::Relaxed);
        socket
    }

    /// Enters a call.
    pub(super) fn enter(&self) -> Result<Call, Error> {
        let call = self.handle.enter()?;
        call.check_parent().map(|()| call)
    }

    /// Calls `call` with the socket's id, which is not reused meanwhile.
    pub(super) fn with_id<R>(&self, call: impl FnOnce(i32) -> Result<R, Error>) -> Result<R, Error> {
        self.handle.with_id(call)
    }

    /// Binds the socket to an address, to which peers can then connect.
    ///
    /// `address` is `inproc://name`, `ipc://path`, `abstract://name` (Linux), `tcp://interface:port` or
    /// `ws://interface:port`, where the interface is `*`, an address or a name such as `eth0`. With port 0 the
    /// system chooses one, see [`Endpoint::address`]. With the feature `tls` there are `tls+tcp` and `wss` as well. `tcp4`, `tcp6`, `ws4` and `ws6` use one version of IP,
    /// whatever [`Socket::ipv4_only`] is. The address is given as text or as bytes. A socket can have any number
    /// of endpoints.
    ///
    /// On Unix, `fd://7` takes over the listening socket with this descriptor, and `fd://name` one that systemd has
    /// passed under this name. If the call succeeds, the descriptor belongs to the library: the program must have
    /// released it before, by `into_raw_fd`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is not an address, [`Error::AddressTooLong`],
    /// [`Error::UnknownTransport`], [`Error::NoSuchInterface`], [`Error::AddressInUse`],
    /// [`Error::Closed`], or an error of the operating system.
    ///
    /// ```
    /// # use scaproust::{Error, Pair};
    /// let socket = Pair::new()?;
    /// socket.bind("inproc://doc/bind")?;
    /// let second = Pair::new()?.bind("inproc://doc/bind");
    /// assert_eq!(second.err(), Some(Error::AddressInUse));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn bind(&self, address: impl AsRef<[u8]>) -> Result<Endpoint, Error> {
        Ok(Endpoint::new(&self.handle, self.enter()?.bind(address.as_ref())?))
    }

    /// Connects the socket to an address. The connection is made in the background, as soon as a peer is
    /// bound to the address, and made again when it is lost. The call waits for it only with
    /// [`Socket::set_connect_timeout`].
    ///
    /// `address` is `inproc://name`, `ipc://path`, `abstract://name` (Linux), `tcp://host:port` or
    /// `ws://host[:port][/path]`; `tcp://local;host:port` connects from the local interface of that name or
    /// address. `tcp4`, `tcp6`, `ws4` and `ws6` are as for [`Socket::bind`].
    ///
    /// On Unix, `fd://7` takes over the connected stream with this descriptor, as for [`Socket::bind`]. It is not
    /// connected again when it is lost:
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use scaproust::Pair;
    /// use std::os::fd::IntoRawFd;
    ///
    /// let (here, there) = std::os::unix::net::UnixStream::pair()?;
    /// let (one, other) = (Pair::new()?, Pair::new()?);
    /// one.connect(format!("fd://{}", here.into_raw_fd()))?;
    /// other.connect(format!("fd://{}", there.into_raw_fd()))?;
    /// one.send(b"hello")?;
    /// assert_eq!(*other.recv()?, *b"hello");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is not an address, [`Error::AddressTooLong`],
    /// [`Error::UnknownTransport`], [`Error::NoSuchInterface`] or [`Error::Closed`]. The absence of a
    /// peer is an error only if the call waits: [`Error::TimedOut`], or [`Error::Interrupted`] by a signal if the
    /// socket [is interruptible](Socket::set_interruptible). A call that fails adds no endpoint.
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// let socket = Pull::new()?;
    /// socket.connect("inproc://doc/connect")?;
    /// assert_eq!(socket.connect("pigeon://doc").err(), Some(Error::UnknownTransport));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn connect(&self, address: impl AsRef<[u8]>) -> Result<Endpoint, Error> {
        let id = connect_in(self.enter()?, address.as_ref(), self.ends_by_signals())?;
        Ok(Endpoint::new(&self.handle, id))
    }

    /// Closes the socket: calls of other threads on it fail with [`Error::Closed`], and messages already
    /// sent are delivered, within [`Socket::linger`]. Dropping the socket does the same; this method is
    /// for stopping threads and tasks that share the socket. A task uses [`Socket::close_async`], which does not block its
    /// thread. In a waker that runs in the library's I/O thread it returns
    /// before the socket is closed.
    ///
    /// # Errors
    /// [`Error::Closed`] if it is closed already.
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// let socket = Pull::new()?;
    /// std::thread::scope(|scope| {
    ///     let receiver = scope.spawn(|| socket.recv().err());
    ///     socket.close()?;
    ///     assert_eq!(receiver.join().unwrap(), Some(Error::Closed));
    ///     assert_eq!(socket.close(), Err(Error::Closed));
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn close(&self) -> Result<(), Error> {
        // Once only: afterwards the id may belong to another socket.
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return Err(Error::Closed);
        }
        self.conversations.close();
        self.handle.close()
    }
}

impl<P: Pattern> Drop for Socket<P> {
    fn drop(&mut self) {
        // Pollers forget it, and do not fail.
        self.watched.leave();
        // An error means that it is closed already.
        let _ = self.close();
    }
}

impl<P: Pattern> fmt::Debug for Socket<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("role", &self.protocol)
            .field("id", &self.handle)
            .finish_non_exhaustive()
    }
}
