//! Connections whose peer is a plain stream, and whose socket is this test.

use std::io::{Read, Write};
#[cfg(feature = "tls")]
use std::mem::MaybeUninit;
use std::sync::mpsc;

use super::*;
use crate::message::{Metadata, Payload};
use crate::pipe::{Edges, NullPeer, Producer};
use crate::protocol::{PAIR, PUSH, ProtocolInfo};
use crate::transport::PipeEnds;
use crate::transport::stream::layers::masked::{HELLO, MASK};
use crate::transport::stream::protocol_pair;
use crate::transport::stream::test_support::{GREETING, Plain, TestSocket, connected_pair};
#[cfg(feature = "tls")]
use crate::transport::stream::test_support::{SecurePeer, configs, connected_over_network};

impl Owner for NullPeer {
    fn is_dialer(&self) -> bool {
        true
    }
    fn established(&self, _connection: &Arc<Connection>) {}
    #[cfg(feature = "tls")]
    fn handshake_failed(&self, _failure: &crate::tls::Failure) {}
    fn ended(self: Arc<Self>, _connection: &Arc<Connection>) {}
}

/// A connection of a PUSH socket, its outbound lane, and a peer that has greeted.
fn connected() -> (Arc<Connection>, Producer, Plain) {
    let (connection, pipe, theirs) = connected_pipe();
    (connection, pipe.outbound, theirs)
}

/// The same, with both lanes.
fn connected_pipe() -> (Arc<Connection>, PipeEnds, Plain) {
    connected_to(Arc::new(NullPeer))
}

/// The same, with this socket's end of the pipe.
fn connected_to(end: Arc<dyn SocketPipe>) -> (Arc<Connection>, PipeEnds, Plain) {
    let (ours, mut theirs) = connected_pair();
    ours.set_nonblocking(true).unwrap();
    let (context, reactor) = (TestSocket::new(&PUSH, end), Reactor::running());
    let connection = Connection::start(
        Stream::local(ours.into()),
        Mapping::Ipc,
        protocol_pair(context.protocol()),
        context.clone(),
        Arc::new(NullPeer),
        reactor,
    )
    .unwrap();
    connection.greet();
    let mut greeting = [0; 8];
    theirs.read_exact(&mut greeting).unwrap();
    theirs.write_all(&GREETING).unwrap();
    // The greeting is read here, or was read by the I/O thread.
    connection.receive();
    let pipe = lock(&context.pipe).take().unwrap();
    (connection, pipe, theirs)
}

#[test]
fn a_message_sent_between_a_flush_and_a_closing_is_delivered() {
    let (connection, mut outbound, mut theirs) = connected();
    // One thread has written everything, and has not acted on that yet. Then another sends a message, and begins to close
    // the connection.
    let flushed = connection.write_out(&mut lock(&connection.writer));
    assert!(outbound.batch().push(&[], &mut Payload::Borrowed(b"last"), Metadata::default()).is_ok());
    let linger = Linger::begin(None);
    assert!(lock(&connection.writer).begin_closing(&linger));
    connection.act_on(flushed);
    assert!(!linger.is_finished());
    connection.close(&linger);
    let mut came = Vec::new();
    theirs.read_to_end(&mut came).unwrap();
    assert_eq!(came, b"\x01\0\0\0\0\0\0\0\x04last");
    linger.wait();
}

#[test]
fn closing_a_connection_that_has_ended_waits_for_nothing() {
    let (connection, _outbound, theirs) = connected();
    drop(theirs);
    connection.finish(End::PEER);
    let linger = Linger::begin(None);
    assert!(!lock(&connection.writer).begin_closing(&linger));
    connection.close(&linger);
    connection.reject(b"why", End::INVALID);
    linger.wait();
    assert!(lock(&connection.writer).outbound.is_empty());
}

#[test]
fn a_greeting_cancels_its_own_timer_and_no_other() {
    let (ours, mut theirs) = connected_pair();
    ours.set_nonblocking(true).unwrap();
    let (context, reactor) = (TestSocket::new(&PUSH, Arc::new(NullPeer)), Reactor::running());
    let connection = Connection::start(
        Stream::local(ours.into()),
        Mapping::Ipc,
        protocol_pair(context.protocol()),
        context,
        Arc::new(NullPeer),
        reactor,
    )
    .unwrap();
    assert_eq!(lock(&connection.timers).purposes(), [Purpose::Greeting]);
    connection.set_timer(Purpose::Deadline, now() + GREETING_TIME);
    theirs.write_all(&GREETING).unwrap();
    connection.receive();
    assert_eq!(lock(&connection.timers).purposes(), [Purpose::Deadline]);
    connection.finish(End::LOCAL);
    connection.set_timer(Purpose::Deadline, now() + GREETING_TIME);
    assert_eq!(lock(&connection.timers).purposes(), []);
}

