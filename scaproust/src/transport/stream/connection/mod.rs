//! A connection: it greets, then moves bytes between the kernel and the lanes of its pipe.
//!
//! Its two directions have a lock each, and any thread may drive either. The one that takes from
//! the outbound lane is responsible for it until it has parked the lane, or the kernel is full
//! and will report room; so a push that is no edge needs nobody to be told.
//!
//! * A message is written by the thread that sends it, unless it is part of a flood: then messages gather, as
//!   [`Batching`](super::Batching) says.
//! * Reading is the I/O thread's, unless a receiver that would sleep has borrowed it.

mod interest;
mod read_lease;
mod reading;
mod timers;
mod writing;

use std::hash::RandomState;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::platform::{Stream, abandon_unsent, note_writable};
use super::{Owner, protocol_pair};
use crate::pipe::{DirectRead, Peer, SocketPipe};
use crate::reactor::{Progress, Reactor, Ready, Source};
use crate::sync::{Mutex, lock, now, try_lock};
use crate::transport::{EndpointContext, EndpointEvent, Linger};
use crate::wire::{GREETING_TIME, Handshake, Inbound, Mapping, Outbound, Random, TimeCheck};
use interest::Registration;
use read_lease::ReadLease;
use reading::Reader;
use timers::{Purpose, Timers};
use writing::{Closing, Flushed, Life, Writer};

/// A peer that is sent away has so long to hear why.
const LAST_WORDS_TIME: Duration = Duration::from_secs(1);
/// After this time the kernel may have memory again.
const RETRY_TIME: Duration = Duration::from_millis(10);
/// A message that long is never left to gather with others.
const WORTH_A_WRITE: usize = 16 * 1024;
/// After so many reads or writes in a row other connections get their turn.
const PER_TURN: usize = 8;

/// Asked of the I/O thread: write what is in the lane.
const WRITE: u8 = 1;
/// Asked of the I/O thread: there is room again, read on.
const READ: u8 = 2;

/// Asked of the I/O thread: writing has failed, end the connection.
const FAIL: u8 = 4;

/// A connection to a peer, and the pipe that it carries.
pub(super) struct Connection {
    stream: Stream,
    mapping: Mapping,
    reactor: Arc<Reactor>,
    host: Arc<dyn EndpointContext>,
    owner: Arc<dyn Owner>,
    reader: Mutex<Reader>,
    writer: Mutex<Writer>,
    lease: ReadLease,
    registration: Mutex<Registration>,
    /// How often room was reported, in a row, and nobody waited for it.
    in_vain: AtomicU8,
    /// The socket's end of the pipe, once there is one.
    end: OnceLock<Arc<dyn SocketPipe>>,
    /// What the I/O thread was asked for, as `WRITE`, `READ` and `FAIL`.
    asked: AtomicU8,
    /// The kernel took no more; it will report when it does.
    blocked: AtomicBool,
    /// Messages gather in the lane, as the writer knows in more detail.
    is_gathering: AtomicBool,
    timers: Mutex<Timers>,
}

/// Why reading or writing stopped for now.
enum Pause {
    /// There is no more to read or to write.
    Done,
    /// The kernel, or the lane, takes no more; it will say when it does.
    Full,
    /// It was enough for one turn.
    Turn,
    /// The kernel had no memory; it is tried again after [`RETRY_TIME`].
    Scarce,
}

/// Why a connection ends: it is of no further use. The peer is to hear these last words, if there
/// are any.
struct Broken(Vec<u8>);

impl Broken {
    fn silently() -> Broken {
        Broken(Vec::new())
    }
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken::silently()
    }
}

