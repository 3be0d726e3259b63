//! The numbers of the C interface, one file for each public header.
//!
//! Every `#define` with a value in `include/nanomsg/` is generated from these files, and the symbol
//! table takes its values from them; no other file defines a number for C. The files hold constants
//! and the types that C declares next to them, but no code. The header generator reads each file by
//! itself, so none may import from another.

mod addresses;
mod bus;
mod extended;
mod inproc;
mod ipc;
mod monitor;
mod nn;
mod pair;
mod peer;
mod pipeline;
mod pubsub;
mod reqrep;
mod sharing;
mod star;
mod statistics;
mod survey;
mod tcp;
mod tls;
mod ws;

pub use addresses::*;
pub use bus::*;
pub use extended::*;
pub use inproc::*;
pub use ipc::*;
pub use monitor::*;
pub use nn::*;
pub use pair::*;
pub use peer::*;
pub use pipeline::*;
pub use pubsub::*;
pub use reqrep::*;
pub use sharing::*;
pub use star::*;
pub use statistics::*;
pub use survey::*;
pub use tcp::*;
pub use tls::*;
pub use ws::*;

#[cfg(test)]
mod tests {
    use super::*;
    use scaproust::ffi::message::MessageType;
    use scaproust::ffi::option::{LEVEL_IPC, LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS, SocketOption, name};
    use scaproust::ffi::pipe::Reason;
    use scaproust::ffi::protocol::{self, PROTOCOLS, ProtocolInfo};
    use scaproust::ffi::socket::{self, EVENT_SIZE, EVENT_VERSION, EventKind, Statistic};

    /// The layers below define some of these numbers under names of their own.
    #[test]
    fn the_layers_below_have_the_same_numbers() {
        let pairs = [
            (NN_SOL_SOCKET, LEVEL_SOCKET),
            (NN_SNDFD, name::SNDFD),
            (NN_RCVFD, name::RCVFD),
            (NN_DOMAIN, name::DOMAIN),
            (NN_PROTOCOL, name::PROTOCOL),
            (NN_LAST_ENDPOINT, name::LAST_ENDPOINT),
            (NN_ENDPOINT_ADDRESS, name::ENDPOINT_ADDRESS),
            (NN_ENDPOINT_STATISTICS, name::ENDPOINT_STATISTICS),
            (NN_PIPE_CLOSE, name::PIPE_CLOSE),
            (NN_PIPE_STATISTICS, name::PIPE_STATISTICS),
            (NN_IPC, LEVEL_IPC),
            (NN_SHARE, name::SHARE),
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
            (NN_SOL_SOCKET, NN_CONNECT_TIMEO, SocketOption::ConnectTimeout),
            (NN_SOL_SOCKET, NN_RCV_PREFER_NEW, SocketOption::PreferNew),
            (NN_SOL_SOCKET, NN_CONFLATE, SocketOption::Conflate),
            (NN_TCP, NN_TCP_KEEPALIVE, SocketOption::TcpKeepalive),
            (NN_TCP, NN_TCP_KEEPALIVE_IDLE, SocketOption::TcpKeepaliveIdle),
            (NN_TCP, NN_TCP_KEEPALIVE_INTVL, SocketOption::TcpKeepaliveInterval),
            (NN_TCP, NN_TCP_KEEPALIVE_CNT, SocketOption::TcpKeepaliveCount),
            #[cfg(target_os = "linux")]
            (NN_TCP, NN_TCP_USER_TIMEOUT, SocketOption::TcpUserTimeout),
            #[cfg(unix)]
            (NN_IPC, NN_IPC_PERMISSIONS, SocketOption::IpcPermissions),
            (NN_IPC, NN_IPC_SHM, SocketOption::IpcSharedMemory),
            (NN_SOL_SOCKET, NN_MONITOR, SocketOption::Monitor),
            (NN_SOL_SOCKET, NN_PEER_INFO, SocketOption::PeerInfo),
            (NN_IPC, NN_IPC_PEER_UID, SocketOption::IpcPeerUser),
            (NN_IPC, NN_IPC_PEER_GID, SocketOption::IpcPeerGroup),
            (NN_TCP, NN_TCP_ACCEPT, SocketOption::TcpAccept),
        ] {
            assert_eq!(SocketOption::find(level, name), Some(option));
        }
        let names = |info: &ProtocolInfo| info.options.iter().map(|option| option.0).collect::<Vec<_>>();
        assert_eq!(names(&protocol::SUB), [NN_SUB_SUBSCRIBE, NN_SUB_UNSUBSCRIBE, NN_SUB_FILTER_UPSTREAM]);
        assert_eq!(names(protocol::SUB.peer), [NN_PUB_FILTER]);
        assert_eq!(names(&protocol::REQ), [NN_REQ_RESEND_IVL]);
        assert_eq!(names(&protocol::SURVEYOR), [NN_SURVEYOR_DEADLINE]);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn the_options_of_tls_have_the_numbers_of_the_table() {
        use scaproust::ffi::tls::{LEVEL_TLS, TlsOption};

        assert_eq!(NN_TLS, LEVEL_TLS);
        for (name, option) in [
            (NN_TLS_CA, TlsOption::Ca),
            (NN_TLS_CERT, TlsOption::Cert),
            (NN_TLS_KEY, TlsOption::Key),
            (NN_TLS_CRL, TlsOption::Crl),
            (NN_TLS_CA_FILE, TlsOption::CaFile),
            (NN_TLS_CERT_FILE, TlsOption::CertFile),
            (NN_TLS_KEY_FILE, TlsOption::KeyFile),
            (NN_TLS_CRL_FILE, TlsOption::CrlFile),
            (NN_TLS_AUTH, TlsOption::Auth),
            (NN_TLS_SERVER_NAME, TlsOption::ServerName),
            (NN_TLS_MIN_VERSION, TlsOption::MinVersion),
            (NN_TLS_MAX_VERSION, TlsOption::MaxVersion),
            (NN_TLS_SYSTEM_ROOTS, TlsOption::SystemRoots),
            (NN_TLS_RELOAD, TlsOption::Reload),
        ] {
            assert_eq!(TlsOption::find(name), Some(option));
        }
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
            (NN_STAT_REFUSED_CONNECTIONS, Statistic::Refused),
            (NN_STAT_HANDSHAKE_ERRORS, Statistic::HandshakeErrors),
            (NN_STAT_MESSAGES_DROPPED, Statistic::MessagesDropped),
        ] {
            assert_eq!(Statistic::from_number(number), Some(statistic));
        }
    }

