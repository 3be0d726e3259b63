//! Sending: the first try of a call, and the later ones of a blocked call.

use std::time::Duration;

use super::Socket;
use super::blocking::{BlockingCall, finish_and_wake};
use super::core::Core;
use super::direct_read::DirectReads;
use super::lending::{is_lendable, is_long, own_long};
use super::pending::{Attempt, CallOutput, Entered, Pending, Step, Try};
use super::registry::{Call, SOCKETS, SocketRef, enter};
use super::statistics::Statistic;
use super::view::{Delay, ReceiverCheck, View};
use super::wait_policy::{self, Wait, WaitPolicy};
use crate::error::Error;
use crate::message::{Chunk, INLINE_MAX, Outgoing, Payload};
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::protocol::{Machine, Protocol, Refusal};
use crate::sync::atomic::Ordering;
use crate::sync::{Event, Uncancellable, Wake, now};
use crate::transport;

/// How long a publisher waits, after each message, for receivers that lag behind. A receiver that has lost its processor needs
/// milliseconds.
pub(super) const CATCH_UP_MAX: Duration = Duration::from_millis(2);

/// Sends a message from the socket with this number. On success its body is taken; on an error the caller
/// keeps it.
///
/// # Errors
/// [`Error::WouldBlock`] with `dont_wait`, [`Error::TimedOut`] after `NN_SNDTIMEO`, [`Error::Interrupted`] by
/// a signal, [`Error::Closed`] when the socket is not open or another thread closes it,
/// [`Error::NotSupported`] and [`Error::WrongState`] as the protocol says.
pub fn send(id: i32, message: &mut Outgoing<'_>, dont_wait: bool) -> Result<(), Error> {
    loop {
        match try_send(id, message, dont_wait)? {
            Step::Done(()) => return Ok(()),
            Step::Blocked(entered) => return Pending::new(entered, Sending(message)).finish().map(drop),
            Step::Untried => {}
        }
    }
}

/// The first try of [`send`]. If it blocks, the call continues as a [`Pending`] one with [`Sending`]. It is never
/// [`Step::Untried`] for a long message: a caller that can be cancelled tests before.
///
/// # Errors
/// As [`send`].
#[inline]
pub fn try_send(id: i32, message: &mut Outgoing<'_>, dont_wait: bool) -> Result<Step<()>, Error> {
    let wait = Wait::unless(dont_wait);
    if is_long(&message.body) {
        return try_send_long(|| enter(id), || SOCKETS.get().enter_locked(id), message, wait, Edges::deliver);
    }
    try_send_in::<false>(SOCKETS.get().enter_locked(id)?, message, wait, Edges::deliver)
}

/// As [`send`], at a socket that the caller refers to. A signal ends the call only if it `ends_by_signals`. Tasks
/// that it notifies may be woken in this thread.
///
/// # Errors
/// As [`send`].
#[inline]
pub(crate) fn send_at(
    socket: &SocketRef,
    message: &mut Outgoing<'_>,
    wait: Wait,
    ends_by_signals: bool,
) -> Result<(), Error> {
    loop {
        let step = if is_long(&message.body) {
            let (enter, enter_locked) = (|| socket.enter(), || socket.enter_locked());
            try_send_long(enter, enter_locked, message, wait, Edges::deliver_and_wake)
        } else {
            try_send_in::<false>(socket.enter_locked()?, message, wait, Edges::deliver_and_wake)
        };
        match step? {
            Step::Done(()) => return Ok(()),
            Step::Blocked(entered) => {
                return finish_and_wake(Pending::new(entered, Sending(message)), ends_by_signals).map(drop);
            }
            Step::Untried => {}
        }
    }
}

