//! inproc: two sockets of one process, joined by a pair of lanes.
//!
//! The lane that one socket fills is the lane that the other takes from: no third thread handles a
//! message. Names belong to the process or to a context, in a registry. A connected endpoint without a pipe stays in the
//! registry, and is tried again when an endpoint is bound to its name, or when a pipe of the bound one ends.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use super::{Endpoint, EndpointContext, EndpointEvent, LaneLimits, Linger, PipeEnds};
use crate::error::Error;
use crate::pipe::{Consumer, End, Peer, Producer, SocketPipe, lane};
use crate::sync::{Mutex, PerProcess, lock, rank};

/// The endpoints of one name.
#[derive(Default)]
struct RegistryEntry {
    bound: Option<Arc<Inproc>>,
    /// In the order in which they connected.
    connected: Vec<Arc<Inproc>>,
}

/// A name, and the number of the context to which it belongs.
type Name = (u64, Vec<u8>);

static REGISTRY: PerProcess<Mutex<HashMap<Name, RegistryEntry>, rank::InprocRegistry>> =
    PerProcess::new(Mutex::default);

/// An endpoint.
struct Inproc {
    name: Name,
    /// Whether it was connected, and not bound.
    is_connector: bool,
    context: Arc<dyn EndpointContext>,
    links: Mutex<Links, rank::InprocLinks>,
}

#[derive(Default)]
struct Links {
    /// The endpoint is closed: it gets no further link.
    closed: bool,
    /// A connected endpoint has one at most, a bound one any number.
    links: Vec<Link>,
}

/// A pipe between two endpoints, as one of them sees it.
struct Link {
    partner: Arc<Inproc>,
    /// The end of the endpoint's own socket.
    own: Arc<dyn SocketPipe>,
    /// The end of the partner's socket.
    other: Arc<dyn SocketPipe>,
}

/// Forwards edges to a pipe's other end. It is needed because each end must be given its peer before the
/// other end exists; edges that come before that are dropped.
struct Relay {
    end: OnceLock<Arc<dyn SocketPipe>>,
    /// The endpoint of the socket that has this peer.
    near: Weak<Inproc>,
    /// The endpoint of the other socket.
    far: Weak<Inproc>,
}

impl Relay {
    fn new(near: &Arc<Inproc>, far: &Arc<Inproc>) -> Arc<Relay> {
        Arc::new(Relay { end: OnceLock::new(), near: Arc::downgrade(near), far: Arc::downgrade(far) })
    }
}

impl Peer for Relay {
    fn readable(self: Arc<Self>, size: usize) {
        if let Some(end) = self.end.get() {
            end.clone().readable(size);
        }
    }
    fn writable(self: Arc<Self>) {
        if let Some(end) = self.end.get() {
            end.clone().writable();
        }
    }
    fn disconnect(self: Arc<Self>) {
        if let (Some(near), Some(far)) = (self.near.upgrade(), self.far.upgrade()) {
            separate(&near, &far);
        }
    }
}

