//! Writing to a connection, and its end: messages of the socket's lane become the kernel's bytes.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use smallvec::SmallVec;

use super::timers::Purpose;
use super::{Connection, FAIL, Failure, PER_TURN, Stop, WRITE};
use crate::error::Error;
use crate::message::{Chunk, Front};
use crate::pipe::{Consumer, End};
use crate::sync::{is_crowded, let_others_proceed, lock, now, try_lock};
use crate::transport::Linger;
use crate::transport::linger::Unfinished;
use crate::transport::stream::gathers::{Gathers, OtherTeller};
use crate::transport::stream::layers::Stream;
use crate::transport::stream::platform::is_scarce;
use crate::wire::{MessageQueue, Outbound, PIECES_MAX};

/// The interval at which a closing connection checks whether the peer has received everything.
const CLOSING_INTERVAL: Duration = Duration::from_millis(5);
/// The time for which a closing connection stays when everything is written, so that a local peer can read it.
const LOCAL_PEER_TIME: Duration = Duration::from_millis(100);
/// The longest time for which a sender spins until the reader has made room in a local stream.
const ROOM_TIME: Duration = Duration::from_micros(10);
/// A sender spins for the rest of a piece (a large body, or small messages one behind the other) of at least this length: the kernel
/// seldom takes one at once.
const LEAST_LONG: usize = 128 * 1024;

/// The state of the outbound direction, under its lock.
pub(super) struct Writer {
    /// The outbound lane, from the peer's greeting until the end.
    pub(super) lane: Option<Consumer>,
    pub(super) outbound: Outbound,
    pub(super) lifecycle: Lifecycle,
    /// A sender has reserved the connection, to write a message from its own memory. No other thread may write until it is done:
    /// part of that message may be sent, even if `outbound` is empty.
    is_lent: bool,
    /// No outbound lane is taken any more.
    refuses_lane: bool,
    /// Why writing has failed.
    failure: Option<End>,
}

/// The state of a connection. Each change is decided and made in one critical section of the outbound direction's lock.
pub(super) enum Lifecycle {
    /// It carries messages, or will after the greetings.
    Open,
    /// It ends when everything is written.
    Closing(Closing),
    /// It has no lane, and gets none any more.
    Ended,
}

/// The outcome of a flush, to be acted on without the lock.
pub(super) struct Flushed {
    pub(super) outcome: Result<Stop, Failure>,
    /// The socket waits for the room that was made.
    pub(super) has_room: bool,
    /// The connection is closing, and everything is written. Decided under the lock of the flush: before a closing that
    /// begins after it, more may be sent.
    is_over: bool,
}

/// A closing connection.
pub(super) struct Closing {
    /// Held until the end; the closing call waits for that until its deadline.
    pub(super) unfinished: Unfinished,
    /// Why it closes.
    pub(super) end: End,
    /// When everything was written, once it is.
    written_at: Option<Duration>,
}

impl Closing {
    /// A closing for which `linger` waits.
    pub(super) fn new(linger: &Arc<Linger>, end: End) -> Closing {
        Closing { unfinished: linger.unfinished(), end, written_at: None }
    }
}

impl Writer {
    /// A writer without a lane: the peer's greeting has not arrived yet.
    pub(super) fn new(outbound: Outbound) -> Writer {
        Writer {
            lane: None,
            outbound,
            lifecycle: Lifecycle::Open,
            is_lent: false,
            refuses_lane: false,
            failure: None,
        }
    }

    /// Sets the outbound lane, after the peer's greeting, and appends the reply to that. Returns whether the connection is
    /// still open.
    pub(super) fn open(&mut self, lane: Consumer, reply: &[u8]) -> bool {
        let is_open = matches!(self.lifecycle, Lifecycle::Open) && !self.refuses_lane;
        if is_open {
            self.lane = Some(lane);
            self.outbound.append(reply);
        }
        is_open
    }

