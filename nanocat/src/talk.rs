//! Sending and receiving, in the order that each socket type needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use scaproust::pattern::{Receives, Sends};
use scaproust::{Error, Message, Socket};

use super::content::Content;
use super::failure::Failure;
use super::format::Output;

/// The options for sending and receiving.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransferOptions {
    /// The number of messages after which the program ends.
    pub count: Option<u64>,
    /// The time between the starts of two sends.
    pub interval: Option<Duration>,
    pub recv_timeout: Option<Duration>,
    /// Reports each message on standard error.
    pub is_verbose: bool,
}

impl TransferOptions {
    /// The number of messages to send: by default, one message is sent once, and lines up to the last.
    fn sends(&self, content: &Content) -> u64 {
        let once = self.interval.is_none() && matches!(content, Content::Same(_));
        self.count.unwrap_or(if once { 1 } else { u64::MAX })
    }

    fn send<P: Sends>(&self, socket: &Socket<P>, message: Message) -> Result<(), Failure> {
        let length = message.len();
        socket.send_message(message).map_err(|unsent| Failure::socket("Can't send")(unsent.error))?;
        if self.is_verbose {
            eprintln!("sent {length} bytes");
        }
        Ok(())
    }

    fn show(&self, output: &mut Output, message: &Message) -> Result<(), Failure> {
        if self.is_verbose {
            eprintln!("received {} bytes", message.len());
        }
        output.show(message).map_err(|error| Failure::file(format!("Can't write {}", output.name()), &error))
    }
}

/// Waits until `time` has passed since `start`.
fn pause(start: Instant, time: Duration) {
    thread::sleep(time.saturating_sub(start.elapsed()));
}

/// Sends only.
pub(crate) fn send<P: Sends>(
    socket: &Socket<P>,
    options: TransferOptions,
    content: Content,
) -> Result<(), Failure> {
    let limit = options.sends(&content);
    send_some(socket, options, content, limit)
}

fn send_some<P: Sends>(
    socket: &Socket<P>,
    options: TransferOptions,
    mut content: Content,
    limit: u64,
) -> Result<(), Failure> {
    for sent in 1..=limit {
        let start = Instant::now();
        let Some(message) = content.next()? else { return Ok(()) };
        options.send(socket, message)?;
        if let Some(interval) = options.interval
            && sent < limit
        {
            pause(start, interval);
        }
    }
    Ok(())
}

/// Receives only, until the timeout or the end of a request or survey.
pub(crate) fn receive<P: Receives>(
    socket: &Socket<P>,
    options: TransferOptions,
    output: &mut Output,
) -> Result<(), Failure> {
    receive_while(socket, options, output, || false)
}

/// As [`receive`], but a timeout is ignored while `is_sending` returns true.
fn receive_while<P: Receives>(
    socket: &Socket<P>,
    options: TransferOptions,
    output: &mut Output,
    is_sending: impl Fn() -> bool,
) -> Result<(), Failure> {
    let mut left = options.count.unwrap_or(u64::MAX);
    while left > 0 {
        let was_sending = is_sending();
        match socket.recv() {
            Ok(message) => options.show(output, &message)?,
            Err(Error::TimedOut) if was_sending => continue,
            Err(Error::TimedOut | Error::WrongState) => break,
            Err(error) => return Err(Failure::socket("Can't recv")(error)),
        }
        left -= 1;
    }
    Ok(())
}

/// Sends and receives at the same time.
pub(crate) fn converse<P: Sends + Receives + 'static>(
    socket: &Arc<Socket<P>>,
    options: TransferOptions,
    content: Content,
    output: &mut Output,
) -> Result<(), Failure> {
    if options.interval.is_none() && matches!(content, Content::Same(_)) {
        send_some(socket, options, content, 1)?;
        return receive(socket, options, output);
    }
    let is_sending = Arc::new(AtomicBool::new(true));
    // The thread is not joined, since it may be blocked reading a line; it ends with the program.
    thread::spawn({
        let (socket, is_sending) = (Arc::clone(socket), Arc::clone(&is_sending));
        move || match send_some(&socket, options, content, u64::MAX) {
            Ok(()) => is_sending.store(false, Ordering::Relaxed),
            Err(failure) => failure.exit(),
        }
    });
    receive_while(socket, options, output, || is_sending.load(Ordering::Relaxed))
}

/// Sends requests or surveys, and receives the replies to each before it sends the next.
pub(crate) fn ask<P: Sends + Receives>(
    socket: &Socket<P>,
    options: TransferOptions,
    mut content: Content,
    output: &mut Output,
) -> Result<(), Failure> {
    let limit = options.sends(&content);
    let replies = TransferOptions { count: None, ..options };
    for asked in 1..=limit {
        let start = Instant::now();
        let Some(message) = content.next()? else { return Ok(()) };
        options.send(socket, message)?;
        match options.interval {
            Some(interval) if asked < limit => replies_until(socket, options, output, start, interval)?,
            _ => {
                set_recv_timeout(socket, options.recv_timeout)?;
                receive(socket, replies, output)?;
            }
        }
    }
    Ok(())
}

/// Receives until `interval` has passed since `start`.
fn replies_until<P: Receives>(
    socket: &Socket<P>,
    options: TransferOptions,
    output: &mut Output,
    start: Instant,
    interval: Duration,
) -> Result<(), Failure> {
    loop {
        let left = interval.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        set_recv_timeout(socket, Some(options.recv_timeout.map_or(left, |timeout| timeout.min(left))))?;
        match socket.recv() {
            Ok(message) => options.show(output, &message)?,
            Err(Error::TimedOut | Error::WrongState) => pause(start, interval),
            Err(error) => return Err(Failure::socket("Can't recv")(error)),
        }
    }
}

/// Receives requests, and replies to each of them.
pub(crate) fn answer<P: Sends + Receives>(
    socket: &Socket<P>,
    options: TransferOptions,
    mut content: Content,
    output: &mut Output,
) -> Result<(), Failure> {
    for _ in 0..options.count.unwrap_or(u64::MAX) {
        let request = socket.recv().map_err(Failure::socket("Can't recv"))?;
        options.show(output, &request)?;
        let Some(reply) = content.next()? else { return Ok(()) };
        options.send(socket, reply)?;
    }
    Ok(())
}

/// Sets how long receiving may block.
pub(crate) fn set_recv_timeout<P: Receives>(
    socket: &Socket<P>,
    time: Option<Duration>,
) -> Result<(), Failure> {
    socket.set_recv_timeout(time).map_err(Failure::socket("Can't set recv timeout"))
}
