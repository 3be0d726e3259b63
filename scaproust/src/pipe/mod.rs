//! A pipe: two lanes and what must be told when one of them changes.
//!
//! Owns the [`lane`](mod@lane), the lock-free [`ReadyList`] and the [`Peer`] interface through
//! which the two sides of a pipe speak of edges. Must not know sockets or protocols. To a socket,
//! another socket of the process and a connection look the same, but that a receiver who would
//! sleep may fetch from a connection, which is a [`DirectRead`].

mod block;
mod lane;
mod ready_list;

use std::sync::Arc;

use crate::sync::{Descriptor, Uncancellable};
pub(crate) use lane::{Batch, Consumer, Full, Producer, Pushed, lane};
pub(crate) use ready_list::{Change, Entry, ReadyList};

/// The other side of a pipe, as one side sees it.
///
/// Each call reports an edge: it comes once for a lane that was found empty or full, and is made
/// without any lock of the caller's being held.
pub(crate) trait Peer: Send + Sync {
    /// The lane you take from was empty and has a message, of this many bytes.
    fn readable(self: Arc<Self>, size: usize);
    /// The lane you fill was full and has room.
    fn writable(self: Arc<Self>);
    /// The lane you take from is full: make room now, if you can do so without waiting for a peer.
    /// A thread that is making room already may be waited for. Answers whether it is worth trying
    /// again. Unlike the others, this is called under the socket's lock, and so must not call the
    /// socket.
    fn try_drain(self: Arc<Self>) -> bool {
        false
    }
    /// Writes what the lane holds, without waiting for a peer or a lock. Answers how many bytes were written ever, if
    /// there is something left.
    fn write_now(self: Arc<Self>) -> Option<usize> {
        None
    }
    /// The peer as something to fetch messages from, if they do not come by themselves.
    fn direct_read(self: Arc<Self>) -> Option<Arc<dyn DirectRead>> {
        None
    }
}

/// A peer whose messages have to be read from a descriptor.
///
/// Somebody does that in the background. A receiver who would sleep borrows the reading, waits for
/// the descriptor and reads himself. When he has what he wants he gives it back; for a short while
/// the next receiver still finds it borrowed, and then it is read in the background again.
pub(crate) trait DirectRead: Send + Sync {
    /// Borrows the reading, and answers the descriptor. `None` when there is nothing to borrow.
    fn acquire(self: Arc<Self>) -> Option<Descriptor>;
    /// Reads what there is, into the lane.
    fn fetch(self: Arc<Self>);
    /// As `fetch`, for one who has borrowed nothing, if it is not read in the background now.
    /// Answers whether that is so.
    fn fetch_if_acquired(self: Arc<Self>) -> bool;
    /// The end of a [`DirectRead::acquire`] that was answered with a descriptor.
    fn release(self: Arc<Self>);
    /// From now on it must be read in the background.
    fn revoke(self: Arc<Self>);
}

/// The end of a pipe that a socket has, as its transport sees it.
pub(crate) trait SocketPipe: Peer {
    /// The other side is gone: nothing can be sent any more, and nothing will come.
    fn close(self: Arc<Self>);
}

/// An edge on its way to the peer it concerns.
enum Edge {
    /// See [`Peer::readable`].
    Readable(Arc<dyn Peer>, usize),
    /// See [`Peer::writable`].
    Writable(Arc<dyn Peer>),
    /// See [`Edges::give_way`].
    Yield,
}

/// Edges gathered under a lock, to be delivered after it.
///
/// Most operations make none, and nearly all others one.
#[derive(Default)]
#[must_use]
pub(crate) struct Edges {
    first: Option<Edge>,
    more: Vec<Edge>,
}

impl Edges {
    /// Remembers to tell `peer` of a message.
    pub(crate) fn add_readable(&mut self, peer: &Arc<dyn Peer>, size: usize) {
        self.add(Edge::Readable(peer.clone(), size));
    }

    /// Remembers to tell `peer` of room.
    pub(crate) fn add_writable(&mut self, peer: &Arc<dyn Peer>) {
        self.add(Edge::Writable(peer.clone()));
    }

    /// Remembers to let others run: a sender who was told of room seems to wait for our processor.
    /// Else those who have one to themselves would be received from more often.
    pub(crate) fn give_way(&mut self) {
        self.add(Edge::Yield);
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

    /// How many there are to deliver.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    /// Delivers all edges. No lock may be held.
    #[inline]
    pub(crate) fn deliver(mut self) {
        if self.first.is_some() {
            self.deliver_all();
        }
        // There is nothing left to let go of: the others come after the first.
        std::mem::forget(self);
    }

    #[cold]
    fn deliver_all(&mut self) {
        let _uncancellable = Uncancellable::begin();
        for edge in self.first.take().into_iter().chain(std::mem::take(&mut self.more)) {
            match edge {
                Edge::Readable(peer, size) => peer.readable(size),
                Edge::Writable(peer) => peer.writable(),
                Edge::Yield => std::thread::yield_now(),
            }
        }
    }
}

/// The other side of a pipe in tests: it hears nothing.
#[cfg(all(test, not(loom)))]
pub(crate) struct NullPeer;

#[cfg(all(test, not(loom)))]
impl Peer for NullPeer {
    fn readable(self: Arc<Self>, _size: usize) {}
    fn writable(self: Arc<Self>) {}
}
