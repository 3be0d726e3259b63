//! inproc: two sockets of one process, joined by a pair of lanes.
//!
//! The lane that one socket fills is the lane that the other takes from: a message crosses no
//! third thread. Names belong to the process. Whoever connects before there is somebody bound, or
//! was refused, waits in the registry and is tried again when something changes.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::{Endpoint, EndpointContext, EndpointEvent, LaneLimits, Linger, PipeEnds};
use crate::error::Error;
use crate::pipe::{Consumer, Peer, Producer, SocketPipe, lane};
use crate::sync::{Mutex, PerProcess, lock};

/// Who is bound and connected to a name.
#[derive(Default)]
struct Name {
    binder: Option<Arc<Inproc>>,
    /// In the order in which they connected.
    connectors: Vec<Arc<Inproc>>,
}

static NAMES: PerProcess<Mutex<HashMap<Vec<u8>, Name>>> = PerProcess::new(Mutex::default);

/// An endpoint.
struct Inproc {
    name: Vec<u8>,
    /// It was connected, and looks for a partner while it has none.
    is_connector: bool,
    host: Arc<dyn EndpointContext>,
    links: Mutex<Links>,
}

#[derive(Default)]
struct Links {
    /// The endpoint was closed: it takes no further link.
    closed: bool,
    /// A connector being joined right now counts as joined.
    joined: Vec<Link>,
}

/// A pipe between two endpoints, as one of them sees it.
struct Link {
    partner: Arc<Inproc>,
    /// The end that the endpoint's own socket has.
    own: Arc<dyn SocketPipe>,
    /// The end that the partner's socket has.
    other: Arc<dyn SocketPipe>,
}

/// Stands for a pipe's other end until that is there.
#[derive(Default)]
struct Relay(OnceLock<Arc<dyn SocketPipe>>);

impl Peer for Relay {
    fn readable(self: Arc<Self>, size: usize) {
        if let Some(end) = self.0.get() {
            end.clone().readable(size);
        }
    }
    fn writable(self: Arc<Self>) {
        if let Some(end) = self.0.get() {
            end.clone().writable();
        }
    }
}

