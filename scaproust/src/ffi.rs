//! What the package `libnanomsg`, the C interface, needs from this library. It is not for other packages, and
//! changes without notice.

#![allow(missing_docs, reason = "each item is documented where it is declared")]

pub mod address {
    pub use crate::address::MAX_LENGTH;
}
pub mod device {
    pub use crate::forwarding::{Device, join, reflect};
}
pub mod error {
    pub use crate::error::{Error, HAUSNUMERO, own_text};
}
pub mod message {
    pub use crate::message::{Chunk, INLINE_MAX, MessageType, Outgoing, Payload};
}
pub mod option {
    pub use crate::option::{
        LEVEL_IPC, LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS, OptionType, Setting, SocketOption, TextRule, Value,
        name, time_limit,
    };
}
pub mod pipe {
    pub use crate::pipe::{Credentials, Reason};
}
#[cfg(feature = "tls")]
pub mod tls {
    pub use crate::option::LEVEL_TLS;
    pub use crate::tls::{TlsOption, TlsType};
}
pub mod protocol {
    pub use crate::protocol::{PROTOCOLS, PUSH, ProtocolInfo, REQ, SUB, SURVEYOR};
}
pub mod socket {
    pub use crate::socket::{
        AF_SP, AF_SP_RAW, BlockingCall, Call, EVENT_SIZE, EVENT_VERSION, EndpointStatistics, Entered,
        EventKind, PeerInfo, Pending, PipeStatistics, Received, Receiving, Sending, Socket, SocketEvent,
        Statistic, Step, ToSend, Traffic, close, connect, enter, enter_open, open, open_protocol, receive,
        recv, send, terminate, try_send,
    };
    pub mod poll {
        pub use crate::socket::poll::{PollEntry, Polling, room_for};
    }
}
pub mod sync {
    pub use crate::sync::{CancelState, CancellationCleanup, Sleep, Uncancellable};
}
