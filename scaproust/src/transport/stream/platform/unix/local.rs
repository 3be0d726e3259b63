//! ipc on Unix: Unix-domain sockets and their files.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{Acceptor, Stream};
use crate::address::LocalName;
use crate::pipe::Credentials;
use crate::sync::{above_standard, is_standard};
use crate::transport::stream::platform::sockets::{BACKLOG, connect_without_waiting};

/// The file of a listener. Dropping this removes it, unless another process has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode of the file that this listener made.
    identity: (u64, u64),
}

impl SocketFile {
    /// Removes the file, unless another one has taken its place.
    pub(super) fn remove(&self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.identity) {
            // Fails if the file has been removed in between.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Makes a socket that listens at `name`. A stale file, at which no process listens, is replaced. The file
/// gets these `permissions`, or, for zero, those that the process' umask leaves.
///
/// # Errors
/// The operating system's; `EADDRINUSE` when a process listens there.
pub(in crate::transport::stream) fn listen_locally(
    name: &LocalName,
    permissions: u32,
) -> io::Result<Acceptor> {
    let path = match name {
        LocalName::Path(path) => path,
        LocalName::Abstract(_) => {
            let socket = stream()?;
            socket.bind(&local_address(name)?)?;
            socket.listen(BACKLOG)?;
            return Ok(socket.into());
        }
    };
    let (socket, file) = listen(path, permissions)?;
    Ok(Acceptor { file: Some(file), ..socket.into() })
}

fn listen(path: &Path, permissions: u32) -> io::Result<(Socket, SocketFile)> {
    let address = SockAddr::unix(path)?;
    let probe = stream()?;
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let is_socket = || fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if probe.connect(&address).is_err_and(refused) && is_socket() {
        // The file is stale. If it cannot be removed, bind fails.
        let _ = fs::remove_file(path);
    }
    let socket = stream()?;
    socket.bind(&address)?;
    let file = fs::symlink_metadata(path)?;
    let file = SocketFile { path: std::path::absolute(path)?, identity: (file.dev(), file.ino()) };
    if permissions != 0 {
        // Before `listen`: until then each connect is refused, whatever the permissions are.
        fs::set_permissions(path, Permissions::from_mode(permissions))?;
    }
    socket.listen(BACKLOG)?;
    Ok((socket, file))
}

/// The socket address of a local socket.
pub(in crate::transport::stream) type LocalAddress = SockAddr;

/// The socket address of `name`.
///
/// # Errors
/// When it is too long.
pub(in crate::transport::stream) fn local_address(name: &LocalName) -> io::Result<LocalAddress> {
    match name {
        LocalName::Path(path) => SockAddr::unix(path),
        // The nameless address makes `bind` choose a name.
        LocalName::Abstract(name) if name.is_empty() => SockAddr::unix(""),
        LocalName::Abstract(name) => SockAddr::unix(OsStr::from_bytes(&[b"\0", &name[..]].concat())),
    }
}

/// Starts connecting a new stream to `address`.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn connect_local(address: &LocalAddress) -> io::Result<Stream> {
    let socket = stream()?;
    connect_without_waiting(&socket, address)?;
    Ok(socket)
}

/// The process at the other end, as it was when the connection was made.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(in crate::transport::stream) fn credentials(stream: &Stream) -> Option<Credentials> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and the call writes at most `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    (result == 0).then_some(Credentials { pid: found.pid, uid: found.uid, gid: found.gid })
}

/// The process at the other end, as it was when the connection was made; its id is not known.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(in crate::transport::stream) fn credentials(stream: &Stream) -> Option<Credentials> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: the descriptor is open, and the call writes the two numbers.
    let result = unsafe { libc::getpeereid(stream.as_raw_fd(), &raw mut uid, &raw mut gid) };
    (result == 0).then_some(Credentials { pid: 0, uid, gid })
}

fn stream() -> io::Result<Socket> {
    let socket = above_standard(|| Socket::new(Domain::UNIX, Type::STREAM, None), is_standard)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("nanomsg-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_stale_file_is_replaced_and_that_of_a_listener_is_not() {
        let path = path("stale");
        let (socket, file) = listen(&path, 0).unwrap();
        assert_eq!(listen(&path, 0).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        std::mem::forget(file);
        drop(socket);
        assert!(path.exists());
        let (_socket, file) = listen(&path, 0).unwrap();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn the_permissions_are_those_that_were_asked_for() {
        let path = path("mode");
        for permissions in [0o600, 0o666, 0o777] {
            let _listening = listen(&path, permissions).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, permissions);
        }
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_kept() {
        let path = path("plain");
        fs::write(&path, "mine").unwrap();
        assert!(listen(&path, 0).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        fs::remove_file(&path).unwrap();
    }
}
