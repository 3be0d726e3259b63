//! A connection: it greets, then moves bytes between the kernel and the lanes of its pipe.
//!
//! Its two directions have a lock each, and any thread may drive either. The one that takes from
//! the outbound lane is responsible for it until it has parked the lane, or the kernel is full
//! and will report room; so a push that is no edge needs nobody to be told.
//!
//! * A message for an idle connection is written by the thread that sends it.
//! * One that follows at once is left to the I/O thread, which writes what has gathered meanwhile.
//! * Reading is the I/O thread's so far; [`Connection::receive`] may be called from any.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mio::Token;
use socket2::Socket;

use super::Owner;
use super::outbox::Outbox;
use crate::message::Payload;
use crate::pipe::{Consumer, End, Peer, Producer, lane};
use crate::reactor::{Reactor, Ready, Source, TimerId};
use crate::sync::{Mutex, lock, now};
use crate::transport::linger::{Linger, Unfinished};
use crate::transport::{Ends, Host, Note};
use crate::wire::{Decoder, Frame, Framing, Handshake, encode_header};

/// A peer must have greeted by then.
const GREETING_TIME: Duration = Duration::from_secs(5);
/// A peer that is silent for so long in the middle of a frame is gone.
const FRAME_TIME: Duration = Duration::from_secs(30);
/// A message that follows a write within this time belongs to a burst.
const BURST_NANOSECONDS: u64 = 10_000;
/// A message that long is never left to gather with others.
const WORTH_A_WRITE: usize = 16 * 1024;
/// So much is read at once.
const READ_SIZE: usize = 128 * 1024;
/// After so many reads or writes in a row other connections get their turn.
const PER_TURN: usize = 8;
/// How often a closing connection looks whether the peer has everything.
const CLOSING_LOOK: Duration = Duration::from_millis(5);

/// Asked of the I/O thread: write what is in the lane.
const WRITE: u8 = 1;
/// Asked of the I/O thread: there is room again, read on.
const READ: u8 = 2;

thread_local! {
    /// Where this thread reads to before it is known what the bytes are. It stays empty: only its
    /// capacity is used.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection to a peer, and the pipe that it carries.
pub(super) struct Connection {
    stream: Socket,
    framing: Framing,
    reactor: Arc<Reactor>,
    token: OnceLock<Token>,
    host: Arc<dyn Host>,
    owner: Arc<dyn Owner>,
    reader: Mutex<Reader>,
    writer: Mutex<Writer>,
    /// The socket's end of the pipe, once there is one.
    end: OnceLock<Arc<dyn End>>,
    /// What the I/O thread was asked for, as `WRITE` and `READ`.
    asked: AtomicU8,
    /// The kernel took no more; it will report when it does.
    blocked: AtomicBool,
    /// When the last write ended, in nanoseconds of the monotonic clock.
    last_write: AtomicU64,
    /// Timers that are set. They hold the connection, and go with it.
    timers: Mutex<Vec<TimerId>>,
    ended: AtomicBool,
}

struct Reader {
    phase: Phase,
    /// The lane is full: reading goes on when the socket has taken something.
    waits_for_room: bool,
    /// The end of what the peer sends is there, behind what was not read yet.
    is_ending: bool,
    /// When the peer was last heard, or when it may last be heard.
    heard: Duration,
    /// A timer is set for the greeting or for a frame.
    is_timed: bool,
}

enum Phase {
    Greeting(Handshake),
    Open {
        decoder: Decoder,
        lane: Producer,
    },
    /// Nothing more is taken from the peer; bytes that come are dropped.
    Closed {
        heard_more: bool,
    },
}

struct Writer {
    lane: Option<Consumer>,
    outbox: Outbox,
    /// The endpoint is closed: the connection goes when everything is written.
    closing: Option<Unfinished>,
}

/// Why reading or writing stopped for now.
enum Pause {
    /// There is no more to read or to write.
    Done,
    /// The kernel, or the lane, takes no more; it will say when it does.
    Full,
    /// It was enough for one turn.
    Turn,
}

/// Why a connection ends.
struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken
    }
}

