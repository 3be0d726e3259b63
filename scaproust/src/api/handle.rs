//! A handle to a socket, which detects that its id was reused.

use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::protocol::ProtocolInfo;
use crate::reactor::IoContext;
use crate::socket::{self, Call, SocketRef};

/// A handle to a socket in the table.
#[derive(Clone)]
pub(super) struct Handle(SocketRef);

impl Handle {
    /// Opens a socket.
    ///
    /// # Errors
    /// [`Error::TooManySockets`], [`Error::Terminated`].
    pub(super) fn open(protocol: &'static ProtocolInfo, is_raw: bool) -> Result<Handle, Error> {
        Handle::of(socket::open_protocol(Some(protocol), is_raw)?)
    }

    /// Opens a socket with an I/O thread of the context.
    ///
    /// # Errors
    /// [`Error::TooManySockets`], [`Error::Terminated`]; [`Error::Closed`] if another process has made the context.
    pub(super) fn open_in(
        context: &Arc<IoContext>,
        protocol: &'static ProtocolInfo,
        is_raw: bool,
    ) -> Result<Handle, Error> {
        Handle::of(socket::open_in(context, protocol, is_raw)?)
    }

    /// The handle of an open socket.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(super) fn of(id: i32) -> Result<Handle, Error> {
        Ok(Handle(SocketRef::of(&socket::enter(id)?)))
    }

    /// Opens a context of this socket, or of its parent.
    ///
    /// # Errors
    /// Those of [`Handle::open`], [`Error::OutOfMemory`], or [`Error::Closed`] if this socket is closed.
    pub(super) fn open_context(&self) -> Result<Handle, Error> {
        let context = Handle::open(self.enter()?.protocol(), false)?;
        let shared = self.with_id(|id| context.enter()?.share(id));
        if shared.is_err() {
            _ = context.close();
        }
        // It is a new socket of the same protocol: what is wrong with the other one is that it is being closed.
        let error = |error| if error == Error::InvalidArgument { Error::Closed } else { error };
        shared.map(|()| context).map_err(error)
    }

    /// The socket.
    #[inline]
    pub(super) fn socket(&self) -> &SocketRef {
        &self.0
    }

    /// Enters a call.
    ///
    /// # Errors
    /// [`Error::Closed`] when the socket is closed.
    pub(super) fn enter(&self) -> Result<Call, Error> {
        self.0.enter()
    }

    /// Calls `call` with the socket's id, which is not reused during the call.
    ///
    /// # Errors
    /// [`Error::Closed`] when the socket is closed, and those of `call`.
    pub(super) fn with_id<R>(&self, call: impl FnOnce(i32) -> Result<R, Error>) -> Result<R, Error> {
        let _in_flight = self.enter()?;
        call(self.0.id)
    }

    /// Closes the socket. Must be called at most once.
    ///
    /// # Errors
    /// [`Error::Closed`] if `nn_term` has closed it.
    pub(super) fn close(&self) -> Result<(), Error> {
        socket::close_from_waker(self.0.clone())
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.id.fmt(f)
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
