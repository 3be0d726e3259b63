//! Listeners whose socket is the test, which runs the reactor as well.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;

use super::*;
#[cfg(feature = "tls")]
use crate::endpoint::PLACES;
use crate::transport::stream::platform::Acceptor;
use crate::transport::stream::test_support::{Fixture, expect_greeting, read_to_end, sp_header};
#[cfg(feature = "tls")]
use crate::transport::stream::test_support::{GREETING, SecurePeer, configs, secure_settings};
use EndpointEvent::{Accepted, Broken, Dropped};

impl Fixture {
    fn listen(&self) -> (Arc<Listener>, SocketAddr) {
        let (acceptor, address) = Fixture::acceptor();
        (self.listen_at(acceptor), address)
    }

    #[cfg(feature = "tls")]
    fn listen_securely(&self) -> (Arc<Listener>, SocketAddr) {
        let (acceptor, address) = Fixture::acceptor();
        let kind = StreamKind::secure(&secure_settings(&[]).1, None).unwrap();
        (self.listen_as(acceptor, kind), address)
    }

    fn acceptor() -> (Acceptor, SocketAddr) {
        let socket = socket2::Socket::from(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket.into(), address)
    }

    fn listen_at(&self, acceptor: Acceptor) -> Arc<Listener> {
        self.listen_as(acceptor, StreamKind::Network)
    }

    fn listen_as(&self, acceptor: Acceptor, kind: StreamKind) -> Arc<Listener> {
        let (context, reactor) = (self.socket.clone(), self.reactor.clone());
        Listener::start(acceptor, None, kind, Mapping::Tcp, context, reactor).unwrap()
    }

    /// Takes all places for handshakes by peers that have come long ago and say nothing.
    #[cfg(feature = "tls")]
    fn silent_peers(&self, listener: &Arc<Listener>, address: SocketAddr) -> Vec<TcpStream> {
        let connect = |count| {
            let peer = TcpStream::connect(address).unwrap();
            self.reactor.run_until(|| Fixture::connections(listener) == count);
            peer
        };
        let peers = (1..=PLACES).map(connect).collect();
        let mut state = lock(&listener.state);
        state.handshakes = Places::new();
        for connection in state.connections.clone() {
            let site = Site::of(Some(address.ip()));
            state.handshakes.take(connection, site, Duration::ZERO);
        }
        peers
    }

    /// A listener that has failed to accept, and so pauses. Its socket does not listen yet.
    #[cfg(unix)]
    fn paused(&self) -> (Arc<Listener>, socket2::Socket) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let listener = self.listen_at(socket.try_clone().unwrap().into());
        assert_eq!(listener.clone().ready(Ready::READ), Progress::Done);
        assert_eq!(self.next_event(), EndpointEvent::AcceptFailed(crate::error::Error::Os(libc::EINVAL)));
        (listener, socket)
    }

    fn connections(listener: &Listener) -> usize {
        lock(&listener.state).connections.len()
    }
}

fn at_once() -> Arc<Linger> {
    Linger::begin(Some(Duration::ZERO))
}

#[test]
fn a_listener_keeps_each_connection_until_it_ends() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, address) = test.listen();
    let [first, second] = [(); 2].map(|()| TcpStream::connect(address).unwrap());
    assert_eq!(test.events(), [Accepted, Accepted]);
    expect_greeting(&first);
    expect_greeting(&second);
    assert_eq!(Fixture::connections(&listener), 2);
    drop(first);
    assert_eq!(test.next_event(), Broken);
    assert_eq!(Fixture::connections(&listener), 1);
    listener.close(&at_once());
    assert_eq!(test.next_event(), Dropped);
    assert_eq!(read_to_end(&second), 0);
}

#[test]
fn a_step_accepts_one_connection() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, address) = test.listen();
    let _peers = [(); 2].map(|()| TcpStream::connect(address).unwrap());
    for (progress, connections) in [(Progress::More, 1), (Progress::More, 2), (Progress::Done, 2)] {
        assert_eq!(listener.clone().ready(Ready::READ), progress);
        assert_eq!(Fixture::connections(&listener), connections);
    }
}

#[test]
fn a_socket_without_a_place_disconnects_peers_without_a_greeting() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, address) = test.listen();
    test.socket.accepts_pipe.store(false, Ordering::Relaxed);
    let refused = TcpStream::connect(address).unwrap();
    assert_eq!(listener.clone().ready(Ready::READ), Progress::More);
    assert_eq!(read_to_end(&refused), 0);
    assert!(Fixture::connections(&listener) == 0 && lock(&test.socket.events).is_empty());
    // The listener goes on.
    test.socket.accepts_pipe.store(true, Ordering::Relaxed);
    let welcome = TcpStream::connect(address).unwrap();
    assert_eq!(test.next_event(), Accepted);
    expect_greeting(&welcome);
}

