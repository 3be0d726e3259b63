//! A handle to a socket, which detects that its id was reused.

use std::fmt;
use std::sync::Weak;

use crate::error::Error;
use crate::protocol::ProtocolInfo;
use crate::socket::{self, Call};

/// A handle to a socket in the table.
///
/// Ids are reused: a call enters only if the id still belongs to the socket of the handle.
#[derive(Clone)]
pub(super) struct Handle {
    id: i32,
    /// While this exists the memory of the socket is not reused, so comparing addresses is sufficient.
    socket: Weak<socket::Socket>,
}

impl Handle {
    /// Opens a socket.
    ///
    /// # Errors
    /// [`Error::TooManySockets`], [`Error::Terminated`].
    pub(super) fn open(protocol: &'static ProtocolInfo, is_raw: bool) -> Result<Handle, Error> {
        let id = socket::open_protocol(Some(protocol), is_raw)?;
        Ok(Handle { id, socket: socket::enter(id)?.downgrade() })
    }

    /// Enters a call.
    ///
    /// # Errors
    /// [`Error::Closed`] when the socket is closed.
    pub(super) fn enter(&self) -> Result<Call, Error> {
        let call = socket::enter(self.id)?;
        if std::ptr::eq(&raw const *call, self.socket.as_ptr()) { Ok(call) } else { Err(Error::Closed) }
    }

    /// Calls `call` with the socket's id, which is not reused during the call.
    ///
    /// # Errors
    /// [`Error::Closed`] when the socket is closed, and those of `call`.
    pub(super) fn with_id<R>(&self, call: impl FnOnce(i32) -> Result<R, Error>) -> Result<R, Error> {
        let _in_flight = self.enter()?;
        call(self.id)
    }

    /// Closes the socket. Must be called at most once.
    ///
    /// # Errors
    /// [`Error::Closed`] if `nn_term` has closed it.
    pub(super) fn close(&self) -> Result<(), Error> {
        drop(self.enter()?);
        socket::close(self.id)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::protocol;

    #[test]
    fn a_handle_does_not_reach_a_later_socket_with_its_id() {
        let first = Handle::open(&protocol::PAIR, false).unwrap();
        first.close().unwrap();
        // Other tests open sockets too, but one of these gets the id that became free.
        let later: Vec<_> = (0..64).map(|_| Handle::open(&protocol::PAIR, false).unwrap()).collect();
        assert_eq!(first.enter().err(), Some(Error::Closed));
        assert_eq!(first.close(), Err(Error::Closed));
        assert!(later.iter().all(|socket| socket.enter().is_ok() && socket.close() == Ok(())));
    }
}
