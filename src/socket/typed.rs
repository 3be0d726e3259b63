//! Doors for callers who hold typed values: what the C face passes as bytes, or must not be told.

use std::sync::Weak;
use std::time::Duration;

use super::Socket;
use crate::error::Error;
use crate::option::{ProtocolOption, name};
use crate::pipe::Edges;
use crate::protocol::Protocol;

impl Socket {
    /// The socket itself, for telling it from a later one that has its number.
    #[must_use]
    pub fn downgrade(&self) -> Weak<Socket> {
        self.this.clone()
    }

    /// Sets an option of the socket's protocol.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] when it is not one of this protocol's, or what the protocol says
    /// of the value.
    pub fn set_protocol_option(&self, option: ProtocolOption<'_>) -> Result<(), Error> {
        let mut edges = Edges::default();
        let mut core = self.core.lock();
        let outcome = core.protocol.set_option(option);
        if outcome.is_ok() {
            // What can be received may have changed.
            self.settle(&mut core, &mut edges);
        }
        drop(core);
        edges.deliver();
        outcome
    }

    /// How long closing may take to deliver what was sent; `None` for ever. To C programs,
    /// [`Socket::option`] answers zero.
    #[must_use]
    pub fn linger(&self) -> Option<Duration> {
        self.core.lock().options.timeout(name::LINGER)
    }
}
