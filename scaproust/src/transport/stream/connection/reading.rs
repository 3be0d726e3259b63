//! The inbound half of a connection: the kernel's bytes become messages in the socket's lane.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use socket2::MaybeUninitSlice;

use super::timers::Purpose;
use super::{Broken, Connection, GREETING_TIME, PER_TURN, Pause, READ, WRITE};
use crate::message::{MessageType, Payload};
use crate::pipe::{Batch, Full, Producer, lane};
use crate::sync::{lock, now};
use crate::transport::stream::platform::{SHORT_READ_IS_ALL, is_scarce};
use crate::transport::{Ends, LaneLimits, Note};
use crate::wire::{BadFrame, BadGreeting, Decoder, Frame, Greeted, Greeting};

/// A peer that is silent for so long in the middle of a frame is gone.
const FRAME_TIME: Duration = Duration::from_secs(30);
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
    phase: Phase,
    /// The lane is full: reading goes on when the socket has taken something.
    waits_for_room: bool,
    /// The end of what the peer sends is there, behind what was not read yet.
    is_ending: bool,
    /// The last message was a large one: the next may be, too.
    expects_large: bool,
    /// When the peer was last heard, or when it may last be heard.
    heard: Duration,
    /// The timer that is set for the greeting or for a frame.
    timed: Option<Duration>,
}

enum Phase {
    Greeting(Greeting),
    Open {
        decoder: Decoder,
        lane: Producer,
    },
    /// Nothing more is taken from the peer; bytes that come are dropped.
    Closed {
        heard_more: bool,
    },
}

impl Reader {
    /// Nothing has come yet; this is to come first.
    pub(super) fn new(greeting: Greeting) -> Reader {
        Reader {
            phase: Phase::Greeting(greeting),
            waits_for_room: false,
            is_ending: false,
            expects_large: false,
            heard: now(),
            timed: None,
        }
    }

    /// Nothing more is taken from the peer.
    pub(super) fn close(&mut self) {
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.phase = Phase::Closed { heard_more: false };
        }
    }

    /// Whether the peer has sent something since nothing more was taken.
    pub(super) fn has_heard_more(&self) -> bool {
        matches!(self.phase, Phase::Closed { heard_more: true })
    }

    /// Remembers that the end was reported, which happens once.
    pub(super) fn note_end(&mut self, is_ending: bool) {
        self.is_ending |= is_ending;
    }

    /// Whether the peer should have said something by `now`; if it may still do so, sets a timer
    /// for the moment when it may not.
    pub(super) fn is_late(&mut self, now: Duration, call_at: impl FnOnce(Duration)) -> bool {
        if self.timed.is_some_and(|moment| moment > now) {
            return false;
        }
        self.timed = None;
        match &self.phase {
            Phase::Greeting(_) => self.heard + GREETING_TIME <= now,
            Phase::Open { decoder, .. } if decoder.is_mid_frame() => {
                if self.waits_for_room {
                    // A peer that we do not let speak is not silent.
                    self.heard = now;
                }
                let last = self.heard + FRAME_TIME;
                if last > now {
                    self.timed = Some(last);
                    call_at(last);
                }
                last <= now
            }
            _ => false,
        }
    }
}

impl Connection {
    /// Reads what the kernel has, and hands it to the socket.
    pub(super) fn receive(self: &Arc<Self>) {
        let mut is_edge = false;
        let mut is_new = false;
        let outcome = {
            let mut reader = lock(&self.reader);
            let mut receive = |scratch: &mut Vec<u8>| {
                let mut little = [MaybeUninit::uninit(); SPILL];
                let memory = scratch_memory(scratch, &mut little);
                self.receive_into(&mut reader, memory, &mut is_edge, &mut is_new)
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
            // Who has borrowed the reading waits for the descriptor, and finds it ready.
            Ok(Pause::Turn) if self.is_borrowed() => {}
            Ok(Pause::Turn) => self.ask(READ),
            Ok(Pause::Scarce) => self.retry_later(),
            Err(Broken(words)) if words.is_empty() => self.finish(Note::Broken),
            Err(Broken(words)) => self.dismiss(&words),
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
                    reader.waits_for_room = !lane.has_room_or_waits_for_half();
                    if reader.waits_for_room {
                        return Ok(Pause::Full);
                    }
                    decoder.spare().map_err(|bad| self.broken_by(bad))?
                }
                _ => None,
            };
            let direct_size = direct.as_ref().map_or(0, |direct| direct.len());
            let beside = if reader.expects_large || direct_size > 0 { SPILL } else { scratch.len() };
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
                    self.watch(reader);
                    return Ok(Pause::Done);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_scarce(&error) => return Ok(Pause::Scarce),
                Err(error) => return Err(error.into()),
            };
            let direct = count.min(direct_size);
            if direct > 0 {
                // SAFETY: the kernel has written so many bytes.
                unsafe { self.take_direct(reader, direct, is_edge) }?;
            }
            if count > direct {
                let rest = &scratch[..count - direct];
                // SAFETY: as above.
                let read = unsafe { std::slice::from_raw_parts(rest.as_ptr().cast(), rest.len()) };
                self.take(reader, read, is_edge, is_new)?;
            }
            if SHORT_READ_IS_ALL && count < wanted && !reader.is_ending {
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
    unsafe fn take_direct(
        &self,
        reader: &mut Reader,
        count: usize,
        is_edge: &mut bool,
    ) -> Result<(), Broken> {
        let Phase::Open { decoder, lane } = &mut reader.phase else { return Ok(()) };
        let mut intake =
            Intake { lane: lane.batch(), is_taken: self.host.protocol().can_recv, is_edge, is_lost: false };
        let each = |frame: Frame<'_>, message_type| {
            reader.expects_large = matches!(frame, Frame::Chunk(_));
            intake.take(frame, message_type);
        };
        // SAFETY: as the caller promises.
        let fed = unsafe { decoder.appended(count, each) };
        let is_lost = intake.is_lost;
        drop(intake);
        self.taken(fed, is_lost)
    }

