//! The registry of the sockets of this process: their numbers, and how a call enters one.

use std::sync::Weak;

use super::Socket;
use super::table::{self, Table};
use crate::error::Error;
use crate::sync::PerProcess;

/// Sockets that can be open at once.
const MAX_SOCKETS: usize = 65_536;

pub(super) static SOCKETS: PerProcess<Table<Socket, MAX_SOCKETS>> = PerProcess::new(Table::new);

/// A call that is inside a socket. The socket is not freed before the call has left.
pub type Call = table::Call<Socket>;

/// Enters a call into a socket.
///
/// # Errors
/// [`Error::Closed`] when it is not open.
pub fn enter(id: i32) -> Result<Call, Error> {
    SOCKETS.get().enter(id)
}

/// A socket that is not inside of, to be entered again.
pub(crate) struct Place {
    id: i32,
    socket: Weak<Socket>,
}

impl Place {
    /// The socket of a call.
    pub(crate) fn of(call: &Call) -> Place {
        Place { id: call.id, socket: call.this.clone() }
    }

    /// Enters a call into that very socket.
    ///
    /// # Errors
    /// [`Error::Closed`], also when another socket has its number.
    pub(crate) fn enter(&self) -> Result<Call, Error> {
        enter(self.id).and_then(|call| {
            if std::ptr::eq(&raw const *call, self.socket.as_ptr()) { Ok(call) } else { Err(Error::Closed) }
        })
    }
}
