//! A socket's options as typed values, and its descriptors for polling.

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Socket;
use super::pollable::Pollable;
use crate::error::Error;
use crate::option::{Setting, SocketOption, Value};
use crate::pipe::Edges;
use crate::protocol::Protocol;
use crate::sync::Descriptor;
#[cfg(feature = "tls")]
use crate::tls::{Settings, TlsOption};

/// What a descriptor signals.
#[derive(Clone, Copy, Debug)]
enum PollEvent {
    /// A message can be received.
    Readable,
    /// A message can be sent.
    Writable,
}

impl Socket {
    /// Sets an option common to all sockets.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a value of another type, out of range or too long.
    pub fn set_option(&self, option: SocketOption, setting: Setting<'_>) -> Result<(), Error> {
        let mut core = self.core.lock();
        core.options.set(option, setting)?;
        if option == SocketOption::MaxMessage {
            self.max_message.store(core.options.int(option), Ordering::Relaxed);
        }
        Ok(())
    }

    /// The value of an option common to all sockets.
    #[must_use]
    pub fn option(&self, option: SocketOption) -> Value {
        self.core.lock().options.get(option).clone()
    }

    /// Sets an integer option of TLS.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a value out of range; for [`TlsOption::Reload`], those of [`Socket::bind`] and
    /// [`Socket::connect`] too.
    #[cfg(feature = "tls")]
    pub fn set_tls_int(&self, option: TlsOption, value: i32) -> Result<(), Error> {
        if option == TlsOption::Reload {
            // Reads files, without the lock.
            let endpoint = self.core.lock().endpoints.open.get(&value).map(|(endpoint, _)| endpoint.clone());
            return endpoint.ok_or(Error::InvalidArgument)?.reload();
        }
        let mut core = self.core.lock();
        Arc::make_mut(&mut core.options.tls).set_int(option, value)
    }

    /// Sets a text option of TLS. A file is read to check it, and read again by each endpoint that is added later.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a text or a file that is malformed, or the operating system's for a file.
    #[cfg(feature = "tls")]
    pub fn set_tls_text(&self, option: TlsOption, text: &[u8]) -> Result<(), Error> {
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        if let Err(failure) = option.check(text) {
            self.explain(format!("{option:?}").as_bytes(), failure.error, &failure.reason);
            return Err(failure.error);
        }
        let mut core = self.core.lock();
        Arc::make_mut(&mut core.options.tls).set_text(option, text)
    }

    /// Sets all options of TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn set_tls(&self, settings: Settings) {
        self.core.lock().options.tls = Arc::new(settings);
    }

    /// The value of an option of TLS.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] for one that cannot be read.
    #[cfg(feature = "tls")]
    pub fn tls_option(&self, option: TlsOption) -> Result<Value, Error> {
        self.core.lock().options.tls.get(option).ok_or(Error::UnknownOption)
    }

    /// The value of an option in milliseconds; `None` if it is negative, which means no limit.
    #[must_use]
    pub fn timeout(&self, option: SocketOption) -> Option<Duration> {
        self.core.lock().options.timeout(option)
    }

    /// Sets an option of the socket's protocol.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when the protocol has no such option, or the protocol's error for the value.
    pub fn set_protocol_option(&self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        let mut edges = Edges::default();
        let mut core = self.core.lock();
        let outcome = core.protocol.set_option(name, setting);
        if outcome.is_ok() {
            // What can be received may have changed.
            self.process_ready(&mut core, &mut edges);
        }
        drop(core);
        edges.deliver();
        outcome
    }

    /// The value of an integer option of the socket's protocol.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when the protocol has no such option that can be read.
    pub fn protocol_option(&self, name: i32) -> Result<i32, Error> {
        self.core.lock().protocol.option(name)
    }

    /// A descriptor that is readable when a message can be received. It belongs to the socket.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] if the protocol does not receive, [`Error::Closed`], or the operating
    /// system's.
    pub fn receive_descriptor(&self) -> Result<Descriptor, Error> {
        self.descriptor(PollEvent::Readable)
    }

    /// A descriptor that is readable when a message can be sent. It belongs to the socket.
    ///
    /// # Errors
    /// As [`Socket::receive_descriptor`].
    pub fn send_descriptor(&self) -> Result<Descriptor, Error> {
        self.descriptor(PollEvent::Writable)
    }

    /// The descriptor that is readable while the event holds, and once the socket is being closed.
    fn descriptor(&self, event: PollEvent) -> Result<Descriptor, Error> {
        let mut edges = Edges::default();
        let mut core = self.core.lock();
        let is_closing = core.is_closing;
        let pollable = match event {
            PollEvent::Readable if self.info.can_recv => &mut core.receivable,
            PollEvent::Writable if self.info.can_send => &mut core.sendable,
            _ => return Err(Error::UnknownOption),
        };
        if let Some(pollable) = pollable {
            return Ok(pollable.descriptor());
        }
        if is_closing {
            return Err(Error::Closed);
        }
        let descriptor = pollable.insert(Pollable::new()?).descriptor();
        // From now on the I/O thread must notice every message at once, also when no call is made.
        core.revoke_direct_reads();
        self.process_ready(&mut core, &mut edges);
        drop(core);
        edges.deliver();
        Ok(descriptor)
    }
}