    #[test]
    fn events_have_the_numbers_and_the_layout_of_the_library() {
        use std::mem::offset_of;

        for (number, kind) in [
            (NN_EVENT_LISTENING, EventKind::Listening),
            (NN_EVENT_CONNECTING, EventKind::Connecting),
            (NN_EVENT_RETRY, EventKind::Retry),
            (NN_EVENT_CONNECTED, EventKind::Connected),
            (NN_EVENT_ACCEPTED, EventKind::Accepted),
            (NN_EVENT_REFUSED, EventKind::Refused),
            (NN_EVENT_HANDSHAKE_FAILED, EventKind::HandshakeFailed),
            (NN_EVENT_DISCONNECTED, EventKind::Disconnected),
            (NN_EVENT_BIND_FAILED, EventKind::BindFailed),
            (NN_EVENT_ACCEPT_FAILED, EventKind::AcceptFailed),
            (NN_EVENT_DROPPED, EventKind::Dropped),
            (NN_EVENT_LOST, EventKind::Lost),
            (NN_EVENT_CLOSED, EventKind::Closed),
        ] {
            assert_eq!(number, kind as i32);
        }
        for (number, reason) in [
            (NN_REASON_LOCAL, Reason::Local),
            (NN_REASON_PEER, Reason::Peer),
            (NN_REASON_NETWORK, Reason::Network),
            (NN_REASON_INVALID, Reason::Invalid),
            (NN_REASON_SILENCE, Reason::Silence),
            (NN_REASON_MISMATCH, Reason::Mismatch),
            (NN_REASON_BUSY, Reason::Busy),
            (NN_REASON_RULE, Reason::Rule),
            (NN_REASON_MEMORY, Reason::Memory),
            (NN_REASON_CERTIFICATE, Reason::Certificate),
        ] {
            assert_eq!(number, reason as i32);
        }
        assert_eq!((NN_EVENT_VERSION, size_of::<nn_event>()), (EVENT_VERSION.into(), EVENT_SIZE));
        let offsets = [
            offset_of!(nn_event, kind),
            offset_of!(nn_event, version),
            offset_of!(nn_event, peer_protocol),
            offset_of!(nn_event, socket),
            offset_of!(nn_event, endpoint),
            offset_of!(nn_event, reason),
            offset_of!(nn_event, error),
            offset_of!(nn_event, size),
            offset_of!(nn_event, pipe),
            offset_of!(nn_event, time),
            offset_of!(nn_event, value),
        ];
        assert_eq!(offsets, [0, 1, 2, 4, 8, 12, 16, 20, 24, 32, 40]);
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
