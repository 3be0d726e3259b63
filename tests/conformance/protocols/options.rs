//! Options: each has its default and its range, and those of a protocol are that protocol's only.

use std::ffi::c_int;

use nanomsg::constants::{
    NN_DOMAIN, NN_IPV4ONLY, NN_MAXTTL, NN_PROTOCOL, NN_PUB, NN_PUB_FILTER, NN_RCVBUF, NN_RCVFD,
    NN_RCVMAXSIZE, NN_RCVPRIO, NN_RCVTIMEO, NN_RECONNECT_IVL, NN_RECONNECT_IVL_MAX, NN_REQ,
    NN_REQ_RESEND_IVL, NN_SNDBUF, NN_SNDFD, NN_SNDPRIO, NN_SNDTIMEO, NN_SOL_SOCKET, NN_SUB,
    NN_SUB_FILTER_UPSTREAM, NN_SUB_SUBSCRIBE, NN_SUB_UNSUBSCRIBE, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, NN_TCP,
    NN_TCP_NODELAY, NN_WS, NN_WS_MSG_TYPE,
};
use scaproust::Error;

use super::every_role;
use crate::role::{Role, SocketType};
use crate::socket::Socket;

every_role! { keeps_its_options refuses_to_set_read_only_options knows_its_own_options_only }

/// Level, option, least and greatest value.
const RANGES: [(c_int, c_int, c_int, c_int); 13] = [
    (NN_SOL_SOCKET, NN_SNDBUF, 1, c_int::MAX),
    (NN_SOL_SOCKET, NN_RCVBUF, 1, c_int::MAX),
    (NN_SOL_SOCKET, NN_SNDTIMEO, c_int::MIN, c_int::MAX),
    (NN_SOL_SOCKET, NN_RCVTIMEO, c_int::MIN, c_int::MAX),
    (NN_SOL_SOCKET, NN_RECONNECT_IVL, 0, c_int::MAX),
    (NN_SOL_SOCKET, NN_RECONNECT_IVL_MAX, 0, c_int::MAX),
    (NN_SOL_SOCKET, NN_SNDPRIO, 1, 16),
    (NN_SOL_SOCKET, NN_RCVPRIO, 1, 16),
    (NN_SOL_SOCKET, NN_IPV4ONLY, 0, 1),
    (NN_SOL_SOCKET, NN_RCVMAXSIZE, -1, c_int::MAX),
    (NN_SOL_SOCKET, NN_MAXTTL, 1, 255),
    (NN_TCP, NN_TCP_NODELAY, 0, 1),
    (NN_WS, NN_WS_MSG_TYPE, 1, 2),
];

fn keeps_its_options(role: Role) {
    let socket = Socket::open(role);
    for (level, option, least, greatest) in RANGES {
        for value in [least, greatest] {
            assert_eq!(socket.set(level, option, value), Ok(()), "option {option} = {value}");
            assert_eq!(socket.get(level, option), Ok(value), "option {option}");
        }
        for value in [least.checked_sub(1), greatest.checked_add(1)].into_iter().flatten() {
            let refused = Err(Error::InvalidArgument);
            assert_eq!(socket.set(level, option, value), refused, "option {option} = {value}");
        }
        for wrong in [&[0; 3][..], &[0; 8]] {
            let refused = Err(Error::InvalidArgument);
            assert_eq!(socket.set_bytes(level, option, wrong), refused, "option {option}");
        }
        assert_eq!(socket.get(level, option), Ok(greatest), "option {option} was not set by a refused call");
    }
}

fn refuses_to_set_read_only_options(role: Role) {
    let socket = Socket::open(role);
    for option in [NN_DOMAIN, NN_PROTOCOL, NN_SNDFD, NN_RCVFD, 0, 99, -1] {
        assert_eq!(socket.set(NN_SOL_SOCKET, option, 1), Err(Error::UnknownOption), "option {option}");
    }
}

fn knows_its_own_options_only(role: Role) {
    let socket = Socket::open(role);
    let expected = |is_own: bool| if is_own { Ok(()) } else { Err(Error::UnknownOption) };
    for (level, option) in [(NN_REQ, NN_REQ_RESEND_IVL), (NN_SURVEYOR, NN_SURVEYOR_DEADLINE)] {
        // A raw socket keeps no question, and so has no option for its time.
        let is_own = level == role.socket_type.number() && !role.raw;
        assert_eq!(socket.set(level, option, 1234), expected(is_own), "level {level}");
        assert_eq!(socket.get(level, option), expected(is_own).map(|()| 1234), "level {level}");
    }
    for (level, option) in [(NN_PUB, NN_PUB_FILTER), (NN_SUB, NN_SUB_FILTER_UPSTREAM)] {
        let is_own = level == role.socket_type.number();
        for value in [1, 0] {
            assert_eq!(socket.set(level, option, value), expected(is_own), "level {level}");
            assert_eq!(socket.get(level, option), expected(is_own).map(|()| value), "level {level}");
        }
        if is_own {
            for wrong in [-1, 2] {
                assert_eq!(socket.set(level, option, wrong), Err(Error::InvalidArgument));
            }
            assert_eq!(socket.set_bytes(level, option, b"1"), Err(Error::InvalidArgument));
            assert_eq!(socket.get(level, option), Ok(0));
        }
    }
    for option in [NN_SUB_SUBSCRIBE, NN_SUB_UNSUBSCRIBE] {
        let is_own = role.socket_type == SocketType::Sub;
        assert_eq!(socket.set_bytes(NN_SUB, option, b"topic"), expected(is_own), "option {option}");
        assert_eq!(socket.get(NN_SUB, option), Err(Error::UnknownOption), "option {option}");
    }
    assert_eq!(socket.set(role.socket_type.number(), 99, 1), Err(Error::UnknownOption));
}
