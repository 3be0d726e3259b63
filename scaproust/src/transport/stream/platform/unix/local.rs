//! ipc on Unix: local sockets and their files.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{Acceptor, Stream};
use crate::sync::{above_standard, is_standard};
use crate::transport::stream::connect_without_waiting;

/// Connections that the kernel may hold until they are accepted.
const BACKLOG: i32 = 4096;

/// The file of a listener, which goes when this does, unless somebody has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and number of the file that we made.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.identity) {
            // It may vanish in between; then there is nothing to do.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket that listens at `path`. The file of a listener that is gone is replaced.
///
/// # Errors
/// The operating system's; `EADDRINUSE` when somebody listens there.
pub(in crate::transport::stream) fn listen_locally(path: &Path) -> io::Result<Acceptor> {
    let (socket, file) = listen(path)?;
    Ok(Acceptor { socket, _file: Some(file) })
}

fn listen(path: &Path) -> io::Result<(Socket, SocketFile)> {
    let address = SockAddr::unix(path)?;
    let probe = stream()?;
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let is_socket = || fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if probe.connect(&address).is_err_and(refused) && is_socket() {
        // No process listens: the file is stale. Should removing fail, binding says why.
        let _ = fs::remove_file(path);
    }
    let socket = stream()?;
    socket.bind(&address)?;
    let file = fs::symlink_metadata(path)?;
    let file = SocketFile { path: std::path::absolute(path)?, identity: (file.dev(), file.ino()) };
    socket.listen(BACKLOG)?;
    Ok((socket, file))
}

/// What a path is to the kernel.
pub(in crate::transport::stream) type LocalAddress = SockAddr;

/// What a path is to the kernel.
///
/// # Errors
/// When it is too long for it.
pub(in crate::transport::stream) fn local_address(path: &Path) -> io::Result<LocalAddress> {
    SockAddr::unix(path)
}

/// A stream that is connected to `address`, or about to be.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn connect_local(address: &LocalAddress) -> io::Result<Stream> {
    let socket = stream()?;
    connect_without_waiting(&socket, address)?;
    Ok(socket)
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
    fn a_live_listener_keeps_its_address_and_a_stale_file_does_not() {
        let path = path("stale");
        let (socket, file) = listen(&path).unwrap();
        assert_eq!(listen(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        std::mem::forget(file);
        drop(socket);
        assert!(path.exists());
        let (_socket, file) = listen(&path).unwrap();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let path = path("plain");
        fs::write(&path, "mine").unwrap();
        assert!(listen(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        fs::remove_file(&path).unwrap();
    }
}
