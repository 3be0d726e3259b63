//! Endpoints with options of their own.

#[cfg(feature = "tls")]
use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::endpoint::Endpoint;
use super::options::{Keepalive, milliseconds};
use super::pattern::Pattern;
use super::socket::Socket;
#[cfg(feature = "tls")]
use super::tls::TlsConfig;
use crate::error::Error;
use crate::option::{SocketOption, Value};
use crate::socket::EndpointOptions;

/// The direction of a [`Dialer`].
#[derive(Debug)]
pub enum Connects {}

/// The direction of a [`Listener`].
#[derive(Debug)]
pub enum Binds {}

/// An endpoint that is about to be connected; from [`Socket::dialer`].
pub type Dialer<'a, P> = EndpointBuilder<'a, P, Connects>;

/// An endpoint that is about to be bound; from [`Socket::listener`].
pub type Listener<'a, P> = EndpointBuilder<'a, P, Binds>;

/// An endpoint that does not exist yet, and the options that it will have in place of those of its socket; see
/// [`Dialer`] and [`Listener`].
///
/// An invalid option is an error of `start`.
#[must_use = "an endpoint is made by `start`"]
pub struct EndpointBuilder<'a, P: Pattern, Direction> {
    socket: &'a Socket<P>,
    address: Vec<u8>,
    options: EndpointOptions,
    /// The first option that was invalid.
    error: Option<Error>,
    direction: PhantomData<fn() -> Direction>,
}

impl<P: Pattern, Direction> EndpointBuilder<'_, P, Direction> {
    fn set(mut self, option: SocketOption, value: Result<i32, Error>) -> Self {
        match value {
            Ok(value) => self.options.set(option, Value::Int(value)),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        self
    }

    /// Sets the priority of the endpoint's peers for sending and receiving: 1 (highest) to 16; see
    /// [`Socket::set_send_priority`] and [`Socket::set_recv_priority`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (source, first, second) = (Push::new()?, Pull::new()?, Pull::new()?);
    /// first.bind("inproc://doc/priority/first")?;
    /// second.bind("inproc://doc/priority/second")?;
    /// source.dialer("inproc://doc/priority/second").priority(9).start()?;
    /// source.dialer("inproc://doc/priority/first").priority(1).start()?;
    /// source.send("a task")?;
    /// assert_eq!(first.recv()?, "a task");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn priority(self, priority: u8) -> Self {
        self.send_priority(priority).recv_priority(priority)
    }

    /// Sets the priority of the endpoint's peers for sending, as [`Socket::set_send_priority`].
    pub fn send_priority(self, priority: u8) -> Self {
        self.set(SocketOption::SendPriority, Ok(priority.into()))
    }

    /// Sets the priority of the endpoint's peers for receiving, as [`Socket::set_recv_priority`].
    pub fn recv_priority(self, priority: u8) -> Self {
        self.set(SocketOption::ReceivePriority, Ok(priority.into()))
    }

    /// Sets whether the endpoint uses only IPv4 addresses, as [`Socket::set_ipv4_only`].
    pub fn ipv4_only(self, ipv4_only: bool) -> Self {
        self.set(SocketOption::Ipv4Only, Ok(ipv4_only.into()))
    }

    /// Sets the bytes of a ring in shared memory for the endpoint's connections over ipc, as
    /// [`Socket::set_ipc_shared_memory`].
    pub fn ipc_shared_memory(self, bytes: Option<u32>) -> Self {
        let bytes = i32::try_from(bytes.unwrap_or(0)).map_err(|_| Error::InvalidArgument);
        self.set(SocketOption::IpcSharedMemory, bytes)
    }

    /// Sets how the system probes silent peers of the endpoint, as [`Socket::set_tcp_keepalive`].
    pub fn tcp_keepalive(mut self, keepalive: Option<Keepalive>) -> Self {
        match keepalive.map(Keepalive::settings) {
            None => self.set(SocketOption::TcpKeepalive, Ok(0)),
            Some(Ok(settings)) => {
                settings.into_iter().fold(self, |builder, (option, value)| builder.set(option, Ok(value)))
            }
            Some(Err(error)) => {
                self.error.get_or_insert(error);
                self
            }
        }
    }

    /// Sets the time for which bytes that the endpoint has sent may stay unacknowledged, as
    /// [`Socket::set_tcp_user_timeout`].
    pub fn tcp_user_timeout(self, time: Option<Duration>) -> Self {
        self.set(SocketOption::TcpUserTimeout, milliseconds(time.unwrap_or_default()))
    }

    /// Sets the certificates and the verification of peers for the endpoint, as [`Socket::set_tls`]. The files are read by
    /// this call, to check them, and by `start`.
    ///
    /// ```
    /// use scaproust::{Pull, Push, TlsConfig};
    ///
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/certificates")).unwrap();
    /// let (server, client) = (Pull::new()?, Push::new()?);
    /// let identity = TlsConfig::new().cert_file("server-cert.pem").key_file("server-key.pem");
    /// let listener = server.listener("tls+tcp://127.0.0.1:0").tls(identity).start()?;
    /// let port = listener.local_addr()?.port();
    /// client.dialer(format!("tls+tcp://localhost:{port}")).tls(TlsConfig::new().ca_file("ca.pem")).start()?;
    /// client.send("a secret")?;
    /// assert_eq!(server.recv()?, "a secret");
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: impl Borrow<TlsConfig>) -> Self {
        match config.borrow().settings() {
            Ok(settings) => self.options.set_tls(settings),
            Err(error) => _ = self.error.get_or_insert(error),
        }
        self
    }

    /// The id of the endpoint that `make` makes, as an endpoint.
    fn make(
        self,
        make: impl FnOnce(&crate::socket::Socket, &[u8], &EndpointOptions) -> Result<i32, Error>,
    ) -> Result<Endpoint, Error> {
        let EndpointBuilder { socket, address, options, error, .. } = self;
        match error {
            None => Ok(Endpoint::new(&socket.handle, make(&*socket.enter()?, &address, &options)?)),
            Some(error) => Err(error),
        }
    }
}