    /// Whether everything is written, and a message can be written that is not in the lane. With `begins`, and if that is so,
    /// nothing else is written before that.
    pub(super) fn lend(&mut self, begins: bool) -> bool {
        let Writer { lane: Some(lane), outbound, lifecycle: Lifecycle::Open, is_lent, .. } = self else {
            return false;
        };
        // Nothing gathers, so that parking an empty lane is right: the next push is an edge.
        let is_idle = !*is_lent && outbound.lends() && lane.is_empty();
        *is_lent |= is_idle && begins;
        is_idle
    }

    /// Takes no outbound lane from now on.
    pub(super) fn refuse_lane(&mut self) {
        self.refuses_lane = true;
    }

    /// Whether the connection has ended.
    #[cfg(feature = "tls")]
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Ended)
    }

    /// Begins a closing, if something may have to be delivered and there is time for it. Returns whether that is so. A
    /// closing that is under way is replaced.
    pub(super) fn begin_closing(&mut self, linger: &Arc<Linger>) -> bool {
        let has_time = linger.deadline().is_none_or(|deadline| deadline > now());
        let begins = has_time && self.lane.is_some();
        if begins {
            self.lifecycle = Lifecycle::Closing(Closing::new(linger, End::LOCAL));
        }
        begins
    }

    /// Ends the connection. Returns its state before, and the lane.
    pub(super) fn end(&mut self) -> (Lifecycle, Option<Consumer>) {
        (std::mem::replace(&mut self.lifecycle, Lifecycle::Ended), self.lane.take())
    }

    /// The end of the connection, by what a write has learned about it: which error there was, or that the end of the stream
    /// was a reset. The system tells that once.
    pub(super) fn explained(&self, end: End) -> End {
        match self.failure {
            Some(failure) if end == End::NETWORK => failure,
            Some(failure) if end == End::PEER && failure.error == Some(Error::Os(libc::ECONNRESET)) => {
                failure
            }
            _ => end,
        }
    }

    /// The closing that is under way, if there is one.
    pub(super) fn closing(&mut self) -> Option<&mut Closing> {
        match &mut self.lifecycle {
            Lifecycle::Closing(closing) => Some(closing),
            Lifecycle::Open | Lifecycle::Ended => None,
        }
    }
}

impl Connection {
    /// Writes what was taken from the lane and what is in it, until both are empty or the kernel's buffer is full.
    pub(super) fn flush(self: &Arc<Self>) {
        let flushed = self.write_out(&mut lock(&self.writer));
        self.act_on(flushed);
    }

    /// As `flush`, with the lock held; to be followed by `act_on` without it.
    pub(super) fn write_out(&self, writer: &mut Writer) -> Flushed {
        let Writer { lane, outbound, lifecycle, is_lent, failure, .. } = writer;
        let mut has_room = false;
        let mut write = || {
            for _ in 0..PER_TURN {
                if let Some(lane) = lane {
                    has_room |= outbound.fill(lane)?;
                }
                let is_idle = outbound.is_empty();
                if is_idle && outbound.note_idle(lane.as_mut()) {
                    continue;
                }
                let stop = if is_idle { self.flush_layer()? } else { self.write_front(outbound)? };
                if let Some(stop) = stop {
                    return Ok(stop);
                }
            }
            Ok(Stop::TurnOver)
        };
        let outcome = match lifecycle {
            Lifecycle::Ended => Ok(Stop::Done),
            // The sender goes on.
            _ if *is_lent => Ok(Stop::Full),
            _ => write(),
        };
        if let Err(Failure { end, .. }) = &outcome {
            failure.get_or_insert(*end);
        }
        let is_over = matches!(lifecycle, Lifecycle::Closing(_)) && matches!(outcome, Ok(Stop::Done));
        Flushed { outcome, has_room, is_over }
    }

