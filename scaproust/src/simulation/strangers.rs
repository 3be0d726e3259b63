//! Strangers that speak the protocol of a connection, up to a point.
//!
//! A stranger is a thread of its own with a stream of the machine. It checks that it is disconnected in time, and not before.

use std::net::Shutdown;
use std::path::Path;
use std::time::Duration;

use super::ledger::broken;
use super::plan::Manner;
use crate::machine::{self, Place, Polled, Stream, running_time};
use crate::protocol::ProtocolInfo;
use crate::sync::now;

/// The time for a greeting, and the longest silence in a message.
const GREETING_TIME: Duration = Duration::from_secs(5);
const MESSAGE_TIME: Duration = Duration::from_secs(30);
/// A stranger that may stay leaves after this time.
const VISIT: Duration = Duration::from_secs(100);
/// The row of docs/RELIABILITY.md.
const TIME_LIMITS: &str = "time limits: a handshake takes 5 s, a silence in a frame 30 s";

/// A stranger.
pub(super) struct Stranger<'a> {
    /// The address that it connects to, as it was bound.
    pub(super) address: &'a str,
    /// The protocol of the socket there.
    pub(super) protocol: &'static ProtocolInfo,
    pub(super) manner: Manner,
    /// It may be disconnected, or not accepted, for another reason than its manner.
    pub(super) may_be_refused: bool,
}

/// What the stranger sends: a greeting, and a message.
struct Script {
    greeting: Vec<u8>,
    message: Vec<u8>,
}

/// The stranger has no connection any more.
struct Ended;

/// Lets a stranger visit an address. `slack` is how late the machine may make anything.
pub(super) fn visit(stranger: &Stranger<'_>, slack: Duration) {
    let Some(place) = place(stranger.address) else { return };
    let began = now();
    let Ok(stream) = machine::connect(&place) else { return };
    stream.hide();
    loop {
        match stream.is_connected() {
            Ok(true) => break,
            Ok(false) => machine::sleep(Duration::from_millis(1)),
            Err(_) => return,
        }
    }
    let connected = now();
    let script = script(stranger);
    let Ok(patience) = perform(&stream, stranger.manner, &script, began) else { return };
    let silent = (now(), running_time());
    let has_ended =
        await_end(&stream, patience.map_or(VISIT, |patience| patience + 2 * slack + MESSAGE_TIME));
    let Some(patience) = patience.filter(|_| !stranger.may_be_refused) else { return };
    let (since, waited) = if patience == GREETING_TIME {
        (now() - began, now() - connected)
    } else {
        (now() - silent.0, running_time() - silent.1)
    };
    if !has_ended || waited > patience + slack || since < patience {
        let what = format!("a stranger ({:?}) was disconnected after {waited:?}", stranger.manner);
        machine::fail(broken(TIME_LIMITS, &what));
    }
}

/// Removes the file of a socket that is bound there, and listens in its place for a time. Ends what it accepts.
pub(super) fn take_place(path: &str, time: Duration) {
    if !machine::remove_file(Path::new(path)) || time.is_zero() {
        return;
    }
    let Ok(acceptor) = machine::listen(Place::Path(path.into())) else { return };
    let end = now() + time;
    while now() < end {
        drop(acceptor.accept());
        machine::sleep(Duration::from_millis(1));
    }
}

/// Does what the manner says. Returns the time after which the stranger is disconnected, if it is.
fn perform(
    stream: &Stream,
    manner: Manner,
    script: &Script,
    began: Duration,
) -> Result<Option<Duration>, Ended> {
    let Script { greeting, message } = script;
    let (start, rest) = message.split_at(message.len() / 2);
    match manner {
        Manner::Silent => return Ok(Some(GREETING_TIME)),
        Manner::HalfGreeting => {
            send(stream, &greeting[..4])?;
            return Ok(Some(GREETING_TIME));
        }
        Manner::SlowGreeting => {
            for byte in &greeting[..4] {
                send(stream, &[*byte])?;
                machine::sleep(Duration::from_secs(1));
            }
            // A machine that was suspended may have taken longer.
            return if now() < began + GREETING_TIME { Ok(Some(GREETING_TIME)) } else { Err(Ended) };
        }
        Manner::Quiet => send(stream, greeting)?,
        Manner::HalfMessage => {
            send(stream, greeting)?;
            send(stream, start)?;
            return Ok(Some(MESSAGE_TIME));
        }
        Manner::SlowMessage => {
            send(stream, greeting)?;
            send(stream, start)?;
            for byte in &rest[..4] {
                machine::sleep(Duration::from_secs(20));
                send(stream, &[*byte])?;
            }
            return Ok(Some(MESSAGE_TIME));
        }
        Manner::HalfClose => {
            send(stream, greeting)?;
            stream.shut_down(Shutdown::Write);
        }
        Manner::HalfMessageAndClose => {
            send(stream, greeting)?;
            send(stream, start)?;
            stream.shut_down(Shutdown::Write);
        }
        Manner::Boast => {
            send(stream, greeting)?;
            send(stream, message)?;
        }
    }
    Ok(None)
}

/// Sends all bytes.
fn send(stream: &Stream, mut bytes: &[u8]) -> Result<(), Ended> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if is_passing(&error) => machine::sleep(Duration::from_micros(100)),
            Err(_) => return Err(Ended),
        }
    }
    Ok(())
}

/// Reads, for at most `time`, until the stream ends. Returns whether it has.
fn await_end(stream: &Stream, time: Duration) -> bool {
    let deadline = now() + time;
    while now() < deadline {
        match stream.read(1000) {
            Ok(bytes) if bytes.is_empty() => return true,
            Ok(_) => {}
            Err(error) if is_passing(&error) => {
                _ = machine::poll(
                    &mut [Polled::new(stream.descriptor())],
                    Some(deadline.saturating_sub(now())),
                );
            }
            Err(_) => return true,
        }
    }
    false
}

fn is_passing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

/// The place of an address that was bound; `None` within the process.
fn place(address: &str) -> Option<Place> {
    let (transport, rest) = address.split_once("://")?;
    match transport {
        "ipc" => Some(Place::Path(rest.into())),
        "tcp" | "ws" => rest.rsplit(':').next()?.parse().ok().map(Place::Port),
        _ => None,
    }
}

/// What a peer of the protocol sends at an address.
fn script(stranger: &Stranger<'_>) -> Script {
    let length: u64 = if stranger.manner == Manner::Boast { 1 << 62 } else { 100 };
    let [high, low] = stranger.protocol.peer.number.to_be_bytes();
    let sp_header = vec![0, b'S', b'P', 0, high, low, 0, 0];
    let (greeting, mut message) = if stranger.address.starts_with("ws") {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {}.sp.nanomsg.org\r\n\r\n",
            stranger.protocol.name
        );
        // A binary frame with a mask.
        let length = match length {
            100 => vec![0x80 | 100],
            _ => [&[0xff][..], &length.to_be_bytes()].concat(),
        };
        (request.into_bytes(), [&[0x82][..], &length, &[1, 2, 3, 4]].concat())
    } else {
        let kind: &[u8] = if stranger.address.starts_with("ipc") { &[1] } else { &[] };
        (sp_header, [kind, &length.to_be_bytes()].concat())
    };
    message.resize(message.len() + 100, b'x');
    Script { greeting, message }
}
