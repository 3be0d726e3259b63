//! The outbound half of a connection: messages of the socket's lane become the kernel's bytes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Broken, Connection, PER_TURN, Pause, WRITE, nanoseconds};
use crate::pipe::Consumer;
use crate::sync::{lock, now};
use crate::transport::Note;
use crate::transport::linger::Unfinished;
use crate::transport::stream::outbox::Outbox;
use crate::transport::stream::platform::has_unacknowledged;
use crate::wire::{Encoder, Mapping};

/// In a burst the I/O thread writes what has gathered, and looks again after this time.
const LOOK_AGAIN: Duration = Duration::from_micros(50);
/// So long if senders write by themselves: they fill the lane faster than it would come.
const LOOK_SELDOM: Duration = Duration::from_micros(250);
/// How often a closing connection looks whether the peer has everything.
const CLOSING_LOOK: Duration = Duration::from_millis(5);

/// What is on its way to the peer, under the lock of the outbound direction.
pub(super) struct Writer {
    /// Where the socket's messages come from, once it has a pipe.
    pub(super) lane: Option<Consumer>,
    pub(super) outbox: Outbox,
    pub(super) encoder: Encoder,
    /// The burst that is going on.
    pub(super) burst: Option<Burst>,
    /// The connection goes when everything is written.
    pub(super) closing: Option<Closing>,
}

/// Messages come faster than it is worth to write each of them. The lane is not parked: the I/O
/// thread looks after it until it finds it empty.
pub(super) struct Burst {
    /// When it looks next.
    pub(super) due: Duration,
    /// A sender has found the lane full, and written, since it looked last.
    pub(super) was_relieved: bool,
}

/// The last part of a connection.
pub(super) struct Closing {
    /// What waits for it, and not for ever.
    pub(super) unfinished: Unfinished,
    /// What is noted at its end.
    pub(super) note: Note,
}

impl Writer {
    /// Nothing but the words with which this side begins.
    pub(super) fn new(words: &[u8], encoder: Encoder) -> Writer {
        let mut outbox = Outbox::default();
        outbox.append(words);
        Writer { lane: None, outbox, encoder, burst: None, closing: None }
    }

    /// The burst goes on; answers when it is to be looked after next.
    fn go_on(&mut self, time: Duration) -> Duration {
        let due = now() + time;
        self.burst = Some(Burst { due, was_relieved: false });
        due
    }
}

impl Connection {
    /// Writes what is in the outbox and the lane, until both are empty or the kernel is full.
    pub(super) fn flush(self: &Arc<Self>) {
        let mut has_room = false;
        let outcome = {
            let mut writer = lock(&self.writer);
            self.flush_locked(&mut writer, &mut has_room)
        };
        self.flushed(outcome, has_room);
    }

    /// Does what is left to do after a flush, without its lock.
    fn flushed(self: &Arc<Self>, outcome: Result<Pause, Broken>, has_room: bool) {
        if has_room && let Some(end) = self.end.get() {
            end.clone().writable();
        }
        match outcome {
            Ok(Pause::Done) if lock(&self.writer).closing.is_some() => self.finish_closing(),
            Ok(Pause::Done | Pause::Full) => {}
            Ok(Pause::Turn) => self.ask(WRITE),
            Err(_) => self.fail(),
        }
    }

    /// Writes what a burst has gathered, and comes again until there is nothing.
    pub(super) fn attend_burst(self: &Arc<Self>) {
        let mut has_room = false;
        let (outcome, next) = {
            let mut writer = lock(&self.writer);
            let was_relieved = writer.burst.take().is_some_and(|burst| burst.was_relieved);
            if was_relieved && writer.closing.is_none() {
                let due = writer.go_on(LOOK_SELDOM);
                drop(writer);
                return self.call_at(due);
            }
            let due = writer.lane.is_some().then(|| writer.go_on(LOOK_AGAIN));
            let before = writer.outbox.sent_ever();
            let mut outcome = self.flush_locked(&mut writer, &mut has_room);
            let goes_on = matches!(outcome, Ok(Pause::Done)) && writer.outbox.sent_ever() != before;
            if !goes_on {
                // It is over, and the lane is parked if it is empty. If the kernel is full or there was
                // too much for one turn, whoever comes then writes the rest.
                writer.burst = None;
                if matches!(outcome, Ok(Pause::Done)) {
                    outcome = self.flush_locked(&mut writer, &mut has_room);
                }
            }
            (outcome, due.filter(|_| goes_on))
        };
        if let Some(due) = next {
            self.call_at(due);
        }
        self.flushed(outcome, has_room);
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
                }
                Err(error) => return Err(error.into()),
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
        let is_speaking = lock(&self.reader).has_heard_more();
        if is_speaking && self.mapping != Mapping::Ipc && has_unacknowledged(&self.stream) {
            self.call_at(now() + CLOSING_LOOK);
        } else {
            self.finish(Note::Dropped);
        }
    }
}
