//! Direct reads: a blocked receiver reads from its socket's connections, without the I/O thread.
//!
//! The receiver acquires the right to read from the connections, waits for their descriptors and for the
//! socket's event, and reads into the lanes, as the I/O thread would. Only one call at a socket does this,
//! the one that has claimed the event's descriptors; other receivers only sleep. Of many connections it
//! acquires the recently active ones, if they are few. The I/O thread reads from the others, and from all
//! connections of a socket with a descriptor for receiving, with contexts, or with tasks that wait to receive,
//! unless the only such task looks itself for the moment (`looks.rs`).

use std::sync::Arc;

use smallvec::SmallVec;

use super::Socket;
use super::core::Core;
use super::recent_peers::MAX_PEERS;
use crate::pipe::DirectRead;
use crate::protocol::PipeId;
use crate::sync::Descriptor;
use crate::sync::atomic::{AtomicU32, Ordering};

/// Connections that a call may read from.
#[derive(Default)]
pub(crate) struct DirectReads {
    connections: SmallVec<[Arc<dyn DirectRead>; 2]>,
    /// `None` if there are no connections.
    revocations: Option<Revocations>,
}

/// How often connections were returned to the I/O thread, as the socket counts it and as it was when a call chose its
/// connections. If that has changed, the call may have acquired one that was just returned.
struct Revocations {
    count: Arc<AtomicU32>,
    before: u32,
}

impl Revocations {
    fn have_come(&self) -> bool {
        self.count.load(Ordering::SeqCst) != self.before
    }
}

impl DirectReads {
    /// The number of connections.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Leases the connections until they have not been read from for some milliseconds. Returns `false` if none is leased,
    /// or if they were returned to the I/O thread since they were chosen.
    pub(super) fn lend(&self) -> bool {
        let mut any = false;
        for direct_read in &self.connections {
            any |= direct_read.clone().lend();
        }
        let Some(revocations) = &self.revocations else { return false };
        if revocations.have_come() {
            self.connections.iter().cloned().for_each(DirectRead::revoke);
            return false;
        }
        any
    }

    /// Reads from those connections that the I/O thread does not read from at present. Returns whether there are any.
    pub(super) fn fetch_if_leased(&self) -> bool {
        let mut any = false;
        for direct_read in &self.connections {
            any |= direct_read.clone().fetch_if_leased();
        }
        any
    }
}

impl Core {
    /// Notes the pipe that a message came from, if there are too many connections to read from all of them.
    #[inline]
    pub(super) fn note_sender(&mut self, pipe: PipeId) {
        if self.pipes.open() > MAX_PEERS
            && let Some(pipes) = self.recent_peers.note(pipe)
        {
            self.revocations.fetch_add(1, Ordering::SeqCst);
            let peer = |id: &PipeId| self.pipes.get(*id)?.peer.clone();
            pipes.iter().filter_map(peer).filter_map(|peer| peer.direct_read()).for_each(DirectRead::revoke);
        }
    }

    /// Returns all connections to the I/O thread. A connection that is left to a receiver which does not read
    /// from it would be read by no thread until its lease ends.
    pub(super) fn revoke_direct_reads(&mut self) {
        self.reads_directly = false;
        self.revocations.fetch_add(1, Ordering::SeqCst);
        self.pipes.peers().filter_map(|peer| peer.clone().direct_read()).for_each(DirectRead::revoke);
    }

    /// The connections that a call should read from directly.
    pub(super) fn direct_reads(&mut self) -> DirectReads {
        if self.face.receivable.is_some() || self.faces.is_some() || !self.may_read_directly {
            return DirectReads::default();
        }
        let connections: SmallVec<_> = if self.pipes.open() <= MAX_PEERS {
            self.pipes.ready_peers().filter_map(|peer| peer.clone().direct_read()).collect()
        } else {
            let peer = |id: &PipeId| self.pipes.get(*id)?.peer.clone();
            self.recent_peers.pipes().iter().filter_map(peer).filter_map(|peer| peer.direct_read()).collect()
        };
        let revocations = (!connections.is_empty()).then(|| Revocations {
            count: self.revocations.clone(),
            before: self.revocations.load(Ordering::Relaxed),
        });
        DirectReads { connections, revocations }
    }

    /// As `direct_reads`, for a call that is about to acquire them; none while tasks wait to receive. A task that reads
    /// itself leaves that to the I/O thread.
    pub(super) fn begin_direct_reads(&mut self) -> DirectReads {
        if self.receiving_tasks > 0 {
            if self.reads_directly {
                self.revoke_direct_reads();
            }
            return DirectReads::default();
        }
        self.choose_direct_reads()
    }

