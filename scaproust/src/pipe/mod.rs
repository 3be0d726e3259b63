//! A pipe: two lanes, one for each direction, and the notifications about their edges.
//!
//! Owns the [`lane`](mod@lane), the lock-free [`ReadyList`] and the [`Peer`] interface through
//! which the two sides of a pipe report edges to each other. Must not know sockets or protocols. To a
//! socket, another socket of the process and a connection look the same, except that a receiver can read
//! from a connection itself instead of sleeping ([`DirectRead`]).

mod block;
mod identity;
mod lane;
mod ready_list;

use std::sync::Arc;

use crate::message::Chunk;
use crate::sync::rank::{self, Rank as _};
use crate::sync::{Descriptor, Uncancellable, run_then_wake};
pub use identity::{Credentials, Reason};
pub(crate) use identity::{End, Identity, address_text};
pub(crate) use lane::{Batch, Consumer, Full, Lookahead, Producer, Pushed, lane};
pub(crate) use ready_list::{Change, Entry, ReadyList};

/// The other side of a pipe, as one side sees it.
///
/// `readable` and `writable` report an edge. The caller holds no lock, except where noted.
pub(crate) trait Peer: Send + Sync {
    /// A push was an edge: the lane that this peer takes from was parked, or has gathered as many bytes as the
    /// peer has asked for. `size` is the length of the message, or 0 if the caller does not know it.
    fn readable(self: Arc<Self>, size: usize);
    /// The lane that this peer fills was full and has room, or is half empty, if the peer has asked for that.
    fn writable(self: Arc<Self>);
    /// The lane that this peer takes from is full: makes room now, if that is possible without waiting for
    /// the remote peer. It may wait for a thread that is making room already. Returns whether to try the
    /// push again. The room is not reported. The caller holds the socket's lock, so this must not call the socket.
    fn try_drain(self: Arc<Self>) -> bool {
        false
    }
    /// Whether this peer can write a message from the caller's memory, since it has written everything that was sent before.
    /// If it can and `begins` is set, [`Peer::write_lent`] must follow: until then the peer takes nothing from the lane. The
    /// caller holds the socket's lock, so this must not call the socket.
    fn lend(&self, _begins: bool) -> bool {
        false
    }
    /// Writes the message for which it was reserved by [`Peer::lend`], without waiting for the remote peer, and copies what is left
    /// to `memory`, which has room for all of it.
    fn write_lent(self: Arc<Self>, _head: &[u8], _body: &[u8], _memory: Chunk) {}
    /// Writes what the lane holds, without waiting for the remote peer or a lock. If something is left,
    /// returns the number of bytes written since the beginning.
    fn write_now(self: Arc<Self>) -> Option<usize> {
        None
    }
    /// What is known of the peer. The caller may hold the socket's lock.
    fn identity(&self) -> Identity {
        Identity::default()
    }
    /// Ends the pipe without delivering what was sent on it. The caller holds no lock.
    fn disconnect(self: Arc<Self>) {}
    /// The peer as a connection that a receiver can read from, if it is one.
    fn direct_read(self: Arc<Self>) -> Option<Arc<dyn DirectRead>> {
        None
    }
}

/// A peer whose messages are read from a descriptor.
///
/// The I/O thread reads them, unless a receiver does: one that would sleep acquires the read lease, waits
/// for the descriptor and reads itself. It releases the lease when it has its message; the lease stays
/// acquired for a short while, for the next receiver, and then the I/O thread reads again.
pub(crate) trait DirectRead: Send + Sync {
    /// Acquires the read lease and returns the descriptor; `None` if there is no lease to acquire.
    fn acquire(self: Arc<Self>) -> Option<Descriptor>;
    /// Reads what the descriptor has, into the lane. The caller has acquired the lease.
    fn fetch(self: Arc<Self>);
    /// As `fetch`, for a caller without the lease, if the I/O thread does not read now. Returns whether that
    /// is so.
    fn fetch_if_leased(self: Arc<Self>) -> bool;
    /// Ends a [`DirectRead::acquire`] that has returned a descriptor.
    fn release(self: Arc<Self>);
    /// Acquires the read lease for a caller that will not release it: the lease ends when it was not used for some
    /// milliseconds. Returns `false` if there is no lease to acquire.
    fn lend(self: Arc<Self>) -> bool;
    /// Has the I/O thread read from now on.
    fn revoke(self: Arc<Self>);
}

