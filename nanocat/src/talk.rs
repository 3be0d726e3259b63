//! Sending and receiving, in the order that each socket type needs.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use scaproust::pattern::{self, Inbound, Receives, Replies, Sends};
use scaproust::{Error, Message, Socket};

use super::content::Content;
use super::failure::Failure;
use super::format::Output;
use super::standard_error;

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

    /// Sends a message by a function, whose value is returned.
    fn send<T>(
        &self,
        message: Message,
        send: impl FnOnce(Message) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let length = message.len();
        let sent = send(message).map_err(Failure::socket("Can't send"))?;
        if self.is_verbose {
            standard_error::print(&format!("sent {length} bytes"));
        }
        Ok(sent)
    }

    fn show(&self, output: &mut Output, message: &Message) -> Result<(), Failure> {
        if self.is_verbose {
            standard_error::print(&format!("received {} bytes", message.len()));
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
        options.send(message, |message| socket.send(message))?;
        if let Some(interval) = options.interval
            && sent < limit
        {
            pause(start, interval);
        }
    }
    Ok(())
}

/// Receives only, until the timeout.
pub(crate) fn receive<P: Receives>(
    socket: &Socket<P>,
    options: TransferOptions,
    output: &mut Output,
) -> Result<(), Failure> {
    receive_while(|| socket.recv(), options, output, || false)
}

/// Receives requests or surveys only, until the timeout.
pub(crate) fn listen<P: Replies>(
    socket: &Socket<P>,
    options: TransferOptions,
    output: &mut Output,
) -> Result<(), Failure> {
    receive_while(|| socket.accept().map(|(request, _)| request), options, output, || false)
}

/// Receives by a function until the timeout, which is ignored while `is_sending` returns true.
fn receive_while(
    receive: impl Fn() -> Result<Message, Error>,
    options: TransferOptions,
    output: &mut Output,
    is_sending: impl Fn() -> bool,
) -> Result<(), Failure> {
    let mut left = options.count.unwrap_or(u64::MAX);
    while left > 0 {
        let was_sending = is_sending();
        match receive() {
            Ok(message) => options.show(output, &message)?,
            Err(Error::TimedOut) if was_sending => continue,
            Err(Error::TimedOut) => break,
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
    receive_while(|| socket.recv(), options, output, || is_sending.load(Ordering::Relaxed))
}

/// A role that asks.
pub(crate) trait Asks: Inbound {
    /// Sends a request or a survey. Returns what comes back until the end of it, or until the receive timeout of the socket,
    /// which may change meanwhile.
    fn ask(
        socket: &Socket<Self>,
        question: Message,
    ) -> Result<impl Iterator<Item = Result<Message, Error>>, Error>
    where
        Self: Sized;
}

impl Asks for pattern::Req {
    fn ask(
        socket: &Socket<Self>,
        question: Message,
    ) -> Result<impl Iterator<Item = Result<Message, Error>>, Error> {
        let pending = socket.request(question)?;
        Ok(iter::once_with(|| pending.wait()).filter(|reply| *reply != Err(Error::TimedOut)))
    }
}

impl Asks for pattern::Surveyor {
    fn ask(
        socket: &Socket<Self>,
        question: Message,
    ) -> Result<impl Iterator<Item = Result<Message, Error>>, Error> {
        socket.survey(question)
    }
}

/// Sends requests or surveys, and receives the replies to each before it sends the next.
pub(crate) fn ask<P: Asks>(
    socket: &Socket<P>,
    options: TransferOptions,
    mut content: Content,
    output: &mut Output,
) -> Result<(), Failure> {
    let limit = options.sends(&content);
    for asked in 1..=limit {
        let start = Instant::now();
        let Some(message) = content.next()? else { return Ok(()) };
        let mut replies = options.send(message, |message| P::ask(socket, message))?;
        let interval = options.interval.filter(|_| asked < limit);
        while set_recv_timeout_until(socket, options, interval.map(|interval| (start, interval)))? {
            match replies.next() {
                Some(reply) => options.show(output, &reply.map_err(Failure::socket("Can't recv"))?)?,
                None => break,
            }
        }
        // A request without a reply stays pending until the next one is sent.
        interval.into_iter().for_each(|interval| pause(start, interval));
    }
    Ok(())
}

/// Sets how long receiving may block, at most until the end of an interval that began at a moment. Returns whether that is
/// still to come.
fn set_recv_timeout_until<P: Inbound>(
    socket: &Socket<P>,
    options: TransferOptions,
    interval: Option<(Instant, Duration)>,
) -> Result<bool, Failure> {
    let left = interval.map(|(start, time)| time.saturating_sub(start.elapsed()));
    set_recv_timeout(socket, options.recv_timeout.into_iter().chain(left).min())?;
    Ok(left.is_none_or(|left| !left.is_zero()))
}

/// Receives requests, and replies to each of them.
pub(crate) fn answer<P: Replies>(
    socket: &Socket<P>,
    options: TransferOptions,
    mut content: Content,
    output: &mut Output,
) -> Result<(), Failure> {
    for _ in 0..options.count.unwrap_or(u64::MAX) {
        let (request, reply) = socket.accept().map_err(Failure::socket("Can't recv"))?;
        options.show(output, &request)?;
        let Some(message) = content.next()? else { return Ok(()) };
        options.send(message, |message| reply.send(message))?;
    }
    Ok(())
}

/// Sets how long receiving may block.
pub(crate) fn set_recv_timeout<P: Inbound>(
    socket: &Socket<P>,
    time: Option<Duration>,
) -> Result<(), Failure> {
    socket.set_recv_timeout(time).map_err(Failure::socket("Can't set recv timeout"))
}
