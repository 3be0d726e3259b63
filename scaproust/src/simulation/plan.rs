//! Plans: what a world is made of. Their text is in `script`.

use std::time::Duration;

use super::tasks::{Tasks, Work};
use crate::machine::Settings;
use crate::option::SocketOption;
use crate::protocol::{PROTOCOLS, ProtocolInfo};

/// A world.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) machine: Settings,
    pub(super) sockets: Vec<SocketPlan>,
    pub(super) steps: Vec<(ThreadName, Step)>,
    pub(super) faults: Vec<(Duration, Fault)>,
    pub(super) checks: Vec<Check>,
    /// Whether all sockets are closed by one `nn_term`.
    pub(super) ends_by_term: bool,
    /// Whether devices form a ring, so that a survey or a message of a BUS may come again.
    pub(super) has_ring: bool,
}

/// A socket.
#[derive(Clone, Debug)]
pub(super) struct SocketPlan {
    pub(super) number: usize,
    pub(super) protocol: &'static ProtocolInfo,
    pub(super) is_raw: bool,
    /// When it is opened, since the world began.
    pub(super) opens: Duration,
    /// Values of options, by level and name.
    pub(super) options: Vec<(i32, i32, i32)>,
}

/// A thread that works on a socket: the numbers of the socket, and of the thread among those of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ThreadName(pub(super) usize, pub(super) usize);

/// What a thread does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Bind(String),
    Connect(String),
    /// Removes the oldest endpoint.
    Leave,
    Subscribe(u8),
    /// Sets an option of the socket level to a value.
    Set(i32, i32),
    /// The socket becomes a context of another one.
    Share(usize),
    /// Sends so many messages of so many bytes.
    Send(usize, usize),
    /// The same without waiting: messages for which there is no room are not sent.
    TrySend(usize, usize),
    /// Receives so many messages; 0: until the socket is closed.
    Receive(usize),
    /// Waits for a message for so many milliseconds, so often.
    Wait(usize, usize),
    /// Polls for messages, and receives them, until the socket is closed.
    Poll,
    /// The same, polling all these sockets at once; each by its own number.
    PollAll(Vec<usize>),
    /// The same, polling the descriptor of `NN_RCVFD`.
    PollDescriptor,
    /// Polls for room and sends without waiting: so many messages of so many bytes.
    PollSend(usize, usize),
    /// Sends messages of so many bytes without waiting until there is lasting no room, and checks how many were accepted.
    Fill(usize),
    /// Answers so many requests; 0: until the socket is closed.
    Answer(usize),
    /// Answers requests until the socket is closed, each after so many milliseconds.
    AnswerLate(usize),
    /// Sends a request of so many bytes from a raw socket.
    Request(usize),
    /// Receives the answers to requests of a raw socket, until it is closed.
    Answers,
    /// Sends so many requests of so many bytes, and waits for each answer.
    Ask(usize, usize),
    /// Sends so many surveys of so many bytes, and receives the answers until the deadline.
    Survey(usize, usize),
    /// As [`Step::Ask`] and [`Step::Survey`], at a raw socket: all questions first, then the answers.
    RawAsk(usize, usize),
    /// Answers questions at a raw socket, some of them late, until it is closed.
    RawAnswer,
    /// Sends what comes to a raw socket back through it, until it is closed.
    Relay,
    /// Runs a device between this socket and another one.
    Device(usize),
    /// Checks the events of another socket until it is closed.
    Watch(usize),
    /// Runs tasks.
    Tasks(Tasks),
    Sleep(usize),
    Close,
}

/// What fails.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// The network ends a link.
    Reset(usize),
    /// Nothing arrives at a side of a link for so many milliseconds.
    Stall(usize, usize),
    /// Nothing arrives any more on a link.
    Cut(usize),
    /// A side of a link finds its end.
    HalfClose(usize),
    /// Look-ups fail for so many milliseconds.
    NoNames(usize),
    /// There are no descriptors for so many milliseconds.
    NoDescriptors(usize),
    /// A stranger connects to a port, sends bytes and leaves.
    Stranger(u16, usize),
    /// The exit handler runs many times while other threads work.
    Exit,
    /// A stranger connects to an address that a socket of a protocol is bound to, and behaves in a certain manner.
    Peer(String, &'static ProtocolInfo, Manner),
    /// There are only so many descriptors for so many milliseconds.
    Descriptors(usize, usize),
    /// The machine is suspended for so many milliseconds.
    Suspend(usize),
    /// `nn_term`.
    Term,
    /// The file of an ipc address is removed while a socket is bound to it. For so many milliseconds a stranger then listens at
    /// the address and ends what it accepts; with 0 the address stays free.
    Unlink(String, usize),
}

