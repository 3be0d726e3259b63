//! Reading from a connection: the kernel's bytes become messages in the socket's lane.
//!
//! A large message is read straight into its own memory, everything else into memory of the thread.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::timers::Purpose;
use super::{Connection, Failure, PER_TURN, READ, Stop, WRITE};
use crate::error::Error;
use crate::message::{Metadata, Payload};
use crate::pipe::{Batch, End, Full, Producer, Reason, SocketPipe, lane};
use crate::sync::{lock, now};
#[cfg(feature = "tls")]
use crate::tls::Fault;
use crate::transport::stream::platform::is_scarce;
use crate::transport::{LaneLimits, PipeEnds};
use crate::wire::{BadFrame, BadGreeting, Greeted, Inbound, LARGE_BODY};

/// The most bytes of one read.
const READ_SIZE: usize = 128 * 1024;
/// The most bytes of one read that go elsewhere than into the memory of a message, while one is being read or expected that
/// is at least as long as [`LARGE_BODY`]: these have to be copied.
const SPILL: usize = 4 * 1024;

thread_local! {
    /// The thread's memory for reading. The vector stays empty: only its capacity is used. It is freed before the thread or
    /// the process has ended; calls that come later, from exit handlers, do without. The I/O thread uses memory of its
    /// reactor instead.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };

    /// The thread is in [`Connection::read_on`].
    static READS_ON: Cell<bool> = const { Cell::new(false) };
}

/// The state of the inbound direction, under its lock.
pub(super) struct Reader {
    pub(super) inbound: Inbound,
    /// The inbound lane, from the peer's greeting until the end.
    lane: Option<Producer>,
    /// Whether messages are pushed to the lane, and not dropped.
    receives: bool,
    /// The poller has reported the end of the stream, which comes after the bytes that are not read yet.
    is_ending: bool,
}

impl Reader {
    /// The state before the first read.
    pub(super) fn new(inbound: Inbound) -> Reader {
        Reader { inbound, lane: None, receives: false, is_ending: false }
    }

    /// Drops everything that the peer sends from now on.
    pub(super) fn close(&mut self) {
        self.inbound.close();
        self.lane = None;
    }

    /// Remembers that the end of the stream was reported, which happens once.
    pub(super) fn note_end(&mut self, is_ending: bool) {
        self.is_ending |= is_ending;
    }
}

/// What a read has caused, to be reported without the lock.
#[derive(Default)]
struct ReadEffects {
    /// Something was read.
    has_read: bool,
    /// A push to the lane was an edge.
    is_edge: bool,
    /// The peer's greeting is complete, and the socket has its pipe.
    is_established: bool,
    /// The socket has a pipe, but the connection was closed meanwhile.
    unused: Option<Arc<dyn SocketPipe>>,
}

impl Connection {
    /// Reads from shared memory, by the thread that has made room in the lane: that takes no system call, unless there is nothing
    /// to read. What is read may be taken at once, in this thread, which makes room again: then the I/O thread reads on.
    pub(super) fn read_on(self: &Arc<Self>) {
        if READS_ON.try_with(|reads| reads.replace(true)) != Ok(false) {
            return self.request(READ);
        }
        self.receive();
        _ = READS_ON.try_with(|reads| reads.set(false));
    }

