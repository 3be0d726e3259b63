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
