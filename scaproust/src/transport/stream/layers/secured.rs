//! A stream with TLS outside its connection, for the fuzz targets.

use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use super::Stream;
use crate::tls::{Config, Failure};

/// A stream with TLS, which is driven by hand.
pub(crate) struct Secured(Stream);

impl Secured {
    /// The TLS of a stream that does not block.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(crate) fn new(raw: UnixStream, config: &Config) -> Result<Secured, Failure> {
        Stream::secure(raw.into(), config).map(Secured)
    }

    /// As [`Stream::read`], without memory of a message. What the layer has to send then is sent.
    ///
    /// # Errors
    /// As [`Stream::read`].
    pub(crate) fn read(&self, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let outcome = self.0.read(None, room);
        if self.0.wants_flush() {
            // Fails if the peer is gone, which the next read says too.
            let _ = self.0.flush();
        }
        outcome
    }

    /// As [`Stream::flush`].
    ///
    /// # Errors
    /// As [`Stream::write`].
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }

    /// As [`Stream::short_read_is_all`].
    pub(crate) fn short_read_is_all(&self) -> bool {
        self.0.short_read_is_all()
    }

    /// As [`Stream::holds_input`].
    pub(crate) fn holds_input(&self) -> bool {
        self.0.holds_input()
    }

    /// As [`Stream::has_alert`].
    pub(crate) fn has_failed(&self) -> bool {
        self.0.has_alert()
    }

    /// As [`Stream::shutdown`], of both directions.
    pub(crate) fn shutdown(&self) {
        self.0.shutdown(Shutdown::Both);
    }
}