    /// Reads what the kernel has, into the lane, and reports an edge to the socket.
    pub(in crate::transport::stream) fn receive(self: &Arc<Self>) {
        let mut effects = ReadEffects::default();
        let outcome = {
            let mut reader = lock(&self.reader);
            let mut receive = |scratch: &mut Vec<u8>| {
                let mut little = [MaybeUninit::uninit(); SPILL];
                let memory = scratch_memory(scratch, &mut little);
                let outcome = self.receive_into(&mut reader, memory, &mut effects);
                // A read that finds nothing does not prolong the silence.
                if effects.has_read {
                    self.watch_for_silence(&mut reader.inbound);
                }
                outcome
            };
            let outcome = match self.reactor.scratch() {
                Some(mut scratch) => receive(&mut scratch),
                None => {
                    // Not borrowed twice even by a signal handler that receives.
                    let received = SCRATCH.try_with(|scratch| {
                        scratch.try_borrow_mut().ok().map(|mut scratch| receive(&mut scratch))
                    });
                    received.ok().flatten().unwrap_or_else(|| receive(&mut Vec::new()))
                }
            };
            if outcome.is_err() {
                // No other thread may go on with a stream that has failed.
                reader.close();
            }
            outcome
        };
        if let Some(end) = effects.unused {
            end.close(End::LOCAL);
        }
        if effects.is_established {
            self.owner.established(self);
        }
        if let Some(end) = self.end.get() {
            if effects.is_established {
                // In this order: a program that is told of the pipe can send on it.
                end.clone().writable();
                end.clone().open();
            }
            if effects.is_edge {
                end.clone().readable(0);
            }
        }
        if self.stream.wants_flush() {
            self.request(WRITE);
        }
        if self.stream.holds_input() {
            // The descriptor does not tell a holder of the lease that there is more.
            self.set_leased(false);
        }
        match outcome {
            Ok(Stop::Done | Stop::Full) => {}
            // The holder of the lease polls the descriptor, and finds it readable.
            Ok(Stop::TurnOver)
                if self.is_reading_leased() && self.stream.tells_of_input() && !self.stream.has_alert() => {}
            Ok(Stop::TurnOver) => self.request(READ),
            Ok(Stop::OutOfMemory) => self.retry_later(),
            Err(Failure { final_reply, end }) if final_reply.is_empty() && !self.stream.has_alert() => {
                self.finish(end);
            }
            Err(Failure { final_reply, end }) => self.reject(&final_reply, end),
        }
    }

    /// As `receive`, with the lock held. `scratch` is the thread's memory for reading.
    fn receive_into(
        self: &Arc<Self>,
        reader: &mut Reader,
        scratch: &mut [MaybeUninit<u8>],
        effects: &mut ReadEffects,
    ) -> Result<Stop, Failure> {
        for _ in 0..PER_TURN {
            if let Some(lane) = &mut reader.lane {
                let is_full = !lane.has_room_or_waits_for_half();
                reader.inbound.note_back_pressure(is_full);
                if is_full {
                    return Ok(Stop::Full);
                }
            }
            let expects_large = reader.inbound.expects_large();
            let direct = match self.stream.reads_directly() {
                true => reader.inbound.spare().map_err(|bad| self.failure(bad))?,
                false => None,
            };
            let direct_size = direct.as_ref().map_or(0, |direct| direct.len());
            let is_direct = self.stream.reads_directly() && (expects_large || direct_size >= LARGE_BODY);
            let spill_size = if is_direct { SPILL } else { scratch.len() };
            let wanted = direct_size + spill_size;
            let count = match self.stream.read(direct, &mut scratch[..spill_size]) {
                Ok(0) => return Err(Failure::silent(self.end_of_layer().unwrap_or(End::PEER))),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Stop::Done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_scarce(&error) => {
                    reader.inbound.note_back_pressure(true);
                    return Ok(Stop::OutOfMemory);
                }
                Err(error) => return Err(Failure::silent(self.end_of_read(error))),
            };
            effects.has_read = true;
            // The kernel ends a read behind a descriptor, which a local peer may pass with its greeting.
            let may_have_ended_early = reader.lane.is_none() && self.stream.is_local();
            let direct = count.min(direct_size);
            if direct > 0 {
                // SAFETY: the kernel has written this number of bytes.
                self.deliver(reader, effects, |inbound, sink| unsafe {
                    inbound.appended(direct, |payload, metadata| sink.push(payload, metadata))
                })?;
            }
            if count > direct {
                let rest = &scratch[..count - direct];
                // SAFETY: as above.
                let read = unsafe { std::slice::from_raw_parts(rest.as_ptr().cast(), rest.len()) };
                self.take(reader, read, effects)?;
            }
            let is_short = count < wanted && !may_have_ended_early;
            if is_short && self.stream.short_read_is_all() && !reader.is_ending {
                // The kernel had no more; the poller reports bytes that come now.
                return Ok(Stop::Done);
            }
        }
        Ok(Stop::TurnOver)
    }

