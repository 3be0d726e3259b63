//! Devices: calls that forward messages between two raw sockets of one pattern, or from one back to itself.
//!
//! Owns the forwarding, in the caller's thread. Messages are sent as they were received, with their
//! protocol headers. Must not know a protocol.
//!
//! A device is a blocking call. While it sleeps it holds no [`Call`] of its sockets, so that they can be
//! closed.
//!
//! A message is received only when the other socket can send: a slow receiver behind the device thus
//! slows down the sender in front of it.

use std::convert::Infallible;
use std::time::Duration;

use smallvec::SmallVec;

use crate::error::Error;
use crate::message::{Outgoing, Payload};
use crate::option::SocketOption;
use crate::socket::poll::{PollEntry, Polling, room_for};
use crate::socket::{self, BlockedSignals, BlockingCall, Call, Received, SocketRef, TURNS, enter};
use crate::sync::{Sleep, Uncancellable, now};

/// The most messages forwarded in one direction before the other direction has its turn.
const BURST: usize = 64;

opaque!([] Device);

/// A running device: it forwards messages until an error ends it.
pub struct Device {
    sockets: SmallVec<[DeviceSocket; 2]>,
    directions: SmallVec<[Direction; 2]>,
    /// The poll that the device waits in, while no direction can proceed.
    polling: Option<Polling>,
    /// Whether a signal ends the device: only if it has one direction.
    ends_by_signals: bool,
    /// Blocks signals from the first wait on, so that none is missed. Declared last, and so dropped last,
    /// since that runs the handlers.
    signals: Option<BlockedSignals>,
}

/// A device between two sockets, which forwards the messages that each receives to the other one.
///
/// # Errors
/// [`Error::Closed`] when a socket is not open; [`Error::InvalidArgument`] when one is not raw, when they are
/// not of one pattern, or when one can receive and the other cannot send.
///
/// The running device ends with [`Error::Closed`] when a socket is closed; with [`Error::Interrupted`] by
/// a signal if it has one direction; and with [`Error::TimedOut`] when it waits longer than `NN_RCVTIMEO`
/// for a message or than `NN_SNDTIMEO` for room.
pub fn join(one: i32, other: i32) -> Result<Device, Error> {
    let sockets = SmallVec::from([DeviceSocket::enter(one)?, DeviceSocket::enter(other)?]);
    if !sockets[0].call()?.is_raw() || !sockets[1].call()?.is_raw() {
        return Err(Error::InvalidArgument);
    }
    let (one, other) = (sockets[0].call()?.protocol(), sockets[1].call()?.protocol());
    if !one.shares_headers_with(other) || one.can_recv != other.can_send || one.can_send != other.can_recv {
        return Err(Error::InvalidArgument);
    }
    let directions: SmallVec<[Direction; 2]> = match (one.can_recv, other.can_recv) {
        (true, false) => [Direction::new(0, 1)].into_iter().collect(),
        (false, _) => [Direction::new(1, 0)].into_iter().collect(),
        (true, true) => SmallVec::from([Direction::new(0, 1), Direction::new(1, 0)]),
    };
    Ok(Device::new(sockets, directions))
}

/// A device that sends the messages which a socket receives back through the same socket.
///
/// # Errors
/// As [`join`], and [`Error::NotSupported`] when the socket does not both send and receive.
pub fn reflect(socket: i32) -> Result<Device, Error> {
    let socket = DeviceSocket::enter(socket)?;
    let (is_raw, protocol) = (socket.call()?.is_raw(), socket.call()?.protocol());
    if !is_raw {
        return Err(Error::InvalidArgument);
    }
    if !protocol.can_recv || !protocol.can_send {
        return Err(Error::NotSupported);
    }
    Ok(Device::new([socket].into_iter().collect(), [Direction::new(0, 0)].into_iter().collect()))
}

/// A socket of the device.
struct DeviceSocket {
    socket: SocketRef,
    /// `None` while the device sleeps.
    call: Option<Call>,
}

impl DeviceSocket {
    fn enter(id: i32) -> Result<DeviceSocket, Error> {
        let call = enter(id)?;
        Ok(DeviceSocket { socket: SocketRef::of(&call), call: Some(call) })
    }

    fn call(&self) -> Result<&Call, Error> {
        self.call.as_ref().ok_or(Error::Closed)
    }
}

/// One direction.
struct Direction {
    /// Indices into the device's sockets.
    from: usize,
    to: usize,
    /// A message that was received and then could not be sent, because the room had gone.
    held: Option<Outgoing<'static>>,
    /// Set while no message can be forwarded.
    wait: Option<DirectionWait>,
}

/// What is missing for a message to be forwarded.
#[derive(Clone, Copy)]
struct Missing {
    /// There is no message to receive.
    message: bool,
    /// There is no room to send.
    room: bool,
}

/// A direction's wait for a message or for room.
struct DirectionWait {
    missing: Missing,
    /// When the wait times out.
    deadline: Option<Duration>,
}

impl Direction {
    fn new(from: usize, to: usize) -> Direction {
        Direction { from, to, held: None, wait: None }
    }

