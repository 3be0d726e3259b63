//! The HTTP upgrade: a request, and the answer to it.
//!
//! The bound side serves every path, and takes a request that names no subprotocol for one of a
//! PAIR. A request that is not what it should be is refused with an answer that says why.

use base64::Engine;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use httparse::{EMPTY_HEADER, Error, Header, Request, Response, Status};
use sha1::{Digest, Sha1};

use super::Random;
use crate::wire::greeting::{BadGreeting, Greeted, ProtocolId, ProtocolPair};

/// The longest request or answer in bytes, without what may follow it.
const HEAD_MAX: usize = 8 * 1024;
/// The most header fields in it.
const FIELDS_MAX: usize = 64;
/// What a key is joined with before it is hashed (RFC 6455, 1.3).
const ACCEPT_SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// How nng begins its request to an address without a path. That is not HTTP, but the C library
/// serves it, as it serves every path.
const NO_PATH: &[u8] = b"GET  ";
/// The protocol of a peer that names none: PAIR.
const UNNAMED: u16 = 16;
/// What follows a protocol's name in `Sec-WebSocket-Protocol`.
const NAME_END: &str = ".sp.nanomsg.org";
/// The version of WebSocket that is spoken.
const VERSION: &str = "13";

/// Not all clients leave the last, unused bits of their key zero, and none is harmed by that.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The bound side: it waits for a request.
#[derive(Debug)]
pub(crate) struct Server {
    protocols: ProtocolPair,
    /// What has come of the request.
    head: Vec<u8>,
}

impl Server {
    /// The bound side.
    pub(crate) fn new(protocols: ProtocolPair) -> Server {
        Server { protocols, head: Vec::new() }
    }

    /// Takes what belongs to the request from the front of `input`; tells what was agreed on once
    /// the request is whole.
    ///
    /// # Errors
    /// [`BadGreeting`], with an answer for whoever asks like that.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Greeted>, BadGreeting> {
        let count = take(&mut self.head, input);
        if self.head.starts_with(NO_PATH) {
            self.head.insert(NO_PATH.len() - 1, b'/');
        }
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut request = Request::new(&mut fields);
        match request.parse(&self.head) {
            Ok(Status::Complete(length)) => {
                cut(input, count, &self.head, length);
                self.answer(&request).map(Some)
            }
            Ok(Status::Partial) if self.head.len() < HEAD_MAX => {
                *input = &[];
                Ok(None)
            }
            Ok(Status::Partial) | Err(Error::TooManyHeaders) => {
                Err(refusal("431 Request Header Fields Too Large", "", "The request is too long."))
            }
            Err(Error::Version) => {
                Err(refusal("505 HTTP Version Not Supported", "", "This is HTTP/1.1 only."))
            }
            Err(_) => Err(refusal("400 Bad Request", "", "This is no HTTP request.")),
        }
    }

    /// What is said to a peer that would be welcome if there were a place for it.
    pub(crate) fn no_place() -> Vec<u8> {
        refusal("503 Service Unavailable", "", "The socket has its peer already.").0
    }

    fn answer(&self, request: &Request<'_, '_>) -> Result<Greeted, BadGreeting> {
        let bad = |why: &str| refusal("400 Bad Request", "", why);
        let fields = &*request.headers;
        if request.method != Some("GET") {
            return Err(refusal("405 Method Not Allowed", "Allow: GET\r\n", "A WebSocket begins with GET."));
        }
        if request.version != Some(1) {
            return Err(refusal("505 HTTP Version Not Supported", "", "This is HTTP/1.1 only."));
        }
        if values(fields, "Host").next().is_none() {
            return Err(bad("The request names no host."));
        }
        if !has_token(fields, "Upgrade", "websocket") || !has_token(fields, "Connection", "Upgrade") {
            let upgrade = "Upgrade: websocket\r\n";
            return Err(refusal("426 Upgrade Required", upgrade, "This is a WebSocket and nothing else."));
        }
        if only(fields, "Sec-WebSocket-Version") != Some(VERSION.as_bytes()) {
            let version = format!("Sec-WebSocket-Version: {VERSION}\r\n");
            return Err(refusal("426 Upgrade Required", &version, "Another version of WebSocket is spoken."));
        }
        let key = only(fields, "Sec-WebSocket-Key").filter(|key| is_key(key));
        let key = key.ok_or_else(|| bad("The request has no Sec-WebSocket-Key of 16 bytes."))?;

        let own = subprotocol(self.protocols.own);
        let mut asked = values(fields, "Sec-WebSocket-Protocol").flat_map(tokens).peekable();
        let chosen = if asked.peek().is_none() {
            (self.protocols.own.number == UNNAMED).then_some(&b""[..])
        } else {
            asked.find(|name| name.eq_ignore_ascii_case(own.as_bytes()))
        };
        let chosen = chosen.ok_or_else(|| bad(&format!("The subprotocol here is {own}.")))?;

        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n",
            accept_of(key)
        )
        .into_bytes();
        if !chosen.is_empty() {
            answer.extend_from_slice(b"Sec-WebSocket-Protocol: ");
            answer.extend_from_slice(chosen);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"\r\n");
        Ok(Greeted { protocol: self.protocols.peer.number, answer })
    }
}