    /// Takes bytes that were read: the rest of a greeting, and messages.
    fn take(
        self: &Arc<Self>,
        reader: &mut Reader,
        mut input: &[u8],
        effects: &mut ReadEffects,
    ) -> Result<(), Failure> {
        let greeted = reader.inbound.greet(&mut input);
        let bad = |BadGreeting { final_reply, is_mismatch }| Failure {
            final_reply,
            end: if is_mismatch { End::MISMATCH } else { End::INVALID },
        };
        if let Some(mut greeted) = greeted.map_err(bad)? {
            self.peer_protocol.store(greeted.protocol, Ordering::Relaxed);
            if let Some(resource) = greeted.resource.take() {
                // Cannot fail: a greeting is completed once.
                let _ = self.resource.set(resource);
            }
            let refused = |failure: Failure| Failure { final_reply: reader.inbound.refusal(), ..failure };
            let is_filtering = self.is_filtering(&greeted).map_err(refused)?;
            reader.lane = Some(self.open(&greeted, is_filtering, effects).map_err(refused)?);
            // Subscriptions come to a publisher that filters.
            reader.receives = self.context.protocol().can_recv || is_filtering;
            reader.inbound.open(self.mapping.decoder());
            self.cancel_timers(Purpose::Greeting);
            effects.is_established = true;
        }
        let max = self.context.max_message();
        let mut ping = None;
        let taken = self.deliver(reader, effects, |inbound, sink| {
            let fed = inbound.feed(input, max, |payload, metadata| sink.push(payload, metadata));
            ping = fed.ping;
            fed.outcome
        });
        if let Some(payload) = ping {
            self.answer_ping(&payload);
        }
        taken
    }

    /// Lets `feed` decode bytes and push the messages into the lane. A message for which there is no memory is a failure: the
    /// peer must not believe that it was received.
    fn deliver(
        &self,
        reader: &mut Reader,
        effects: &mut ReadEffects,
        feed: impl FnOnce(&mut Inbound, &mut LaneSink<'_>) -> Result<(), BadFrame>,
    ) -> Result<(), Failure> {
        let Reader { inbound, lane, receives, .. } = reader;
        let lane = lane.as_mut().filter(|_| *receives).map(Producer::batch);
        let mut sink = LaneSink { lane, is_edge: false, is_out_of_memory: false };
        let fed = feed(inbound, &mut sink);
        let LaneSink { lane, is_edge, is_out_of_memory } = sink;
        drop(lane);
        effects.is_edge |= is_edge;
        match fed {
            Ok(()) if is_out_of_memory => Err(Failure::silent(End::MEMORY)),
            fed => fed.map_err(|bad| self.failure(bad)),
        }
    }

    /// Whether a publisher filters on the connection. Fails if the peer has another protocol.
    fn is_filtering(&self, greeted: &Greeted) -> Result<bool, Failure> {
        let mismatch = || Failure::silent(End::MISMATCH);
        Ok(greeted.own.ok_or_else(mismatch)?.number != self.context.protocol().number)
    }

    /// Gives the socket a pipe, after the peer's greeting. Returns the producer of the inbound lane.
    fn open(
        self: &Arc<Self>,
        greeted: &Greeted,
        is_filtering: bool,
        effects: &mut ReadEffects,
    ) -> Result<Producer, Failure> {
        let LaneLimits { receive, send, .. } = self.context.lane_limits();
        let (producer, inbound) = lane(receive);
        let (outbound, consumer) = lane(send);
        let ends = PipeEnds { is_filtering, ..PipeEnds::plain(inbound, outbound, self.clone()) };
        let attached = self.context.attach(ends);
        let end = attached.map_err(|_| Failure::silent(End::BUSY))?;
        {
            // Not too late: the socket sends nothing on the pipe before `receive` reports that it is writable.
            let mut writer = lock(&self.writer);
            if !writer.open(consumer, &greeted.reply) {
                effects.unused = Some(end);
                return Err(Failure::silent(End::LOCAL));
            }
            // Under the lock: who finds the lane finds the pipe. Cannot fail, as a greeting is completed once.
            let _ = self.end.set(end);
        }
        if !greeted.reply.is_empty() {
            self.request(WRITE);
        }
        Ok(producer)
    }

    /// Answers a ping with this payload. The I/O thread writes the pong, since the lock of the reader is held here.
    fn answer_ping(self: &Arc<Self>, payload: &[u8]) {
        lock(&self.writer).outbound.answer_ping(payload);
        self.request(WRITE);
    }

    /// The end of the connection, if its layer has failed. The peer ends the stream when it learns of that, perhaps before the
    /// thread that has read the failure has acted on it: then another one reads the end of the stream.
    fn end_of_layer(&self) -> Option<End> {
        #[cfg(feature = "tls")]
        return self.stream.fault().map(|fault| match fault {
            Fault::Certificate => End::CERTIFICATE,
            Fault::Alert => End::ALERT,
            Fault::Invalid => End::INVALID,
        });
        #[cfg(not(feature = "tls"))]
        None
    }

    /// The end of the connection after a read that has failed.
    fn end_of_read(&self, error: io::Error) -> End {
        if let Some(end) = self.end_of_layer() {
            return end;
        }
        #[cfg(feature = "tls")]
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return End::CUT;
        }
        if self.stream.uses_shared_memory() && error.raw_os_error() == Some(libc::EPROTO) {
            return End::INVALID;
        }
        error.into()
    }

