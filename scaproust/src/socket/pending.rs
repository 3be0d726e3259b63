//! A call that blocks in a socket: it tries, and sleeps in between.
//!
//! Owns what such a call has from the time its first try failed: the deadline, the signals that are
//! held back, its place among those who are woken, the connections that it reads from. While it sleeps it is
//! not inside the socket, and nothing of it is on a stack: see [`Blocked`].

use std::time::Duration;

use super::Socket;
use super::blocking::{Blocked, HeldSignals, TURNS, look_before_sleep, prepare_sleep};
use super::core::Core;
use super::direct_read::{Acquired, DirectReads};
use super::pipes::Slept;
use super::registry::{Call, Place};
use super::wait_policy::WaitPolicy;
use crate::error::Error;
use crate::pipe::Edges;
use crate::sync::{Epoch, Event, Sleep, Sleeper, Uncancellable, Wake, let_others_proceed, now};
use crate::transport;

opaque!([T] Step<T>, [] Entered, [A: Attempt] Pending<A>);

/// What became of the first try of a call.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made, and never kept")]
pub enum Step<T> {
    /// It is done. Every 64th message of a socket is marked: that call is a point for what is to be done
    /// now and then.
    Done(T, bool),
    /// It is to be done by a [`Pending`] call.
    Blocked(Entered),
}

/// See [`Step::Done`].
pub(super) const MARKED: u64 = 64;

/// What a blocked call answers when it has succeeded.
pub trait Answering {
    /// The answer.
    type Output;
}

/// One direction of a call: what it tries.
pub(crate) trait Attempt: Answering {
    /// What tells that the next try may do better.
    fn event(socket: &Socket) -> &Event;

    /// The call waits for room for messages of the socket's.
    const WAITS_FOR_ROOM: bool;

    /// The connections that the call may read from while it is blocked.
    fn lend(core: &mut Core) -> DirectReads {
        let _ = core;
        DirectReads::new()
    }

    /// What to do about a try that was not enough, under the same hold of the lock.
    ///
    /// # Errors
    /// [`Error::WouldBlock`]: the call does not wait.
    fn consider(&self, policy: &mut WaitPolicy, is_cut_short: bool, core: &Core) -> Result<(), Error>;

    /// Tries once, under the lock, perhaps after a sleep.
    ///
    /// # Errors
    /// Those of the call: it is over.
    fn attempt(
        &mut self,
        socket: &Socket,
        core: &mut Core,
        slept: Option<Slept<'_>>,
        edges: &mut Edges,
    ) -> Result<Try<Self::Output>, Error>;
}

/// What became of one try.
pub(crate) enum Try<T> {
    Done(T),
    /// There was more to drop than is dropped at once: it is to be tried again now.
    CutShort,
    /// It is to be tried again when something has happened.
    Blocked,
}

/// A call inside a socket, after its first try.
pub struct Entered {
    pub(super) call: Call,
    /// Drawn before the try.
    pub(super) epoch: Epoch,
    pub(super) policy: WaitPolicy,
    /// What it left to be read from; nothing if it was cut short.
    pub(super) direct_reads: Option<DirectReads>,
    /// Held back already, if it was to be done before edges were delivered.
    pub(super) signals: Option<HeldSignals>,
}

impl Entered {
    /// The lock is given back. The first try was not enough: signals may interrupt the call from now on.
    pub(super) fn after(
        call: Call,
        epoch: Epoch,
        policy: WaitPolicy,
        direct_reads: Option<DirectReads>,
        edges: Edges,
    ) -> Entered {
        let takes_time = !edges.is_empty() || direct_reads.is_none();
        let signals = (takes_time && !policy.dont_wait).then(HeldSignals::begin);
        edges.deliver();
        Entered { call, epoch, policy, direct_reads, signals }
    }
}

/// A call that blocks in a socket.
#[expect(private_bounds, reason = "sealed: the attempts are those of this library")]
pub struct Pending<A: Attempt> {
    attempt: A,
    policy: WaitPolicy,
    place: Place,
    /// Inside, unless it sleeps.
    call: Option<Call>,
    epoch: Epoch,
    /// What the last try left to be read from; nothing if it was cut short.
    direct_reads: Option<DirectReads>,
    /// What it reads from, and so has the event's watch.
    acquired: Option<Acquired>,
    sleeper: Option<Sleeper>,
    sleep: Sleep,
    /// When the wait began.
    start: Duration,
    /// The last to go: handlers run then.
    signals: Option<HeldSignals>,
}

#[expect(private_bounds, reason = "as above")]
impl<A: Attempt> Pending<A> {
    /// A call whose first try was this attempt's.
    pub fn new(entered: Entered, attempt: A) -> Pending<A> {
        let Entered { call, epoch, policy, direct_reads, signals } = entered;
        Pending {
            attempt,
            policy,
            place: Place::of(&call),
            call: Some(call),
            epoch,
            direct_reads,
            acquired: None,
            sleeper: None,
            sleep: Sleep::new(),
            start: Duration::ZERO,
            signals,
        }
    }

