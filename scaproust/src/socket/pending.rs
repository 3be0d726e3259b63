//! A blocking call in one socket, after its first try has failed: it tries again and sleeps in between.
//!
//! Owns what such a call needs meanwhile: its deadline, the blocked signals, its entry in the list of
//! sleepers, the connections it reads from. While it sleeps it is not inside the socket, and has nothing on a
//! stack: see [`BlockingCall`].

use std::time::Duration;

use super::Socket;
use super::blocking::{BlockedSignals, BlockingCall, TURNS, prepare_sleep, spin_before_sleep};
use super::core::Core;
use super::direct_read::{Acquired, DirectReads};
use super::registry::{Call, SocketRef};
use super::view::Delay;
use super::wait_policy::{Wait, WaitPolicy};
use crate::error::Error;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::sync::{Epoch, Event, Sleep, Sleeper, Uncancellable, Wake, let_others_proceed, now};
use crate::transport;

opaque!([T] Step<T>, [] Entered, [A: Attempt] Pending<A>);

/// The outcome of the first try of a call.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made, and never kept")]
pub enum Step<T> {
    /// The call is done.
    Done(T),
    /// Nothing was tried. The C interface tests whether the thread is cancelled. The caller is to try again.
    Untried,
    /// The call continues as a [`Pending`] call.
    Blocked(Entered),
}

/// The type that a blocked call returns.
pub trait CallOutput {
    /// The type.
    type Output;
}

/// What a blocked call tries: to send or to receive.
pub(crate) trait Attempt: CallOutput {
    /// The event after whose change a try may succeed; `is_context` says whether the socket was a context at the time.
    fn event(socket: &Socket, is_context: bool) -> &Event;

    /// Whether the call waits for room in the socket's own outbound lanes.
    const WAITS_FOR_ROOM: bool;

    /// The connections that the call may read from while it is blocked.
    fn direct_reads(core: &mut Core) -> DirectReads {
        let _ = core;
        DirectReads::default()
    }

    /// Decides whether the call goes on after a failed try, under the same hold of the lock.
    ///
    /// # Errors
    /// [`Error::WouldBlock`]: the call does not wait.
    fn after_failed_try(
        &self,
        policy: &mut WaitPolicy,
        hit_drop_limit: bool,
        core: &Core,
    ) -> Result<(), Error>;

    /// Tries once, under the lock of `socket`, which for a context is its parent. `event` is that of
    /// [`Attempt::event`]. `slept` is the time that the call has slept since the last try, if it has.
    ///
    /// # Errors
    /// Those of the call, which ends it.
    fn attempt(
        &mut self,
        socket: &Socket,
        event: &Event,
        core: &mut Core,
        slept: Option<Duration>,
        edges: &mut Edges,
    ) -> Result<Try<Self::Output>, Error>;
}

/// The outcome of one try.
pub(crate) enum Try<T> {
    Done(T, Delay),
    /// The protocol has dropped as many unwanted messages as it may under one hold of the lock, and may find
    /// more. The call tries again at once.
    DropLimit,
    /// The call tries again after the event has changed.
    Blocked,
}

/// A call inside a socket, after its first try.
pub struct Entered {
    pub(super) call: Call,
    /// Read before the try.
    pub(super) epoch: Epoch,
    pub(super) policy: WaitPolicy,
    /// The connections to read from; `None` if the next try must follow at once.
    pub(super) direct_reads: Option<DirectReads>,
    /// Set if signals are blocked already, because they had to be before the edges were delivered.
    pub(super) signals: Option<BlockedSignals>,
}

impl Entered {
    /// A call of a context, which has not tried yet. It will wait for the time of the option `timeout`.
    #[cold]
    #[inline(never)]
    pub(super) fn in_context(call: Call, wait: Wait, timeout: SocketOption) -> Entered {
        let epoch = call.receivers.epoch();
        let policy = WaitPolicy::of_context(wait, timeout, call.timeout(timeout));
        Entered { call, epoch, policy, direct_reads: None, signals: None }
    }

    /// The call after its first try has failed and the lock is free. Signals may interrupt it from now on.
    pub(super) fn after(
        call: Call,
        epoch: Epoch,
        policy: WaitPolicy,
        direct_reads: Option<DirectReads>,
        edges: Edges,
    ) -> Entered {
        let takes_time = !edges.is_empty() || direct_reads.is_none();
        let signals = (takes_time && !policy.dont_wait).then(BlockedSignals::begin);
        edges.deliver();
        Entered { call, epoch, policy, direct_reads, signals }
    }
}

