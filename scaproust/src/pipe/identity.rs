//! What a transport knows of the peer of a pipe, and of the end of a connection.

use std::net::SocketAddr;

use crate::error::Error;
#[cfg(feature = "tls")]
use crate::tls::PeerIdentity;

/// The process at the other end of a connection over ipc, as the operating system names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// The process id; 0 if the system does not tell it.
    pub pid: i32,
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
}

/// What a transport knows of the peer of a pipe. Addresses are without their scheme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The peer's address, empty if it has no name; `None` if it is the address of the endpoint.
    pub(crate) remote: Option<Vec<u8>>,
    /// This side's address; `None` if it is the address of a bound endpoint, or a connected one has none.
    pub(crate) local: Option<Vec<u8>>,
    /// The peer's process.
    pub(crate) credentials: Option<Credentials>,
    /// What a ws client has requested.
    pub(crate) resource: Option<Vec<u8>>,
    /// The bytes of the connection travel through shared memory.
    pub(crate) shared_memory: bool,
    /// What the peer's certificate says, over TLS.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<PeerIdentity>,
}

/// A network address as text. An IPv4 address that the system writes as IPv6 is written as IPv4.
pub(crate) fn address_text(address: SocketAddr) -> String {
    SocketAddr::new(address.ip().to_canonical(), address.port()).to_string()
}

/// Why a connection was refused or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Reason {
    /// This side has ended it: the endpoint was shut down, the socket closed, or the peer disconnected.
    Local = 1,
    /// The peer has ended it.
    Peer = 2,
    /// The network, or the operating system.
    Network = 3,
    /// The peer has sent something invalid.
    Invalid = 4,
    /// The peer was silent for too long.
    Silence = 5,
    /// The peer's protocol is not the one that belongs to this socket's.
    Mismatch = 6,
    /// The socket accepts no further peer.
    Busy = 7,
    /// A rule of the endpoint excludes the peer.
    Rule = 8,
    /// There is no memory.
    Memory = 9,
    /// The peer's certificate was refused, or it has shown none.
    Certificate = 10,
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Why it has ended.
    pub(crate) reason: Reason,
    /// The error, if there is one.
    pub(crate) error: Option<Error>,
}

impl End {
    /// This side ends it.
    pub(crate) const LOCAL: End = End { reason: Reason::Local, error: None };
    /// The peer has ended it.
    pub(crate) const PEER: End = End { reason: Reason::Peer, error: None };
    /// The peer was silent for too long.
    pub(crate) const SILENCE: End = End { reason: Reason::Silence, error: Some(Error::TimedOut) };
    /// The peer has sent something that its mapping does not allow.
    pub(crate) const INVALID: End = End { reason: Reason::Invalid, error: Some(Error::Os(libc::EPROTO)) };
    /// The peer's certificate was refused, or it has shown none.
    #[cfg(feature = "tls")]
    pub(crate) const CERTIFICATE: End =
        End { reason: Reason::Certificate, error: Some(Error::Os(libc::EACCES)) };
    /// The peer has refused this side, and has said so.
    #[cfg(feature = "tls")]
    pub(crate) const ALERT: End = End { reason: Reason::Peer, error: Some(Error::Os(libc::EPROTO)) };
    /// The stream has ended, and the peer has not said that it ends: its process has.
    #[cfg(feature = "tls")]
    pub(crate) const CUT: End = End { reason: Reason::Peer, error: Some(Error::Os(libc::ECONNRESET)) };
    /// There is no memory.
    pub(crate) const MEMORY: End = End { reason: Reason::Memory, error: Some(Error::OutOfMemory) };
    /// The peer's protocol is not the one that belongs to this socket's.
    pub(crate) const MISMATCH: End = End { reason: Reason::Mismatch, error: None };
    /// The socket accepts no further peer.
    pub(crate) const BUSY: End = End { reason: Reason::Busy, error: None };
    /// A rule of the endpoint excludes the peer.
    pub(crate) const RULE: End = End { reason: Reason::Rule, error: Some(Error::Os(libc::EACCES)) };
    /// The network has failed; it is not known how.
    pub(crate) const NETWORK: End = End { reason: Reason::Network, error: None };

    /// Whether the connection was refused, and not lost.
    pub(crate) fn is_refusal(self) -> bool {
        matches!(self.reason, Reason::Mismatch | Reason::Busy | Reason::Rule)
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> End {
        End { reason: Reason::Network, error: Some(error.into()) }
    }
}
