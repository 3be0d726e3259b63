//! What has passed through a pipe, and what has happened to an endpoint.

use std::ops::AddAssign;

use super::endpoint_id::EndpointId;
use super::statistics::{Statistic, Statistics};
use crate::transport::EndpointEvent;

/// The messages of a connection, or of all connections of an endpoint. Bytes are those of the bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages sent to the peer, also those that a protocol has sent again, forwarded, or made itself, as the
    /// subscriptions for a publisher that filters.
    pub messages_sent: u64,
    /// The bytes of those.
    pub bytes_sent: u64,
    /// Messages of the peer that the program has received. One that several contexts receive counts for each of them.
    pub messages_received: u64,
    /// The bytes of those.
    pub bytes_received: u64,
    /// Messages that were not sent to the peer, because it had no room.
    pub messages_dropped: u64,
    /// Messages of the peer that have come, and were dropped for newer ones or because a context had no room.
    pub messages_missed: u64,
}

impl Traffic {
    /// A message of so many bytes that was received.
    pub(super) fn received(bytes: usize) -> Traffic {
        Traffic { messages_received: 1, bytes_received: bytes as u64, ..Traffic::default() }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.messages_sent += other.messages_sent;
        self.bytes_sent += other.bytes_sent;
        self.messages_received += other.messages_received;
        self.bytes_received += other.bytes_received;
        self.messages_dropped += other.messages_dropped;
        self.messages_missed += other.messages_missed;
    }
}

/// The statistics of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipeStatistics {
    /// The number of the connection; see [`PeerInfo::pipe`](crate::PeerInfo::pipe).
    pub pipe: u64,
    /// The id of its endpoint.
    pub endpoint: EndpointId,
    /// Whether the connection is up. If not, messages of the peer can still be received.
    pub is_connected: bool,
    /// Its messages.
    pub traffic: Traffic,
}

/// The statistics of an endpoint, since it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStatistics {
    /// The id of the endpoint.
    pub endpoint: EndpointId,
    /// Connections that are up.
    pub current_connections: u32,
    /// The messages of all its connections, also of those that have ended.
    pub traffic: Traffic,
    /// Attempts to connect that have begun; 0 if the endpoint is bound. Over inproc, times that it waited for a socket.
    pub connect_attempts: u64,
    /// Attempts to connect, or to accept a connection, that have failed.
    pub connect_errors: u64,
    /// Connections that were made or accepted.
    pub connections: u64,
    /// Connections that were refused.
    pub refused_connections: u64,
    /// Other connections that have ended before both sides had greeted each other.
    pub handshake_errors: u64,
    /// Connections that this side has closed.
    pub dropped_connections: u64,
    /// Connections that the other side, or the network, has closed.
    pub broken_connections: u64,
}

impl EndpointStatistics {
    /// Adds a connection whose peer is not gone. `is_ready` says whether it is up.
    pub(super) fn add(&mut self, is_ready: bool, traffic: Traffic) {
        self.current_connections += u32::from(is_ready);
        self.traffic += traffic;
    }
}

/// What is counted for an endpoint, under the socket's lock.
#[derive(Debug, Default)]
pub(super) struct EndpointCounters {
    events: Statistics,
    connect_attempts: u64,
    /// The messages of connections whose peer is gone.
    past: Traffic,
}

impl EndpointCounters {
    /// Counts an event that the transport reports. `begins_attempt` says whether it is the first one of an attempt to connect.
    pub(super) fn count(&mut self, event: EndpointEvent, begins_attempt: bool) {
        self.events.count(event);
        self.connect_attempts += u64::from(begins_attempt);
    }

    /// Counts messages of a connection whose peer is gone.
    pub(super) fn add(&mut self, traffic: Traffic) {
        self.past += traffic;
    }

    /// The statistics of the endpoint with this id, apart from the connections that are up.
    pub(super) fn statistics(&self, endpoint: EndpointId) -> EndpointStatistics {
        let sum = |one, other| self.events[one] + self.events[other];
        EndpointStatistics {
            endpoint,
            current_connections: 0,
            traffic: self.past,
            connect_attempts: self.connect_attempts,
            connect_errors: sum(Statistic::ConnectErrors, Statistic::AcceptErrors),
            connections: sum(Statistic::Established, Statistic::Accepted),
            refused_connections: self.events[Statistic::Refused],
            handshake_errors: self.events[Statistic::HandshakeErrors],
            dropped_connections: self.events[Statistic::Dropped],
            broken_connections: self.events[Statistic::Broken],
        }
    }
}
