//! A connection: it exchanges greetings with its peer, then moves bytes between the kernel and the lanes of its pipe.
//!
//! Owns the stream, its registration with the poller, and the driver of the two halves [`Inbound`] and [`Outbound`]. Uses
//! its [`Mapping`] only to begin the connection and to make the decoder. Each direction has a lock, and any thread may drive either. A thread
//! that has taken from the outbound lane goes on until it has parked the lane, or until the kernel's buffer is full and
//! its room will be reported; so a push that is no edge need not be reported.
//!
//! * A message is written by the thread that sends it, unless it is part of a flood: then messages gather, see
//!   [`Batching`](super::Batching).
//! * The I/O thread reads, unless a blocking receiver holds the [`ReadLease`] and reads itself.

mod handshake;
mod interest;
mod read_lease;
mod reading;
mod timers;
mod writing;

use std::hash::RandomState;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::Owner;
use super::layers::Stream;
use super::platform::{abandon_unsent, note_writable};
use crate::message::Chunk;
use crate::pipe::{DirectRead, End, Identity, Peer, Reason, SocketPipe, address_text};
use crate::reactor::{Progress, Reactor, Ready, Source};
use crate::sync::{Mutex, lock, now, random_number, rank, try_lock};
use crate::transport::{EndpointContext, EndpointEvent, Linger};
use crate::wire::{
    GREETING_TIME, GreetingOrder, Handshake, Inbound, LARGE_BODY, Mapping, Outbound, PEER_FIRST_TIME,
    Protocols, Random, TimeCheck,
};
use interest::Registration;
use read_lease::ReadLease;
use reading::Reader;
use timers::{Purpose, Timers};
use writing::{Closing, Flushed, Lifecycle, Writer};

/// The time to deliver a final reply to a peer whose connection is ended.
const FINAL_REPLY_TIME: Duration = Duration::from_secs(1);
/// The time after which a read or write is tried again for which the kernel had no memory.
const RETRY_TIME: Duration = Duration::from_millis(10);
/// The most reads or writes in one turn, so that other connections get theirs.
const PER_TURN: usize = 8;

/// A request to the I/O thread: write what is in the lane.
const WRITE: u8 = 1;
/// A request to the I/O thread: read on, there is room in the lane again.
const READ: u8 = 2;
/// A request to the I/O thread: end the connection, writing has failed.
const FAIL: u8 = 4;
/// A request to the I/O thread: report the room that was made in the outbound lane.
const ROOM: u8 = 8;

/// A connection to a peer, and the pipe that it carries.
pub(super) struct Connection {
    stream: Stream,
    mapping: Mapping,
    reactor: Arc<Reactor>,
    context: Arc<dyn EndpointContext>,
    owner: Arc<dyn Owner>,
    reader: Mutex<Reader, rank::Reader>,
    writer: Mutex<Writer, rank::Writer>,
    lease: ReadLease,
    registration: Mutex<Registration, rank::Registration>,
    /// How often in a row room was reported while no writer waited for it.
    spurious_reports: AtomicU8,
    /// The peer's network address, read at the start since the system forgets it when the connection ends.
    remote: Option<SocketAddr>,
    /// The protocol that the peer has named in its greeting; 0 before.
    peer_protocol: AtomicU16,
    /// What a ws client has requested.
    resource: OnceLock<Vec<u8>>,
    /// The socket's end of the pipe, once there is one.
    end: OnceLock<Arc<dyn SocketPipe>>,
    /// The requests to the I/O thread that it has not seen: a set of `WRITE`, `READ`, `FAIL` and `ROOM`.
    requests: AtomicU8,
    /// The kernel's buffer was full at the last write; the poller will report room.
    is_blocked: AtomicBool,
    /// Messages gather in the lane. A copy of what `writer` knows, to be read without its lock.
    is_gathering: AtomicBool,
    timers: Mutex<Timers, rank::ConnectionTimers>,
    #[cfg(feature = "tls")]
    handshake: handshake::Progress,
}

/// Why a thread has stopped reading or writing for now.
enum Stop {
    /// There is no more to read or to write.
    Done,
    /// The kernel's buffer, or the lane, is full; room will be reported. Or a sender has reserved the connection, and goes on.
    Full,
    /// [`PER_TURN`] is reached.
    TurnOver,
    /// The kernel had no memory; it is tried again after [`RETRY_TIME`].
    OutOfMemory,
}

/// The stream has failed, or the peer has sent something invalid: the connection must end.
struct Failure {
    /// Bytes to send to the peer before the end; often none.
    final_reply: Vec<u8>,
    end: End,
}

