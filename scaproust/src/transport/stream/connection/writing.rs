//! The outbound half of a connection: messages of the socket's lane become the kernel's bytes.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use smallvec::SmallVec;

use super::timers::Purpose;
use super::{Broken, Connection, FAIL, PER_TURN, Pause, WRITE};
use crate::message::{Chunk, Front};
use crate::pipe::Consumer;
use crate::sync::{lock, now};
use crate::transport::linger::Unfinished;
use crate::transport::stream::platform::{NO_SIGNAL, Stream, has_unacknowledged, is_scarce};
use crate::transport::{EndpointEvent, Linger};
use crate::wire::{Mapping, Messages, Outbound, PIECES};

/// How often a closing connection looks whether the peer has everything.
const CLOSING_LOOK: Duration = Duration::from_millis(5);
/// So long a local peer may take to read what its kernel has, before the connection goes.
const LOCAL_PEER_TIME: Duration = Duration::from_millis(100);

/// What is on its way to the peer, under the lock of the outbound direction.
pub(super) struct Writer {
    /// Where the socket's messages come from, once it has a pipe.
    pub(super) lane: Option<Consumer>,
    pub(super) outbound: Outbound,
    pub(super) life: Life,
}

/// How far the life of a connection has come. It changes under the lock of the outbound direction,
/// in the same hold in which the change is decided.
pub(super) enum Life {
    /// It carries messages, or will.
    Open,
    /// It ends when everything is written.
    Closing(Closing),
    /// It has no lane and never will have one.
    Ended,
}

/// What a flush has come to, to be acted on without its lock.
pub(super) struct Flushed {
    pub(super) outcome: Result<Pause, Broken>,
    /// The socket waits for the room that was made.
    has_room: bool,
    /// The connection is closing, and everything is written. It is decided under the lock of the
    /// flush: between that and a closing that begins later, more may have been sent.
    is_over: bool,
}

/// The last part of a connection.
pub(super) struct Closing {
    /// What waits for it, and not for ever.
    pub(super) unfinished: Unfinished,
    /// What is noted at its end.
    pub(super) event: EndpointEvent,
    /// When everything was written, once it is.
    written: Option<Duration>,
}

impl Closing {
    /// One that `linger` waits for.
    pub(super) fn new(linger: &Arc<Linger>, event: EndpointEvent) -> Closing {
        Closing { unfinished: linger.unfinished(), event, written: None }
    }
}

impl Writer {
    /// A writer without a lane: the peer's greeting has not arrived yet.
    pub(super) fn new(outbound: Outbound) -> Writer {
        Writer { lane: None, outbound, life: Life::Open }
    }

    /// The peer has greeted: takes from this lane, and answers the greeting. Answers whether the
    /// connection is still open.
    pub(super) fn open(&mut self, lane: Consumer, answer: &[u8]) -> bool {
        let is_open = matches!(self.life, Life::Open);
        if is_open {
            self.lane = Some(lane);
            self.outbound.append(answer);
        }
        is_open
    }

    /// Begins to close, in the time of `linger`, if something may have to be delivered; answers
    /// whether that is so. A closing that is under way gets the new time.
    pub(super) fn begin_closing(&mut self, linger: &Arc<Linger>) -> bool {
        let has_time = linger.deadline().is_none_or(|deadline| deadline > now());
        let begins = has_time && self.lane.is_some();
        if begins {
            self.life = Life::Closing(Closing::new(linger, EndpointEvent::Dropped));
        }
        begins
    }

    /// Ends the life of the connection. Answers what it was before, and the lane.
    pub(super) fn end(&mut self) -> (Life, Option<Consumer>) {
        (std::mem::replace(&mut self.life, Life::Ended), self.lane.take())
    }

    /// The closing that is under way.
    pub(super) fn closing(&mut self) -> Option<&mut Closing> {
        match &mut self.life {
            Life::Closing(closing) => Some(closing),
            Life::Open | Life::Ended => None,
        }
    }
}

impl Connection {
    /// Writes what is in the outbox and the lane, until both are empty or the kernel is full.
    pub(super) fn flush(self: &Arc<Self>) {
        let flushed = self.write_out(&mut lock(&self.writer));
        self.act_on(flushed);
    }

    /// As `flush`, but leaves to the caller what is to be done without the lock.
    pub(super) fn write_out(&self, writer: &mut Writer) -> Flushed {
        let Writer { lane, outbound, life } = writer;
        let mut has_room = false;
        let mut write = || {
            for _ in 0..PER_TURN {
                if let Some(lane) = lane {
                    has_room |= outbound.fill(lane)?;
                }
                if outbound.is_empty() {
                    if outbound.rest(lane.as_mut()) {
                        continue;
                    }
                    return Ok(Pause::Done);
                }
                if let Some(pause) = self.write_front(outbound)? {
                    return Ok(pause);
                }
            }
            Ok(Pause::Turn)
        };
        let outcome = if matches!(life, Life::Ended) { Ok(Pause::Done) } else { write() };
        let is_over = matches!(life, Life::Closing(_)) && matches!(outcome, Ok(Pause::Done));
        Flushed { outcome, has_room, is_over }
    }

    /// Does what is left to do after a flush, without its lock.
    pub(super) fn act_on(self: &Arc<Self>, Flushed { outcome, has_room, is_over }: Flushed) {
        if has_room && let Some(end) = self.end.get() {
            end.clone().writable();
        }
        match outcome {
            Ok(Pause::Done) if is_over => self.finish_closing(),
            Ok(Pause::Done | Pause::Full) => {}
            Ok(Pause::Turn) => self.ask(WRITE),
            Ok(Pause::Scarce) => self.retry_later(),
            // Not here: the socket may send to another peer when this one is gone, and that one may be
            // gone too. So thousands of them are a queue, and no stack of nested calls.
            Err(_) => self.ask(FAIL),
        }
    }

