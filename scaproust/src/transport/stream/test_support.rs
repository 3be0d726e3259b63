//! What the tests of connections and endpoints share: a socket that records, and plain streams.

use std::collections::VecDeque;
use std::io::Read;
#[cfg(feature = "tls")]
use std::io::{self, Write};
#[cfg(feature = "tls")]
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::message::MessageType;
use crate::pipe::{End, NullPeer, SocketPipe};
use crate::protocol::{PUSH, PipeRefused, ProtocolInfo, SUB};
use crate::reactor::Reactor;
use crate::sync::{Mutex, lock, rank};
#[cfg(feature = "tls")]
use crate::tls::{Config, Plaintext, Session, Settings as TlsSettings};
use crate::transport::{Batching, Endpoint, EndpointContext, EndpointEvent, LaneLimits, PipeEnds, Settings};

/// The greeting of a PUSH socket.
const OWN_GREETING: [u8; 8] = [0, b'S', b'P', 0, 0, 80, 0, 0];
/// The greeting of a PULL socket.
pub(super) const GREETING: [u8; 8] = [0, b'S', b'P', 0, 0, 81, 0, 0];

/// A local stream.
#[cfg(unix)]
pub(super) type Plain = std::os::unix::net::UnixStream;
#[cfg(windows)]
pub(super) type Plain = std::net::TcpStream;

/// Two streams that are connected with each other.
#[cfg(unix)]
pub(super) fn connected_pair() -> (Plain, Plain) {
    Plain::pair().unwrap()
}

/// Two streams that are connected with each other.
#[cfg(windows)]
pub(super) fn connected_pair() -> (Plain, Plain) {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

/// Two streams that are connected with each other over TCP; the first one does not block.
#[cfg(feature = "tls")]
pub(super) fn connected_over_network() -> (crate::transport::stream::platform::Stream, TcpStream) {
    use std::net::{Ipv4Addr, TcpListener};

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    (near.into(), listener.accept().unwrap().0)
}

/// The configurations of a client that connects to `localhost`, and of a server, with these numbers.
#[cfg(feature = "tls")]
pub(super) fn configs(numbers: &[(crate::tls::TlsOption, i32)]) -> (Config, Config) {
    let (client, server) = secure_settings(numbers);
    (Config::client(&client, "localhost").unwrap(), Config::server(&server).unwrap())
}

/// The settings of a client and of a server, with these numbers.
#[cfg(feature = "tls")]
pub(super) fn secure_settings(
    numbers: &[(crate::tls::TlsOption, i32)],
) -> (Arc<TlsSettings>, Arc<TlsSettings>) {
    use crate::tls::TlsOption::{CaFile, CertFile};

    let settings = |option, name| Arc::new(crate::tls::tests::settings(&[(option, name)], numbers));
    (settings(CaFile, "ca"), settings(CertFile, "server"))
}

/// The other side of a stream with TLS. It blocks.
#[cfg(feature = "tls")]
pub(super) struct SecurePeer {
    stream: TcpStream,
    session: Session,
}

#[cfg(feature = "tls")]
impl SecurePeer {
    pub(super) fn new(stream: TcpStream, config: &Config) -> SecurePeer {
        SecurePeer { stream, session: config.session().unwrap() }
    }

    /// Sends bytes in a record, and in the same write the end of the session, or bytes that are no record.
    pub(super) fn write_last(&mut self, bytes: &[u8], ends: bool) {
        let mut records = Vec::new();
        assert_eq!(self.session.seal(&[io::IoSlice::new(bytes)]), bytes.len());
        if ends {
            self.session.close();
        }
        self.session.send(&mut records);
        if !ends {
            records.extend([0xff; 100]);
        }
        self.stream.write_all(&records).unwrap();
    }

    /// Sends what there is to send, and waits for records.
    fn receive_records(&mut self) -> io::Result<()> {
        self.flush()?;
        let mut records = [0; 4096];
        let count = self.stream.read(&mut records)?;
        if count == 0 {
            self.session.end();
        }
        let mut rest = &records[..count];
        while !rest.is_empty() {
            self.session.feed(&mut rest).map_err(|failure| io::Error::other(failure.reason))?;
        }
        Ok(())
    }
}

#[cfg(feature = "tls")]
impl Read for SecurePeer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut room = vec![MaybeUninit::uninit(); buffer.len()];
        loop {
            match self.session.take(&mut room) {
                Plaintext::Bytes(count) => {
                    for (place, byte) in buffer.iter_mut().zip(&room[..count]) {
                        // SAFETY: so many bytes were written.
                        *place = unsafe { byte.assume_init() };
                    }
                    return Ok(count);
                }
                Plaintext::End => return Ok(0),
                Plaintext::Cut => return Err(io::ErrorKind::UnexpectedEof.into()),
                Plaintext::Empty => self.receive_records()?,
            }
        }
    }
}

