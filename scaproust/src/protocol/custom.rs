//! Protocols of the program: what it implements, and the machine that calls it.
//!
//! The program's code sees its pipes through [`Pipes`], which allow nothing that could harm the socket. A panic in it ends its
//! machine: from then on the socket's calls fail.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::table::row;
use super::{
    Context, Delivery, Machine, PROTOCOLS, PipeId, PipeOptions, PipeRefused, Protocol, ProtocolInfo,
    PushOutcome, Refusal, Time,
};
use crate::error::Error;
use crate::message::{Front, Outgoing, Payload};

/// The length in bytes from which a body is moved to memory that pipes share, since the machine may send it to several.
const SHARED_FROM: usize = 2048;

/// A protocol of the program: its number, its name, its peer, and the [`StateMachine`] of its sockets.
///
/// It is a static value, as is its peer, which may be the protocol itself:
///
/// ```
/// # use scaproust::custom::*;
/// # #[derive(Default)] struct Nothing;
/// # impl StateMachine for Nothing {
/// #     fn attach(&mut self, _: PipeId, _: Priorities) -> bool { true }
/// #     fn detach(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
/// #     fn readable(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
/// #     fn writable(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
/// #     fn send(&mut self, _: &mut Body<'_, '_>, _: &mut Pipes<'_>) -> Result<(), Refusal> { Err(Refusal::WouldBlock) }
/// #     fn recv(&mut self, _: &mut Pipes<'_>) -> Result<Chosen, Refusal> { Err(Refusal::WouldBlock) }
/// #     fn can_send(&mut self, _: &mut Pipes<'_>) -> bool { false }
/// #     fn can_recv(&mut self, _: &mut Pipes<'_>) -> bool { false }
/// # }
/// # type Asks = Nothing; type Answers = Nothing;
/// static ASKER: Protocol = Protocol::new::<Asks>(0xf100, "asker", &ANSWERER);
/// static ANSWERER: Protocol = Protocol::new::<Answers>(0xf101, "answerer", &ASKER);
///
/// let socket = ASKER.open()?;
/// socket.connect("tcp://127.0.0.1:5555")?;
/// # Ok::<(), scaproust::Error>(())
/// ```
pub struct CustomProtocol(ProtocolInfo);

impl CustomProtocol {
    /// A protocol whose sockets send and receive, each with a new machine `M`.
    ///
    /// `number` is that of the SP header: 0xf000 to 0xfeff are for local use. `name` is that of WebSocket's subprotocol, without
    /// `.sp.nanomsg.org`. Both must differ from those of the library's protocols.
    #[must_use]
    pub const fn new<M: StateMachine + Default + 'static>(
        number: u16,
        name: &'static str,
        peer: &'static CustomProtocol,
    ) -> CustomProtocol {
        let info = row(number, name, &peer.0, |_, _| Machine::Custom(Custom::new(M::default())));
        CustomProtocol(ProtocolInfo { acts_between_calls: true, ..info })
    }

    /// The same, whose sockets only send.
    #[must_use]
    pub const fn only_sends(self) -> CustomProtocol {
        CustomProtocol(ProtocolInfo { can_recv: false, ..self.0 })
    }

    /// The same, whose sockets only receive.
    #[must_use]
    pub const fn only_receives(self) -> CustomProtocol {
        CustomProtocol(ProtocolInfo { can_send: false, ..self.0 })
    }

    /// Its row, which is not in the table.
    #[cfg(feature = "testing")]
    pub(super) fn row(&self) -> &ProtocolInfo {
        &self.0
    }

    /// Its row, for a socket.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the number or the name is one of the library's, or the name has other characters than ASCII
    /// letters, digits and `-`.
    pub(crate) fn info(&'static self) -> Result<&'static ProtocolInfo, Error> {
        let own = &self.0;
        let is_taken = |other: &ProtocolInfo| {
            let alternative = other.filtering.unwrap_or((other.number, other.name));
            [other.number, alternative.0].contains(&own.number)
                || [other.name, alternative.1].contains(&own.name)
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_valid = !own.name.is_empty() && own.name.bytes().all(is_name);
        if is_valid && !PROTOCOLS.into_iter().any(is_taken) { Ok(own) } else { Err(Error::InvalidArgument) }
    }
}

impl fmt::Debug for CustomProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The priorities of a pipe, 1 (first) to 16 (last), from its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priorities {
    /// For sending.
    pub send: u8,
    /// For receiving.
    pub receive: u8,
}

/// The message that is to be received next: the first one in its pipe's inbound lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The pipe.
    pub pipe: PipeId,
    /// How many bytes in front, a header of the protocol, the program does not get.
    pub skip: usize,
}

