//! Binding and connecting: in either order, to valid and invalid addresses, repeatedly.

use nanomsg::constants::{
    NN_IPV4ONLY, NN_SOL_SOCKET, NN_STAT_BIND_ERRORS, NN_STAT_CONNECT_ERRORS, NN_STAT_ESTABLISHED_CONNECTIONS,
};
use scaproust::Error;

use super::{Transport, every_stream, every_transport, link, open};
use crate::flow::{Flow, exchange};
use crate::role::SocketType;
use crate::socket::wait_until;

every_transport! {
    connects_in_either_order
    has_one_owner_for_an_address
    is_free_again_after_closing
    refuses_bad_addresses
    numbers_its_endpoints
}

fn connects_in_either_order(transport: Transport) {
    for is_bound_first in [true, false] {
        let Some(address) = transport.address() else { return };
        let (one, other) = (open(SocketType::Pair), open(SocketType::Pair));
        if is_bound_first {
            one.bind(&address).unwrap();
            other.connect(&address).unwrap();
        } else {
            other.connect(&address).unwrap();
            one.bind(&address).unwrap();
        }
        exchange(&one, &other);
    }
}

fn has_one_owner_for_an_address(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let owner = open(SocketType::Pair);
    owner.bind(&address).unwrap();
    assert_eq!(owner.bind(&address), Err(Error::AddressInUse));
    let other = open(SocketType::Pair);
    assert_eq!(other.bind(&address), Err(Error::AddressInUse));
    assert_eq!(other.statistic(NN_STAT_BIND_ERRORS), 1);
    // The owner still has it, and the other socket works.
    other.connect(&address).unwrap();
    Flow::new(&owner, &other).carry(b"there");
}

fn is_free_again_after_closing(transport: Transport) {
    let Some(address) = transport.address() else { return };
    for _ in 0..5 {
        let (one, other) = link(&address, SocketType::Pair);
        Flow::new(&one, &other).carry(b"there");
        one.close().unwrap();
    }
}

fn refuses_bad_addresses(transport: Transport) {
    let bad: &[(&str, Error)] = match transport {
        Transport::Inproc => &[("inproc:x", Error::InvalidArgument), ("inprox://x", Error::UnknownTransport)],
        Transport::Ipc | Transport::SharedIpc => {
            &[("ipc://", Error::InvalidArgument), ("ipc:/x", Error::InvalidArgument)]
        }
        Transport::Tcp => &[
            ("tcp://", Error::InvalidArgument),
            ("tcp://127.0.0.1", Error::InvalidArgument),
            ("tcp://127.0.0.1:", Error::InvalidArgument),
            ("tcp://127.0.0.1:65536", Error::InvalidArgument),
            ("tcp://127.0.0.1:port", Error::InvalidArgument),
        ],
        Transport::Tcp6 => {
            &[("tcp://[::1]", Error::InvalidArgument), ("tcp://[::1]:65536", Error::InvalidArgument)]
        }
        Transport::Ws => &[
            ("ws://127.0.0.1:65536", Error::InvalidArgument),
            ("ws://127.0.0.1:port", Error::InvalidArgument),
        ],
        Transport::Ws6 => {
            &[("ws://[::1]:65536", Error::InvalidArgument), ("ws://[::1]:x", Error::InvalidArgument)]
        }
        #[cfg(feature = "tls")]
        Transport::TlsTcp => &[
            ("tls+tcp://127.0.0.1", Error::InvalidArgument),
            ("tls+tcp://127.0.0.1:65536", Error::InvalidArgument),
            ("tls://127.0.0.1:5555", Error::UnknownTransport),
        ],
        #[cfg(feature = "tls")]
        Transport::Wss => &[
            ("wss://127.0.0.1:65536", Error::InvalidArgument),
            ("wss://127.0.0.1:port", Error::InvalidArgument),
        ],
    };
    let socket = open(SocketType::Pair);
    for (address, error) in bad {
        assert_eq!(socket.bind(address), Err(*error), "bind {address}");
        assert_eq!(socket.connect(address), Err(*error), "connect {address}");
    }
    let Some(address) = transport.address() else { return };
    let long = format!("{}{}", &*address, "0".repeat(128));
    assert_eq!(socket.bind(&long), Err(Error::AddressTooLong));
    assert_eq!(socket.connect(&long), Err(Error::AddressTooLong));
    // The failed calls have no effect, not even on the numbers of endpoints.
    assert_eq!(socket.bind(&address), Ok(1));
}

fn numbers_its_endpoints(transport: Transport) {
    let Some(first) = transport.address() else { return };
    let Some(second) = transport.address() else { return };
    let socket = open(SocketType::Pair);
    let (one, two) = (socket.bind(&first).unwrap(), socket.connect(&second).unwrap());
    assert_ne!(one, two);
    assert_eq!(socket.shutdown(one), Ok(()));
    assert_eq!(socket.shutdown(one), Err(Error::InvalidArgument));
    assert_eq!(socket.shutdown(two), Ok(()));
    assert_eq!(socket.shutdown(9999), Err(Error::InvalidArgument));
}

every_stream! { tries_again_until_a_peer_binds }

fn tries_again_until_a_peer_binds(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let early = open(SocketType::Pair);
    early.connect(&address).unwrap();
    wait_until("two attempts fail", || early.statistic(NN_STAT_CONNECT_ERRORS) >= 2);
    assert_eq!(early.statistic(NN_STAT_ESTABLISHED_CONNECTIONS), 0);
    let late = open(SocketType::Pair);
    late.bind(&address).unwrap();
    Flow::new(&early, &late).carry(b"at last");
    assert_eq!(early.statistic(NN_STAT_ESTABLISHED_CONNECTIONS), 1);
}

crate::cases! {
    crate::transports::all: [tcp_over_ipv6 ws_over_ipv6]
    leaves_ipv6_out_unless_it_is_allowed
}

fn leaves_ipv6_out_unless_it_is_allowed(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let socket = open(SocketType::Pair);
    socket.set(NN_SOL_SOCKET, NN_IPV4ONLY, 1).unwrap();
    assert!(socket.bind(&address).is_err(), "an address of IPv6 was bound");
    socket.set(NN_SOL_SOCKET, NN_IPV4ONLY, 0).unwrap();
    assert!(socket.bind(&address).is_ok());
}