#[cfg(feature = "tls")]
impl Write for SecurePeer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.session.seal(&[io::IoSlice::new(buffer)]);
        self.flush()?;
        if count > 0 {
            return Ok(count);
        }
        // More than is kept during the handshake, which goes on here.
        self.receive_records()?;
        Err(io::ErrorKind::Interrupted.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut records = Vec::new();
        self.session.send(&mut records);
        self.stream.write_all(&records)
    }
}

/// Reads the greeting of a PUSH socket.
pub(super) fn expect_greeting(mut peer: impl Read) {
    let mut came = [0; 8];
    peer.read_exact(&mut came).unwrap();
    assert_eq!(came, OWN_GREETING);
}

/// The greeting of a socket with this protocol number.
pub(super) fn sp_header(number: u16) -> [u8; 8] {
    let [high, low] = number.to_be_bytes();
    [0, b'S', b'P', 0, high, low, 0, 0]
}

/// Reads all that the other side still sends, which ends the connection then. Returns the number of bytes.
pub(super) fn read_to_end(mut peer: &TcpStream) -> usize {
    peer.read_to_end(&mut Vec::new()).unwrap()
}

/// A socket and a reactor, which runs only while the test waits for an event.
pub(super) struct Fixture {
    pub(super) socket: Arc<TestSocket>,
    pub(super) reactor: Arc<Reactor>,
}

impl Fixture {
    /// A PUSH socket whose dialers wait for `delay` between two attempts.
    pub(super) fn new(delay: Duration) -> Fixture {
        Fixture::with_protocol(&PUSH, delay)
    }

    /// The same with another protocol.
    pub(super) fn with_protocol(protocol: &'static ProtocolInfo, delay: Duration) -> Fixture {
        Fixture {
            socket: TestSocket::with_reconnect_interval(protocol, Arc::new(NullPeer), delay),
            reactor: Reactor::idle(),
        }
    }

    /// A SUB socket that wants publishers to filter, with the same delay.
    pub(super) fn of_filtering_subscriber(delay: Duration) -> Fixture {
        let socket = TestSocket::with_reconnect_interval(&SUB, Arc::new(NullPeer), delay);
        socket.filters.store(true, Ordering::Relaxed);
        Fixture { socket, reactor: Reactor::idle() }
    }

    /// Waits until the socket has another pipe, and returns it.
    pub(super) fn next_pipe(&self) -> PipeEnds {
        self.wait_for_pipe();
        lock(&self.socket.pipe).take().unwrap()
    }

    /// Waits for the next event.
    pub(super) fn next_event(&self) -> EndpointEvent {
        self.reactor.run_until(|| !lock(&self.socket.events).is_empty());
        lock(&self.socket.events).pop_front().unwrap()
    }

    /// Waits for so many events.
    pub(super) fn events<const N: usize>(&self) -> [EndpointEvent; N] {
        std::array::from_fn(|_| self.next_event())
    }

    /// Waits until the socket has a pipe.
    pub(super) fn wait_for_pipe(&self) {
        self.reactor.run_until(|| lock(&self.socket.pipe).is_some());
    }

