//! An endpoint: one address that a socket is bound or connected to.

use super::handle::Handle;
use crate::error::Error;
use crate::socket::EndpointStatistics;

/// An address that a socket is bound or connected to, returned by [`Socket::bind`](crate::Socket::bind)
/// and [`Socket::connect`](crate::Socket::connect).
///
/// Dropping it has no effect: the endpoint exists until it is shut down or its socket is closed.
#[derive(Debug)]
pub struct Endpoint {
    socket: Handle,
    id: i32,
}

impl Endpoint {
    pub(super) fn new(socket: &Handle, id: i32) -> Endpoint {
        Endpoint { socket: socket.clone(), id }
    }

    /// Enters a call of its socket.
    #[cfg(feature = "tls")]
    pub(super) fn enter(&self) -> Result<crate::socket::Call, Error> {
        self.socket.enter()
    }

    /// The number of the endpoint: 1 for the first one of a socket, then 2, and so on.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The address of the endpoint, with what the system has chosen: a port in place of port 0, a name in place of
    /// the empty one of `abstract://`. Bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// [`Error::Closed`] if the socket is closed, [`Error::InvalidArgument`] if C code has removed the endpoint.
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (receiver, sender) = (Pull::new()?, Push::new()?);
    /// let address = receiver.bind("tcp://127.0.0.1:0")?.address()?;
    /// assert!(!address.ends_with(":0"));
    /// sender.connect(address)?;
    /// sender.send(b"hello")?;
    /// assert_eq!(*receiver.recv()?, *b"hello");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn address(&self) -> Result<String, Error> {
        let address = self.socket.enter()?.endpoint_address(self.id)?;
        Ok(String::from_utf8_lossy(&address).into_owned())
    }

    /// What has happened to the endpoint since it was added: its connections, their messages, and failures.
    ///
    /// # Errors
    /// As [`Endpoint::address`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (receiver, sender) = (Pull::new()?, Push::new()?);
    /// let bound = receiver.bind("inproc://doc/endpoint/statistics")?;
    /// sender.connect("inproc://doc/endpoint/statistics")?;
    /// sender.send(b"hello")?;
    /// receiver.recv()?;
    /// let statistics = bound.statistics()?;
    /// assert_eq!((statistics.current_connections, statistics.traffic.bytes_received), (1, 5));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn statistics(&self) -> Result<EndpointStatistics, Error> {
        self.socket.enter()?.endpoint_statistics(self.id)
    }

    /// Removes the endpoint and its connections. Messages already sent on it are delivered in the
    /// background, within [`Socket::linger`](crate::Socket::linger); the call does not wait.
    ///
    /// # Errors
    /// [`Error::Closed`] if the socket is closed.
    ///
    /// ```
    /// # use scaproust::{Error, Push};
    /// let socket = Push::new()?;
    /// let first = socket.bind("inproc://doc/endpoint/first")?;
    /// let second = socket.bind("inproc://doc/endpoint/second")?;
    /// assert_eq!((first.id(), second.id()), (1, 2));
    /// first.shutdown()?;
    /// drop(socket);
    /// assert_eq!(second.shutdown(), Err(Error::Closed));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn shutdown(self) -> Result<(), Error> {
        self.socket.enter()?.shutdown(self.id)
    }
}
