//! The kinds of sockets: their numbers on the wire, their peers and their directions.
//!
//! What a kind does is in its machine; this is what can be said of it without one.

/// A scalability protocol's role, such as PUSH or PULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// One peer, both directions.
    Pair,
    /// Sends to all subscribers.
    Pub,
    /// Receives what it has subscribed to.
    Sub,
    /// Asks, and waits for the reply.
    Req,
    /// Answers.
    Rep,
    /// Sends each message to one of its peers.
    Push,
    /// Receives from all its peers.
    Pull,
    /// Asks all its peers, and waits for a time for their answers.
    Surveyor,
    /// Answers, or does not.
    Respondent,
    /// Sends to all its peers, and receives from all.
    Bus,
}

impl Kind {
    /// Every kind there is.
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

    /// The protocol's number, in the API and on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Kind::Pair => 16,
            Kind::Pub => 32,
            Kind::Sub => 33,
            Kind::Req => 48,
            Kind::Rep => 49,
            Kind::Push => 80,
            Kind::Pull => 81,
            Kind::Surveyor => 98,
            Kind::Respondent => 99,
            Kind::Bus => 112,
        }
    }

    /// The pattern that it is one role of: only within a pattern do messages mean the same.
    #[must_use]
    pub const fn pattern(self) -> u16 {
        self.number() / 16
    }

    /// The kind that has this number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| i32::from(kind.number()) == number)
    }

    /// Whether sockets of this kind talk to those of the kind that has the other number.
    #[must_use]
    pub const fn is_peer(self, other_number: u16) -> bool {
        let peer = match self {
            Kind::Pair => Kind::Pair,
            Kind::Pub => Kind::Sub,
            Kind::Sub => Kind::Pub,
            Kind::Req => Kind::Rep,
            Kind::Rep => Kind::Req,
            Kind::Push => Kind::Pull,
            Kind::Pull => Kind::Push,
            Kind::Surveyor => Kind::Respondent,
            Kind::Respondent => Kind::Surveyor,
            Kind::Bus => Kind::Bus,
        };
        peer.number() == other_number
    }

    /// Whether its sockets send at all.
    #[must_use]
    pub const fn can_send(self) -> bool {
        !matches!(self, Kind::Sub | Kind::Pull)
    }

    /// Whether its sockets drop what a receiver has no room for, for as long as they are asked to send.
    #[must_use]
    pub const fn drops(self) -> bool {
        matches!(self, Kind::Pub | Kind::Bus)
    }

    /// Whether its sockets receive at all.
    #[must_use]
    pub const fn can_recv(self) -> bool {
        !matches!(self, Kind::Pub | Kind::Push)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_one_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind.number().into()), Some(kind));
        }
        for number in [-1, 0, 17, 96, 65_536 + 16] {
            assert_eq!(Kind::from_number(number), None);
        }
    }

    #[test]
    fn every_kind_has_one_peer_and_is_its_peer() {
        for kind in Kind::ALL {
            let peers: Vec<Kind> =
                Kind::ALL.into_iter().filter(|other| kind.is_peer(other.number())).collect();
            assert_eq!(peers.len(), 1);
            assert!(peers[0].is_peer(kind.number()));
            assert_eq!(peers[0].pattern(), kind.pattern());
            assert_eq!((kind.can_send(), kind.can_recv()), (peers[0].can_recv(), peers[0].can_send()));
        }
    }
}