    /// Does what is to be done after `write_out`, without the lock.
    pub(super) fn act_on(self: &Arc<Self>, Flushed { outcome, has_room, is_over }: Flushed) {
        if has_room {
            self.report_room();
        }
        match outcome {
            Ok(Stop::Done) if is_over => self.finish_closing(),
            Ok(Stop::Done | Stop::Full) => {}
            Ok(Stop::TurnOver) => self.request(WRITE),
            Ok(Stop::OutOfMemory) => self.retry_later(),
            // Not ended here: the socket may then send to another peer, whose connection may have failed as well. So
            // thousands of failed connections are ended from a queue, and not by nested calls.
            Err(_) => self.request(FAIL),
        }
    }

    /// Tells the socket of room in the outbound lane. The caller holds no lock.
    pub(super) fn report_room(&self) {
        if let Some(end) = self.end.get() {
            end.clone().writable();
        }
    }

    /// Lets messages gather in the lane, which has the first one.
    pub(super) fn gather(self: &Arc<Self>) {
        if !self.begin_gathering() {
            return self.flush();
        }
        match self.context.batching().add(self.clone(), &self.reactor) {
            Some(true) => self.reactor.wake(self.context.batching().clone()),
            Some(false) => {}
            None => self.clone().stop_gathering(OtherTeller::IsNotAwaited),
        }
    }

    /// Begins gathering. Returns whether it has begun; not so if it had begun before, or the connection carries no messages.
    pub(super) fn begin_gathering(&self) -> bool {
        let mut writer = lock(&self.writer);
        let Writer { lane: Some(lane), outbound, lifecycle: Lifecycle::Open, .. } = &mut *writer else {
            return false;
        };
        let begins = !outbound.is_gathering();
        if begins {
            outbound.begin_gathering(lane, now());
            self.is_gathering.store(true, Ordering::Relaxed);
        }
        begins
    }

    /// Writes gathered messages, by the thread that sends, because they are enough.
    pub(super) fn write_as_sender(self: &Arc<Self>) {
        let batching = self.context.batching();
        let (flushed, is_worth_it) = {
            let mut writer = lock(&self.writer);
            let began = now();
            let flushed = self.write_out(&mut writer);
            (flushed, writer.outbound.note_enough(began, now(), batching.places()))
        };
        self.act_on(flushed);
        batching.note_write_by_sender(is_worth_it);
    }

    /// Writes a message for which [`Writer::lend`] has reserved the connection, copies what the kernel does not take at once to
    /// `memory`, and writes what has come into the lane.
    pub(super) fn write_for_sender(self: &Arc<Self>, head: &[u8], body: &[u8], mut memory: Chunk) {
        let mut writer = lock(&self.writer);
        let flushed = match self.write_lent_body(&mut writer, head, body) {
            Ok(rest) => {
                if !rest.is_empty() {
                    // Without the lock, since it takes long. The connection is still reserved.
                    drop(writer);
                    memory.append(rest);
                    writer = lock(&self.writer);
                    writer.outbound.append_chunk(memory);
                }
                writer.is_lent = false;
                self.write_out(&mut writer)
            }
            // The connection stays reserved: what follows part of a message must not be written.
            Err(failure) => {
                writer.failure.get_or_insert(failure.end);
                Flushed { outcome: Err(failure), has_room: false, is_over: false }
            }
        };
        drop(writer);
        self.act_on(flushed);
    }

