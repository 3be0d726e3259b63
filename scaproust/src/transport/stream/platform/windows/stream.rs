//! A connection of tcp or ipc.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};

use libc::c_int;
use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{MaybeUninitSlice, SockRef, Socket};

use super::named_pipe::{self, LocalAddress, PipeEnd};
use crate::sync::{RwLock, rank};
use crate::transport::PeerWatch;
use crate::transport::stream::platform::sockets::{self, is_connected, network_addresses};

/// A socket or a pipe. Reads and writes hold the lock shared; registering and closing hold it exclusively.
#[derive(Debug)]
pub(in crate::transport::stream) struct Stream(RwLock<Kind, rank::Stream>);

#[derive(Debug)]
enum Kind {
    Network(TcpStream),
    Pipe(PipeEnd),
    /// A pipe that was shut down: only closing it tells the peer.
    Gone,
}

/// Connects to a named pipe.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn connect_local(name: &LocalAddress) -> io::Result<Stream> {
    named_pipe::open(name).map(Stream::from)
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Stream {
        std::net::TcpStream::from(socket).into()
    }
}

impl From<std::net::TcpStream> for Stream {
    fn from(stream: std::net::TcpStream) -> Stream {
        TcpStream::from_std(stream).into()
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream(RwLock::new(Kind::Network(stream)))
    }
}

impl From<PipeEnd> for Stream {
    fn from(end: PipeEnd) -> Stream {
        Stream(RwLock::new(Kind::Pipe(end)))
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl Stream {
    /// Reads the bytes that have arrived, as many as fit.
    pub(in crate::transport::stream) fn recv(&self, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        match &*self.0.read() {
            Kind::Network(stream) => stream.try_io(|| SockRef::from(stream).recv(room)),
            Kind::Pipe(end) => end.read(room),
            Kind::Gone => Err(gone()),
        }
    }

    /// As `recv`, into one buffer after the other. Returns the count only; socket2 has flags beside it.
    pub(in crate::transport::stream) fn recv_vectored(
        &self,
        rooms: &mut [MaybeUninitSlice<'_>],
    ) -> io::Result<(usize, ())> {
        let count = match &*self.0.read() {
            Kind::Network(stream) => {
                stream.try_io(|| SockRef::from(stream).recv_vectored(rooms).map(|(count, _)| count))
            }
            Kind::Pipe(end) => rooms.first_mut().map_or(Ok(0), |room| end.read(room)),
            Kind::Gone => Err(gone()),
        };
        count.map(|count| (count, ()))
    }

    /// Writes as much as the system takes. After `WouldBlock` the call must be repeated with the same bytes.
    pub(in crate::transport::stream) fn send_with_flags(
        &self,
        bytes: &[u8],
        flags: c_int,
    ) -> io::Result<usize> {
        self.send_vectored_with_flags(&[IoSlice::new(bytes)], flags)
    }

    /// As `send_with_flags`, from one buffer after the other.
    pub(in crate::transport::stream) fn send_vectored_with_flags(
        &self,
        slices: &[IoSlice<'_>],
        flags: c_int,
    ) -> io::Result<usize> {
        match &*self.0.read() {
            Kind::Network(stream) => {
                stream.try_io(|| SockRef::from(stream).send_vectored_with_flags(slices, flags))
            }
            Kind::Pipe(end) => end.write(slices),
            Kind::Gone => Err(gone()),
        }
    }

    /// Shuts down one direction or both. A pipe can only be shut down as a whole.
    pub(in crate::transport::stream) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if let Kind::Network(stream) = &*self.0.read() {
            return stream.shutdown(how);
        }
        if how == Shutdown::Both {
            *self.0.write() = Kind::Gone;
        }
        Ok(())
    }

    /// Sets `TCP_NODELAY`, if this is a socket.
    pub(in crate::transport::stream) fn set_tcp_nodelay(&self, is_set: bool) -> io::Result<()> {
        match &*self.0.read() {
            Kind::Network(stream) => stream.set_nodelay(is_set),
            Kind::Pipe(_) | Kind::Gone => Ok(()),
        }
    }

    /// Applies `watch`, if this is a socket.
    pub(super) fn watch_peer(&self, watch: &PeerWatch) -> io::Result<()> {
        match &*self.0.read() {
            Kind::Network(stream) => sockets::watch_peer(SockRef::from(stream), watch),
            Kind::Pipe(_) | Kind::Gone => Ok(()),
        }
    }

    /// The poller has reported that the stream is writable. Returns whether the stream may be readable too: bytes that
    /// a pipe had read before it was registered are not reported.
    pub(super) fn note_writable(&self) -> bool {
        match &*self.0.read() {
            Kind::Pipe(end) => {
                end.note_writable();
                true
            }
            Kind::Network(_) | Kind::Gone => false,
        }
    }

    /// Whether this is a named pipe, open or shut down.
    pub(super) fn is_pipe(&self) -> bool {
        !matches!(&*self.0.read(), Kind::Network(_))
    }

    /// The network addresses of the peer and of this side.
    pub(super) fn network_addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        match &*self.0.read() {
            Kind::Network(stream) => network_addresses(&SockRef::from(stream)),
            Kind::Pipe(_) | Kind::Gone => (None, None),
        }
    }

    /// Whether the stream is connected; `false` while the connect is in progress.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        match &*self.0.read() {
            Kind::Network(stream) => is_connected(&SockRef::from(stream)),
            Kind::Pipe(_) | Kind::Gone => Ok(true),
        }
    }
}

impl Source for &Stream {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match &mut *self.0.write() {
            Kind::Network(stream) => stream.register(registry, token, interests),
            Kind::Pipe(end) => end.pipe.register(registry, token, interests),
            Kind::Gone => Err(gone()),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match &mut *self.0.write() {
            Kind::Network(stream) => stream.reregister(registry, token, interests),
            Kind::Pipe(end) => end.pipe.reregister(registry, token, interests),
            Kind::Gone => Err(gone()),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut *self.0.write() {
            Kind::Network(stream) => stream.deregister(registry),
            Kind::Pipe(end) => end.pipe.deregister(registry),
            Kind::Gone => Ok(()),
        }
    }
}
