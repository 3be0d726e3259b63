//! Where protocol meets transport: state, sending, receiving, options and closing.
//!
//! Owns the table of sockets, and everything that is the same for every protocol: waiting,
//! deadlines, edges, descriptors to poll, timers, linger. Must not know what a protocol does with
//! a message, nor how a transport moves its bytes.
//!
//! A call runs the protocol under the socket's own lock. Edges that it makes are gathered, and
//! delivered when the lock is free, so no call ever holds the locks of two sockets.

mod blocking;
mod closing;
mod core;
mod endpoint_state;
mod fetch;
mod guarded;
mod id_table;
mod options;
mod pipes;
pub(crate) mod poll;
mod pollable;
mod poller;
mod socket_endpoint;
mod statistics;
mod table;
#[cfg(all(test, not(loom)))]
mod test_protocol;
mod transfer;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Weak};
use std::time::Duration;

pub use self::blocking::{Blocked, Entered, Pending, Step};
pub(crate) use self::blocking::{HeldSignals, Place, TURNS};
pub use self::closing::{close, terminate};
use self::core::Core;
use self::guarded::Guarded;
pub use self::pipes::Received;
use self::pollable::Pollable;
use self::socket_endpoint::SocketEndpoint;
pub use self::statistics::Statistic;
use self::table::Table;
pub use self::transfer::{Receiving, Sending, ToSend, receive, recv, send, try_send};
use crate::error::Error;
use crate::option::SocketOption;
use crate::pipe::{Edges, ReadyList};
use crate::protocol::{Protocol, ProtocolInfo};
use crate::reactor::{self, Source};
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{CachePadded, EntryLock, Event, PerProcess, Uncancellable};
use crate::transport::{self, Batching, Endpoint, EndpointContext, Linger};

/// Sockets that can be open at once.
const MAX_SOCKETS: usize = 65_536;
/// The domain of cooked sockets.
pub const AF_SP: i32 = 1;
/// The domain of raw sockets.
pub const AF_SP_RAW: i32 = 2;

static SOCKETS: PerProcess<Table<Socket, MAX_SOCKETS>> = PerProcess::new(Table::new);

/// A call that is inside a socket. The socket is not freed before the call has left.
pub type Call = table::Call<Socket>;

opaque!([] Socket);

/// A socket.
pub struct Socket {
    this: Weak<Socket>,
    id: i32,
    info: &'static ProtocolInfo,
    is_raw: bool,
    core: CachePadded<Guarded<Core>>,
    /// Pipes to which something has happened since the lock was last held.
    ready: CachePadded<ReadyList>,
    /// Blocked senders.
    senders: CachePadded<Event>,
    /// Blocked receivers.
    receivers: CachePadded<Event>,
    /// Whoever puts something on the list must have it worked on at once.
    needs_prompt_processing: AtomicBool,
    /// When messages are written.
    batching: Arc<Batching>,
    /// `NN_RCVMAXSIZE`, for connections, which must not wait for the lock.
    max_message: AtomicI32,
    /// Failures that no call tells of are printed.
    prints_errors: bool,
    /// The protocol may do something while nobody calls.
    works_alone: bool,
}

/// What a socket has a descriptor for.
#[derive(Clone, Copy, Debug)]
enum PollEvent {
    /// A message can be received.
    Readable,
    /// A message can be sent.
    Writable,
}

/// Opens a socket of a domain and a protocol, by their numbers.
///
/// # Errors
/// [`Error::Terminated`], [`Error::UnknownDomain`], [`Error::TooManySockets`], or
/// [`Error::InvalidArgument`] when there is no such protocol; looked at in this order.
pub fn open(domain: i32, protocol: i32) -> Result<i32, Error> {
    closing::begin_use()?;
    if domain != AF_SP && domain != AF_SP_RAW {
        return Err(Error::UnknownDomain);
    }
    open_protocol(ProtocolInfo::from_number(protocol), domain == AF_SP_RAW)
}

