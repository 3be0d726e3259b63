//! The table of roles: the properties of each socket type, from the protocols' standards.
//!
//! They are not taken from the library, since the library is tested against them.

use std::ffi::c_int;
use std::fmt;

use nanomsg::constants::{
    NN_BUS, NN_PAIR, NN_PAIR_V1, NN_PUB, NN_PULL, NN_PUSH, NN_REP, NN_REQ, NN_RESPONDENT, NN_STAR, NN_SUB,
    NN_SURVEYOR,
};
use scaproust::Error;

/// A socket type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketType {
    Pair,
    PairV1,
    Pub,
    Sub,
    Req,
    Rep,
    Push,
    Pull,
    Surveyor,
    Respondent,
    Bus,
    Star,
}

impl SocketType {
    pub(crate) const ALL: [SocketType; 12] = [
        SocketType::Pair,
        SocketType::PairV1,
        SocketType::Pub,
        SocketType::Sub,
        SocketType::Req,
        SocketType::Rep,
        SocketType::Push,
        SocketType::Pull,
        SocketType::Surveyor,
        SocketType::Respondent,
        SocketType::Bus,
        SocketType::Star,
    ];

    /// Its number, and the one type that it talks to.
    const fn facts(self) -> (c_int, SocketType) {
        match self {
            SocketType::Pair => (NN_PAIR, SocketType::Pair),
            SocketType::PairV1 => (NN_PAIR_V1, SocketType::PairV1),
            SocketType::Pub => (NN_PUB, SocketType::Sub),
            SocketType::Sub => (NN_SUB, SocketType::Pub),
            SocketType::Req => (NN_REQ, SocketType::Rep),
            SocketType::Rep => (NN_REP, SocketType::Req),
            SocketType::Push => (NN_PUSH, SocketType::Pull),
            SocketType::Pull => (NN_PULL, SocketType::Push),
            SocketType::Surveyor => (NN_SURVEYOR, SocketType::Respondent),
            SocketType::Respondent => (NN_RESPONDENT, SocketType::Surveyor),
            SocketType::Bus => (NN_BUS, SocketType::Bus),
            SocketType::Star => (NN_STAR, SocketType::Star),
        }
    }

    pub(crate) const fn number(self) -> c_int {
        self.facts().0
    }

    pub(crate) const fn peer(self) -> SocketType {
        self.facts().1
    }

    pub(crate) const fn sends(self) -> bool {
        !matches!(self, SocketType::Sub | SocketType::Pull)
    }

    pub(crate) const fn receives(self) -> bool {
        !matches!(self, SocketType::Pub | SocketType::Push)
    }

    /// Whether what it sends is a question.
    pub(crate) const fn asks(self) -> bool {
        matches!(self, SocketType::Req | SocketType::Surveyor)
    }

    /// Whether what it sends is an answer.
    pub(crate) const fn answers(self) -> bool {
        matches!(self, SocketType::Rep | SocketType::Respondent)
    }
}

/// A socket type, cooked or raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub socket_type: SocketType,
    pub raw: bool,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", if self.raw { "raw " } else { "" }, self.socket_type)
    }
}

/// The result for a message when no peer can take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// The sender waits.
    Waits,
    /// It is dropped.
    Dropped,
    /// The newest one is kept until a peer takes it.
    Kept,
}

impl Role {
    pub(crate) const fn cooked(socket_type: SocketType) -> Role {
        Role { socket_type, raw: false }
    }

    pub(crate) const fn raw(socket_type: SocketType) -> Role {
        Role { socket_type, raw: true }
    }

    /// The result for a message that it sends when no peer can take it.
    pub(crate) const fn unwanted(self) -> Unwanted {
        match (self.socket_type, self.raw) {
            (SocketType::Req, false) => Unwanted::Kept,
            (SocketType::Pair | SocketType::PairV1 | SocketType::Push | SocketType::Req, _) => {
                Unwanted::Waits
            }
            _ => Unwanted::Dropped,
        }
    }

    /// The result of a send without blocking on a socket that never had a peer.
    pub(crate) const fn send_alone(self) -> Result<(), Error> {
        match (self.socket_type, self.raw) {
            (SocketType::Sub | SocketType::Pull, _) => Err(Error::NotSupported),
            (SocketType::Rep | SocketType::Respondent, false) => Err(Error::WrongState),
            (SocketType::Pair | SocketType::PairV1 | SocketType::Push, _) | (SocketType::Req, true) => {
                Err(Error::WouldBlock)
            }
            _ => Ok(()),
        }
    }

    /// The same for receiving.
    pub(crate) const fn recv_alone(self) -> Error {
        match (self.socket_type, self.raw) {
            (SocketType::Pub | SocketType::Push, _) => Error::NotSupported,
            (SocketType::Req | SocketType::Surveyor, false) => Error::WrongState,
            _ => Error::WouldBlock,
        }
    }

    /// Whether the descriptor for receiving is readable although there is no message, so that a caller
    /// that polls it learns that none will arrive.
    pub(crate) const fn says_receivable_alone(self) -> bool {
        matches!((self.socket_type, self.raw), (SocketType::Surveyor, false))
    }

    /// The result of a send without a protocol header.
    pub(crate) const fn send_without_header(self) -> Result<(), Error> {
        match (self.socket_type, self.raw) {
            (SocketType::PairV1 | SocketType::Star, true) => Err(Error::InvalidArgument),
            _ => self.send_alone(),
        }
    }

    /// The header of a message that it sends without a question.
    pub(crate) const fn own_header(self) -> &'static [u8] {
        match (self.socket_type, self.raw) {
            // The number of the question, with the bit that marks the last word.
            (SocketType::Req | SocketType::Surveyor, true) => &[0x80, 0, 0, 7],
            (SocketType::PairV1 | SocketType::Star, true) => &[0; 4],
            _ => &[],
        }
    }

    /// The length of the header of a received message that has made no hop.
    pub(crate) const fn header_length(self) -> usize {
        match (self.socket_type, self.raw) {
            (SocketType::Req | SocketType::Surveyor | SocketType::PairV1 | SocketType::Star, true) => 4,
            (SocketType::Rep | SocketType::Respondent | SocketType::Bus, true) => 8,
            _ => 0,
        }
    }
}
