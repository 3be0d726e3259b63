//! The HTTP upgrade: a request of the connecting side, and a response of the bound side.
//!
//! The bound side accepts every path, and takes a request without a subprotocol for one of a PAIR
//! socket. An invalid request is refused with a response that gives the reason.

use base64::Engine;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use httparse::{EMPTY_HEADER, Error, Header, Request, Response, Status};
use sha1::{Digest, Sha1};

use super::Random;
use crate::wire::greeting::{BadGreeting, Greeted, ProtocolId, ProtocolPair, Protocols};

/// The longest request or response in bytes, without the bytes that may follow it.
const HEAD_MAX: usize = 8 * 1024;
/// The most header fields of a request or response.
const FIELDS_MAX: usize = 64;
/// Appended to a key before it is hashed (RFC 6455, 1.3).
const ACCEPT_SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The start of nng's request if its address has no path. It is not valid HTTP, but libnanomsg accepts
/// it.
const NO_PATH: &[u8] = b"GET  ";
/// The protocol number of a request without a subprotocol: PAIR.
const UNNAMED: u16 = 16;
/// The suffix of a protocol's name in `Sec-WebSocket-Protocol`.
const NAME_END: &str = ".sp.nanomsg.org";
/// The supported version of WebSocket.
const VERSION: &str = "13";

/// Accepts keys whose last, unused bits are not zero: some clients send such.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The bound side: it expects a request.
#[derive(Debug)]
pub(crate) struct UpgradeServer {
    protocols: Protocols,
    /// The part of the request that has arrived.
    received: Vec<u8>,
}

impl UpgradeServer {
    /// A bound side with these protocols.
    pub(crate) fn new(protocols: impl Into<Protocols>) -> UpgradeServer {
        UpgradeServer { protocols: protocols.into(), received: Vec::new() }
    }

    /// Cuts bytes of the request off the front of `input`. Returns the greeting once it is complete.
    ///
    /// # Errors
    /// [`BadGreeting`], with a response that refuses the request.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Greeted>, BadGreeting> {
        let count = append(&mut self.received, input);
        if self.received.starts_with(NO_PATH) {
            self.received.insert(NO_PATH.len() - 1, b'/');
        }
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut request = Request::new(&mut fields);
        match request.parse(&self.received) {
            Ok(Status::Complete(length)) => {
                cut(input, count, &self.received, length);
                self.response(&request).map(Some)
            }
            Ok(Status::Partial) if self.received.len() < HEAD_MAX => {
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

    /// The response to a valid request while the socket cannot have another peer.
    pub(crate) fn busy_reply() -> Vec<u8> {
        refusal("503 Service Unavailable", "", "The socket has its peer already.").final_reply
    }

    fn response(&self, request: &Request<'_, '_>) -> Result<Greeted, BadGreeting> {
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

        let Protocols { first, second, .. } = self.protocols;
        let own = subprotocol(first.own);
        let mut asked = values(fields, "Sec-WebSocket-Protocol").flat_map(tokens).peekable();
        let chosen = if asked.peek().is_none() {
            (first.own.number == UNNAMED).then_some((&b""[..], first))
        } else {
            let pair_of = |name: &[u8]| {
                let mut pairs = [Some(first), second].into_iter().flatten();
                pairs.find(|pair| name.eq_ignore_ascii_case(subprotocol(pair.own).as_bytes()))
            };
            asked.find_map(|name| Some((name, pair_of(name)?)))
        };
        let (chosen, pair) =
            chosen.ok_or_else(|| bad(&format!("The subprotocol here is {own}.")).of_mismatch())?;

        let mut reply = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n",
            accept_of(key)
        )
        .into_bytes();
        if !chosen.is_empty() {
            reply.extend_from_slice(b"Sec-WebSocket-Protocol: ");
            reply.extend_from_slice(chosen);
            reply.extend_from_slice(b"\r\n");
        }
        reply.extend_from_slice(b"\r\n");
        let resource = request.path.map(|path| path.as_bytes().to_owned());
        Ok(Greeted { protocol: pair.peer.number, own: Some(pair.own), reply, resource })
    }
}

/// The connecting side: it has sent its request, and expects the response.
#[derive(Debug)]
pub(crate) struct UpgradeClient {
    /// The protocol that was requested.
    protocols: ProtocolPair,
    /// The `Sec-WebSocket-Accept` that belongs to the key in the request.
    accept: String,
    /// The part of the response that has arrived.
    received: Vec<u8>,
}

impl UpgradeClient {
    /// A connecting side with these protocols, and its request to `authority` for `resource`.
    pub(crate) fn new(
        protocols: ProtocolPair,
        authority: &str,
        resource: &str,
        random: &mut Random,
    ) -> (UpgradeClient, Vec<u8>) {
        let nonce = [random.next().to_ne_bytes(), random.next().to_ne_bytes()].concat();
        let key = BASE64.encode(nonce);
        // The subprotocol is that of the bound side.
        let name = subprotocol(protocols.peer);
        let request = format!(
            "GET {resource} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {VERSION}\r\n\
             Sec-WebSocket-Protocol: {name}\r\n\r\n"
        );
        let accept = accept_of(key.as_bytes());
        (UpgradeClient { protocols, accept, received: Vec::new() }, request.into_bytes())
    }

