//! The state of a socket at one moment, as the report of the process shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Socket;
use super::core::Core;
use super::endpoint_connections::EndpointConnections;
use super::endpoint_id::EndpointId;
use super::endpoint_state::SharedEndpointState;
use super::peer_info::{EndpointName, PeerInfo};
use super::statistics::Statistic;
use super::traffic::{EndpointStatistics, Traffic};
use crate::error::Error;
use crate::pipe::Peer;
use crate::protocol::{PipeId, Protocol, ProtocolInfo};
use crate::sync::lock;

/// The state of a socket.
pub(super) struct Snapshot {
    /// The number of the socket.
    pub(super) number: i32,
    pub(super) protocol: &'static ProtocolInfo,
    pub(super) is_raw: bool,
    /// `NN_SOCKET_NAME`.
    pub(super) name: Vec<u8>,
    /// The number of the parent, if the socket is a context: then it has nothing of what follows.
    pub(super) parent: Option<i32>,
    /// Its statistics with their names.
    pub(super) statistics: Vec<(&'static str, u64)>,
    pub(super) endpoints: Vec<EndpointSnapshot>,
    /// The connections that have not ended.
    pub(super) pipes: Vec<PipeSnapshot>,
}

/// The state of an endpoint. It has references, so that nothing is described under the socket's lock.
pub(super) struct EndpointSnapshot {
    pub(super) name: Arc<EndpointName>,
    pub(super) statistics: EndpointStatistics,
    state: SharedEndpointState,
    connections: Arc<EndpointConnections>,
}

/// The state of a connection. It has references, as [`EndpointSnapshot`].
pub(super) struct PipeSnapshot {
    id: PipeId,
    endpoint: Arc<EndpointName>,
    peer: Arc<dyn Peer>,
    known: Option<Arc<PeerInfo>>,
    /// Whether both sides can use the connection.
    pub(super) is_ready: bool,
    pub(super) traffic: Traffic,
    /// How many bytes wait to be sent, and the bound of the queue.
    pub(super) send_queue: (usize, usize),
    /// How many bytes wait to be received, and the bound of the queue.
    pub(super) receive_queue: (usize, usize),
}

impl EndpointSnapshot {
    /// What the endpoint does, in a word, and its last error if it has no connection since.
    pub(super) fn state(&self) -> (&'static str, Option<Error>) {
        let state = lock(&self.state);
        let error = state.last_error();
        let word = match (error, self.name.is_bound) {
            (None, true) => "listening",
            (None, false) if self.connections.is_any_open() => "connected",
            _ if state.is_connecting() => "connecting",
            (Some(_), _) => "failing",
            (None, false) => "waiting",
        };
        (word, error)
    }
}

impl PipeSnapshot {
    /// The peer.
    pub(super) fn describe(&self) -> Arc<PeerInfo> {
        let known = self.known.clone();
        known.unwrap_or_else(|| Arc::new(self.endpoint.peer_info(self.id, &self.peer)))
    }
}

impl Socket {
    /// The state of the socket; `None` if it is being closed.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(super) fn snapshot(&self) -> Result<Option<Snapshot>, Error> {
        let parent = self.parent().map(|parent| parent.id);
        self.observe(|core| {
            let mut snapshot = Snapshot {
                number: self.id,
                protocol: self.info,
                is_raw: self.is_raw,
                name: core.options.name().to_owned(),
                parent,
                statistics: Vec::new(),
                endpoints: Vec::new(),
                pipes: Vec::new(),
            };
            if parent.is_none() {
                if core.is_closing {
                    return Ok(None);
                }
                snapshot.fill(core)?;
            }
            Ok(Some(snapshot))
        })
    }
}

impl Snapshot {
    /// Adds what a socket has that is no context.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    fn fill(&mut self, core: &mut Core) -> Result<(), Error> {
        self.pipes.try_reserve(core.pipes.open()).map_err(|_| Error::OutOfMemory)?;
        let counters =
            Statistic::all().filter(|(statistic, _)| !matches!(statistic, Statistic::SendPriority));
        self.statistics = counters.map(|(statistic, name)| (name, core.statistic(statistic))).collect();
        let mut endpoints: BTreeMap<i32, EndpointSnapshot> = BTreeMap::new();
        for (id, open) in &core.endpoints.open {
            let Some(counters) = core.endpoints.counters.get(id) else { continue };
            let endpoint = EndpointSnapshot {
                name: open.name.clone(),
                statistics: counters.statistics(EndpointId(*id)),
                state: open.state.clone(),
                connections: open.connections.clone(),
            };
            endpoints.insert(*id, endpoint);
        }
        core.pipes.for_each_open(|id, pipe| {
            let (Some(endpoint), Some(peer)) = (&pipe.endpoint, &pipe.peer) else { return };
            let traffic = pipe.traffic_with(core.protocol.missed_by(id));
            if let Some(endpoint) = endpoints.get_mut(&endpoint.id) {
                endpoint.statistics.add(pipe.is_ready, traffic);
            }
            self.pipes.push(PipeSnapshot {
                id,
                endpoint: endpoint.clone(),
                peer: peer.clone(),
                known: pipe.known().cloned(),
                is_ready: pipe.is_ready,
                traffic,
                send_queue: pipe.send_queue(),
                receive_queue: pipe.receive_queue(),
            });
        });
        self.endpoints = endpoints.into_values().collect();
        Ok(())
    }
}