/// Binds a name.
///
/// # Errors
/// [`Error::AddressInUse`].
pub(super) fn bind(name: Vec<u8>, context: Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error> {
    let endpoint = Inproc::new(name, false, context);
    {
        let mut registry = lock(REGISTRY.get());
        let entry = registry.entry(endpoint.name.clone()).or_default();
        if entry.bound.is_some() {
            return Err(Error::AddressInUse);
        }
        entry.bound = Some(endpoint.clone());
    }
    endpoint.context.bound(&*endpoint);
    join_waiting(&endpoint.name);
    Ok(endpoint)
}

/// Connects to a name.
pub(super) fn connect(name: Vec<u8>, context: Arc<dyn EndpointContext>) -> Arc<dyn Endpoint> {
    let endpoint = Inproc::new(name, true, context);
    endpoint.context.report(EndpointEvent::Connecting);
    let bound = {
        let mut registry = lock(REGISTRY.get());
        let entry = registry.entry(endpoint.name.clone()).or_default();
        entry.connected.push(endpoint.clone());
        entry.bound.clone()
    };
    if let Some(bound) = bound {
        join(&endpoint, &bound);
    }
    endpoint
}

/// Joins the bound endpoint of a name with all connected ones that have no pipe.
fn join_waiting(name: &Name) {
    let (bound, connected) = match lock(REGISTRY.get()).get(name) {
        Some(RegistryEntry { bound: Some(bound), connected }) => (bound.clone(), connected.clone()),
        _ => return,
    };
    for connector in connected {
        join(&connector, &bound);
    }
}

/// Makes the pipe between a connected and a bound endpoint, if there is none and both sockets accept it.
fn join(connector: &Arc<Inproc>, bound: &Arc<Inproc>) {
    let (from, to) = (&connector.context, &bound.context);
    if from.protocol().peer != to.protocol() {
        return;
    }
    // Lock order: the connected endpoint first. No endpoint is both.
    let mut connector_links = lock(&connector.links);
    let mut bound_links = bound.links.lock_as::<rank::BoundInprocLinks>();
    if connector_links.closed || bound_links.closed || !connector_links.links.is_empty() {
        return;
    }
    let ends = attach_both(connector, bound).or_else(|| {
        // An exclusive protocol accepts one pipe: in a socket connected to itself both ends are one.
        (from.socket_number() == to.socket_number()).then(|| attach_loop(connector, bound)).flatten()
    });
    let Some((from_end, to_end)) = ends else { return };
    let link = |partner: &Arc<Inproc>, own: &Arc<dyn SocketPipe>, other: &Arc<dyn SocketPipe>| Link {
        partner: partner.clone(),
        own: own.clone(),
        other: other.clone(),
    };
    connector_links.links.push(link(bound, &from_end, &to_end));
    bound_links.links.push(link(connector, &to_end, &from_end));
    drop((connector_links, bound_links));
    from.report(EndpointEvent::Connected);
    to.report(EndpointEvent::Accepted);
    // Both sockets have their end: they may send, and programs are told of that afterwards.
    to_end.clone().writable();
    from_end.clone().writable();
    let is_loop = Arc::ptr_eq(&from_end, &to_end);
    from_end.open();
    if !is_loop {
        to_end.open();
    }
}

/// Gives each of two sockets an end of a new pipe, or neither.
fn attach_both(
    connector: &Arc<Inproc>,
    bound: &Arc<Inproc>,
) -> Option<(Arc<dyn SocketPipe>, Arc<dyn SocketPipe>)> {
    let (from, to) = (&connector.context, &bound.context);
    let (there, to_inbound) = joint_lane(from, to);
    let (back, from_inbound) = joint_lane(to, from);
    let (to_relay, from_relay) = (Relay::new(connector, bound), Relay::new(bound, connector));
    let is_filtering = from.filters() && to.filters();
    let ends = PipeEnds { is_filtering, ..PipeEnds::plain(from_inbound, there, to_relay.clone()) };
    let from_end = from.attach(ends).ok()?;
    let ends = PipeEnds { is_filtering, ..PipeEnds::plain(to_inbound, back, from_relay.clone()) };
    let Ok(to_end) = to.attach(ends) else {
        from_end.close(End::PEER);
        return None;
    };
    // Each relay is set once, here.
    let _ = to_relay.end.set(to_end.clone());
    let _ = from_relay.end.set(from_end.clone());
    Some((from_end, to_end))
}

/// The lane from one socket to another. It replaces a send and a receive buffer, so its bound is the sum of
/// `NN_SNDBUF` and `NN_RCVBUF`, or `NN_RCVBUF` alone once the program has set that.
fn joint_lane(from: &Arc<dyn EndpointContext>, to: &Arc<dyn EndpointContext>) -> (Producer, Consumer) {
    let LaneLimits { receive, receive_is_set, .. } = to.lane_limits();
    let limit = if receive_is_set { receive } else { receive.saturating_add(from.lane_limits().send) };
    let (producer, consumer) = lane(limit);
    (producer.dividing(), consumer)
}

/// Gives a socket one pipe, whose outbound lane is its inbound lane.
fn attach_loop(
    connector: &Arc<Inproc>,
    bound: &Arc<Inproc>,
) -> Option<(Arc<dyn SocketPipe>, Arc<dyn SocketPipe>)> {
    let context = &connector.context;
    let (outbound, inbound) = joint_lane(context, context);
    let relay = Relay::new(connector, bound);
    let end = context.attach(PipeEnds::plain(inbound, outbound, relay.clone())).ok()?;
    let _ = relay.end.set(end.clone());
    Some((end.clone(), end))
}

/// Ends the pipe between two endpoints, at the request of the socket of `near`. The connected one is joined again after all
/// others that wait for the name.
fn separate(near: &Arc<Inproc>, far: &Arc<Inproc>) {
    let (connector, bound) = if near.is_connector { (near, far) } else { (far, near) };
    let link = {
        let mut links = lock(&connector.links);
        let index = links.links.iter().position(|link| bound.is(&link.partner));
        index.map(|index| links.links.swap_remove(index))
    };
    let Some(Link { own, other, .. }) = link else { return };
    lock(&bound.links).links.retain(|link| !connector.is(&link.partner));
    let (near_end, far_end) = if near.is_connector { (own, other) } else { (other, own) };
    near_end.close(End::LOCAL);
    far_end.close(End::PEER);
    near.context.report(EndpointEvent::Dropped);
    far.context.report(EndpointEvent::Broken);
    connector.context.report(EndpointEvent::Connecting);
    if let Some(entry) = lock(REGISTRY.get()).get_mut(&connector.name)
        && let Some(index) = entry.connected.iter().position(|other| connector.is(other))
    {
        let connector = entry.connected.remove(index);
        entry.connected.push(connector);
    }
    join_waiting(&connector.name);
}

impl Inproc {
    fn new(name: Vec<u8>, is_connector: bool, context: Arc<dyn EndpointContext>) -> Arc<Inproc> {
        let name = (context.namespace(), name);
        Arc::new(Inproc { name, is_connector, context, links: Mutex::default() })
    }

    fn is(&self, other: &Arc<Inproc>) -> bool {
        std::ptr::eq(self, Arc::as_ptr(other))
    }

    /// Removes the endpoint from the registry, and its name if no other endpoint uses it.
    fn deregister(&self) {
        let mut registry = lock(REGISTRY.get());
        let Some(entry) = registry.get_mut(&self.name) else { return };
        entry.bound.take_if(|bound| self.is(bound));
        entry.connected.retain(|connector| !self.is(connector));
        if entry.bound.is_none() && entry.connected.is_empty() {
            registry.remove(&self.name);
        }
        if registry.is_empty() {
            // The memory of the table is freed with the last endpoint.
            *registry = HashMap::new();
        }
    }
}

impl Endpoint for Inproc {
    fn close(&self, _linger: &Arc<Linger>) {
        self.deregister();
        let links = {
            let mut links = lock(&self.links);
            links.closed = true;
            std::mem::take(&mut links.links)
        };
        // A partner that accepts one pipe only may have refused another connected endpoint.
        let frees_peer = links.iter().any(|link| !link.partner.context.accepts_pipe());
        for Link { partner, own, other } in links {
            // Messages that were sent are in the partner's inbound lane, and stay there.
            own.close(End::LOCAL);
            other.close(End::PEER);
            self.context.report(EndpointEvent::Dropped);
            partner.context.report(EndpointEvent::Broken);
            if partner.is_connector {
                partner.context.report(EndpointEvent::Connecting);
            }
            lock(&partner.links).links.retain(|link| !self.is(&link.partner));
        }
        if frees_peer {
            join_waiting(&self.name);
        }
    }
}
