//! A monitor: publishes the events of a socket at an inproc address.
//!
//! To the transports it is a socket of its own, a PUB, which has a lane for each subscriber and nothing else: it has no
//! number, counts as no socket of the program, and needs no thread. It belongs to the monitored socket, and ends with it.
//!
//! An event is put into the lanes under the monitored socket's lock, so the order of events is that in which they happened.
//! That wakes a subscriber only when the lock is released, as any other edge. A lane that is full takes no event: the
//! subscriber gets the number of those it has missed before the next one.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::event::{EventKind, SocketEvent};
use super::numbered::Numbered;
use super::trace;
use crate::error::Error;
use crate::message::{Metadata, Payload};
use crate::pipe::{Consumer, Edges, End, Peer, Producer, SocketPipe};
use crate::protocol::{self, PipeRefused, ProtocolInfo};
use crate::sync::{Mutex, lock, now, rank};
use crate::transport::{self, Batching, Endpoint, EndpointContext, LaneLimits, Linger, PipeEnds, Settings};

/// The bytes that a subscriber may be behind, besides its own `NN_RCVBUF`: 1,024 events with two of the longest addresses and
/// an explanation.
const BACKLOG: usize = 1024 * 640;

/// The shortest time between two events with the number of dropped messages, unless another event comes in between.
const DROPS_INTERVAL: Duration = Duration::from_secs(1);

/// The monitor of a socket, and the endpoint at which it publishes. Dropping it does not end it.
pub(super) struct Monitoring {
    monitor: Arc<Monitor>,
    endpoint: Arc<dyn Endpoint>,
    /// How many messages were dropped since that was last published.
    dropped: u64,
    /// When the number of dropped messages may be published again.
    next_drops: Duration,
}

/// What a socket counts, publishes and traces while its protocol sends and receives.
pub(super) struct Watch {
    /// The number of the socket.
    socket: i32,
    /// How many more received messages, which the protocol does not want, may be dropped under this hold of the lock.
    pub(super) drops_left: u32,
    /// `NN_MONITOR`, while it is set.
    pub(super) monitoring: Option<Monitoring>,
    /// How many sent messages were dropped, because their receivers had no room.
    pub(super) dropped: u64,
}

impl Watch {
    /// Without a monitor.
    pub(super) fn new(socket: i32, drops_left: u32) -> Watch {
        Watch { socket, drops_left, monitoring: None, dropped: 0 }
    }

    /// Whether there is a monitor, or events are traced.
    pub(super) fn wants_events(&self) -> bool {
        self.monitoring.is_some() || trace::is_enabled()
    }

    /// Publishes an event, if there is a monitor, and traces it.
    pub(super) fn publish(&mut self, event: SocketEvent, edges: &mut Edges) {
        trace::record(self.socket, &event, edges);
        if let Some(monitoring) = &mut self.monitoring {
            monitoring.publish(event, edges);
        }
    }

    /// Counts a message that so many receivers have missed.
    pub(super) fn note_drops(&mut self, count: usize, edges: &mut Edges) {
        self.dropped += count as u64;
        if let Some(monitoring) = &mut self.monitoring {
            monitoring.dropped += count as u64;
            if monitoring.dropped > 0 && now() >= monitoring.next_drops {
                monitoring.publish_drops(edges);
            }
        }
    }
}

impl Monitoring {
    /// Begins to publish the events of the socket with this number.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the address is not one of inproc, [`Error::AddressTooLong`],
    /// [`Error::AddressInUse`].
    pub(super) fn begin(socket: i32, address: &[u8]) -> Result<Monitoring, Error> {
        if !address.starts_with(b"inproc://") {
            return Err(Error::InvalidArgument);
        }
        let monitor = Arc::new_cyclic(|this| Monitor {
            this: this.clone(),
            socket,
            settings: Settings::default(),
            batching: Arc::default(),
            subscribers: Mutex::default(),
        });
        let endpoint = transport::bind(address, monitor.clone())?;
        Ok(Monitoring { monitor, endpoint, dropped: 0, next_drops: Duration::ZERO })
    }

    /// Publishes an event, after the number of messages dropped before it.
    fn publish(&mut self, event: SocketEvent, edges: &mut Edges) {
        self.publish_drops(edges);
        self.monitor.publish(event, edges);
    }

    fn publish_drops(&mut self, edges: &mut Edges) {
        if self.dropped > 0 {
            let value = std::mem::take(&mut self.dropped);
            self.next_drops = now() + DROPS_INTERVAL;
            self.monitor.publish(SocketEvent { value, ..SocketEvent::new(EventKind::Dropped) }, edges);
        }
    }

