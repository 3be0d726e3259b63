//! Devices: two raw sockets of one pattern that are joined, or one that is turned back on itself.
//!
//! Owns the way of a message from one socket to the other, as it is, with its protocol header, in
//! the caller's thread alone. Must not look into a message, nor know a protocol.
//!
//! A message is taken from a socket only when the other one has room for it, so that a slow
//! receiver behind the device slows down the sender before it.

use std::convert::Infallible;
use std::time::Duration;

use crate::error::Error;
use crate::message::{Outgoing, Payload};
use crate::option::name;
use crate::socket::poll::{PollEntry, poll};
use crate::socket::{self, Call, Received, enter};
use crate::sync::now;

/// Messages that go one way before the other way has its turn.
const BURST: usize = 64;

/// Forwards what either socket receives to the other one, until that fails.
///
/// # Errors
/// [`Error::Closed`] when one of them is not open, or is closed meanwhile;
/// [`Error::InvalidArgument`] when one is not raw, they are not of one pattern, or one receives
/// what the other cannot send; [`Error::Interrupted`] by a signal; [`Error::TimedOut`] when a
/// socket with a `NN_RCVTIMEO` or `NN_SNDTIMEO` made the device wait for so long.
pub fn join(one: i32, other: i32) -> Result<Infallible, Error> {
    let (one, other) = (Side::enter(one)?, Side::enter(other)?);
    if !one.call.is_raw() || !other.call.is_raw() {
        return Err(Error::InvalidArgument);
    }
    let (one_kind, other_kind) = (one.call.kind(), other.call.kind());
    if one_kind.pattern() != other_kind.pattern()
        || one_kind.can_recv() != other_kind.can_send()
        || one_kind.can_send() != other_kind.can_recv()
    {
        return Err(Error::InvalidArgument);
    }
    match (one_kind.can_recv(), other_kind.can_recv()) {
        (true, false) => run(&[&one, &other], &mut [Way::new(&one, &other)]),
        (false, _) => run(&[&one, &other], &mut [Way::new(&other, &one)]),
        (true, true) => run(&[&one, &other], &mut [Way::new(&one, &other), Way::new(&other, &one)]),
    }
}

/// Sends what a socket receives back through the same socket, until that fails.
///
/// # Errors
/// As [`join`], and [`Error::NotSupported`] when the socket does not both send and receive.
pub fn reflect(socket: i32) -> Result<Infallible, Error> {
    let socket = Side::enter(socket)?;
    if !socket.call.is_raw() {
        return Err(Error::InvalidArgument);
    }
    if !socket.call.kind().can_recv() || !socket.call.kind().can_send() {
        return Err(Error::NotSupported);
    }
    run(&[&socket], &mut [Way::new(&socket, &socket)])
}

/// A socket of the device, which is not freed before the device has let go of it.
struct Side {
    id: i32,
    call: Call,
}

impl Side {
    fn enter(id: i32) -> Result<Side, Error> {
        Ok(Side { id, call: enter(id)? })
    }
}

/// One direction.
struct Way<'a> {
    from: &'a Side,
    to: &'a Side,
    /// A message that was taken for room which then was gone.
    held: Option<Outgoing<'static>>,
    /// What it waits for, if it does.
    wait: Option<Wait>,
}

/// What keeps a message from being forwarded.
#[derive(Clone, Copy)]
struct Missing {
    message: bool,
    room: bool,
}

struct Wait {
    missing: Missing,
    /// When it has taken too long.
    deadline: Option<Duration>,
}

impl<'a> Way<'a> {
    fn new(from: &'a Side, to: &'a Side) -> Way<'a> {
        Way { from, to, held: None, wait: None }
    }

    /// Forwards messages until something is missing for that, or it is the other way's turn.
    fn proceed(&mut self) -> Result<(), Error> {
        for _ in 0..BURST {
            match self.forward()? {
                None => self.wait = None,
                Some(missing) => {
                    self.begin_wait(missing);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Forwards one message, or says what is missing.
    fn forward(&mut self) -> Result<Option<Missing>, Error> {
        let mut message = match self.held.take() {
            Some(message) => message,
            None if !self.to.call.can_send()? => {
                return Ok(Some(Missing { message: !self.from.call.can_recv()?, room: true }));
            }
            None => match socket::recv(self.from.id, true, outgoing) {
                Err(Error::WouldBlock) => return Ok(Some(Missing { message: true, room: false })),
                received => received??,
            },
        };
        match socket::send(self.to.id, &mut message, true) {
            Err(Error::WouldBlock) => {
                self.held = Some(message);
                Ok(Some(Missing { message: false, room: true }))
            }
            sent => sent.map(|()| None),
        }
    }

    /// Time runs as in a receive and then a send: for room only when a message needs it.
    fn begin_wait(&mut self, missing: Missing) {
        let deadline = match &self.wait {
            Some(wait) if wait.missing.message == missing.message => wait.deadline,
            _ if missing.message => self.from.call.timeout(name::RCVTIMEO).map(|time| now() + time),
            _ => self.to.call.timeout(name::SNDTIMEO).map(|time| now() + time),
        };
        self.wait = Some(Wait { missing, deadline });
    }

    fn is_missing(&self, what: impl Fn(Missing) -> bool) -> bool {
        self.wait.as_ref().is_some_and(|wait| what(wait.missing))
    }
}

/// A received message, to be sent as it is.
fn outgoing(received: Received<'_>) -> Result<Outgoing<'static>, Error> {
    let header = received.header();
    let message_type = received.message_type();
    let body = received.into_chunk().ok_or(Error::OutOfMemory)?;
    Ok(Outgoing { header, body: Payload::Owned(body), message_type })
}

fn run(sides: &[&Side], ways: &mut [Way<'_>]) -> Result<Infallible, Error> {
    loop {
        for way in &mut *ways {
            way.proceed()?;
        }
        if ways.iter().all(|way| way.wait.is_some()) {
            wait(sides, ways)?;
        }
    }
}

/// Sleeps until one way need not wait any more. Every socket is polled, if only for its end.
fn wait(sides: &[&Side], ways: &[Way<'_>]) -> Result<(), Error> {
    let question = |side: &&Side| PollEntry {
        socket: side.id,
        readable: ways.iter().any(|way| way.from.id == side.id && way.is_missing(|missing| missing.message)),
        writable: ways.iter().any(|way| way.to.id == side.id && way.is_missing(|missing| missing.room)),
        is_readable: false,
        is_writable: false,
    };
    let mut entries: smallvec::SmallVec<[PollEntry; 2]> = sides.iter().map(question).collect();
    let deadlines = || ways.iter().filter_map(|way| way.wait.as_ref()?.deadline);
    let timeout = deadlines().min().map_or(-1, |deadline| milliseconds(deadline.saturating_sub(now())));
    if poll(&mut entries, timeout)? == 0 && deadlines().any(|deadline| deadline <= now()) {
        return Err(Error::TimedOut);
    }
    Ok(())
}

/// A time in whole milliseconds, not less than it is.
fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_cut_short() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(7)), 7);
        assert_eq!(milliseconds(Duration::MAX), i32::MAX);
    }
}