/// A blocking call in a socket.
#[expect(private_bounds, reason = "sealed: the attempts are those of this library")]
pub struct Pending<A: Attempt> {
    attempt: A,
    policy: WaitPolicy,
    socket: SocketRef,
    /// `None` while the call sleeps.
    call: Option<Call>,
    /// Read before the last try, from the event of a context if `is_context` is set.
    epoch: Epoch,
    /// Whether the socket was a context then. It may become one while the call is blocked.
    is_context: bool,
    /// The connections to read from after the last try; `None` if that has hit the drop limit.
    direct_reads: Option<DirectReads>,
    /// The connections it reads from. While this is set, the call has claimed the event's descriptors.
    acquired: Option<Acquired>,
    /// Set while the call sleeps.
    sleeper: Option<Sleeper>,
    sleep: Sleep,
    /// When the wait began.
    start: Duration,
    /// Declared last, and so dropped last, since that runs signal handlers.
    signals: Option<BlockedSignals>,
}

#[expect(private_bounds, reason = "as above")]
impl<A: Attempt> Pending<A> {
    /// The call whose first try was that of `attempt`.
    pub fn new(entered: Entered, attempt: A) -> Pending<A> {
        let Entered { call, epoch, policy, direct_reads, signals } = entered;
        Pending {
            attempt,
            policy,
            socket: SocketRef::of(&call),
            call: Some(call),
            epoch,
            is_context: false,
            direct_reads,
            acquired: None,
            sleeper: None,
            sleep: Sleep::new(),
            start: Duration::ZERO,
            signals,
        }
    }

    /// Waits until another try may succeed. Returns whether the call must sleep for that.
    fn wait(&mut self, direct_reads: DirectReads) -> bool {
        let Pending { policy, call, epoch, is_context, acquired, sleeper, sleep, start, signals, .. } = self;
        let Some(inside) = call else { return false };
        transport::before_blocking(A::WAITS_FOR_ROOM.then_some(&inside.batching));
        if policy.dont_wait {
            inside.fetch_if_leased(&direct_reads);
            return false;
        }
        let event = A::event(inside, *is_context);
        if !direct_reads.is_empty() && event.claim_descriptors() {
            *acquired = Some(Acquired::from(direct_reads));
        }
        let before_long_wait = || _ = signals.get_or_insert_with(BlockedSignals::begin);
        let fetch = || acquired.iter().for_each(Acquired::fetch);
        let count = acquired.as_ref().map_or(0, Acquired::count);
        let has_deadline = policy.deadline.is_some();
        match spin_before_sleep(event, *epoch, policy.wait, count, has_deadline, fetch, before_long_wait) {
            Ok(()) => return false,
            Err(moment) => *start = moment,
        }
        let Some(entry) = event.register(*epoch) else { return false };
        let descriptors = acquired.iter().flat_map(Acquired::descriptors);
        prepare_sleep(sleep, &entry, (count, descriptors), policy.deadline, signals.as_ref());
        *sleeper = Some(entry);
        *call = None;
        true
    }

    /// Continues after a sleep: enters the socket again and reads what has arrived.
    fn after_sleep(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        let wake = self.sleep.wake();
        let acquired = self.acquired.take();
        let call = match self.socket.enter() {
            Ok(call) => self.call.insert(call),
            Err(error) => {
                // The timer of a released lease could outlast the I/O thread.
                acquired.into_iter().for_each(Acquired::revoke);
                return Err(error);
            }
        };
        let event = A::event(call, self.is_context);
        event.spin.record_sleep(self.start);
        let mut readiness = self.sleep.readiness();
        if wake == Wake::Woken && readiness.next() == Some(true) {
            sleeper.clear();
        }
        let was_notified = event.unregister(sleeper);
        if let Some(acquired) = &acquired
            && wake == Wake::Woken
        {
            acquired.fetch_ready(readiness);
        }
        if let Some(acquired) = acquired {
            call.release(acquired);
        }
        match wake {
            Wake::Woken => Ok(()),
            _ if was_notified && wake == Wake::TimedOut => Ok(()),
            Wake::TimedOut => Err(Error::TimedOut),
            Wake::Interrupted => {
                if was_notified {
                    call.notify_next(event);
                }
                Err(Error::Interrupted)
            }
        }
    }

    /// Releases the acquired connections. The call is inside the socket.
    fn release(&mut self) {
        if let (Some(call), Some(acquired)) = (&self.call, self.acquired.take()) {
            call.release(acquired);
        }
    }

    /// Blocks signals, so that one that comes from now on interrupts the call, if it is one that waits.
    fn block_signals(&mut self) {
        if !self.policy.dont_wait {
            self.signals.get_or_insert_with(BlockedSignals::begin);
        }
    }

    /// Pauses at the end of the call, outside the socket.
    fn pause(&mut self, pause: Duration) {
        if !pause.is_zero() {
            self.call = None;
            self.signals = None;
            crate::sync::pause(pause);
        }
    }