/// A connection of a socket that answers the peer's greeting, over a stream of which the test reads for it.
fn answering(stream: Stream, protocol: &'static ProtocolInfo) -> (Arc<Connection>, Arc<TestSocket>) {
    let context = TestSocket::new(protocol, Arc::new(NullPeer));
    let connection = Connection::start(
        stream,
        Mapping::Ipc,
        Protocols { order: GreetingOrder::AfterPeer, ..protocol_pair(protocol).into() },
        context.clone(),
        Arc::new(NullPeer),
        Reactor::idle(),
    );
    (connection.unwrap(), context)
}

/// The I/O thread may get the processor so late that the greeting's time is over, though the greeting came in time.
#[test]
fn a_greeting_that_waits_to_be_read_is_not_late() {
    for time in [PEER_FIRST_TIME, GREETING_TIME] {
        let (ours, mut theirs) = connected_pair();
        ours.set_nonblocking(true).unwrap();
        let (connection, context) = answering(Stream::local(ours.into()), &PUSH);
        connection.greet();
        theirs.write_all(&GREETING).unwrap();
        connection.clone().timeout(now() + time);
        assert!(lock(&context.pipe).take().is_some() && connection.is_established());
        connection.finish(End::LOCAL);
    }
}

/// The kernel ends a read behind a descriptor: what came after it is read as well, since nothing reports it.
#[test]
#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
fn messages_behind_a_descriptor_are_read_at_once() {
    use std::io::IoSlice;

    use crate::transport::SharedMemory;
    use crate::transport::stream::platform;
    use crate::transport::stream::rings::{Shared, Side, send_with_descriptor};

    let memory = SharedMemory::new(1 << 16, &Arc::default());
    for shared in [None, Shared::new(Side::Accepted, &memory)] {
        let (ours, theirs) = connected_pair();
        ours.set_nonblocking(true).unwrap();
        let (connection, context) = answering(Stream::sharing(ours.into(), shared), &PAIR);
        let (mut theirs, file) = (platform::Stream::from(theirs), std::fs::File::open("/dev/zero").unwrap());
        let greeting = [0, b'S', b'P', 0, 0, 16, 0, 0];
        assert_eq!(send_with_descriptor(&theirs, &[IoSlice::new(&greeting)], &file.into()).unwrap(), 8);
        theirs.write_all(&[1, 0, 0, 0, 0, 0, 0, 0, 2, b'h', b'i']).unwrap();
        connection.receive();
        let mut pipe = lock(&context.pipe).take().unwrap();
        assert_eq!(pipe.inbound.front().unwrap().body, b"hi");
        connection.finish(End::LOCAL);
    }
}

#[test]
fn a_read_that_finds_nothing_does_not_prolong_a_silence() {
    let (connection, _pipe, mut theirs) = connected_pipe();
    theirs.write_all(b"\x01\0\0").unwrap();
    connection.receive();
    let silent = now();
    while now() == silent {}
    connection.receive();
    {
        let inbound = &mut lock(&connection.reader).inbound;
        assert!(inbound.is_mid_message());
        assert_eq!(inbound.check_time(silent + Duration::from_secs(30)), TimeCheck::Exceeded);
    }
    connection.finish(End::LOCAL);
}

#[test]
#[cfg(all(target_os = "linux", not(portable)))]
fn write_interest_is_registered_while_a_writer_waits() {
    let (connection, mut outbound, mut theirs) = connected();
    assert!(!lock(&connection.registration).interest.write);
    // More than the kernel takes: the rest is written when the poller reports room.
    let large = vec![7; 4 << 20];
    assert!(
        outbound
            .batch()
            .push(
                &[],
                &mut Payload::Owned(crate::message::Chunk::copy_of(&large).unwrap()),
                Metadata::default()
            )
            .is_ok()
    );
    connection.flush();
    assert!(lock(&connection.registration).interest.write);
    let mut came = vec![0; 9 + large.len()];
    theirs.read_exact(&mut came).unwrap();
    assert_eq!(came[9..], large);
    // After each of these the poller reports room.
    let mut frame = [0; 10];
    while lock(&connection.registration).interest.write {
        assert!(outbound.batch().push(&[], &mut Payload::Borrowed(b"x"), Metadata::default()).is_ok());
        connection.flush();
        theirs.read_exact(&mut frame).unwrap();
    }
    connection.finish(End::LOCAL);
}