impl Connection {
    /// Takes over a stream that is connected, greets the peer, and waits for its greeting.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn start(
        stream: Socket,
        framing: Framing,
        host: Arc<dyn Host>,
        owner: Arc<dyn Owner>,
        reactor: Arc<Reactor>,
    ) -> io::Result<Arc<Connection>> {
        if framing == Framing::Tcp {
            stream.set_tcp_nodelay(host.nodelay())?;
        }
        let mut writer = Writer { lane: None, outbox: Outbox::default(), closing: None };
        writer.outbox.append(&encode_header(host.protocol()));
        let reader = Reader {
            phase: Phase::Greeting(Handshake::default()),
            waits_for_room: false,
            is_ending: false,
            heard: now(),
            is_timed: true,
        };
        let connection = Arc::new(Connection {
            stream,
            framing,
            reactor,
            token: OnceLock::new(),
            host,
            owner,
            reader: Mutex::new(reader),
            writer: Mutex::new(writer),
            end: OnceLock::new(),
            asked: AtomicU8::new(0),
            blocked: AtomicBool::new(false),
            last_write: AtomicU64::new(0),
            timers: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        connection.call_at(now() + GREETING_TIME);
        let token = connection.reactor.register(connection.stream.as_raw_fd(), connection.clone())?;
        // Set once, here; whoever ends the connection meanwhile finds it below.
        let _ = connection.token.set(token);
        if connection.ended.load(Ordering::SeqCst) {
            connection.reactor.deregister(connection.stream.as_raw_fd(), token);
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
        if let Some(end) = self.end.get() {
            end.clone().close();
        }
        let has_pipe = lock(&self.writer).lane.is_some();
        if !has_pipe || linger.deadline().is_some_and(|deadline| deadline <= now()) {
            return self.finish(Note::Dropped);
        }
        lock(&self.writer).closing = Some(linger.unfinished());
        if let Some(deadline) = linger.deadline() {
            self.call_at(deadline);
        }
        {
            let mut reader = lock(&self.reader);
            if !matches!(reader.phase, Phase::Closed { .. }) {
                reader.phase = Phase::Closed { heard_more: false };
            }
        }
        self.receive();
        self.flush();
    }

    /// Lets go of everything, at once.
    fn finish(self: &Arc<Self>, note: Note) {
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(token) = self.token.get() {
            self.reactor.deregister(self.stream.as_raw_fd(), *token);
        }
        self.cancel_timers();
        // Fails if the peer was first.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        let lane = lock(&self.writer).lane.take();
        drop(lane);
        lock(&self.reader).phase = Phase::Closed { heard_more: false };
        if let Some(end) = self.end.get() {
            end.clone().close();
        }
        self.host.note(note);
        self.owner.clone().ended(self);
        let closing = lock(&self.writer).closing.take();
        drop(closing);
    }

    /// Reads what the kernel has, and hands it to the socket.
    fn receive(self: &Arc<Self>) {
        let mut is_edge = false;
        let mut is_new = false;
        let outcome = {
            let mut reader = lock(&self.reader);
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.reserve(READ_SIZE);
                self.receive_into(&mut reader, scratch.spare_capacity_mut(), &mut is_edge, &mut is_new)
            })
        };
        if is_new {
            self.owner.established(self);
        }
        if let Some(end) = self.end.get() {
            if is_new {
                end.clone().writable();
            }
            if is_edge {
                end.clone().readable(0);
            }
        }
        match outcome {
            Ok(Pause::Done | Pause::Full) => {}
            Ok(Pause::Turn) => self.ask(READ),
            Err(Broken) => self.finish(Note::Broken),
        }
    }

    fn receive_into(
        self: &Arc<Self>,
        reader: &mut Reader,
        scratch: &mut [MaybeUninit<u8>],
        is_edge: &mut bool,
        is_new: &mut bool,
    ) -> Result<Pause, Broken> {
        for _ in 0..PER_TURN {
            let direct = match &mut reader.phase {
                Phase::Open { decoder, lane } => {
                    if !lane.has_room() {
                        reader.waits_for_room = true;
                        return Ok(Pause::Full);
                    }
                    decoder.spare().map_err(|_| Broken)?
                }
                _ => None,
            };
            let is_direct = direct.is_some();
            let space = direct.unwrap_or(&mut *scratch);
            let wanted = space.len();
            let count = match self.stream.recv(space) {
                Ok(0) => return Err(Broken),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.watch(reader);
                    return Ok(Pause::Done);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(Broken),
            };
            if is_direct {
                // SAFETY: the kernel has written so many bytes.
                unsafe { self.take_direct(reader, count, is_edge) };
            } else {
                // SAFETY: as above.
                let read = unsafe { scratch[..count].assume_init_ref() };
                self.take(reader, read, is_edge, is_new)?;
            }
            if count < wanted && !reader.is_ending {
                // The kernel had no more; what comes now is a new edge.
                self.watch(reader);
                return Ok(Pause::Done);
            }
        }
        self.watch(reader);
        Ok(Pause::Turn)
    }

    /// Takes bytes that were read straight into the memory of a large message.
    ///
    /// # Safety
    /// So many bytes of the decoder's spare memory must have been written.
    unsafe fn take_direct(&self, reader: &mut Reader, count: usize, is_edge: &mut bool) {
        if let Phase::Open { decoder, lane } = &mut reader.phase
            // SAFETY: as the caller promises.
            && let Some(chunk) = unsafe { decoder.appended(count) }
            && self.host.receives()
        {
            // The socket may have let go of the pipe: then the message has nowhere to go.
            *is_edge |=
                lane.batch().push_over(&[], &mut Payload::Owned(chunk)).is_ok_and(|pushed| pushed.edge);
        }
    }

    fn take(
        self: &Arc<Self>,
        reader: &mut Reader,
        mut input: &[u8],
        is_edge: &mut bool,
        is_new: &mut bool,
    ) -> Result<(), Broken> {
        if let Phase::Greeting(handshake) = &mut reader.phase {
            let Some(protocol) = handshake.feed(&mut input).map_err(|_| Broken)? else { return Ok(()) };
            let lane = self.open(protocol)?;
            reader.phase = Phase::Open { decoder: Decoder::new(self.framing), lane };
            *is_new = true;
        }
        match &mut reader.phase {
            Phase::Open { decoder, lane } => {
                let max = self.host.max_message();
                let is_taken = self.host.receives();
                let mut batch = lane.batch();
                let fed = decoder.feed(input, max, |frame| {
                    if !is_taken {
                        return;
                    }
                    let mut body = match frame {
                        Frame::Bytes(bytes) => Payload::Borrowed(bytes),
                        Frame::Chunk(chunk) => Payload::Owned(chunk),
                    };
                    // As above: the socket may have let go.
                    *is_edge |= batch.push_over(&[], &mut body).is_ok_and(|pushed| pushed.edge);
                });
                fed.map_err(|_| Broken)
            }
            Phase::Closed { heard_more } => {
                *heard_more = true;
                Ok(())
            }
            Phase::Greeting(_) => Ok(()),
        }
    }

    /// The peer has greeted: gives the socket a pipe. Answers the lane to fill.
    fn open(self: &Arc<Self>, protocol: u16) -> Result<Producer, Broken> {
        if !self.host.is_peer(protocol) {
            return Err(Broken);
        }
        let (receive_limit, send_limit) = self.host.lane_limits();
        let (producer, inbound) = lane(receive_limit);
        let (outbound, consumer) = lane(send_limit);
        lock(&self.writer).lane = Some(consumer);
        let end = self.host.attach(Ends { inbound, outbound, peer: self.clone() }).map_err(|_| Broken)?;
        // The greeting comes once.
        let _ = self.end.set(end);
        Ok(producer)
    }

    /// Sees to it that a peer which is silent in the middle of a frame is noticed.
    fn watch(self: &Arc<Self>, reader: &mut Reader) {
        let Phase::Open { decoder, .. } = &reader.phase else { return };
        if decoder.is_mid_frame() {
            reader.heard = now();
            if !reader.is_timed {
                reader.is_timed = true;
                self.call_at(reader.heard + FRAME_TIME);
            }
        }
    }

    /// Writes what is in the outbox and the lane, until both are empty or the kernel is full.
    fn flush(self: &Arc<Self>) {
        let mut has_room = false;
        let outcome = {
            let mut writer = lock(&self.writer);
            self.flush_locked(&mut writer, &mut has_room)
        };
        if has_room && let Some(end) = self.end.get() {
            end.clone().writable();
        }
        match outcome {
            Ok(Pause::Done) if lock(&self.writer).closing.is_some() => self.finish_closing(),
            Ok(Pause::Done | Pause::Full) => {}
            Ok(Pause::Turn) => self.ask(WRITE),
            Err(Broken) => self.fail(),
        }
    }

    fn flush_locked(&self, writer: &mut Writer, has_room: &mut bool) -> Result<Pause, Broken> {
        for _ in 0..PER_TURN {
            if let Some(lane) = &mut writer.lane {
                *has_room |= writer.outbox.fill(lane, self.framing);
            }
            if writer.outbox.is_empty() {
                writer.outbox.rest();
                self.last_write.store(nanoseconds(now()), Ordering::Relaxed);
                return Ok(Pause::Done);
            }
            match writer.outbox.write_to(&self.stream) {
                Ok(()) => self.blocked.store(false, Ordering::SeqCst),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // The mark first, then another try: room that is reported in between is
                    // either seen now or finds the mark.
                    if self.blocked.swap(true, Ordering::SeqCst) {
                        return Ok(Pause::Full);
                    }
                }
                Err(_) => return Err(Broken),
            }
        }
        Ok(Pause::Turn)
    }

    /// Writing failed. What the peer had sent before is still read.
    fn fail(self: &Arc<Self>) {
        self.receive();
        self.finish(Note::Broken);
    }

    /// Everything is written: tells the peer so, and goes, unless the peer is still speaking.
    /// Then going at once would have the kernel take back what the peer has not read yet.
    fn finish_closing(self: &Arc<Self>) {
        // Fails if the peer was first.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        self.receive();
        let is_speaking = matches!(lock(&self.reader).phase, Phase::Closed { heard_more: true });
        if is_speaking && self.framing == Framing::Tcp && has_unacknowledged(&self.stream) {
            self.call_at(now() + CLOSING_LOOK);
        } else {
            self.finish(Note::Dropped);
        }
    }

    /// Has `timeout` called at `moment`.
    fn call_at(self: &Arc<Self>, moment: Duration) {
        let timer = self.reactor.at(moment, self.clone());
        lock(&self.timers).push(timer);
        if self.ended.load(Ordering::SeqCst) {
            self.cancel_timers();
        }
    }

    fn cancel_timers(&self) {
        let timers = std::mem::take(&mut *lock(&self.timers));
        for timer in timers {
            self.reactor.cancel(timer);
        }
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
        let since = || nanoseconds(now()).saturating_sub(self.last_write.load(Ordering::Relaxed));
        if size < WORTH_A_WRITE && since() < BURST_NANOSECONDS { self.ask(WRITE) } else { self.flush() }
    }

    /// The lane is full: its messages are written by the thread that has one more.
    fn relieve(self: Arc<Self>) -> bool {
        // The room that is made is ours, who asked for it: nobody else is to be told.
        let outcome = self.flush_locked(&mut lock(&self.writer), &mut false);
        match outcome {
            Ok(Pause::Done | Pause::Full) => true,
            // The I/O thread goes on, or finds what is wrong.
            Ok(Pause::Turn) | Err(Broken) => {
                self.ask(WRITE);
                outcome.is_ok()
            }
        }
    }

    /// The socket has taken a message from a full lane.
    fn writable(self: Arc<Self>) {
        self.ask(READ);
    }
}

