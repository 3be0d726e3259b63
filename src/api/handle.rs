//! A socket's number, together with the means to tell that it is still the same socket.

use std::fmt;
use std::sync::Weak;

use crate::error::Error;
use crate::protocol::ProtocolInfo;
use crate::socket::{self, Call};

/// A socket in the table.
///
/// Numbers are used again: a call enters only if the number still belongs to the socket that the
/// handle was made for.
#[derive(Clone)]
pub(super) struct Handle {
    id: i32,
    /// Keeps the address from being used again, so that comparing addresses is enough.
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

    /// Calls `call` with the socket's number, which remains this socket's meanwhile.
    ///
    /// # Errors
    /// [`Error::Closed`] when the socket is closed, and those of `call`.
    pub(super) fn by_number<R>(&self, call: impl FnOnce(i32) -> Result<R, Error>) -> Result<R, Error> {
        let _inside = self.enter()?;
        call(self.id)
    }

    /// Closes the socket. The caller sees to it that this happens once.
    ///
    /// # Errors
    /// [`Error::Closed`] when the library was terminated meanwhile.
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
    fn a_handle_does_not_reach_a_later_socket_of_its_number() {
        let first = Handle::open(&protocol::PAIR, false).unwrap();
        first.close().unwrap();
        // Other tests open sockets too: one of so many has the number that became free.
        let later: Vec<_> = (0..64).map(|_| Handle::open(&protocol::PAIR, false).unwrap()).collect();
        assert_eq!(first.enter().err(), Some(Error::Closed));
        assert_eq!(first.close(), Err(Error::Closed));
        assert!(later.iter().all(|socket| socket.enter().is_ok() && socket.close() == Ok(())));
    }
}
