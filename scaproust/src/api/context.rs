//! Contexts: several sets of subscriptions over the connections of one socket.

use super::pattern;
use super::socket::Socket;
use crate::error::Error;

impl Socket<pattern::Sub> {
    /// Opens a context of the socket: a socket that uses the connections of this one, and has subscriptions and a queue of
    /// its own. So each part of a program can receive what it is interested in. (A [`Context`](crate::Context) is something else: it
    /// has I/O threads.)
    ///
    /// A context receives and is polled as any socket, by threads and by tasks. Its timeouts, its name and the options of its
    /// protocol are its own, all other options are those of this socket. It has no endpoints: [`bind`](Socket::bind) and
    /// [`connect`](Socket::connect) fail with [`Error::NotSupported`]. When this socket is closed, each call of its contexts
    /// fails with [`Error::Closed`]. A context of a context is one of this socket too.
    ///
    /// # Errors
    /// [`Error::TooManySockets`], [`Error::Terminated`], [`Error::OutOfMemory`], or [`Error::Closed`] if this
    /// socket is closed.
    ///
    /// ```
    /// # use scaproust::{Error, Pub, Sub};
    /// let (publisher, weather) = (Pub::new()?, Sub::new()?);
    /// let sports = weather.context()?;
    /// weather.subscribe("weather/")?;
    /// sports.subscribe("sports/")?;
    /// publisher.bind("inproc://doc/context")?;
    /// weather.connect("inproc://doc/context")?;
    /// publisher.send("sports/2:1")?;
    /// publisher.send("weather/rain")?;
    /// assert_eq!(weather.recv()?, "weather/rain");
    /// assert_eq!(sports.recv()?, "sports/2:1");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn context(&self) -> Result<Socket<pattern::Sub>, Error> {
        Ok(Socket::at(self.handle.open_context()?, self.protocol))
    }
}
