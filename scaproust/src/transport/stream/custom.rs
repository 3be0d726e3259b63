//! Endpoints of the program's transports: their streams and listeners behind descriptors of the library.
//!
//! The poller gets a duplicate of each descriptor, so that it stays registered whatever the program does with its own.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;

use socket2::Socket;

use super::carrier::{AnyAcceptor, Carrier};
use super::dialer::{Dialer, Target};
use super::kind::StreamKind;
use super::listener::{Chosen, Listener};
use super::platform;
use crate::error::Error;
use crate::sync::contained;
use crate::transport::custom::{ByteStream, StreamListener, Transport};
use crate::transport::{Endpoint, EndpointContext};
use crate::wire::Mapping;

/// The most bytes of one read: so many are set to zero before it.
const READ_SIZE: usize = 32 * 1024;

/// Binds an endpoint.
///
/// # Errors
/// The transport's, or the operating system's.
pub(in crate::transport) fn bind(
    transport: &dyn Transport,
    address: &[u8],
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let listener = guarded(|| transport.listen(address))?;
    let chosen = guarded(|| Ok(listener.address()))?.map(String::into_bytes).map(Chosen::Address);
    let acceptor = AnyAcceptor::Custom(CustomAcceptor::new(listener)?);
    let reactor = context.reactor()?;
    Ok(Listener::start(acceptor, chosen, StreamKind::Custom, Mapping::Tcp, context, reactor)?)
}

/// Connects an endpoint.
///
/// # Errors
/// The operating system's.
pub(in crate::transport) fn connect(
    transport: Arc<dyn Transport>,
    address: &[u8],
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let target = Target::Custom(CustomAddress { transport, address: address.into() });
    let reactor = context.reactor()?;
    Ok(Dialer::start(target, StreamKind::Custom, Mapping::Tcp, context, reactor))
}

/// Where a transport of the program is to connect to.
#[derive(Clone)]
pub(super) struct CustomAddress {
    transport: Arc<dyn Transport>,
    address: Arc<[u8]>,
}

impl CustomAddress {
    /// Starts connecting.
    ///
    /// # Errors
    /// The transport's, or the operating system's.
    pub(super) fn connect(&self) -> io::Result<Carrier> {
        guarded(|| self.transport.connect(&self.address)).and_then(CustomStream::new).map(Carrier::Custom)
    }
}

/// A listener of the program.
pub(super) struct CustomAcceptor {
    /// Its descriptor, for the poller.
    pub(super) polled: platform::Acceptor,
    listener: Box<dyn StreamListener>,
}

impl CustomAcceptor {
    fn new(listener: Box<dyn StreamListener>) -> io::Result<CustomAcceptor> {
        Ok(CustomAcceptor { polled: duplicate(&listener)?.into(), listener })
    }

    /// Accepts the next pending connection.
    ///
    /// # Errors
    /// The listener's, or the operating system's.
    pub(super) fn accept(&self) -> io::Result<Carrier> {
        guarded(|| self.listener.accept()).and_then(CustomStream::new).map(Carrier::Custom)
    }
}

/// A stream of the program.
pub(super) struct CustomStream {
    /// Its descriptor, for the poller.
    pub(super) polled: platform::Stream,
    stream: Box<dyn ByteStream>,
}

impl CustomStream {
    fn new(stream: Box<dyn ByteStream>) -> io::Result<CustomStream> {
        Ok(CustomStream { polled: duplicate(&stream)?, stream })
    }

    /// Whether the stream is connected; `false` while that is in progress.
    ///
    /// # Errors
    /// The reason why the connect has failed.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        guarded(|| self.stream.is_connected())
    }

    /// The descriptor and the stream.
    pub(super) fn into_parts(self) -> (platform::Stream, CustomLayer) {
        (self.polled, CustomLayer(self.stream))
    }

    /// Ends both directions.
    pub(super) fn abandon(&self) {
        _ = contained(|| self.stream.shutdown(Shutdown::Both));
    }
}

/// The layer that leaves reading and writing to the program's stream.
pub(super) struct CustomLayer(Box<dyn ByteStream>);

impl CustomLayer {
    /// Reads into `room`. Returns the number of bytes; zero is the end.
    ///
    /// # Errors
    /// The stream's.
    pub(super) fn read(&self, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let size = room.len().min(READ_SIZE);
        let room = &mut room[..size];
        let start = room.as_mut_ptr().cast::<u8>();
        // SAFETY: the memory has this size, and each byte is set before it becomes part of the slice.
        let buffer = unsafe {
            start.write_bytes(0, size);
            std::slice::from_raw_parts_mut(start, size)
        };
        checked(guarded(|| self.0.read(buffer))?, size)
    }

    /// Writes bytes of `pieces`. Returns their number.
    ///
    /// # Errors
    /// The stream's.
    pub(super) fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let size = pieces.iter().map(|piece| piece.len()).sum();
        checked(guarded(|| self.0.write(pieces))?, size)
    }

    /// Ends one direction or both.
    pub(super) fn shutdown(&self, how: Shutdown) {
        _ = contained(|| self.0.shutdown(how));
    }
}

/// The result of the program's code; a panic in it is an error.
fn guarded<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    contained(call).unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EIO)))
}

/// A number of bytes that the program's code has returned, which must not be more than there were.
fn checked(count: usize, size: usize) -> io::Result<usize> {
    if count <= size { Ok(count) } else { Err(io::Error::from_raw_os_error(libc::EIO)) }
}

/// A duplicate of a descriptor, above the standard ones, for the poller. It need not be that of a socket.
fn duplicate(source: &(impl AsFd + ?Sized)) -> io::Result<Socket> {
    let duplicate = guarded(|| source.as_fd().try_clone_to_owned())?;
    let duplicate = Socket::from(duplicate);
    duplicate.set_nonblocking(true)?;
    Ok(duplicate)
}