impl Failure {
    /// Without a final reply.
    fn silent(end: End) -> Failure {
        Failure { final_reply: Vec::new(), end }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::silent(error.into())
    }
}

impl Connection {
    /// Takes over a connected stream, and lets the poller report the peer's greeting.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn start(
        stream: Stream,
        mapping: Mapping,
        protocols: impl Into<Protocols>,
        context: Arc<dyn EndpointContext>,
        owner: Arc<dyn Owner>,
        reactor: Arc<Reactor>,
    ) -> io::Result<Arc<Connection>> {
        stream.set_nodelay(context.nodelay())?;
        stream.watch_peer(&context.settings().peer_watch)?;
        let protocols = protocols.into();
        let order = protocols.order;
        let random = Random::new(RandomState::new()).starting_at(random_number());
        let Handshake { initial_bytes, greeting, encoder } =
            mapping.begin(protocols, context.message_type(), random);
        let remote = stream.network_addresses().0;
        let connection = Arc::new(Connection {
            stream,
            mapping,
            reactor,
            context,
            owner,
            reader: Mutex::new(Reader::new(Inbound::new(greeting, now()))),
            writer: Mutex::new(Writer::new(Outbound::new(&initial_bytes, encoder))),
            lease: ReadLease::default(),
            registration: Mutex::new(Registration::new()),
            spurious_reports: AtomicU8::new(0),
            remote,
            peer_protocol: AtomicU16::new(0),
            resource: OnceLock::new(),
            end: OnceLock::new(),
            requests: AtomicU8::new(0),
            is_blocked: AtomicBool::new(false),
            is_gathering: AtomicBool::new(false),
            timers: Mutex::default(),
            #[cfg(feature = "tls")]
            handshake: handshake::Progress::default(),
        });
        {
            // The lock keeps the greeting from being read before its timer is set, which it cancels.
            let _reader = lock(&connection.reader);
            connection.register()?;
            if order == GreetingOrder::AfterPeer {
                connection.set_timer(Purpose::Greeting, now() + PEER_FIRST_TIME);
            }
            connection.set_timer(Purpose::Greeting, now() + GREETING_TIME);
        }
        Ok(connection)
    }

    /// Writes this side's greeting, unless it is the reply to the peer's. Separate from `start`, so that the owner knows the
    /// connection before it can end.
    pub(super) fn greet(self: &Arc<Self>) {
        self.flush();
    }

    /// Ends the connection once everything that was sent on it is delivered, or at the deadline of `linger`.
    pub(super) fn close(self: &Arc<Self>, linger: &Arc<Linger>) {
        // First, so that the peer's greeting brings no pipe after this.
        self.close_reader();
        if let Some(end) = self.end.get() {
            end.clone().close(End::LOCAL);
        }
        if !lock(&self.writer).begin_closing(linger) {
            return self.finish(End::LOCAL);
        }
        self.flush();
        // If the connection has not ended yet, the I/O thread goes on with it.
        self.set_leased(false);
        if let Some(deadline) = linger.deadline() {
            self.set_timer(Purpose::Deadline, deadline);
        }
    }

    /// Drops everything that the peer sends from now on. A thread that performs the TLS handshake is not waited for: it finds
    /// that the connection takes no pipe, and then that the stream has ended.
    fn close_reader(&self) {
        if let Some(mut reader) = try_lock(&self.reader) {
            return reader.close();
        }
        lock(&self.writer).refuse_lane();
        if !self.stream.is_secure() || self.is_established() {
            // The lock is soon free.
            lock(&self.reader).close();
        }
    }

    /// Ends the connection because of what the peer has sent, after a final reply. A closing that is under way
    /// goes on instead.
    fn reject(self: &Arc<Self>, final_reply: &[u8], reason: End) {
        let linger = Linger::begin(Some(FINAL_REPLY_TIME));
        let lane = {
            let mut writer = lock(&self.writer);
            if !matches!(writer.lifecycle, Lifecycle::Open) {
                return;
            }
            writer.outbound.append(final_reply);
            writer.lifecycle = Lifecycle::Closing(Closing::new(&linger, reason));
            // Nothing is sent after the final reply.
            writer.lane.take()
        };
        drop(lane);
        self.set_leased(false);
        if let Some(end) = self.end.get() {
            end.clone().close(reason);
        }
        self.set_timer(Purpose::Deadline, now() + FINAL_REPLY_TIME);
        self.flush();
    }

    /// Ends the connection at once, and releases everything. `end` is reported, unless a closing was under way, which has
    /// its own reason.
    fn finish(self: &Arc<Self>, end: End) {
        let (lifecycle, lane, end) = {
            let mut writer = lock(&self.writer);
            let (lifecycle, lane) = writer.end();
            (lifecycle, lane, writer.explained(end))
        };
        let closing = match lifecycle {
            Lifecycle::Open => None,
            Lifecycle::Closing(closing) => Some(closing),
            Lifecycle::Ended => return,
        };
        self.deregister();
        self.end_timers();
        if end.reason != Reason::Local {
            abandon_unsent(self.stream.raw());
        }
        if self.is_established() {
            self.stream.shutdown(std::net::Shutdown::Both);
        } else {
            self.stream.abandon();
        }
        drop(lane);
        self.close_reader();
        // A peer that ends a closing connection has not broken it.
        self.report_end(closing.as_ref().map_or(end, |closing| closing.end));
        self.owner.clone().ended(self);
        // Last: nn_close returns when nothing is unfinished.
        drop(closing);
    }

    /// Reports the end. A connection with TLS whose peer's greeting has not come has never been made.
    fn report_end(&self, end: End) {
        let is_local = end.reason == Reason::Local;
        if let Some(pipe) = self.end.get() {
            pipe.clone().close(end);
        } else if !is_local {
            self.report_unopened(end);
        }
        #[cfg(feature = "tls")]
        if self.stream.is_secure() && !self.is_established() {
            if let Some(failure) = self.stream.handshake_failure().filter(|_| !is_local) {
                self.owner.handshake_failed(&failure);
            }
            return;
        }
        self.context.report(if is_local { EndpointEvent::Dropped } else { EndpointEvent::Broken });
    }

    /// Reports that the connection has ended before it had a pipe. TLS explains the end, unless it is a refusal.
    fn report_unopened(&self, end: End) {
        let (remote, protocol) = (self.remote, self.peer_protocol.load(Ordering::Relaxed));
        #[cfg(feature = "tls")]
        if let Some(failure) = self.stream.handshake_failure().filter(|_| !end.is_refusal()) {
            let end = End { error: end.error.or(Some(failure.error)), ..end };
            let event = EndpointEvent::Unopened { remote, protocol, end };
            return self.context.explain(Some(event), failure.error, &failure.reason);
        }
        self.context.report(EndpointEvent::Unopened { remote, protocol, end });
    }

    /// Whether the peer's greeting has come, and the socket has got a pipe.
    pub(super) fn is_established(&self) -> bool {
        self.end.get().is_some()
    }

    /// Sets a timer to try again a read or write for which the kernel had no memory.
    fn retry_later(self: &Arc<Self>) {
        self.set_timer(Purpose::Retry, now() + RETRY_TIME);
    }

    /// Requests something of the I/O thread, and wakes it unless it has the same request already.
    fn request(self: &Arc<Self>, request: u8) {
        if self.requests.fetch_or(request, Ordering::SeqCst) & request == 0 {
            self.reactor.wake(self.clone());
        }
    }
}

