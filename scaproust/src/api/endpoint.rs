//! An endpoint: one address that a socket is bound or connected to.

use std::net::SocketAddr;
use std::time::Instant;

use super::handle::Handle;
use super::transfer::until;
use crate::error::Error;
use crate::socket::{EndpointId, EndpointStatistics, wait_connected};

/// An address that a socket is bound or connected to, returned by [`Socket::bind`](crate::Socket::bind)
/// and [`Socket::connect`](crate::Socket::connect), or made with options of its own by
/// [`Socket::listener`](crate::Socket::listener) and [`Socket::dialer`](crate::Socket::dialer).
///
/// Dropping it has no effect: the endpoint exists until it or its socket is closed.
#[derive(Debug)]
pub struct Endpoint {
    socket: Handle,
    id: i32,
}

impl Endpoint {
    pub(super) fn new(socket: &Handle, id: i32) -> Endpoint {
        Endpoint { socket: socket.clone(), id }
    }

    /// Its socket.
    pub(super) fn handle(&self) -> &Handle {
        &self.socket
    }

    /// Enters a call of its socket.
    #[cfg(feature = "tls")]
    pub(super) fn enter(&self) -> Result<crate::socket::Call, Error> {
        self.socket.enter()
    }

    /// The number of the endpoint, as events, peers and statistics have it.
    #[must_use]
    pub fn id(&self) -> EndpointId {
        EndpointId(self.id)
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

    /// The network address at which an endpoint listens that is bound over tcp or ws, with the port that the system has
    /// chosen. With `tcp://*:…` its IP address is unspecified.
    ///
    /// # Errors
    /// [`Error::NotSupported`] if the endpoint is connected, or is one of another transport; [`Error::Closed`] if the socket
    /// is closed, [`Error::InvalidArgument`] if C code has removed the endpoint.
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// let socket = Pull::new()?;
    /// let endpoint = socket.bind("tcp://127.0.0.1:0")?;
    /// let address = endpoint.local_addr()?;
    /// assert!(address.ip().is_loopback() && address.port() != 0);
    /// assert_eq!(endpoint.address()?, format!("tcp://{address}"));
    /// assert_eq!(socket.bind("inproc://doc/local_addr")?.local_addr(), Err(Error::NotSupported));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn local_addr(&self) -> Result<SocketAddr, Error> {
        self.socket.enter()?.endpoint_local_addr(self.id)?.ok_or(Error::NotSupported)
    }

    /// Waits until the endpoint has a connection over which the peer has been greeted; not at all if it has one. Signals do
    /// not end the call.
    ///
    /// # Errors
    /// [`Error::TimedOut`] at the deadline; [`Error::Closed`] if the socket is closed, [`Error::InvalidArgument`] if C code
    /// removes the endpoint.
    ///
    /// ```
    /// # use scaproust::{Error, Pub, Sub};
    /// # use std::time::{Duration, Instant};
    /// let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
    /// subscriber.subscribe("")?;
    /// let listener = publisher.bind("tcp://127.0.0.1:0")?;
    /// let dialer = subscriber.connect(listener.address()?)?;
    ///
    /// let deadline = Instant::now() + Duration::from_secs(10);
    /// dialer.wait_connected(deadline)?;
    /// listener.wait_connected(deadline)?;
    /// publisher.send("the first message has a receiver")?;
    /// assert_eq!(subscriber.recv()?, "the first message has a receiver");
    ///
    /// let nothing = publisher.connect("inproc://doc/wait_connected")?;
    /// assert_eq!(nothing.wait_connected(Instant::now()), Err(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn wait_connected(&self, deadline: Instant) -> Result<(), Error> {
        wait_connected(self.socket.enter()?, self.id, until(deadline), false)
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
    /// assert_eq!((first.id().get(), second.id().get()), (1, 2));
    /// first.close()?;
    /// drop(socket);
    /// assert_eq!(second.close(), Err(Error::Closed));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn close(self) -> Result<(), Error> {
        self.socket.enter()?.shutdown(self.id)
    }
}