    /// Publishes the last events, and ends the monitor. Its subscribers can still receive what was published. The caller
    /// holds no lock.
    pub(super) fn end_with(mut self, last: impl Iterator<Item = SocketEvent>) {
        let mut edges = Edges::default();
        for event in last.chain([SocketEvent::new(EventKind::Closed)]) {
            self.publish(event, &mut edges);
        }
        edges.deliver();
        self.endpoint.close(&Linger::begin(Some(Duration::ZERO)));
    }
}

/// The publisher.
struct Monitor {
    this: Weak<Monitor>,
    /// The number of the monitored socket.
    socket: i32,
    settings: Settings,
    /// Is never used, since over inproc nothing is batched.
    batching: Arc<Batching>,
    subscribers: Mutex<Numbered<Subscriber>, rank::Monitor>,
}

/// A subscriber.
struct Subscriber {
    outbound: Producer,
    peer: Arc<dyn Peer>,
    /// Both sides have accepted the pipe: events are published to it from now on.
    is_ready: bool,
    /// The number of events that it has missed since the last one that it got.
    lost: u64,
    /// Keeps the lane open in which a subscriber sends nothing.
    _inbound: Consumer,
}

impl Monitor {
    fn publish(&self, mut event: SocketEvent, edges: &mut Edges) {
        self.stamp(&mut event);
        let message = event.encode();
        for (_, subscriber) in lock(&self.subscribers).iter_mut() {
            if subscriber.is_ready
                && !(self.announce_loss(subscriber, edges) && subscriber.push(&message, edges))
            {
                subscriber.lost += 1;
            }
        }
    }

    /// Publishes to a subscriber how many events it has missed, if any. Returns whether the next event may follow.
    fn announce_loss(&self, subscriber: &mut Subscriber, edges: &mut Edges) -> bool {
        if subscriber.lost > 0 {
            let mut event = SocketEvent { value: subscriber.lost, ..SocketEvent::new(EventKind::Lost) };
            self.stamp(&mut event);
            if subscriber.push(&event.encode(), edges) {
                subscriber.lost = 0;
            }
        }
        subscriber.lost == 0
    }

    fn stamp(&self, event: &mut SocketEvent) {
        event.socket = self.socket;
        event.time = time();
    }
}

impl Subscriber {
    /// Appends a message to the subscriber's lane. Returns whether there was room.
    fn push(&mut self, message: &[u8], edges: &mut Edges) -> bool {
        let pushed = self.outbound.batch().push(&[], &mut Payload::Borrowed(message), Metadata::default());
        if pushed.as_ref().is_ok_and(|pushed| pushed.edge) {
            edges.add_readable(&self.peer, message.len());
        }
        pushed.is_ok()
    }
}

/// The time since the beginning of 1970.
pub(super) fn time() -> Duration {
    #[cfg(simulated)]
    return crate::sync::now();
    #[cfg(not(simulated))]
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// The monitor's end of the pipe to a subscriber.
struct SubscriberPipe {
    monitor: Arc<Monitor>,
    number: u64,
}

impl Peer for SubscriberPipe {
    /// A subscriber sends nothing.
    fn readable(self: Arc<Self>, _size: usize) {}

    fn writable(self: Arc<Self>) {
        let mut edges = Edges::default();
        if let Some(subscriber) = lock(&self.monitor.subscribers).get_mut(self.number) {
            subscriber.is_ready = true;
            self.monitor.announce_loss(subscriber, &mut edges);
        }
        edges.deliver();
    }
}

impl SocketPipe for SubscriberPipe {
    fn close(self: Arc<Self>, _end: End) {
        let closed = lock(&self.monitor.subscribers).remove(self.number);
        // Outside the lock.
        drop(closed);
    }
}

impl EndpointContext for Monitor {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn protocol(&self) -> &'static ProtocolInfo {
        &protocol::PUB
    }

    fn lane_limits(&self) -> LaneLimits {
        LaneLimits { receive: 0, send: BACKLOG, receive_is_set: false }
    }

    fn batching(&self) -> &Arc<Batching> {
        &self.batching
    }

    fn attach(&self, ends: PipeEnds) -> Result<Arc<dyn SocketPipe>, PipeRefused> {
        let PipeEnds { inbound, outbound, peer, .. } = ends;
        let monitor = self.this.upgrade().ok_or(PipeRefused)?;
        let subscriber = Subscriber { outbound, peer, is_ready: false, lost: 0, _inbound: inbound };
        let added = lock(&self.subscribers).add(subscriber);
        let number = added.map_err(|_| PipeRefused)?;
        Ok(Arc::new(SubscriberPipe { monitor, number }))
    }
}
