//! Streams of the simulated machine, which behaves as Linux does.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::path::PathBuf;

use if_addrs::Interface;
use libc::c_int;
use mio::Interest;
use socket2::MaybeUninitSlice;

use crate::address::LocalName;
use crate::machine::{self, Place, poller};
use crate::pipe::Credentials;
use crate::sync::Descriptor;
use crate::transport::PeerWatch;

/// There is no SIGPIPE.
pub(in crate::transport::stream) const NO_SIGNAL: c_int = 0;

/// As on Linux.
pub(in crate::transport::stream) const SHORT_READ_IS_ALL: bool = true;

/// As on Linux.
pub(in crate::transport::stream) const NO_INTEREST: Option<Interest> = Some(Interest::PRIORITY);

/// The error of a host that cannot be reached.
pub(in crate::transport::stream) const UNREACHABLE: i32 = libc::EHOSTUNREACH;

/// An object with a descriptor.
pub(in crate::transport::stream) trait HasDescriptor {
    /// Its descriptor.
    fn number(&self) -> Descriptor;
}

/// A descriptor, as the poller takes it.
pub(in crate::transport::stream) struct Polled(Descriptor);

/// The descriptor of `source`, for the poller.
pub(in crate::transport::stream) fn polled(source: &impl HasDescriptor) -> Polled {
    Polled(source.number())
}

impl poller::Source for Polled {
    fn descriptor(&self) -> Descriptor {
        self.0
    }
}

/// A connection of tcp or ipc.
pub(in crate::transport::stream) struct Stream(machine::Stream);

impl HasDescriptor for Stream {
    fn number(&self) -> Descriptor {
        self.0.descriptor()
    }
}

impl Stream {
    pub(in crate::transport::stream) fn set_tcp_nodelay(&self, _is_set: bool) -> io::Result<()> {
        Ok(())
    }

    pub(in crate::transport::stream) fn recv(&self, buffer: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let bytes = self.0.read(buffer.len())?;
        fill(buffer, &bytes);
        Ok(bytes.len())
    }

    pub(in crate::transport::stream) fn recv_vectored(
        &self,
        buffers: &mut [MaybeUninitSlice<'_>],
    ) -> io::Result<(usize, ())> {
        let bytes = self.0.read(buffers.iter().map(|buffer| buffer.len()).sum())?;
        let mut left = &bytes[..];
        for buffer in buffers {
            let (part, rest) = left.split_at(left.len().min(buffer.len()));
            fill(buffer, part);
            left = rest;
        }
        Ok((bytes.len(), ()))
    }

    pub(in crate::transport::stream) fn send_with_flags(&self, bytes: &[u8], _: c_int) -> io::Result<usize> {
        self.0.write(bytes)
    }

    pub(in crate::transport::stream) fn send_vectored_with_flags(
        &self,
        pieces: &[IoSlice<'_>],
        _: c_int,
    ) -> io::Result<usize> {
        let mut bytes = Vec::new();
        for piece in pieces {
            let left = machine::room().saturating_sub(bytes.len());
            bytes.extend_from_slice(&piece[..piece.len().min(left)]);
        }
        self.0.write(&bytes)
    }

    pub(in crate::transport::stream) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shut_down(how);
        Ok(())
    }
}

fn fill(buffer: &mut [MaybeUninit<u8>], bytes: &[u8]) {
    for (place, byte) in buffer.iter_mut().zip(bytes) {
        place.write(*byte);
    }
}

/// An acceptor of tcp or ipc.
pub(in crate::transport::stream) struct Acceptor {
    raw: machine::Acceptor,
    /// Its port, if it is one of tcp.
    port: Option<u16>,
}

impl HasDescriptor for Acceptor {
    fn number(&self) -> Descriptor {
        self.raw.descriptor()
    }
}

impl Acceptor {
    /// Accepts the next pending connection.
    ///
    /// # Errors
    /// Those of the machine, `WouldBlock` among them.
    pub(in crate::transport::stream) fn accept(&self) -> io::Result<Stream> {
        self.raw.accept().map(Stream)
    }

    /// The network address that it listens at, if it is one of tcp.
    pub(in crate::transport::stream) fn local_addr(&self) -> Option<SocketAddr> {
        self.port.map(|port| (Ipv4Addr::LOCALHOST, port).into())
    }