    /// As `direct_reads`, for a call that is about to acquire them, or have them lent.
    pub(super) fn choose_direct_reads(&mut self) -> DirectReads {
        let direct_reads = self.direct_reads();
        self.reads_directly = !direct_reads.is_empty();
        direct_reads
    }
}

/// Connections that this call reads from. Dropping the value releases them.
pub(super) struct Acquired {
    direct_reads: DirectReads,
    descriptors: SmallVec<[Descriptor; 2]>,
}

impl Acquired {
    /// Acquires those connections that can be read from.
    pub(super) fn from(mut direct_reads: DirectReads) -> Acquired {
        let mut descriptors = SmallVec::new();
        direct_reads.connections.retain(|direct_read| {
            let descriptor = direct_read.clone().acquire();
            descriptors.extend(descriptor);
            descriptor.is_some()
        });
        Acquired { direct_reads, descriptors }
    }

    /// The number of connections.
    pub(super) fn count(&self) -> usize {
        self.direct_reads.len()
    }

    /// Their descriptors, to wait for.
    pub(super) fn descriptors(&self) -> &[Descriptor] {
        &self.descriptors
    }

    /// Reads what has arrived into the lanes.
    pub(super) fn fetch(&self) {
        self.direct_reads.connections.iter().for_each(|direct_read| direct_read.clone().fetch());
    }

    /// As `fetch`, for those connections that are ready. `readiness` is in the order of the descriptors.
    pub(super) fn fetch_ready(&self, readiness: impl Iterator<Item = bool>) {
        // A connection whose readiness is not known may be ready.
        let readiness = readiness.chain(std::iter::repeat(true));
        for (direct_read, _) in
            self.direct_reads.connections.iter().zip(readiness).filter(|(_, is_ready)| *is_ready)
        {
            direct_read.clone().fetch();
        }
    }

    /// Returns the connections to the I/O thread at once: the socket is being closed.
    pub(super) fn revoke(mut self) {
        self.direct_reads.connections.drain(..).for_each(DirectRead::revoke);
    }
}

impl Drop for Acquired {
    fn drop(&mut self) {
        let Some(revocations) = self.direct_reads.revocations.take() else { return };
        let is_revoked = revocations.have_come();
        for direct_read in self.direct_reads.connections.drain(..) {
            let twin = is_revoked.then(|| direct_read.clone());
            direct_read.release();
            twin.into_iter().for_each(DirectRead::revoke);
        }
    }
}

impl Socket {
    /// Releases the connections, and the claim, so that another call can read.
    pub(super) fn release(&self, acquired: Acquired) {
        drop(acquired);
        self.receivers.release_descriptors();
        // Pairs the fence in `release_descriptors` with that in `Socket::update_all`: either this thread
        // sees the flag, or a call that has registered can claim the descriptors.
        if self.needs_prompt_processing.load(Ordering::Relaxed) {
            self.core.lock().face.registrations.notify_receivers();
        }
    }

