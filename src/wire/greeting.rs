//! How a connection begins: with SP headers, or with an HTTP upgrade.

use super::handshake::Handshake;
use super::websocket::{Client, Server};

/// A protocol, as greetings name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolId {
    /// Its number, in the header of SP over TCP and IPC.
    pub(crate) number: u16,
    /// Its name, in the upgrade to a WebSocket.
    pub(crate) name: &'static str,
}

/// The protocols of the two sides of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtocolPair {
    /// That of this side's socket.
    pub(crate) own: ProtocolId,
    /// That of the sockets which it talks to.
    pub(crate) peer: ProtocolId,
}

/// What is expected of the peer before the first message.
#[derive(Debug)]
pub(crate) enum Greeting {
    /// An SP header, as ours.
    Header(Handshake),
    /// The answer to our request for an upgrade.
    Answer(Box<Client>),
    /// A request for an upgrade.
    Request(Server),
}

/// The peer has greeted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Greeted {
    /// The protocol that it speaks.
    pub(crate) protocol: u16,
    /// What it must be sent before the first message; often nothing.
    pub(crate) answer: Vec<u8>,
}

/// The peer has not greeted as it should. It is sent these words, if there are any, and no more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadGreeting(pub(crate) Vec<u8>);

impl BadGreeting {
    /// There is nothing to say.
    pub(crate) fn silent() -> BadGreeting {
        BadGreeting(Vec::new())
    }
}

impl Greeting {
    /// Takes what belongs to the greeting from the front of `input`; answers what it was once it
    /// is whole.
    ///
    /// # Errors
    /// [`BadGreeting`]; the greeting is of no further use then.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Greeted>, BadGreeting> {
        match self {
            Greeting::Header(handshake) => match handshake.feed(input) {
                Ok(protocol) => Ok(protocol.map(|protocol| Greeted { protocol, answer: Vec::new() })),
                Err(_) => Err(BadGreeting::silent()),
            },
            Greeting::Answer(client) => client.feed(input),
            Greeting::Request(server) => server.feed(input),
        }
    }

    /// What is said to a peer that has greeted well and cannot be taken all the same.
    pub(crate) fn no_place(&self) -> Vec<u8> {
        match self {
            Greeting::Header(_) | Greeting::Answer(_) => Vec::new(),
            Greeting::Request(_) => Server::no_place(),
        }
    }
}

/// PAIR on both sides.
#[cfg(any(fuzzing, test))]
pub(crate) const PAIR: ProtocolPair = {
    let pair = ProtocolId { number: 16, name: "pair" };
    ProtocolPair { own: pair, peer: pair }
};

/// REQ, which talks to REP.
#[cfg(test)]
pub(super) const REQ: ProtocolPair = ProtocolPair {
    own: ProtocolId { number: 48, name: "req" },
    peer: ProtocolId { number: 49, name: "rep" },
};

/// REP, which talks to REQ.
#[cfg(test)]
pub(super) const REP: ProtocolPair = ProtocolPair { own: REQ.peer, peer: REQ.own };