    /// What feeding the decoder has come to. A message for which there was no memory ends the
    /// connection: the peer must not believe that it was received.
    fn taken(&self, fed: Result<(), BadFrame>, is_lost: bool) -> Result<(), Broken> {
        match fed {
            Ok(()) if is_lost => Err(Broken::silently()),
            fed => fed.map_err(|bad| self.broken_by(bad)),
        }
    }

    fn take(
        self: &Arc<Self>,
        reader: &mut Reader,
        mut input: &[u8],
        is_edge: &mut bool,
        is_new: &mut bool,
    ) -> Result<(), Broken> {
        if let Phase::Greeting(greeting) = &mut reader.phase {
            let greeted =
                greeting.feed(&mut input).map_err(|BadGreeting { final_reply }| Broken(final_reply))?;
            let Some(greeted) = greeted else { return Ok(()) };
            let lane = self.open(&greeted).map_err(|_| Broken(greeting.busy_reply()))?;
            reader.phase = Phase::Open { decoder: self.mapping.decoder(), lane };
            self.cancel_timers(Purpose::Greeting);
            *is_new = true;
        }
        match &mut reader.phase {
            Phase::Open { decoder, lane } => {
                let max = self.host.max_message();
                let is_taken = self.host.protocol().can_recv;
                let mut intake = Intake { lane: lane.batch(), is_taken, is_edge, is_lost: false };
                let fed = decoder.feed(input, max, |frame, message_type| {
                    reader.expects_large = matches!(frame, Frame::Chunk(_));
                    intake.take(frame, message_type);
                });
                let is_lost = intake.is_lost;
                drop(intake);
                if let Some(said) = decoder.take_ping() {
                    self.pong(&said);
                }
                self.taken(fed, is_lost)
            }
            Phase::Closed { heard_more } => {
                *heard_more = true;
                Ok(())
            }
            Phase::Greeting(_) => Ok(()),
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
        let attached = self.host.attach(Ends { inbound, outbound, peer: self.clone() });
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
        {
            let mut writer = lock(&self.writer);
            let pong = writer.encoder.pong(said);
            writer.outbox.set_pong(pong);
        }
        self.ask(WRITE);
    }

    /// The end that bytes of the peer have brought about.
    fn broken_by(&self, bad: BadFrame) -> Broken {
        Broken(lock(&self.writer).encoder.close(bad))
    }

    /// Sees to it that a peer which is silent in the middle of a frame is noticed.
    fn watch(self: &Arc<Self>, reader: &mut Reader) {
        let Phase::Open { decoder, .. } = &reader.phase else { return };
        if decoder.is_mid_frame() {
            reader.heard = now();
            if reader.timed.is_none() {
                let last = reader.heard + FRAME_TIME;
                reader.timed = Some(last);
                self.set_timer(Purpose::Frame, last);
            }
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
    lane: Batch<'a>,
    /// The protocol receives; else what comes is dropped.
    is_taken: bool,
    /// Set when the socket must be told.
    is_edge: &'a mut bool,
    /// There was no memory for a message.
    is_lost: bool,
}

impl Intake<'_> {
    fn take(&mut self, frame: Frame<'_>, message_type: Option<MessageType>) {
        if !self.is_taken {
            return;
        }
        match self.lane.push_over(&[], &mut body(frame), message_type) {
            Ok(pushed) => *self.is_edge |= pushed.edge,
            // The socket may have let go of the pipe: then the message has nowhere to go.
            Err(Full) => self.is_lost |= !self.lane.is_gone(),
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