/// A socket's end of a pipe, as its transport sees it.
pub(crate) trait SocketPipe: Peer {
    /// Both sides have accepted the pipe. Called once, before the first edge, without a lock.
    fn open(self: Arc<Self>) {}
    /// The other side is closed: nothing can be sent any more, and nothing will come. Of several calls the first names
    /// the reason.
    fn close(self: Arc<Self>, end: End);
}

/// An edge to be delivered.
enum Edge {
    /// See [`Peer::readable`].
    Readable(Arc<dyn Peer>, usize),
    /// See [`Peer::writable`].
    Writable(Arc<dyn Peer>),
    /// See [`Edges::add_yield`].
    Yield,
    /// See [`Edges::add_lent`].
    Lent,
}

/// Edges gathered under a lock, to be delivered after it is released.
///
/// Most operations have none, and nearly all others one.
#[derive(Default)]
#[must_use]
pub(crate) struct Edges {
    first: Option<Edge>,
    more: Vec<Edge>,
}

impl Edges {
    /// Adds the edge that `peer` has a message to take.
    pub(crate) fn add_readable(&mut self, peer: &Arc<dyn Peer>, size: usize) {
        self.add(Edge::Readable(peer.clone(), size));
    }

    /// Adds the edge that `peer` has room to fill.
    pub(crate) fn add_writable(&mut self, peer: &Arc<dyn Peer>) {
        self.add(Edge::Writable(peer.clone()));
    }

    /// Adds a yield of the processor, for a sender that was notified of room and seems to wait for this
    /// processor. Otherwise senders with a processor of their own would be served more often.
    pub(crate) fn add_yield(&mut self) {
        self.add(Edge::Yield);
    }

    /// Adds the edge of a message that the caller writes itself. It only counts, as an idle peer that is told of a message.
    pub(crate) fn add_lent(&mut self) {
        self.add(Edge::Lent);
    }

    #[cold]
    fn add(&mut self, edge: Edge) {
        match &self.first {
            None => self.first = Some(edge),
            Some(_) => self.more.push(edge),
        }
    }

    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The number of edges to deliver.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    /// Delivers all edges. The caller must hold no lock.
    #[inline]
    pub(crate) fn deliver(mut self) {
        rank::Delivery::check();
        if self.first.is_some() {
            self.deliver_all();
        }
        // Nothing is left to drop: `more` is empty if `first` is.
        std::mem::forget(self);
    }

    /// As `deliver`, and wakes the tasks that this notifies, in this thread. The caller must be inside no socket.
    #[inline]
    pub(crate) fn deliver_and_wake(mut self) {
        rank::Delivery::check();
        if self.first.is_some() {
            self.deliver_all_and_wake();
        }
        std::mem::forget(self);
    }

    #[cold]
    fn deliver_all_and_wake(&mut self) {
        run_then_wake(|| self.deliver_all());
    }

    #[cold]
    fn deliver_all(&mut self) {
        let _uncancellable = Uncancellable::begin();
        for edge in self.first.take().into_iter().chain(std::mem::take(&mut self.more)) {
            match edge {
                Edge::Readable(peer, size) => peer.readable(size),
                Edge::Writable(peer) => peer.writable(),
                Edge::Yield => crate::sync::yield_now(),
                Edge::Lent => {}
            }
        }
    }
}

/// A peer for tests that ignores all edges.
#[cfg(all(test, not(loom)))]
pub(crate) struct NullPeer;

#[cfg(all(test, not(loom)))]
impl Peer for NullPeer {
    fn readable(self: Arc<Self>, _size: usize) {}
    fn writable(self: Arc<Self>) {}
}
