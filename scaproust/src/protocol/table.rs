//! The table of protocols: their properties, and the constructors of their machines.

use std::fmt;

use super::cooked::Cooked;
use super::{
    FILTER, Machine, RESEND_INTERVAL, SUBSCRIBE, SURVEY_DEADLINE, UNSUBSCRIBE, bus, pair, pair_v1, pipeline,
    pubsub, reqrep, star, survey,
};
use crate::option::OptionType;

/// A row of the table: one side of a scalability protocol, such as PUSH or PULL.
#[derive(Clone, Copy)]
pub struct ProtocolInfo {
    /// The protocol's number, in the C API and in the SP header of tcp and ipc.
    pub number: u16,
    /// Its name, which in a WebSocket's `Sec-WebSocket-Protocol` is followed by `.sp.nanomsg.org`.
    pub name: &'static str,
    /// The protocol that its peers must have.
    pub peer: &'static ProtocolInfo,
    /// Whether its sockets can send.
    pub can_send: bool,
    /// Whether its sockets can receive.
    pub can_recv: bool,
    /// Whether its sockets have at most one peer at a time.
    pub is_exclusive: bool,
    /// Whether a send drops the message for peers that have no room, instead of blocking.
    pub drops: bool,
    /// Whether its sockets send each message to one of several peers, and await no answer.
    pub spreads: bool,
    /// Whether its machines pass a body that is sent on to one peer at most, and keep nothing of it.
    pub lends: bool,
    /// Whether its sockets may drop old messages for new ones: those of the others refer to each other.
    pub may_drop_old: bool,
    /// Whether its cooked machine acts between calls of the program: it may have a deadline or be busy. The
    /// socket does not ask other machines for either.
    pub acts_between_calls: bool,
    /// Whether its sockets, raw ones too, forward messages from one peer to others, at once and between calls of the program.
    pub forwards: bool,
    /// The number and the name with which its sockets greet a peer, in place of `number` and `name`, if the publisher is to
    /// filter the messages. The number is from the range that the registry of protocols leaves to local use.
    pub filtering: Option<(u16, &'static str)>,
    /// The names and the types of its options.
    pub options: &'static [(i32, OptionType)],
    /// Whether a socket can be a context of another one.
    pub(crate) contexts: Contexts,
    /// Makes the machine of a new socket. The seed should be random. REQ and SURVEYOR number their questions
    /// from it, so that replies to an earlier process do not match questions of a restarted one. A raw BUS
    /// socket recognises its own headers by it.
    pub machine: fn(is_raw: bool, seed: u32) -> Machine,
}

/// Whether cooked sockets of a protocol can have contexts, and how these get messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contexts {
    /// There are none.
    None,
    /// A message goes to the context that receives next.
    Pull,
    /// A message belongs to certain contexts, and goes to their mailboxes.
    Push,
}

/// Every protocol.
pub static PROTOCOLS: [&ProtocolInfo; 12] =
    [&PAIR, &PAIR_V1, &PUB, &SUB, &REQ, &REP, &PUSH, &PULL, &SURVEYOR, &RESPONDENT, &BUS, &STAR];

/// Sends to and receives from one peer.
pub(crate) static PAIR: ProtocolInfo = ProtocolInfo {
    is_exclusive: true,
    lends: true,
    may_drop_old: true,
    ..row(16, "pair", &PAIR, |_, _| Machine::Pair(pair::Pair::new()))
};

/// PAIR with a hop count in front of each message.
pub(crate) static PAIR_V1: ProtocolInfo = ProtocolInfo {
    is_exclusive: true,
    may_drop_old: true,
    ..row(17, "pair1", &PAIR_V1, |is_raw, _| match is_raw {
        false => Machine::PairV1(Cooked::new(pair_v1::RawPairV1::new())),
        true => Machine::RawPairV1(pair_v1::RawPairV1::new()),
    })
};

/// Sends to all subscribers.
pub(crate) static PUB: ProtocolInfo = ProtocolInfo {
    can_recv: false,
    drops: true,
    filtering: Some((0xf020, "pubf")),
    options: &[(FILTER, OptionType::FLAG)],
    ..row(32, "pub", &SUB, |_, _| Machine::Publisher(pubsub::Publisher::new()))
};

/// Receives the messages that it has subscribed to.
pub static SUB: ProtocolInfo = ProtocolInfo {
    can_send: false,
    may_drop_old: true,
    filtering: Some((0xf021, "subf")),
    options: &[(SUBSCRIBE, OptionType::Bytes), (UNSUBSCRIBE, OptionType::Bytes), (FILTER, OptionType::FLAG)],
    contexts: Contexts::Push,
    ..row(33, "sub", &PUB, |_, _| Machine::Subscriber(pubsub::Subscriber::new()))
};

/// Sends requests, each to one of its peers, and receives the replies.
pub static REQ: ProtocolInfo = ProtocolInfo {
    acts_between_calls: true,
    options: &[(RESEND_INTERVAL, OptionType::ANY_INT)],
    contexts: Contexts::Push,
    ..row(48, "req", &REP, |is_raw, seed| match is_raw {
        false => Machine::Requester(reqrep::Requester::new(seed)),
        true => Machine::RawRequester(reqrep::RawRequester::new()),
    })
};

