//! Unix: every stream is a socket, and its descriptor is what is polled.
//!
//! `--cfg portable` has Linux do as the other systems do, for the tests.

mod local;

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use libc::c_int;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, event};
use socket2::Socket;

use crate::sync::{Descriptor, above_standard, is_standard};
pub(in crate::transport::stream) use crate::transport::stream::network::is_connected;
use local::SocketFile;
pub(in crate::transport::stream) use local::{LocalAddress, connect_local, listen_locally, local_address};

/// A connection of tcp or ipc.
pub(in crate::transport::stream) type Stream = Socket;

/// With this flag a write to a peer that is gone does not raise SIGPIPE. Apple's systems have an
/// option of the socket instead, and socket2 sets it for every socket that it makes or accepts.
pub(in crate::transport::stream) const NO_SIGNAL: c_int =
    if cfg!(target_vendor = "apple") { 0 } else { libc::MSG_NOSIGNAL };

/// Whether the kernel has no more when it gives less than was asked for. What comes after that is
/// reported.
pub(in crate::transport::stream) const SHORT_READ_IS_ALL: bool = true;

/// There is no way to a host.
pub(in crate::transport::stream) const UNREACHABLE: i32 = libc::EHOSTUNREACH;

/// No process listens there.
pub(in crate::transport::stream) const REFUSED: i32 = libc::ECONNREFUSED;

/// What the poller polls.
pub(in crate::transport::stream) struct Polled(RawFd);

/// The descriptor, for the poller.
pub(in crate::transport::stream) fn polled(source: &impl AsRawFd) -> Polled {
    Polled(source.as_raw_fd())
}

impl event::Source for Polled {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.0).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        #[cfg(all(target_os = "linux", not(portable)))]
        if Some(interests) == NOTHING {
            return hear_nothing(self.0, registry, token);
        }
        SourceFd(&self.0).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0).deregister(registry)
    }
}

/// What somebody who reads from the stream himself can wait for.
pub(in crate::transport::stream) fn descriptor(stream: &Stream) -> Option<Descriptor> {
    Some(stream.as_raw_fd())
}

/// The poller has called the stream writable, of which this one need not know. Answers whether
/// reading is to be tried as well.
pub(in crate::transport::stream) fn note_writable(_stream: &Stream) -> bool {
    false
}

/// Lets a socket bind a port that connections of an earlier listener still hold in TIME-WAIT.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn take_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Whether a call to connect has failed only because it does not wait.
pub(in crate::transport::stream) fn is_under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Whether a call on a stream has failed only for want of memory, for which the kernel has no event.
pub(in crate::transport::stream) fn is_scarce(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

/// Where connections are accepted. The file goes with the socket.
pub(in crate::transport::stream) struct Acceptor {
    socket: Socket,
    _file: Option<SocketFile>,
}

impl From<Socket> for Acceptor {
    fn from(socket: Socket) -> Acceptor {
        Acceptor { socket, _file: None }
    }
}

impl AsRawFd for Acceptor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Acceptor {
    /// The next connection that waits to be accepted.
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

    /// Stops listening, in every process that has the descriptor: a child that was forked would
    /// keep the address otherwise, and have peers connect that nobody will ever accept.
    pub(in crate::transport::stream) fn stop(&self) {
        // Systems that refuse this for a socket that listens close it all the same.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Has the kernel forget, when the stream is closed, what it could not send: the peer is gone. Else it keeps megabytes for as
/// long as it takes to find that out by itself.
pub(in crate::transport::stream) fn abandon_unsent(stream: &Stream) {
    if has_unacknowledged(stream) {
        // A local socket keeps nothing, and has no use for it.
        let _ = stream.set_linger(Some(std::time::Duration::ZERO));
    }
}

/// Whether the peer's kernel may not have confirmed everything yet.
#[cfg(all(target_os = "linux", not(portable)))]
pub(in crate::transport::stream) fn has_unacknowledged(stream: &Stream) -> bool {
    let mut bytes: c_int = 0;
    // SAFETY: the descriptor is open, and the request writes one int.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    result == 0 && bytes > 0
}

/// Whether the peer's kernel may not have confirmed everything yet. Who cannot ask waits until the
/// peer has read to the end, and closes its side.
#[cfg(any(not(target_os = "linux"), portable))]
pub(in crate::transport::stream) fn has_unacknowledged(_stream: &Stream) -> bool {
    true
}

/// What a poller is told of a descriptor from which nothing is to be heard but its end, where there is
/// such a thing. It stands for an interest that mio has no name for.
#[cfg(all(target_os = "linux", not(portable)))]
pub(in crate::transport::stream) const NOTHING: Option<Interest> = Some(Interest::PRIORITY);

/// Has epoll report nothing but errors and hang-ups, of which it always reports. Bytes that come wake a thread that polls for
/// urgent ones, too; it finds none, and sleeps again.
#[cfg(all(target_os = "linux", not(portable)))]
fn hear_nothing(descriptor: RawFd, registry: &Registry, token: Token) -> io::Result<()> {
    let mut event = libc::epoll_event { events: libc::EPOLLET.cast_unsigned(), u64: token.0 as u64 };
    // SAFETY: the call reads the event, which lives until it returns.
    let result =
        unsafe { libc::epoll_ctl(registry.as_raw_fd(), libc::EPOLL_CTL_MOD, descriptor, &raw mut event) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// As above.
#[cfg(any(not(target_os = "linux"), portable))]
pub(in crate::transport::stream) const NOTHING: Option<Interest> = None;
