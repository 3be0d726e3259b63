//! Dialers whose socket is the test, which runs the reactor as well.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;

use socket2::{Domain, Socket, Type};

use super::*;
use crate::message::{Chunk, Metadata, Payload};
use crate::transport::stream::test_support::{Fixture, GREETING, expect_greeting, read_to_end, sp_header};
use EndpointEvent::{Broken, ConnectFailed, Connected, Connecting, Dropped};

/// A delay that does not end during a test.
const HOUR: Duration = Duration::from_secs(3600);
/// The shortest delay.
const MILLISECOND: Duration = Duration::from_millis(1);
/// Another address of the loopback interface, on these systems.
#[cfg(any(target_os = "linux", windows))]
const SECOND_LOOPBACK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The kind of the streams to a target.
fn kind_of(target: &Target) -> StreamKind {
    match target {
        Target::Host { .. } => StreamKind::Network,
        Target::Local(_) => StreamKind::Local,
        #[cfg(all(unix, not(simulated)))]
        Target::Custom(_) => StreamKind::Custom,
    }
}

impl Fixture {
    fn new_dialer(&self, target: Target) -> Arc<Dialer> {
        let kind = kind_of(&target);
        Dialer::new(target, kind, Mapping::Tcp, self.socket.clone(), self.reactor.clone())
    }

    fn dial(&self, target: Target) -> Arc<Dialer> {
        let kind = kind_of(&target);
        Dialer::start(target, kind, Mapping::Tcp, self.socket.clone(), self.reactor.clone())
    }

    /// A dialer that is connected, and its peer.
    fn connect(&self, listener: &TcpListener) -> (Arc<Dialer>, TcpStream) {
        let dialer = self.dial(literal(listener.local_addr().unwrap()));
        assert_eq!(self.events(), [Connecting, Connected]);
        (dialer, listener.accept().unwrap().0)
    }

    /// A dialer whose stream, which is connected already, was not connected at once; the end of its peer; and a copy of
    /// the stream's descriptor.
    fn connecting(&self) -> (Arc<Dialer>, TcpStream, TcpStream) {
        let listener = listen();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let copy = stream.try_clone().unwrap();
        let dialer = self.new_dialer(literal(listener.local_addr().unwrap()));
        self.set_connecting(&dialer, stream);
        (dialer, listener.accept().unwrap().0, copy)
    }

    fn set_connecting(&self, dialer: &Arc<Dialer>, stream: TcpStream) {
        stream.set_nonblocking(true).unwrap();
        let stream = platform::Stream::from(stream);
        let token = self.reactor.register(polled(&stream), Interest::WRITABLE, dialer.clone()).unwrap();
        lock(&dialer.state).phase = Phase::Connecting { stream: stream.into(), token };
    }

    /// Waits for the outcome of the next attempt. One that fails at once is not reported as connecting.
    fn next_outcome(&self) -> EndpointEvent {
        loop {
            let event = self.next_event();
            if event != Connecting {
                return event;
            }
        }
    }

    fn has_no_events(&self) -> bool {
        lock(&self.socket.events).is_empty()
    }
}

fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// A port that refuses connections until the socket listens.
fn closed_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn host(host: address::Host, port: u16) -> Target {
    Target::Host { host, port, local: None, family: Family::V4 }
}

fn literal(address: SocketAddr) -> Target {
    host(address::Host::Literal(address.ip()), address.port())
}

fn named(port: u16) -> Target {
    host(address::Host::Name("localhost".into()), port)
}

/// The look-up of the dialer's name has found these addresses.
fn answer(dialer: &Arc<Dialer>, addresses: &[IpAddr]) {
    lock(&dialer.state).phase = Phase::Resolving;
    let addresses = addresses.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
    dialer.clone().answered(&Answer { addresses, is_slow: false });
}

fn failure(code: i32) -> EndpointEvent {
    ConnectFailed(io::Error::from_raw_os_error(code).into())
}

fn is_waiting(dialer: &Dialer) -> bool {
    matches!(lock(&dialer.state).phase, Phase::Waiting(_))
}

/// The delay after a connection that is lost now.
fn next_delay(dialer: &Dialer) -> Option<Duration> {
    match lock(&dialer.state).attempts.lost() {
        DialStep::Wait(delay) => Some(delay),
        DialStep::Resolve | DialStep::Connect(_) => None,
    }
}

fn at_once() -> Arc<Linger> {
    Linger::begin(Some(Duration::ZERO))
}

