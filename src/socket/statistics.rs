//! What a socket counts.

use crate::transport::Note;

/// The number of the one that is no counter: it is the protocol's, and known at the moment it is
/// asked for.
pub(super) const SEND_PRIORITY: i32 = 401;

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
            101 => self.established,
            102 => self.accepted,
            103 => self.dropped,
            104 => self.broken,
            105 => self.connect_errors,
            106 => self.bind_errors,
            107 => self.accept_errors,
            201 => connections as u64,
            202 => self.connecting,
            203 => self.failing,
            301 => self.messages_sent,
            302 => self.messages_received,
            303 => self.bytes_sent,
            304 => self.bytes_received,
            _ => return None,
        })
    }
}