    /// Ends the call after a failed try if its deadline has passed or a signal handler has run.
    fn check_deadline_and_signals(&mut self) -> Result<(), Error> {
        self.block_signals();
        let policy = &self.policy;
        let outcome = if policy.deadline.is_some_and(|deadline| deadline <= now()) {
            Err(if policy.dont_wait { Error::WouldBlock } else { Error::TimedOut })
        } else if self.signals.as_ref().is_some_and(BlockedSignals::deliver_pending) {
            Err(Error::Interrupted)
        } else {
            return Ok(());
        };
        if let (Some(call), None) = (&self.call, &self.direct_reads) {
            // The try has hit the drop limit: another sleeper continues with what is left.
            call.notify_next(A::event(call, self.is_context));
        }
        outcome
    }
}

impl<A: Attempt> BlockingCall for Pending<A> {
    type Output = A::Output;

    fn proceed(&mut self) -> Result<Option<A::Output>, Error> {
        let _uncancellable = Uncancellable::begin();
        let mut slept = None;
        if let Some(sleeper) = self.sleeper.take() {
            self.after_sleep(sleeper)?;
            slept = Some(now().saturating_sub(self.start));
        } else if self.call.is_none() {
            self.call = Some(self.socket.enter()?);
        }
        for _ in 0..TURNS {
            if let Some(direct_reads) = self.direct_reads.take() {
                if self.wait(direct_reads) {
                    return Ok(None);
                }
                self.release();
            }
            let Some(call) = &self.call else { return Err(Error::Closed) };
            self.is_context = call.is_context();
            let event = A::event(call, self.is_context);
            self.epoch = event.epoch();
            let mut edges = Edges::default();
            let outcome = {
                let mut core = call.lock()?;
                if core.is_context != self.is_context {
                    continue;
                }
                let owner = core.owner;
                core.allow_more_drops();
                let outcome = self.attempt.attempt(owner, event, &mut core, slept.take(), &mut edges);
                let hit_drop_limit = matches!(outcome, Ok(Try::DropLimit));
                match outcome {
                    Ok(Try::Done(output, delay)) => Ok(Some((output, delay))),
                    Ok(_) => {
                        self.attempt.after_failed_try(&mut self.policy, hit_drop_limit, &core).map(|()| {
                            self.direct_reads = (!hit_drop_limit).then(|| A::direct_reads(&mut core));
                            None
                        })
                    }
                    Err(error) => Err(error),
                }
            };
            edges.deliver();
            if let Some((output, delay)) = outcome? {
                if let Delay::Pause(pause) = delay {
                    self.pause(pause);
                }
                return Ok(Some(output));
            }
            if self.direct_reads.is_none() {
                let_others_proceed();
            }
            self.check_deadline_and_signals()?;
        }
        // The thread may be cancelled now, so the call must not be inside the socket.
        self.call = None;
        Ok(None)
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.sleeper.is_some().then_some(&mut self.sleep)
    }
}

impl<A: Attempt> Drop for Pending<A> {
    fn drop(&mut self) {
        // The call is asleep only if its thread was cancelled.
        if let Some(sleeper) = self.sleeper.take() {
            _ = self.after_sleep(sleeper);
        } else {
            self.release();
        }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
pub(super) mod tests {
    use super::*;
    use crate::message::{Outgoing, Payload};
    use crate::protocol;
    use crate::socket::{AF_SP, Receiving, close, enter, open, receive, send};

    /// A call that receives at a socket, when it is about to sleep.
    pub(in crate::socket) fn sleeping(id: i32) -> Pending<impl Attempt<Output = ()>> {
        let mut receiving = Receiving::new(|_| ());
        let entered = loop {
            match receive(id, false, &mut receiving) {
                Ok(Step::Untried) => {}
                Ok(Step::Blocked(entered)) => break entered,
                _ => panic!("it does not wait"),
            }
        };
        let mut call = Pending::new(entered, receiving);
        while call.sleep().is_none() {
            assert_eq!(call.proceed(), Ok(None));
        }
        call
    }

    #[test]
    fn a_call_whose_thread_is_cancelled_passes_its_notification_on() {
        let [sender, receiver] =
            [protocol::PUSH, protocol::PULL].map(|info| open(AF_SP, info.number.into()).unwrap());
        enter(receiver).unwrap().bind(b"inproc://cancelled").unwrap();
        enter(sender).unwrap().connect(b"inproc://cancelled").unwrap();
        let [cancelled, other] = [(); 2].map(|()| sleeping(receiver));
        send(sender, &mut Outgoing::new(Payload::Borrowed(b"x")), false).unwrap();
        let has_waiters = || enter(receiver).unwrap().receivers.has_waiters();
        assert!(has_waiters(), "the message wakes one of them");
        drop(cancelled);
        assert!(!has_waiters(), "then the other");
        drop(other);
        [sender, receiver].into_iter().for_each(|id| close(id).unwrap());
    }
}
