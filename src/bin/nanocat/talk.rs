//! What each type of socket does with its messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nanomsg::pattern::{Receives, Sends};
use nanomsg::{Error, Message, Socket};

use super::failure::Failure;
use super::format::Output;
use super::payload::Payload;

/// How messages are sent and received.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// After so many messages it is over.
    pub count: Option<u64>,
    /// The time from one message that is sent to the next.
    pub interval: Option<Duration>,
    pub recv_timeout: Option<Duration>,
    /// Tells people of each message.
    pub is_chatty: bool,
}

impl Manner {
    /// How many messages are sent: one, if nothing says otherwise.
    fn sends(&self, payload: &Payload) -> u64 {
        let once = self.interval.is_none() && matches!(payload, Payload::Same(_));
        self.count.unwrap_or(if once { 1 } else { u64::MAX })
    }

    fn send<P: Sends>(&self, socket: &Socket<P>, message: Message) -> Result<(), Failure> {
        let length = message.len();
        socket.send_message(message).map_err(|unsent| Failure::socket("Can't send")(unsent.error))?;
        if self.is_chatty {
            eprintln!("sent {length} bytes");
        }
        Ok(())
    }

    fn show(&self, output: &mut Output, message: &Message) -> Result<(), Failure> {
        if self.is_chatty {
            eprintln!("received {} bytes", message.len());
        }
        output.show(message).map_err(|error| Failure::file(format!("Can't write {}", output.name()), &error))
    }
}

/// Waits until `time` has passed since `start`.
fn pause(start: Instant, time: Duration) {
    thread::sleep(time.saturating_sub(start.elapsed()));
}

/// Sends, and does nothing else.
pub fn send<P: Sends>(socket: &Socket<P>, manner: Manner, payload: Payload) -> Result<(), Failure> {
    let limit = manner.sends(&payload);
    send_some(socket, manner, payload, limit)
}

fn send_some<P: Sends>(
    socket: &Socket<P>,
    manner: Manner,
    mut payload: Payload,
    limit: u64,
) -> Result<(), Failure> {
    for sent in 1..=limit {
        let start = Instant::now();
        let Some(message) = payload.next()? else { return Ok(()) };
        manner.send(socket, message)?;
        if let Some(interval) = manner.interval
            && sent < limit
        {
            pause(start, interval);
        }
    }
    Ok(())
}

/// Receives, and does nothing else, until no more messages can come.
pub fn receive<P: Receives>(socket: &Socket<P>, manner: Manner, output: &mut Output) -> Result<(), Failure> {
    receive_while(socket, manner, output, || false)
}

/// As [`receive`]; a time-out is no end while `is_sending` says so.
fn receive_while<P: Receives>(
    socket: &Socket<P>,
    manner: Manner,
    output: &mut Output,
    is_sending: impl Fn() -> bool,
) -> Result<(), Failure> {
    let mut left = manner.count.unwrap_or(u64::MAX);
    while left > 0 {
        let was_sending = is_sending();
        match socket.recv() {
            Ok(message) => manner.show(output, &message)?,
            Err(Error::TimedOut) if was_sending => continue,
            Err(Error::TimedOut | Error::WrongState) => break,
            Err(error) => return Err(Failure::socket("Can't recv")(error)),
        }
        left -= 1;
    }
    Ok(())
}

/// Sends and receives at the same time, independently of each other.
pub fn converse<P: Sends + Receives + 'static>(
    socket: &Arc<Socket<P>>,
    manner: Manner,
    payload: Payload,
    output: &mut Output,
) -> Result<(), Failure> {
    if manner.interval.is_none() && matches!(payload, Payload::Same(_)) {
        send_some(socket, manner, payload, 1)?;
        return receive(socket, manner, output);
    }
    let is_sending = Arc::new(AtomicBool::new(true));
    // It may wait for a line when there is nothing left to do: it ends with the program.
    thread::spawn({
        let (socket, is_sending) = (Arc::clone(socket), Arc::clone(&is_sending));
        move || match send_some(&socket, manner, payload, u64::MAX) {
            Ok(()) => is_sending.store(false, Ordering::Relaxed),
            Err(failure) => failure.exit(),
        }
    });
    receive_while(socket, manner, output, || is_sending.load(Ordering::Relaxed))
}

/// Sends requests, and receives what comes in reply to each of them before the next.
pub fn ask<P: Sends + Receives>(
    socket: &Socket<P>,
    manner: Manner,
    mut payload: Payload,
    output: &mut Output,
) -> Result<(), Failure> {
    let limit = manner.sends(&payload);
    let replies = Manner { count: None, ..manner };
    for asked in 1..=limit {
        let start = Instant::now();
        let Some(message) = payload.next()? else { return Ok(()) };
        manner.send(socket, message)?;
        match manner.interval {
            Some(interval) if asked < limit => replies_until(socket, manner, output, start, interval)?,
            _ => {
                set_recv_timeout(socket, manner.recv_timeout)?;
                receive(socket, replies, output)?;
            }
        }
    }
    Ok(())
}

/// Receives until `interval` has passed since `start`.
fn replies_until<P: Receives>(
    socket: &Socket<P>,
    manner: Manner,
    output: &mut Output,
    start: Instant,
    interval: Duration,
) -> Result<(), Failure> {
    loop {
        let left = interval.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        set_recv_timeout(socket, Some(manner.recv_timeout.map_or(left, |timeout| timeout.min(left))))?;
        match socket.recv() {
            Ok(message) => manner.show(output, &message)?,
            Err(Error::TimedOut | Error::WrongState) => pause(start, interval),
            Err(error) => return Err(Failure::socket("Can't recv")(error)),
        }
    }
}

/// Receives requests, and replies to each of them.
pub fn answer<P: Sends + Receives>(
    socket: &Socket<P>,
    manner: Manner,
    mut payload: Payload,
    output: &mut Output,
) -> Result<(), Failure> {
    for _ in 0..manner.count.unwrap_or(u64::MAX) {
        let request = socket.recv().map_err(Failure::socket("Can't recv"))?;
        manner.show(output, &request)?;
        let Some(reply) = payload.next()? else { return Ok(()) };
        manner.send(socket, reply)?;
    }
    Ok(())
}

/// Sets how long receiving may block.
pub fn set_recv_timeout<P: Receives>(socket: &Socket<P>, time: Option<Duration>) -> Result<(), Failure> {
    socket.set_recv_timeout(time).map_err(Failure::socket("Can't set recv timeout"))
}
