//! Lending: a large message is written to an idle connection from the memory of the caller, and not copied before.
//!
//! Owns the decision and the message between the protocol's choice of a peer, under the socket's lock, and the write, without it.
//! Must not know how a connection writes. A connection that is lent a message takes nothing from its lane before it has written
//! that message: later messages stay behind it. What the kernel does not take of it at once is copied.
//!
//! To copy a large body takes long, so that must be done before the lock is taken, when the peer is not known yet. So a message
//! is lent only if the peers of the last ones were idle. If that was wrong, its body is copied under the lock, and the next ones
//! are not lent. The memory for a copy is there before the lock is taken, so that nothing can fail when the protocol has sent
//! the message.

use std::sync::Arc;

use crate::error::Error;
use crate::message::{Chunk, INLINE_MAX, Payload, ProtocolHeader};
use crate::pipe::Peer;
use crate::sync::Uncancellable;

/// The length in bytes from which messages are lent. Shorter ones may gather for one write. Simulated messages are short.
const LENDS_FROM: usize = if cfg!(simulated) { INLINE_MAX + 1 } else { 32 * 1024 };
/// Messages are lent if so many in a row have found their peers idle.
const LENDS_AFTER: u8 = 2;

/// The state of lending, under the socket's lock.
#[derive(Default)]
pub(super) struct Lending {
    /// A large message is being sent.
    is_large: bool,
    /// Memory for its body, which is the caller's.
    memory: Option<Chunk>,
    /// How many large messages in a row have found their peers idle; not counted beyond [`LENDS_AFTER`].
    idle: u8,
    lent: Option<Lent>,
}

impl Lending {
    /// Begins to send a large message. If its body is the caller's, there is `memory` for a copy.
    pub(super) fn begin(&mut self, memory: Option<Chunk>) {
        (self.is_large, self.memory) = (true, memory);
    }

    /// Ends what [`Lending::begin`] has begun. Returns the message if it is lent: then [`Lent::write`] must follow. Returns also
    /// whether the next one should be lent.
    pub(super) fn end(&mut self) -> (Option<Lent>, bool) {
        (self.is_large, self.memory) = (false, None);
        (self.lent.take(), self.idle == LENDS_AFTER)
    }

    /// Lends a large message to `peer`, if that is idle and the body is the caller's, and returns whether it does. If not, the body
    /// has memory of its own afterwards.
    #[cold]
    pub(super) fn lend(&mut self, peer: &Arc<dyn Peer>, header: &[u8], body: &mut Payload<'_>) -> bool {
        if !self.is_large {
            return false;
        }
        let memory = self.memory.take();
        // A long header would need memory too.
        let is_short = header.len() <= ProtocolHeader::new().inline_size();
        let is_idle = is_short && peer.lend(memory.is_some());
        self.idle = if is_idle { (self.idle + 1).min(LENDS_AFTER) } else { 0 };
        let Some(mut memory) = memory else { return false };
        if is_idle {
            *body = Payload::Borrowed(&[]);
            self.lent = Some(Lent { peer: peer.clone(), header: header.into(), memory });
        } else {
            memory.append(body.bytes());
            *body = Payload::Owned(memory);
        }
        is_idle
    }
}

/// A message that is sent but for its body.
pub(super) struct Lent {
    peer: Arc<dyn Peer>,
    header: ProtocolHeader,
    /// For what is not written at once.
    memory: Chunk,
}

impl Lent {
    /// Writes the message. The caller holds no lock.
    pub(super) fn write(self, body: &[u8]) {
        let _uncancellable = Uncancellable::begin();
        self.peer.write_lent(&self.header, body, self.memory);
    }
}

/// Whether a body of so many bytes is lent if its peer is idle.
#[inline]
pub(super) fn is_lendable(length: usize) -> bool {
    length >= LENDS_FROM
}

/// Whether a body is the caller's, and too long to be copied into a pipe.
#[inline]
pub(super) fn is_long(body: &Payload<'_>) -> bool {
    matches!(body, Payload::Borrowed(bytes) if bytes.len() > INLINE_MAX)
}

/// Copies such a body into memory of its own.
///
/// # Errors
/// [`Error::OutOfMemory`]: nothing has changed.
#[cold]
pub(super) fn own_long(body: &mut Payload<'_>) -> Result<(), Error> {
    if is_long(body) && !body.own() { Err(Error::OutOfMemory) } else { Ok(()) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Default)]
    struct Fake {
        is_idle: AtomicBool,
    }

    impl Peer for Fake {
        fn readable(self: Arc<Self>, _size: usize) {}
        fn writable(self: Arc<Self>) {}
        fn lend(&self, _begins: bool) -> bool {
            self.is_idle.load(Ordering::Relaxed)
        }
    }

    /// Sends a large message. Returns whether it was lent, and whether the next one should be.
    fn send(lending: &mut Lending, peer: &Arc<dyn Peer>, lends: bool) -> (bool, bool) {
        let bytes = vec![7; LENDS_FROM];
        let mut body = Payload::Borrowed(&bytes);
        if !lends {
            own_long(&mut body).unwrap();
        }
        lending.begin(lends.then(|| Chunk::with_capacity(bytes.len()).unwrap()));
        let is_lent = lending.lend(peer, b"head", &mut body);
        assert_eq!(body.bytes(), if is_lent { &[][..] } else { &bytes });
        assert!(is_lent || matches!(body, Payload::Owned(_)));
        let (lent, next) = lending.end();
        assert_eq!(lent.is_some(), is_lent);
        (is_lent, next)
    }

    #[test]
    fn messages_are_lent_after_some_have_found_their_peers_idle() {
        let fake = Arc::new(Fake::default());
        let peer: Arc<dyn Peer> = fake.clone();
        let mut lending = Lending::default();
        assert_eq!(send(&mut lending, &peer, false), (false, false));
        fake.is_idle.store(true, Ordering::Relaxed);
        assert_eq!(send(&mut lending, &peer, false), (false, false));
        assert_eq!(send(&mut lending, &peer, false), (false, true));
        assert_eq!(send(&mut lending, &peer, true), (true, true));
        fake.is_idle.store(false, Ordering::Relaxed);
        assert_eq!(send(&mut lending, &peer, true), (false, false), "the guess was wrong");
        fake.is_idle.store(true, Ordering::Relaxed);
        assert_eq!(send(&mut lending, &peer, false), (false, false));
        assert_eq!(send(&mut lending, &peer, false), (false, true));
    }
}
