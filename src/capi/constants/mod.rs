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
    use crate::option::{
        LEVEL_TCP, LEVEL_WS, ProtocolOption, RESEND_INTERVAL, SURVEY_DEADLINE, TCP_NODELAY, WS_BINARY,
        WS_MSG_TYPE, WS_TEXT, name,
    };
    use crate::protocol::PROTOCOLS;
    use crate::socket;
    use crate::socket::statistics::number;

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
            (NN_TCP_NODELAY, TCP_NODELAY),
            (NN_REQ_RESEND_IVL, RESEND_INTERVAL),
            (NN_SURVEYOR_DEADLINE, SURVEY_DEADLINE),
            (NN_WS, LEVEL_WS),
            (NN_WS_MSG_TYPE, WS_MSG_TYPE),
            (NN_WS_MSG_TYPE_TEXT, WS_TEXT),
            (NN_WS_MSG_TYPE_BINARY, WS_BINARY),
            (AF_SP, socket::AF_SP),
            (AF_SP_RAW, socket::AF_SP_RAW),
            (NN_STAT_ESTABLISHED_CONNECTIONS, number::ESTABLISHED),
            (NN_STAT_ACCEPTED_CONNECTIONS, number::ACCEPTED),
            (NN_STAT_DROPPED_CONNECTIONS, number::DROPPED),
            (NN_STAT_BROKEN_CONNECTIONS, number::BROKEN),
            (NN_STAT_CONNECT_ERRORS, number::CONNECT_ERRORS),
            (NN_STAT_BIND_ERRORS, number::BIND_ERRORS),
            (NN_STAT_ACCEPT_ERRORS, number::ACCEPT_ERRORS),
            (NN_STAT_CURRENT_CONNECTIONS, number::CONNECTIONS),
            (NN_STAT_INPROGRESS_CONNECTIONS, number::CONNECTING),
            (NN_STAT_CURRENT_EP_ERRORS, number::FAILING),
            (NN_STAT_MESSAGES_SENT, number::MESSAGES_SENT),
            (NN_STAT_MESSAGES_RECEIVED, number::MESSAGES_RECEIVED),
            (NN_STAT_BYTES_SENT, number::BYTES_SENT),
            (NN_STAT_BYTES_RECEIVED, number::BYTES_RECEIVED),
            (NN_STAT_CURRENT_SND_PRIORITY, number::SEND_PRIORITY),
        ];
        for (number, (ours, theirs)) in pairs.into_iter().enumerate() {
            assert_eq!(ours, theirs, "pair {number}");
        }
        assert_eq!(NN_SOCKADDR_MAX as usize, crate::address::MAX_LENGTH + 1);
    }

    #[test]
    fn the_options_of_protocols_have_their_levels() {
        let parse = |level, name| ProtocolOption::parse(level, name, &[0; 4]).unwrap();
        assert!(matches!(parse(NN_SUB, NN_SUB_SUBSCRIBE), ProtocolOption::Subscribe(_)));
        assert!(matches!(parse(NN_SUB, NN_SUB_UNSUBSCRIBE), ProtocolOption::Unsubscribe(_)));
        assert!(matches!(parse(NN_REQ, NN_REQ_RESEND_IVL), ProtocolOption::ResendInterval(0)));
        assert!(matches!(parse(NN_SURVEYOR, NN_SURVEYOR_DEADLINE), ProtocolOption::SurveyDeadline(0)));
    }

    #[test]
    fn the_protocols_have_the_numbers_of_the_table() {
        let numbers =
            [NN_PAIR, NN_PUB, NN_SUB, NN_REQ, NN_REP, NN_PUSH, NN_PULL, NN_SURVEYOR, NN_RESPONDENT, NN_BUS];
        assert_eq!(PROTOCOLS.map(|info| i32::from(info.number)), numbers);
    }
}