/// Opens a socket of a protocol.
///
/// # Errors
/// [`Error::Terminated`], [`Error::TooManySockets`], or [`Error::InvalidArgument`] without a protocol.
pub fn open_protocol(info: Option<&'static ProtocolInfo>, is_raw: bool) -> Result<i32, Error> {
    SOCKETS.get().open(|id, entry| {
        // Under the table's lock: a termination takes it later, and finds what was opened before.
        closing::begin_use()?;
        Ok(Socket::new(id, entry, info.ok_or(Error::InvalidArgument)?, is_raw))
    })
}

/// Enters a call into a socket.
///
/// # Errors
/// [`Error::Closed`] when it is not open.
pub fn enter(id: i32) -> Result<Call, Error> {
    SOCKETS.get().enter(id)
}

impl Socket {
    fn new(id: i32, entry: &'static EntryLock, info: &'static ProtocolInfo, is_raw: bool) -> Arc<Socket> {
        // Where numbers that peers may remember begin.
        let seed = RandomState::new().build_hasher().finish() as u32;
        let core = Core::new(id, (info.machine)(is_raw, seed), seed);
        let max_message = core.options.int(SocketOption::MaxMessage);
        Arc::new_cyclic(|this| Socket {
            this: this.clone(),
            id,
            info,
            is_raw,
            core: CachePadded(Guarded::new(entry, core)),
            ready: CachePadded(ReadyList::new()),
            senders: CachePadded(Event::new()),
            receivers: CachePadded(Event::new()),
            needs_prompt_processing: AtomicBool::new(false),
            batching: Arc::default(),
            max_message: AtomicI32::new(max_message),
            // Here, in a thread of the caller's: no other may look at variables while it sets some.
            prints_errors: std::env::var_os("NN_PRINT_ERRORS").is_some_and(|value| !value.is_empty()),
            works_alone: info.works_alone && !is_raw,
        })
    }

    /// Binds the socket to an address; answers the endpoint's id.
    ///
    /// # Errors
    /// As `nn_bind` documents them: those of the address, and of the operating system.
    pub fn bind(&self, address: &[u8]) -> Result<i32, Error> {
        let bound = self.add_endpoint(address, transport::bind);
        if bound.is_err() {
            self.core.lock().statistics[Statistic::BindErrors] += 1;
        }
        bound
    }

    /// Connects the socket to an address; answers the endpoint's id.
    ///
    /// # Errors
    /// As `nn_connect` documents them: those of the address.
    pub fn connect(&self, address: &[u8]) -> Result<i32, Error> {
        self.add_endpoint(address, transport::connect)
    }

    fn add_endpoint(
        &self,
        address: &[u8],
        make: impl FnOnce(&[u8], Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error>,
    ) -> Result<i32, Error> {
        let this = self.this.upgrade().ok_or(Error::Closed)?;
        let host = Arc::new(SocketEndpoint::new(this, address, &self.core.lock().options));
        let endpoint = make(address, host.clone())?;
        let mut core = self.core.lock();
        if core.is_closing {
            drop(core);
            endpoint.close(&Linger::begin(Some(Duration::ZERO)));
            return Err(Error::Closed);
        }
        Ok(core.endpoints.insert(endpoint, host))
    }

    /// Ends an endpoint. What was sent on it is still delivered, in the time of `NN_LINGER`, but
    /// the call does not wait for that.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such endpoint.
    pub fn shutdown(&self, endpoint: i32) -> Result<(), Error> {
        let ((endpoint, host), linger) = {
            let mut core = self.core.lock();
            let endpoint = core.endpoints.open.remove(&endpoint).ok_or(Error::InvalidArgument)?;
            let linger = Linger::begin(core.options.timeout(SocketOption::Linger));
            core.endpoints.closing.retain(|(linger, _)| !linger.is_finished());
            (endpoint, linger)
        };
        endpoint.close(&linger);
        host.end();
        if !linger.is_finished() {
            self.core.lock().endpoints.closing.push((linger, endpoint));
        }
        Ok(())
    }

    /// The value of a statistic.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn statistic(&self, statistic: Statistic) -> Result<u64, Error> {
        if statistic == Statistic::SendPriority {
            let priority = self.ask(|protocol, context| protocol.send_priority(context))?;
            return Ok(priority.map_or(0, u64::from));
        }
        let mut edges = Edges::default();
        let value = {
            let mut core = self.core.lock();
            if !core.is_closing {
                // A connection counts as soon as a call would use it.
                self.process_ready(&mut core, &mut edges);
            }
            match statistic {
                Statistic::Connections => core.pipes.ready() as u64,
                counter => core.statistics[counter],
            }
        };
        edges.deliver();
        Ok(value)
    }

