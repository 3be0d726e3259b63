//! An endpoint: one address that a socket is bound or connected to.

use super::handle::Handle;
use crate::error::Error;

/// An address that a socket is bound or connected to; what [`Socket::bind`](crate::Socket::bind)
/// and [`Socket::connect`](crate::Socket::connect) answer.
///
/// Dropping it changes nothing: the endpoint lives as long as its socket, unless it is shut down.
#[derive(Debug)]
pub struct Endpoint {
    socket: Handle,
    id: i32,
}

impl Endpoint {
    pub(super) fn new(socket: &Handle, id: i32) -> Endpoint {
        Endpoint { socket: socket.clone(), id }
    }

    /// The endpoint's number: 1 for a socket's first one, then 2, and so on.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Ends the endpoint with its connections. What was sent on it is still delivered, for as
    /// long as [`Socket::linger`](crate::Socket::linger) says; the call does not wait for that.
    ///
    /// # Errors
    /// [`Error::Closed`] if the socket is closed.
    ///
    /// ```
    /// # use nanomsg::{Error, Push};
    /// let socket = Push::new()?;
    /// let first = socket.bind("inproc://doc/endpoint/first")?;
    /// let second = socket.bind("inproc://doc/endpoint/second")?;
    /// assert_eq!((first.id(), second.id()), (1, 2));
    /// first.shutdown()?;
    /// drop(socket);
    /// assert_eq!(second.shutdown(), Err(Error::Closed));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn shutdown(self) -> Result<(), Error> {
        self.socket.enter()?.shutdown(self.id)
    }
}
