//! A socket's options as typed values, and its descriptors for polling.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Socket;
use super::monitor::Monitoring;
use super::pollable::Pollable;
use crate::error::Error;
use crate::option::{Setting, SocketOption, Value, text_without_zero};
use crate::pipe::Edges;
use crate::protocol::{PipeId, Protocol};
use crate::sync::{Descriptor, Notifier};
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
    /// Whether the socket has an option: the system and the protocol do.
    #[must_use]
    pub fn has_option(&self, option: SocketOption) -> bool {
        let drops_old = matches!(option, SocketOption::PreferNew | SocketOption::Conflate);
        option.is_available() && (!drops_old || self.info.may_drop_old)
    }

    /// Sets an option common to all sockets.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a value of another type, out of range, too long or malformed, and
    /// [`Error::UnknownOption`] if the socket does not have the option.
    pub fn set_option(&self, option: SocketOption, setting: Setting<'_>) -> Result<(), Error> {
        if !self.has_option(option) {
            return Err(Error::UnknownOption);
        }
        let owner = self.owner_of(option);
        if let (SocketOption::Monitor, Setting::Bytes(address)) = (option, setting) {
            return owner.set_monitor(address);
        }
        let mut core = owner.core.lock();
        core.options.set(option, setting)?;
        match option {
            SocketOption::MaxMessage => owner.max_message.store(core.options.int(option), Ordering::Relaxed),
            SocketOption::PeerInfo => {
                let is_set = core.options.int(option) == 1;
                let mailboxes = core.faces.as_ref().map(|faces| faces.mailboxes()).unwrap_or_default();
                core.pipes.name_peers(&mailboxes, is_set);
            }
            _ => {}
        }
        Ok(())
    }

    /// Sets several options that are read only when an endpoint is made, or none of them.
    ///
    /// # Errors
    /// As [`Socket::set_option`].
    pub fn set_options(&self, settings: &[(SocketOption, Setting<'_>)]) -> Result<(), Error> {
        let mut core = self.core.lock();
        let mut options = core.options.clone();
        settings.iter().try_for_each(|(option, setting)| options.set(*option, *setting))?;
        core.options = options;
        Ok(())
    }

    /// Begins to publish events at an address, in place of the one before; ends it if the address is empty.
    ///
    /// # Errors
    /// Those of [`Monitoring::begin`], and [`Error::Closed`] while the socket is being closed. Nothing is changed then.
    fn set_monitor(&self, address: &[u8]) -> Result<(), Error> {
        let address = text_without_zero(address)?;
        let begun = match address {
            b"" => None,
            address => Some(Monitoring::begin(self.id, address)?),
        };
        let (outcome, replaced) = {
            let mut core = self.core.lock();
            if core.is_closing {
                (Err(Error::Closed), begun)
            } else {
                // A valid address is no longer than the option may be.
                let outcome = core.options.set(SocketOption::Monitor, Setting::Bytes(address));
                self.is_monitored.store(begun.is_some(), Ordering::Relaxed);
                // The end of a connection that exists is published, too.
                core.pipes.for_each_open(|id, pipe| _ = pipe.announce(id));
                (outcome, std::mem::replace(&mut core.watch.monitoring, begun))
            }
        };
        if let Some(replaced) = replaced {
            replaced.end_with(std::iter::empty());
        }
        outcome
    }

    /// Ends the connection with this number, without sending what waits for it. A connected endpoint connects again.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such connection.
    pub fn disconnect(&self, pipe: u64) -> Result<(), Error> {
        let id = u32::try_from(pipe).map(PipeId).map_err(|_| Error::InvalidArgument)?;
        let owner = self.parent().unwrap_or(self);
        let peer = owner.core.lock().pipes.get(id).and_then(|pipe| pipe.peer.clone());
        peer.ok_or(Error::InvalidArgument)?.disconnect();
        Ok(())
    }

    /// The value of an option common to all sockets.
    #[must_use]
    pub fn option(&self, option: SocketOption) -> Value {
        self.owner_of(option).core.lock().options.get(option).clone()
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
            let endpoint = self.core.lock().endpoints.open.get(&value).map(|open| open.endpoint.clone());
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
        let text = option.text(text).map_err(|failure| {
            self.explain(format!("{option:?}").as_bytes(), failure.error, &failure.reason);
            failure.error
        })?;
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
        self.owner_of(option).core.lock().options.timeout(option)
    }

    /// Sets an option of the socket's protocol.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when the protocol has no such option, or the protocol's error for the value;
    /// [`Error::Closed`].
    pub fn set_protocol_option(&self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        let mut edges = Edges::default();
        let mut core = self.lock()?;
        let owner = core.owner;
        let outcome = core.call(&mut edges, |protocol, context| protocol.set_option(name, setting, context));
        if core.protocol.is_busy() {
            // It may not have been before.
            owner.update_all(&mut core, &mut edges);
        } else {
            // What can be received may have changed.
            owner.process_ready(&mut core, &mut edges);
        }
        drop(core);
        edges.deliver();
        outcome
    }

    /// The value of an integer option of the socket's protocol.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when the protocol has no such option that can be read; [`Error::Closed`].
    pub fn protocol_option(&self, name: i32) -> Result<i32, Error> {
        self.lock()?.protocol.option(name)
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
        let mut core = self.lock()?;
        let owner = core.owner;
        let pollable = match event {
            PollEvent::Readable if self.info.can_recv => &mut core.face.receivable,
            PollEvent::Writable if self.info.can_send => &mut core.face.sendable,
            _ => return Err(Error::UnknownOption),
        };
        if let Some(pollable) = pollable {
            return Ok(pollable.notifier().clone());
        }
        let notifier = pollable.insert(Pollable::new()?).notifier().clone();
        // From now on the I/O thread must notice every message at once, also when no call is made.
        core.revoke_direct_reads();
        owner.process_ready(&mut core, &mut edges);
        drop(core);
        edges.deliver();
        Ok(notifier)
    }
}
