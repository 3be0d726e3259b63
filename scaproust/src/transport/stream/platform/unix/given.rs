//! Sockets that the program has opened and gives to the library, by number or by their name for systemd.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;
use socket2::{Socket, Type};

use super::{Acceptor, Stream};
use crate::address::{GivenDescriptor, abstract_address};
use crate::sync::has_more_rights;

/// The first descriptor that systemd passes (`SD_LISTEN_FDS_START`).
const FIRST_PASSED: RawFd = 3;

/// The end of the socket that is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transport::stream) enum Role {
    /// It listens.
    Listener,
    /// It is connected.
    Connection,
}

/// A socket of the program, as a descriptor of the library. Until [`Original::keep`] the program's own descriptor stays as
/// it was: dropping the original leaves it open, and restores its flags.
pub(in crate::transport::stream) struct Given {
    /// A duplicate, with close-on-exec and above the standard descriptors.
    socket: Socket,
    original: Original,
}

/// The program's descriptor.
pub(in crate::transport::stream) struct Original {
    number: RawFd,
    /// It stays open: systemd's descriptors keep their numbers, so that their names stay valid.
    is_passed: bool,
    /// The flags of the open file, which the duplicate shares, if they are to be restored.
    flags: Option<c_int>,
    /// It belongs to the library.
    is_kept: AtomicBool,
}

impl Given {
    /// Duplicates the descriptor.
    ///
    /// # Errors
    /// `ENOTSOCK` if it is not a socket, or not open; `ENOENT` if no descriptor has the name; `EINVAL` if the socket is
    /// not a stream of tcp or of Unix, or does not have this role.
    pub(in crate::transport::stream) fn new(descriptor: &GivenDescriptor, role: Role) -> io::Result<Given> {
        let (number, is_passed) = match descriptor {
            GivenDescriptor::Number(number) => (*number, false),
            GivenDescriptor::Name(name) => (passed(name).ok_or_else(|| error(libc::ENOENT))?, true),
        };
        // SAFETY: the call has no preconditions. It fails if the number is not open.
        let duplicate = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, libc::STDERR_FILENO + 1) };
        if duplicate < 0 {
            return Err(not_a_socket(io::Error::last_os_error()));
        }
        // SAFETY: the descriptor was just made, and nothing else owns it. That it is a socket is checked next.
        let socket = unsafe { Socket::from_raw_fd(duplicate) };
        let is_stream = socket.r#type().map_err(not_a_socket)? == Type::STREAM;
        let own = socket.local_addr()?;
        let is_known = own.is_unix() || own.is_ipv4() || own.is_ipv6();
        let has_role = match role {
            Role::Listener => is_listening(&socket),
            Role::Connection => !is_listening(&socket) && socket.peer_addr().is_ok(),
        };
        if !is_stream || !is_known || !has_role {
            return Err(error(libc::EINVAL));
        }
        // SAFETY: as above; the duplicate is open.
        let flags = unsafe { libc::fcntl(duplicate, libc::F_GETFL) };
        let flags = Some(flags).filter(|flags| *flags >= 0);
        let original = Original { number, is_passed, flags, is_kept: AtomicBool::new(false) };
        let given = Given { socket, original };
        given.socket.set_nonblocking(true)?;
        #[cfg(target_vendor = "apple")]
        given.socket.set_nosigpipe(true)?;
        Ok(given)
    }

    /// Whether it is a local socket, and not one of tcp.
    pub(in crate::transport::stream) fn is_local(&self) -> bool {
        self.socket.local_addr().is_ok_and(|own| own.is_unix())
    }

    /// The address that the socket is bound to, if it has one.
    pub(in crate::transport::stream) fn address(&self) -> Option<Vec<u8>> {
        let own = self.socket.local_addr().ok()?;
        if let Some(address) = own.as_socket() {
            return Some(format!("tcp://{address}").into_bytes());
        }
        let path = own.as_pathname().map(Path::as_os_str).map(std::ffi::OsStr::as_encoded_bytes);
        let path = path.map(|path| [b"ipc://", path].concat());
        path.or_else(|| own.as_abstract_namespace().map(abstract_address))
    }

    /// The socket as an acceptor.
    pub(in crate::transport::stream) fn into_acceptor(self) -> (Acceptor, Original) {
        (Acceptor { is_given: true, ..self.socket.into() }, self.original)
    }

    /// The socket as a stream.
    pub(in crate::transport::stream) fn into_stream(self) -> (Stream, Original) {
        (self.socket, self.original)
    }
}

impl Original {
    /// Leaves the flags of the open file as they are, also if the descriptor stays the program's.
    pub(in crate::transport::stream) fn forget_flags(&mut self) {
        self.flags = None;
    }

    /// The library has the socket from now on: closes the program's descriptor.
    pub(in crate::transport::stream) fn keep(&self) {
        if self.is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        if !self.is_passed {
            // SAFETY: the program has given the descriptor away, and does not use it any more.
            unsafe { libc::close(self.number) };
        } else {
            // SAFETY: the call has no preconditions. A program that is executed must not inherit the descriptor.
            unsafe { libc::fcntl(self.number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        if let (Some(flags), false) = (self.flags, *self.is_kept.get_mut()) {
            // SAFETY: the call has no preconditions.
            unsafe { libc::fcntl(self.number, libc::F_SETFL, flags) };
        }
    }
}

/// The descriptor that systemd has passed to this process under this name; see sd_listen_fds(3). The name is `unknown`
/// if it gives none.
fn passed(name: &[u8]) -> Option<RawFd> {
    if has_more_rights() {
        return None;
    }
    let number = |text: Option<std::ffi::OsString>| text?.to_str()?.parse::<RawFd>().ok();
    let pid = number(std::env::var_os("LISTEN_PID"))?;
    let count = number(std::env::var_os("LISTEN_FDS"))?;
    let names = std::env::var_os("LISTEN_FDNAMES").unwrap_or_default().into_encoded_bytes();
    if u32::try_from(pid) != Ok(std::process::id()) || count < 0 {
        return None;
    }
    // An empty name keeps its place.
    let mut names = (!names.is_empty()).then(|| names.split(|byte| *byte == b':')).into_iter().flatten();
    let place = (0..count).find(|_| names.next().unwrap_or(b"unknown") == name)?;
    FIRST_PASSED.checked_add(place)
}

fn is_listening(socket: &Socket) -> bool {
    let mut value: c_int = 0;
    let mut size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the value has the given size.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ACCEPTCONN,
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    result == 0 && value != 0
}

fn error(errno: c_int) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// A descriptor that is not open is not a socket either: `EBADF` means that the library's own socket is closed.
fn not_a_socket(cause: io::Error) -> io::Error {
    if cause.raw_os_error() == Some(libc::EBADF) { error(libc::ENOTSOCK) } else { cause }
}