#[test]
fn a_dialer_connects_and_greets() {
    let (test, listener) = (Fixture::new(HOUR), listen());
    let (_dialer, peer) = test.connect(&listener);
    expect_greeting(&peer);
    assert!(test.has_no_events());
}

#[test]
fn a_name_is_looked_up_and_connected() {
    let (test, listener) = (Fixture::new(HOUR), listen());
    let _dialer = test.dial(named(listener.local_addr().unwrap().port()));
    assert_eq!(test.events(), [Connecting, Connected]);
    expect_greeting(&listener.accept().unwrap().0);
}

#[test]
fn a_refused_dialer_tries_again_until_there_is_a_listener() {
    let (test, (socket, address)) = (Fixture::new(MILLISECOND), closed_port());
    let _dialer = test.dial(literal(address));
    for _ in 0..3 {
        assert_eq!(test.next_outcome(), failure(platform::REFUSED));
    }
    socket.listen(1).unwrap();
    let outcome =
        std::iter::from_fn(|| Some(test.next_outcome())).find(|outcome| matches!(outcome, Connected));
    assert_eq!(outcome, Some(Connected));
    expect_greeting(&TcpListener::from(socket).accept().unwrap().0);
}

#[test]
fn the_second_attempt_comes_after_the_delay_of_the_settings() {
    let (test, (_socket, address)) = (Fixture::new(HOUR), closed_port());
    let before = now();
    let dialer = test.dial(literal(address));
    assert_eq!(test.next_outcome(), failure(platform::REFUSED));
    let timer = test.reactor.next_timer().unwrap();
    assert!((before + HOUR..=now() + HOUR).contains(&timer));
    assert!(is_waiting(&dialer) && test.has_no_events());
}

#[test]
#[cfg(any(target_os = "linux", windows))]
fn the_addresses_of_a_name_are_tried_one_after_another() {
    let (test, (_socket, address)) = (Fixture::new(HOUR), closed_port());
    let listener = TcpListener::bind((SECOND_LOOPBACK, address.port())).unwrap();
    let dialer = test.new_dialer(named(address.port()));
    let loopback = Ipv4Addr::LOCALHOST.into();
    answer(&dialer, &[Ipv6Addr::LOCALHOST.into(), loopback, SECOND_LOOPBACK.into(), loopback]);
    assert_eq!(test.next_outcome(), failure(platform::REFUSED));
    assert_eq!(test.next_outcome(), Connected);
    expect_greeting(&listener.accept().unwrap().0);
    // The last address is dropped.
    assert!(matches!(lock(&dialer.state).attempts.failed(), DialStep::Wait(_)));
}

#[test]
fn a_host_without_a_usable_address_is_unreachable() {
    let test = Fixture::new(HOUR);
    let dialer = test.new_dialer(named(1));
    for addresses in [&[][..], &[Ipv6Addr::LOCALHOST.into()]] {
        answer(&dialer, addresses);
        assert_eq!(test.next_event(), failure(platform::UNREACHABLE));
        assert!(is_waiting(&dialer));
    }
    let zone = address::Host::LinkLocal("fe80::1".parse().unwrap(), "no such interface".into());
    let dialer = test.dial(host(zone, 1));
    assert_eq!(test.next_event(), failure(platform::UNREACHABLE));
    assert!(is_waiting(&dialer) && test.has_no_events());
}

#[test]
#[cfg(any(target_os = "linux", windows))]
fn a_connection_comes_from_the_local_address() {
    let (test, listener) = (Fixture::new(HOUR), listen());
    let address = listener.local_addr().unwrap();
    let target = || Target::Host {
        host: address::Host::Literal(address.ip()),
        port: address.port(),
        local: Some((SECOND_LOOPBACK, 0).into()),
        family: Family::V4,
    };
    let _dialer = test.dial(target());
    let dialer = test.new_dialer(target());
    answer(&dialer, &[address.ip()]);
    assert_eq!(test.events(), [Connecting, Connected, Connecting, Connected]);
    for _ in 0..2 {
        assert_eq!(listener.accept().unwrap().1.ip(), SECOND_LOOPBACK);
    }
}

