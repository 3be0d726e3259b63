//! The peer of a pipe, as events and received messages name it.

use std::sync::{Arc, OnceLock};

use super::endpoint_id::EndpointId;
use super::event::{EventKind, SocketEvent};
use crate::pipe::{Credentials, Peer};
use crate::protocol::PipeId;
#[cfg(feature = "tls")]
use crate::tls::PeerIdentity;
use crate::transport::Endpoint;

/// The peer of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The number of the connection, never zero. Another connection of the socket has it only after 2^31 others.
    pub pipe: u64,
    /// The id of the endpoint that the connection belongs to.
    pub endpoint: EndpointId,
    /// The address of the peer, such as `tcp://10.0.0.7:41022`. A client of ipc has no name: `ipc://`. Over inproc it is the
    /// address of the endpoint.
    pub address: Vec<u8>,
    /// This side's address, if it has one.
    pub local_address: Option<Vec<u8>>,
    /// The peer's process, over ipc where the system tells it.
    pub credentials: Option<Credentials>,
    /// What a ws client has requested: the path, and a query if there is one.
    pub resource: Option<Vec<u8>>,
    /// Whether the messages travel through shared memory, over ipc; see
    /// [`Socket::set_ipc_shared_memory`](crate::Socket::set_ipc_shared_memory).
    pub shared_memory: bool,
    /// What the peer's certificate says, over TLS, if it has shown one.
    #[cfg(feature = "tls")]
    pub tls: Option<PeerIdentity>,
}

impl PeerInfo {
    /// An event of the connection.
    pub(super) fn event(&self, kind: EventKind) -> SocketEvent {
        SocketEvent {
            endpoint: Some(self.endpoint),
            pipe: Some(self.pipe),
            peer: Some(self.address.clone()),
            local: self.local_address.clone(),
            ..SocketEvent::new(kind)
        }
    }
}

/// The endpoint of a pipe, as peers and events name it.
#[derive(Debug, Default)]
pub(super) struct EndpointName {
    /// The id that `nn_bind` or `nn_connect` returns.
    pub(super) id: i32,
    /// Whether it is bound, and not connected.
    pub(super) is_bound: bool,
    /// The address that the program gave.
    given: Vec<u8>,
    /// The same with what the system has chosen, such as a port. Set once the endpoint is bound.
    chosen: OnceLock<Vec<u8>>,
}

impl EndpointName {
    /// The name of an endpoint with the address that the program has `given`.
    pub(super) fn new(id: i32, is_bound: bool, given: &[u8]) -> EndpointName {
        EndpointName { id, is_bound, given: given.to_owned(), chosen: OnceLock::new() }
    }

    /// The endpoint is bound: its address may have what the system has chosen.
    pub(super) fn bound(&self, endpoint: &dyn Endpoint) {
        _ = self.chosen.set(endpoint.address(&self.given));
    }

    /// The address, with what the system has chosen.
    pub(super) fn address(&self) -> &[u8] {
        self.chosen.get().unwrap_or(&self.given)
    }

    /// The length of the scheme with `://`.
    fn scheme(&self) -> usize {
        self.address().windows(3).position(|bytes| bytes == b"://").map_or(0, |length| length + 3)
    }

    /// The address without its scheme.
    pub(super) fn bare_address(&self) -> &[u8] {
        &self.address()[self.scheme()..]
    }

    /// An address with the scheme of this one.
    pub(super) fn with_scheme(&self, address: &[u8]) -> Vec<u8> {
        [&self.address()[..self.scheme()], address].concat()
    }

    /// An event of the endpoint.
    pub(super) fn event(&self, kind: EventKind) -> SocketEvent {
        let mut event = SocketEvent { endpoint: Some(EndpointId(self.id)), ..SocketEvent::new(kind) };
        *(if self.is_bound { &mut event.local } else { &mut event.peer }) = Some(self.address().to_owned());
        event
    }

    /// The peer of one of the endpoint's pipes.
    pub(super) fn peer_info(&self, pipe: PipeId, peer: &Arc<dyn Peer>) -> PeerInfo {
        let identity = peer.identity();
        let own = || self.address().to_owned();
        let local = identity.local.map(|local| self.with_scheme(&local));
        PeerInfo {
            pipe: pipe.0.into(),
            endpoint: EndpointId(self.id),
            address: identity.remote.map_or_else(own, |remote| self.with_scheme(&remote)),
            local_address: local.or_else(|| self.is_bound.then(own)),
            credentials: identity.credentials,
            resource: identity.resource,
            shared_memory: identity.shared_memory,
            #[cfg(feature = "tls")]
            tls: identity.tls,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::pipe::NullPeer;

    #[test]
    fn addresses_have_the_scheme_of_the_endpoint() {
        let name = |is_bound, address: &str| EndpointName::new(1, is_bound, address.as_bytes());
        assert_eq!(name(true, "tls+tcp://*:5").with_scheme(b"1.2.3.4:5"), b"tls+tcp://1.2.3.4:5");
        assert_eq!(name(true, "tcp://*:5").bare_address(), b"*:5");
        assert_eq!(EndpointName::default().with_scheme(b"x"), b"x");
        let peer: Arc<dyn Peer> = Arc::new(NullPeer);
        let bound = name(true, "inproc://a").peer_info(PipeId(7), &peer);
        assert_eq!((bound.pipe, bound.endpoint.get(), &bound.address[..]), (7, 1, &b"inproc://a"[..]));
        assert_eq!(bound.local_address.as_deref(), Some(&b"inproc://a"[..]));
        assert_eq!(name(false, "inproc://a").peer_info(PipeId(7), &peer).local_address, None);
    }
}
