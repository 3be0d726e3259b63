//! The layer of tls+tcp and wss.
//!
//! The lock of the session is never held during a system call, so that the two directions wait for each other only while
//! records are sealed or opened. A read takes records from the kernel into the caller's memory, and leaves all plaintext there:
//! an idle connection holds no buffers, and no plaintext stays behind while the descriptor is silent, unless the caller's
//! memory was small.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sync::{Mutex, lock, rank, try_lock};
use crate::tls::{Config, Failure, Fault, PeerIdentity, Plaintext, RECORD, Session};
use crate::transport::stream::platform::{self, NO_SIGNAL, SHORT_READ_IS_ALL};

/// The most records, in bytes, that are read into little memory: as many as a session always takes at once.
const LITTLE: usize = 1024;
/// The memory for records that is kept while there are none.
const KEPT_OUTPUT: usize = 4096;

/// A stream's TLS.
pub(super) struct Tls {
    session: Mutex<Session, rank::StreamLayer>,
    output: Mutex<Output, rank::StreamOutput>,
    /// The last read has left plaintext in the session. Changed by the only reader.
    holds_plaintext: AtomicBool,
    /// The last read has emptied the kernel's buffer. Changed by the only reader.
    has_read_all: AtomicBool,
    /// A read has caused records to be sent.
    has_answer: AtomicBool,
    /// A read has returned the failure of the session. Changed by the only reader.
    has_told_failure: AtomicBool,
}

/// Records that the kernel has not taken yet.
#[derive(Default)]
struct Output {
    records: Vec<u8>,
    /// The number of bytes that the kernel has taken.
    sent: usize,
}

impl Output {
    /// Sends what is there. Not inlined, since capi-tests/memcheck.supp has its name.
    #[inline(never)]
    fn send(&mut self, raw: &platform::Stream) -> io::Result<()> {
        while self.sent < self.records.len() {
            self.sent += raw.send_with_flags(&self.records[self.sent..], NO_SIGNAL)?;
        }
        self.sent = 0;
        self.records.clear();
        self.records.shrink_to(KEPT_OUTPUT);
        Ok(())
    }
}