    /// Writes a message, as far as possible in one turn. Returns the rest of its body.
    fn write_lent_body<'a>(
        &self,
        writer: &mut Writer,
        head: &[u8],
        body: &'a [u8],
    ) -> Result<&'a [u8], Failure> {
        // As a message in the lane it is lost if the connection has ended.
        if writer.lane.is_none() {
            return Ok(&[]);
        }
        writer.outbound.begin_lent(head, body.len());
        let mut rest = body;
        for _ in 0..PER_TURN {
            let begun = if rest.len() < body.len() { body.len() } else { 0 };
            match self.write_some(&writer.outbound, rest, begun) {
                Ok(count) => rest = &rest[writer.outbound.note_sent_with_lent(count)..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_scarce(&error) => break,
                Err(error) => return Err(error.into()),
            }
            if rest.is_empty() {
                break;
            }
        }
        Ok(rest)
    }

    /// Makes one write. Returns why the thread must stop writing, if it must.
    fn write_front(&self, outbound: &mut Outbound) -> Result<Option<Stop>, Failure> {
        match self.write_some(outbound, &[], outbound.begun_length()) {
            Ok(count) => {
                outbound.note_sent(count);
                Ok(None)
            }
            Err(error) => self.stop_after(error),
        }
    }

    /// Makes one write, of the next pieces and then of a `lent` body; again, if a long piece of `begun` bytes is sent in part. Returns
    /// the number of bytes that the stream has taken.
    fn write_some(&self, outbound: &Outbound, lent: &[u8], begun: usize) -> io::Result<usize> {
        let mut written = write_pieces(&self.stream, outbound, lent);
        if is_full(&written) && self.may_spin_for_room(begun) {
            let end = now() + ROOM_TIME;
            while is_full(&written) && now() < end {
                let_others_proceed();
                written = write_pieces(&self.stream, outbound, lent);
            }
        }
        if written.is_ok() {
            self.is_blocked.store(false, Ordering::SeqCst);
            self.context.batching().note_write();
        }
        written
    }

    /// Whether this thread may spin until there is room for the rest of a long piece. A local stream has little room, and its reader
    /// soon makes more. Without this the I/O thread would write the rest, and be woken for each part. Once `is_blocked` is set, the
    /// poller wakes it in any case.
    fn may_spin_for_room(&self, begun: usize) -> bool {
        self.stream.is_local()
            && !self.stream.uses_shared_memory()
            && begun >= LEAST_LONG
            && !self.is_blocked.load(Ordering::Relaxed)
            && !self.context.batching().is_prompt()
            && !self.reactor.is_run_by_this_thread()
            && !is_crowded()
    }

    /// Writes what the stream's layer holds back. Returns as `write_front` does, and [`Stop::Done`] when it holds nothing.
    fn flush_layer(&self) -> Result<Option<Stop>, Failure> {
        match self.stream.flush() {
            Ok(()) => Ok(Some(Stop::Done)),
            Err(error) => self.stop_after(error),
        }
    }

    /// Why the thread must stop writing after this error of a write; `None` if it is to try again.
    fn stop_after(&self, error: io::Error) -> Result<Option<Stop>, Failure> {
        match error.kind() {
            io::ErrorKind::Interrupted => Ok(None),
            // Set first, then another try: room that comes in between is either found by that try, or reported when the mark
            // is set.
            io::ErrorKind::WouldBlock if self.is_blocked.swap(true, Ordering::SeqCst) => Ok(Some(Stop::Full)),
            io::ErrorKind::WouldBlock => {
                self.await_room();
                Ok(None)
            }
            _ if is_scarce(&error) => Ok(Some(Stop::OutOfMemory)),
            _ => Err(error.into()),
        }
    }

    /// Ends the connection after a write has failed. What the peer had sent before is still read. Called by the I/O thread
    /// alone.
    pub(super) fn fail(self: &Arc<Self>) {
        self.receive();
        self.finish(End::NETWORK);
    }

    /// Ends a closing connection when everything is written; or shuts down the outbound direction, and checks again later, if
    /// something could be lost.
    fn finish_closing(self: &Arc<Self>) {
        self.receive();
        if self.must_stay() {
            self.stream.shutdown(std::net::Shutdown::Write);
            self.set_timer(Purpose::Closing, now() + CLOSING_INTERVAL);
        } else {
            self.finish(End::LOCAL);
        }
    }

    /// Whether written bytes could be lost if the connection ended now.
    fn must_stay(&self) -> bool {
        let is_at_risk = if self.stream.is_local() {
            // nng drops what it has not read when it hears that both directions have ended.
            let mut writer = lock(&self.writer);
            let Some(closing) = writer.closing() else { return false };
            now() < *closing.written_at.get_or_insert_with(now) + LOCAL_PEER_TIME
        } else {
            // The peer is sending: a socket that is closed with unread bytes resets the connection, and the peer loses what
            // it has not read.
            lock(&self.reader).inbound.has_dropped_bytes()
        };
        is_at_risk && self.stream.has_unacknowledged()
    }
}