/// The connecting side: it has asked, and waits for the answer.
#[derive(Debug)]
pub(crate) struct Client {
    /// The protocol that was asked for.
    asked: ProtocolId,
    /// The answer to the key that was sent.
    accept: String,
    /// What has come of the answer.
    head: Vec<u8>,
}

impl Client {
    /// The connecting side, and its request to `authority` for `resource`.
    pub(crate) fn new(
        protocols: ProtocolPair,
        authority: &str,
        resource: &str,
        random: &mut Random,
    ) -> (Client, Vec<u8>) {
        let nonce = [random.next().to_ne_bytes(), random.next().to_ne_bytes()].concat();
        let key = BASE64.encode(nonce);
        // The two sides agree on the bound side's protocol.
        let asked = protocols.peer;
        let name = subprotocol(asked);
        let request = format!(
            "GET {resource} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {VERSION}\r\n\
             Sec-WebSocket-Protocol: {name}\r\n\r\n"
        );
        let accept = accept_of(key.as_bytes());
        (Client { asked, accept, head: Vec::new() }, request.into_bytes())
    }

    /// Takes what belongs to the answer from the front of `input`; tells what was agreed on once
    /// the answer is whole.
    ///
    /// # Errors
    /// [`BadGreeting`] when it was a refusal, or is not an answer to what was asked.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Greeted>, BadGreeting> {
        let count = take(&mut self.head, input);
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut answer = Response::new(&mut fields);
        match answer.parse(&self.head) {
            Ok(Status::Complete(length)) => {
                cut(input, count, &self.head, length);
                let protocol = self.agreed(&answer).ok_or(BadGreeting::silent())?;
                Ok(Some(Greeted { protocol, answer: Vec::new() }))
            }
            Ok(Status::Partial) if self.head.len() < HEAD_MAX => {
                *input = &[];
                Ok(None)
            }
            _ => Err(BadGreeting::silent()),
        }
    }

    /// The peer's protocol, if the answer is as it should be. A server that names no subprotocol
    /// leaves it at what was asked for.
    fn agreed(&self, answer: &Response<'_, '_>) -> Option<u16> {
        let fields = &*answer.headers;
        let asked = subprotocol(self.asked);
        let mut named = values(fields, "Sec-WebSocket-Protocol").filter(|name| !name.is_empty());
        let is_agreed = answer.code == Some(101)
            && has_token(fields, "Upgrade", "websocket")
            && has_token(fields, "Connection", "Upgrade")
            && only(fields, "Sec-WebSocket-Accept") == Some(self.accept.as_bytes())
            && named.all(|name| name.eq_ignore_ascii_case(asked.as_bytes()))
            // None was asked for.
            && values(fields, "Sec-WebSocket-Extensions").flat_map(tokens).next().is_none();
        is_agreed.then_some(self.asked.number)
    }
}

/// A protocol's name in `Sec-WebSocket-Protocol`.
fn subprotocol(protocol: ProtocolId) -> String {
    format!("{}{NAME_END}", protocol.name)
}

/// Appends what a head may still need from the front of `input`. Answers how much that was.
fn take(head: &mut Vec<u8>, input: &[u8]) -> usize {
    let count = input.len().min(HEAD_MAX - head.len());
    head.extend_from_slice(&input[..count]);
    count
}

/// Cuts off `input` what belongs to a head of `length` bytes, when `count` of them were appended
/// to what is in `head` now, and it was not whole before.
fn cut(input: &mut &[u8], count: usize, head: &[u8], length: usize) {
    let surplus = head.len() - length;
    *input = &input[count.saturating_sub(surplus)..];
}

/// Everything that fields of this name say.
fn values<'a>(fields: &'a [Header<'a>], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value.trim_ascii())
}

/// What the field of this name says, if there is one and no other.
fn only<'a>(fields: &'a [Header<'a>], name: &'static str) -> Option<&'a [u8]> {
    let mut values = values(fields, name);
    values.next().filter(|_| values.next().is_none())
}

/// The members of a list, such as `keep-alive, Upgrade`.
fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

fn has_token(fields: &[Header<'_>], name: &'static str, token: &str) -> bool {
    values(fields, name).flat_map(tokens).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether it stands for 16 bytes, as a key does.
fn is_key(key: &[u8]) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && BASE64.decode_slice(key, &mut bytes) == Ok(16)
}

/// What the bound side says to a key, so that the other knows that it was understood.
fn accept_of(key: &[u8]) -> String {
    BASE64.encode(Sha1::new().chain_update(key).chain_update(ACCEPT_SALT).finalize())
}

/// An answer that says no; `fields` end with a line's end, if there are any.
fn refusal(status: &str, fields: &str, why: &str) -> BadGreeting {
    let length = why.len() + 1;
    BadGreeting(
        format!(
            "HTTP/1.1 {status}\r\n{fields}Connection: close\r\nContent-Type: text/plain\r\n\
             Content-Length: {length}\r\n\r\n{why}\n"
        )
        .into_bytes(),
    )
}

#[cfg(test)]
mod tests;