/// What a stranger does that speaks the protocol, in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Sends nothing.
    Silent,
    /// Stops in the middle of its greeting.
    HalfGreeting,
    /// Sends a byte of its greeting each second.
    SlowGreeting,
    /// Greets, and stops in the middle of a message.
    HalfMessage,
    /// Greets, and sends a byte of a message every 20 s, four times.
    SlowMessage,
    /// Greets, and sends nothing more.
    Quiet,
    /// Greets, and shuts down its direction.
    HalfClose,
    /// Stops in the middle of a message, and shuts down its direction.
    HalfMessageAndClose,
    /// Greets, and announces a message of a length that no socket accepts.
    Boast,
}

/// The manners and their names.
pub(super) const MANNERS: [(Manner, &str); 9] = [
    (Manner::Silent, "silent"),
    (Manner::HalfGreeting, "half-greeting"),
    (Manner::SlowGreeting, "slow-greeting"),
    (Manner::HalfMessage, "half-message"),
    (Manner::SlowMessage, "slow-message"),
    (Manner::Quiet, "quiet"),
    (Manner::HalfClose, "half-close"),
    (Manner::HalfMessageAndClose, "half-message-and-close"),
    (Manner::Boast, "boast"),
];

/// The protocol with this name.
pub(super) fn protocol(name: &str) -> Option<&'static ProtocolInfo> {
    PROTOCOLS.iter().copied().find(|info| info.name == name)
}

/// What is checked at the end of a world, besides what is checked in all worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// The messages of each thread of a socket came to each receiver in their order.
    Order(usize),
    /// They came in their order on each pipe of each receiver. Checked in spite of faults.
    PipeOrder(usize),
    /// All messages that a socket has sent were received.
    Delivery(usize),
    /// The last message that this socket has sent was received, by receivers that drop old ones.
    Newest(usize),
    /// No receiver has missed a message of this socket after the first one that it received, of those that it has
    /// subscribed to.
    NoGap(usize),
    /// This socket, which had all messages before it received any, took one of each sender in turn.
    Fair(usize),
    /// This socket received each message within so many microseconds after it was sent.
    Prompt(usize, u64),
    /// Each message of this socket went to a peer of the highest priority that had room: once a message of a thread has
    /// arrived at one, no later one goes to a peer of a lower priority.
    SendPriority(usize),
    /// This socket, which had all messages before it received any, took those of its peers in the order of their priorities.
    ReceivePriority(usize),
    /// This socket received no survey more often than this: `NN_MAXTTL` ends its way round a ring.
    Rounds(usize, usize),
    /// In an hour without traffic hardly a thread runs.
    Idle,
}

impl Plan {
    /// The protocol of a socket.
    pub(super) fn protocol(&self, socket: usize) -> Option<&'static ProtocolInfo> {
        self.sockets.iter().find(|plan| plan.number == socket).map(|plan| plan.protocol)
    }
}

impl SocketPlan {
    /// The value of an option, if the plan sets it.
    pub(super) fn option(&self, wanted: SocketOption) -> Option<i32> {
        let found =
            self.options.iter().find(|(level, name, _)| SocketOption::find(*level, *name) == Some(wanted));
        found.map(|(_, _, value)| *value)
    }
}

impl Step {
    /// Whether the step closes its socket.
    pub(super) fn closes(&self) -> bool {
        matches!(self, Step::Close | Step::Tasks(Tasks { work: Work::Close, .. }))
    }

    /// Whether the step goes on until the socket is closed.
    pub(super) fn is_endless(&self) -> bool {
        if let Step::Tasks(tasks) = self {
            return tasks.are_endless();
        }
        matches!(
            self,
            Step::Receive(0)
                | Step::Answer(0)
                | Step::AnswerLate(_)
                | Step::Answers
                | Step::Poll
                | Step::PollAll(_)
                | Step::PollDescriptor
                | Step::RawAnswer
                | Step::Relay
                | Step::Device(_)
                | Step::Watch(_)
        )
    }
}