/// As [`try_send_in`], for a body that must be copied before the lock is taken, unless the socket should lend it.
#[cold]
fn try_send_long(
    enter: impl FnOnce() -> Result<Call, Error>,
    enter_locked: impl FnOnce() -> Result<Call, Error>,
    message: &mut Outgoing<'_>,
    wait: Wait,
    deliver: impl FnOnce(Edges),
) -> Result<Step<()>, Error> {
    let length = message.body.bytes().len();
    let memory = if is_lendable(length) && enter()?.lends.load(Ordering::Relaxed) {
        Some(Chunk::with_capacity(length).ok_or(Error::OutOfMemory)?)
    } else {
        own_long(&mut message.body)?;
        None
    };
    let call = enter_locked()?;
    if call.info.lends {
        // SAFETY: the call has taken the lock by entering.
        let mut core = unsafe { call.core.assume_locked() };
        core.pipes.lending.begin(memory);
        core.keep_locked();
    }
    try_send_in::<true>(call, message, wait, deliver)
}

/// The first try, for a call that has taken the lock by entering. `deliver` delivers the edges when the call has
/// left. `IS_LONG`: the body is, or was, one of [`is_long`].
#[inline]
fn try_send_in<const IS_LONG: bool>(
    call: Call,
    message: &mut Outgoing<'_>,
    wait: Wait,
    deliver: impl FnOnce(Edges),
) -> Result<Step<()>, Error> {
    let length = message.body.bytes().len();
    let lendable = if let (true, Payload::Borrowed(bytes)) = (IS_LONG, &message.body) { *bytes } else { &[] };
    // SAFETY: the call has taken the lock by entering.
    let mut core = unsafe { call.core.assume_locked() };
    if !IS_LONG && core.must_test(Statistic::MessagesSent) {
        core.keep_locked();
        call.unlock_and_leave();
        return Ok(Step::Untried);
    }
    let mut edges = Edges::default();
    let epoch = call.senders.epoch();
    let check = match call.info.drops {
        true => ReceiverCheck::Lag { holds: call.batching.should_gather() },
        false => ReceiverCheck::None { spreads: call.info.spreads },
    };
    let outcome = call.try_send(&mut core, message, check, &mut edges);
    let mut lent = None;
    if IS_LONG && call.info.lends {
        let lends;
        (lent, lends) = core.pipes.lending.end();
        call.lends.store(lends, Ordering::Relaxed);
    }
    if let Ok(Try::DropLimit | Try::Blocked) = outcome {
        let mut policy = WaitPolicy::new(wait, SocketOption::SendTimeout);
        // A lane has room for few large messages: none should stay unused for the sake of a larger batch.
        policy.wait.prefers_batches = length <= INLINE_MAX;
        let decision = policy.after_failed_try(false, &core, false);
        drop(core);
        if let Err(error) = decision.and_then(|()| own_long(&mut message.body)) {
            edges.deliver();
            return Err(error);
        }
        return Ok(Step::Blocked(Entered::after(call, epoch, policy, Some(DirectReads::default()), edges)));
    }
    if let Err(Error::Closed) = outcome
        && call.is_context()
    {
        drop(core);
        return Ok(Step::Blocked(Entered::in_context(call, wait, SocketOption::SendTimeout)));
    }
    let rest = if core.pipes.held.may_matter {
        let receivers = core.pipes.open();
        let held = &mut core.pipes.held;
        let begins_to_hold = held.begins();
        if held.is_any() {
            call.batching.note_publisher(begins_to_hold);
        }
        let tells = if call.info.drops {
            edges.len() > 1
        } else {
            held.has_told(edges.len(), || call.batching.is_flood_to_each_of(receivers))
        };
        let has_lagging = matches!(outcome, Ok(Try::Done((), Delay::Throttle))) && !wait.is_none();
        AfterSend { tells, begins_to_hold, has_lagging }
    } else {
        AfterSend::NOTHING
    };
    core.keep_locked();
    let socket = rest.matters().then(|| SocketRef::of(&call));
    call.unlock_and_leave();
    // First: the connection writes nothing else before, and edges may run code of the program.
    if let Some(lent) = lent {
        lent.write(lendable);
    }
    deliver(edges);
    if let Some(socket) = socket {
        rest.finish(&socket);
    }
    outcome.map(|_| Step::Done(()))
}

