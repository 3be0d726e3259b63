//! One connection's TLS: records come in and go out as bytes, plaintext goes in and comes out.
//!
//! Knows no descriptor and does not block. One lock must guard it: both directions share state, such as the handshake and
//! updates of keys.

use std::io::{self, BufRead, IoSlice, Write};
use std::mem::MaybeUninit;

use rustls::Connection;
use smallvec::SmallVec;

use super::{Failure, PeerIdentity, is_of_certificate};
use crate::error::Error;

/// The most bytes of a record, with its header.
pub(crate) const RECORD: usize = 5 + 16 * 1024 + 2048;
/// The most plaintext that is sealed at once: four records.
const SEALED_MAX: usize = 64 * 1024;

/// What [`Session::take`] has found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plaintext {
    /// So many bytes, which fill the room unless there are no more.
    Bytes(usize),
    /// None, until more records come.
    Empty,
    /// The peer has ended its direction properly.
    End,
    /// The stream has ended, and the peer has not said so: it may have been cut.
    Cut,
}

/// The kind of a session's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The certificate of the peer was refused, or it has shown none.
    Certificate,
    /// The peer has refused this side, and has said so.
    Alert,
    /// The peer has sent something invalid, or proposes nothing that this side can do.
    Invalid,
}

impl From<&rustls::Error> for Fault {
    fn from(error: &rustls::Error) -> Fault {
        match error {
            rustls::Error::AlertReceived(_) => Fault::Alert,
            error if is_of_certificate(error) => Fault::Certificate,
            _ => Fault::Invalid,
        }
    }
}

/// The TLS of one connection.
pub(crate) struct Session {
    connection: Connection,
    /// The certificate of the peer is verified, if it shows one.
    verifies: bool,
    /// Why the session has failed.
    failure: Option<(Fault, Failure)>,
    /// The stream has ended.
    has_ended: bool,
    /// The own direction is ended.
    is_closed: bool,
}

impl Session {
    /// A session before its handshake.
    pub(super) fn new(connection: Connection, verifies: bool) -> Session {
        Session { connection, verifies, failure: None, has_ended: false, is_closed: false }
    }

    /// Takes records from the front of `input`, which is not empty, after all plaintext was taken.
    ///
    /// # Errors
    /// Once, if they are invalid, or the peer is refused. There may be plaintext of valid ones before, and [`Session::send`] may
    /// have an alert.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<(), Failure> {
        let taken = self.connection.read_tls(input);
        match taken {
            Ok(0) => *input = &[],
            Ok(_) => {}
            Err(error) => {
                *input = &[];
                let failure = Failure { error: Error::Os(libc::EPROTO), reason: error.to_string() };
                return Err(self.failed(Fault::Invalid, failure));
            }
        }
        match self.connection.process_new_packets() {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(Fault::from(&error), error.into())),
        }
    }

    fn failed(&mut self, fault: Fault, failure: Failure) -> Failure {
        self.failure.get_or_insert((fault, failure)).1.clone()
    }

    /// The stream has ended.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
        // An empty read is the end. It cannot fail.
        let _ = self.connection.read_tls(&mut io::empty());
    }

    /// Moves plaintext that the peer has sent into `room`.
    pub(crate) fn take(&mut self, room: &mut [MaybeUninit<u8>]) -> Plaintext {
        let mut taken = 0;
        let mut reader = self.connection.reader();
        while taken < room.len() {
            let chunk = match reader.fill_buf() {
                Ok([]) if taken == 0 => return Plaintext::End,
                Ok([]) => break,
                Ok(chunk) => chunk,
                Err(error) if taken == 0 && error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Plaintext::Cut;
                }
                Err(_) => break,
            };
            let count = chunk.len().min(room.len() - taken);
            for (place, byte) in room[taken..].iter_mut().zip(chunk) {
                place.write(*byte);
            }
            reader.consume(count);
            taken += count;
        }
        if taken == 0 { Plaintext::Empty } else { Plaintext::Bytes(taken) }
    }

    /// Makes records of the plaintext in `pieces`, of its beginning if it is long. Returns the number of bytes taken. During the
    /// handshake they are kept, and become records when it is done.
    pub(crate) fn seal(&mut self, pieces: &[IoSlice<'_>]) -> usize {
        let mut room = SEALED_MAX;
        let mut beginning = SmallVec::<[IoSlice<'_>; 64]>::new();
        for piece in pieces {
            let count = piece.len().min(room);
            beginning.push(IoSlice::new(&piece[..count]));
            room -= count;
            if room == 0 {
                break;
            }
        }
        // Cannot fail: it copies.
        self.connection.writer().write_vectored(&beginning).unwrap_or(0)
    }

    /// Whether [`Session::send`] has records to send.
    pub(crate) fn has_records(&self) -> bool {
        self.connection.wants_write()
    }

    /// Appends the records that are to be sent to `output`.
    pub(crate) fn send(&mut self, output: &mut Vec<u8>) {
        while self.connection.wants_write() {
            // Cannot fail: it copies.
            if self.connection.write_tls(output).is_err() {
                return;
            }
        }
    }

    /// Ends the own direction, unless the session has failed or its handshake is not done.
    pub(crate) fn close(&mut self) {
        if !self.is_closed && self.failure.is_none() && !self.connection.is_handshaking() {
            self.is_closed = true;
            self.connection.send_close_notify();
        }
    }

    /// The peer, if it has shown a certificate, after the handshake.
    pub(crate) fn peer(&self) -> Option<PeerIdentity> {
        let certificate = self.connection.peer_certificates()?.first()?;
        let version = self.connection.protocol_version().map(u16::from)?;
        Some(PeerIdentity::new(certificate, self.verifies, version))
    }

    /// Why the session has failed, if it has.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref().map(|(_, failure)| failure)
    }

    /// The kind of its failure, if it has failed.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.failure.as_ref().map(|(fault, _)| *fault)
    }

    /// Why the peer's greeting has not come, when the connection has ended.
    pub(crate) fn reason(&self) -> Failure {
        if let Some((_, failure)) = &self.failure {
            return failure.clone();
        }
        let (errno, reason) = match (self.connection.is_handshaking(), self.has_ended) {
            (true, true) => (libc::ECONNRESET, "the peer has ended the connection during the TLS handshake"),
            (true, false) => (libc::ETIMEDOUT, "the TLS handshake was not finished in time"),
            (false, _) => (libc::EPROTO, "no valid greeting has followed the TLS handshake"),
        };
        Failure { error: Error::Os(errno), reason: reason.to_owned() }
    }

    /// Whether the peer's first message of the handshake has come and was accepted.
    pub(crate) fn has_begun(&self) -> bool {
        self.connection.protocol_version().is_some()
    }

    /// Whether the handshake is not done.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the handshake has resumed a session.
    #[cfg(test)]
    pub(super) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }
}
