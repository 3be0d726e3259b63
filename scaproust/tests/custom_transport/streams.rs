//! Transports of the tests, over local sockets.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use scaproust::custom::{ByteStream, StreamListener, Transport};

/// How the streams of a transport behave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As local sockets.
    Plain,
    /// A read or write moves seven bytes at most, and a connect is not done at once.
    Little,
    /// The first byte that is read makes it panic.
    Panics,
    /// It says that it has read more than there was room for.
    Lies,
}

pub(crate) struct Local(pub(crate) Manner);

impl Local {
    fn stream(&self, stream: UnixStream) -> Box<dyn ByteStream> {
        Box::new(Stream { stream, manner: self.0, was_asked: AtomicBool::new(false) })
    }
}

impl Transport for Local {
    fn listen(&self, address: &[u8]) -> io::Result<Box<dyn StreamListener>> {
        let path = PathBuf::from(OsStr::from_bytes(address));
        let listener = UnixListener::bind(&path)?;
        Ok(Box::new(Listener { listener, path, transport: Local(self.0) }))
    }

    fn connect(&self, address: &[u8]) -> io::Result<Box<dyn ByteStream>> {
        Ok(self.stream(UnixStream::connect(OsStr::from_bytes(address))?))
    }
}

struct Listener {
    listener: UnixListener,
    path: PathBuf,
    transport: Local,
}

impl Drop for Listener {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl StreamListener for Listener {
    fn accept(&self) -> io::Result<Box<dyn ByteStream>> {
        self.listener.accept().map(|(stream, _)| self.transport.stream(stream))
    }
}

struct Stream {
    stream: UnixStream,
    manner: Manner,
    was_asked: AtomicBool,
}

impl Stream {
    /// The number of bytes that one call moves.
    fn most(&self) -> usize {
        if self.manner == Manner::Little { 7 } else { usize::MAX }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl ByteStream for Stream {
    fn is_connected(&self) -> io::Result<bool> {
        Ok(self.manner != Manner::Little || self.was_asked.swap(true, Ordering::SeqCst))
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.most().min(buffer.len());
        let count = (&self.stream).read(&mut buffer[..most])?;
        match self.manner {
            Manner::Panics => panic!("asked for by the test"),
            Manner::Lies => Ok(buffer.len() + 1),
            Manner::Plain | Manner::Little => Ok(count),
        }
    }

    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match pieces.iter().find(|piece| !piece.is_empty()) {
            Some(piece) if self.manner == Manner::Little => {
                (&self.stream).write(&piece[..piece.len().min(self.most())])
            }
            _ => (&self.stream).write_vectored(pieces),
        }
    }

    fn shutdown(&self, how: Shutdown) {
        // Fails if the peer was first.
        _ = self.stream.shutdown(how);
    }
}
