//! Unix: every stream is a socket, and the poller polls its descriptor.
//!
//! With `--cfg portable` Linux behaves as the other systems do, for the tests.

mod given;
mod local;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use libc::c_int;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, event};
use socket2::{SockRef, Socket};

pub(in crate::transport::stream) use super::sockets::{is_connected, network_addresses};
use crate::sync::{Descriptor, above_standard, is_standard};
use crate::transport::PeerWatch;
pub(in crate::transport::stream) use given::{Given, Original, Role};
use local::SocketFile;
pub(in crate::transport::stream) use local::{
    LocalAddress, connect_local, credentials, listen_locally, local_address,
};

/// A connection of tcp or ipc.
pub(in crate::transport::stream) type Stream = Socket;

/// The flag of a write that keeps it from raising SIGPIPE. Apple's systems have a socket option instead, which
/// socket2 sets for every socket that it makes or accepts.
pub(in crate::transport::stream) const NO_SIGNAL: c_int =
    if cfg!(target_vendor = "apple") { 0 } else { libc::MSG_NOSIGNAL };

/// Whether a read that returns less than was asked for has emptied the kernel's buffer: bytes that arrive later are a
/// new event.
pub(in crate::transport::stream) const SHORT_READ_IS_ALL: bool = true;

/// The error of a host that cannot be reached.
pub(in crate::transport::stream) const UNREACHABLE: i32 = libc::EHOSTUNREACH;

/// The error of an address at which no process listens.
pub(in crate::transport::stream) const REFUSED: i32 = libc::ECONNREFUSED;

/// A descriptor, as the poller takes it.
pub(in crate::transport::stream) struct Polled(RawFd);

/// The descriptor of `source`, for the poller.
pub(in crate::transport::stream) fn polled(source: &impl AsRawFd) -> Polled {
    Polled(source.as_raw_fd())
}

impl event::Source for Polled {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.0).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        #[cfg(all(target_os = "linux", not(portable)))]
        if Some(interests) == NO_INTEREST {
            return clear_interest(self.0, registry, token);
        }
        SourceFd(&self.0).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0).deregister(registry)
    }
}

/// The descriptor that a thread polls before it reads from the stream itself; `None` if only the I/O thread can read.
pub(in crate::transport::stream) fn descriptor(stream: &Stream) -> Option<Descriptor> {
    Some(stream.as_raw_fd())
}

/// The poller has reported that the stream is writable. Returns whether the stream may be readable too.
pub(in crate::transport::stream) fn note_writable(_stream: &Stream) -> bool {
    false
}

/// Applies `watch` to a TCP stream.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn watch_peer(stream: &Stream, watch: &PeerWatch) -> io::Result<()> {
    super::sockets::watch_peer(SockRef::from(stream), watch)
}

/// Lets a socket bind a port that has connections in TIME-WAIT.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn take_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Whether the error of a connect says that it is in progress.
pub(in crate::transport::stream) fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Whether the error of a call on a stream is a lack of memory. The kernel has no event for the end of that.
pub(in crate::transport::stream) fn is_scarce(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

/// A listening socket, and its file if it has one.
pub(in crate::transport::stream) struct Acceptor {
    socket: Socket,
    /// Removed when the acceptor is dropped, or the process exits.
    file: Option<SocketFile>,
    /// The program has given the socket to the library: other processes may listen at it too.
    is_given: bool,
}

impl From<Socket> for Acceptor {
    fn from(socket: Socket) -> Acceptor {
        Acceptor { socket, file: None, is_given: false }
    }
}

impl AsRawFd for Acceptor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Acceptor {
    /// Accepts the next pending connection.
    ///
    /// # Errors
    /// The operating system's, `WouldBlock` among them.
    pub(in crate::transport::stream) fn accept(&self) -> io::Result<Stream> {
        let (mut stream, _) = self.socket.accept()?;
        if is_standard(&stream) {
            stream = above_standard(|| stream.try_clone(), is_standard)?;
        }
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// The network address that it listens at, if it is one of tcp.
    pub(in crate::transport::stream) fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()?.as_socket()
    }

    /// The name in the abstract namespace that it listens at, without the leading zero.
    pub(in crate::transport::stream) fn abstract_name(&self) -> Option<Vec<u8>> {
        self.socket.local_addr().ok()?.as_abstract_namespace().map(<[u8]>::to_vec)
    }

    /// Removes the file that it listens at, if there is one.
    pub(in crate::transport::stream) fn remove_file(&self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }

    /// Stops listening, for each process that has the descriptor: a forked child would keep the socket listening,
    /// and peers would connect that are never accepted. A socket that the program has given is only closed.
    pub(in crate::transport::stream) fn stop(&self) {
        if self.is_given {
            return;
        }
        // Some systems refuse this for a listening socket; closing it has to do there.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Makes the close of the stream discard what the kernel could not send. For a stream whose peer is gone: the kernel
/// would keep the bytes, up to megabytes, until its retransmissions time out.
pub(in crate::transport::stream) fn abandon_unsent(stream: &Stream) {
    if has_unacknowledged(stream) {
        // Not needed for a Unix-domain socket, which keeps nothing.
        let _ = stream.set_linger(Some(std::time::Duration::ZERO));
    }
}

/// Whether the peer's kernel may not have acknowledged everything.
#[cfg(all(target_os = "linux", not(portable)))]
pub(in crate::transport::stream) fn has_unacknowledged(stream: &Stream) -> bool {
    let mut bytes: c_int = 0;
    // SAFETY: the descriptor is open, and the request writes one int.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    result == 0 && bytes > 0
}

/// Whether the peer's kernel may not have acknowledged everything. This system cannot tell: the connection waits until
/// the peer has closed its side.
#[cfg(any(not(target_os = "linux"), portable))]
pub(in crate::transport::stream) fn has_unacknowledged(_stream: &Stream) -> bool {
    true
}

/// The interest in nothing but errors and hang-ups; `None` if this system has none. mio has no name for it: an
/// interest that is otherwise unused stands for it.
#[cfg(all(target_os = "linux", not(portable)))]
pub(in crate::transport::stream) const NO_INTEREST: Option<Interest> = Some(Interest::PRIORITY);

/// Makes epoll report nothing but errors and hang-ups, which it always reports. `EPOLLPRI` would not do: Linux wakes a
/// thread that waits for urgent bytes at the arrival of any bytes.
#[cfg(all(target_os = "linux", not(portable)))]
fn clear_interest(descriptor: RawFd, registry: &Registry, token: Token) -> io::Result<()> {
    let mut event = libc::epoll_event { events: libc::EPOLLET.cast_unsigned(), u64: token.0 as u64 };
    // SAFETY: the call reads the event, which lives until it returns.
    let result =
        unsafe { libc::epoll_ctl(registry.as_raw_fd(), libc::EPOLL_CTL_MOD, descriptor, &raw mut event) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// This system has no such interest.
#[cfg(any(not(target_os = "linux"), portable))]
pub(in crate::transport::stream) const NO_INTEREST: Option<Interest> = None;