    /// Cuts bytes of the response off the front of `input`. Returns the greeting once it is complete.
    ///
    /// # Errors
    /// [`BadGreeting`] when the response is a refusal, or does not match the request.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Greeted>, BadGreeting> {
        let count = append(&mut self.received, input);
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut response = Response::new(&mut fields);
        match response.parse(&self.received) {
            Ok(Status::Complete(length)) => {
                cut(input, count, &self.received, length);
                self.check(&response)?;
                Ok(Some(Greeted {
                    protocol: self.protocols.peer.number,
                    own: Some(self.protocols.own),
                    reply: Vec::new(),
                    resource: None,
                }))
            }
            Ok(Status::Partial) if self.received.len() < HEAD_MAX => {
                *input = &[];
                Ok(None)
            }
            _ => Err(BadGreeting::silent()),
        }
    }

    /// Checks that the response matches the request. The subprotocol is the requested one, also if none is named.
    fn check(&self, response: &Response<'_, '_>) -> Result<(), BadGreeting> {
        let fields = &*response.headers;
        let asked = subprotocol(self.protocols.peer);
        let mut named = values(fields, "Sec-WebSocket-Protocol").filter(|name| !name.is_empty());
        let is_upgraded = response.code == Some(101)
            && has_token(fields, "Upgrade", "websocket")
            && has_token(fields, "Connection", "Upgrade")
            && only(fields, "Sec-WebSocket-Accept") == Some(self.accept.as_bytes())
            // No extension was requested.
            && values(fields, "Sec-WebSocket-Extensions").flat_map(tokens).next().is_none();
        if !is_upgraded {
            return Err(BadGreeting::silent());
        }
        if !named.all(|name| name.eq_ignore_ascii_case(asked.as_bytes())) {
            return Err(BadGreeting::silent().of_mismatch());
        }
        Ok(())
    }
}

/// A protocol's name in `Sec-WebSocket-Protocol`.
fn subprotocol(protocol: ProtocolId) -> String {
    format!("{}{NAME_END}", protocol.name)
}

/// Appends to `received` as much of `input` as may belong to it. Returns the number of bytes.
fn append(received: &mut Vec<u8>, input: &[u8]) -> usize {
    let count = input.len().min(HEAD_MAX - received.len());
    received.extend_from_slice(&input[..count]);
    count
}

/// Cuts the bytes that belong to the request or response off the front of `input`. The first `length` bytes
/// of `received` are the request or response; its last `count` bytes were copied from `input`.
fn cut(input: &mut &[u8], count: usize, received: &[u8], length: usize) {
    let surplus = received.len() - length;
    *input = &input[count.saturating_sub(surplus)..];
}

/// The values of all fields with this name.
fn values<'a>(fields: &'a [Header<'a>], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value.trim_ascii())
}

/// The value of the field with this name, if there is exactly one.
fn only<'a>(fields: &'a [Header<'a>], name: &'static str) -> Option<&'a [u8]> {
    let mut values = values(fields, name);
    values.next().filter(|_| values.next().is_none())
}

/// The elements of a list, such as `keep-alive, Upgrade`.
fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

fn has_token(fields: &[Header<'_>], name: &'static str, token: &str) -> bool {
    values(fields, name).flat_map(tokens).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether a key has the right form: 16 bytes in base64.
fn is_key(key: &[u8]) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && BASE64.decode_slice(key, &mut bytes) == Ok(16)
}

/// The `Sec-WebSocket-Accept` that belongs to a key: proof that the request was understood.
fn accept_of(key: &[u8]) -> String {
    BASE64.encode(Sha1::new().chain_update(key).chain_update(ACCEPT_SALT).finalize())
}

/// A response that refuses a request. Each of the additional `fields` ends with `\r\n`.
fn refusal(status: &str, fields: &str, why: &str) -> BadGreeting {
    let length = why.len() + 1;
    let response = format!(
        "HTTP/1.1 {status}\r\n{fields}Connection: close\r\nContent-Type: text/plain\r\n\
         Content-Length: {length}\r\n\r\n{why}\n"
    );
    BadGreeting { final_reply: response.into_bytes(), is_mismatch: false }
}

#[cfg(test)]
mod tests;
