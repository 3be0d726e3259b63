//! The socket: opening, its endpoints, closing.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use super::endpoint::Endpoint;
use super::handle::Handle;
use super::pattern::Pattern;
use crate::error::Error;
use crate::socket::Call;

/// A socket that plays the role `P`.
///
/// Programs mostly use its names: [`Pair`](crate::Pair), [`Push`](crate::Push),
/// [`Pull`](crate::Pull), [`Req`](crate::Req), [`Rep`](crate::Rep), [`Pub`](crate::Pub),
/// [`Sub`](crate::Sub) and [`Bus`](crate::Bus). Which methods there are depends on the role.
///
/// Any number of threads may use a socket at the same time, through references or an `Arc`. It is
/// closed when it is dropped; that can take as long as [`Socket::linger`] says, if something that
/// was sent waits to be delivered. A socket does not survive a `fork`: in the child, each call
/// answers [`Error::Closed`].
pub struct Socket<P: Pattern> {
    pub(super) handle: Handle,
    is_closed: AtomicBool,
    role: PhantomData<fn() -> P>,
}

impl<P: Pattern> Socket<P> {
    /// Opens a socket.
    ///
    /// # Errors
    /// [`Error::TooManySockets`] when 65,536 are open, [`Error::Terminated`] after a C function
    /// of the same process called `nn_term`.
    ///
    /// ```
    /// let socket = nanomsg::Pair::new()?;
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn new() -> Result<Socket<P>, Error> {
        let handle = Handle::open(P::PROTOCOL, P::IS_RAW)?;
        Ok(Socket { handle, is_closed: AtomicBool::new(false), role: PhantomData })
    }

    /// Enters a call.
    pub(super) fn enter(&self) -> Result<Call, Error> {
        self.handle.enter()
    }

    /// Calls `call` with the socket's number, which remains this socket's meanwhile.
    pub(super) fn by_number<R>(&self, call: impl FnOnce(i32) -> Result<R, Error>) -> Result<R, Error> {
        self.handle.by_number(call)
    }

    /// Binds the socket to an address, to which others can connect from now on.
    ///
    /// `address` is `inproc://name`, `ipc://path` or `tcp://interface:port`, where the interface
    /// is `*`, an address or a name such as `eth0`. It is a text, or bytes where a path or a name is no
    /// text. A socket can have any number of endpoints.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if that is no address, [`Error::AddressTooLong`],
    /// [`Error::UnknownTransport`], [`Error::NoSuchInterface`], [`Error::AddressInUse`],
    /// [`Error::Closed`], or what the operating system says.
    ///
    /// ```
    /// # use nanomsg::{Error, Pair};
    /// let socket = Pair::new()?;
    /// socket.bind("inproc://doc/bind")?;
    /// let second = Pair::new()?.bind("inproc://doc/bind");
    /// assert_eq!(second.err(), Some(Error::AddressInUse));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn bind(&self, address: impl AsRef<[u8]>) -> Result<Endpoint, Error> {
        Ok(Endpoint::new(&self.handle, self.enter()?.bind(address.as_ref())?))
    }

    /// Connects the socket to an address, now or as soon as somebody is bound to it, and again
    /// whenever the connection is lost.
    ///
    /// `address` is `inproc://name`, `ipc://path` or `tcp://host:port`; `tcp://local;host:port`
    /// connects from the local interface of that name or address.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if that is no address, [`Error::AddressTooLong`],
    /// [`Error::UnknownTransport`], [`Error::NoSuchInterface`] or [`Error::Closed`]. That nobody
    /// is there is not an error.
    ///
    /// ```
    /// # use nanomsg::{Error, Pull};
    /// let socket = Pull::new()?;
    /// socket.connect("inproc://doc/connect")?;
    /// assert_eq!(socket.connect("pigeon://doc").err(), Some(Error::UnknownTransport));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn connect(&self, address: impl AsRef<[u8]>) -> Result<Endpoint, Error> {
        Ok(Endpoint::new(&self.handle, self.enter()?.connect(address.as_ref())?))
    }

    /// Closes the socket: ends the calls of other threads on it with [`Error::Closed`], and
    /// delivers what was sent, for as long as [`Socket::linger`] says. Dropping the socket does
    /// the same; this is for stopping threads that share it.
    ///
    /// # Errors
    /// [`Error::Closed`] if it is closed already.
    ///
    /// ```
    /// # use nanomsg::{Error, Pull};
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
        // Once, because the number may be another socket's afterwards.
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return Err(Error::Closed);
        }
        self.handle.close()
    }
}

impl<P: Pattern> Drop for Socket<P> {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.close();
    }
}

impl<P: Pattern> fmt::Debug for Socket<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("role", &P::PROTOCOL).field("id", &self.handle).finish_non_exhaustive()
    }
}