    /// Reads from those connections that the I/O thread does not read from at present, for a call that does
    /// not wait.
    pub(super) fn fetch_if_leased(&self, direct_reads: &DirectReads) {
        if !direct_reads.fetch_if_leased() {
            // Another call may be about to acquire them. Then what arrives is read by that call or, shortly
            // after its end, by the I/O thread: the same as if this call had been made a moment earlier.
            self.core.lock().reads_directly = false;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::message::{Metadata, Payload};
    use crate::pipe::{Peer, Producer, SocketPipe, lane};
    use crate::protocol;
    use crate::socket::blocking::BlockingCall;
    use crate::socket::peer_info::EndpointName;
    use crate::socket::poll::{PollEntry, Polling};
    use crate::socket::socket_endpoint::SocketEndpoint;
    use crate::socket::{AF_SP, close, enter, open, recv};
    use crate::transport::{EndpointContext, PipeEnds};

    /// A connection from which only receivers can read while it is leased.
    struct Leased(AtomicBool);

    impl Peer for Leased {
        fn readable(self: Arc<Self>, _size: usize) {}
        fn writable(self: Arc<Self>) {}
        fn direct_read(self: Arc<Self>) -> Option<Arc<dyn DirectRead>> {
            Some(self)
        }
    }

    impl DirectRead for Leased {
        fn acquire(self: Arc<Self>) -> Option<Descriptor> {
            self.0.store(true, Ordering::Relaxed);
            crate::sync::Notifier::new().ok().map(|notifier| notifier.descriptor())
        }
        fn fetch(self: Arc<Self>) {}
        fn fetch_if_leased(self: Arc<Self>) -> bool {
            self.0.load(Ordering::Relaxed)
        }
        fn release(self: Arc<Self>) {}
        fn lend(self: Arc<Self>) -> bool {
            self.0.store(true, Ordering::Relaxed);
            true
        }
        fn revoke(self: Arc<Self>) {
            self.0.store(false, Ordering::Relaxed);
        }
    }

    /// A PULL socket and its connections, all leased by a receiver that has left.
    struct Fixture {
        id: i32,
        context: SocketEndpoint,
        connections: Vec<(Arc<Leased>, Producer, Arc<dyn SocketPipe>)>,
    }

    impl Fixture {
        fn new(connections: usize) -> Fixture {
            let id = open(AF_SP, protocol::PULL.number.into()).unwrap();
            let socket = enter(id).unwrap();
            let context = SocketEndpoint::new(
                socket.this.upgrade().unwrap(),
                EndpointName::default(),
                &socket.core.lock().options,
            );
            let mut fixture = Fixture { id, context, connections: Vec::new() };
            (0..connections).for_each(|_| fixture.attach());
            // The connections are ready from now on.
            assert_eq!(socket.can_recv(), Ok(false));
            socket.core.lock().reads_directly = true;
            fixture.connections.iter().for_each(|(leased, ..)| leased.0.store(true, Ordering::Relaxed));
            fixture
        }

        fn attach(&mut self) {
            let (far_out, inbound) = lane(100);
            let (outbound, _) = lane(100);
            let leased = Arc::new(Leased(AtomicBool::new(false)));
            let attached = self.context.attach(PipeEnds::plain(inbound, outbound, leased.clone()));
            let pipe = attached.ok().unwrap();
            pipe.clone().writable();
            self.connections.push((leased, far_out, pipe));
        }

        /// Receives a message that came from a connection.
        fn receive_from(&mut self, connection: usize) {
            let (_, far_out, pipe) = &mut self.connections[connection];
            assert!(far_out.batch().push(&[], &mut Payload::Borrowed(b"x"), Metadata::default()).is_ok());
            pipe.clone().readable(1);
            assert!(recv(self.id, true, |_| ()).is_ok());
        }

        fn leased(&self) -> usize {
            self.connections.iter().filter(|(leased, ..)| leased.0.load(Ordering::Relaxed)).count()
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            close(self.id).unwrap();
        }
    }

    #[test]
    fn connections_are_returned_when_too_many_are_active() {
        let mut fixture = Fixture::new(MAX_PEERS + 2);
        for connection in 0..MAX_PEERS {
            fixture.receive_from(connection);
        }
        assert_eq!(fixture.leased(), MAX_PEERS + 2);
        fixture.receive_from(MAX_PEERS);
        assert_eq!(fixture.leased(), 2);
    }

    #[test]
    fn connections_are_returned_when_there_are_too_many() {
        let mut fixture = Fixture::new(MAX_PEERS);
        assert_eq!(fixture.leased(), MAX_PEERS);
        fixture.attach();
        assert_eq!(fixture.leased(), 0);
    }

    #[test]
    fn a_connection_that_was_acquired_too_late_is_returned_when_the_call_ends() {
        let fixture = Fixture::new(2);
        let socket = enter(fixture.id).unwrap();
        let chosen = socket.core.lock().begin_direct_reads();
        socket.core.lock().revoke_direct_reads();
        let acquired = Acquired::from(chosen);
        assert_eq!((acquired.count(), fixture.leased()), (2, 2));
        drop(acquired);
        assert_eq!(fixture.leased(), 0);
    }

    #[test]
    fn the_connections_of_an_idle_socket_are_returned_by_a_call_that_polls_many() {
        let fixture = Fixture::new(1);
        let poll = || {
            let entry = PollEntry {
                socket: fixture.id,
                readable: true,
                writable: false,
                is_readable: false,
                is_writable: false,
            };
            Polling::new(vec![entry], Some(Duration::ZERO), false).unwrap().finish().unwrap()
        };
        let mut polls = 0;
        while fixture.leased() > 0 {
            assert_eq!(poll(), 0);
            polls += 1;
            assert!(polls <= 256);
        }
        assert!(polls > 100);
    }
}
