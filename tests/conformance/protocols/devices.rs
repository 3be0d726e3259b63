//! Devices: two raw sockets that forward messages.

use std::thread::Scope;

use nanomsg::constants::{NN_MAXTTL, NN_SOL_SOCKET, NN_STAT_MESSAGES_SENT};
use nanomsg::nn_device;
use scaproust::Error;

use super::{every_raw_role, roles, some_roles};
use crate::flow::{blocked, connect, exchange};
use crate::role::Role;
use crate::socket::{Outcome, Socket, answer, wait_until};

every_raw_role! { passes_messages_on_as_a_device ends_its_device_when_it_is_closed }

/// Runs a device in a thread of its own, until either socket is closed.
fn run<'scope>(
    scope: &'scope Scope<'scope, '_>,
    one: &Socket,
    other: Option<&Socket>,
) -> std::thread::ScopedJoinHandle<'scope, Outcome<i32>> {
    let ids = (one.id(), other.map_or(-1, Socket::id));
    let device = blocked(scope, move || answer(nn_device(ids.0, ids.1)));
    assert!(!device.is_finished(), "the device ended with {:?}", device.join().unwrap());
    device
}

/// A role's own socket type at both ends of a chain of devices.
struct Chain {
    /// Of the socket type of the role under test.
    near: Socket,
    /// Of the socket type of its peers.
    far: Socket,
    devices: Vec<(Socket, Socket)>,
}

impl Chain {
    fn new(role: Role, length: usize) -> Chain {
        let peer = role.socket_type.peer();
        let (near, far) = (Socket::open(Role::cooked(role.socket_type)), Socket::open(Role::cooked(peer)));
        let devices: Vec<(Socket, Socket)> =
            (0..length).map(|_| (Socket::open(Role::raw(peer)), Socket::open(role))).collect();
        let mut last = &near;
        for (entrance, exit) in &devices {
            connect(entrance, last);
            last = exit;
        }
        connect(&far, last);
        Chain { near, far, devices }
    }
}

fn passes_messages_on_as_a_device(role: Role) {
    for length in [1, 3] {
        let chain = Chain::new(role, length);
        std::thread::scope(|scope| {
            let running =
                Vec::from_iter(chain.devices.iter().map(|(entrance, exit)| run(scope, entrance, Some(exit))));
            for _ in 0..10 {
                exchange(&chain.near, &chain.far);
            }
            for (_, exit) in &chain.devices {
                exit.close().unwrap();
            }
            for device in running {
                assert_eq!(device.join().unwrap(), Err(Error::Closed));
            }
        });
    }
}

fn ends_its_device_when_it_is_closed(role: Role) {
    for is_first in [true, false] {
        let (one, other) = (Socket::open(role), Socket::open(Role::raw(role.socket_type.peer())));
        std::thread::scope(|scope| {
            let device = run(scope, &one, Some(&other));
            if is_first { &one } else { &other }.close().unwrap();
            assert_eq!(device.join().unwrap(), Err(Error::Closed));
        });
    }
}

some_roles! {
    [raw_rep raw_respondent]
    a_chain_is_as_long_as_the_hops_allow
}

/// Each device counts as a hop, and so does the way to the first one.
fn a_chain_is_as_long_as_the_hops_allow(role: Role) {
    let asks = Role::raw(role.socket_type.peer());
    let chain = Chain::new(asks, 2);
    std::thread::scope(|scope| {
        let running =
            Vec::from_iter(chain.devices.iter().map(|(entrance, exit)| run(scope, entrance, Some(exit))));
        chain.far.set(NN_SOL_SOCKET, NN_MAXTTL, 2).unwrap();
        chain.near.send(b"too far").unwrap();
        let (entrance, exit) = &chain.devices[1];
        wait_until("both devices have had it", || exit.statistic(NN_STAT_MESSAGES_SENT) == 1);
        // With one device less it arrives, after the other one, which is dropped.
        let short = Socket::open(Role::cooked(asks.socket_type));
        connect(entrance, &short);
        short.send(b"question").unwrap();
        assert_eq!(chain.far.recv().unwrap().body, b"question");
        chain.far.set(NN_SOL_SOCKET, NN_MAXTTL, 3).unwrap();
        exchange(&chain.near, &chain.far);
        for (_, exit) in &chain.devices {
            exit.close().unwrap();
        }
        for device in running {
            assert_eq!(device.join().unwrap(), Err(Error::Closed));
        }
    });
}

some_roles! {
    [raw_pair raw_pair1 raw_rep raw_respondent raw_star]
    reflects_what_it_receives
}

/// A device of one socket sends every message back to its sender.
fn reflects_what_it_receives(role: Role) {
    let mirror = Socket::open(role);
    let peer = Socket::open(Role::cooked(role.socket_type.peer()));
    connect(&mirror, &peer);
    std::thread::scope(|scope| {
        let device = run(scope, &mirror, None);
        for text in [&b"one"[..], b"", b"three"] {
            peer.send(text).unwrap();
            assert_eq!(peer.recv().unwrap().body, text);
        }
        mirror.close().unwrap();
        assert_eq!(device.join().unwrap(), Err(Error::Closed));
    });
}

/// PAIR and PAIR v1 are one pattern by their numbers, but messages of the first have no hop count.
#[test]
fn no_device_joins_two_versions_of_pair() {
    let (old, new) = (Socket::open(roles::raw_pair()), Socket::open(roles::raw_pair1()));
    assert_eq!(answer(nn_device(old.id(), new.id())), Err(Error::InvalidArgument));
    assert_eq!(answer(nn_device(new.id(), old.id())), Err(Error::InvalidArgument));
}

some_roles! {
    [pair pair1 publ sub req rep push pull surveyor respondent bus star]
    is_no_part_of_a_device
}

fn is_no_part_of_a_device(role: Role) {
    let (cooked, raw) = (Socket::open(role), Socket::open(Role::raw(role.socket_type.peer())));
    assert_eq!(answer(nn_device(cooked.id(), raw.id())), Err(Error::InvalidArgument));
    assert_eq!(answer(nn_device(raw.id(), cooked.id())), Err(Error::InvalidArgument));
    assert_eq!(answer(nn_device(cooked.id(), -1)), Err(Error::InvalidArgument));
}
