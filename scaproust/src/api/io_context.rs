//! Contexts: I/O threads and inproc names of their own for a part of the program.

use std::sync::Arc;

use super::any_socket::{AnySocket, Protocol};
use super::handle::Handle;
use super::pattern::Known;
use super::socket::Socket;
use crate::error::Error;
use crate::protocol::ProtocolInfo;
use crate::reactor::IoContext;

/// I/O threads and inproc names of its own for a part of the program.
///
/// Sockets that are opened by `new` share one I/O thread and the names of inproc with all others of the process. Those of a context
/// have its threads, which have them in turn: each socket has one thread for all its connections. Between two contexts, and between
/// a context and the rest of the process, the same inproc name is two names; all other transports connect them.
///
/// A thread starts with the first endpoint that needs it, and all end when the last socket of the context is closed. Dropping the
/// context closes no socket. A forked child can open no socket in a context of its parent.
///
/// The context that [`Sub::context`](crate::Sub::context) opens is something else: a socket that uses the connections of another one.
///
/// The thread of the process still runs for tasks ([`recv_async`](Socket::recv_async) and others), whose wakers it calls. The inproc
/// address of a monitor ([`Socket::set_monitor`]) is one of the process, and not of the context.
///
/// ```
/// use scaproust::{Context, Error, Pull, Push};
///
/// let context = Context::builder().io_threads(2).build()?;
/// let (source, worker): (Push, Pull) = (context.socket()?, context.socket()?);
/// source.connect(worker.bind("tcp://127.0.0.1:0")?.address()?)?;
/// source.send("a task")?;
/// assert_eq!(worker.recv()?, "a task");
///
/// worker.bind("inproc://doc/io_context")?;
/// let outside = Pull::new()?;
/// outside.bind("inproc://doc/io_context")?; // Another name.
/// assert_eq!(worker.bind("inproc://doc/io_context").err(), Some(Error::AddressInUse));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Context(Arc<IoContext>);

/// The settings of a new [`Context`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ContextBuilder {
    io_threads: usize,
}

opaque!([] Context);

impl Context {
    /// The settings of a new context, at first those of one with one thread.
    pub fn builder() -> ContextBuilder {
        ContextBuilder { io_threads: 1 }
    }

    /// Opens a socket in the context.
    ///
    /// # Errors
    /// Those of [`Socket::new`]; [`Error::Closed`] in a forked child of the process that has made the context.
    pub fn socket<P: Known>(&self) -> Result<Socket<P>, Error> {
        Ok(Socket::at(self.open_handle(P::PROTOCOL, P::IS_RAW)?, P::PROTOCOL))
    }

    /// Opens a socket in the context, of a protocol that is known only at run time.
    ///
    /// # Errors
    /// As [`Context::socket`].
    ///
    /// ```
    /// # use scaproust::{Context, Protocol};
    /// let context = Context::builder().build()?;
    /// let socket = context.open(Protocol::Pull)?;
    /// assert_eq!(socket.protocol(), Protocol::Pull);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn open(&self, protocol: Protocol) -> Result<AnySocket, Error> {
        Ok(Socket::at(self.open_handle(protocol.info(), false)?, protocol.info()))
    }

    /// Opens a socket in the context.
    pub(super) fn open_handle(&self, protocol: &'static ProtocolInfo, is_raw: bool) -> Result<Handle, Error> {
        Handle::open_in(&self.0, protocol, is_raw)
    }
}

impl ContextBuilder {
    /// The number of its threads, from 1 to 1024.
    pub fn io_threads(mut self, count: usize) -> ContextBuilder {
        self.io_threads = count;
        self
    }

    /// Makes the context.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are to be no threads, or more than 1024.
    ///
    /// ```
    /// # use scaproust::{Context, Error};
    /// assert_eq!(Context::builder().io_threads(0).build().err(), Some(Error::InvalidArgument));
    /// ```
    pub fn build(self) -> Result<Context, Error> {
        match self.io_threads {
            count @ 1..=1024 => Ok(Context(IoContext::new(count))),
            _ => Err(Error::InvalidArgument),
        }
    }
}
