//! Sockets, which join a protocol with transports: state, sending, receiving, options and closing.
//!
//! Owns the table of sockets, and everything that is the same for every protocol: waiting, deadlines, edges,
//! descriptors for polling, timers, linger. Must not know what a protocol does with a message, nor how a
//! transport moves its bytes.
//!
//! A call runs the protocol under its socket's lock. Edges that this causes are gathered, and delivered when
//! the lock is free, so no call ever holds the locks of two sockets.
//!
//! The files use each other in one direction; a test checks that. From the bottom:
//!
//! | file | subject |
//! |---|---|
//! | `guarded`, `table`, `id_table` | the lock; things by number; pipes by id |
//! | `event`, `peer_info`, `trace`, `monitor` | events and peers, as programs see them; tracing and publishing events |
//! | `intake`, `pipes`, `view`, `received`, `recent_peers`, `poll_waiter`, `pollable`, `face`, `statistics`, `traffic` | parts of the state |
//! | `endpoint_state`, `endpoint_connections`, `endpoint_options` | parts of the state of an endpoint |
//! | `core` | the state under the lock |
//! | `registry`, `contexts`, `drive` | entering a socket; sockets that share pipes; keeping its protocol going |
//! | `blocking`, `wait_policy`, `direct_read`, `pending` | calls that block |
//! | `sending`, `receiving`, `conversing`, `poll`, `queries`, `options`, `endpoints`, `connecting` | the calls |
//! | `task_call` | calls of tasks, which wait without a thread |
//! | `socket_endpoint` | a socket as its transports see it |
//! | `snapshot`, `json`, `report`, `reporter` | the report of the process, and serving it |
//! | `exit`, `opening`, `closing` | the beginning and the end |

mod background;
mod blocking;
mod closing;
mod connecting;
mod contexts;
mod conversing;
mod core;
mod direct_read;
mod drive;
mod endpoint_connections;
mod endpoint_id;
mod endpoint_options;
mod endpoint_state;
mod endpoints;
mod event;
mod exit;
mod face;
mod guarded;
mod held;
mod id_table;
mod intake;
mod json;
mod lending;
mod looks;
mod monitor;
mod numbered;
mod opening;
mod options;
mod peer_info;
mod pending;
mod pipes;
pub(crate) mod poll;
mod poll_waiter;
mod pollable;
mod queries;
mod received;
mod receiving;
mod recent_peers;
mod recheck;
mod registry;
mod report;
mod reporter;
mod sending;
mod snapshot;
mod socket_endpoint;
mod statistics;
mod table;
mod task_call;
#[cfg(all(test, not(loom)))]
mod test_protocol;
mod trace;
mod traffic;
mod view;
mod wait_policy;

use std::io;
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, OnceLock, Weak};

pub(crate) use self::background::{close_from_waker, close_in_background};
pub use self::blocking::BlockingCall;
pub(crate) use self::blocking::{BlockedSignals, TURNS};
pub use self::closing::{close, terminate};
pub use self::connecting::connect;
pub(crate) use self::connecting::{Connecting, connect_in, wait_connected};
use self::contexts::Membership;
pub(crate) use self::conversing::{give_up_at, reply_at};
use self::core::Core;
pub use self::endpoint_id::EndpointId;
pub(crate) use self::endpoint_options::EndpointOptions;
pub use self::event::{EVENT_SIZE, EVENT_VERSION, EventKind, SocketEvent};
#[cfg(simulated)]
pub(crate) use self::exit::flush as write_at_exit;
use self::guarded::Guarded;
use self::held::Telling;
pub(crate) use self::opening::open_in;
pub use self::opening::{AF_SP, AF_SP_RAW, open, open_protocol};
pub use self::peer_info::PeerInfo;
pub use self::pending::{Entered, Pending, Step};
pub use self::received::Received;
pub(crate) use self::receiving::recv_at;
pub use self::receiving::{Receiving, receive, recv};
use self::recheck::Rechecks;
pub(crate) use self::registry::SocketRef;
pub use self::registry::{Call, enter, enter_open};
pub(crate) use self::sending::send_at;
pub use self::sending::{Sending, ToSend, send, try_send};
pub use self::statistics::Statistic;
#[cfg(simulated)]
pub(crate) use self::task_call::TaskAttempt;
pub(crate) use self::task_call::{LendMessage, TaskCall, TaskReceiving, TaskSending};
pub use self::traffic::{EndpointStatistics, PipeStatistics, Traffic};
pub(crate) use self::wait_policy::Wait;
use crate::option::SocketOption;
use crate::pipe::ReadyList;
use crate::protocol::ProtocolInfo;
use crate::reactor::{self, Reactor, Seat};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{CachePadded, EntryLock, Event, Mutex, random_number, rank};
use crate::transport::Batching;

