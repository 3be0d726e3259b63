//! The numbers of the C interface, one file for each public header.
//!
//! Every `#define` with a value in `include/nanomsg/` is generated from these files, and the symbol
//! table takes its values from them; no other file defines a number for C. The files hold constants
//! and the types that C declares next to them, but no code. The header generator reads each file by
//! itself, so none may import from another.

mod bus;
mod extended;
mod inproc;
mod ipc;
mod nn;
mod pair;
mod pipeline;
mod pubsub;
mod reqrep;
mod star;
mod survey;
mod tcp;
mod ws;

pub use bus::*;
pub use extended::*;
pub use inproc::*;
pub use ipc::*;
pub use nn::*;
pub use pair::*;
pub use pipeline::*;
pub use pubsub::*;
pub use reqrep::*;
pub use star::*;
pub use survey::*;
pub use tcp::*;
pub use ws::*;

#[cfg(test)]
mod tests {
    use super::*;
    use scaproust::ffi::message::MessageType;
    use scaproust::ffi::option::{LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS, SocketOption, name};
    use scaproust::ffi::protocol::{self, PROTOCOLS, ProtocolInfo};
    use scaproust::ffi::socket::{self, Statistic};

    /// The layers below define some of these numbers under names of their own.
    #[test]
    fn the_layers_below_have_the_same_numbers() {
        let pairs = [
            (NN_SOL_SOCKET, LEVEL_SOCKET),
            (NN_SNDFD, name::SNDFD),
            (NN_RCVFD, name::RCVFD),
            (NN_DOMAIN, name::DOMAIN),
            (NN_PROTOCOL, name::PROTOCOL),
            (NN_TCP, LEVEL_TCP),
            (NN_WS, LEVEL_WS),
            (NN_WS_MSG_TYPE_TEXT, MessageType::Text.number()),
            (NN_WS_MSG_TYPE_BINARY, MessageType::Binary.number()),
            (AF_SP, socket::AF_SP),
            (AF_SP_RAW, socket::AF_SP_RAW),
        ];
        for (number, (ours, theirs)) in pairs.into_iter().enumerate() {
            assert_eq!(ours, theirs, "pair {number}");
        }
        assert_eq!(NN_SOCKADDR_MAX as usize, scaproust::ffi::address::MAX_LENGTH + 1);
    }

    #[test]
    fn the_options_have_the_numbers_of_the_table() {
        for (level, name, option) in [
            (NN_SOL_SOCKET, NN_LINGER, SocketOption::Linger),
            (NN_SOL_SOCKET, NN_SNDBUF, SocketOption::SendBuffer),
            (NN_SOL_SOCKET, NN_RCVBUF, SocketOption::ReceiveBuffer),
            (NN_SOL_SOCKET, NN_SNDTIMEO, SocketOption::SendTimeout),
            (NN_SOL_SOCKET, NN_RCVTIMEO, SocketOption::ReceiveTimeout),
            (NN_SOL_SOCKET, NN_RECONNECT_IVL, SocketOption::ReconnectInterval),
            (NN_SOL_SOCKET, NN_RECONNECT_IVL_MAX, SocketOption::ReconnectIntervalMax),
            (NN_SOL_SOCKET, NN_SNDPRIO, SocketOption::SendPriority),
            (NN_SOL_SOCKET, NN_RCVPRIO, SocketOption::ReceivePriority),
            (NN_SOL_SOCKET, NN_IPV4ONLY, SocketOption::Ipv4Only),
            (NN_SOL_SOCKET, NN_SOCKET_NAME, SocketOption::SocketName),
            (NN_SOL_SOCKET, NN_RCVMAXSIZE, SocketOption::MaxMessage),
            (NN_SOL_SOCKET, NN_MAXTTL, SocketOption::MaxHops),
            (NN_TCP, NN_TCP_NODELAY, SocketOption::TcpNodelay),
            (NN_WS, NN_WS_MSG_TYPE, SocketOption::WsMessageType),
        ] {
            assert_eq!(SocketOption::find(level, name), Some(option));
        }
        let names = |info: &ProtocolInfo| info.options.iter().map(|option| option.0).collect::<Vec<_>>();
        assert_eq!(names(&protocol::SUB), [NN_SUB_SUBSCRIBE, NN_SUB_UNSUBSCRIBE, NN_SUB_FILTER_UPSTREAM]);
        assert_eq!(names(protocol::SUB.peer), [NN_PUB_FILTER]);
        assert_eq!(names(&protocol::REQ), [NN_REQ_RESEND_IVL]);
        assert_eq!(names(&protocol::SURVEYOR), [NN_SURVEYOR_DEADLINE]);
    }

    #[test]
    fn the_statistics_have_the_numbers_of_the_table() {
        for (number, statistic) in [
            (NN_STAT_ESTABLISHED_CONNECTIONS, Statistic::Established),
            (NN_STAT_ACCEPTED_CONNECTIONS, Statistic::Accepted),
            (NN_STAT_DROPPED_CONNECTIONS, Statistic::Dropped),
            (NN_STAT_BROKEN_CONNECTIONS, Statistic::Broken),
            (NN_STAT_CONNECT_ERRORS, Statistic::ConnectErrors),
            (NN_STAT_BIND_ERRORS, Statistic::BindErrors),
            (NN_STAT_ACCEPT_ERRORS, Statistic::AcceptErrors),
            (NN_STAT_CURRENT_CONNECTIONS, Statistic::Connections),
            (NN_STAT_INPROGRESS_CONNECTIONS, Statistic::Connecting),
            (NN_STAT_CURRENT_EP_ERRORS, Statistic::Failing),
            (NN_STAT_MESSAGES_SENT, Statistic::MessagesSent),
            (NN_STAT_MESSAGES_RECEIVED, Statistic::MessagesReceived),
            (NN_STAT_BYTES_SENT, Statistic::BytesSent),
            (NN_STAT_BYTES_RECEIVED, Statistic::BytesReceived),
            (NN_STAT_CURRENT_SND_PRIORITY, Statistic::SendPriority),
            (NN_STAT_CURRENT_SUBSCRIPTIONS, Statistic::Subscriptions),
            (NN_STAT_INVALID_MESSAGES, Statistic::InvalidMessages),
        ] {
            assert_eq!(Statistic::from_number(number), Some(statistic));
        }
    }

    #[test]
    fn the_protocols_have_the_numbers_of_the_table() {
        let numbers = [
            NN_PAIR,
            NN_PAIR_V1,
            NN_PUB,
            NN_SUB,
            NN_REQ,
            NN_REP,
            NN_PUSH,
            NN_PULL,
            NN_SURVEYOR,
            NN_RESPONDENT,
            NN_BUS,
            NN_STAR,
        ];
        assert_eq!(PROTOCOLS.map(|info| i32::from(info.number)), numbers);
    }
}