#[test]
fn a_socket_with_one_place_greets_a_peer_after_it_has_given_it_the_place() {
    let pair_greeting = [0, b'S', b'P', 0, 0, 16, 0, 0];
    let test = Fixture::with_protocol(&crate::protocol::PAIR, Duration::ZERO);
    let (_listener, address) = test.listen();
    let mut peer = TcpStream::connect(address).unwrap();
    assert_eq!(test.next_event(), Accepted);
    peer.set_nonblocking(true).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    peer.write_all(&pair_greeting).unwrap();
    test.reactor.run_until(|| peer.peek(&mut [0]).is_ok());
    let mut came = [0; 9];
    let length = peer.read(&mut came).unwrap();
    assert_eq!(came[..length], pair_greeting);
    assert!(lock(&test.socket.pipe).is_some());

    // A peer that waits for this side's greeting gets it all the same.
    let waiting = TcpStream::connect(address).unwrap();
    assert_eq!(test.next_event(), Accepted);
    waiting.set_nonblocking(true).unwrap();
    test.reactor.run_until(|| waiting.peek(&mut [0]).is_ok());
}

#[test]
fn a_listener_that_is_closed_ends_its_connections_and_leaves_nothing() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, address) = test.listen();
    let peers = [(); 2].map(|()| TcpStream::connect(address).unwrap());
    assert_eq!(test.events(), [Accepted, Accepted]);
    listener.close(&at_once());
    assert_eq!(test.events(), [Dropped, Dropped]);
    for peer in peers {
        expect_greeting(&peer);
        assert_eq!(read_to_end(&peer), 0);
    }
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(listener.clone().ready(Ready::READ), Progress::Done);
    listener.clone().lost();
    test.expect_nothing_more();
    assert_eq!((Fixture::connections(&listener), Arc::strong_count(&listener)), (0, 1));
}

#[test]
fn a_connection_that_is_accepted_while_the_listener_is_closed_ends_at_once() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, address) = test.listen();
    let peer = TcpStream::connect(address).unwrap();
    let accepted = lock(&listener.state).listening.as_ref().unwrap().0.accept().unwrap();
    listener.close(&at_once());
    assert!(listener.admit(accepted));
    assert_eq!(test.events(), [Accepted, Dropped]);
    assert_eq!(read_to_end(&peer), 0);
    test.expect_nothing_more();
    assert_eq!(Fixture::connections(&listener), 0);
}

#[test]
#[cfg(unix)]
fn after_a_failure_a_listener_pauses_and_then_accepts_again() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, socket) = test.paused();
    socket.listen(1).unwrap();
    let peer = TcpStream::connect(socket.local_addr().unwrap().as_socket().unwrap()).unwrap();
    assert_eq!(listener.clone().ready(Ready::READ), Progress::Done);
    assert!(lock(&test.socket.events).is_empty());
    assert_eq!(test.next_event(), Accepted);
    expect_greeting(&peer);
}

#[test]
#[cfg(unix)]
fn a_listener_that_is_closed_during_a_pause_does_nothing_more() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, _socket) = test.paused();
    listener.close(&at_once());
    // The end of the pause is not awaited: it comes here.
    listener.clone().timeout(now());
    test.reactor.run_until(|| test.reactor.has_nothing_to_call());
    test.expect_nothing_more();
    assert_eq!(Arc::strong_count(&listener), 1);
}

#[test]
fn a_listener_is_registered_with_a_new_poller() {
    let test = Fixture::new(Duration::ZERO);
    let (_listener, address) = test.listen();
    test.reactor.lose_poller();
    let peer = TcpStream::connect(address).unwrap();
    assert_eq!(test.next_event(), Accepted);
    expect_greeting(&peer);
}

/// The acceptor is registered already, which Linux refuses.
#[test]
#[cfg(target_os = "linux")]
fn a_listener_that_cannot_be_registered_again_reports_it() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, _address) = test.listen();
    listener.lost();
    assert_eq!(test.next_event(), EndpointEvent::AcceptFailed(crate::error::Error::Os(libc::EEXIST)));
}

/// A connection with TLS is accepted when the greeting has come. Until then its end is a failure to accept.
#[test]
#[cfg(feature = "tls")]
fn a_connection_with_tls_is_accepted_with_its_greeting() {
    use std::io::Write;

    let test = Fixture::new(Duration::ZERO);
    let (listener, address) = test.listen_securely();
    let (config, _) = configs(&[]);
    let peer = std::thread::spawn(move || {
        let mut peer = SecurePeer::new(TcpStream::connect(address).unwrap(), &config);
        peer.write_all(&GREETING).unwrap();
        expect_greeting(&mut peer);
        peer
    });
    assert_eq!(test.next_event(), Accepted);
    drop(peer.join().unwrap());
    assert_eq!(test.next_event(), Broken);

    let left = TcpStream::connect(address).unwrap();
    test.reactor.run_until(|| Fixture::connections(&listener) == 1);
    drop(left);
    assert_eq!(test.next_event(), EndpointEvent::AcceptFailed(Error::Os(libc::ECONNRESET)));

    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(&GREETING).unwrap();
    assert_eq!(test.next_event(), EndpointEvent::AcceptFailed(Error::Os(libc::EPROTO)));
    let mut alert = Vec::new();
    std::io::Read::read_to_end(&mut plain, &mut alert).unwrap();
    assert_eq!(alert[..3], [21, 3, 3]);
    assert_eq!((Fixture::connections(&listener), lock(&listener.state).handshakes.taken()), (0, 0));
}