impl Connection {
    /// Takes over a stream that is connected, greets the peer, and waits for its greeting.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn start(
        stream: Stream,
        mapping: Mapping,
        host: Arc<dyn EndpointContext>,
        owner: Arc<dyn Owner>,
        reactor: Arc<Reactor>,
    ) -> io::Result<Arc<Connection>> {
        if mapping != Mapping::Ipc {
            stream.set_tcp_nodelay(host.nodelay())?;
        }
        let Handshake { initial_bytes, greeting, encoder } = mapping.begin(
            protocol_pair(host.protocol()),
            host.message_type(),
            Random::new(RandomState::new()),
        );
        let connection = Arc::new(Connection {
            stream,
            mapping,
            reactor,
            host,
            owner,
            reader: Mutex::new(Reader::new(Inbound::new(greeting, now()))),
            writer: Mutex::new(Writer::new(Outbound::new(&initial_bytes, encoder))),
            lease: ReadLease::default(),
            registration: Mutex::new(Registration::new()),
            in_vain: AtomicU8::new(0),
            end: OnceLock::new(),
            asked: AtomicU8::new(0),
            blocked: AtomicBool::new(false),
            is_gathering: AtomicBool::new(false),
            timers: Mutex::default(),
        });
        {
            // No greeting is read before its timer is set, which it cancels.
            let _reader = lock(&connection.reader);
            connection.register()?;
            connection.set_timer(Purpose::Greeting, now() + GREETING_TIME);
        }
        Ok(connection)
    }

    /// Writes the greeting. Apart from `start`, so that the owner knows the connection before it
    /// can end.
    pub(super) fn greet(self: &Arc<Self>) {
        self.flush();
    }

    /// Ends the connection once everything that was sent on it is delivered, or the time is over.
    pub(super) fn close(self: &Arc<Self>, linger: &Arc<Linger>) {
        // First, since the peer's greeting could still bring a pipe.
        lock(&self.reader).close();
        if let Some(end) = self.end.get() {
            end.clone().close();
        }
        if !lock(&self.writer).begin_closing(linger) {
            return self.finish(EndpointEvent::Dropped);
        }
        self.flush();
        // What is still open takes time, and is the I/O thread's, which a timer wakes.
        self.switch(false);
        if let Some(deadline) = linger.deadline() {
            self.set_timer(Purpose::Deadline, deadline);
        }
    }

    /// Ends the connection for what the peer has sent, which is told so. A closing that is under way
    /// goes on instead.
    fn dismiss(self: &Arc<Self>, words: &[u8]) {
        let linger = Linger::begin(Some(LAST_WORDS_TIME));
        let lane = {
            let mut writer = lock(&self.writer);
            if !matches!(writer.life, Life::Open) {
                return;
            }
            writer.outbound.append(words);
            writer.life = Life::Closing(Closing::new(&linger, EndpointEvent::Broken));
            // Nothing is sent after the last words.
            writer.lane.take()
        };
        drop(lane);
        self.switch(false);
        if let Some(end) = self.end.get() {
            end.clone().close();
        }
        self.set_timer(Purpose::Deadline, now() + LAST_WORDS_TIME);
        self.flush();
    }

    /// Lets go of everything, at once. `event` says why, unless a closing was under way.
    fn finish(self: &Arc<Self>, event: EndpointEvent) {
        let (life, lane) = lock(&self.writer).end();
        let closing = match life {
            Life::Open => None,
            Life::Closing(closing) => Some(closing),
            Life::Ended => return,
        };
        self.deregister();
        self.end_timers();
        if event == EndpointEvent::Broken {
            abandon_unsent(&self.stream);
        }
        // Fails if the peer was first.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        drop(lane);
        lock(&self.reader).close();
        if let Some(end) = self.end.get() {
            end.clone().close();
        }
        // A peer that goes while we are closing has not broken the connection.
        self.host.report(closing.as_ref().map_or(event, |closing| closing.event));
        self.owner.clone().ended(self);
        // Last: nn_close goes on when nothing is unfinished.
        drop(closing);
    }

    /// Tries again what the kernel had no memory for.
    fn retry_later(self: &Arc<Self>) {
        self.set_timer(Purpose::Retry, now() + RETRY_TIME);
    }

    /// The I/O thread that the connection belongs to.
    pub(super) fn reactor(&self) -> &Arc<Reactor> {
        &self.reactor
    }

    /// Asks the I/O thread for something, once.
    fn ask(self: &Arc<Self>, what: u8) {
        if self.asked.fetch_or(what, Ordering::SeqCst) & what == 0 {
            self.reactor.wake(self.clone());
        }
    }
}

