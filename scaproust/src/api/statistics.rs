//! The statistics of a socket.

use super::pattern::Pattern;
use super::socket::Socket;
use crate::error::Error;
use crate::socket::Statistic;

/// The statistics of a socket since it was opened. Each is read at its own moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Statistics {
    /// Connections that were made.
    pub established: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that this side closed.
    pub dropped: u64,
    /// Connections that the other side closed.
    pub broken: u64,
    /// Attempts to connect that failed.
    pub connect_errors: u64,
    /// Attempts to bind that failed.
    pub bind_errors: u64,
    /// Attempts to accept that failed.
    pub accept_errors: u64,
    /// Connections that are up now.
    pub connections: u64,
    /// Endpoints that are making a connection now.
    pub connecting: u64,
    /// Endpoints that have had an error since they last had a connection.
    pub failing: u64,
    /// Messages that were sent.
    pub messages_sent: u64,
    /// Messages that were received.
    pub messages_received: u64,
    /// The bytes of the messages that were sent.
    pub bytes_sent: u64,
    /// The bytes of the messages that were received.
    pub bytes_received: u64,
    /// The send priority of the peer that gets the next message; 0 without one.
    pub send_priority: u64,
    /// Connections that were refused: by a rule, for the peer's protocol, or because there was no room for a peer.
    pub refused: u64,
    /// Connections that ended before both sides had greeted each other.
    pub handshake_errors: u64,
    /// Messages that were dropped for a receiver that had no room.
    pub messages_dropped: u64,
    /// Messages that were dropped for their hop count.
    pub invalid_messages: u64,
}

impl<P: Pattern> Socket<P> {
    /// The statistics of the socket.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Pull, Push};
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// source.bind("inproc://doc/statistics")?;
    /// worker.connect("inproc://doc/statistics")?;
    /// source.send("task")?;
    /// let statistics = source.statistics()?;
    /// assert_eq!((statistics.connections, statistics.messages_sent, statistics.bytes_sent), (1, 1, 4));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let call = self.enter()?;
        let value = |statistic| call.statistic(statistic);
        Ok(Statistics {
            established: value(Statistic::Established)?,
            accepted: value(Statistic::Accepted)?,
            dropped: value(Statistic::Dropped)?,
            broken: value(Statistic::Broken)?,
            connect_errors: value(Statistic::ConnectErrors)?,
            bind_errors: value(Statistic::BindErrors)?,
            accept_errors: value(Statistic::AcceptErrors)?,
            connections: value(Statistic::Connections)?,
            connecting: value(Statistic::Connecting)?,
            failing: value(Statistic::Failing)?,
            messages_sent: value(Statistic::MessagesSent)?,
            messages_received: value(Statistic::MessagesReceived)?,
            bytes_sent: value(Statistic::BytesSent)?,
            bytes_received: value(Statistic::BytesReceived)?,
            send_priority: value(Statistic::SendPriority)?,
            refused: value(Statistic::Refused)?,
            handshake_errors: value(Statistic::HandshakeErrors)?,
            messages_dropped: value(Statistic::MessagesDropped)?,
            invalid_messages: value(Statistic::InvalidMessages)?,
        })
    }
}