/// A peer that says nothing keeps no other out: when all places are taken, the one that has had its place longest is ended.
#[test]
#[cfg(feature = "tls")]
fn the_number_of_handshakes_is_bounded_and_a_silent_one_makes_room() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, address) = test.listen_securely();
    let mut peers = test.silent_peers(&listener, address);
    // Nothing is ended before a peer waits for a place.
    assert_eq!(listener.clone().ready(Ready::READ), Progress::Done);
    assert!(lock(&test.socket.events).is_empty());
    for first in 0..3 {
        peers.push(TcpStream::connect(address).unwrap());
        assert_eq!(test.next_event(), EndpointEvent::AcceptFailed(Error::Os(libc::ETIMEDOUT)));
        assert_eq!(read_to_end(&peers[first]), 0);
        assert_eq!(lock(&listener.state).handshakes.taken(), PLACES);
    }
}

/// A thread that performs a part of its handshake keeps the connection that was to be ended: the new peer waits.
#[test]
#[cfg(feature = "tls")]
fn the_number_of_handshakes_is_bounded_while_the_one_to_be_ended_goes_on() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, address) = test.listen_securely();
    let _peers = test.silent_peers(&listener, address);
    let taken = || lock(&listener.state).handshakes.taken();
    let first = lock(&listener.state).connections[0].clone();
    let (is_reading, reads) = std::sync::mpsc::channel();
    let (stop, goes_on) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        first.while_reading(|| {
            is_reading.send(()).unwrap();
            // Until the other end is closed.
            let _ = goes_on.recv();
        });
    });
    reads.recv().unwrap();
    let _new = TcpStream::connect(address).unwrap();
    // The poller need not be asked.
    test.reactor.run_until(|| {
        assert_eq!(listener.clone().ready(Ready::READ), Progress::Done);
        lock(&listener.state).waiting.is_some()
    });
    assert_eq!((taken(), Fixture::connections(&listener)), (PLACES, PLACES));
    assert!(lock(&test.socket.events).is_empty());
    drop(stop);
    reader.join().unwrap();
    assert_eq!(test.next_event(), EndpointEvent::AcceptFailed(Error::Os(libc::ETIMEDOUT)));
    test.reactor.run_until(|| lock(&listener.state).waiting.is_none());
    assert_eq!((taken(), Fixture::connections(&listener)), (PLACES, PLACES));
}

/// A timer of an earlier wait may be a later one.
#[test]
#[cfg(feature = "tls")]
fn a_listener_looks_for_a_place_at_the_earliest_moment() {
    let test = Fixture::new(Duration::ZERO);
    let (listener, _address) = test.listen_securely();
    let hour = Duration::from_secs(3600);
    for moments in [[hour, Duration::ZERO], [Duration::ZERO, hour]] {
        {
            let mut state = lock(&listener.state);
            for moment in moments {
                listener.await_place(&mut state, now() + moment);
            }
        }
        test.reactor.run_until(|| !lock(&listener.state).awaits_place);
    }
    // A listener that is closed leaves no timer.
    listener.await_place(&mut lock(&listener.state), now() + hour);
    listener.close(&at_once());
    test.reactor.run_until(|| test.reactor.has_nothing_to_call());
    assert_eq!(Arc::strong_count(&listener), 1);
}

#[test]
fn a_listener_that_may_filter_answers_in_kind() {
    let test = Fixture::of_filtering_subscriber(Duration::ZERO);
    let (_listener, address) = test.listen();
    for (number, answer, is_filtering) in [(32, 33, false), (0xf020, 0xf021, true)] {
        let mut peer = TcpStream::connect(address).unwrap();
        assert_eq!(test.next_event(), Accepted);
        // It says nothing first.
        peer.set_nonblocking(true).unwrap();
        assert_eq!(peer.read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        peer.write_all(&sp_header(number)).unwrap();
        assert_eq!(test.next_pipe().is_filtering, is_filtering);
        test.reactor.run_until(|| peer.peek(&mut [0; 8]).is_ok_and(|count| count == 8));
        let mut came = [0; 8];
        peer.read_exact(&mut came).unwrap();
        assert_eq!(came, sp_header(answer));
    }
    let mut stranger = TcpStream::connect(address).unwrap();
    stranger.write_all(&sp_header(16)).unwrap();
    assert_eq!(test.events(), [Accepted, Broken]);
    assert_eq!(read_to_end(&stranger), 0);
}