/// The state machine of a socket, which decides to which pipe a message is sent, and from which pipe the next one is received.
///
/// It never waits and does no I/O. A pipe has two lanes, queues of messages: the inbound lane has messages from the peer, the outbound
/// lane messages to it. The methods are called under the socket's lock, by the threads of the program and by an I/O thread, and must
/// not call sockets.
///
/// * [`attach`](StateMachine::attach) is the first call for a pipe. If it refuses the pipe, it is the only one.
///   [`writable`](StateMachine::writable) follows when messages can be sent on it.
/// * Both lanes are edge-triggered. After [`Pipes::front`] has returned `None`, the machine need not ask again until
///   [`readable`](StateMachine::readable) is called for the pipe; after [`Pipes::push`] or [`Pipes::has_room`] has returned `false`,
///   until `writable` is called. Both may also be called without need. A machine that blocks a call with
///   [`Refusal::WouldBlock`] must have asked all its pipes so: the call is repeated after the next edge.
/// * [`closing`](StateMachine::closing) says that the peer has gone: nothing can be sent on the pipe, but what has come from it can
///   still be received. [`detach`](StateMachine::detach) ends the pipe, with or without a `closing` before.
/// * A panic ends the machine: calls of the socket fail with [`Error::InvalidArgument`] from then on, and those that sleep end at the latest
///   when the socket is closed.
pub trait StateMachine: Send {
    /// Adds a pipe to a peer. Returns whether it is accepted.
    fn attach(&mut self, pipe: PipeId, priorities: Priorities) -> bool;

    /// The peer has closed the pipe.
    fn closing(&mut self, pipe: PipeId, pipes: &mut Pipes<'_>) {
        _ = (pipe, pipes);
    }

    /// Removes a pipe, whose lanes no longer exist.
    fn detach(&mut self, pipe: PipeId, pipes: &mut Pipes<'_>);

    /// The pipe's inbound lane has a message.
    fn readable(&mut self, pipe: PipeId, pipes: &mut Pipes<'_>);

    /// The pipe's outbound lane has room.
    fn writable(&mut self, pipe: PipeId, pipes: &mut Pipes<'_>);

    /// Sends a message, by [`Pipes::push`], or drops it.
    ///
    /// # Errors
    /// See [`Refusal`]. The program keeps its message then. If a pipe has taken it, it is sent whatever this returns.
    fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal>;

    /// Chooses the message to be received, which leaves its lane after this call.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal>;

    /// Whether `send` would send a message now.
    fn can_send(&mut self, pipes: &mut Pipes<'_>) -> bool;

    /// Whether `recv` would choose a message now.
    fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool;

    /// When [`timeout`](StateMachine::timeout) is to be called, on the clock of [`Pipes::now`], and sleeping receivers try again. After that
    /// it must be another moment, or none.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// The deadline has passed, or [`Pipes::drop_front`] has asked for a pause.
    fn timeout(&mut self, pipes: &mut Pipes<'_>) {
        _ = pipes;
    }

    /// Whether `readable` and `writable` must be called at once, even while the program makes no call.
    fn is_busy(&self) -> bool {
        false
    }
}

/// The body of a message that is to be sent.
#[derive(Debug)]
pub struct Body<'m, 'a> {
    body: &'m mut Payload<'a>,
    is_taken: bool,
}

impl Body<'_, '_> {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.body.bytes()
    }
}

/// The pipes of a socket, and the time.
pub struct Pipes<'a> {
    context: &'a mut dyn Context,
}

impl Pipes<'_> {
    /// The first message in the pipe's inbound lane, if there is one.
    pub fn front(&mut self, pipe: PipeId) -> Option<Front<'_>> {
        self.context.front(pipe)
    }

    /// Drops the first message in the pipe's inbound lane, if there is one. `false` means that this is enough for now: the machine
    /// then returns as if there were no more messages, and is called again soon.
    pub fn drop_front(&mut self, pipe: PipeId) -> bool {
        self.context.front(pipe).is_some() && self.context.drop_front(pipe)
    }

