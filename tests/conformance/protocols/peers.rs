//! Peers of the wrong type, that disconnect, and that connect again.

use super::{every_receiver, every_role};
use crate::flow::{Flow, Link, exchange, inproc_address};
use crate::role::{Role, SocketType};
use crate::socket::Socket;

every_role! { refuses_peers_of_other_types takes_back_a_peer_that_connects takes_back_a_peer_that_binds }

/// Every socket type connects to one address; only the matching one is connected.
fn refuses_peers_of_other_types(role: Role) {
    let subject = Socket::open(role);
    let address = inproc_address();
    subject.bind(&address).unwrap();
    let (mut others, peers): (Vec<Role>, Vec<Role>) = SocketType::ALL
        .into_iter()
        .flat_map(|socket_type| [Role::cooked(socket_type), Role::raw(socket_type)])
        .partition(|other| other.socket_type != role.socket_type.peer());
    assert_eq!((others.len(), peers.len()), (2 * SocketType::ALL.len() - 2, 2));
    others.push(peers[0]);
    let sockets: Vec<Socket> = others.into_iter().map(Socket::open).collect();
    for socket in &sockets {
        socket.connect(&address).unwrap();
    }
    let (peer, strangers) = sockets.split_last().unwrap();
    peer.wait_for_connections(1);
    subject.wait_for_connections(1);
    for stranger in strangers {
        assert_eq!(stranger.connections(), 0, "{} is connected", stranger.role);
    }
    exchange(&subject, peer);
}

fn takes_back_a_peer_that_connects(role: Role) {
    let address = inproc_address();
    let subject = Socket::open(role);
    subject.bind(&address).unwrap();
    for raw in [false, true, false] {
        let peer = Socket::open(Role { socket_type: role.socket_type.peer(), raw });
        peer.connect(&address).unwrap();
        subject.wait_for_connections(1);
        peer.wait_for_connections(1);
        exchange(&subject, &peer);
        drop(peer);
        subject.wait_for_connections(0);
    }
}

fn takes_back_a_peer_that_binds(role: Role) {
    let address = inproc_address();
    let subject = Socket::open(role);
    subject.connect(&address).unwrap();
    for raw in [false, true, false] {
        let peer = Socket::open(Role { socket_type: role.socket_type.peer(), raw });
        peer.bind(&address).unwrap();
        subject.wait_for_connections(1);
        peer.wait_for_connections(1);
        exchange(&subject, &peer);
        drop(peer);
        subject.wait_for_connections(0);
    }
}

every_receiver! { receives_what_a_closed_peer_has_sent }

fn receives_what_a_closed_peer_has_sent(role: Role) {
    let Link { subject, peer } = Link::new(role, true);
    let mut flow = Flow::new(&peer, &subject);
    let count = flow.window().min(3);
    for _ in 0..count {
        flow.send(b"last words").unwrap();
    }
    drop(peer);
    for _ in 0..count {
        assert_eq!(subject.recv().unwrap().body, b"last words");
    }
    subject.wait_for_connections(0);
}
