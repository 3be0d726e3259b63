//! Devices: two raw sockets of one pattern that are joined, or one that is turned back on itself.
//!
//! Owns the way of a message from one socket to the other, as it is, with its protocol header, in
//! the caller's thread alone. Must not look into a message, nor know a protocol.
//!
//! A device is a call that blocks: while it sleeps it is inside neither socket.
//!
//! A message is taken from a socket only when the other one has room for it, so that a slow
//! receiver behind the device slows down the sender before it.

use std::convert::Infallible;
use std::time::Duration;

use smallvec::SmallVec;

use crate::error::Error;
use crate::message::{Outgoing, Payload};
use crate::option::SocketOption;
use crate::socket::poll::{PollEntry, Polling, room_for};
use crate::socket::{self, Blocked, Call, HeldSignals, Place, Received, TURNS, enter};
use crate::sync::{Sleep, Uncancellable, now};

/// Messages that go one way before the other way has its turn.
const BURST: usize = 64;

/// A device at work: it forwards messages until that fails.
pub struct Device {
    sides: SmallVec<[Side; 2]>,
    ways: SmallVec<[Way; 2]>,
    /// While every way waits.
    polling: Option<Polling>,
    /// In two directions it goes on after a signal, as two threads would that take none.
    ends_by_signals: bool,
    /// From the first wait on, so that none of them is missed. The last to go: handlers run then.
    signals: Option<HeldSignals>,
}

/// A device that forwards what either socket receives to the other one.
///
/// # Errors
/// [`Error::Closed`] when one of them is not open, and at work when one is closed;
/// [`Error::InvalidArgument`] when one is not raw, they are not of one pattern, or one receives
/// what the other cannot send. At work also [`Error::Interrupted`] by a signal, if it has one direction;
/// [`Error::TimedOut`] when a socket with a `NN_RCVTIMEO` or `NN_SNDTIMEO` made the device wait for
/// so long.
pub fn join(one: i32, other: i32) -> Result<Device, Error> {
    let sides = SmallVec::from([Side::enter(one)?, Side::enter(other)?]);
    if !sides[0].call()?.is_raw() || !sides[1].call()?.is_raw() {
        return Err(Error::InvalidArgument);
    }
    let (one, other) = (sides[0].call()?.protocol(), sides[1].call()?.protocol());
    if one.pattern() != other.pattern() || one.can_recv != other.can_send || one.can_send != other.can_recv {
        return Err(Error::InvalidArgument);
    }
    let ways: SmallVec<[Way; 2]> = match (one.can_recv, other.can_recv) {
        (true, false) => [Way::new(0, 1)].into_iter().collect(),
        (false, _) => [Way::new(1, 0)].into_iter().collect(),
        (true, true) => SmallVec::from([Way::new(0, 1), Way::new(1, 0)]),
    };
    Ok(Device::new(sides, ways))
}

/// A device that sends what a socket receives back through the same socket.
///
/// # Errors
/// As [`join`], and [`Error::NotSupported`] when the socket does not both send and receive.
pub fn reflect(socket: i32) -> Result<Device, Error> {
    let socket = Side::enter(socket)?;
    let (is_raw, protocol) = (socket.call()?.is_raw(), socket.call()?.protocol());
    if !is_raw {
        return Err(Error::InvalidArgument);
    }
    if !protocol.can_recv || !protocol.can_send {
        return Err(Error::NotSupported);
    }
    Ok(Device::new([socket].into_iter().collect(), [Way::new(0, 0)].into_iter().collect()))
}

/// A socket of the device.
struct Side {
    id: i32,
    place: Place,
    /// Inside, unless the device sleeps.
    call: Option<Call>,
}

impl Side {
    fn enter(id: i32) -> Result<Side, Error> {
        let call = enter(id)?;
        Ok(Side { id, place: Place::of(&call), call: Some(call) })
    }

    fn call(&self) -> Result<&Call, Error> {
        self.call.as_ref().ok_or(Error::Closed)
    }
}

/// One direction.
struct Way {
    /// Numbers of sides.
    from: usize,
    to: usize,
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

impl Way {
    fn new(from: usize, to: usize) -> Way {
        Way { from, to, held: None, wait: None }
    }