    /// Sends a header and the body on a pipe. Returns whether it had room; a body can be sent once.
    pub fn push(&mut self, pipe: PipeId, header: &[u8], body: &mut Body<'_, '_>) -> bool {
        let is_pushed = !body.is_taken && self.context.push(pipe, header, body.body) == PushOutcome::Taken;
        body.is_taken |= is_pushed;
        is_pushed
    }

    /// Sends a header and a copy of the body on a pipe. Returns whether it had room.
    pub fn push_copy(&mut self, pipe: PipeId, header: &[u8], body: &Body<'_, '_>) -> bool {
        self.context.push(pipe, header, &mut body.body.clone()) == PushOutcome::Taken
    }

    /// Whether the pipe would take a message, of any size.
    pub fn has_room(&mut self, pipe: PipeId) -> bool {
        self.context.has_room(pipe)
    }

    /// The time, since an origin that is the same for the whole process.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.context.now()
    }
}

/// The machine of a socket whose protocol is the program's.
pub struct Custom {
    /// `None` after a panic.
    machine: Option<Box<dyn StateMachine>>,
}

opaque!([] Custom, ['a] Pipes<'a>);

impl Custom {
    fn new(machine: impl StateMachine + 'static) -> Custom {
        Custom { machine: Some(Box::new(machine)) }
    }

    /// Whether the program's code has panicked, or does when it is asked for its deadline.
    #[cfg(feature = "testing")]
    pub(super) fn has_panicked(&self) -> bool {
        let ask = |machine: &dyn StateMachine| (machine.is_busy(), machine.deadline());
        self.machine.as_deref().is_none_or(|machine| catch_unwind(AssertUnwindSafe(|| ask(machine))).is_err())
    }

    /// Calls the program's code; `otherwise` is the result after a panic.
    fn call<R>(&mut self, otherwise: R, call: impl FnOnce(&mut dyn StateMachine) -> R) -> R {
        let Some(machine) = &mut self.machine else { return otherwise };
        catch_unwind(AssertUnwindSafe(|| call(&mut **machine))).unwrap_or_else(|_| {
            // Its state may be inconsistent.
            _ = catch_unwind(AssertUnwindSafe(|| drop(self.machine.take())));
            otherwise
        })
    }
}

impl Protocol for Custom {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        let priorities = Priorities { send: options.send_priority, receive: options.receive_priority };
        let is_accepted = self.call(false, |machine| machine.attach(pipe, priorities));
        if is_accepted { Ok(()) } else { Err(PipeRefused) }
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.call((), |machine| machine.closing(pipe, &mut Pipes { context }));
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.call((), |machine| machine.detach(pipe, &mut Pipes { context }));
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.call((), |machine| machine.readable(pipe, &mut Pipes { context }));
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.call((), |machine| machine.writable(pipe, &mut Pipes { context }));
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if message.body.bytes().len() >= SHARED_FROM {
            // Without memory for that, each pipe gets a copy.
            message.body.own();
        }
        let mut body = Body { body: &mut message.body, is_taken: false };
        let sent = self
            .call(Err(Refusal::InvalidArgument), |machine| machine.send(&mut body, &mut Pipes { context }));
        if body.is_taken { Ok(()) } else { sent }
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let chosen = self.call(Err(Refusal::InvalidArgument), |machine| machine.recv(&mut Pipes { context }));
        let Chosen { pipe, skip } = chosen?;
        match context.front(pipe) {
            Some(front) if skip <= front.len() => Ok(Delivery::plain(pipe, skip)),
            _ => Err(Refusal::InvalidArgument),
        }
    }

    fn can_send(&mut self, context: &mut impl Context) -> bool {
        // After a panic a call fails at once.
        self.call(true, |machine| machine.can_send(&mut Pipes { context }))
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.call(true, |machine| machine.can_recv(&mut Pipes { context }))
    }

    fn is_busy(&self) -> bool {
        let is_busy = |machine: &dyn StateMachine| catch_unwind(AssertUnwindSafe(|| machine.is_busy()));
        self.machine.as_deref().is_some_and(|machine| is_busy(machine).unwrap_or(false))
    }

    fn deadline(&self) -> Option<Time> {
        let machine = self.machine.as_deref()?;
        catch_unwind(AssertUnwindSafe(|| machine.deadline())).ok().flatten()
    }

    fn timeout(&mut self, context: &mut impl Context) {
        self.call((), |machine| machine.timeout(&mut Pipes { context }));
    }
}