/// What is left to do after a message to several receivers, without the lock.
struct AfterSend {
    /// Receivers were told of it: several ones of a publisher's message, or that of a PUSH.
    tells: bool,
    /// As [`Held::begins`](super::held::Held::begins).
    begins_to_hold: bool,
    /// A receiver is far behind.
    has_lagging: bool,
}

impl AfterSend {
    const NOTHING: AfterSend = AfterSend { tells: false, begins_to_hold: false, has_lagging: false };

    fn matters(&self) -> bool {
        self.tells || self.begins_to_hold || self.has_lagging
    }

    #[cold]
    fn finish(self, socket: &SocketRef) {
        let _uncancellable = Uncancellable::begin();
        let Ok(call) = socket.enter() else { return };
        if self.tells {
            call.batching.note_write();
        }
        if self.begins_to_hold {
            call.begin_holding();
        }
        if self.has_lagging {
            call.let_receivers_catch_up();
        }
    }
}

/// The owner of a message to be sent.
pub trait ToSend<'b> {
    /// The message.
    fn message(&mut self) -> &mut Outgoing<'b>;

    /// Called when the message was sent.
    fn sent(&mut self) {}
}

impl<'b> ToSend<'b> for &mut Outgoing<'b> {
    fn message(&mut self) -> &mut Outgoing<'b> {
        self
    }
}

opaque!([M] Sending<M>);

/// A message that is being sent.
pub struct Sending<M>(pub M);

impl<M> CallOutput for Sending<M> {
    type Output = ();
}

impl<'b, M: ToSend<'b>> Attempt for Sending<M> {
    const WAITS_FOR_ROOM: bool = true;

    fn event(socket: &Socket, _is_context: bool) -> &Event {
        &socket.senders
    }

    fn attempt(
        &mut self,
        socket: &Socket,
        _event: &Event,
        core: &mut Core,
        slept: Option<Duration>,
        edges: &mut Edges,
    ) -> Result<Try<()>, Error> {
        let check = slept.map_or(ReceiverCheck::NONE, ReceiverCheck::RoomAfter);
        let outcome = socket.try_send(core, self.0.message(), check, edges);
        if let Ok(Try::Done((), _)) = outcome {
            self.0.sent();
            socket.note_sender(core);
        }
        outcome
    }

    fn after_failed_try(
        &self,
        policy: &mut WaitPolicy,
        hit_drop_limit: bool,
        core: &Core,
    ) -> Result<(), Error> {
        policy.after_failed_try(hit_drop_limit, core, false)
    }
}

impl Socket {
    /// Waits for the receivers that are far behind, for a moment. A publisher does not wait for receivers, but it would soon
    /// drop messages for these.
    fn let_receivers_catch_up(&self) {
        transport::before_blocking(Some(&self.batching));
        let end = now() + CATCH_UP_MAX;
        loop {
            let epoch = self.senders.epoch();
            if !self.has_lagging() || self.senders.wait(epoch, Some(end)) == Wake::TimedOut {
                return;
            }
        }
    }

    /// Notes that this thread has sent a message by another way than a first try, while edges may be held.
    pub(super) fn note_sender(&self, core: &Core) {
        if core.pipes.held.is_any() {
            self.batching.note_publisher(false);
        }
    }

    /// Whether a receiver is still far behind. If so, the senders are notified when it is not any more.
    fn has_lagging(&self) -> bool {
        let mut edges = Edges::default();
        let has_lagging = {
            let mut core = self.core.lock();
            self.process_ready(&mut core, &mut edges);
            !core.is_closing && core.pipes.await_lagging()
        };
        edges.deliver();
        has_lagging
    }

    /// One try to send, under the lock.
    pub(super) fn try_send(
        &self,
        core: &mut Core,
        message: &mut Outgoing<'_>,
        check: ReceiverCheck,
        edges: &mut Edges,
    ) -> Result<Try<()>, Error> {
        self.try_send_by(core, message, check, edges, |protocol, message, context| {
            protocol.send(message, context)
        })
    }