impl Peer for Connection {
    /// The socket has put a message into an empty lane.
    fn readable(self: Arc<Self>, size: usize) {
        if self.is_gathering.load(Ordering::Relaxed) {
            self.write_for_sender();
        } else if size < WORTH_A_WRITE && self.host.batching().should_gather() {
            self.gather();
        } else {
            self.flush();
        }
    }

    /// The lane is full: its messages are written by the thread that has one more.
    fn try_drain(self: Arc<Self>) -> bool {
        // The room that is made is ours, who asked for it: nobody else is to be told.
        let Flushed { outcome, .. } = {
            self.host.batching().note_full();
            let mut writer = lock(&self.writer);
            writer.outbound.note_full();
            self.write_out(&mut writer)
        };
        match outcome {
            Ok(Pause::Done | Pause::Full) => true,
            Ok(Pause::Scarce) => {
                self.retry_later();
                true
            }
            // The I/O thread goes on, or finds what is wrong.
            Ok(Pause::Turn) | Err(_) => {
                self.ask(WRITE);
                outcome.is_ok()
            }
        }
    }

    fn write_now(self: Arc<Self>) -> Option<usize> {
        let Some(mut writer) = try_lock(&self.writer) else { return Some(0) };
        let Flushed { outcome, .. } = self.write_out(&mut writer);
        let is_left = matches!(outcome, Ok(Pause::Full | Pause::Turn | Pause::Scarce));
        is_left.then(|| writer.outbound.sent_ever())
    }

    /// The socket has taken a message from a full lane.
    fn writable(self: Arc<Self>) {
        // Whoever has borrowed the reading goes on when the lane is empty.
        if !self.is_borrowed() {
            self.ask(READ);
        }
    }

    fn direct_read(self: Arc<Self>) -> Option<Arc<dyn DirectRead>> {
        Some(self)
    }
}

impl Source for Connection {
    fn ready(self: Arc<Self>, ready: Ready) -> Progress {
        let reads = ready.write && note_writable(&self.stream);
        if ready.write {
            if self.blocked.swap(false, Ordering::SeqCst) {
                self.flush();
            } else {
                self.leave_out_room();
            }
        }
        if ready.read || reads {
            lock(&self.reader).note_end(ready.end);
            self.receive();
        }
        Progress::Done
    }

    /// Its descriptor may be another's by now.
    fn lost(self: Arc<Self>) {
        self.finish(EndpointEvent::Broken);
    }

    fn woken(self: Arc<Self>) {
        let asked = self.asked.swap(0, Ordering::SeqCst);
        if asked & FAIL != 0 {
            return self.fail();
        }
        if asked & WRITE != 0 {
            self.flush();
        }
        if asked & READ != 0 {
            self.receive();
        }
    }

    fn timeout(self: Arc<Self>, now: Duration) {
        if lock(&self.timers).take_due(now, Purpose::Retry) {
            self.flush();
            self.receive();
        }
        self.end_loan(now);
        let is_over = lock(&self.writer).closing().map(|closing| closing.unfinished.has_expired(now));
        match is_over {
            Some(true) => return self.finish(EndpointEvent::Dropped),
            Some(false) => return self.flush(),
            None => {}
        }
        let check = lock(&self.reader).inbound.check_time(now);
        match check {
            TimeCheck::InTime => {}
            TimeCheck::Until(moment) => self.set_timer(Purpose::Frame, moment),
            TimeCheck::Exceeded => self.finish(EndpointEvent::Broken),
        }
    }
}

/// The present moment, in nanoseconds of the monotonic clock.
pub(super) fn nanoseconds() -> u64 {
    nanoseconds_of(now())
}

fn nanoseconds_of(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests;
