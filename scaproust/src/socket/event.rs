//! Events of a socket, and the messages in which its monitor publishes them.
//!
//! A message is a header of fixed length, `struct nn_event` of the C interface in the byte order of the machine, and
//! properties behind it: texts such as `peer=tcp://10.0.0.7:41022`, each with a zero at its end.

use std::fmt;
use std::time::Duration;

use super::endpoint_id::EndpointId;
use crate::error::Error;
use crate::pipe::Reason;

/// The version of the header.
pub const EVENT_VERSION: u8 = 1;
/// The length of the header in bytes.
pub const EVENT_SIZE: usize = 48;

/// The kind of an event. Its number is the first byte of the message, and so a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum EventKind {
    /// An endpoint is bound: connections may come.
    Listening = 1,
    /// An attempt to connect begins.
    Connecting = 2,
    /// The next attempt to connect begins in [`SocketEvent::value`] milliseconds, because the last one has failed or its
    /// connection has ended.
    Retry = 3,
    /// A connected endpoint has a connection, and both sides have greeted each other.
    Connected = 4,
    /// A bound endpoint has a connection, and both sides have greeted each other.
    Accepted = 5,
    /// A connection was refused: by a rule, for its protocol, or because the socket accepts no further peer.
    Refused = 6,
    /// A connection has ended before both sides had greeted each other.
    HandshakeFailed = 7,
    /// A connection has ended, and the last message from it was received.
    Disconnected = 8,
    /// A bind has failed.
    BindFailed = 9,
    /// A connection could not be accepted.
    AcceptFailed = 10,
    /// [`SocketEvent::value`] messages were dropped, because their receivers had no room.
    Dropped = 11,
    /// This subscriber has missed [`SocketEvent::value`] events, because it was too slow.
    Lost = 12,
    /// An endpoint was shut down or, if there is no endpoint, the monitor ends.
    Closed = 13,
}

impl EventKind {
    /// Every kind.
    const ALL: [EventKind; 13] = {
        use EventKind as Kind;
        [
            Kind::Listening,
            Kind::Connecting,
            Kind::Retry,
            Kind::Connected,
            Kind::Accepted,
            Kind::Refused,
            Kind::HandshakeFailed,
            Kind::Disconnected,
            Kind::BindFailed,
            Kind::AcceptFailed,
            Kind::Dropped,
            Kind::Lost,
            Kind::Closed,
        ]
    };

    /// Its name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Listening => "listening",
            EventKind::Connecting => "connecting",
            EventKind::Retry => "retry",
            EventKind::Connected => "connected",
            EventKind::Accepted => "accepted",
            EventKind::Refused => "refused",
            EventKind::HandshakeFailed => "handshake-failed",
            EventKind::Disconnected => "disconnected",
            EventKind::BindFailed => "bind-failed",
            EventKind::AcceptFailed => "accept-failed",
            EventKind::Dropped => "dropped",
            EventKind::Lost => "lost",
            EventKind::Closed => "closed",
        }
    }
}

impl Reason {
    /// Every reason.
    const ALL: [Reason; 10] = [
        Reason::Local,
        Reason::Peer,
        Reason::Network,
        Reason::Invalid,
        Reason::Silence,
        Reason::Mismatch,
        Reason::Busy,
        Reason::Rule,
        Reason::Memory,
        Reason::Certificate,
    ];

    /// Its name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reason::Local => "local",
            Reason::Peer => "peer",
            Reason::Network => "network",
            Reason::Invalid => "invalid",
            Reason::Silence => "silence",
            Reason::Mismatch => "mismatch",
            Reason::Busy => "busy",
            Reason::Rule => "rule",
            Reason::Memory => "memory",
            Reason::Certificate => "certificate",
        }
    }
}

