//! Windows: tcp has sockets, ipc has named pipes, and the poller polls the objects themselves.
//!
//! A stream is one of the two, with the functions that a socket has on Unix. The poller reports a
//! socket once, and then again only when a call has said `WouldBlock`.

mod acceptor;
mod named_pipe;
mod stream;

use std::io;
use std::os::windows::io::AsRawSocket;

use libc::c_int;
use mio::Interest;
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{
    SO_EXCLUSIVEADDRUSE, SOCKET_ERROR, SOL_SOCKET, WSAECONNREFUSED, WSAEHOSTUNREACH, WSAENOBUFS, setsockopt,
};

use crate::sync::Descriptor;
pub(in crate::transport::stream) use acceptor::{Acceptor, listen_locally};
pub(in crate::transport::stream) use named_pipe::{LocalAddress, local_address};
pub(in crate::transport::stream) use stream::{Stream, connect_local};

/// There is no signal that a write could raise.
pub(in crate::transport::stream) const NO_SIGNAL: c_int = 0;

/// A read that gave less than was asked for is followed by another one, which says `WouldBlock`:
/// else nothing would be reported any more.
pub(in crate::transport::stream) const SHORT_READ_IS_ALL: bool = false;

/// There is nothing to tell a poller of an object from which nothing is to be heard but its end.
pub(in crate::transport::stream) const NOTHING: Option<Interest> = None;

/// There is no way to a host.
pub(in crate::transport::stream) const UNREACHABLE: i32 = WSAEHOSTUNREACH;

/// No process listens there.
pub(in crate::transport::stream) const REFUSED: i32 = WSAECONNREFUSED;

/// The object, for the poller.
pub(in crate::transport::stream) fn polled<T>(source: &T) -> &T {
    source
}

/// No thread but the I/O thread reads from a stream.
pub(in crate::transport::stream) fn descriptor(_stream: &Stream) -> Option<Descriptor> {
    None
}

/// The poller has called the stream writable. Answers whether reading is to be tried as well.
pub(in crate::transport::stream) fn note_writable(stream: &Stream) -> bool {
    stream.note_writable()
}

/// Keeps others from binding the socket's port too, which they could on Windows. Connections in
/// TIME-WAIT do not hold a port there.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn take_port(socket: &Socket) -> io::Result<()> {
    let (socket, yes) = (socket.as_raw_socket() as usize, 1_i32);
    // SAFETY: the socket is open, and the value has the length that is said.
    let result = unsafe {
        setsockopt(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (&raw const yes).cast(), size_of_val(&yes) as i32)
    };
    if result == SOCKET_ERROR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether a call to connect has failed only because it does not wait.
pub(in crate::transport::stream) fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Whether a call on a stream has failed only for want of memory, for which the system has no event.
pub(in crate::transport::stream) fn is_scarce(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAENOBUFS)
}

/// Whether connecting is done: not yet, yes, or it failed.
///
/// # Errors
/// Why it failed.
pub(in crate::transport::stream) fn is_connected(stream: &Stream) -> io::Result<bool> {
    stream.is_connected()
}

/// The system finds out by itself that the peer is gone.
pub(in crate::transport::stream) fn abandon_unsent(_stream: &Stream) {}

/// Whether the peer's system may not have confirmed everything yet. Who cannot ask waits until the
/// peer has read to the end, and closes its side. A pipe keeps what was written for its peer.
pub(in crate::transport::stream) fn has_unacknowledged(stream: &Stream) -> bool {
    !stream.is_pipe()
}