#[test]
fn before_blocking_writes_gathered_messages() {
    let (connection, mut outbound, mut theirs) = connected();
    for _ in 0..2 {
        assert!(
            outbound.batch().push(&[], &mut Payload::Borrowed(b"gathers"), Metadata::default()).unwrap().edge
        );
        // As `gather`, but the I/O thread is not woken.
        assert!(
            connection.begin_gathering()
                && connection.context.batching().add(connection.clone(), &connection.reactor) == Some(true)
        );
        assert!(
            !outbound
                .batch()
                .push(&[], &mut Payload::Borrowed(b"as well"), Metadata::default())
                .unwrap()
                .edge
        );
        crate::transport::before_blocking(None);
        theirs.set_nonblocking(true).unwrap();
        let mut came = [0; 32];
        theirs.read_exact(&mut came).unwrap();
        assert_eq!(came, *b"\x01\0\0\0\0\0\0\0\x07gathers\x01\0\0\0\0\0\0\0\x07as well");
        theirs.set_nonblocking(false).unwrap();
    }
    connection.finish(End::LOCAL);
}

#[test]
fn a_message_sent_while_the_socket_closes_does_not_gather() {
    let (connection, mut outbound, mut theirs) = connected();
    connection.context.batching().close();
    theirs.set_nonblocking(true).unwrap();
    for _ in 0..2 {
        assert!(
            outbound.batch().push(&[], &mut Payload::Borrowed(b"late"), Metadata::default()).unwrap().edge
        );
        connection.gather();
        let mut came = [0; 13];
        theirs.read_exact(&mut came).unwrap();
        assert_eq!(came, *b"\x01\0\0\0\0\0\0\0\x04late");
    }
    connection.finish(End::LOCAL);
    assert_eq!(Arc::strong_count(connection.context.batching()), 1);
}

/// A socket's end of a pipe that sends something at each edge.
struct Reporter(mpsc::Sender<()>);

impl Peer for Reporter {
    fn readable(self: Arc<Self>, _size: usize) {
        let _ = self.0.send(());
    }