/// Receives requests and sends replies.
pub(crate) static REP: ProtocolInfo =
    ProtocolInfo { lends: true, contexts: Contexts::Pull, ..row(49, "rep", &REQ, replier) };

/// Sends each message to one of its peers.
pub static PUSH: ProtocolInfo = ProtocolInfo {
    can_recv: false,
    spreads: true,
    lends: true,
    ..row(80, "push", &PULL, |_, _| Machine::Pusher(pipeline::Pusher::new()))
};

/// Receives from all its peers, in turn.
pub(crate) static PULL: ProtocolInfo = ProtocolInfo {
    can_send: false,
    may_drop_old: true,
    ..row(81, "pull", &PUSH, |_, _| Machine::Puller(pipeline::Puller::new()))
};

/// Sends surveys to all its peers, and receives their responses until a deadline.
pub static SURVEYOR: ProtocolInfo = ProtocolInfo {
    acts_between_calls: true,
    options: &[(SURVEY_DEADLINE, OptionType::ANY_INT)],
    contexts: Contexts::Push,
    ..row(98, "surveyor", &RESPONDENT, |is_raw, seed| match is_raw {
        false => Machine::Surveyor(survey::Surveyor::new(seed)),
        true => Machine::RawSurveyor(survey::RawSurveyor::new()),
    })
};

/// Receives surveys, and may send a response to each.
pub(crate) static RESPONDENT: ProtocolInfo =
    ProtocolInfo { lends: true, contexts: Contexts::Pull, ..row(99, "respondent", &SURVEYOR, replier) };

/// Sends to all its peers, and receives from all.
pub(crate) static BUS: ProtocolInfo = ProtocolInfo {
    drops: true,
    may_drop_old: true,
    ..row(112, "bus", &BUS, |is_raw, seed| match is_raw {
        false => Machine::Bus(Cooked::new(bus::RawBus::new(seed))),
        true => Machine::RawBus(bus::RawBus::new(seed)),
    })
};

/// Sends to all its peers, receives from all, and forwards what it receives to the others.
pub(crate) static STAR: ProtocolInfo = ProtocolInfo {
    drops: true,
    may_drop_old: true,
    forwards: true,
    ..row(1600, "star", &STAR, |is_raw, _| match is_raw {
        false => Machine::Star(Cooked::new(star::RawStar::new())),
        true => Machine::RawStar(star::RawStar::new()),
    })
};

/// A row for a protocol whose sockets send and receive, with any number of peers.
pub(super) const fn row(
    number: u16,
    name: &'static str,
    peer: &'static ProtocolInfo,
    machine: fn(bool, u32) -> Machine,
) -> ProtocolInfo {
    let (can_send, can_recv) = (true, true);
    let (is_exclusive, drops, spreads, lends, may_drop_old) = (false, false, false, false, false);
    let (acts_between_calls, forwards) = (false, false);
    ProtocolInfo {
        number,
        name,
        peer,
        can_send,
        can_recv,
        is_exclusive,
        drops,
        spreads,
        lends,
        may_drop_old,
        acts_between_calls,
        forwards,
        filtering: None,
        options: &[],
        contexts: Contexts::None,
        machine,
    }
}

fn replier(is_raw: bool, _seed: u32) -> Machine {
    match is_raw {
        false => Machine::Replier(reqrep::Replier::new()),
        true => Machine::RawReplier(reqrep::RawReplier::new()),
    }
}

impl ProtocolInfo {
    /// The protocol with this number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<&'static ProtocolInfo> {
        PROTOCOLS.into_iter().find(|info| i32::from(info.number) == number)
    }

    /// The type of the option with this name, if the protocol has one.
    #[must_use]
    pub fn option_type(&self, name: i32) -> Option<OptionType> {
        self.options.iter().find(|option| option.0 == name).map(|option| option.1)
    }

    /// Whether both are the same protocol or each other's peers: protocol headers have the same meaning for both then.
    #[must_use]
    pub fn shares_headers_with(&self, other: &ProtocolInfo) -> bool {
        self == other || self.peer == other
    }
}

impl fmt::Debug for ProtocolInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Protocols are equal if their numbers are.
impl PartialEq for ProtocolInfo {
    fn eq(&self, other: &ProtocolInfo) -> bool {
        self.number == other.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        for info in PROTOCOLS {
            assert_eq!(ProtocolInfo::from_number(info.number.into()), Some(info));
            assert_eq!(PROTOCOLS.into_iter().filter(|other| other.name == info.name).count(), 1, "{info:?}");
        }
        for number in [-1, 0, 18, 96, 65_536 + 16] {
            assert_eq!(ProtocolInfo::from_number(number), None);
        }
    }

    #[test]
    fn every_protocol_is_the_peer_of_its_peer() {
        for info in PROTOCOLS {
            assert_eq!(info.peer.peer, info);
            assert_eq!(info.peer.number / 16, info.number / 16);
            assert_eq!(info.filtering.is_some(), info.peer.filtering.is_some());
            assert_eq!((info.can_send, info.can_recv), (info.peer.can_recv, info.peer.can_send));
        }
    }
}