/// The bytes that the kernel has written.
fn written(bytes: &[MaybeUninit<u8>]) -> &[u8] {
    // SAFETY: each caller passes bytes that a read has returned.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

impl Tls {
    /// The TLS of a stream that is connected.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(super) fn new(config: &Config) -> Result<Tls, Failure> {
        Ok(Tls {
            session: Mutex::new(config.session()?),
            output: Mutex::default(),
            holds_plaintext: AtomicBool::new(false),
            has_read_all: AtomicBool::new(false),
            has_answer: AtomicBool::new(false),
            has_told_failure: AtomicBool::new(false),
        })
    }

    /// As [`Stream::read`](super::Stream::read).
    pub(super) fn read(&self, raw: &platform::Stream, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        {
            let mut session = lock(&self.session);
            if let Some(outcome) = self.outcome(&mut session, room, 0) {
                return outcome;
            }
        }
        // Records go behind the plaintext that they become. A session may hold the beginning of one record.
        let start = if room.len() > 2 * RECORD { RECORD } else { room.len().saturating_sub(LITTLE) };
        let count = raw.recv(&mut room[start..])?;
        let mut session = lock(&self.session);
        if session.failure().is_some() {
            // The peer may still send; nothing of it is taken.
            return if count == 0 { Ok(0) } else { Err(io::ErrorKind::Interrupted.into()) };
        }
        self.has_read_all.store(count < room.len() - start, Ordering::Relaxed);
        if count == 0 {
            session.end();
        }
        let taken = open(&mut session, room, start, start + count);
        self.has_answer.fetch_or(session.has_records(), Ordering::Relaxed);
        if session.failure().is_some() {
            // The next read returns it, for which there may be no other event.
            self.has_read_all.store(false, Ordering::Relaxed);
        }
        // Part of a record, or of the handshake: the next read may find the rest.
        self.outcome(&mut session, room, taken).unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))
    }

    /// What a read returns without asking the kernel: plaintext, of which `taken` bytes are in `room`; then the end, or, once,
    /// the failure. `None` if there is none of them.
    fn outcome(
        &self,
        session: &mut Session,
        room: &mut [MaybeUninit<u8>],
        taken: usize,
    ) -> Option<io::Result<usize>> {
        let outcome = self.take(session, room, taken);
        // What came before a failure is valid.
        if session.failure().is_none() || matches!(outcome, Some(Ok(1..))) {
            return outcome;
        }
        (!self.has_told_failure.swap(true, Ordering::Relaxed)).then(|| Err(failed()))
    }

    /// Moves plaintext into `room`, behind `taken` bytes of it. `None` if there is none, and more may come.
    fn take(
        &self,
        session: &mut Session,
        room: &mut [MaybeUninit<u8>],
        taken: usize,
    ) -> Option<io::Result<usize>> {
        let plaintext = session.take(&mut room[taken..]);
        let is_full = matches!(plaintext, Plaintext::Bytes(count) if taken + count == room.len());
        self.holds_plaintext.store(is_full, Ordering::Relaxed);
        match plaintext {
            Plaintext::Bytes(count) => Some(Ok(taken + count)),
            Plaintext::Empty if taken > 0 => Some(Ok(taken)),
            Plaintext::Empty => None,
            Plaintext::End | Plaintext::Cut if taken > 0 => {
                // The next read returns the end, for which there may be no other event.
                self.has_read_all.store(false, Ordering::Relaxed);
                Some(Ok(taken))
            }
            Plaintext::End => Some(Ok(0)),
            Plaintext::Cut => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Whether plaintext is left that no event will report.
    pub(super) fn holds_plaintext(&self) -> bool {
        self.holds_plaintext.load(Ordering::Relaxed)
    }

    /// As [`Stream::short_read_is_all`](super::Stream::short_read_is_all).
    pub(super) fn short_read_is_all(&self) -> bool {
        SHORT_READ_IS_ALL && self.has_read_all.load(Ordering::Relaxed) && !self.holds_plaintext()
    }

    /// As [`Stream::write`](super::Stream::write). Records are sealed only when the kernel has taken those before, so what is
    /// held back is bounded.
    pub(super) fn write(&self, raw: &platform::Stream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut output = lock(&self.output);
        output.send(raw)?;
        let count = {
            let mut session = lock(&self.session);
            let count = match session.failure() {
                // Only an alert follows.
                Some(_) => pieces.iter().map(|piece| piece.len()).sum(),
                None => session.seal(pieces),
            };
            session.send(&mut output.records);
            count
        };
        // The bytes are accepted: an error is that of the next call.
        let _ = output.send(raw);
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    /// As [`Stream::flush`](super::Stream::flush).
    pub(super) fn flush(&self, raw: &platform::Stream) -> io::Result<()> {
        let mut output = lock(&self.output);
        output.send(raw)?;
        lock(&self.session).send(&mut output.records);
        output.send(raw)
    }

    /// As [`Stream::wants_flush`](super::Stream::wants_flush).
    pub(super) fn wants_flush(&self) -> bool {
        self.has_answer.swap(false, Ordering::Relaxed)
    }

    /// As [`Stream::is_free`](super::Stream::is_free).
    pub(super) fn is_free(&self) -> bool {
        try_lock(&self.output).is_some() && try_lock(&self.session).is_some()
    }

    /// Ends the own direction, before the stream is shut down as `how` says.
    pub(super) fn close(&self, raw: &platform::Stream, how: Shutdown) {
        if how != Shutdown::Read {
            lock(&self.session).close();
            // There is room, unless the connection is not closed but broken.
            let _ = self.flush(raw);
        }
    }

    /// The peer, if it has shown a certificate.
    pub(super) fn peer(&self) -> Option<PeerIdentity> {
        lock(&self.session).peer()
    }

    /// As [`Stream::handshake_has_begun`](super::Stream::handshake_has_begun).
    pub(super) fn has_begun(&self) -> Option<bool> {
        try_lock(&self.session).map(|session| session.has_begun())
    }

    /// The kind of the session's failure, if it has failed.
    pub(super) fn fault(&self) -> Option<Fault> {
        lock(&self.session).fault()
    }

    /// Why the peer's greeting has not come, when the connection has ended.
    pub(super) fn reason(&self) -> Failure {
        lock(&self.session).reason()
    }
}

/// Opens the records at `room[start..end]`, up to one with which the session fails, and moves the plaintext to the beginning of
/// `room`. Returns its length.
fn open(session: &mut Session, room: &mut [MaybeUninit<u8>], start: usize, end: usize) -> usize {
    let (mut taken, mut at) = (0, start);
    while at < end && session.failure().is_none() {
        let (plain, records) = room.split_at_mut(at);
        let records = &records[..end - at];
        let mut left = written(records);
        // The session remembers its failure.
        let _ = session.feed(&mut left);
        at += records.len() - left.len();
        if let Plaintext::Bytes(count) = session.take(&mut plain[taken..]) {
            taken += count;
        }
    }
    taken
}

/// The session has failed; its [`Failure`] says why.
fn failed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