    /// The failure after invalid bytes of the peer.
    fn failure(&self, bad: BadFrame) -> Failure {
        let end = match bad {
            BadFrame::Closed(_) => End::PEER,
            BadFrame::OutOfMemory => End::MEMORY,
            BadFrame::TooLong => End { reason: Reason::Invalid, error: Some(Error::MessageSize) },
            BadFrame::Type | BadFrame::Protocol | BadFrame::NotText => End::INVALID,
        };
        Failure { final_reply: lock(&self.writer).outbound.final_reply(bad), end }
    }

    /// Sets a timer, after a read that has brought something, by which a peer is noticed that falls silent in the middle of a message.
    fn watch_for_silence(self: &Arc<Self>, inbound: &mut Inbound) {
        if inbound.is_mid_message()
            && let Some(moment) = inbound.note_part(now())
        {
            self.set_timer(Purpose::Message, moment);
        }
    }
}

/// The thread's memory for reading, or `little` if it cannot be allocated.
fn scratch_memory<'a>(
    scratch: &'a mut Vec<u8>,
    little: &'a mut [MaybeUninit<u8>],
) -> &'a mut [MaybeUninit<u8>] {
    match scratch.try_reserve(READ_SIZE) {
        Ok(()) => scratch.spare_capacity_mut(),
        Err(_) => little,
    }
}

/// Pushes decoded messages into the inbound lane.
struct LaneSink<'a> {
    /// `None` if messages are dropped: there is no pipe, or the protocol cannot receive.
    lane: Option<Batch<'a>>,
    /// A push was an edge.
    is_edge: bool,
    /// There was no memory for a message.
    is_out_of_memory: bool,
}

impl LaneSink<'_> {
    fn push(&mut self, mut payload: Payload<'_>, metadata: Metadata) {
        let Some(lane) = &mut self.lane else { return };
        match lane.push_over(&[], &mut payload, metadata) {
            Ok(pushed) => self.is_edge |= pushed.edge,
            // If the socket has dropped its end of the pipe, so is the message.
            Err(Full) => self.is_out_of_memory |= !lane.is_closed(),
        }
    }
}