/// An event of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketEvent {
    /// Its kind.
    pub kind: EventKind,
    /// When it was published, as the time since the beginning of 1970 in UTC.
    pub time: Duration,
    /// The number of the socket.
    pub socket: i32,
    /// The id of the endpoint, if the event is one of an endpoint.
    pub endpoint: Option<EndpointId>,
    /// The number of the connection, if there is one; see [`PeerInfo::pipe`](crate::PeerInfo::pipe).
    pub pipe: Option<u64>,
    /// The peer's protocol, if it is known.
    pub peer_protocol: Option<u16>,
    /// Why a connection was refused or has ended.
    pub reason: Option<Reason>,
    /// The error, if there is one.
    pub error: Option<Error>,
    /// A number whose meaning depends on the kind.
    pub value: u64,
    /// The address of the peer.
    pub peer: Option<Vec<u8>>,
    /// This side's address.
    pub local: Option<Vec<u8>>,
    /// Why a handshake has failed, in words of the TLS library.
    pub explanation: Option<String>,
}

impl SocketEvent {
    /// An event of this kind, without anything else.
    pub(super) fn new(kind: EventKind) -> SocketEvent {
        SocketEvent {
            kind,
            time: Duration::ZERO,
            socket: 0,
            endpoint: None,
            pipe: None,
            peer_protocol: None,
            reason: None,
            error: None,
            value: 0,
            peer: None,
            local: None,
            explanation: None,
        }
    }

    /// The message with this event.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(EVENT_SIZE + 64);
        message.extend([self.kind as u8, EVENT_VERSION]);
        message.extend(self.peer_protocol.unwrap_or(0).to_ne_bytes());
        message.extend(self.socket.to_ne_bytes());
        message.extend(self.endpoint.map_or(0, EndpointId::get).to_ne_bytes());
        message.extend(self.reason.map_or(0, |reason| reason as i32).to_ne_bytes());
        message.extend(self.error.map_or(0, Error::errno).to_ne_bytes());
        message.extend((EVENT_SIZE as u32).to_ne_bytes());
        message.extend(self.pipe.unwrap_or(0).to_ne_bytes());
        message.extend(crate::sync::nanoseconds(self.time).to_ne_bytes());
        message.extend(self.value.to_ne_bytes());
        let explanation = self.explanation.as_ref().map(String::as_bytes);
        let properties = [
            ("peer=", self.peer.as_deref()),
            ("local=", self.local.as_deref()),
            ("explanation=", explanation),
        ];
        for (name, text) in properties {
            if let Some(text) = text {
                message.extend(name.bytes());
                message.extend(text);
                message.push(0);
            }
        }
        message
    }

    /// The event in a message of a monitor; `None` if it is of a later version, or no such message.
    ///
    /// An error has the number that the C interface has for it: [`Error::Os`].
    #[must_use]
    pub fn decode(message: &[u8]) -> Option<SocketEvent> {
        fn part<const N: usize>(message: &[u8], offset: usize) -> Option<[u8; N]> {
            message.get(offset..)?.first_chunk().copied()
        }
        let int = |offset| part(message, offset).map(i32::from_ne_bytes);
        let long = |offset| part(message, offset).map(u64::from_ne_bytes);
        let number = *message.first()?;
        let kind = EventKind::ALL.into_iter().find(|kind| *kind as u8 == number)?;
        if *message.get(1)? != EVENT_VERSION {
            return None;
        }
        let reason = int(12)?;
        let size = usize::try_from(u32::from_ne_bytes(part(message, 20)?)).ok()?;
        let properties = message.get(size.max(EVENT_SIZE)..)?;
        let property = |name: &str| {
            let mut all = properties.split(|byte| *byte == 0);
            all.find_map(|text| text.strip_prefix(name.as_bytes())).map(<[u8]>::to_owned)
        };
        Some(SocketEvent {
            kind,
            time: Duration::from_nanos(long(32)?),
            socket: int(4)?,
            endpoint: Some(int(8)?).filter(|id| *id != 0).map(EndpointId),
            pipe: Some(long(24)?).filter(|id| *id != 0),
            peer_protocol: Some(u16::from_ne_bytes(part(message, 2)?)).filter(|number| *number != 0),
            reason: Reason::ALL.into_iter().find(|known| *known as i32 == reason),
            error: Some(int(16)?).filter(|error| *error != 0).map(Error::Os),
            value: long(40)?,
            peer: property("peer="),
            local: property("local="),
            explanation: property("explanation=").map(|text| String::from_utf8_lossy(&text).into_owned()),
        })
    }
}

