//! Raw sockets, for programs that forward messages; see [`pattern::Raw`].
//!
//! A raw socket keeps no state. A received message has its protocol header ([`Message::header`](crate::Message::header)),
//! and a message is sent with the header that it has. [`device`](crate::device) forwards between two of them.

use super::pattern::{self, Raw};
use super::socket::Socket;

/// A raw PAIR socket.
pub type Pair = Socket<Raw<pattern::Pair>>;
/// A raw PAIR v1 socket.
pub type PairV1 = Socket<Raw<pattern::PairV1>>;
/// A raw PUB socket.
pub type Pub = Socket<Raw<pattern::Pub>>;
/// A raw SUB socket: it receives every message, without a subscription.
pub type Sub = Socket<Raw<pattern::Sub>>;
/// A raw REQ socket.
pub type Req = Socket<Raw<pattern::Req>>;
/// A raw REP socket.
pub type Rep = Socket<Raw<pattern::Rep>>;
/// A raw PUSH socket.
pub type Push = Socket<Raw<pattern::Push>>;
/// A raw PULL socket.
pub type Pull = Socket<Raw<pattern::Pull>>;
/// A raw BUS socket.
pub type Bus = Socket<Raw<pattern::Bus>>;
/// A raw STAR socket.
pub type Star = Socket<Raw<pattern::Star>>;
/// A raw SURVEYOR socket.
pub type Surveyor = Socket<Raw<pattern::Surveyor>>;
/// A raw socket of a protocol that is known only at run time; see [`AnySocket`](crate::AnySocket).
pub type AnySocket = Socket<Raw<pattern::Any>>;
/// A raw RESPONDENT socket.
pub type Respondent = Socket<Raw<pattern::Respondent>>;