impl Source for Connection {
    fn ready(self: Arc<Self>, ready: Ready) {
        if ready.write && self.blocked.swap(false, Ordering::SeqCst) {
            self.flush();
        }
        if ready.read {
            lock(&self.reader).is_ending |= ready.end;
            self.receive();
        }
    }

    fn woken(self: Arc<Self>) {
        let asked = self.asked.swap(0, Ordering::SeqCst);
        if asked & WRITE != 0 {
            self.flush();
        }
        if asked & READ != 0 {
            lock(&self.reader).waits_for_room = false;
            self.receive();
        }
    }

    fn timeout(self: Arc<Self>, now: Duration) {
        lock(&self.timers).retain(|timer| timer.moment() > now);
        let closing = lock(&self.writer).closing.as_ref().map(|closing| closing.is_over(now));
        match closing {
            Some(true) => return self.finish(Note::Dropped),
            Some(false) => return self.flush(),
            None => {}
        }
        let is_late = {
            let mut reader = lock(&self.reader);
            let last = reader.heard;
            reader.is_timed = false;
            match &reader.phase {
                Phase::Greeting(_) => last + GREETING_TIME <= now,
                Phase::Open { decoder, .. } if decoder.is_mid_frame() => {
                    // A peer that we do not let speak is not silent.
                    let is_late = last + FRAME_TIME <= now && !reader.waits_for_room;
                    let next = if is_late || last + FRAME_TIME > now { last } else { now };
                    reader.is_timed = !is_late;
                    if !is_late {
                        self.call_at(next + FRAME_TIME);
                    }
                    is_late
                }
                _ => false,
            }
        };
        if is_late {
            self.finish(Note::Broken);
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether the peer's kernel has not confirmed everything yet.
fn has_unacknowledged(stream: &Socket) -> bool {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the request writes one int.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    result == 0 && bytes > 0
}