impl Peer for Connection {
    /// A push by the socket was an edge: the lane was parked, or enough has gathered in it.
    fn readable(self: Arc<Self>, size: usize) {
        if self.is_gathering.load(Ordering::Relaxed) {
            self.write_as_sender();
        } else if size < LARGE_BODY && self.context.batching().should_gather() {
            self.gather();
        } else {
            self.flush();
        }
    }

    /// The lane is full: the thread that sends one more message writes those in the lane.
    fn try_drain(self: Arc<Self>) -> bool {
        let Flushed { outcome, .. } = {
            self.context.batching().note_full();
            let mut writer = lock(&self.writer);
            writer.outbound.note_full();
            self.write_out(&mut writer)
        };
        match outcome {
            Ok(Stop::Done | Stop::Full) => true,
            Ok(Stop::OutOfMemory) => {
                self.retry_later();
                true
            }
            Ok(Stop::TurnOver) => {
                self.request(WRITE);
                true
            }
            Err(_) => {
                self.request(FAIL);
                false
            }
        }
    }

    fn lend(&self, begins: bool) -> bool {
        // The layer of the stream may hold back what the kernel has no room for.
        !self.is_blocked.load(Ordering::Relaxed)
            && try_lock(&self.writer).is_some_and(|mut writer| writer.lend(begins))
    }

    fn write_lent(self: Arc<Self>, head: &[u8], body: &[u8], memory: Chunk) {
        self.write_for_sender(head, body, memory);
    }

