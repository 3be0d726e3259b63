//! The inbound half of a connection: bytes of the stream become the peer's greeting, and then messages.
//!
//! Owns the part of a greeting or a message that has arrived, and the time limits for the rest of it. Must not know
//! descriptors, locks, threads or the clock: a driver hands in the bytes that it has read, and the present moment.

use std::mem::MaybeUninit;
use std::time::Duration;

use super::LARGE_BODY;
use super::framing::BadFrame;
use super::greeting::{BadGreeting, Greeted, Greeting};
use super::mapping::Decoder;
use crate::message::{Metadata, Payload};

/// The time limit for the peer's greeting.
pub(crate) const GREETING_TIME: Duration = Duration::from_secs(5);
/// How long a side with [`GreetingOrder::AfterPeer`](super::GreetingOrder) waits for the peer's header before it sends its
/// own. SP peers send theirs at once; this is for one that waits as well.
pub(crate) const PEER_FIRST_TIME: Duration = Duration::from_millis(100);
/// The longest silence of a peer in the middle of a message.
const MESSAGE_TIME: Duration = Duration::from_secs(30);

/// The inbound half of a connection.
#[derive(Debug)]
pub(crate) struct Inbound {
    phase: Phase,
    /// The last message was a large one.
    expects_large: bool,
    /// The driver does not read, because there is no room for messages.
    has_back_pressure: bool,
    /// When the connection began, or part of a message last arrived.
    last_heard: Duration,
    /// When [`Inbound::check_time`] is to be called next, while that matters.
    next_check: Option<Duration>,
}

#[derive(Debug)]
enum Phase {
    Greeting(Greeting),
    Open(Decoder),
    /// Bytes of the peer are dropped.
    Closed {
        has_dropped_bytes: bool,
    },
}

/// Whether a message is as long as [`LARGE_BODY`].
fn is_large(payload: &Payload<'_>) -> bool {
    payload.bytes().len() >= LARGE_BODY
}

/// Whether the peer may take more time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TimeCheck {
    /// It is not late.
    InTime,
    /// It is not late yet; [`Inbound::check_time`] is to be called again at this moment.
    Until(Duration),
    /// It is not late; this side's SP header is to be sent now.
    Greet(Vec<u8>),
    /// It is late: the connection must be closed.
    Exceeded,
}

/// The result of [`Inbound::feed`].
#[derive(Debug)]
pub(crate) struct Fed {
    /// On an error the connection must be closed.
    pub(crate) outcome: Result<(), BadFrame>,
    /// The payload of the last ping, which must be answered.
    pub(crate) ping: Option<Vec<u8>>,
}

impl Inbound {
    /// The inbound half of a connection that begins at `now`, and whose peer has to send this greeting first.
    pub(crate) fn new(greeting: Greeting, now: Duration) -> Inbound {
        Inbound {
            phase: Phase::Greeting(greeting),
            expects_large: false,
            has_back_pressure: false,
            last_heard: now,
            next_check: None,
        }
    }

    /// Cuts bytes of the greeting off the front of `input`, unless it is complete already. Returns its meaning when it becomes
    /// complete; then [`Inbound::open`] or [`Inbound::close`] must be called.
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

    /// Accepts the peer: the bytes that follow are messages, for this decoder.
    pub(crate) fn open(&mut self, decoder: Decoder) {
        self.phase = Phase::Open(decoder);
    }

    /// Drops everything that the peer sends from now on.
    pub(crate) fn close(&mut self) {
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.phase = Phase::Closed { has_dropped_bytes: false };
        }
    }

    /// Whether the peer has sent something since [`Inbound::close`].
    pub(crate) fn has_dropped_bytes(&self) -> bool {
        matches!(self.phase, Phase::Closed { has_dropped_bytes: true })
    }

    /// Notes whether the driver does not read, because there is no room for messages or no memory. Then the peer does not count
    /// as silent.
    pub(crate) fn note_back_pressure(&mut self, has_back_pressure: bool) {
        self.has_back_pressure = has_back_pressure;
    }

    /// Whether the next message may be as long as [`LARGE_BODY`], since the last one was.
    pub(crate) fn expects_large(&self) -> bool {
        self.expects_large
    }

    /// Decodes bytes that follow the greeting, and calls `each` for every message that is complete with them. `max` is the
    /// longest message allowed, in bytes.
    pub(crate) fn feed(
        &mut self,
        input: &[u8],
        max: Option<usize>,
        mut each: impl FnMut(Payload<'_>, Metadata),
    ) -> Fed {
        match &mut self.phase {
            Phase::Open(decoder) => {
                let outcome = decoder.feed(input, max, |payload, message_type| {
                    self.expects_large = is_large(&payload);
                    each(payload, Metadata { message_type });
                });
                Fed { outcome, ping: decoder.take_ping() }
            }
            Phase::Closed { has_dropped_bytes } => {
                *has_dropped_bytes = true;
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
        mut each: impl FnMut(Payload<'_>, Metadata),
    ) -> Result<(), BadFrame> {
        let Phase::Open(decoder) = &mut self.phase else { return Ok(()) };
        let each = |payload: Payload<'_>, message_type| {
            self.expects_large = is_large(&payload);
            each(payload, Metadata { message_type });
        };
        // SAFETY: as the caller promises.
        unsafe { decoder.appended(count, each) }
    }

    /// Whether a message has arrived in part: then [`Inbound::note_part`] must be called after each read.
    pub(crate) fn is_mid_message(&self) -> bool {
        matches!(&self.phase, Phase::Open(decoder) if decoder.is_mid_message())
    }

    /// Notes that part of a message has arrived at `now`. Returns the moment at which [`Inbound::check_time`] must be called;
    /// `None` if an earlier call has returned one that is still to come.
    pub(crate) fn note_part(&mut self, now: Duration) -> Option<Duration> {
        self.last_heard = now;
        if self.next_check.is_some() {
            return None;
        }
        self.next_check = Some(now + MESSAGE_TIME);
        self.next_check
    }

    /// Whether the peer is late at `now`, with its greeting or with the rest of a message.
    pub(crate) fn check_time(&mut self, now: Duration) -> TimeCheck {
        if self.next_check.is_some_and(|moment| moment > now) {
            return TimeCheck::InTime;
        }
        self.next_check = None;
        match &mut self.phase {
            Phase::Greeting(_) if self.last_heard + GREETING_TIME <= now => TimeCheck::Exceeded,
            Phase::Greeting(greeting) if self.last_heard + PEER_FIRST_TIME <= now => {
                greeting.take_reply().map_or(TimeCheck::InTime, TimeCheck::Greet)
            }
            Phase::Open(decoder) if decoder.is_mid_message() => {
                if self.has_back_pressure {
                    self.last_heard = now;
                }
                let limit = self.last_heard + MESSAGE_TIME;
                if limit <= now {
                    return TimeCheck::Exceeded;
                }
                self.next_check = Some(limit);
                TimeCheck::Until(limit)
            }
            _ => TimeCheck::InTime,
        }
    }
}
