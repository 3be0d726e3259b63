//! The outbound half of a connection: messages of the socket's lane become the kernel's bytes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::timers::Purpose;
use super::{Broken, Connection, FAIL, PER_TURN, Pause, WRITE, nanoseconds};
use crate::pipe::Consumer;
use crate::sync::{lock, now};
use crate::transport::linger::Unfinished;
use crate::transport::stream::outbox::Outbox;
use crate::transport::stream::platform::{has_unacknowledged, is_scarce};
use crate::transport::{Linger, Note};
use crate::wire::{Encoder, Mapping};

/// In a burst the I/O thread writes what has gathered, and looks again after this time.
const LOOK_AGAIN: Duration = Duration::from_micros(50);
/// After a look that found so many bytes, the next comes twice as late,
const MANY: usize = 512;
/// and so many times as late in the end.
const MOST_TIMES: u32 = 4;
/// So long if senders write by themselves: they fill the lane faster than it would come.
const LOOK_SELDOM: Duration = Duration::from_micros(250);
/// How often a closing connection looks whether the peer has everything.
const CLOSING_LOOK: Duration = Duration::from_millis(5);
/// So long a local peer may take to read what its kernel has, before the connection goes.
const LOCAL_PEER_TIME: Duration = Duration::from_millis(100);

/// What is on its way to the peer, under the lock of the outbound direction.
pub(super) struct Writer {
    /// Where the socket's messages come from, once it has a pipe.
    pub(super) lane: Option<Consumer>,
    pub(super) outbox: Outbox,
    pub(super) encoder: Encoder,
    /// The burst that is going on.
    pub(super) burst: Option<Burst>,
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

/// Messages come faster than it is worth to write each of them. The lane is not parked: the I/O
/// thread looks after it until it finds it empty.
pub(super) struct Burst {
    /// When it looks next.
    pub(super) due: Duration,
    /// How long after the last look that is, in times of [`LOOK_AGAIN`].
    times: u32,
    /// A sender has found the lane full, and written, since it looked last.
    pub(super) was_relieved: bool,
}

impl Burst {
    /// One that has not been looked after yet.
    const FIRST: Burst = Burst { due: Duration::ZERO, times: 1, was_relieved: false };
}

/// What a flush has come to, to be acted on without its lock.
pub(super) struct Flushed {
    outcome: Result<Pause, Broken>,
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
    pub(super) note: Note,
    /// When everything was written, once it is.
    written: Option<Duration>,
}

impl Closing {
    /// One that `linger` waits for.
    pub(super) fn new(linger: &Arc<Linger>, note: Note) -> Closing {
        Closing { unfinished: linger.unfinished(), note, written: None }
    }
}

impl Writer {
    /// Nothing but the words with which this side begins.
    pub(super) fn new(words: &[u8], encoder: Encoder) -> Writer {
        let mut outbox = Outbox::default();
        outbox.append(words);
        Writer { lane: None, outbox, encoder, burst: None, life: Life::Open }
    }

    /// The peer has greeted: takes from this lane, and answers the greeting. Answers whether the
    /// connection is still open.
    pub(super) fn open(&mut self, lane: Consumer, answer: &[u8]) -> bool {
        let is_open = matches!(self.life, Life::Open);
        if is_open {
            self.lane = Some(lane);
            self.outbox.append(answer);
        }
        is_open
    }

