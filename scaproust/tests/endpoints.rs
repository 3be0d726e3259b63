//! Endpoints of the Rust face: options of their own, and waiting for connections.

#![cfg(not(any(loom, simulated)))]

use std::time::{Duration, Instant};

use scaproust::{Bus, Error, EventKind, Pull, Push};

/// Later than any test ends.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[test]
fn closing_the_socket_ends_the_wait() {
    let socket = Push::new().unwrap();
    let endpoint = socket.connect("inproc://endpoints/nowhere").unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| endpoint.wait_connected(far()));
        socket.close().unwrap();
        assert_eq!(waiting.join().unwrap(), Err(Error::Closed));
    });
}

#[test]
fn options_of_an_endpoint_do_not_change_those_of_the_socket() {
    let socket = Pull::new().unwrap();
    let waits = Duration::from_millis(7)..=Duration::from_millis(70);
    socket.dialer("inproc://endpoints/options").priority(3).reconnect(waits).start().unwrap();
    assert_eq!(socket.recv_priority(), Ok(8));
    assert_eq!(socket.reconnect_interval(), Ok(Duration::from_millis(100)));
}

#[test]
fn an_invalid_option_adds_no_endpoint() {
    let socket = Push::new().unwrap();
    let address = "inproc://endpoints/invalid";
    let second = Duration::from_secs(1);
    for dialer in [
        socket.dialer(address).priority(0),
        socket.dialer(address).reconnect(second..=Duration::ZERO),
        socket.dialer(address).reconnect(Duration::ZERO..=Duration::MAX),
        socket.dialer(address).tcp_user_timeout(Some(Duration::MAX)),
    ] {
        assert_eq!(dialer.start().err(), Some(Error::InvalidArgument));
    }
    assert_eq!(
        socket.listener(address).accepted_networks("localhost").start().err(),
        Some(Error::InvalidArgument)
    );
    assert_eq!(socket.bind(address).unwrap().id().get(), 1);
}

#[test]
fn tasks_wait_for_a_connection() {
    for address in ["inproc://endpoints/tasks", "tcp://127.0.0.1:0"] {
        let (one, other) = (Pull::new().unwrap(), Push::new().unwrap());
        let listener = one.bind(address).unwrap();
        let timed = listener.wait_connected_async().timeout(Duration::from_millis(1));
        assert_eq!(smol::block_on(timed), Err(Error::TimedOut));
        let mut waits = [(); 2].map(|()| listener.wait_connected_async().deadline(far()));
        for wait in &mut waits {
            assert_eq!(smol::block_on(smol::future::poll_once(wait)), None);
        }
        let dialer = other.connect(listener.address().unwrap()).unwrap();
        for wait in waits {
            smol::block_on(wait).unwrap();
        }
        smol::block_on(dialer.wait_connected_async()).unwrap();
    }
}

#[test]
fn closing_the_endpoint_s_socket_ends_the_waits_of_tasks() {
    let socket = Push::new().unwrap();
    let endpoint = socket.connect("inproc://endpoints/nowhere").unwrap();
    let mut wait = endpoint.wait_connected_async();
    assert_eq!(smol::block_on(smol::future::poll_once(&mut wait)), None);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| smol::block_on(&mut wait));
        socket.close().unwrap();
        assert_eq!(waiting.join().unwrap(), Err(Error::Closed));
    });
    assert_eq!(smol::block_on(wait), Err(Error::WrongState));
    assert_eq!(smol::block_on(endpoint.wait_connected_async()), Err(Error::Closed));
}

/// A BUS socket drops what it sends to a peer that it cannot send to yet.
#[test]
fn what_is_sent_after_the_event_of_a_connection_reaches_its_peer() {
    for round in 0..50 {
        for address in ["tcp://127.0.0.1:0".to_string(), format!("inproc://endpoints/event/{round}")] {
            let (room, member) = (Bus::new().unwrap(), Bus::new().unwrap());
            let mut events = room.events().unwrap();
            let address = room.bind(address).unwrap().address().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    assert!(events.any(|event| event.kind == EventKind::Accepted));
                    room.send("welcome").unwrap();
                });
                member.connect(address).unwrap();
                assert_eq!(member.recv_deadline(far()).unwrap(), "welcome");
            });
        }
    }
}
