//! SP over WebSocket (RFC 6455): a message is a WebSocket message, and there is no SP header.
//!
//! Owns the HTTP upgrade, in which the two sides agree on a protocol by the name of the bound
//! side's, and the frames. Reading HTTP and the layout of a frame's header are other crates'
//! work; what may follow what, and what is done about it, is decided here.

mod decoder;
mod frame;
mod upgrade;

pub(super) use decoder::Decoder;
pub(super) use frame::Encoder;
pub(crate) use frame::{Carried, Mask, Place, Random};
pub(super) use upgrade::{Client, Server};

/// Which side of a connection this is. A client's frames are masked, a server's are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that connected.
    Client,
    /// The one that was bound.
    Server,
}

/// A bound socket's protocol, what it is called in `Sec-WebSocket-Protocol`, and the protocol of
/// those that connect to it.
#[derive(Debug)]
struct Subprotocol {
    bound: u16,
    name: &'static str,
    connected: u16,
}

const SUBPROTOCOLS: [Subprotocol; 10] = [
    Subprotocol { bound: PAIR, name: "pair.sp.nanomsg.org", connected: PAIR },
    Subprotocol { bound: 32, name: "pub.sp.nanomsg.org", connected: 33 },
    Subprotocol { bound: 33, name: "sub.sp.nanomsg.org", connected: 32 },
    Subprotocol { bound: 48, name: "req.sp.nanomsg.org", connected: 49 },
    Subprotocol { bound: 49, name: "rep.sp.nanomsg.org", connected: 48 },
    Subprotocol { bound: 80, name: "push.sp.nanomsg.org", connected: 81 },
    Subprotocol { bound: 81, name: "pull.sp.nanomsg.org", connected: 80 },
    Subprotocol { bound: 98, name: "surveyor.sp.nanomsg.org", connected: 99 },
    Subprotocol { bound: 99, name: "respondent.sp.nanomsg.org", connected: 98 },
    Subprotocol { bound: 112, name: "bus.sp.nanomsg.org", connected: 112 },
];

/// The protocol of a peer that names none.
const PAIR: u16 = 16;

/// The subprotocol of a socket that is bound and speaks `protocol`.
fn bound(protocol: u16) -> Option<&'static Subprotocol> {
    SUBPROTOCOLS.iter().find(|known| known.bound == protocol)
}

/// The subprotocol that a socket asks for when it connects and speaks `protocol`.
fn asked_by(protocol: u16) -> Option<&'static Subprotocol> {
    SUBPROTOCOLS.iter().find(|known| known.connected == protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_connects_asks_for_its_peer() {
        for known in &SUBPROTOCOLS {
            let peer = bound(known.connected).unwrap();
            assert_eq!((peer.connected, asked_by(known.connected).unwrap().name), (known.bound, known.name));
            assert!(known.name.ends_with(".sp.nanomsg.org"));
        }
        assert!(bound(17).is_none() && asked_by(17).is_none());
    }
}