    /// Lets messages gather in the lane, the first of which has come.
    pub(super) fn gather(self: &Arc<Self>) {
        if !self.begin_gathering() {
            return self.flush();
        }
        match self.host.batching().add(self.clone()) {
            Some(true) => self.reactor.wake(self.host.batching().clone()),
            Some(false) => {}
            None => self.stop_gathering(),
        }
    }

    /// Answers whether messages may gather in the lane now.
    pub(super) fn begin_gathering(&self) -> bool {
        let mut writer = lock(&self.writer);
        let Writer { lane: Some(lane), outbound, life: Life::Open } = &mut *writer else { return false };
        let begins = !outbound.gathers();
        if begins {
            outbound.gather(lane, now());
            self.is_gathering.store(true, Ordering::Relaxed);
        }
        begins
    }

    /// Enough has gathered: the thread that sends writes it.
    pub(super) fn write_for_sender(self: &Arc<Self>) {
        let flushed = {
            let mut writer = lock(&self.writer);
            writer.outbound.note_enough(now(), self.host.batching().connections());
            self.write_out(&mut writer)
        };
        self.act_on(flushed);
    }

    /// Writes what has gathered, and answers how much that was; `None` if the sender has written since the last call,
    /// and is left alone.
    pub(in crate::transport::stream) fn write_gathered(self: &Arc<Self>) -> Option<usize> {
        let (flushed, written) = {
            let mut writer = lock(&self.writer);
            if writer.outbound.take_written() {
                return None;
            }
            let before = writer.outbound.sent_ever();
            let flushed = self.write_out(&mut writer);
            (flushed, writer.outbound.sent_ever().wrapping_sub(before))
        };
        self.act_on(flushed);
        Some(written)
    }

    /// Writes what has gathered. The next message is an edge.
    pub(in crate::transport::stream) fn stop_gathering(self: &Arc<Self>) {
        let flushed = {
            let mut writer = lock(&self.writer);
            writer.outbound.stop_gathering();
            self.is_gathering.store(false, Ordering::Relaxed);
            self.write_out(&mut writer)
        };
        self.act_on(flushed);
    }

    /// Writes what is to leave next, as much of it as the kernel takes. Answers why to stop, if so.
    fn write_front(&self, outbound: &mut Outbound) -> Result<Option<Pause>, Broken> {
        match send_front(&self.stream, outbound) {
            Ok(count) => {
                outbound.sent(count);
                self.blocked.store(false, Ordering::SeqCst);
                self.host.batching().note_write();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // The mark first, then another try: room that is reported in between is
                // either seen now or finds the mark.
                if self.blocked.swap(true, Ordering::SeqCst) {
                    return Ok(Some(Pause::Full));
                }
                self.await_room();
            }
            Err(error) if is_scarce(&error) => return Ok(Some(Pause::Scarce)),
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }

    /// Writing failed. What the peer had sent before is still read. Called by the I/O thread's loop alone.
    pub(super) fn fail(self: &Arc<Self>) {
        self.receive();
        self.finish(EndpointEvent::Broken);
    }

    /// Everything is written: goes, or tells the peer that no more comes, if that could lose something otherwise.
    fn finish_closing(self: &Arc<Self>) {
        self.receive();
        if self.must_stay() {
            // Fails if the peer was first.
            let _ = self.stream.shutdown(std::net::Shutdown::Write);
            self.set_timer(Purpose::Closing, now() + CLOSING_LOOK);
        } else {
            self.finish(EndpointEvent::Dropped);
        }
    }

    /// Whether what is written could be lost if the connection went now.
    fn must_stay(&self) -> bool {
        let is_at_risk = if self.mapping == Mapping::Ipc {
            // nng drops what it has not read when it hears that both directions have ended.
            let mut writer = lock(&self.writer);
            let Some(closing) = writer.closing() else { return false };
            now() < *closing.written.get_or_insert_with(now) + LOCAL_PEER_TIME
        } else {
            // While the peer is still speaking, the kernel takes back what the peer has not read yet.
            lock(&self.reader).inbound.has_heard_more()
        };
        is_at_risk && has_unacknowledged(&self.stream)
    }
}

/// Gives the kernel what is to leave next. Answers how much of it the kernel has taken.
///
/// # Errors
/// The system call's, `WouldBlock` among them.
fn send_front(stream: &Stream, outbound: &Outbound) -> io::Result<usize> {
    let mut pieces = outbound.front();
    // The host must not see SIGPIPE, whatever it does with that signal.
    match (pieces.next(), pieces.next()) {
        (None, _) => Ok(0),
        (Some(only), None) => stream.send_with_flags(only, NO_SIGNAL),
        (Some(first), Some(second)) => {
            let all = [first, second].into_iter().chain(pieces).map(IoSlice::new);
            stream.send_vectored_with_flags(&all.collect::<SmallVec<[_; PIECES]>>(), NO_SIGNAL)
        }
    }
}

impl Messages for Consumer {
    fn front(&mut self, parks: bool) -> Option<Front<'_>> {
        if parks { Consumer::front(self) } else { self.front_unparked() }
    }

    fn skip(&mut self) {
        Consumer::skip(self);
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
    use crate::sync::Mutex;
    use crate::wire::{Encoder, Framing};

    /// However a closing and an end meet, nothing is unfinished when both are over.
    #[test]
    fn loom_nothing_is_unfinished_after_the_end() {
        loom::model(|| {
            let (_producer, consumer) = lane(1);
            let writer = Arc::new(Mutex::new(Writer::new(Outbound::new(&[], Encoder::Framed(Framing::Ipc)))));
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