    /// Begins to close, in the time of `linger`, if something may have to be delivered; answers
    /// whether that is so. A closing that is under way gets the new time.
    pub(super) fn begin_closing(&mut self, linger: &Arc<Linger>) -> bool {
        let has_time = linger.deadline().is_none_or(|deadline| deadline > now());
        let begins = has_time && self.lane.is_some();
        if begins {
            self.life = Life::Closing(Closing::new(linger, Note::Dropped));
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

    /// The burst goes on; answers when it is to be looked after next.
    fn go_on(&mut self, pause: Duration, times: u32) -> Duration {
        let due = now() + pause;
        self.burst = Some(Burst { due, times, ..Burst::FIRST });
        due
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
        let mut has_room = false;
        let outcome = match writer.life {
            Life::Ended => Ok(Pause::Full),
            Life::Open | Life::Closing(_) => self.flush_locked(writer, &mut has_room),
        };
        let is_over = writer.closing().is_some() && matches!(outcome, Ok(Pause::Done));
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

    /// Writes what a burst has gathered, and comes again until there is nothing.
    pub(super) fn attend_burst(self: &Arc<Self>) {
        let (flushed, next) = {
            let mut writer = lock(&self.writer);
            let Burst { times, was_relieved, .. } = writer.burst.take().unwrap_or(Burst::FIRST);
            if was_relieved && writer.closing().is_none() {
                let due = writer.go_on(LOOK_SELDOM, times);
                drop(writer);
                return self.set_timer(Purpose::Burst, due);
            }
            let has_lane = writer.lane.is_some();
            // So that the lane is not parked.
            writer.burst = has_lane.then_some(Burst::FIRST);
            let before = writer.outbox.sent_ever();
            let mut flushed = self.write_out(&mut writer);
            let is_done = matches!(flushed.outcome, Ok(Pause::Done));
            let gathered = writer.outbox.sent_ever().wrapping_sub(before);
            let next = if is_done && gathered > 0 {
                let times = if gathered < MANY { 1 } else { (2 * times).min(MOST_TIMES) };
                has_lane.then(|| writer.go_on(LOOK_AGAIN * times, times))
            } else {
                // It is over, and the lane is parked if it is empty. If the kernel is full or there was
                // too much for one turn, whoever comes then writes the rest.
                writer.burst = None;
                if is_done {
                    let had_room = flushed.has_room;
                    flushed = self.write_out(&mut writer);
                    flushed.has_room |= had_room;
                }
                None
            };
            (flushed, next)
        };
        if let Some(due) = next {
            self.set_timer(Purpose::Burst, due);
        }
        self.act_on(flushed);
    }

    /// As `flush`, for who has the lock. Sets `has_room` if the socket waits for what was made.
    pub(super) fn flush_locked(&self, writer: &mut Writer, has_room: &mut bool) -> Result<Pause, Broken> {
        for _ in 0..PER_TURN {
            if let Some(lane) = &mut writer.lane {
                let parks = writer.burst.is_none();
                *has_room |= writer.outbox.fill(lane, &mut writer.encoder, parks)?;
            }
            if writer.outbox.is_empty() {
                writer.outbox.rest();
                self.last_write.store(nanoseconds(), Ordering::Relaxed);
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
                    self.await_room();
                }
                Err(error) if is_scarce(&error) => return Ok(Pause::Scarce),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Pause::Turn)
    }

    /// Writing failed. What the peer had sent before is still read. Called by the I/O thread's loop alone.
    pub(super) fn fail(self: &Arc<Self>) {
        self.receive();
        self.finish(Note::Broken);
    }

    /// Everything is written: tells the peer so, and goes, unless the peer could lose something by
    /// that.
    fn finish_closing(self: &Arc<Self>) {
        // Fails if the peer was first.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        self.receive();
        if self.must_stay() {
            self.set_timer(Purpose::Closing, now() + CLOSING_LOOK);
        } else {
            self.finish(Note::Dropped);
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
            lock(&self.reader).has_heard_more()
        };
        is_at_risk && has_unacknowledged(&self.stream)
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::pipe::lane;
    use crate::sync::Mutex;
    use crate::wire::Framing;

    /// However a closing and an end meet, nothing is unfinished when both are over.
    #[test]
    fn loom_nothing_is_unfinished_after_the_end() {
        loom::model(|| {
            let (_producer, consumer) = lane(1);
            let writer = Arc::new(Mutex::new(Writer::new(&[], Encoder::Framed(Framing::Ipc))));
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
