//! The table of roles: what each kind of socket is and may do, as the protocols' standards say.
//!
//! It is written out here once more, and not taken from the library, because it is what the
//! library is measured by.

use std::ffi::c_int;
use std::fmt;

use nanomsg::Error;
use nanomsg::capi::constants::{
    NN_BUS, NN_PAIR, NN_PUB, NN_PULL, NN_PUSH, NN_REP, NN_REQ, NN_RESPONDENT, NN_SUB, NN_SURVEYOR,
};

/// A kind of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pair,
    Pub,
    Sub,
    Req,
    Rep,
    Push,
    Pull,
    Surveyor,
    Respondent,
    Bus,
}

impl Kind {
    pub const ALL: [Kind; 10] = [
        Kind::Pair,
        Kind::Pub,
        Kind::Sub,
        Kind::Req,
        Kind::Rep,
        Kind::Push,
        Kind::Pull,
        Kind::Surveyor,
        Kind::Respondent,
        Kind::Bus,
    ];

    /// Its number, and the one kind that it talks to.
    const fn facts(self) -> (c_int, Kind) {
        match self {
            Kind::Pair => (NN_PAIR, Kind::Pair),
            Kind::Pub => (NN_PUB, Kind::Sub),
            Kind::Sub => (NN_SUB, Kind::Pub),
            Kind::Req => (NN_REQ, Kind::Rep),
            Kind::Rep => (NN_REP, Kind::Req),
            Kind::Push => (NN_PUSH, Kind::Pull),
            Kind::Pull => (NN_PULL, Kind::Push),
            Kind::Surveyor => (NN_SURVEYOR, Kind::Respondent),
            Kind::Respondent => (NN_RESPONDENT, Kind::Surveyor),
            Kind::Bus => (NN_BUS, Kind::Bus),
        }
    }

    pub const fn number(self) -> c_int {
        self.facts().0
    }

    pub const fn peer(self) -> Kind {
        self.facts().1
    }

    pub const fn sends(self) -> bool {
        !matches!(self, Kind::Sub | Kind::Pull)
    }

    pub const fn receives(self) -> bool {
        !matches!(self, Kind::Pub | Kind::Push)
    }

    /// Whether what it sends is a question.
    pub const fn asks(self) -> bool {
        matches!(self, Kind::Req | Kind::Surveyor)
    }

    /// Whether what it sends is an answer.
    pub const fn answers(self) -> bool {
        matches!(self, Kind::Rep | Kind::Respondent)
    }
}

/// A kind of socket, cooked or raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    pub kind: Kind,
    pub raw: bool,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", if self.raw { "raw " } else { "" }, self.kind)
    }
}

/// What becomes of a message when no peer can take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwanted {
    /// The sender waits.
    Waits,
    /// It is dropped.
    Dropped,
    /// The newest one is kept until somebody takes it.
    Kept,
}

impl Role {
    pub const fn cooked(kind: Kind) -> Role {
        Role { kind, raw: false }
    }

    pub const fn raw(kind: Kind) -> Role {
        Role { kind, raw: true }
    }

    /// What becomes of what it sends when no peer can take it.
    pub const fn unwanted(self) -> Unwanted {
        match (self.kind, self.raw) {
            (Kind::Req, false) => Unwanted::Kept,
            (Kind::Pair | Kind::Push | Kind::Req, _) => Unwanted::Waits,
            _ => Unwanted::Dropped,
        }
    }

    /// What a call to send says that must not block, when there is no peer and never was one.
    pub const fn send_alone(self) -> Result<(), Error> {
        match (self.kind, self.raw) {
            (Kind::Sub | Kind::Pull, _) => Err(Error::NotSupported),
            (Kind::Rep | Kind::Respondent, false) => Err(Error::WrongState),
            (Kind::Pair | Kind::Push, _) | (Kind::Req, true) => Err(Error::WouldBlock),
            _ => Ok(()),
        }
    }

    /// The same for receiving.
    pub const fn recv_alone(self) -> Error {
        match (self.kind, self.raw) {
            (Kind::Pub | Kind::Push, _) => Error::NotSupported,
            (Kind::Req | Kind::Surveyor, false) => Error::WrongState,
            _ => Error::WouldBlock,
        }
    }

    /// Whether the descriptor for receiving is readable although there is no message, because
    /// whoever waits for one should hear that none will come.
    pub const fn says_receivable_alone(self) -> bool {
        matches!((self.kind, self.raw), (Kind::Surveyor, false))
    }

    /// The header of a message that it sends unasked.
    pub const fn own_header(self) -> &'static [u8] {
        match (self.kind, self.raw) {
            // The number of the question, with the bit that marks the last word.
            (Kind::Req | Kind::Surveyor, true) => &[0x80, 0, 0, 7],
            _ => &[],
        }
    }

    /// Length of the header that it shows of a message which made no hop.
    pub const fn header_length(self) -> usize {
        match (self.kind, self.raw) {
            (Kind::Req | Kind::Surveyor, true) => 4,
            (Kind::Rep | Kind::Respondent | Kind::Bus, true) => 8,
            _ => 0,
        }
    }
}
