//! The sockets of this process by number, and how a call enters one.

use std::sync::Weak;

use super::Socket;
use super::table::{self, Table};
use crate::error::Error;
use crate::sync::PerProcess;

/// How many sockets can be open at once.
pub(super) const MAX_SOCKETS: usize = 65_536;

/// All open sockets.
pub(super) static SOCKETS: PerProcess<Table<Socket, MAX_SOCKETS>> = PerProcess::new(Table::new);

/// A call inside a socket. The socket is not freed before every call has left.
pub type Call = table::Call<Socket>;

/// Enters a call into a socket.
///
/// # Errors
/// [`Error::Closed`] when the socket is not open.
pub fn enter(id: i32) -> Result<Call, Error> {
    SOCKETS.get().enter(id)
}

/// As [`enter`], for a call about options or statistics.
///
/// # Errors
/// [`Error::Closed`], also for a context whose parent is closed.
pub fn enter_open(id: i32) -> Result<Call, Error> {
    let call = enter(id)?;
    call.check_parent().map(|()| call)
}

/// A reference to a socket that does not keep it open, for a later call.
///
/// Ids are reused: a call enters only if the id still belongs to this socket.
#[derive(Clone)]
pub(crate) struct SocketRef {
    pub(crate) id: i32,
    /// While this exists the memory of the socket is not reused, so comparing addresses is sufficient.
    socket: Weak<Socket>,
}

impl SocketRef {
    /// The socket of a call.
    pub(crate) fn of(call: &Call) -> SocketRef {
        SocketRef { id: call.id, socket: call.this.clone() }
    }

    /// Whether both refer to one socket.
    pub(crate) fn is_same(&self, other: &SocketRef) -> bool {
        Weak::ptr_eq(&self.socket, &other.socket)
    }

    /// Enters a call into the socket, and takes its lock.
    ///
    /// # Errors
    /// As [`SocketRef::enter`].
    #[inline]
    pub(super) fn enter_locked(&self) -> Result<Call, Error> {
        let call = SOCKETS.get().enter_locked(self.id)?;
        if std::ptr::eq(&raw const *call, self.socket.as_ptr()) {
            return Ok(call);
        }
        call.unlock_and_leave();
        Err(Error::Closed)
    }

    /// Enters a call into the socket.
    ///
    /// # Errors
    /// [`Error::Closed`], also when another socket has its number by now.
    pub(crate) fn enter(&self) -> Result<Call, Error> {
        enter(self.id).and_then(|call| {
            if std::ptr::eq(&raw const *call, self.socket.as_ptr()) { Ok(call) } else { Err(Error::Closed) }
        })
    }
}