opaque!([] Socket);

/// A socket.
pub struct Socket {
    this: Weak<Socket>,
    id: i32,
    info: &'static ProtocolInfo,
    is_raw: bool,
    /// Its I/O thread, if that is not the one of the process.
    seat: Option<Seat>,
    core: CachePadded<Guarded<Core>>,
    /// Set once the socket is a context of another one.
    membership: OnceLock<Membership>,
    /// Edges that have come since the lock was last held.
    ready: CachePadded<ReadyList>,
    /// Wakes blocked senders.
    senders: CachePadded<Event>,
    /// Wakes blocked receivers.
    receivers: CachePadded<Event>,
    rechecks: Rechecks,
    /// Wakes calls that wait for the first connection of their endpoint.
    connects: Event,
    /// A thread that puts an entry on the ready list must process it at once, since no call may come:
    /// descriptors are polled, calls are registered, or the protocol has work of its own.
    needs_prompt_processing: AtomicBool,
    /// Decides when messages are written to connections.
    batching: Arc<Batching>,
    /// Held while receivers are told of messages that they were not told of when they were sent.
    telling: Mutex<Telling, rank::Telling>,
    /// The next large message should be lent: see [`lending`].
    lends: AtomicBool,
    /// The number of connections that have shared memory.
    shared_memory: Arc<AtomicUsize>,
    /// `NN_RCVMAXSIZE`, as an atomic since connections must not wait for the lock.
    max_message: AtomicI32,
    /// Whether `NN_MONITOR` is set. Read by connections that begin or end, before they take the lock.
    is_monitored: AtomicBool,
    /// Whether errors that no call returns are printed.
    prints_errors: bool,
    /// The protocol may have a deadline or be busy: see [`ProtocolInfo::acts_between_calls`], which does not hold for a raw
    /// socket, and [`ProtocolInfo::forwards`].
    acts_between_calls: bool,
}

impl Socket {
    fn new(
        id: i32,
        entry: &'static EntryLock,
        info: &'static ProtocolInfo,
        is_raw: bool,
        seat: Option<Seat>,
    ) -> Arc<Socket> {
        // Ids that peers may remember are counted from here.
        let seed = random_number() as u32;
        let core = Core::new(id, info, (info.machine)(is_raw, seed), seed);
        let max_message = core.options.int(SocketOption::MaxMessage);
        Arc::new_cyclic(|this| Socket {
            this: this.clone(),
            id,
            info,
            is_raw,
            seat,
            core: CachePadded(Guarded::new(entry, core)),
            membership: OnceLock::new(),
            ready: CachePadded(ReadyList::new()),
            senders: CachePadded(Event::for_tasks(reactor::wake_tasks)),
            receivers: CachePadded(Event::for_tasks(reactor::wake_tasks)),
            rechecks: Rechecks::default(),
            connects: Event::for_tasks(reactor::wake_tasks),
            needs_prompt_processing: AtomicBool::new(info.forwards),
            batching: Arc::default(),
            telling: Mutex::default(),
            lends: AtomicBool::new(false),
            shared_memory: Arc::default(),
            max_message: AtomicI32::new(max_message),
            is_monitored: AtomicBool::new(false),
            // Read here, in the caller's thread: no other may read variables while it sets some.
            prints_errors: std::env::var_os("NN_PRINT_ERRORS").is_some_and(|value| !value.is_empty()),
            acts_between_calls: info.forwards || info.acts_between_calls && !is_raw,
        })
    }

    /// The reactor that serves the socket. Starts one, and its thread, if there is none.
    ///
    /// # Errors
    /// The operating system's, when it has no descriptor or thread to spare.
    fn reactor(&self) -> io::Result<Arc<Reactor>> {
        self.seat.as_ref().map_or_else(reactor::current, Seat::reactor)
    }

    /// Whether the events of connections are published or traced.
    fn is_watched(&self) -> bool {
        self.is_monitored.load(Ordering::Relaxed) || trace::is_enabled()
    }

    /// The socket's protocol.
    #[must_use]
    pub fn protocol(&self) -> &'static ProtocolInfo {
        self.info
    }

    /// Whether the socket is raw: messages are sent and received with their protocol headers.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.is_raw
    }
}