fn is_full(written: &io::Result<usize>) -> bool {
    written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Writes the next pieces, and behind them a `lent` body. Returns the number of bytes that the stream has taken.
///
/// # Errors
/// Those of [`Stream::write`].
fn write_pieces(stream: &Stream, outbound: &Outbound, lent: &[u8]) -> io::Result<usize> {
    let mut pieces = outbound.front().chain(Some(lent).filter(|lent| !lent.is_empty()));
    match (pieces.next(), pieces.next()) {
        (None, _) => Ok(0),
        (Some(only), None) => stream.write(&[IoSlice::new(only)]),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(pieces).map(IoSlice::new);
            stream.write(&all.collect::<SmallVec<[_; PIECES_MAX]>>())
        }
    }
}

impl Gathers for Connection {
    fn write_gathered(self: Arc<Self>) -> Option<(usize, u32)> {
        let (flushed, written) = {
            // Otherwise a sender writes what has gathered.
            let mut writer = try_lock(&self.writer)?;
            if writer.outbound.take_written_by_sender() {
                return None;
            }
            let totals = |outbound: &Outbound| (outbound.sent_total(), outbound.taken_total());
            let (sent, taken) = totals(&writer.outbound);
            let flushed = self.write_out(&mut writer);
            let (sent_now, taken_now) = totals(&writer.outbound);
            (flushed, (sent_now.wrapping_sub(sent), taken_now.wrapping_sub(taken)))
        };
        self.act_on(flushed);
        Some(written)
    }

    fn stop_gathering(self: Arc<Self>, _other: OtherTeller) {
        let flushed = {
            let mut writer = lock(&self.writer);
            writer.outbound.stop_gathering();
            self.is_gathering.store(false, Ordering::Relaxed);
            self.write_out(&mut writer)
        };
        self.act_on(flushed);
    }
}

impl MessageQueue for Consumer {
    fn front(&mut self, parks: bool) -> Option<Front<'_>> {
        if parks { Consumer::front(self) } else { self.front_unparked() }
    }

    fn skip(&mut self) {
        Consumer::skip(self);
    }

    #[inline]
    fn drain(&mut self, takes: impl FnMut(&Front<'_>) -> bool) {
        Consumer::drain(self, takes);
    }

    fn take_chunk(&mut self) -> Option<Chunk> {
        Consumer::take_chunk(self)
    }

    fn publish_progress(&mut self) -> bool {
        Consumer::publish_progress(self)
    }

    fn report_at(&mut self, bytes: usize) -> bool {
        Consumer::report_at(self, bytes)
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::pipe::lane;
    use crate::sync::{Mutex, rank};
    use crate::wire::{Encoder, Framing};

    /// In whatever order a closing and an end come, nothing is unfinished after both.
    #[test]
    fn loom_nothing_is_unfinished_after_the_end() {
        loom::model(|| {
            let (_producer, consumer) = lane(1);
            let outbound = Outbound::new(&[], Encoder::LengthPrefix(Framing::Ipc));
            let writer = Arc::new(Mutex::<_, rank::Writer>::new(Writer::new(outbound)));
            assert!(lock(&writer).open(consumer, &[]));
            let (linger, twin) = (Linger::begin(None), writer.clone());
            let ender = loom::thread::spawn(move || {
                let ended = lock(&twin).end();
                drop(ended);
            });
            lock(&writer).begin_closing(&linger);
            ender.join().unwrap();
            assert!(linger.is_finished());
        });
    }
}