#[test]
#[cfg(any(target_os = "linux", windows))]
fn after_a_lost_connection_the_name_is_looked_up_again() {
    let test = Fixture::new(MILLISECOND);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let dialer = test.new_dialer(named(listener.local_addr().unwrap().port()));
    answer(&dialer, &[SECOND_LOOPBACK.into()]);
    assert_eq!(test.events(), [Connecting, Connected]);
    let (peer, _) = listener.accept().unwrap();
    assert_eq!(peer.local_addr().unwrap().ip(), SECOND_LOOPBACK);
    drop(peer);
    assert_eq!(test.events(), [Broken, Connecting, Connected]);
    let (peer, _) = listener.accept().unwrap();
    assert_eq!(peer.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
}

#[test]
fn a_valid_greeting_resets_the_delay() {
    let (test, listener) = (Fixture::new(MILLISECOND), listen());
    let (dialer, mut peer) = test.connect(&listener);
    assert_eq!(next_delay(&dialer), Some(MILLISECOND));
    peer.write_all(&GREETING).unwrap();
    test.wait_for_pipe();
    assert_eq!(next_delay(&dialer), Some(MILLISECOND));
}

#[test]
fn the_poller_reports_that_a_stream_is_connected() {
    let test = Fixture::new(HOUR);
    let (_dialer, peer, _copy) = test.connecting();
    assert_eq!(test.next_event(), Connected);
    expect_greeting(&peer);
}

#[test]
fn a_stream_that_is_not_connected_yet_is_kept() {
    let test = Fixture::new(HOUR);
    let (socket, address) = closed_port();
    let dialer = test.new_dialer(literal(address));
    test.set_connecting(&dialer, socket.into());
    dialer.clone().ready(Ready { read: true, write: true, end: true });
    assert!(matches!(lock(&dialer.state).phase, Phase::Connecting { .. }));
    assert!(test.has_no_events());
}

/// A stream that is connected to itself has failed. Only Linux is sure to allow such a connection.
#[test]
#[cfg(target_os = "linux")]
fn after_a_failure_that_the_poller_reports_the_next_address_is_tried() {
    let test = Fixture::new(HOUR);
    let (itself, address) = closed_port();
    itself.connect(&address.into()).unwrap();
    let listener = TcpListener::bind((SECOND_LOOPBACK, address.port())).unwrap();
    let dialer = test.new_dialer(named(address.port()));
    let second = Destination::Network { address: listener.local_addr().unwrap(), local: None };
    assert!(lock(&dialer.state).attempts.resolved([second.clone(), second]).is_some());
    test.set_connecting(&dialer, itself.into());
    assert_eq!(test.events(), [failure(platform::REFUSED), Connecting, Connected]);
    expect_greeting(&listener.accept().unwrap().0);
}

#[test]
fn a_connecting_stream_is_registered_with_a_new_poller() {
    let test = Fixture::new(HOUR);
    let (_dialer, peer, _copy) = test.connecting();
    test.reactor.lose_poller();
    assert_eq!(test.next_event(), Connected);
    expect_greeting(&peer);
}

/// The stream is registered already, which Linux refuses.
#[test]
#[cfg(target_os = "linux")]
fn an_attempt_fails_whose_stream_cannot_be_registered_again() {
    let test = Fixture::new(HOUR);
    let (dialer, _peer, _copy) = test.connecting();
    dialer.clone().lost();
    assert_eq!(test.next_event(), failure(libc::EEXIST));
    assert!(is_waiting(&dialer));
    dialer.close(&at_once());
    test.expect_nothing_more();
}

#[test]
fn a_dialer_that_is_closed_while_it_waits_leaves_nothing() {
    let (test, (_socket, address)) = (Fixture::new(HOUR), closed_port());
    let dialer = test.dial(literal(address));
    assert_eq!(test.next_outcome(), failure(platform::REFUSED));
    assert!(is_waiting(&dialer));
    dialer.close(&at_once());
    test.expect_nothing_more();
    assert_eq!(Arc::strong_count(&dialer), 1);
}

#[test]
fn a_dialer_that_is_closed_while_it_resolves_withdraws_its_request() {
    let test = Fixture::new(HOUR);
    let dialer = test.new_dialer(host(address::Host::Name("endless".into()), 1));
    let weak_before = Arc::weak_count(&dialer);
    names::begin_endless_look_up("endless", dialer.this.clone());
    lock(&dialer.state).phase = Phase::Resolving;
    dialer.close(&at_once());
    assert_eq!(Arc::weak_count(&dialer), weak_before);
    test.expect_nothing_more();
}

#[test]
fn a_dialer_that_is_closed_after_the_look_up_does_not_connect() {
    let (test, listener) = (Fixture::new(HOUR), listen());
    let dialer = test.new_dialer(named(listener.local_addr().unwrap().port()));
    answer(&dialer, &[Ipv4Addr::LOCALHOST.into()]);
    dialer.close(&at_once());
    test.reactor.run_until(|| test.reactor.has_nothing_to_call());
    test.expect_nothing_more();
    assert_eq!(Arc::strong_count(&dialer), 1);
}

#[test]
fn a_dialer_that_is_closed_while_it_connects_ends_the_stream() {
    let test = Fixture::new(HOUR);
    let (dialer, peer, _copy) = test.connecting();
    dialer.close(&at_once());
    assert_eq!(read_to_end(&peer), 0);
    test.expect_nothing_more();
    assert_eq!(Arc::strong_count(&dialer), 1);
}

#[test]
fn a_connect_that_another_thread_starts_while_the_dialer_is_closed_is_abandoned() {
    let (test, listener) = (Fixture::new(HOUR), listen());
    let address = listener.local_addr().unwrap();
    let dialer = test.new_dialer(literal(address));
    let stream = TcpStream::connect(address).unwrap();
    let _copy = stream.try_clone().unwrap();
    stream.set_nonblocking(true).unwrap();
    dialer.close(&at_once());
    assert!(dialer.connecting(platform::Stream::from(stream).into()).is_ok());
    assert_eq!(read_to_end(&listener.accept().unwrap().0), 0);
    assert_eq!(test.next_event(), Connecting);
    test.expect_nothing_more();
}

#[test]
fn a_dialer_that_is_closed_while_it_is_connected_ends_its_connection() {
    let (test, listener) = (Fixture::new(MILLISECOND), listen());
    let (dialer, peer) = test.connect(&listener);
    expect_greeting(&peer);
    dialer.close(&at_once());
    assert_eq!(test.next_event(), Dropped);
    assert_eq!(read_to_end(&peer), 0);
    test.expect_nothing_more();
    assert_eq!(Arc::strong_count(&dialer), 1);
}

#[test]
fn a_second_close_replaces_the_deadline() {
    let (test, listener) = (Fixture::new(HOUR), listen());
    let (dialer, mut peer) = test.connect(&listener);
    peer.write_all(&GREETING).unwrap();
    test.wait_for_pipe();
    // More than the kernel takes.
    let large = Chunk::copy_of(&vec![0; 32 << 20]).unwrap();
    let mut outbound = lock(&test.socket.pipe).take().unwrap().outbound;
    assert!(outbound.batch().push(&[], &mut Payload::Owned(large), Metadata::default()).is_ok());
    let forever = Linger::begin(None);
    dialer.close(&forever);
    assert!(!forever.is_finished() && test.has_no_events());
    dialer.close(&at_once());
    assert!(forever.is_finished());
    assert_eq!(test.next_event(), Dropped);
    test.expect_nothing_more();
}

#[test]
fn a_closed_dialer_ignores_late_events() {
    let (test, listener) = (Fixture::new(MILLISECOND), listen());
    let dialer = test.new_dialer(named(listener.local_addr().unwrap().port()));
    dialer.close(&at_once());
    let addresses = vec![listener.local_addr().unwrap()];
    dialer.clone().answered(&Answer { addresses, is_slow: false });
    test.expect_nothing_more();
    dialer.clone().woken();
    dialer.clone().timeout(now());
    dialer.clone().ready(Ready { read: true, write: true, end: true });
    dialer.clone().lost();
    dialer.proceed(DialStep::Resolve);
    dialer.proceed(DialStep::Wait(MILLISECOND));
    test.expect_nothing_more();
}

#[test]
fn a_connected_dialer_ignores_events_of_other_phases() {
    let (test, listener) = (Fixture::new(MILLISECOND), listen());
    let (dialer, _peer) = test.connect(&listener);
    let (other, _other_peer) = test.connect(&listener);
    let stranger = match &lock(&other.state).phase {
        Phase::Connected(connection) => connection.clone(),
        _ => panic!("not connected"),
    };
    let addresses = vec![listener.local_addr().unwrap()];
    dialer.clone().answered(&Answer { addresses, is_slow: false });
    dialer.clone().woken();
    dialer.clone().timeout(now());
    dialer.clone().ready(Ready { read: true, write: true, end: true });
    dialer.clone().lost();
    dialer.clone().ended(&stranger);
    assert!(matches!(lock(&dialer.state).phase, Phase::Connected(_)));
    assert!(test.has_no_events());
}

#[test]
#[cfg(unix)]
fn a_dialer_connects_to_a_local_socket_that_appears() {
    let test = Fixture::new(MILLISECOND);
    let path = std::env::temp_dir().join(format!("nanomsg-dialer-{}", std::process::id()));
    let name = address::LocalName::Path(path);
    let address = platform::local_address(&name).unwrap();
    let _dialer = test.dial(Target::Local(address));
    assert_eq!(test.events(), [failure(libc::ENOENT), failure(libc::ENOENT)]);
    let acceptor = platform::listen_locally(&name, 0).unwrap();
    let first = std::iter::from_fn(|| Some(test.next_event())).find(|event| *event != failure(libc::ENOENT));
    assert_eq!(first, Some(Connecting));
    assert_eq!(test.next_event(), Connected);
    assert!(acceptor.accept().is_ok());
}

/// The resolver's result for a slow name is remembered for the next look-up.
#[test]
fn a_slow_look_up_makes_the_next_one_a_slow_one() {
    let test = Fixture::new(HOUR);
    let dialer = test.new_dialer(named(1));
    for is_slow in [true, false] {
        dialer.clone().answered(&Answer { addresses: Vec::new(), is_slow });
        assert_eq!(lock(&dialer.state).is_slow, is_slow);
    }
}

#[test]
fn a_socket_without_a_place_does_not_connect() {
    let test = Fixture::new(MILLISECOND);
    let listener = listen();
    listener.set_nonblocking(true).unwrap();
    test.socket.accepts_pipe.store(false, Ordering::Relaxed);
    let dialer = test.dial(literal(listener.local_addr().unwrap()));
    // A whole delay passes.
    let first = test.reactor.next_timer();
    test.reactor.run_until(|| test.reactor.next_timer() != first);
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(*lock(&test.socket.events), []);
    test.socket.accepts_pipe.store(true, Ordering::Relaxed);
    assert_eq!(test.events(), [Connecting, Connected]);
    dialer.close(&Linger::begin(Some(Duration::ZERO)));
}

/// The numbers with which a SUB and a PUB greet, as usual and for filtering.
const SUB: u16 = 33;
const PUB: u16 = 32;
const FILTERING_SUB: u16 = 0xf021;
const FILTERING_PUB: u16 = 0xf020;

fn expect_number(mut peer: &TcpStream, number: u16) {
    let mut came = [0; 8];
    peer.read_exact(&mut came).unwrap();
    assert_eq!(came, sp_header(number));
}

#[test]
fn a_publisher_that_knows_how_to_filter_is_asked_for_it() {
    let (test, listener) = (Fixture::of_filtering_subscriber(HOUR), listen());
    let (_dialer, mut peer) = test.connect(&listener);
    expect_number(&peer, FILTERING_SUB);
    peer.write_all(&sp_header(FILTERING_PUB)).unwrap();
    assert!(test.next_pipe().is_filtering);
}

#[test]
fn a_publisher_that_does_not_is_connected_again_at_once() {
    // It answers with its own number, or says nothing.
    for answers in [true, false] {
        let (test, listener) = (Fixture::of_filtering_subscriber(HOUR), listen());
        let (dialer, mut peer) = test.connect(&listener);
        expect_number(&peer, FILTERING_SUB);
        if answers {
            peer.write_all(&sp_header(PUB)).unwrap();
        } else {
            drop(peer);
        }
        assert_eq!(test.events(), [Broken, Connecting, Connected]);
        let mut peer = listener.accept().unwrap().0;
        expect_number(&peer, SUB);
        peer.write_all(&sp_header(PUB)).unwrap();
        let pipe = test.next_pipe();
        assert!(!pipe.is_filtering);
        // The next connection comes after the delay, and proposes it again.
        drop(peer);
        assert_eq!(test.next_event(), Broken);
        assert!(is_waiting(&dialer) && next_delay(&dialer).is_some_and(|delay| delay > HOUR / 2));
        assert_eq!(lock(&dialer.state).filtering, Filtering::ToBeProposed);
    }
}

#[test]
fn a_peer_that_refuses_both_is_tried_again_after_the_delay() {
    let (test, listener) = (Fixture::of_filtering_subscriber(HOUR), listen());
    let (dialer, peer) = test.connect(&listener);
    drop(peer);
    assert_eq!(test.events(), [Broken, Connecting, Connected]);
    drop(listener.accept().unwrap());
    assert_eq!(test.next_event(), Broken);
    assert!(is_waiting(&dialer) && next_delay(&dialer).is_some_and(|delay| delay > HOUR / 2));
}
