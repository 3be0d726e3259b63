//! Contexts: several conversations over the pipes of one socket.

use super::pattern::HasContexts;
use super::socket::Socket;
use crate::error::Error;

impl<P: HasContexts> Socket<P> {
    /// Opens a context of the socket: a socket that uses the connections of this one, and has a conversation of its
    /// own. So a server can work on several requests at once, and a client can wait for several replies.
    ///
    /// A context sends, receives and is polled as any socket, by threads and by tasks. Its timeouts, its name and the options of its protocol
    /// are its own, all other options are those of this socket. It has no endpoints:
    /// [`bind`](Socket::bind) and [`connect`](Socket::connect) fail with [`Error::NotSupported`]. When this socket is
    /// closed, each call of its contexts fails with [`Error::Closed`]. A context of a context is one of this socket
    /// too.
    ///
    /// # Errors
    /// [`Error::TooManySockets`], [`Error::Terminated`], [`Error::OutOfMemory`], or [`Error::InvalidArgument`] if this
    /// socket is closed.
    ///
    /// ```
    /// # use scaproust::{Rep, Req};
    /// let (client, server) = (Req::new()?, Rep::new()?);
    /// server.bind("inproc://doc/context")?;
    /// client.connect("inproc://doc/context")?;
    ///
    /// let other_client = client.context()?;
    /// client.send(b"first")?;
    /// other_client.send(b"second")?;
    ///
    /// // Both requests are received before one of them is answered.
    /// let other_server = server.context()?;
    /// assert_eq!(*server.recv()?, *b"first");
    /// assert_eq!(*other_server.recv()?, *b"second");
    /// other_server.send(b"reply to the second")?;
    /// server.send(b"reply to the first")?;
    ///
    /// assert_eq!(*client.recv()?, *b"reply to the first");
    /// assert_eq!(*other_client.recv()?, *b"reply to the second");
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn context(&self) -> Result<Socket<P>, Error> {
        Ok(Socket::from_handle(self.handle.open_context(P::PROTOCOL)?))
    }
}