    fn write_now(self: Arc<Self>) -> Option<usize> {
        // What `write_out` may have to wait for: this thread may have been interrupted while it held either lock.
        let registration = try_lock(&self.registration).map(drop).filter(|()| self.stream.is_free());
        let (Some(mut writer), Some(())) = (try_lock(&self.writer), registration) else { return Some(0) };
        let Flushed { outcome, has_room, .. } = self.write_out(&mut writer);
        if has_room {
            // A later exit handler may wait for the sender that waits for it. Not reported by this thread, for the same reason.
            self.requests.fetch_or(ROOM, Ordering::SeqCst);
        }
        let is_requested = self.requests.load(Ordering::SeqCst) & ROOM != 0;
        let is_left = is_requested && !self.reactor.try_wake(self.clone())
            || matches!(outcome, Ok(Stop::Full | Stop::TurnOver | Stop::OutOfMemory));
        is_left.then(|| writer.outbound.sent_total())
    }

    /// The socket has taken a message from a full lane.
    fn writable(self: Arc<Self>) {
        if self.stream.uses_shared_memory() {
            self.read_on();
        } else if !self.is_reading_leased() {
            // The holder of a lease reads on when the lane is empty.
            self.request(READ);
        }
    }

    fn identity(&self) -> Identity {
        let text = |address| address_text(address).into_bytes();
        let is_accepted_locally = self.stream.is_local() && !self.owner.is_dialer();
        Identity {
            // A client of ipc has no name.
            remote: self.remote.map(text).or_else(|| is_accepted_locally.then(Vec::new)),
            local: self.stream.network_addresses().1.map(text),
            credentials: self.stream.credentials(),
            resource: self.resource.get().cloned(),
            shared_memory: self.stream.uses_shared_memory(),
            #[cfg(feature = "tls")]
            tls: self.stream.peer_identity(),
        }
    }

    fn disconnect(self: Arc<Self>) {
        self.close(&Linger::begin(Some(Duration::ZERO)));
    }

    fn direct_read(self: Arc<Self>) -> Option<Arc<dyn DirectRead>> {
        Some(self)
    }
}

impl Source for Connection {
    fn ready(self: Arc<Self>, ready: Ready) -> Progress {
        let reads = ready.write && note_writable(self.stream.raw());
        if ready.write {
            if self.is_blocked.swap(false, Ordering::SeqCst) {
                self.flush();
            } else {
                self.note_spurious_report();
            }
        } else if self.stream.uses_shared_memory() && !self.is_blocked.load(Ordering::SeqCst) {
            self.note_spurious_report();
        }
        if ready.read || reads {
            #[cfg(feature = "tls")]
            if self.stream.is_secure() && !self.is_established() {
                self.handshake_ready(ready.end);
                return Progress::Done;
            }
            lock(&self.reader).note_end(ready.end);
            self.receive();
        }
        Progress::Done
    }

    /// The program has closed descriptors that are not its own, and the stream's number may belong to another file by now.
    fn lost(self: Arc<Self>) {
        self.finish(End::NETWORK);
    }

    fn woken(self: Arc<Self>) {
        let requests = self.requests.swap(0, Ordering::SeqCst);
        if requests & ROOM != 0 {
            self.report_room();
        }
        if requests & FAIL != 0 {
            return self.fail();
        }
        if requests & WRITE != 0 {
            self.flush();
        }
        if requests & READ != 0 {
            self.receive();
        }
    }

    fn timeout(self: Arc<Self>, now: Duration) {
        let (mut retries, mut awaits_greeting) = (false, false);
        lock(&self.timers).take_due(now, |purpose| {
            retries |= purpose == Purpose::Retry;
            awaits_greeting |= purpose == Purpose::Greeting;
        });
        if retries {
            self.flush();
        }
        // The peer's greeting may have come in time, and this thread be late. Over TLS another one may be reading.
        if retries || (awaits_greeting && !self.stream.is_secure()) {
            self.receive();
        }
        self.check_lease(now);
        let has_expired = lock(&self.writer).closing().map(|closing| closing.unfinished.has_expired(now));
        match has_expired {
            Some(true) => return self.finish(End::LOCAL),
            Some(false) => return self.flush(),
            None => {}
        }
        let check = lock(&self.reader).inbound.check_time(now);
        match check {
            TimeCheck::InTime => {}
            TimeCheck::Until(moment) => self.set_timer(Purpose::Message, moment),
            TimeCheck::Greet(greeting) => {
                lock(&self.writer).outbound.append(&greeting);
                self.flush();
            }
            TimeCheck::Exceeded => self.finish(End::SILENCE),
        }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests;
