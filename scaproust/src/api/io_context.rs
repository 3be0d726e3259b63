//! Contexts: I/O threads and inproc names of their own for a part of the program.

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::any_socket::{AnySocket, Protocol};
use super::handle::Handle;
use super::pattern::Known;
use super::socket::Socket;
use crate::error::Error;
use crate::protocol::ProtocolInfo;
use crate::reactor::{IoContext, Running, ThreadSettings};
use crate::sync::may_run_on;

/// The most bytes before the number in a thread's name. Linux shows 15 bytes.
const LONGEST_PREFIX: usize = 10;

/// I/O threads and inproc names of its own for a part of the program.
///
/// Sockets that are opened by `new` share one I/O thread and the names of inproc with all others of the process. Those of a context
/// have its threads, which have them in turn: each socket has one thread for all its connections. Between two contexts, and between
/// a context and the rest of the process, the same inproc name is two names; all other transports connect them.
///
/// A thread starts with the first endpoint that needs it, unless they [start at once](ContextBuilder::start_at_once), and all end
/// when the last socket of the context is closed. Dropping the context closes no socket. A forked child can open no socket in a
/// context of its parent.
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
pub struct Context {
    threads: Arc<IoContext>,
    /// Set if they run without a socket too.
    _running: Option<Arc<Running>>,
}

/// The settings of a new [`Context`].
///
/// ```
/// use scaproust::{Context, Error};
/// use std::time::Duration;
///
/// let context = Context::builder()
///     .io_threads(2)
///     .thread_names("orders") // orders-0 and orders-1
///     .spin(Duration::from_micros(50))
///     .start_at_once()
///     .build()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ContextBuilder {
    io_threads: usize,
    names: Option<String>,
    processors: Option<Box<[usize]>>,
    spin: Duration,
    starts_at_once: bool,
}

opaque!([] Context);

impl Context {
    /// The settings of a new context, at first those of one with one thread.
    pub fn builder() -> ContextBuilder {
        ContextBuilder {
            io_threads: 1,
            names: None,
            processors: None,
            spin: Duration::ZERO,
            starts_at_once: false,
        }
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
        Handle::open_in(&self.threads, protocol, is_raw)
    }
}

impl ContextBuilder {
    /// The number of its threads, from 1 to 1024.
    pub fn io_threads(mut self, count: usize) -> ContextBuilder {
        self.io_threads = count;
        self
    }

    /// The beginning of the threads' names, which the system shows: with `orders` they are `orders-0`, `orders-1` and so on;
    /// otherwise all are `nanomsg`. It has 1 to 10 bytes, none of which is zero.
    pub fn thread_names(mut self, prefix: impl Into<String>) -> ContextBuilder {
        self.names = Some(prefix.into());
        self
    }

    /// The processors that the threads may run on, by the numbers of the operating system: at first all that the process has. On
    /// Linux. If all of these are taken from the process later, the threads that start from then on run anywhere.
    ///
    /// ```
    /// # use scaproust::{Context, Error};
    /// assert_eq!(Context::builder().processors([]).build().err(), Some(Error::InvalidArgument));
    /// ```
    pub fn processors(mut self, numbers: impl IntoIterator<Item = usize>) -> ContextBuilder {
        self.processors = Some(numbers.into_iter().collect());
        self
    }

    /// How long a thread that has nothing to do looks for events before it sleeps: at first not at all. An event that comes
    /// meanwhile does not wait until the thread is woken; for that the thread uses the processor, which it yields to other threads.
    pub fn spin(mut self, time: Duration) -> ContextBuilder {
        self.spin = time;
        self
    }

    /// Lets [`ContextBuilder::build`] start all threads. They run until the context and all its clones are dropped and the last of
    /// its sockets is closed. Otherwise each starts with the first endpoint that needs it.
    pub fn start_at_once(mut self) -> ContextBuilder {
        self.starts_at_once = true;
        self
    }

    /// Makes the context.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are to be no threads, or more than 1024; for names that are not allowed; for no processors
    /// or one that the calling thread may not use. [`Error::NotSupported`] for processors where the system cannot choose them. An
    /// error of the operating system if threads are to start and it has none to spare.
    ///
    /// ```
    /// # use scaproust::{Context, Error};
    /// assert_eq!(Context::builder().io_threads(0).build().err(), Some(Error::InvalidArgument));
    /// ```
    pub fn build(self) -> Result<Context, Error> {
        if !(1..=1024).contains(&self.io_threads) {
            return Err(Error::InvalidArgument);
        }
        let processors = self.allowed_processors()?;
        let settings: Result<Vec<_>, Error> = (0..self.io_threads)
            .map(|number| {
                let name = self.thread_name(number)?;
                Ok(ThreadSettings { name, processors: processors.clone(), spin: self.spin })
            })
            .collect();
        let threads = IoContext::new(settings?);
        let running = self.starts_at_once.then(|| threads.start()).transpose()?;
        Ok(Context { threads, _running: running.map(Arc::new) })
    }

    /// The processors of the threads; none for all.
    fn allowed_processors(&self) -> Result<Box<[usize]>, Error> {
        let Some(processors) = &self.processors else { return Ok(Box::default()) };
        let allowed = may_run_on(processors).map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => Error::NotSupported,
            _ => error.into(),
        })?;
        if allowed && !processors.is_empty() { Ok(processors.clone()) } else { Err(Error::InvalidArgument) }
    }

    /// The name of the thread with this number.
    fn thread_name(&self, number: usize) -> Result<Cow<'static, CStr>, Error> {
        let Some(prefix) = &self.names else { return Ok(ThreadSettings::default().name) };
        if !(1..=LONGEST_PREFIX).contains(&prefix.len()) {
            return Err(Error::InvalidArgument);
        }
        let name = CString::new(format!("{prefix}-{number}")).map_err(|_| Error::InvalidArgument)?;
        Ok(Cow::Owned(name))
    }
}