    /// As [`Socket::try_send`], by a call of the protocol that may be another one than that of an ordinary message.
    #[inline]
    pub(super) fn try_send_by(
        &self,
        core: &mut Core,
        message: &mut Outgoing<'_>,
        check: ReceiverCheck,
        edges: &mut Edges,
        send: impl FnOnce(&mut Machine, &mut Outgoing<'_>, &mut View<'_>) -> Result<(), Refusal>,
    ) -> Result<Try<()>, Error> {
        if !self.info.can_send {
            return Err(Error::NotSupported);
        }
        if core.is_closing {
            return Err(Error::Closed);
        }
        if !self.is_raw {
            message.header.clear();
        }
        let began = self.batching.moment();
        core.process_ready(&self.ready, edges);
        let metadata = message.metadata;
        let length = message.body.bytes().len();
        let (sent, delay) =
            core.call_to_send(metadata, check, edges, |protocol, context| send(protocol, message, context));
        let outcome = match sent {
            Ok(()) => {
                core.statistics[Statistic::MessagesSent] += 1;
                core.statistics[Statistic::BytesSent] += length as u64;
                let follows = std::mem::replace(&mut core.face.has_sent, true);
                if !edges.is_empty() {
                    wait_policy::expect_replies();
                    self.batching.begin_send(follows, began, edges.len());
                }
                Ok(Try::Done((), delay))
            }
            Err(Refusal::WouldBlock) if core.hit_drop_limit() => Ok(Try::DropLimit),
            Err(Refusal::WouldBlock) => Ok(Try::Blocked),
            Err(refusal) => Err(refusal.into()),
        };
        self.process_ready(core, edges);
        // An edge wakes only one blocked call, which wakes the next.
        if matches!(outcome, Ok(Try::Done(..)))
            && self.senders.has_waiters()
            && core.call(edges, |protocol, context| protocol.can_send(context))
        {
            self.notify_sender();
        }
        outcome
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::pipe::{Consumer, Peer, lane};
    use crate::protocol;
    use crate::socket::peer_info::EndpointName;
    use crate::socket::socket_endpoint::SocketEndpoint;
    use crate::socket::{AF_SP, close, open};
    use crate::sync::{Mutex, lock, rank};
    use crate::transport::{EndpointContext, PipeEnds};

    /// The peer of a pipe, which drains the lane when that is full.
    struct Draining(Mutex<Consumer, rank::Writer>);

    impl Peer for Draining {
        fn readable(self: Arc<Self>, _size: usize) {}
        fn writable(self: Arc<Self>) {}
        fn try_drain(self: Arc<Self>) -> bool {
            let mut lane = lock(&self.0);
            while !lane.is_empty() {
                lane.pop();
            }
            true
        }
    }

    #[test]
    fn a_call_that_does_not_sleep_yet_hears_of_room_that_another_has_made() {
        let id = open(AF_SP, protocol::PUSH.number.into()).unwrap();
        let socket = enter(id).unwrap();
        let name = EndpointName::default();
        let context = SocketEndpoint::new(socket.this.upgrade().unwrap(), name, &socket.core.lock().options);
        let (_, inbound) = lane(4);
        let (mut outbound, consumer) = lane(4);
        assert!(outbound.batch().push(&[], &mut Payload::Borrowed(b"full"), Default::default()).is_ok());
        assert!(!outbound.has_room(), "a call finds no room");
        let peer = Arc::new(Draining(Mutex::new(consumer)));
        let attached = context.attach(PipeEnds::plain(inbound, outbound, peer));
        attached.ok().unwrap().writable();
        let epoch = socket.senders.epoch();
        assert_eq!(send(id, &mut Outgoing::new(Payload::Borrowed(b"x")), true), Ok(()));
        assert!(socket.senders.has_changed(epoch));
        drop(socket);
        close(id).unwrap();
    }
}