/// Binds a name.
///
/// # Errors
/// [`Error::AddressInUse`].
pub(super) fn bind(name: Vec<u8>, host: Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error> {
    let endpoint = Inproc::new(name, false, host);
    {
        let mut names = lock(NAMES.get());
        let entry = names.entry(endpoint.name.clone()).or_default();
        if entry.binder.is_some() {
            return Err(Error::AddressInUse);
        }
        entry.binder = Some(endpoint.clone());
    }
    join_waiting(&endpoint.name);
    Ok(endpoint)
}

/// Connects to a name.
pub(super) fn connect(name: Vec<u8>, host: Arc<dyn EndpointContext>) -> Arc<dyn Endpoint> {
    let endpoint = Inproc::new(name, true, host);
    endpoint.host.report(EndpointEvent::Connecting);
    let binder = {
        let mut names = lock(NAMES.get());
        let entry = names.entry(endpoint.name.clone()).or_default();
        entry.connectors.push(endpoint.clone());
        entry.binder.clone()
    };
    if let Some(binder) = binder {
        join(&endpoint, &binder);
    }
    endpoint
}

/// Joins every connector of a name that has no pipe to whoever is bound to it.
fn join_waiting(name: &[u8]) {
    let (binder, connectors) = match lock(NAMES.get()).get(name) {
        Some(Name { binder: Some(binder), connectors }) => (binder.clone(), connectors.clone()),
        _ => return,
    };
    for connector in connectors {
        join(&connector, &binder);
    }
}

/// Makes the pipe between a connector and a binder, if there is none and both take it.
fn join(connector: &Arc<Inproc>, binder: &Arc<Inproc>) {
    let (from, to) = (&connector.host, &binder.host);
    if from.protocol().peer != to.protocol() {
        return;
    }
    // Two locks of the same kind: always the connector's first, and nobody is both.
    let mut connector_links = lock(&connector.links);
    let mut binder_links = lock(&binder.links);
    if connector_links.closed || binder_links.closed || !connector_links.joined.is_empty() {
        return;
    }
    let joined = attach_both(from, to).or_else(|| {
        // An exclusive protocol takes one pipe: connected to itself, that one is a loop.
        (from.socket_number() == to.socket_number()).then(|| attach_loop(from)).flatten()
    });
    let Some((from_end, to_end)) = joined else { return };
    let link = |partner: &Arc<Inproc>, own: &Arc<dyn SocketPipe>, other: &Arc<dyn SocketPipe>| Link {
        partner: partner.clone(),
        own: own.clone(),
        other: other.clone(),
    };
    connector_links.joined.push(link(binder, &from_end, &to_end));
    binder_links.joined.push(link(connector, &to_end, &from_end));
    drop((connector_links, binder_links));
    from.report(EndpointEvent::Connected);
    to.report(EndpointEvent::Accepted);
    // Both have their end: sending may begin.
    to_end.writable();
    from_end.writable();
}

fn attach_both(
    from: &Arc<dyn EndpointContext>,
    to: &Arc<dyn EndpointContext>,
) -> Option<(Arc<dyn SocketPipe>, Arc<dyn SocketPipe>)> {
    let (there, to_inbound) = joint_lane(from, to);
    let (back, from_inbound) = joint_lane(to, from);
    let (to_relay, from_relay) = (Arc::new(Relay::default()), Arc::new(Relay::default()));
    let ends = PipeEnds { inbound: from_inbound, outbound: there, peer: to_relay.clone() };
    let from_end = from.attach(ends).ok()?;
    let ends = PipeEnds { inbound: to_inbound, outbound: back, peer: from_relay.clone() };
    let Ok(to_end) = to.attach(ends) else {
        from_end.close();
        return None;
    };
    // Each relay is set once, here.
    let _ = to_relay.0.set(to_end.clone());
    let _ = from_relay.0.set(from_end.clone());
    Some((from_end, to_end))
}

/// The lane from one socket to another, which stands for what the first may keep to send and the other
/// to receive; but if the other was told how much that is, it keeps no more.
fn joint_lane(from: &Arc<dyn EndpointContext>, to: &Arc<dyn EndpointContext>) -> (Producer, Consumer) {
    let LaneLimits { receive, receive_is_set, .. } = to.lane_limits();
    lane(if receive_is_set { receive } else { receive.saturating_add(from.lane_limits().send) })
}

fn attach_loop(host: &Arc<dyn EndpointContext>) -> Option<(Arc<dyn SocketPipe>, Arc<dyn SocketPipe>)> {
    let (outbound, inbound) = joint_lane(host, host);
    let relay = Arc::new(Relay::default());
    let end = host.attach(PipeEnds { inbound, outbound, peer: relay.clone() }).ok()?;
    let _ = relay.0.set(end.clone());
    Some((end.clone(), end))
}

impl Inproc {
    fn new(name: Vec<u8>, is_connector: bool, host: Arc<dyn EndpointContext>) -> Arc<Inproc> {
        Arc::new(Inproc { name, is_connector, host, links: Mutex::default() })
    }

    fn is(&self, other: &Arc<Inproc>) -> bool {
        std::ptr::eq(self, Arc::as_ptr(other))
    }

    /// Takes the endpoint out of the registry, and a name that nobody uses with it.
    fn forget(&self) {
        let mut names = lock(NAMES.get());
        let Some(entry) = names.get_mut(&self.name) else { return };
        entry.binder.take_if(|binder| self.is(binder));
        entry.connectors.retain(|connector| !self.is(connector));
        if entry.binder.is_none() && entry.connectors.is_empty() {
            names.remove(&self.name);
        }
        if names.is_empty() {
            // Nothing stays behind when the last socket has gone.
            *names = HashMap::new();
        }
    }
}

impl Endpoint for Inproc {
    fn close(&self, _linger: &Arc<Linger>) {
        self.forget();
        let links = {
            let mut links = lock(&self.links);
            links.closed = true;
            std::mem::take(&mut links.joined)
        };
        // Somebody may have been refused by a partner that takes one peer only.
        let is_waited_for = links.iter().any(|link| !link.partner.host.has_place());
        for Link { partner, own, other } in links {
            // What was sent is in the partner's lane already, and stays there for it.
            own.close();
            other.close();
            self.host.report(EndpointEvent::Dropped);
            partner.host.report(EndpointEvent::Broken);
            if partner.is_connector {
                partner.host.report(EndpointEvent::Connecting);
            }
            lock(&partner.links).joined.retain(|link| !self.is(&link.partner));
        }
        if is_waited_for {
            join_waiting(&self.name);
        }
    }
}