    /// Waits until another try may do better. Answers whether the call is to sleep for that.
    fn wait(&mut self, direct_reads: DirectReads) -> bool {
        let Pending { policy, call, epoch, acquired, sleeper, sleep, start, signals, .. } = self;
        let Some(inside) = call else { return false };
        if policy.dont_wait {
            inside.fetch_borrowed(direct_reads);
            return false;
        }
        transport::before_blocking(A::WAITS_FOR_ROOM.then_some(&inside.batching));
        let event = A::event(inside);
        if !direct_reads.is_empty() && event.watch() {
            *acquired = Some(Acquired::from(direct_reads));
        }
        let hold = || _ = signals.get_or_insert_with(HeldSignals::begin);
        let fetch = || acquired.iter().for_each(Acquired::fetch);
        let count = acquired.as_ref().map_or(0, Acquired::count);
        match look_before_sleep(event, *epoch, policy.wait, count, fetch, hold) {
            Ok(()) => return false,
            Err(moment) => *start = moment,
        }
        let Some(place) = event.lie_down(*epoch) else { return false };
        let watched = acquired.iter().flat_map(Acquired::descriptors);
        prepare_sleep(sleep, &place, (count, watched), policy.deadline, signals.as_ref());
        *sleeper = Some(place);
        *call = None;
        true
    }

    /// What is to be done after a sleep: enters again, reads what has come.
    fn get_up(&mut self, sleeper: Sleeper) -> Result<(), Error> {
        let wake = self.sleep.wake();
        let acquired = self.acquired.take();
        let call = match self.place.enter() {
            Ok(call) => self.call.insert(call),
            Err(error) => {
                // The timer of a loan could outlast the I/O thread.
                acquired.into_iter().for_each(Acquired::revoke);
                return Err(error);
            }
        };
        let event = A::event(call);
        event.spin.has_slept(self.start);
        let mut readiness = self.sleep.readiness();
        if wake == Wake::Woken && readiness.next() == Some(true) {
            sleeper.silence();
        }
        let was_meant = event.get_up(sleeper);
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
            _ if was_meant && wake == Wake::TimedOut => Ok(()),
            Wake::TimedOut => Err(Error::TimedOut),
            Wake::Interrupted => {
                if was_meant {
                    event.notify_one();
                }
                Err(Error::Interrupted)
            }
        }
    }

    /// Gives back what it reads from, inside the socket.
    fn release(&mut self) {
        if let (Some(call), Some(acquired)) = (&self.call, self.acquired.take()) {
            call.release(acquired);
        }
    }

    /// A call that waits is interrupted by signals from now on.
    fn hold_signals(&mut self) {
        if !self.policy.dont_wait {
            self.signals.get_or_insert_with(HeldSignals::begin);
        }
    }

    /// The call is over, but for a pause: not inside the socket.
    fn make_pause(&mut self, pause: Duration) {
        if !pause.is_zero() {
            self.call = None;
            self.signals = None;
            std::thread::sleep(pause);
        }
    }

    /// Whether the call goes on after a try that was not enough.
    fn check(&mut self) -> Result<(), Error> {
        self.hold_signals();
        let policy = &self.policy;
        let outcome = if policy.deadline.is_some_and(|deadline| deadline <= now()) {
            Err(if policy.dont_wait { Error::WouldBlock } else { Error::TimedOut })
        } else if self.signals.as_ref().is_some_and(HeldSignals::has_let_one_in) {
            Err(Error::Interrupted)
        } else {
            return Ok(());
        };
        if let (Some(call), None) = (&self.call, &self.direct_reads) {
            // What it leaves undone is to be done by the next.
            A::event(call).notify_one();
        }
        outcome
    }
}

impl<A: Attempt> Blocked for Pending<A> {
    type Output = A::Output;

    fn proceed(&mut self) -> Result<Option<A::Output>, Error> {
        let _uncancellable = Uncancellable::begin();
        let mut pause = Duration::ZERO;
        let mut slept = None;
        if let Some(sleeper) = self.sleeper.take() {
            self.get_up(sleeper)?;
            slept = Some(Slept { time: now().saturating_sub(self.start), pause: &mut pause });
        } else if self.call.is_none() {
            self.call = Some(self.place.enter()?);
        }
        for _ in 0..TURNS {
            if let Some(direct_reads) = self.direct_reads.take() {
                if self.wait(direct_reads) {
                    return Ok(None);
                }
                self.release();
            }
            let Some(call) = &self.call else { return Err(Error::Closed) };
            self.epoch = A::event(call).epoch();
            let mut edges = Edges::default();
            let outcome = {
                let mut core = call.core.lock();
                core.allow_drops();
                let outcome = self.attempt.attempt(call, &mut core, slept.take(), &mut edges);
                let is_cut_short = matches!(outcome, Ok(Try::CutShort));
                match outcome {
                    Ok(Try::Done(output)) => Ok(Some(output)),
                    Ok(_) => self.attempt.consider(&mut self.policy, is_cut_short, &core).map(|()| {
                        self.direct_reads = (!is_cut_short).then(|| A::lend(&mut core));
                        None
                    }),
                    Err(error) => Err(error),
                }
            };
            edges.deliver();
            if let Some(output) = outcome? {
                self.make_pause(pause);
                return Ok(Some(output));
            }
            if self.direct_reads.is_none() {
                let_others_proceed();
            }
            self.check()?;
        }
        // The thread may be cancelled now: not inside the socket.
        self.call = None;
        Ok(None)
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.sleeper.is_some().then_some(&mut self.sleep)
    }
}

impl<A: Attempt> Drop for Pending<A> {
    fn drop(&mut self) {
        // Asleep only if the thread was cancelled.
        if let Some(sleeper) = self.sleeper.take() {
            _ = self.get_up(sleeper);
        } else {
            self.release();
        }
    }
}
