//! The statistics of a socket.

use std::ops::{Index, IndexMut};

use crate::transport::EndpointEvent;

/// A statistic of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Connections that were made.
    Established,
    /// Connections that were accepted.
    Accepted,
    /// Connections that this side closed.
    Dropped,
    /// Connections that the other side closed.
    Broken,
    /// Attempts to connect that failed.
    ConnectErrors,
    /// Attempts to bind that failed.
    BindErrors,
    /// Attempts to accept that failed.
    AcceptErrors,
    /// Connections that are up. Not a counter: the number of pipes whose peer is not gone and has accepted the pipe.
    Connections,
    /// Endpoints that are making a connection.
    Connecting,
    /// Endpoints with an error since they last had a connection.
    Failing,
    /// Messages that the protocol has taken from calls.
    MessagesSent,
    /// Messages that calls have received.
    MessagesReceived,
    /// The bodies of the messages sent, in bytes.
    BytesSent,
    /// The bodies of the messages received, in bytes.
    BytesReceived,
    /// The send priority of the next receiver. Not a counter: the protocol knows it.
    SendPriority,
    /// Connections that were refused: by a rule, for the peer's protocol, or because there is no room for a peer.
    Refused,
    /// Connections that have ended before both sides had greeted each other.
    HandshakeErrors,
    /// Messages that were dropped for a receiver that had no room. Counted apart from the others, with the monitor.
    MessagesDropped,
    /// Messages dropped for their hop count, and malformed changes of subscriptions. The protocol counts them.
    InvalidMessages,
    /// Subscriptions of the peers of a PUB that filters. Not a counter: the protocol knows them.
    Subscriptions,
}

/// Every statistic with its `NN_STAT_` number and the name of that, in the order of [`Statistic`].
const TABLE: [(Statistic, i32, &str); 20] = [
    (Statistic::Established, 101, "established_connections"),
    (Statistic::Accepted, 102, "accepted_connections"),
    (Statistic::Dropped, 103, "dropped_connections"),
    (Statistic::Broken, 104, "broken_connections"),
    (Statistic::ConnectErrors, 105, "connect_errors"),
    (Statistic::BindErrors, 106, "bind_errors"),
    (Statistic::AcceptErrors, 107, "accept_errors"),
    (Statistic::Connections, 201, "current_connections"),
    (Statistic::Connecting, 202, "inprogress_connections"),
    (Statistic::Failing, 203, "current_ep_errors"),
    (Statistic::MessagesSent, 301, "messages_sent"),
    (Statistic::MessagesReceived, 302, "messages_received"),
    (Statistic::BytesSent, 303, "bytes_sent"),
    (Statistic::BytesReceived, 304, "bytes_received"),
    (Statistic::SendPriority, 401, "current_snd_priority"),
    (Statistic::Refused, 1001, "refused_connections"),
    (Statistic::HandshakeErrors, 1002, "handshake_errors"),
    (Statistic::MessagesDropped, 1003, "messages_dropped"),
    (Statistic::InvalidMessages, 1004, "invalid_messages"),
    (Statistic::Subscriptions, 1005, "current_subscriptions"),
];

impl Statistic {
    /// The statistic with this number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Statistic> {
        TABLE.iter().find(|known| known.1 == number).map(|known| known.0)
    }

    /// Every statistic with its name: that of its `NN_STAT_` number without the prefix, in lower case.
    pub(super) fn all() -> impl Iterator<Item = (Statistic, &'static str)> {
        TABLE.into_iter().map(|(statistic, _, name)| (statistic, name))
    }
}

/// The counters, under the socket's lock.
#[derive(Debug, Default)]
pub(super) struct Statistics([u64; TABLE.len()]);

impl Statistics {
    /// Counts an event that a transport reports.
    pub(super) fn count(&mut self, event: EndpointEvent) {
        let counter = match event {
            EndpointEvent::Connecting | EndpointEvent::Listening | EndpointEvent::Retry(..) => return,
            EndpointEvent::Unopened { end, .. } if end.is_refusal() => Statistic::Refused,
            EndpointEvent::Unopened { .. } => Statistic::HandshakeErrors,
            EndpointEvent::Connected => Statistic::Established,
            EndpointEvent::ConnectFailed(_) => Statistic::ConnectErrors,
            EndpointEvent::Accepted => Statistic::Accepted,
            EndpointEvent::AcceptFailed(_) => Statistic::AcceptErrors,
            EndpointEvent::Dropped => Statistic::Dropped,
            EndpointEvent::Broken => Statistic::Broken,
        };
        self[counter] += 1;
    }
}

impl Index<Statistic> for Statistics {
    type Output = u64;

    #[inline]
    fn index(&self, counter: Statistic) -> &u64 {
        &self.0[counter as usize]
    }
}

impl IndexMut<Statistic> for Statistics {
    #[inline]
    fn index_mut(&mut self, counter: Statistic) -> &mut u64 {
        &mut self.0[counter as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_statistics() {
        for (index, (statistic, number, _)) in TABLE.into_iter().enumerate() {
            assert_eq!(statistic as usize, index);
            assert_eq!(Statistic::from_number(number), Some(statistic));
        }
        assert_eq!(Statistic::from_number(0), None);
    }
}
