//! A socket's options, as the faces reach them: typed values.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{PollEvent, Socket};
use crate::error::Error;
use crate::option::{Setting, SocketOption, Value};
use crate::pipe::Edges;
use crate::protocol::{Protocol, ProtocolInfo};
use crate::sync::Descriptor;

impl Socket {
    /// The socket itself, for telling it from a later one that has its number.
    #[must_use]
    pub fn downgrade(&self) -> Weak<Socket> {
        self.this.clone()
    }

    /// The socket's protocol.
    #[must_use]
    pub fn protocol(&self) -> &'static ProtocolInfo {
        self.info
    }

    /// Whether it shows and takes protocol headers.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.is_raw
    }

    /// Sets an option that every socket has.
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

    /// The value of an option that every socket has.
    #[must_use]
    pub fn option(&self, option: SocketOption) -> Value {
        self.core.lock().options.get(option).clone()
    }

    /// The value of an option in milliseconds; `None` if it is negative, which is for ever.
    #[must_use]
    pub fn timeout(&self, option: SocketOption) -> Option<Duration> {
        self.core.lock().options.timeout(option)
    }

    /// Sets an option of the socket's protocol.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when it is not one of this protocol's, or what the protocol says
    /// of the value.
    pub fn set_protocol_option(&self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        let mut edges = Edges::default();
        let mut core = self.core.lock();
        let outcome = core.protocol.set_option(name, setting);
        if outcome.is_ok() {
            // What can be received may have changed.
            self.settle(&mut core, &mut edges);
        }
        drop(core);
        edges.deliver();
        outcome
    }

    /// The value of an integer option of the socket's protocol.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when it is not one of this protocol's that can be read.
    pub fn protocol_option(&self, name: i32) -> Result<i32, Error> {
        self.core.lock().protocol.option(name)
    }

    /// A descriptor that is readable when a message can be received. It belongs to the socket.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] if the protocol does not receive, [`Error::Closed`], or the operating system's.
    pub fn receive_descriptor(&self) -> Result<Descriptor, Error> {
        self.alarm(PollEvent::Readable).map(|alarm| alarm.descriptor())
    }

    /// A descriptor that is readable when a message can be sent. It belongs to the socket.
    ///
    /// # Errors
    /// As [`Socket::receive_descriptor`].
    pub fn send_descriptor(&self) -> Result<Descriptor, Error> {
        self.alarm(PollEvent::Writable).map(|alarm| alarm.descriptor())
    }
}