    /// Works on the list and puts everything right that a change can have made wrong; the last
    /// thing that is done under the lock.
    #[inline]
    fn process_ready(&self, core: &mut Core, edges: &mut Edges) {
        let is_settled = !core.has_work(&self.ready)
            && !core.has_dropped()
            && !core.is_polled()
            && !self.works_alone
            && !self.needs_prompt_processing.load(Ordering::Relaxed);
        if !is_settled {
            self.settle_all(core, edges);
        }
    }

    fn settle_all(&self, core: &mut Core, edges: &mut Edges) {
        let _uncancellable = Uncancellable::begin();
        core.process_ready(&self.ready, edges);
        core.forget_void();
        let needs_prompt_processing = core.is_polled() || self.works_alone && core.protocol.is_busy();
        if needs_prompt_processing != self.needs_prompt_processing.load(Ordering::Relaxed) {
            self.needs_prompt_processing.store(needs_prompt_processing, Ordering::Relaxed);
            // With the fence of whoever puts something on the list: either he sees that we are
            // watchful, or we see what he put there.
            fence(Ordering::SeqCst);
            core.process_ready(&self.ready, edges);
        }
        if needs_prompt_processing {
            core.update_pollables(edges);
            // The protocol has looked at its pipes again: some may have come to their end.
            core.process_ready(&self.ready, edges);
        }
        if self.works_alone {
            self.set_timer(core);
        }
        if core.end_drops() {
            self.go_on_later(needs_prompt_processing || self.works_alone);
        }
    }

    /// The protocol was cut short, and no edge tells of what it has not looked at: a receiver that
    /// sleeps goes on, and the I/O thread if it `must_be_prompt`.
    fn go_on_later(&self, must_be_prompt: bool) {
        if self.receivers.has_waiters() {
            self.receivers.notify_one();
        }
        if must_be_prompt && let (Some(this), Ok(reactor)) = (self.this.upgrade(), reactor::current()) {
            reactor.wake(this);
        }
    }

    /// Sees to it that the protocol is called at its deadline. A timer that comes too early is
    /// harmless, so one is set anew only when it would come too late.
    fn set_timer(&self, core: &mut Core) {
        let Some(deadline) = core.protocol.deadline() else { return };
        if core.timer.is_some_and(|(moment, _)| moment <= deadline) {
            return;
        }
        // Without a thread to be had, the next call will try again.
        let (Some(this), Ok(reactor)) = (self.this.upgrade(), reactor::current()) else { return };
        if let Some((_, timer)) = core.timer.take() {
            reactor.cancel(timer);
        }
        core.timer = Some((deadline, reactor.at(deadline, this)));
    }

    /// Works on the list for a caller that is not there.
    fn drive(&self) {
        let mut edges = Edges::default();
        {
            let mut core = self.core.lock();
            if core.is_closing {
                return;
            }
            self.process_ready(&mut core, &mut edges);
        }
        edges.deliver();
    }
}

impl Source for Socket {
    fn woken(self: Arc<Self>) {
        let mut edges = Edges::default();
        {
            let mut core = self.core.lock();
            if core.is_closing {
                return;
            }
            core.allow_drops();
            if self.works_alone {
                core.call(&mut edges, |protocol, context| protocol.timeout(context));
            }
            self.process_ready(&mut core, &mut edges);
        }
        edges.deliver();
    }

    fn timeout(self: Arc<Self>, now: Duration) {
        let mut edges = Edges::default();
        {
            let mut core = self.core.lock();
            if core.is_closing {
                return;
            }
            core.timer = None;
            core.process_ready(&self.ready, &mut edges);
            if core.protocol.deadline().is_some_and(|deadline| deadline <= now) {
                core.call(&mut edges, |protocol, context| protocol.timeout(context));
            }
            self.process_ready(&mut core, &mut edges);
        }
        edges.deliver();
        // What they wait for may never come now. One of them may have seen so by itself, and the
        // protocol have nothing to do any more: so every timer wakes all.
        self.receivers.notify_all();
    }
}
