//! Transports of the program: what it implements, and the table of their schemes.
//!
//! Owns the table. `stream::custom` makes endpoints of what a transport returns.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::address::Address;
use crate::error::Error;
use crate::sync::{Mutex, PerProcess, lock, rank};

/// A way to make streams of bytes. [`add_transport`] gives it a scheme.
///
/// Its methods are called in the thread that binds or connects, and in an I/O thread, where all connections wait until they
/// return. So neither these nor those of the values that they return may block, or call a socket of this library. A panic counts
/// as an error.
///
/// An error should be one of the operating system ([`io::Error::from_raw_os_error`]) or a value of [`Error`]: others become
/// [`Error::InvalidArgument`].
pub trait Transport: Send + Sync + 'static {
    /// Begins to listen at an address, of which these are the bytes behind `://`.
    ///
    /// # Errors
    /// What [`Socket::bind`](crate::Socket::bind) returns.
    fn listen(&self, address: &[u8]) -> io::Result<Box<dyn StreamListener>>;

    /// Begins to connect to an address, of which these are the bytes behind `://`. It is called again after each failure and
    /// each loss of the connection, when the [time between two
    /// attempts](crate::Socket::set_reconnect_interval) is over.
    ///
    /// # Errors
    /// Why there is no connection now.
    fn connect(&self, address: &[u8]) -> io::Result<Box<dyn ByteStream>>;
}

/// What listens at an address. Dropping it ends that.
///
/// Its descriptor must be readable while a connection can be accepted. The library duplicates it, sets `O_NONBLOCK`, and polls
/// the duplicate.
pub trait StreamListener: AsFd + Send + Sync {
    /// Accepts the next connection.
    ///
    /// # Errors
    /// `WouldBlock` if none is pending. After another error the library waits for a moment, and tries again.
    fn accept(&self) -> io::Result<Box<dyn ByteStream>>;

    /// The whole address with its scheme, if the one to bind has left something open.
    fn address(&self) -> Option<String> {
        None
    }
}

/// A stream of bytes in both directions, which keeps their order and loses none.
///
/// Its one descriptor is polled for both directions: a socket, a terminal, a device. The library duplicates it, sets `O_NONBLOCK`,
/// and polls the duplicate for changes (epoll's edge-triggered mode): after `WouldBlock` it calls again when the descriptor has become
/// readable or writable. One thread may be in `read` while another one is in `write`.
pub trait ByteStream: AsFd + Send + Sync {
    /// Whether a connection that [`Transport::connect`] has begun is made. Asked at once, and each time the descriptor becomes
    /// writable.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn is_connected(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Reads into the buffer, which contains zeros. Returns the number of bytes; zero is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing to read. Each other error but `Interrupted` ends the connection.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as many bytes of the pieces, in their order, as there is room for. Returns their number. SIGPIPE must not be
    /// raised.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room. Each other error but `Interrupted` ends the connection.
    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends one direction or both, for each process that has the descriptor. After `Write` the peer must still get what was
    /// written. Dropping the stream follows after `Both`.
    fn shutdown(&self, how: Shutdown);
}

/// The transports by their schemes.
type Table = BTreeMap<Box<[u8]>, Arc<dyn Transport>>;

static TABLE: PerProcess<Mutex<Table, rank::Transports>> = PerProcess::new(Mutex::default);

/// Adds a transport: from now on each socket of the process binds and connects to `scheme://…` by it, and speaks the tcp mapping over
/// its streams. It stays until the process ends. A forked child begins without it, and may add it again.
///
/// # Errors
/// [`Error::InvalidArgument`] if the scheme is empty, has other characters than ASCII letters, digits, `+`, `-` and `.`, or is
/// one of the library's own; [`Error::AddressInUse`] if it was added before.
///
/// ```
/// # #[cfg(unix)] {
/// use scaproust::custom::{ByteStream, StreamListener, Transport, add_transport};
/// use std::io;
///
/// struct Nowhere;
///
/// impl Transport for Nowhere {
///     fn listen(&self, _address: &[u8]) -> io::Result<Box<dyn StreamListener>> {
///         Err(scaproust::Error::NoSuchInterface.into())
///     }
///     fn connect(&self, _address: &[u8]) -> io::Result<Box<dyn ByteStream>> {
///         Err(io::ErrorKind::ConnectionRefused.into())
///     }
/// }
///
/// add_transport("nowhere", Nowhere)?;
/// let socket = scaproust::Pair::new()?;
/// assert_eq!(socket.bind("nowhere://x").err(), Some(scaproust::Error::NoSuchInterface));
/// assert!(socket.connect("nowhere://x").is_ok()); // It is tried again and again.
/// assert_eq!(add_transport("nowhere", Nowhere), Err(scaproust::Error::AddressInUse));
/// assert_eq!(add_transport("tcp", Nowhere), Err(scaproust::Error::InvalidArgument));
/// # }
/// # Ok::<(), scaproust::Error>(())
/// ```
pub fn add_transport(scheme: &str, transport: impl Transport) -> Result<(), Error> {
    let is_character = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_own = Address::to_bind(&[scheme.as_bytes(), b"://"].concat()) != Err(Error::UnknownTransport);
    if scheme.is_empty() || !scheme.bytes().all(is_character) || is_own {
        return Err(Error::InvalidArgument);
    }
    let mut table = lock(TABLE.get());
    if table.contains_key(scheme.as_bytes()) {
        return Err(Error::AddressInUse);
    }
    table.insert(scheme.as_bytes().into(), Arc::new(transport));
    Ok(())
}

/// The transport of an address whose scheme is not the library's own, and the bytes behind `://`.
///
/// # Errors
/// [`Error::UnknownTransport`] if the program has added none.
pub(super) fn find(address: &[u8]) -> Result<(Arc<dyn Transport>, &[u8]), Error> {
    let (scheme, rest) = Address::split(address)?;
    let transport = lock(TABLE.get()).get(scheme).cloned();
    Ok((transport.ok_or(Error::UnknownTransport)?, rest))
}
