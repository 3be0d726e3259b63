//! A socket's options as typed values, and its descriptors for polling.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Socket;
use super::pollable::Pollable;
use crate::error::Error;
use crate::option::{Setting, SocketOption, Value};
use crate::pipe::Edges;
use crate::protocol::Protocol;
use crate::sync::{Descriptor, Notifier};

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
        self.receive_notifier().map(|notifier| notifier.descriptor())
    }

    /// The notifier with that descriptor.
    ///
    /// # Errors
    /// As [`Socket::receive_descriptor`].
    pub(crate) fn receive_notifier(&self) -> Result<Arc<Notifier>, Error> {
        self.notifier(PollEvent::Readable)
    }

    /// A descriptor that is readable when a message can be sent. It belongs to the socket.
    ///
    /// # Errors
    /// As [`Socket::receive_descriptor`].
    pub fn send_descriptor(&self) -> Result<Descriptor, Error> {
        self.send_notifier().map(|notifier| notifier.descriptor())
    }

    /// The notifier with that descriptor.
    ///
    /// # Errors
    /// As [`Socket::receive_descriptor`].
    pub(crate) fn send_notifier(&self) -> Result<Arc<Notifier>, Error> {
        self.notifier(PollEvent::Writable)
    }

    /// The notifier that is readable while the event holds, and once the socket is being closed.
    fn notifier(&self, event: PollEvent) -> Result<Arc<Notifier>, Error> {
        let mut edges = Edges::default();
        let mut core = self.core.lock();
        let is_closing = core.is_closing;
        let pollable = match event {
            PollEvent::Readable if self.info.can_recv => &mut core.receivable,
            PollEvent::Writable if self.info.can_send => &mut core.sendable,
            _ => return Err(Error::UnknownOption),
        };
        if let Some(pollable) = pollable {
            return Ok(pollable.notifier().clone());
        }
        if is_closing {
            return Err(Error::Closed);
        }
        let notifier = pollable.insert(Pollable::new()?).notifier().clone();
        // From now on the I/O thread must notice every message at once, also when no call is made.
        core.revoke_direct_reads();
        self.process_ready(&mut core, &mut edges);
        drop(core);
        edges.deliver();
        Ok(notifier)
    }
}
