//! The inbound half of a connection: bytes of the stream become the peer's greeting, and then messages.
//!
//! Owns the part of a greeting or a message that has come, and the limits of time for the rest of it. Must not know
//! descriptors, locks, threads or the clock: a driver hands in what it has read, and says what time it is.

use std::mem::MaybeUninit;
use std::time::Duration;

use super::framing::{BadFrame, Frame};
use super::greeting::{BadGreeting, Greeted, Greeting};
use super::mapping::Decoder;
use crate::message::Metadata;

/// The peer's greeting must be complete after this time.
pub(crate) const GREETING_TIME: Duration = Duration::from_secs(5);
/// A peer that is silent for so long in the middle of a message is gone.
const FRAME_TIME: Duration = Duration::from_secs(30);

/// What has come from the peer.
#[derive(Debug)]
pub(crate) struct Inbound {
    phase: Phase,
    /// The last message was a large one: the next may be, too.
    expects_large: bool,
    /// The driver has stopped reading because there is no room for messages.
    is_held_back: bool,
    /// When the connection began, or the peer was last heard in the middle of a message.
    heard: Duration,
    /// When [`Inbound::check_time`] is to be called next, while that matters.
    next_look: Option<Duration>,
}

#[derive(Debug)]
enum Phase {
    Greeting(Greeting),
    Open(Decoder),
    /// Nothing more is taken from the peer; bytes that come are dropped.
    Closed {
        heard_more: bool,
    },
}

/// Whether the peer may take more time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TimeCheck {
    /// It is not late.
    InTime,
    /// It is not late yet; [`Inbound::check_time`] is to be called again at this moment.
    Until(Duration),
    /// It should have said something: the connection must be closed.
    Exceeded,
}

/// What came of bytes that were handed in.
#[derive(Debug)]
pub(crate) struct Fed {
    /// Whether more can be.
    pub(crate) outcome: Result<(), BadFrame>,
    /// The payload of a ping, which is to be answered.
    pub(crate) ping: Option<Vec<u8>>,
}

impl Inbound {
    /// Nothing has come yet; a greeting is to come first. The connection begins at `now`.
    pub(crate) fn new(greeting: Greeting, now: Duration) -> Inbound {
        Inbound {
            phase: Phase::Greeting(greeting),
            expects_large: false,
            is_held_back: false,
            heard: now,
            next_look: None,
        }
    }

    /// Cuts bytes of the greeting off the front of `input`, unless there was one already. Returns its meaning once it is
    /// complete: then [`Inbound::open`] is to be called, or [`Inbound::close`].
    ///
    /// # Errors
    /// [`BadGreeting`]: the connection must be closed.
    pub(crate) fn greet(&mut self, input: &mut &[u8]) -> Result<Option<Greeted>, BadGreeting> {
        match &mut self.phase {
            Phase::Greeting(greeting) => greeting.feed(input),
            Phase::Open(_) | Phase::Closed { .. } => Ok(None),
        }
    }

    /// The final reply to a peer whose greeting is valid, but which the protocol refuses; often empty.
    pub(crate) fn refusal(&self) -> Vec<u8> {
        match &self.phase {
            Phase::Greeting(greeting) => greeting.busy_reply(),
            Phase::Open(_) | Phase::Closed { .. } => Vec::new(),
        }
    }

    /// The peer is welcome: messages come from now on.
    pub(crate) fn open(&mut self, decoder: Decoder) {
        self.phase = Phase::Open(decoder);
    }

