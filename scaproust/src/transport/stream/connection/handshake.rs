//! The TLS handshake of a connection. Before it is done, the poller's reports go to [`handshakes`], which decides which thread
//! performs the next part of it.

use std::sync::Arc;
#[cfg(feature = "tls")]
use std::sync::OnceLock;
#[cfg(feature = "tls")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Connection;
use crate::endpoint::Handshaking;
use crate::pipe::End;
use crate::sync::try_lock;
#[cfg(feature = "tls")]
use crate::sync::{lock, now};
#[cfg(feature = "tls")]
use crate::transport::stream::handshakes;

/// How far the handshake is, for threads that do not have the reader's lock, with which another one may perform it.
#[cfg(feature = "tls")]
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The connection is in the queue of [`handshakes`].
    is_queued: AtomicBool,
    /// The poller has reported the end of the stream.
    has_end: AtomicBool,
    /// When the peer's first message was answered.
    answered: OnceLock<Duration>,
}

#[cfg(feature = "tls")]
impl Connection {
    /// The poller has reported something to read, and the end of the stream if `has_end`.
    pub(super) fn handshake_ready(self: &Arc<Self>, has_end: bool) {
        self.handshake.has_end.fetch_or(has_end, Ordering::Relaxed);
        handshakes::proceed(self);
    }

    /// Notes that the connection waits for a thread of handshakes. Returns whether it did not before.
    pub(in crate::transport::stream) fn begin_to_wait(&self) -> bool {
        !self.handshake.is_queued.swap(true, Ordering::SeqCst)
    }

    /// Notes that the wait is over, and goes on with the handshake. What comes now is read, or the connection waits again.
    pub(in crate::transport::stream) fn end_to_wait(self: &Arc<Self>) {
        self.handshake.is_queued.store(false, Ordering::SeqCst);
        self.proceed();
    }

    /// Goes on with the handshake, unless the connection has ended meanwhile: a signature would be made for nothing.
    pub(in crate::transport::stream) fn proceed(self: &Arc<Self>) {
        lock(&self.reader).note_end(self.handshake.has_end.load(Ordering::Relaxed));
        if lock(&self.writer).has_ended() {
            return;
        }
        self.receive();
        if self.handshake.answered.get().is_none() && self.stream.handshake_has_begun() == Some(true) {
            // Cannot fail: one thread at a time is here.
            let _ = self.handshake.answered.set(now());
        }
    }

    /// Calls a function while this thread is reading, as one does that performs the handshake.
    #[cfg(all(test, not(any(loom, simulated))))]
    pub(in crate::transport::stream) fn while_reading(&self, call: impl FnOnce()) {
        let _reader = lock(&self.reader);
        call();
    }

    /// Whether another thread is reading, which performs the handshake.
    pub(in crate::transport::stream) fn is_being_read(&self) -> bool {
        try_lock(&self.reader).is_none()
    }
}

impl Connection {
    /// Ends the connection unless the peer's greeting has come, or is being read.
    pub(in crate::transport::stream) fn give_up_handshake(self: &Arc<Self>) {
        match try_lock(&self.reader) {
            Some(mut reader) if !self.is_established() => reader.close(),
            _ => return,
        }
        self.finish(End::SILENCE);
    }
}

impl Handshaking for Arc<Connection> {
    fn answered(&self) -> Option<Duration> {
        #[cfg(feature = "tls")]
        return self.handshake.answered.get().copied();
        #[cfg(not(feature = "tls"))]
        None
    }

    fn awaits_peer(&self) -> bool {
        #[cfg(feature = "tls")]
        return !self.handshake.is_queued.load(Ordering::SeqCst)
            && !self.stream.has_input()
            && self.stream.handshake_has_begun().is_some();
        #[cfg(not(feature = "tls"))]
        false
    }
}

#[cfg(all(test, feature = "tls", not(any(loom, simulated))))]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::mem::MaybeUninit;

    use super::*;
    use crate::pipe::NullPeer;
    use crate::protocol::PUSH;
    use crate::reactor::Reactor;
    use crate::tls::Config;
    use crate::tls::TlsOption::CaFile;
    use crate::tls::tests::settings;
    use crate::transport::Linger;
    use crate::transport::stream::layers::Stream;
    use crate::transport::stream::protocol_pair;
    use crate::transport::stream::test_support::{SecurePeer, TestSocket, configs, connected_over_network};
    use crate::wire::Mapping;

    /// A connection that is closed waits for no thread that performs its handshake, and a handshake that has not begun is not
    /// performed.
    #[test]
    fn a_connection_is_closed_beside_its_handshake() {
        let (client, server) = configs(&[]);
        let (ours, theirs) = connected_over_network();
        let context = TestSocket::new(&PUSH, Arc::new(NullPeer));
        let connection = Connection::start(
            Stream::secure(ours, &server).unwrap(),
            Mapping::Tcp,
            protocol_pair(&PUSH),
            context,
            Arc::new(NullPeer),
            Reactor::idle(),
        )
        .unwrap();
        let mut peer = SecurePeer::new(theirs, &client);
        peer.flush().unwrap();
        // As if a thread signed something.
        let busy = lock(&connection.reader);
        connection.close(&Linger::begin(None));
        drop(busy);
        assert!(lock(&connection.writer).has_ended() && connection.stream.has_input());
        connection.end_to_wait();
        assert_eq!(connection.stream.handshake_has_begun(), Some(false));
    }

    /// The peer learns of the failure, and ends the stream, before the thread that has read the failure has acted on it.
    #[test]
    fn a_certificate_that_is_refused_explains_the_end_of_the_stream() {
        let distrusting = Arc::new(settings(&[(CaFile, "other-ca")], &[]));
        let client = Config::client(&distrusting, "localhost").unwrap();
        let (ours, theirs) = connected_over_network();
        let context = TestSocket::new(&PUSH, Arc::new(NullPeer));
        let connection = Connection::start(
            Stream::secure(ours, &client).unwrap(),
            Mapping::Tcp,
            protocol_pair(&PUSH),
            context.clone(),
            Arc::new(NullPeer),
            Reactor::idle(),
        )
        .unwrap();
        connection.greet();
        let mut peer = SecurePeer::new(theirs, &configs(&[]).1);
        let peer = std::thread::spawn(move || peer.read(&mut [0]).unwrap_err());
        let mut room = [MaybeUninit::uninit(); 4096];
        while connection.stream.read(None, &mut room).unwrap_err().kind() != ErrorKind::InvalidData {
            connection.stream.flush().unwrap();
        }
        connection.stream.flush().unwrap();
        assert!(peer.join().unwrap().to_string().contains("alert"));
        connection.receive();
        assert!(lock(&connection.writer).has_ended());
        assert_eq!(*lock(&context.unopened), Some(End::CERTIFICATE));
    }
}
