//! SP over WebSocket (RFC 6455): each SP message is a WebSocket message, and there is no SP header.
//!
//! Owns the HTTP upgrade, in which the connecting side names the protocol of the bound side, and the
//! sequence of frames. Other crates parse HTTP (`httparse`) and the headers of frames
//! (`tungstenite`).

mod decoder;
mod frame;
mod upgrade;

pub(super) use decoder::WebSocketDecoder;
pub(super) use frame::WebSocketEncoder;
pub(crate) use frame::{FrameContent, FramePosition, Mask, Random};
pub(super) use upgrade::{UpgradeClient, UpgradeServer};

/// One side of a connection. The client masks its frames, the server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The connecting side.
    Client,
    /// The bound side.
    Server,
}