    /// Asserts that no event was reported that the test has not seen, and that none can come.
    pub(super) fn expect_nothing_more(&self) {
        assert!(self.reactor.has_nothing_to_call());
        assert_eq!(*lock(&self.socket.events), []);
    }
}

/// A socket that keeps its last pipe and the events that are reported to it.
pub(super) struct TestSocket {
    protocol: &'static ProtocolInfo,
    settings: Settings,
    /// Whether [`EndpointContext::accepts_pipe`] returns `true`.
    pub(super) accepts_pipe: AtomicBool,
    /// The value of [`EndpointContext::filters`].
    filters: AtomicBool,
    end: Arc<dyn SocketPipe>,
    /// The ends of the last pipe.
    pub(super) pipe: Mutex<Option<PipeEnds>, rank::Socket>,
    batching: Arc<Batching>,
    /// The events that the test has not seen.
    pub(super) events: Mutex<VecDeque<EndpointEvent>, rank::Endpoint>,
    /// The end of the last connection that had no pipe.
    pub(super) unopened: Mutex<Option<End>, rank::Endpoint>,
}

impl TestSocket {
    /// A socket whose end of each pipe is `end`.
    pub(super) fn new(protocol: &'static ProtocolInfo, end: Arc<dyn SocketPipe>) -> Arc<TestSocket> {
        TestSocket::with_reconnect_interval(protocol, end, Duration::ZERO)
    }

    /// As `new`; dialers wait for `delay` between two attempts at first, and for a day at most.
    fn with_reconnect_interval(
        protocol: &'static ProtocolInfo,
        end: Arc<dyn SocketPipe>,
        delay: Duration,
    ) -> Arc<TestSocket> {
        let day = Duration::from_secs(24 * 3600);
        Arc::new(TestSocket {
            protocol,
            settings: Settings {
                reconnect_interval: delay,
                reconnect_interval_max: day,
                ipv4_only: true,
                ..Settings::default()
            },
            accepts_pipe: AtomicBool::new(true),
            filters: AtomicBool::new(false),
            end,
            pipe: Mutex::default(),
            batching: Arc::default(),
            events: Mutex::default(),
            unopened: Mutex::default(),
        })
    }
}

impl SocketPipe for NullPeer {
    fn close(self: Arc<Self>, _end: End) {}
}

impl EndpointContext for TestSocket {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn protocol(&self) -> &'static ProtocolInfo {
        self.protocol
    }

    fn accepts_pipe(&self) -> bool {
        self.accepts_pipe.load(Ordering::Relaxed)
    }

    fn filters(&self) -> bool {
        self.filters.load(Ordering::Relaxed)
    }

    fn lane_limits(&self) -> LaneLimits {
        LaneLimits { receive: 100, send: 100, receive_is_set: false }
    }

    fn nodelay(&self) -> bool {
        false
    }

    fn batching(&self) -> &Arc<Batching> {
        &self.batching
    }

    fn message_type(&self) -> MessageType {
        MessageType::Binary
    }

    fn max_message(&self) -> Option<usize> {
        None
    }

    fn socket_number(&self) -> i32 {
        0
    }

    fn attach(&self, ends: PipeEnds) -> Result<Arc<dyn SocketPipe>, PipeRefused> {
        *lock(&self.pipe) = Some(ends);
        Ok(self.end.clone())
    }

    fn bound(&self, _endpoint: &dyn Endpoint) {}

    fn report(&self, event: EndpointEvent) {
        match event {
            EndpointEvent::Unopened { end, .. } => *lock(&self.unopened) = Some(end),
            // Only a monitor sees it.
            EndpointEvent::Retry(..) => {}
            _ => lock(&self.events).push_back(event),
        }
    }

    #[cfg(feature = "tls")]
    fn explain(&self, event: Option<EndpointEvent>, _error: crate::Error, _reason: &str) {
        if let Some(event) = event {
            self.report(event);
        }
    }
}
