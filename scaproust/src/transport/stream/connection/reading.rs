//! The inbound half of a connection: the kernel's bytes become messages in the socket's lane.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

use socket2::MaybeUninitSlice;

use super::timers::Purpose;
use super::{Broken, Connection, PER_TURN, Pause, READ, WRITE};
use crate::message::{Metadata, Payload};
use crate::pipe::{Batch, Full, Producer, lane};
use crate::sync::{lock, now};
use crate::transport::stream::platform::{SHORT_READ_IS_ALL, is_scarce};
use crate::transport::{EndpointEvent, LaneLimits, PipeEnds};
use crate::wire::{BadFrame, BadGreeting, Frame, Greeted, Inbound};

/// So much is read at once.
const READ_SIZE: usize = 128 * 1024;
/// So much is read besides, where a large message is read straight into its memory, and where one
/// is expected: what comes here has to be copied.
const SPILL: usize = 4 * 1024;

thread_local! {
    /// Where this thread reads to before it is known what the bytes are. It stays empty: only its
    /// capacity is used. It is freed before the thread or the process has ended: calls that come later,
    /// from exit handlers, do without. The I/O thread has memory of its reactor instead.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What has come from the peer, under the lock of the inbound direction.
pub(super) struct Reader {
    pub(super) inbound: Inbound,
    /// Where the peer's messages go, between its greeting and the end.
    lane: Option<Producer>,
    /// The end of what the peer sends is there, behind what was not read yet.
    is_ending: bool,
}

impl Reader {
    /// Nothing has come yet.
    pub(super) fn new(inbound: Inbound) -> Reader {
        Reader { inbound, lane: None, is_ending: false }
    }

    /// Nothing more is taken from the peer.
    pub(super) fn close(&mut self) {
        self.inbound.close();
        self.lane = None;
    }

    /// Remembers that the end was reported, which happens once.
    pub(super) fn note_end(&mut self, is_ending: bool) {
        self.is_ending |= is_ending;
    }
}

/// What bytes of the peer have brought about, to be acted on without the lock.
#[derive(Default)]
struct News {
    /// The lane has messages, of which the socket does not know.
    is_edge: bool,
    /// The peer has greeted.
    is_new: bool,
}

impl Connection {
    /// Reads what the kernel has, and hands it to the socket.
    pub(super) fn receive(self: &Arc<Self>) {
        let mut news = News::default();
        let outcome = {
            let mut reader = lock(&self.reader);
            let mut receive = |scratch: &mut Vec<u8>| {
                let mut little = [MaybeUninit::uninit(); SPILL];
                let memory = scratch_memory(scratch, &mut little);
                self.receive_into(&mut reader, memory, &mut news)
            };
            let outcome = match self.reactor.scratch() {
                Some(mut scratch) => receive(&mut scratch),
                None => {
                    let received = SCRATCH.try_with(|scratch| receive(&mut scratch.borrow_mut()));
                    received.unwrap_or_else(|_| receive(&mut Vec::new()))
                }
            };
            if outcome.is_err() {
                // A stream that is broken is read no further by another thread.
                reader.close();
            }
            outcome
        };
        if news.is_new {
            self.owner.established(self);
        }
        if let Some(end) = self.end.get() {
            if news.is_new {
                end.clone().writable();
            }
            if news.is_edge {
                end.clone().readable(0);
            }
        }
        match outcome {
            Ok(Pause::Done | Pause::Full) => {}
            // Who has borrowed the reading waits for the descriptor, and finds it ready.
            Ok(Pause::Turn) if self.is_borrowed() => {}
            Ok(Pause::Turn) => self.ask(READ),
            Ok(Pause::Scarce) => self.retry_later(),
            Err(Broken(words)) if words.is_empty() => self.finish(EndpointEvent::Broken),
            Err(Broken(words)) => self.dismiss(&words),
        }
    }

    fn receive_into(
        self: &Arc<Self>,
        reader: &mut Reader,
        scratch: &mut [MaybeUninit<u8>],
        news: &mut News,
    ) -> Result<Pause, Broken> {
        for _ in 0..PER_TURN {
            if let Some(lane) = &mut reader.lane {
                let is_held_back = !lane.has_room_or_waits_for_half();
                reader.inbound.hold_back(is_held_back);
                if is_held_back {
                    return Ok(Pause::Full);
                }
            }
            let expects_large = reader.inbound.expects_large();
            let direct = reader.inbound.spare().map_err(|bad| self.broken_by(bad))?;
            let direct_size = direct.as_ref().map_or(0, |direct| direct.len());
            let beside = if expects_large || direct_size > 0 { SPILL } else { scratch.len() };
            let received = match direct {
                Some(direct) => {
                    let (direct, beside) = (MaybeUninitSlice::new(direct), &mut scratch[..beside]);
                    self.stream
                        .recv_vectored(&mut [direct, MaybeUninitSlice::new(beside)])
                        .map(|(count, _)| count)
                }
                None => self.stream.recv(&mut scratch[..beside]),
            };
            let wanted = direct_size + beside;
            let count = match received {
                Ok(0) => return Err(Broken::silently()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.watch(&mut reader.inbound);
                    return Ok(Pause::Done);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_scarce(&error) => return Ok(Pause::Scarce),
                Err(error) => return Err(error.into()),
            };
            let direct = count.min(direct_size);
            if direct > 0 {
                // SAFETY: the kernel has written so many bytes.
                self.intake(reader, news, |inbound, intake| unsafe {
                    inbound.appended(direct, |frame, metadata| intake.take(frame, metadata))
                })?;
            }
            if count > direct {
                let rest = &scratch[..count - direct];
                // SAFETY: as above.
                let read = unsafe { std::slice::from_raw_parts(rest.as_ptr().cast(), rest.len()) };
                self.take(reader, read, news)?;
            }
            if SHORT_READ_IS_ALL && count < wanted && !reader.is_ending {
                // The kernel had no more; what comes now is a new edge.
                self.watch(&mut reader.inbound);
                return Ok(Pause::Done);
            }
        }
        self.watch(&mut reader.inbound);
        Ok(Pause::Turn)
    }

    /// Takes bytes that were read: the rest of a greeting, and messages.
    fn take(self: &Arc<Self>, reader: &mut Reader, mut input: &[u8], news: &mut News) -> Result<(), Broken> {
        let greeted =
            reader.inbound.greet(&mut input).map_err(|BadGreeting { final_reply }| Broken(final_reply))?;
        if let Some(greeted) = greeted {
            reader.lane = Some(self.open(&greeted).map_err(|_| Broken(reader.inbound.refusal()))?);
            reader.inbound.open(self.mapping.decoder());
            self.cancel_timers(Purpose::Greeting);
            news.is_new = true;
        }
        let max = self.host.max_message();
        let mut said = None;
        let taken = self.intake(reader, news, |inbound, intake| {
            let fed = inbound.feed(input, max, |frame, metadata| intake.take(frame, metadata));
            said = fed.ping;
            fed.outcome
        });
        if let Some(said) = said {
            self.pong(&said);
        }
        taken
    }

    /// Lets `feed` put what has come into the lane. A message for which there was no memory ends the connection: the
    /// peer must not believe that it was received.
    fn intake(
        &self,
        reader: &mut Reader,
        news: &mut News,
        feed: impl FnOnce(&mut Inbound, &mut Intake<'_>) -> Result<(), BadFrame>,
    ) -> Result<(), Broken> {
        let Reader { inbound, lane, .. } = reader;
        let lane = lane.as_mut().filter(|_| self.host.protocol().can_recv).map(Producer::batch);
        let mut intake = Intake { lane, is_edge: false, is_lost: false };
        let fed = feed(inbound, &mut intake);
        let Intake { is_edge, is_lost, .. } = intake;
        news.is_edge |= is_edge;
        match fed {
            Ok(()) if is_lost => Err(Broken::silently()),
            fed => fed.map_err(|bad| self.broken_by(bad)),
        }
    }

    /// The peer has greeted: gives the socket a pipe. Answers the lane to fill.
    fn open(self: &Arc<Self>, greeted: &Greeted) -> Result<Producer, Broken> {
        if self.host.protocol().peer.number != greeted.protocol {
            return Err(Broken::silently());
        }
        let LaneLimits { receive, send, .. } = self.host.lane_limits();
        let (producer, inbound) = lane(receive);
        let (outbound, consumer) = lane(send);
        let attached = self.host.attach(PipeEnds { inbound, outbound, peer: self.clone() });
        let end = attached.map_err(|_| Broken::silently())?;
        // In time: nothing is sent on the pipe before `receive` says that it is writable.
        if !lock(&self.writer).open(consumer, &greeted.reply) {
            end.close();
            return Err(Broken::silently());
        }
        if !greeted.reply.is_empty() {
            self.ask(WRITE);
        }
        // The greeting comes once.
        let _ = self.end.set(end);
        Ok(producer)
    }

    /// Answers a ping. The I/O thread sends it, since the lock of reading is held here.
    fn pong(self: &Arc<Self>, said: &[u8]) {
        lock(&self.writer).outbound.answer_ping(said);
        self.ask(WRITE);
    }

    /// The end that bytes of the peer have brought about.
    fn broken_by(&self, bad: BadFrame) -> Broken {
        Broken(lock(&self.writer).outbound.final_reply(bad))
    }

    /// Sees to it that a peer which is silent in the middle of a message is noticed.
    fn watch(self: &Arc<Self>, inbound: &mut Inbound) {
        if inbound.is_mid_message()
            && let Some(last) = inbound.heard_part(now())
        {
            self.set_timer(Purpose::Frame, last);
        }
    }
}

/// The thread's memory for reading; or a little, while there is none for that.
fn scratch_memory<'a>(
    scratch: &'a mut Vec<u8>,
    little: &'a mut [MaybeUninit<u8>],
) -> &'a mut [MaybeUninit<u8>] {
    match scratch.try_reserve(READ_SIZE) {
        Ok(()) => scratch.spare_capacity_mut(),
        Err(_) => little,
    }
}

/// Where what has come goes.
struct Intake<'a> {
    /// Without one, or for a protocol that does not receive, what comes is dropped.
    lane: Option<Batch<'a>>,
    /// The socket must be told.
    is_edge: bool,
    /// There was no memory for a message.
    is_lost: bool,
}

impl Intake<'_> {
    fn take(&mut self, frame: Frame<'_>, metadata: Metadata) {
        let Some(lane) = &mut self.lane else { return };
        match lane.push_over(&[], &mut body(frame), metadata) {
            Ok(pushed) => self.is_edge |= pushed.edge,
            // The socket may have let go of the pipe: then the message has nowhere to go.
            Err(Full) => self.is_lost |= !lane.is_gone(),
        }
    }
}

/// What has come, as a lane takes it.
fn body(frame: Frame<'_>) -> Payload<'_> {
    match frame {
        Frame::Bytes(bytes) => Payload::Borrowed(bytes),
        Frame::Chunk(chunk) => Payload::Owned(chunk),
    }
}
