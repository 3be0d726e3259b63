//! The numbers of the C interface, one file for each public header.
//!
//! Every `#define` with a value in `include/nanomsg/` is generated from here, and the symbol
//! table takes its values from here; nothing else may spell one of them out for C. The files
//! hold constants (and the types that C declares next to them), never code: the header generator
//! reads them as they are, one at a time, so each stands alone.

mod bus;
mod inproc;
mod ipc;
mod nn;
mod pair;
mod pipeline;
mod pubsub;
mod reqrep;
mod survey;
mod tcp;
mod ws;

pub use bus::*;
pub use inproc::*;
pub use ipc::*;
pub use nn::*;
pub use pair::*;
pub use pipeline::*;
pub use pubsub::*;
pub use reqrep::*;
pub use survey::*;
pub use tcp::*;
pub use ws::*;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::{LEVEL_TCP, LEVEL_WS, WS_BINARY, WS_TEXT, name};

    /// The layers below have names of their own for the numbers that they act on.
    #[test]
    fn the_layers_below_mean_the_same_numbers() {
        let pairs = [
            (NN_LINGER, name::LINGER),
            (NN_SNDBUF, name::SNDBUF),
            (NN_RCVBUF, name::RCVBUF),
            (NN_SNDTIMEO, name::SNDTIMEO),
            (NN_RCVTIMEO, name::RCVTIMEO),
            (NN_RECONNECT_IVL, name::RECONNECT_IVL),
            (NN_RECONNECT_IVL_MAX, name::RECONNECT_IVL_MAX),
            (NN_SNDPRIO, name::SNDPRIO),
            (NN_RCVPRIO, name::RCVPRIO),
            (NN_SNDFD, name::SNDFD),
            (NN_RCVFD, name::RCVFD),
            (NN_DOMAIN, name::DOMAIN),
            (NN_PROTOCOL, name::PROTOCOL),
            (NN_IPV4ONLY, name::IPV4ONLY),
            (NN_SOCKET_NAME, name::SOCKET_NAME),
            (NN_RCVMAXSIZE, name::RCVMAXSIZE),
            (NN_MAXTTL, name::MAXTTL),
            (NN_TCP, LEVEL_TCP),
            (NN_WS, LEVEL_WS),
            (NN_WS_MSG_TYPE_TEXT, WS_TEXT),
            (NN_WS_MSG_TYPE_BINARY, WS_BINARY),
        ];
        for (number, (ours, theirs)) in pairs.into_iter().enumerate() {
            assert_eq!(ours, theirs, "pair {number}");
        }
    }
}