impl<P: Pattern> Dialer<'_, P> {
    /// Sets the waits between two attempts to connect: the first one, and the longest, up to which they double. They are
    /// rounded up to milliseconds.
    pub fn reconnect(mut self, waits: RangeInclusive<Duration>) -> Self {
        if waits.is_empty() {
            self.error.get_or_insert(Error::InvalidArgument);
        }
        self.set(SocketOption::ReconnectInterval, milliseconds(*waits.start()))
            .set(SocketOption::ReconnectIntervalMax, milliseconds(*waits.end()))
    }

    /// Makes the endpoint. The connection is made in the background: [`Endpoint::wait_connected`] waits for it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an option out of range, [`Error::UnknownOption`] for one that the operating system
    /// does not have; those of [`Socket::connect`].
    pub fn start(self) -> Result<Endpoint, Error> {
        self.make(|socket, address, options| socket.connect_with(address, options))
    }
}

impl<P: Pattern> Listener<'_, P> {
    /// Sets the permissions of the endpoint's file over ipc, as [`Socket::set_ipc_permissions`].
    pub fn ipc_permissions(self, mode: Option<u32>) -> Self {
        let mode = i32::try_from(mode.unwrap_or(0)).map_err(|_| Error::InvalidArgument);
        self.set(SocketOption::IpcPermissions, mode)
    }

    /// Sets the networks from which the endpoint accepts peers, as [`Socket::set_accepted_networks`].
    pub fn accepted_networks(mut self, networks: &str) -> Self {
        self.options.set(SocketOption::TcpAccept, Value::Bytes(networks.into()));
        self
    }

    /// Makes the endpoint.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an option out of range, [`Error::UnknownOption`] for one that the operating system
    /// does not have; those of [`Socket::bind`].
    pub fn start(self) -> Result<Endpoint, Error> {
        self.make(|socket, address, options| socket.bind_with(address, options))
    }
}

impl<P: Pattern> Socket<P> {
    /// Prepares an endpoint that connects to an address, as [`Socket::connect`] does, with options of its own.
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// # use std::time::{Duration, Instant};
    /// let (worker, source) = (Pull::new()?, Push::new()?);
    /// let listener = worker.bind("tcp://127.0.0.1:0")?;
    /// let dialer = source
    ///     .dialer(listener.address()?)
    ///     .reconnect(Duration::from_millis(20)..=Duration::from_secs(5))
    ///     .priority(1)
    ///     .start()?;
    /// dialer.wait_connected(Instant::now() + Duration::from_secs(10))?;
    /// source.send("a task")?;
    /// assert_eq!(worker.recv()?, "a task");
    /// assert_eq!(source.dialer("tcp://localhost:5555").priority(17).start().err(), Some(Error::InvalidArgument));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn dialer(&self, address: impl AsRef<[u8]>) -> Dialer<'_, P> {
        self.endpoint_builder(address.as_ref())
    }

    /// Prepares an endpoint that is bound to an address, as [`Socket::bind`] does, with options of its own.
    ///
    /// ```
    /// # use scaproust::{Error, EventKind, Pull, Push};
    /// let (worker, source) = (Pull::new()?, Push::new()?);
    /// let mut events = worker.events()?;
    /// let listener = worker.listener("tcp://127.0.0.1:0").accepted_networks("10.0.0.0/8").start()?;
    /// source.connect(listener.address()?)?;
    /// assert!(events.any(|event| event.kind == EventKind::Refused));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn listener(&self, address: impl AsRef<[u8]>) -> Listener<'_, P> {
        self.endpoint_builder(address.as_ref())
    }

    fn endpoint_builder<Direction>(&self, address: &[u8]) -> EndpointBuilder<'_, P, Direction> {
        EndpointBuilder {
            socket: self,
            address: address.to_owned(),
            options: EndpointOptions::default(),
            error: None,
            direction: PhantomData,
        }
    }
}

impl<P: Pattern, Direction> fmt::Debug for EndpointBuilder<'_, P, Direction> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = String::from_utf8_lossy(&self.address);
        f.debug_struct("EndpointBuilder").field("address", &address).finish_non_exhaustive()
    }
}
