//! Windows: tcp uses sockets, ipc uses named pipes, and the poller polls the objects themselves.
//!
//! A stream is one of the two, with the functions that a socket has on Unix. The poller reports a socket once, and
//! again only after a call has returned `WouldBlock`.

mod acceptor;
mod named_pipe;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::os::windows::io::AsRawSocket;

use libc::c_int;
use mio::Interest;
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOCKET_ERROR, SOL_SOCKET, WSAECONNREFUSED, WSAEHOSTUNREACH, WSAENOBUFS, setsockopt,
};

use crate::pipe::Credentials;
use crate::sync::Descriptor;
use crate::transport::PeerWatch;
pub(in crate::transport::stream) use acceptor::{Acceptor, listen_locally};
pub(in crate::transport::stream) use named_pipe::{LocalAddress, local_address};
pub(in crate::transport::stream) use stream::{Stream, connect_local};

/// Windows has no SIGPIPE.
pub(in crate::transport::stream) const NO_SIGNAL: c_int = 0;

/// A short read is followed by another one, which returns `WouldBlock`: without that the poller reports nothing more.
pub(in crate::transport::stream) const SHORT_READ_IS_ALL: bool = false;

/// The poller has no such interest.
pub(in crate::transport::stream) const NO_INTEREST: Option<Interest> = None;

/// The error of a host that cannot be reached.
pub(in crate::transport::stream) const UNREACHABLE: i32 = WSAEHOSTUNREACH;

/// The error of an address at which no process listens.
pub(in crate::transport::stream) const REFUSED: i32 = WSAECONNREFUSED;

/// The object, for the poller.
pub(in crate::transport::stream) fn polled<T>(source: &T) -> &T {
    source
}

/// Only the I/O thread reads from a stream.
pub(in crate::transport::stream) fn descriptor(_stream: &Stream) -> Option<Descriptor> {
    None
}

/// The poller has reported that the stream is writable. Returns whether the stream may be readable too.
pub(in crate::transport::stream) fn note_writable(stream: &Stream) -> bool {
    stream.note_writable()
}

/// Applies `watch` to a TCP stream.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn watch_peer(stream: &Stream, watch: &PeerWatch) -> io::Result<()> {
    stream.watch_peer(watch)
}

/// Keeps other processes from binding the same port, which Windows allows otherwise. Connections in TIME-WAIT do not
/// hold a port.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn take_port(socket: &Socket) -> io::Result<()> {
    let (socket, yes) = (socket.as_raw_socket() as usize, 1_i32);
    // SAFETY: the socket is open, and the value has the given length.
    let result = unsafe {
        setsockopt(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (&raw const yes).cast(), size_of_val(&yes) as i32)
    };
    if result == SOCKET_ERROR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether the error of a connect says that it is in progress.
pub(in crate::transport::stream) fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Whether the error of a call on a stream is a lack of memory. The system has no event for the end of that.
pub(in crate::transport::stream) fn is_scarce(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAENOBUFS)
}

/// Whether the stream is connected; `false` while the connect is in progress.
///
/// # Errors
/// The reason why the connect has failed.
pub(in crate::transport::stream) fn is_connected(stream: &Stream) -> io::Result<bool> {
    stream.is_connected()
}

/// The network addresses of the peer and of this side.
pub(in crate::transport::stream) fn network_addresses(
    stream: &Stream,
) -> (Option<SocketAddr>, Option<SocketAddr>) {
    stream.network_addresses()
}

/// A named pipe does not tell the user at its other end in this form.
pub(in crate::transport::stream) fn credentials(_stream: &Stream) -> Option<Credentials> {
    None
}

/// Does nothing: the system discards what it cannot send.
pub(in crate::transport::stream) fn abandon_unsent(_stream: &Stream) {}

/// Whether the peer's system may not have acknowledged everything. For a socket this cannot be told: the connection
/// waits until the peer has closed its side. A pipe keeps what was written for its peer.
pub(in crate::transport::stream) fn has_unacknowledged(stream: &Stream) -> bool {
    !stream.is_pipe()
}
