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
mod direct_read;
mod drive;
mod endpoint_state;
mod endpoints;
mod exit;
mod guarded;
mod id_table;
mod opening;
mod options;
mod pending;
mod pipes;
pub(crate) mod poll;
mod pollable;
mod poller;
mod queries;
mod receiving;
mod recent_peers;
mod registry;
mod sending;
mod socket_endpoint;
mod statistics;
mod table;
#[cfg(all(test, not(loom)))]
mod test_protocol;
mod wait_policy;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Weak};

pub use self::blocking::Blocked;
pub(crate) use self::blocking::{HeldSignals, TURNS};
pub use self::closing::{close, terminate};
use self::core::Core;
use self::guarded::Guarded;
pub use self::opening::{AF_SP, AF_SP_RAW, open, open_protocol};
pub use self::pending::{Entered, Pending, Step};
pub use self::pipes::Received;
pub use self::receiving::{Receiving, receive, recv};
pub(crate) use self::registry::Place;
pub use self::registry::{Call, enter};
pub use self::sending::{Sending, ToSend, send, try_send};
pub use self::statistics::Statistic;
use crate::option::SocketOption;
use crate::pipe::ReadyList;
use crate::protocol::ProtocolInfo;
use crate::sync::atomic::AtomicBool;
use crate::sync::{CachePadded, EntryLock, Event};
use crate::transport::Batching;

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

    /// The socket itself, for telling it from a later one that has its number.
    #[must_use]
    pub fn downgrade(&self) -> Weak<Socket> {
        self.this.clone()
    }

    /// The socket's protocol.
    #[must_use]
    pub fn protocol(&self) -> &'static ProtocolInfo {
        self.info
    }

    /// Whether it shows and takes protocol headers.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.is_raw
    }
}
