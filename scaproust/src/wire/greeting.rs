//! Greetings: what each peer sends before its first message, an SP header or one half of an HTTP upgrade.

use std::mem;

use super::sp_header::{SpHeaderParser, encode_sp_header};
use super::websocket::{UpgradeClient, UpgradeServer};

/// A protocol, as it is identified in greetings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolId {
    /// Its number, in the SP header.
    pub(crate) number: u16,
    /// Its name, in the upgrade to WebSocket.
    pub(crate) name: &'static str,
}

/// The protocols of the two sides of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtocolPair {
    /// The protocol of this side's socket.
    pub(crate) own: ProtocolId,
    /// The protocol that the peer must have.
    pub(crate) peer: ProtocolId,
}

/// When a side of a tcp or ipc connection sends its SP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GreetingOrder {
    /// As soon as the stream is connected.
    AtOnce,
    /// When the peer's header has come and the socket has accepted the peer. If it does not come, soon, unless this
    /// side's header depends on it.
    AfterPeer,
}

/// The protocols by which a connection may begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocols {
    /// Those that this side proposes, or, if it is bound, accepts.
    pub(crate) first: ProtocolPair,
    /// Others that the bound side accepts as well. Its SP header is then always the reply to the peer's, since that decides
    /// which of the two it is.
    pub(crate) second: Option<ProtocolPair>,
    /// When this side sends its SP header.
    pub(crate) order: GreetingOrder,
}

impl From<ProtocolPair> for Protocols {
    fn from(first: ProtocolPair) -> Protocols {
        Protocols { first, second: None, order: GreetingOrder::AtOnce }
    }
}

impl Protocols {
    /// The protocol of this side for a peer with this protocol number; `None` if the peer must be refused.
    fn own_for(&self, peer: u16) -> Option<ProtocolId> {
        let pairs = [Some(self.first), self.second].into_iter().flatten();
        pairs.filter(|pair| pair.peer.number == peer).map(|pair| pair.own).next()
    }
}

/// The greeting that is expected of the peer, with the part of it that has arrived.
#[derive(Debug)]
pub(crate) enum Greeting {
    /// An SP header.
    SpHeader {
        /// The part of it that has arrived.
        parser: SpHeaderParser,
        /// What the reply to it depends on.
        protocols: Protocols,
        /// This side's header is sent, or is about to be.
        is_answered: bool,
    },
    /// The response to this side's upgrade request.
    HttpResponse(Box<UpgradeClient>),
    /// An upgrade request.
    HttpRequest(UpgradeServer),
}

/// A complete and valid greeting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Greeted {
    /// The peer's protocol number.
    pub(crate) protocol: u16,
    /// This side's protocol for this peer; `None` if the peer must be refused.
    pub(crate) own: Option<ProtocolId>,
    /// Bytes to send to the peer before the first message; often none.
    pub(crate) reply: Vec<u8>,
    /// What the peer has requested, if it is a ws client.
    pub(crate) resource: Option<Vec<u8>>,
}

/// An invalid greeting: the connection must be closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadGreeting {
    /// Bytes to send to the peer before closing; often none.
    pub(crate) final_reply: Vec<u8>,
    /// It is valid but for the protocol.
    pub(crate) is_mismatch: bool,
}

impl BadGreeting {
    /// Without a final reply.
    pub(crate) fn silent() -> BadGreeting {
        BadGreeting { final_reply: Vec::new(), is_mismatch: false }
    }

    /// The same, since the peer's protocol is another one.
    pub(crate) fn of_mismatch(self) -> BadGreeting {
        BadGreeting { is_mismatch: true, ..self }
    }
}

/// The SP header of a side with this protocol.
fn header(own: ProtocolId) -> Vec<u8> {
    encode_sp_header(own.number).to_vec()
}

impl Greeting {
    /// An SP header, and this side's header if it is to be sent at once.
    pub(super) fn sp_header(protocols: Protocols) -> (Greeting, Vec<u8>) {
        let is_answered = protocols.order == GreetingOrder::AtOnce;
        let initial_bytes = if is_answered { header(protocols.first.own) } else { Vec::new() };
        (Greeting::SpHeader { parser: SpHeaderParser::default(), protocols, is_answered }, initial_bytes)
    }

    /// Cuts bytes of the greeting off the front of `input`. Returns its meaning once it is complete.
    ///
    /// # Errors
    /// [`BadGreeting`]; `feed` must not be called again then.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Greeted>, BadGreeting> {
        match self {
            Greeting::SpHeader { parser, protocols, is_answered } => match parser.feed(input) {
                Ok(protocol) => Ok(protocol.map(|protocol| {
                    let own = protocols.own_for(protocol);
                    let reply = own.filter(|_| !mem::replace(is_answered, true)).map(header);
                    Greeted { protocol, own, reply: reply.unwrap_or_default(), resource: None }
                })),
                Err(_) => Err(BadGreeting::silent()),
            },
            Greeting::HttpResponse(client) => client.feed(input),
            Greeting::HttpRequest(server) => server.feed(input),
        }
    }

    /// Takes this side's SP header, if it is still to be sent as the reply to the peer's but does not depend on it.
    pub(crate) fn take_reply(&mut self) -> Option<Vec<u8>> {
        match self {
            Greeting::SpHeader { protocols: Protocols { first, second: None, .. }, is_answered, .. } => {
                (!mem::replace(is_answered, true)).then(|| header(first.own))
            }
            Greeting::SpHeader { .. } | Greeting::HttpResponse(_) | Greeting::HttpRequest(_) => None,
        }
    }

    /// The final reply to a peer whose greeting is valid, but which the protocol refuses: PAIR has its
    /// one peer already.
    pub(crate) fn busy_reply(&self) -> Vec<u8> {
        match self {
            Greeting::SpHeader { .. } | Greeting::HttpResponse(_) => Vec::new(),
            Greeting::HttpRequest(_) => UpgradeServer::busy_reply(),
        }
    }
}

/// PAIR on both sides.
#[cfg(any(fuzzing, test))]
pub(crate) const PAIR: ProtocolPair = {
    let pair = ProtocolId { number: 16, name: "pair" };
    ProtocolPair { own: pair, peer: pair }
};

/// A REQ socket, whose peer is REP.
#[cfg(test)]
pub(super) const REQ: ProtocolPair = ProtocolPair {
    own: ProtocolId { number: 48, name: "req" },
    peer: ProtocolId { number: 49, name: "rep" },
};

/// A REP socket, whose peer is REQ.
#[cfg(test)]
pub(super) const REP: ProtocolPair = ProtocolPair { own: REQ.peer, peer: REQ.own };