    /// Forwards up to [`BURST`] messages, or fewer if a message or room is missing.
    fn proceed(&mut self, sockets: &[DeviceSocket]) -> Result<(), Error> {
        let (from, to) = (&sockets[self.from], &sockets[self.to]);
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

    /// Forwards one message, or returns what is missing.
    fn forward(&mut self, from: &DeviceSocket, to: &DeviceSocket) -> Result<Option<Missing>, Error> {
        let mut message = match self.held.take() {
            Some(message) => message,
            None if !to.call()?.can_send()? => {
                return Ok(Some(Missing { message: !from.call()?.can_recv()?, room: true }));
            }
            None => match socket::recv(from.socket.id, true, outgoing) {
                Err(Error::WouldBlock) => return Ok(Some(Missing { message: true, room: false })),
                received => received??,
            },
        };
        match socket::send(to.socket.id, &mut message, true) {
            Err(Error::WouldBlock) => {
                self.held = Some(message);
                Ok(Some(Missing { message: false, room: true }))
            }
            sent => sent.map(|()| None),
        }
    }

    /// Begins the wait, or goes on with it. The timeout is that of a receive, and then that of a send: time
    /// spent waiting for a message does not count for the wait for room.
    fn begin_wait(&mut self, missing: Missing, from: &Call, to: &Call) {
        let deadline = match &self.wait {
            Some(wait) if wait.missing.message == missing.message => wait.deadline,
            _ if missing.message => {
                from.timeout(SocketOption::ReceiveTimeout).map(|time| now().saturating_add(time))
            }
            _ => to.timeout(SocketOption::SendTimeout).map(|time| now().saturating_add(time)),
        };
        self.wait = Some(DirectionWait { missing, deadline });
    }

    fn is_missing(&self, what: impl Fn(Missing) -> bool) -> bool {
        self.wait.as_ref().is_some_and(|wait| what(wait.missing))
    }
}

/// A received message as one to be sent, unchanged.
fn outgoing(received: Received<'_>) -> Result<Outgoing<'static>, Error> {
    let header = received.header();
    let metadata = received.metadata();
    let body = received.into_chunk().ok_or(Error::OutOfMemory)?;
    Ok(Outgoing { header, body: Payload::Owned(body), metadata })
}

impl Device {
    fn new(sockets: SmallVec<[DeviceSocket; 2]>, directions: SmallVec<[Direction; 2]>) -> Device {
        let ends_by_signals = directions.len() == 1;
        Device { sockets, directions, polling: None, ends_by_signals, signals: None }
    }

    /// A poll for everything that is missing. Every socket is polled, so that its closing ends the wait.
    fn poll(&mut self) -> Result<Polling, Error> {
        let mut entries = room_for(self.sockets.len())?;
        entries.extend(self.sockets.iter().enumerate().map(|(number, socket)| {
            PollEntry {
                socket: socket.socket.id,
                readable: self.directions.iter().any(|direction| {
                    direction.from == number && direction.is_missing(|missing| missing.message)
                }),
                writable: self
                    .directions
                    .iter()
                    .any(|direction| direction.to == number && direction.is_missing(|missing| missing.room)),
                is_readable: false,
                is_writable: false,
            }
        }));
        let deadline = self.directions.iter().filter_map(|direction| direction.wait.as_ref()?.deadline).min();
        let timeout = deadline.map(|deadline| deadline.saturating_sub(now()));
        let polling = Polling::new(entries, timeout, self.ends_by_signals)?;
        Ok(polling.with_signals_blocked(self.signals.take()))
    }

    /// Proceeds with the wait, if there is one. Returns whether the thread must sleep for it.
    fn wait(&mut self) -> Result<bool, Error> {
        let Some(polling) = &mut self.polling else { return Ok(false) };
        let Some(answered) = polling.proceed()? else { return Ok(true) };
        self.signals = polling.take_signals();
        self.polling = None;
        let mut deadlines = self.directions.iter().filter_map(|direction| direction.wait.as_ref()?.deadline);
        if answered == 0 && deadlines.any(|deadline| deadline <= now()) {
            return Err(Error::TimedOut);
        }
        Ok(false)
    }

    /// Enters the sockets that the device is not inside of.
    fn enter(&mut self) -> Result<(), Error> {
        for socket in self.sockets.iter_mut().filter(|socket| socket.call.is_none()) {
            socket.call = Some(socket.socket.enter()?);
        }
        Ok(())
    }
}

impl BlockingCall for Device {
    type Output = Infallible;

    fn proceed(&mut self) -> Result<Option<Infallible>, Error> {
        let _uncancellable = Uncancellable::begin();
        let mut turns = 0;
        while !self.wait()? && turns < TURNS {
            turns += 1;
            self.enter()?;
            for direction in &mut self.directions {
                direction.proceed(&self.sockets)?;
            }
            if self.directions.iter().all(|direction| direction.wait.is_some()) {
                if self.ends_by_signals {
                    self.signals.get_or_insert_with(BlockedSignals::begin);
                }
                self.polling = Some(self.poll()?);
            } else if self.signals.as_ref().is_some_and(BlockedSignals::deliver_pending) {
                return Err(Error::Interrupted);
            }
        }
        // The thread sleeps now, or may be cancelled: it must hold no call.
        self.sockets.iter_mut().for_each(|socket| socket.call = None);
        Ok(None)
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.polling.as_mut()?.sleep()
    }
}