    /// Nothing more is taken from the peer.
    pub(crate) fn close(&mut self) {
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.phase = Phase::Closed { heard_more: false };
        }
    }

    /// Whether the peer has sent something since nothing more was taken.
    pub(crate) fn has_heard_more(&self) -> bool {
        matches!(self.phase, Phase::Closed { heard_more: true })
    }

    /// Notes whether the driver has stopped reading because there is no room for messages. Such a peer does not count as
    /// silent.
    pub(crate) fn hold_back(&mut self, is_held_back: bool) {
        self.is_held_back = is_held_back;
    }

    /// Whether the next message may be a large one, for which [`Inbound::spare`] saves a copy.
    pub(crate) fn expects_large(&self) -> bool {
        self.expects_large
    }

    /// Takes bytes that follow the greeting, and calls `each` for every message that is complete with them, and with what
    /// it carries besides. `max` is the longest message allowed, in bytes.
    pub(crate) fn feed(
        &mut self,
        input: &[u8],
        max: Option<usize>,
        mut each: impl FnMut(Frame<'_>, Metadata),
    ) -> Fed {
        match &mut self.phase {
            Phase::Open(decoder) => {
                let outcome = decoder.feed(input, max, |frame, message_type| {
                    self.expects_large = matches!(frame, Frame::Chunk(_));
                    each(frame, Metadata { message_type });
                });
                Fed { outcome, ping: decoder.take_ping() }
            }
            Phase::Closed { heard_more } => {
                *heard_more = true;
                Fed { outcome: Ok(()), ping: None }
            }
            Phase::Greeting(_) => Fed { outcome: Ok(()), ping: None },
        }
    }

    /// The memory for the next bytes of a large message, for a read straight into it, to be followed by
    /// [`Inbound::appended`]. `None` when the next bytes must be given to [`Inbound::feed`].
    ///
    /// # Errors
    /// [`BadFrame::OutOfMemory`] when that memory cannot grow.
    pub(crate) fn spare(&mut self) -> Result<Option<&mut [MaybeUninit<u8>]>, BadFrame> {
        match &mut self.phase {
            Phase::Open(decoder) => decoder.spare(),
            Phase::Greeting(_) | Phase::Closed { .. } => Ok(None),
        }
    }

    /// Takes note of `count` bytes that were written to [`Inbound::spare`], and calls `each` as [`Inbound::feed`] does.
    ///
    /// # Errors
    /// As [`Inbound::feed`].
    ///
    /// # Safety
    /// The first `count` bytes of [`Inbound::spare`] must have been written.
    pub(crate) unsafe fn appended(
        &mut self,
        count: usize,
        mut each: impl FnMut(Frame<'_>, Metadata),
    ) -> Result<(), BadFrame> {
        let Phase::Open(decoder) = &mut self.phase else { return Ok(()) };
        let each = |frame: Frame<'_>, message_type| {
            self.expects_large = matches!(frame, Frame::Chunk(_));
            each(frame, Metadata { message_type });
        };
        // SAFETY: as the caller promises.
        unsafe { decoder.appended(count, each) }
    }

    /// Whether part of a message has come: then [`Inbound::heard_part`] is to be called after a read.
    pub(crate) fn is_mid_message(&self) -> bool {
        matches!(&self.phase, Phase::Open(decoder) if decoder.is_mid_frame())
    }

    /// Notes that part of a message has arrived at `now`. Returns when [`Inbound::check_time`] is to be called, unless that call
    /// is due already.
    pub(crate) fn heard_part(&mut self, now: Duration) -> Option<Duration> {
        self.heard = now;
        if self.next_look.is_some() {
            return None;
        }
        self.next_look = Some(now + FRAME_TIME);
        self.next_look
    }

    /// Whether the peer may still take time at `now`, with its greeting or with the rest of a message.
    pub(crate) fn check_time(&mut self, now: Duration) -> TimeCheck {
        if self.next_look.is_some_and(|moment| moment > now) {
            return TimeCheck::InTime;
        }
        self.next_look = None;
        match &self.phase {
            Phase::Greeting(_) if self.heard + GREETING_TIME <= now => TimeCheck::Exceeded,
            Phase::Open(decoder) if decoder.is_mid_frame() => {
                if self.is_held_back {
                    self.heard = now;
                }
                let last = self.heard + FRAME_TIME;
                if last <= now {
                    return TimeCheck::Exceeded;
                }
                self.next_look = Some(last);
                TimeCheck::Until(last)
            }
            _ => TimeCheck::InTime,
        }
    }
}
