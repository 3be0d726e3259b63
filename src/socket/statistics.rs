//! What a socket counts.

use crate::transport::Note;

/// The numbers of the statistics, as in `nn.h`.
pub(crate) mod number {
    /// Connections that were made.
    pub(crate) const ESTABLISHED: i32 = 101;
    /// Connections that were accepted.
    pub(crate) const ACCEPTED: i32 = 102;
    /// Connections that this side closed.
    pub(crate) const DROPPED: i32 = 103;
    /// Connections that the other side closed.
    pub(crate) const BROKEN: i32 = 104;
    /// Attempts to connect that failed.
    pub(crate) const CONNECT_ERRORS: i32 = 105;
    /// Attempts to bind that failed.
    pub(crate) const BIND_ERRORS: i32 = 106;
    /// Attempts to accept that failed.
    pub(crate) const ACCEPT_ERRORS: i32 = 107;
    /// Connections that are up.
    pub(crate) const CONNECTIONS: i32 = 201;
    /// Endpoints that are connecting.
    pub(crate) const CONNECTING: i32 = 202;
    /// Endpoints with an error.
    pub(crate) const FAILING: i32 = 203;
    /// Messages sent.
    pub(crate) const MESSAGES_SENT: i32 = 301;
    /// Messages received.
    pub(crate) const MESSAGES_RECEIVED: i32 = 302;
    /// Bytes sent.
    pub(crate) const BYTES_SENT: i32 = 303;
    /// Bytes received.
    pub(crate) const BYTES_RECEIVED: i32 = 304;
    /// No counter: it is the protocol's, and known at the moment it is asked for.
    pub(crate) const SEND_PRIORITY: i32 = 401;
}

/// The counters; they are under the socket's lock.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    established: u64,
    accepted: u64,
    dropped: u64,
    broken: u64,
    connect_errors: u64,
    /// Endpoints that could not be bound.
    pub(super) bind_errors: u64,
    accept_errors: u64,
    /// Endpoints that are making a connection.
    pub(super) connecting: u64,
    /// Endpoints with an error since they last had a connection.
    pub(super) failing: u64,
    /// Messages that the protocol took from the caller.
    pub(super) messages_sent: u64,
    /// Messages that the caller got.
    pub(super) messages_received: u64,
    /// The bodies of the messages sent.
    pub(super) bytes_sent: u64,
    /// The bodies of the messages received.
    pub(super) bytes_received: u64,
}

impl Statistics {
    /// Counts what a transport told.
    pub(super) fn count(&mut self, note: Note) {
        match note {
            Note::Connecting => {}
            Note::Connected => self.established += 1,
            Note::ConnectFailed(_) => self.connect_errors += 1,
            Note::Accepted => self.accepted += 1,
            Note::AcceptFailed(_) => self.accept_errors += 1,
            Note::Dropped => self.dropped += 1,
            Note::Broken => self.broken += 1,
        }
    }

    /// The value of a counter, by its `NN_STAT_` number; `connections` is the number of pipes.
    pub(super) fn get(&self, number: i32, connections: usize) -> Option<u64> {
        Some(match number {
            number::ESTABLISHED => self.established,
            number::ACCEPTED => self.accepted,
            number::DROPPED => self.dropped,
            number::BROKEN => self.broken,
            number::CONNECT_ERRORS => self.connect_errors,
            number::BIND_ERRORS => self.bind_errors,
            number::ACCEPT_ERRORS => self.accept_errors,
            number::CONNECTIONS => connections as u64,
            number::CONNECTING => self.connecting,
            number::FAILING => self.failing,
            number::MESSAGES_SENT => self.messages_sent,
            number::MESSAGES_RECEIVED => self.messages_received,
            number::BYTES_SENT => self.bytes_sent,
            number::BYTES_RECEIVED => self.bytes_received,
            _ => return None,
        })
    }
}