    /// The machine chooses no names.
    pub(in crate::transport::stream) fn abstract_name(&self) -> Option<Vec<u8>> {
        None
    }

    /// The process does not exit.
    pub(in crate::transport::stream) fn remove_file(&self) {}

    /// There are no forked children.
    pub(in crate::transport::stream) fn stop(&self) {}
}

/// The address of a Unix-domain socket.
pub(in crate::transport::stream) type LocalAddress = PathBuf;

/// The address of `name`.
///
/// # Errors
/// None.
pub(in crate::transport::stream) fn local_address(name: &LocalName) -> io::Result<LocalAddress> {
    match name {
        LocalName::Path(path) => Ok(path.clone()),
        LocalName::Abstract(name) => Ok(format!("\0{}", name.escape_ascii()).into()),
    }
}

/// Listens at `name`. There are no users, and so no permissions.
///
/// # Errors
/// Those of the machine.
pub(in crate::transport::stream) fn listen_locally(
    name: &LocalName,
    _permissions: u32,
) -> io::Result<Acceptor> {
    machine::listen(Place::Path(local_address(name)?)).map(|raw| Acceptor { raw, port: None })
}

/// Starts connecting to a Unix-domain socket.
///
/// # Errors
/// Those of the machine.
pub(in crate::transport::stream) fn connect_local(address: &LocalAddress) -> io::Result<Stream> {
    machine::connect(&Place::Path(address.clone())).map(Stream)
}

/// The first port that is given to an acceptor without one.
const FIRST_CHOSEN_PORT: u16 = 49152;

/// Listens at a port.
///
/// # Errors
/// Those of the machine.
pub(in crate::transport::stream) fn listen_to_network(
    address: SocketAddr,
    _only_v6: bool,
) -> io::Result<Acceptor> {
    let is_chosen = address.port() == 0;
    let mut port = if is_chosen { FIRST_CHOSEN_PORT } else { address.port() };
    loop {
        match machine::listen(Place::Port(port)) {
            Err(error) if is_chosen && error.kind() == io::ErrorKind::AddrInUse && port < u16::MAX => {
                port += 1;
            }
            listening => return listening.map(|raw| Acceptor { raw, port: Some(port) }),
        }
    }
}

/// Starts connecting to a port of the machine. No other host can be reached.
///
/// # Errors
/// Those of the machine.
pub(in crate::transport::stream) fn connect_to_network(
    address: SocketAddr,
    _local: Option<SocketAddr>,
) -> io::Result<Stream> {
    machine::connect_to(address).map(Stream)
}

pub(in crate::transport::stream) use crate::machine::look_up;

/// There are no interfaces.
pub(in crate::transport::stream) fn interfaces() -> Vec<Interface> {
    Vec::new()
}

/// Whether the stream is connected; `false` while it connects.
///
/// # Errors
/// Why the connect has failed.
pub(in crate::transport::stream) fn is_connected(stream: &Stream) -> io::Result<bool> {
    stream.0.is_connected()
}

/// The descriptor that a thread polls before it reads from the stream itself.
pub(in crate::transport::stream) fn descriptor(stream: &Stream) -> Option<Descriptor> {
    Some(stream.number())
}

/// Does nothing: the machine's streams have no such options.
///
/// # Errors
/// None.
pub(in crate::transport::stream) fn watch_peer(_stream: &Stream, _watch: &PeerWatch) -> io::Result<()> {
    Ok(())
}

/// The poller has reported that the stream is writable. Returns whether the stream may be readable too.
pub(in crate::transport::stream) fn note_writable(_stream: &Stream) -> bool {
    false
}

/// Whether the error of a call on a stream is a lack of memory.
pub(in crate::transport::stream) fn is_scarce(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

/// Streams of the machine have no addresses.
pub(in crate::transport::stream) fn network_addresses(
    _stream: &Stream,
) -> (Option<SocketAddr>, Option<SocketAddr>) {
    (None, None)
}

/// Peers of the machine have no user.
pub(in crate::transport::stream) fn credentials(_stream: &Stream) -> Option<Credentials> {
    None
}

/// Makes the close of the stream discard what was not received.
pub(in crate::transport::stream) fn abandon_unsent(stream: &Stream) {
    stream.0.abandon_unsent();
}

/// Whether the peer may not have received everything.
pub(in crate::transport::stream) fn has_unacknowledged(stream: &Stream) -> bool {
    stream.0.has_unacknowledged()
}
