//! One direction between two sockets. Where a protocol needs a question before a message can be sent,
//! the question is sent and received here.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use crate::role::{Role, SocketType};
use crate::socket::{Outcome, Socket, wait_until};
use crate::threads::Thread;

/// A socket of the role under test and a peer, connected in inproc.
pub(crate) struct Link {
    pub subject: Socket,
    pub peer: Socket,
}

impl Link {
    /// A link with a cooked or a raw peer.
    pub(crate) fn new(role: Role, raw_peer: bool) -> Link {
        Link::with(role, raw_peer, |_| ())
    }

    /// As `new`; both sockets are prepared before they are connected.
    pub(crate) fn with(role: Role, raw_peer: bool, prepare: impl Fn(&Socket)) -> Link {
        let subject = Socket::open(role);
        let peer = Socket::open(Role { socket_type: role.socket_type.peer(), raw: raw_peer });
        prepare(&subject);
        prepare(&peer);
        connect(&subject, &peer);
        Link { subject, peer }
    }

    /// Every direction that the role has.
    pub(crate) fn flows(&self) -> Vec<Flow<'_>> {
        let outward = self.subject.role.socket_type.sends().then(|| self.outward());
        let inward = self.subject.role.socket_type.receives().then(|| self.inward());
        outward.into_iter().chain(inward).collect()
    }

    /// From the role under test to its peer.
    pub(crate) fn outward(&self) -> Flow<'_> {
        Flow::new(&self.subject, &self.peer)
    }

    /// From the peer to the role under test.
    pub(crate) fn inward(&self) -> Flow<'_> {
        Flow::new(&self.peer, &self.subject)
    }
}

/// Connects two sockets by an inproc address of their own.
pub(crate) fn connect(one: &Socket, other: &Socket) {
    let address = inproc_address();
    let before = [one, other].map(Socket::connections);
    one.bind(&address).expect("nn_bind");
    other.connect(&address).expect("nn_connect");
    one.wait_for_connections(before[0] + 1);
    other.wait_for_connections(before[1] + 1);
}

/// An unused inproc address.
pub(crate) fn inproc_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("inproc://conformance/{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A direction. An answer needs a question, which is sent when it is needed.
pub(crate) struct Flow<'a> {
    pub from: &'a Socket,
    pub to: &'a Socket,
    header: Vec<u8>,
    is_open: bool,
}

impl<'a> Flow<'a> {
    pub(crate) fn new(from: &'a Socket, to: &'a Socket) -> Flow<'a> {
        Flow { from, to, header: from.role.own_header().to_vec(), is_open: !from.role.socket_type.answers() }
    }

    /// Whether every message needs a question of its own, that is, unless both sides allow several
    /// answers to one question.
    pub(crate) fn is_turn_by_turn(&self) -> bool {
        self.from.role.socket_type.answers()
            && (!self.from.role.raw || (self.to.role.socket_type == SocketType::Req && !self.to.role.raw))
    }

    /// The number of messages that may be sent before one is received.
    pub(crate) fn window(&self) -> usize {
        if self.is_turn_by_turn() { 1 } else { 16 }
    }

    /// Sends the question that the next message answers, if it needs one. `send` does so too.
    pub(crate) fn open(&mut self) {
        if !self.is_open {
            self.to.send_with(self.to.role.own_header(), b"question").expect("a question is sent");
            self.receive_question();
        }
    }

    /// Receives the question that is to be answered, which was sent already.
    pub(crate) fn receive_question(&mut self) {
        let question = self.from.recv().expect("a question is received");
        assert_eq!(question.body, b"question");
        self.header = question.header;
        self.is_open = true;
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, body: &[u8]) -> Outcome<()> {
        self.open();
        self.is_open = !self.is_turn_by_turn();
        self.from.send_with(&self.header, body)
    }

    /// As `send`, without blocking.
    pub(crate) fn try_send(&mut self, body: &[u8]) -> Outcome<()> {
        self.open();
        self.is_open = !self.is_turn_by_turn();
        self.from.try_send_with(&self.header, body)
    }

    /// Receives the body of a message.
    pub(crate) fn recv(&self) -> Outcome<Vec<u8>> {
        self.to.recv().map(|message| message.body)
    }

    /// Sends a message that must arrive.
    pub(crate) fn carry(&mut self, body: &[u8]) {
        self.send(body).unwrap_or_else(|error| panic!("{self}: sending {} bytes: {error}", body.len()));
        let received = self.recv().unwrap_or_else(|error| {
            let histories = [self.from, self.to].map(Socket::history);
            panic!("{self}: receiving {} bytes: {error}; {histories:?}", body.len())
        });
        assert!(received == body, "{self}: {} bytes became {} others", body.len(), received.len());
    }
}

impl std::fmt::Display for Flow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from.role, self.to.role)
    }
}

/// Sends a message in every direction that two connected sockets have.
pub(crate) fn exchange(one: &Socket, other: &Socket) {
    for (from, to) in [(one, other), (other, one)] {
        if from.role.socket_type.sends() {
            Flow::new(from, to).carry(b"there and back");
        }
    }
}

/// A message of a length, in which a lost or duplicated part is detected.
pub(crate) fn patterned(size: usize) -> Vec<u8> {
    (0..size).map(|index| ((index * 131) >> 7) as u8).collect()
}

/// A number as a message.
pub(crate) fn numbered(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// The number in a message.
pub(crate) fn number_in(body: &[u8]) -> usize {
    let text = std::str::from_utf8(body).expect("digits");
    text.parse().expect("a number")
}

/// Runs a call that will block in a thread of its own, and waits until it blocks (or has ended).
pub(crate) fn blocked<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    call: impl FnOnce() -> T + Send + 'scope,
) -> ScopedJoinHandle<'scope, T> {
    let caller = std::sync::Arc::new(Thread::default());
    let running = caller.clone();
    let thread = scope.spawn(move || {
        running.register();
        call()
    });
    wait_until("a thread is blocked", || thread.is_finished() || caller.is_asleep());
    thread
}