    fn writable(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

impl SocketPipe for Reporter {
    fn close(self: Arc<Self>, _end: End) {}
}

/// A layer that delays, hoards and changes bytes carries a connection in both directions, under back-pressure.
#[test]
fn a_layer_carries_a_connection() {
    let (ours, mut theirs) = connected_pair();
    ours.set_nonblocking(true).unwrap();
    let mask = |bytes: &[u8]| bytes.iter().map(|byte| byte ^ MASK).collect::<Vec<u8>>();
    carry(Stream::masked(ours.into()), 4, move |wire| {
        let mut hello = [0];
        theirs.write_all(&[HELLO]).unwrap();
        theirs.read_exact(&mut hello).unwrap();
        assert_eq!(hello, [HELLO]);
        theirs.write_all(&mask(wire)).unwrap();
        let mut came = Vec::new();
        theirs.read_to_end(&mut came).unwrap();
        mask(&came)
    });
}

/// The same for TLS, of each version and on each side, with messages that are small and with some that need many records.
#[test]
#[cfg(feature = "tls")]
fn tls_carries_a_connection() {
    use crate::tls::TlsOption::MaxVersion;

    for (version, is_client, size) in
        [(0x303, false, 4), (0x303, true, 4), (0x304, false, 4), (0x304, true, 4), (0x304, true, 20_000)]
    {
        let (client, server) = configs(&[(MaxVersion, version)]);
        let (config, peer_config) = if is_client { (client, server) } else { (server, client) };
        let (ours, theirs) = connected_over_network();
        let stream = Stream::secure(ours, &config).unwrap();
        carry(stream, size, move |wire| {
            let mut peer = SecurePeer::new(theirs, &peer_config);
            peer.write_all(wire).unwrap();
            let mut came = Vec::new();
            // Fails if the end is not announced.
            peer.read_to_end(&mut came).unwrap();
            came
        });
    }
}

/// Sends messages of `size` bytes over a stream in both directions. `peer` sends the given bytes, and returns those that come.
fn carry(stream: Stream, size: usize, peer: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static) {
    let messages: Vec<Vec<u8>> = (0..200_u32).map(|number| number.to_be_bytes().repeat(size / 4)).collect();
    let mut wire = vec![0, b'S', b'P', 0, 0, 16, 0, 0];
    for message in &messages {
        wire.push(1);
        wire.extend_from_slice(&(size as u64).to_be_bytes());
        wire.extend_from_slice(message);
    }
    let (sender, edges) = mpsc::channel();
    let (context, reactor) = (TestSocket::new(&PAIR, Arc::new(Reporter(sender))), Reactor::running());
    let connection = Connection::start(
        stream,
        Mapping::Ipc,
        protocol_pair(context.protocol()),
        context.clone(),
        Arc::new(NullPeer),
        reactor,
    )
    .unwrap();
    connection.greet();
    let sent = wire.clone();
    let peer = std::thread::spawn(move || peer(&sent));
    edges.recv().unwrap();
    let PipeEnds { mut inbound, mut outbound, .. } = lock(&context.pipe).take().unwrap();
    let (mut pushed, mut received) = (0, Vec::new());
    while pushed < messages.len() || received.len() < messages.len() {
        let mut is_idle = true;
        if let Some(message) = messages.get(pushed) {
            // As a socket does: the lane copies small messages only.
            let mut payload = match size {
                4 => Payload::Borrowed(message),
                _ => Payload::Owned(crate::message::Chunk::copy_of(message).unwrap()),
            };
            let result = outbound.batch().push(&[], &mut payload, Metadata::default());
            if let Ok(result) = result {
                (pushed, is_idle) = (pushed + 1, false);
                if result.edge {
                    connection.clone().readable(message.len());
                }
            }
        }
        if let Some(front) = inbound.front() {
            let (body, rest) = front.split(0);
            received.push([body, rest].concat());
            is_idle = false;
            if inbound.pop() {
                connection.clone().writable();
            }
        }
        if is_idle {
            edges.recv().unwrap();
        }
    }
    assert!(received == messages);
    let linger = Linger::begin(None);
    connection.close(&linger);
    linger.wait();
    assert!(peer.join().unwrap() == wire);
}

/// A socket's end of a pipe that sends something when it is closed.
struct Closed(mpsc::Sender<()>);

impl Peer for Closed {
    fn readable(self: Arc<Self>, _size: usize) {}
    fn writable(self: Arc<Self>) {}
}

impl SocketPipe for Closed {
    fn close(self: Arc<Self>, _end: End) {
        // As a socket does: the caller must not hold a lock that forbids it.
        Edges::default().deliver();
        self.0.send(()).unwrap();
    }
}

#[test]
fn a_pipe_made_after_the_end_is_closed_without_holding_locks() {
    let (ours, mut theirs) = connected_pair();
    ours.set_nonblocking(true).unwrap();
    let (sender, closed) = mpsc::channel();
    let (context, reactor) = (TestSocket::new(&PUSH, Arc::new(Closed(sender))), Reactor::running());
    let stream = Stream::local(ours.into());
    let connection = Connection::start(
        stream,
        Mapping::Ipc,
        protocol_pair(context.protocol()),
        context,
        Arc::new(NullPeer),
        reactor,
    )
    .unwrap();
    // As another thread that is about to finish the connection.
    drop(lock(&connection.writer).end());
    theirs.write_all(&GREETING).unwrap();
    assert_eq!(closed.recv(), Ok(()));
    connection.deregister();
    connection.end_timers();
}

#[test]
fn an_exit_does_not_wait_for_locks_that_its_thread_holds() {
    let (connection, _outbound, _theirs) = connected();
    let held = lock(&connection.writer);
    assert_eq!(connection.clone().write_now(), Some(0));
    drop(held);
    let held = lock(&connection.registration);
    assert_eq!(connection.clone().write_now(), Some(0));
    drop(held);
    connection.finish(End::LOCAL);
}

#[test]
fn room_that_an_exit_has_made_is_reported() {
    let (sender, edges) = mpsc::channel();
    let (connection, PipeEnds { mut outbound, .. }, _theirs) = connected_to(Arc::new(Reporter(sender)));
    edges.recv().unwrap();
    let mut push = || outbound.batch().push(&[], &mut Payload::Borrowed(&[0; 1000]), Metadata::default());
    // As by a sender that fills the lane while nothing is written, and waits.
    while push().is_ok() {}
    // As the exit handler does: the I/O thread may hold a lock.
    while connection.clone().write_now().is_some() {
        std::thread::yield_now();
    }
    edges.recv().unwrap();
    assert!(push().is_ok());
    connection.finish(End::LOCAL);
}

/// Little memory for reading leaves plaintext in the session, which no event reports: the stream says so.
#[test]
#[cfg(feature = "tls")]
fn plaintext_that_does_not_fit_is_known_to_be_left() {
    let (client, server) = configs(&[]);
    let (ours, theirs) = connected_over_network();
    let stream = Stream::secure(ours, &server).unwrap();
    let (sender, receiver) = mpsc::channel();
    let data: Vec<u8> = (0..16_384_u32).map(|number| number as u8).collect();
    let sent = data.clone();
    let peer = std::thread::spawn(move || {
        let mut peer = SecurePeer::new(theirs, &client);
        peer.write_all(&sent).unwrap();
        sender.send(()).unwrap();
        peer.read_to_end(&mut Vec::new()).unwrap();
    });
    let mut came = Vec::new();
    while came.len() < data.len() {
        let mut room = [MaybeUninit::uninit(); 1000];
        match stream.read(None, &mut room) {
            Ok(count) => {
                // SAFETY: so many bytes were written.
                came.extend(room[..count].iter().map(|byte| unsafe { byte.assume_init() }));
                let is_left = came.len() < data.len();
                assert_eq!((stream.holds_input(), stream.descriptor().is_none()), (is_left, is_left));
                assert!(!(is_left && stream.short_read_is_all()));
            }
            Err(error) => {
                assert!(
                    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
                    "{error}"
                );
                stream.flush().unwrap();
            }
        }
    }
    receiver.recv().unwrap();
    assert!(came == data);
    stream.shutdown(std::net::Shutdown::Both);
    peer.join().unwrap();
}

/// The same plaintext comes before the failure, if invalid bytes follow it.
#[test]
#[cfg(feature = "tls")]
fn plaintext_that_does_not_fit_comes_before_a_failure() {
    let (client, server) = configs(&[]);
    let (ours, theirs) = connected_over_network();
    let stream = Stream::secure(ours, &server).unwrap();
    let peer = std::thread::spawn(move || {
        let mut peer = SecurePeer::new(theirs, &client);
        peer.write_all(b"first").unwrap();
        // The end of the handshake.
        peer.read_exact(&mut [0; 5]).unwrap();
        peer.write_last(b"eleven byte", false);
        peer
    });
    let mut came = Vec::new();
    let end = loop {
        let mut room = [MaybeUninit::uninit(); 10];
        match stream.read(None, &mut room) {
            // SAFETY: so many bytes were written.
            Ok(count) => came.extend(room[..count].iter().map(|byte| unsafe { byte.assume_init() })),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => break error,
            Err(_) => stream.flush().unwrap(),
        }
        if came == b"first" {
            assert_eq!(stream.write(&[io::IoSlice::new(b"begin")]).unwrap(), 5);
            came.push(b',');
        }
    };
    assert_eq!((&came[..], stream.has_alert()), (&b"first,eleven byte"[..], true), "{end}");
    drop(peer.join().unwrap());
}

/// In a flood of handshakes another thread performs them.
#[test]
#[cfg(feature = "tls")]
fn a_handshake_is_performed_by_another_thread() {
    let (client, server) = configs(&[]);
    let (ours, theirs) = connected_over_network();
    let (sender, edges) = mpsc::channel();
    let (context, reactor) = (TestSocket::new(&PUSH, Arc::new(Reporter(sender))), Reactor::running());
    crate::transport::stream::handshakes::exhaust_budget();
    let stream = Stream::secure(ours, &server).unwrap();
    let connection = Connection::start(
        stream,
        Mapping::Tcp,
        protocol_pair(context.protocol()),
        context.clone(),
        Arc::new(NullPeer),
        reactor,
    )
    .unwrap();
    connection.greet();
    let mut peer = SecurePeer::new(theirs, &client);
    peer.write_all(&GREETING).unwrap();
    crate::transport::stream::test_support::expect_greeting(&mut peer);
    edges.recv().unwrap();
    assert!(connection.is_established());
    assert_eq!(connection.stream.peer_identity(), None);
    connection.finish(End::LOCAL);
    peer.read_to_end(&mut Vec::new()).unwrap();
}

/// While that thread is busy with one, the I/O thread goes on.
#[test]
#[cfg(feature = "tls")]
fn a_message_passes_while_a_handshake_takes_long() {
    let reactor = Reactor::running();
    let start = |stream, context: &Arc<TestSocket>| {
        let protocols = protocol_pair(context.protocol());
        let (context, owner, reactor) = (context.clone(), Arc::new(NullPeer), reactor.clone());
        Connection::start(stream, Mapping::Tcp, protocols, context, owner, reactor).unwrap()
    };
    let (client, server) = configs(&[]);
    let (ours, theirs) = connected_over_network();
    let (sender, established) = mpsc::channel();
    let secure = TestSocket::new(&PUSH, Arc::new(Reporter(sender)));
    crate::transport::stream::handshakes::exhaust_budget();
    let shaking = start(Stream::secure(ours, &server).unwrap(), &secure);
    shaking.greet();
    let (ours, mut other) = connected_over_network();
    let (sender, edges) = mpsc::channel();
    let plain = TestSocket::new(&PAIR, Arc::new(Reporter(sender)));
    let connection = start(Stream::over_network(ours), &plain);
    connection.greet();
    other.write_all(&[0, b'S', b'P', 0, 0, 16, 0, 0]).unwrap();
    edges.recv().unwrap();
    let PipeEnds { mut inbound, .. } = lock(&plain.pipe).take().unwrap();
    assert!(inbound.front().is_none());

    // As long as the thread would need to sign something, it waits here.
    let busy = lock(&shaking.reader);
    let mut peer = SecurePeer::new(theirs, &client);
    peer.write_all(&GREETING).unwrap();
    for number in 0..100 {
        other.write_all(&[0, 0, 0, 0, 0, 0, 0, 1, number]).unwrap();
        edges.recv().unwrap();
        let (body, rest) = inbound.front().unwrap().split(0);
        assert_eq!([body, rest].concat(), [number]);
        inbound.pop();
        // This lets the next push be reported.
        assert!(inbound.front().is_none());
    }
    assert!(!shaking.is_established());
    drop(busy);
    crate::transport::stream::test_support::expect_greeting(&mut peer);
    established.recv().unwrap();
    assert!(shaking.is_established());
    [shaking, connection].iter().for_each(|connection| connection.finish(End::LOCAL));
}

/// What comes before invalid bytes, or before the end, is received, although one read brings both; then the connection ends,
/// although the peer does not close its stream.
#[test]
#[cfg(feature = "tls")]
fn a_message_before_the_last_records_is_received() {
    for ends in [true, false] {
        let (client, server) = configs(&[]);
        let (ours, theirs) = connected_over_network();
        let (sender, edges) = mpsc::channel();
        let (context, reactor) = (TestSocket::new(&PAIR, Arc::new(Reporter(sender))), Reactor::running());
        let stream = Stream::secure(ours, &server).unwrap();
        let connection = Connection::start(
            stream,
            Mapping::Tcp,
            protocol_pair(context.protocol()),
            context.clone(),
            Arc::new(NullPeer),
            reactor,
        )
        .unwrap();
        connection.greet();
        let mut peer = SecurePeer::new(theirs, &client);
        peer.write_all(&[0, b'S', b'P', 0, 0, 16, 0, 0]).unwrap();
        peer.read_exact(&mut [0; 8]).unwrap();
        edges.recv().unwrap();
        let PipeEnds { mut inbound, .. } = lock(&context.pipe).take().unwrap();
        peer.write_last(b"\0\0\0\0\0\0\0\x04last", ends);
        match peer.read_to_end(&mut Vec::new()) {
            Ok(_) => assert!(ends),
            Err(error) => assert!(!ends && error.to_string().contains("alert"), "{error}"),
        }
        let front = inbound.front().unwrap();
        let (body, rest) = front.split(0);
        assert_eq!([body, rest].concat(), b"last");
    }
}