impl fmt::Display for SocketEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        let texts = [("peer", &self.peer), ("local", &self.local)];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
            write!(f, " {name}={}", text.escape_ascii())?;
        }
        if let Some(endpoint) = self.endpoint {
            write!(f, " endpoint={endpoint}")?;
        }
        if let Some(pipe) = self.pipe {
            write!(f, " pipe={pipe}")?;
        }
        if let Some(protocol) = self.peer_protocol {
            write!(f, " protocol={protocol}")?;
        }
        if let Some(reason) = self.reason {
            write!(f, " reason={}", reason.name())?;
        }
        match self.kind {
            EventKind::Retry => write!(f, " ms={}", self.value)?,
            EventKind::Dropped | EventKind::Lost => write!(f, " count={}", self.value)?,
            _ => {}
        }
        if let Some(error) = self.error {
            write!(f, " error=\"{error}\"")?;
        }
        if let Some(explanation) = &self.explanation {
            write!(f, " explanation=\"{}\"", explanation.escape_debug())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> SocketEvent {
        SocketEvent {
            time: Duration::from_nanos(1_234_567_890_123_456_789),
            socket: 3,
            endpoint: Some(EndpointId(2)),
            pipe: Some(u64::from(u32::MAX)),
            peer_protocol: Some(81),
            reason: Some(Reason::Network),
            error: Some(Error::Os(libc::ECONNRESET)),
            value: u64::MAX,
            peer: Some(b"tcp://10.0.0.7:41022".to_vec()),
            local: Some(b"tcp://10.0.0.1:5".to_vec()),
            explanation: Some("not \"signed\"".to_owned()),
            ..SocketEvent::new(EventKind::Disconnected)
        }
    }

    #[test]
    fn an_event_is_decoded_as_it_was_encoded() {
        for kind in EventKind::ALL {
            for event in [SocketEvent::new(kind), SocketEvent { kind, ..full() }] {
                let message = event.encode();
                assert_eq!((message[0], SocketEvent::decode(&message)), (kind as u8, Some(event)));
            }
        }
        assert!(Reason::ALL.iter().all(|reason| {
            let event = SocketEvent { reason: Some(*reason), ..full() };
            SocketEvent::decode(&event.encode()) == Some(event)
        }));
    }

    #[test]
    fn what_is_no_event_is_not_decoded() {
        let message = full().encode();
        for length in 0..EVENT_SIZE {
            assert_eq!(SocketEvent::decode(&message[..length]), None);
        }
        for (offset, byte) in [(0, 0), (0, 14), (1, 2), (20, 255)] {
            let mut changed = message.clone();
            changed[offset] = byte;
            assert_eq!(SocketEvent::decode(&changed), None, "byte {offset}");
        }
    }

    #[test]
    fn a_longer_header_of_the_same_version_is_skipped() {
        let mut message = full().encode();
        message.splice(EVENT_SIZE..EVENT_SIZE, [7; 8]);
        message[20..24].copy_from_slice(&(EVENT_SIZE as u32 + 8).to_ne_bytes());
        assert_eq!(SocketEvent::decode(&message), Some(full()));
    }

    #[test]
    fn an_event_is_shown_on_one_line() {
        let shown = full().to_string();
        assert!(shown.starts_with(
            "disconnected peer=tcp://10.0.0.7:41022 local=tcp://10.0.0.1:5 endpoint=2 pipe=4294967295 \
             protocol=81 reason=network error=\""
        ));
        assert!(shown.ends_with("explanation=\"not \\\"signed\\\"\""), "{shown}");
        let retry = SocketEvent {
            value: 100,
            peer: Some(b"ipc://a\nb".to_vec()),
            ..SocketEvent::new(EventKind::Retry)
        };
        assert_eq!(retry.to_string(), "retry peer=ipc://a\\nb ms=100");
    }
}
