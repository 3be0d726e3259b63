//! Connections: many, refused, lost, made again, and ended one at a time.

use nanomsg::constants::{
    NN_STAT_ACCEPTED_CONNECTIONS, NN_STAT_BROKEN_CONNECTIONS, NN_STAT_CONNECT_ERRORS,
    NN_STAT_DROPPED_CONNECTIONS, NN_STAT_ESTABLISHED_CONNECTIONS,
};
use scaproust::Error;

use super::{Transport, every_stream, every_transport, link, open};
use crate::flow::{Flow, exchange, number_in, numbered};
use crate::role::SocketType;
use crate::socket::{Socket, wait_until};

every_transport! {
    takes_back_a_peer_that_connects
    finds_a_peer_that_binds_again
    refuses_peers_of_another_protocol
    ends_one_endpoint_and_no_other
    has_many_connections
    receives_what_a_closed_peer_has_sent
}

fn takes_back_a_peer_that_connects(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let subject = open(SocketType::Pair);
    subject.bind(&address).unwrap();
    for _ in 0..5 {
        let peer = open(SocketType::Pair);
        peer.connect(&address).unwrap();
        exchange(&peer, &subject);
        drop(peer);
        subject.wait_for_connections(0);
    }
}

fn finds_a_peer_that_binds_again(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let subject = open(SocketType::Pair);
    subject.connect(&address).unwrap();
    for _ in 0..5 {
        let peer = open(SocketType::Pair);
        peer.bind(&address).unwrap();
        exchange(&peer, &subject);
        drop(peer);
        subject.wait_for_connections(0);
    }
}

/// On one address, a socket of the matching type is connected, and others are not.
fn refuses_peers_of_another_protocol(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let subject = open(SocketType::Pull);
    subject.bind(&address).unwrap();
    let strangers: Vec<Socket> = SocketType::ALL
        .into_iter()
        .filter(|socket_type| *socket_type != SocketType::Push)
        .map(open)
        .collect();
    for stranger in &strangers {
        stranger.connect(&address).unwrap();
    }
    if transport != Transport::Inproc {
        for stranger in &strangers {
            wait_until(&format!("{} has come in vain", stranger.role), || refused(stranger) > 0);
        }
    }
    let peer = open(SocketType::Push);
    peer.connect(&address).unwrap();
    Flow::new(&peer, &subject).carry(b"between friends");
    assert_eq!(subject.connections(), 1);
    for stranger in &strangers {
        assert_eq!(stranger.connections(), 0, "{} is connected", stranger.role);
    }
}

/// The number of connections that a bound peer has ended: over TLS, one that ends before the peer's greeting is a failure to
/// connect.
fn refused(socket: &Socket) -> u64 {
    ended(socket) + socket.statistic(NN_STAT_CONNECT_ERRORS)
}

/// The number of connections that were ended, by either side.
fn ended(socket: &Socket) -> u64 {
    socket.statistic(NN_STAT_BROKEN_CONNECTIONS) + socket.statistic(NN_STAT_DROPPED_CONNECTIONS)
}

fn ends_one_endpoint_and_no_other(transport: Transport) {
    let Some(addresses) = Option::<Vec<_>>::from_iter((0..3).map(|_| transport.address())) else { return };
    let subject = open(SocketType::Pull);
    let endpoints: Vec<i32> = addresses.iter().map(|address| subject.bind(address).unwrap()).collect();
    let peers = Vec::from_iter(addresses.iter().map(|address| {
        let peer = open(SocketType::Push);
        peer.connect(address).unwrap();
        Flow::new(&peer, &subject).carry(b"hello");
        peer
    }));
    assert_eq!(subject.connections(), 3);
    subject.shutdown(endpoints[1]).unwrap();
    subject.wait_for_connections(2);
    peers[1].wait_for_connections(0);
    assert_eq!(peers[1].try_send(b"without a peer"), Err(Error::WouldBlock));
    for peer in [&peers[0], &peers[2]] {
        Flow::new(peer, &subject).carry(b"still there");
    }
    // The address is free, and the sockets that are connecting to it get a new peer.
    let heir = open(SocketType::Pull);
    wait_until("the address is free", || heir.bind(&addresses[1]).is_ok());
    Flow::new(&peers[1], &heir).carry(b"hello again");
}

fn has_many_connections(transport: Transport) {
    const COUNT: usize = 50;
    let Some(address) = transport.address() else { return };
    let subject = open(SocketType::Pull);
    subject.bind(&address).unwrap();
    let peers = Vec::from_iter((0..COUNT).map(|number| {
        let peer = open(SocketType::Push);
        peer.connect(&address).unwrap();
        peer.send(&numbered(number)).unwrap();
        peer
    }));
    let mut received = Vec::from_iter((0..COUNT).map(|_| number_in(&subject.recv().unwrap().body)));
    received.sort_unstable();
    assert_eq!(received, Vec::from_iter(0..COUNT));
    assert_eq!(subject.connections(), COUNT as u64);
    drop(peers);
    subject.wait_for_connections(0);
}

fn receives_what_a_closed_peer_has_sent(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let (sink, source) = link(&address, SocketType::Pull);
    for number in 0..100 {
        source.send(&numbered(number)).unwrap();
    }
    drop(source);
    for number in 0..100 {
        assert_eq!(number_in(&sink.recv().unwrap().body), number);
    }
    sink.wait_for_connections(0);
}

every_stream! { counts_its_connections }

fn counts_its_connections(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let (bound, connected) = link(&address, SocketType::Pair);
    let made = [NN_STAT_ACCEPTED_CONNECTIONS, NN_STAT_ESTABLISHED_CONNECTIONS];
    assert_eq!(made.map(|number| bound.statistic(number)), [1, 0]);
    assert_eq!(made.map(|number| connected.statistic(number)), [0, 1]);
    assert_eq!((ended(&bound), ended(&connected)), (0, 0));
    drop(connected);
    wait_until("the connection is gone", || ended(&bound) == 1);
    assert_eq!(bound.connections(), 0);
    assert_eq!(bound.statistic(NN_STAT_BROKEN_CONNECTIONS), 1, "it was the other side that ended it");
}