    /// Forwards messages until something is missing for that, or it is the other way's turn.
    fn proceed(&mut self, sides: &[Side]) -> Result<(), Error> {
        let (from, to) = (&sides[self.from], &sides[self.to]);
        for _ in 0..BURST {
            match self.forward(from, to)? {
                None => self.wait = None,
                Some(missing) => {
                    self.begin_wait(missing, from.call()?, to.call()?);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Forwards one message, or says what is missing.
    fn forward(&mut self, from: &Side, to: &Side) -> Result<Option<Missing>, Error> {
        let mut message = match self.held.take() {
            Some(message) => message,
            None if !to.call()?.can_send()? => {
                return Ok(Some(Missing { message: !from.call()?.can_recv()?, room: true }));
            }
            None => match socket::recv(from.id, true, outgoing) {
                Err(Error::WouldBlock) => return Ok(Some(Missing { message: true, room: false })),
                received => received??,
            },
        };
        match socket::send(to.id, &mut message, true) {
            Err(Error::WouldBlock) => {
                self.held = Some(message);
                Ok(Some(Missing { message: false, room: true }))
            }
            sent => sent.map(|()| None),
        }
    }

    /// Time runs as in a receive and then a send: for room only when a message needs it.
    fn begin_wait(&mut self, missing: Missing, from: &Call, to: &Call) {
        let deadline = match &self.wait {
            Some(wait) if wait.missing.message == missing.message => wait.deadline,
            _ if missing.message => from.timeout(SocketOption::ReceiveTimeout).map(|time| now() + time),
            _ => to.timeout(SocketOption::SendTimeout).map(|time| now() + time),
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

impl Device {
    fn new(sides: SmallVec<[Side; 2]>, ways: SmallVec<[Way; 2]>) -> Device {
        let ends_by_signals = ways.len() == 1;
        Device { sides, ways, polling: None, ends_by_signals, signals: None }
    }

    /// What ends the wait: one way need not wait any more. Every socket is polled, if only for its
    /// end.
    fn poll(&self) -> Result<Polling, Error> {
        let mut entries = room_for(self.sides.len())?;
        entries.extend(self.sides.iter().enumerate().map(|(number, side)| PollEntry {
            socket: side.id,
            readable:
                self.ways.iter().any(|way| way.from == number && way.is_missing(|missing| missing.message)),
            writable: self.ways.iter().any(|way| way.to == number && way.is_missing(|missing| missing.room)),
            is_readable: false,
            is_writable: false,
        }));
        let deadline = self.ways.iter().filter_map(|way| way.wait.as_ref()?.deadline).min();
        Polling::new(entries, deadline.map(|deadline| deadline.saturating_sub(now())), self.ends_by_signals)
    }

    /// Waits, and answers whether it is to sleep for that.
    fn wait(&mut self) -> Result<bool, Error> {
        let Some(polling) = &mut self.polling else { return Ok(false) };
        let Some(answered) = polling.proceed()? else { return Ok(true) };
        self.signals = polling.take_signals();
        self.polling = None;
        let mut deadlines = self.ways.iter().filter_map(|way| way.wait.as_ref()?.deadline);
        if answered == 0 && deadlines.any(|deadline| deadline <= now()) {
            return Err(Error::TimedOut);
        }
        Ok(false)
    }

    /// Is inside its sockets from now on.
    fn enter(&mut self) -> Result<(), Error> {
        for side in self.sides.iter_mut().filter(|side| side.call.is_none()) {
            side.call = Some(side.place.enter()?);
        }
        Ok(())
    }
}

impl Blocked for Device {
    type Output = Infallible;

    fn proceed(&mut self) -> Result<Option<Infallible>, Error> {
        let _uncancellable = Uncancellable::begin();
        let mut turns = 0;
        while !self.wait()? && turns < TURNS {
            turns += 1;
            self.enter()?;
            for way in &mut self.ways {
                way.proceed(&self.sides)?;
            }
            if self.ways.iter().all(|way| way.wait.is_some()) {
                if self.ends_by_signals {
                    self.signals.get_or_insert_with(HeldSignals::begin);
                }
                self.polling = Some(self.poll()?.after_looks(self.signals.take()));
            } else if self.signals.as_ref().is_some_and(HeldSignals::has_let_one_in) {
                return Err(Error::Interrupted);
            }
        }
        // It sleeps, or its thread may be cancelled now: inside no socket.
        self.sides.iter_mut().for_each(|side| side.call = None);
        Ok(None)
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.polling.as_mut()?.sleep()
    }
}
