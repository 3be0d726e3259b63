//! A call of a task: it tries to send or to receive when it is polled, and waits without a thread.
//!
//! Owns the task's place in the queue of the socket's event, and its alarm. Must not know executors. Between two
//! polls the call is not inside the socket. While tasks wait to receive, the I/O thread reads from the
//! connections; a task that may get an answer soon reads itself before it waits (`looks.rs`).
//!
//! Nothing is taken from the socket, and nothing is given to it, except by the poll that returns `Ready`. So a
//! call may be dropped at any time. If it was notified it passes the notification on.

use std::borrow::Borrow;
use std::ops::DerefMut;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::Socket;
use super::core::Core;
use super::looks::Looks;
use super::pending::{Attempt, CallOutput, Try};
use super::received::Received;
use super::receiving::Receiving;
use super::registry::{Call, SocketRef};
use super::sending::CATCH_UP_MAX;
use super::view::{Delay, ReceiverCheck};
use super::wait_policy::Wait;
use crate::error::Error;
use crate::message::Outgoing;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::protocol::Time;
use crate::reactor::{self, Reactor, Source, TimerId};
use crate::sync::{Event, Mutex, OfProcess, TaskPlace, lock, now, rank, run_then_wake};
use crate::transport;

/// A poll tries this many times while the event keeps changing. Then the task lets others run.
const TRIES: usize = 16;

/// What a task's call tries: to send, to receive, or to find a connection.
pub(crate) trait TaskAttempt: CallOutput {
    /// The option with the timeout.
    const TIMEOUT: SocketOption;
    /// The call receives.
    const RECEIVES: bool;
    /// The call sends, and so waits for room and obeys pauses.
    const SENDS: bool;

    /// The event after whose change a try may succeed.
    /// `is_context` says whether the socket is a context.
    fn event(socket: &Socket, is_context: bool) -> &Event;

    /// Tries once, under the lock of `socket`, which for a context is its parent. `event` is that of
    /// [`TaskAttempt::event`].
    ///
    /// # Errors
    /// Those of the call, which ends it.
    fn attempt(
        &mut self,
        socket: &Socket,
        event: &Event,
        core: &mut Core,
        edges: &mut Edges,
    ) -> Result<Try<Self::Output>, Error>;
}

/// A message that a task receives, as the place for it and the function that puts it there.
pub(crate) struct TaskReceiving<T> {
    pub(crate) place: T,
    pub(crate) put: fn(&mut T, Received<'_>) -> Result<(), Error>,
}

impl<T> CallOutput for TaskReceiving<T> {
    type Output = Result<(), Error>;
}

impl<T> TaskAttempt for TaskReceiving<T> {
    const TIMEOUT: SocketOption = SocketOption::ReceiveTimeout;
    const RECEIVES: bool = true;
    const SENDS: bool = false;

    fn event(socket: &Socket, is_context: bool) -> &Event {
        if is_context { socket.receivers_of_context() } else { &socket.receivers }
    }

    fn attempt(
        &mut self,
        socket: &Socket,
        event: &Event,
        core: &mut Core,
        edges: &mut Edges,
    ) -> Result<Try<Self::Output>, Error> {
        let TaskReceiving { place, put } = self;
        Receiving::new(|received: Received<'_>| put(place, received))
            .attempt(socket, event, core, None, edges)
    }
}

/// A message that is kept until it was sent.
pub(crate) trait LendMessage {
    /// Calls `send` with the message. What `send` leaves of it is the message afterwards.
    fn lend<R>(&mut self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R;
}

/// A message that a task sends.
pub(crate) struct TaskSending<M>(pub(crate) M);

impl<M> CallOutput for TaskSending<M> {
    type Output = ();
}

impl<M: LendMessage> TaskAttempt for TaskSending<M> {
    const TIMEOUT: SocketOption = SocketOption::SendTimeout;
    const RECEIVES: bool = false;
    const SENDS: bool = true;

    fn event(socket: &Socket, _is_context: bool) -> &Event {
        &socket.senders
    }

    fn attempt(
        &mut self,
        socket: &Socket,
        _event: &Event,
        core: &mut Core,
        edges: &mut Edges,
    ) -> Result<Try<()>, Error> {
        if !core.send_not_before.is_zero() {
            if now() < core.send_not_before && core.pipes.await_lagging() {
                return Ok(Try::Blocked);
            }
            core.send_not_before = Time::ZERO;
        }
        let check = if socket.info.drops { ReceiverCheck::Lag { holds: false } } else { ReceiverCheck::NONE };
        let outcome = self.0.lend(|message| socket.try_send(core, message, check, edges));
        if outcome.is_ok() {
            socket.note_sender(core);
        }
        if let Ok(Try::Done((), Delay::Throttle)) = &outcome {
            // A thread would pause after the message. A task pauses before the next one, so that a call which is not
            // ready has sent nothing.
            core.send_not_before = now() + CATCH_UP_MAX;
        }
        outcome
    }
}

/// A call of a task at a socket, which it refers to or borrows the reference of.
pub(crate) struct TaskCall<S: Borrow<SocketRef>, A: TaskAttempt> {
    pub(crate) attempt: A,
    socket: S,
    pub(crate) wait: Wait,
    /// Set when the first try has failed, unless there is none.
    deadline: Option<Time>,
    /// A try has failed.
    is_blocked: bool,
    /// Whether the socket was a context at the last try. It may become one while the task waits.
    is_context: bool,
    /// Set from the first wait on. The event of the socket may have removed the task from its queue.
    place: Option<TaskPlace>,
    alarm: Option<SetAlarm>,
    /// Set while the call reads itself: it is not in the queue of the event then, and has woken its task.
    looks: Option<Looks>,
}

impl<S: Borrow<SocketRef>, A: TaskAttempt> TaskCall<S, A> {
    /// A call that has not tried yet.
    pub(crate) fn new(socket: S, attempt: A, wait: Wait) -> TaskCall<S, A> {
        TaskCall {
            attempt,
            socket,
            wait,
            deadline: None,
            is_blocked: false,
            is_context: false,
            place: None,
            alarm: None,
            looks: None,
        }
    }

    /// Tries, and registers the waker if the call must wait.
    ///
    /// # Errors
    /// As a blocking call, but never [`Error::Interrupted`]; and the operating system's, when it has no thread or
    /// descriptor to spare for the I/O thread.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Result<A::Output, Error>> {
        run_then_wake(|| {
            if let Some(looks) = &mut self.looks
                && let Ok(inside) = self.socket.borrow().enter()
            {
                looks.fetch(&inside);
            }
            self.try_and_wait(waker)
        })
    }

    fn try_and_wait(&mut self, waker: &Waker) -> Poll<Result<A::Output, Error>> {
        for tries in 0..TRIES {
            let call = match self.socket.borrow().enter_locked() {
                Ok(call) => call,
                Err(error) => return Poll::Ready(Err(error)),
            };
            // SAFETY: the call has taken the lock by entering.
            let own = unsafe { call.core.assume_locked() };
            let mut timeout_of_context = None;
            if own.is_closing && call.is_context() {
                if !self.is_context && self.place.is_some() {
                    drop(own);
                    self.leave_queue(&call);
                    self.is_context = true;
                    continue;
                }
                self.is_context = true;
                timeout_of_context = Some(own.options.timeout(A::TIMEOUT));
            }
            let event = A::event(&call, self.is_context);
            let epoch = event.epoch();
            let mut core = match call.lock_more(own) {
                Ok(core) => core,
                Err(error) => {
                    self.is_blocked = false;
                    self.looks = None;
                    self.leave_queue(&call);
                    return Poll::Ready(Err(error));
                }
            };
            if tries > 0 {
                core.allow_more_drops();
            }
            let owner = core.owner;
            let mut edges = Edges::default();
            let mut hit_drop_limit = false;
            let outcome = match self.attempt.attempt(owner, event, &mut core, &mut edges) {
                Ok(Try::DropLimit) => {
                    hit_drop_limit = true;
                    None
                }
                Ok(Try::Blocked) => self.begin_wait(&mut core, event, timeout_of_context).err().map(Err),
                Ok(Try::Done(output, _)) => Some(Ok(output)),
                Err(error) => Some(Err(error)),
            };
            if let Some(outcome) = outcome {
                if let Some(looks) = self.looks.take() {
                    looks.end(event, outcome.is_ok());
                }
                if self.is_blocked {
                    self.end_wait(&call, core, outcome.is_err());
                    drop(call);
                } else if core.is_context {
                    drop(core);
                    drop(call);
                } else {
                    core.keep_locked();
                    call.unlock_and_leave();
                }
                edges.deliver();
                return Poll::Ready(outcome);
            }
            let alarm = self.alarm_time(&core);
            drop(core);
            edges.deliver();
            if hit_drop_limit {
                continue;
            }
            if let Some(looks) = &mut self.looks {
                transport::before_blocking(None);
                if !looks.prepare() {
                    continue;
                }
                drop(call);
                waker.wake_by_ref();
                return Poll::Pending;
            }
            if !event.enlist(&mut self.place, waker, epoch) {
                if self.is_context {
                    // The event may be that of the parent, out of reach once this context is closed.
                    self.leave_queue(&call);
                }
                continue;
            }
            transport::before_blocking(A::SENDS.then_some(&call.batching));
            // Inside the socket: once it is closed the reactor may have been stopped, and would be started anew.
            let is_set = self.set_alarm(alarm, waker);
            drop(call);
            return match is_set {
                Ok(is_due) => {
                    if is_due {
                        waker.wake_by_ref();
                    }
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            };
        }
        waker.wake_by_ref();
        Poll::Pending
    }

    /// Decides under the lock, after a failed try, whether the call waits. A context has a timeout of its own.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::WouldBlock`], or the operating system's.
    fn begin_wait(
        &mut self,
        core: &mut Core,
        event: &Event,
        timeout_of_context: Option<Option<Duration>>,
    ) -> Result<(), Error> {
        if let Some(looks) = self.looks.take_if(|looks| self.is_context || looks.are_over()) {
            looks.end(event, false);
        }
        if !self.is_blocked {
            self.deadline = match self.wait {
                Wait::None => return Err(Error::WouldBlock),
                Wait::Option => {
                    let timeout = timeout_of_context.unwrap_or_else(|| core.options.timeout(A::TIMEOUT));
                    timeout.map(|time| now().saturating_add(time))
                }
                Wait::Until(_) => None,
            };
            // Started here, so that it can call wakers. It runs as long as the socket is open.
            reactor::current()?;
            self.is_blocked = true;
            // No receiver of a socket with contexts reads directly.
            if A::RECEIVES && !self.is_context {
                core.receiving_tasks += 1;
                self.looks = Looks::begin(core, event);
            }
        }
        // It may have been set, or set anew, after the call began to wait.
        if let Wait::Until(deadline) = self.wait {
            self.deadline = Some(deadline);
        }
        if A::RECEIVES && core.reads_directly && self.looks.is_none() {
            core.revoke_direct_reads();
        }
        if self.deadline.is_some_and(|deadline| deadline <= now()) { Err(Error::TimedOut) } else { Ok(()) }
    }

    /// Ends the wait. After a failure, passes on a notification that was spent on the call.
    fn end_wait(&mut self, call: &Call, mut core: impl DerefMut<Target = Core>, has_failed: bool) {
        self.is_blocked = false;
        if A::RECEIVES && !self.is_context {
            core.receiving_tasks -= 1;
        }
        drop(core);
        if self.leave_queue(call) && has_failed {
            call.notify_next(A::event(call, self.is_context));
        }
    }

    /// Removes the task from the queue of the event. Returns whether a notification was spent on it.
    fn leave_queue(&mut self, call: &Call) -> bool {
        let event = A::event(call, self.is_context);
        self.place.take().is_some_and(|place| event.delist(place))
    }

    /// When the call must be polled again, even if nothing happens.
    fn alarm_time(&self, core: &Core) -> Option<Time> {
        let pause = Some(core.send_not_before).filter(|end| A::SENDS && !end.is_zero());
        pause.into_iter().chain(self.deadline).min()
    }

    /// Sets the alarm for this waker. Returns whether the moment has come: then the alarm may have gone off before, for the
    /// last waker.
    ///
    /// # Errors
    /// The operating system's, when it has no thread or descriptor to spare for the I/O thread.
    fn set_alarm(&mut self, moment: Option<Time>, waker: &Waker) -> Result<bool, Error> {
        let Some(moment) = moment else { return Ok(false) };
        match &self.alarm {
            Some(set) if set.moment == moment => {
                set.alarm.replace(waker);
                return Ok(moment <= now());
            }
            _ => self.alarm = Some(SetAlarm::new(moment, waker)?),
        }
        Ok(false)
    }
}

impl<S: Borrow<SocketRef>, A: TaskAttempt> Drop for TaskCall<S, A> {
    fn drop(&mut self) {
        if !self.is_blocked {
            return;
        }
        run_then_wake(|| {
            // A socket that is closed has no waiters.
            if let Ok(call) = self.socket.borrow().enter_locked() {
                // SAFETY: the call has taken the lock by entering.
                let mut core = unsafe { call.core.assume_locked() };
                if let Some(looks) = self.looks.take() {
                    // The lease must not be left to run out: the next call may begin, and be dropped, before that.
                    looks.end(A::event(&call, self.is_context), false);
                    core.revoke_direct_reads();
                }
                self.end_wait(&call, core, true);
            }
        });
    }
}

/// Wakes a task at a moment.
struct Alarm(Mutex<Option<Waker>, rank::Alarm>);

impl Alarm {
    /// Makes this the waker.
    fn replace(&self, waker: &Waker) {
        // Cloned and dropped outside the lock, since both are code of the executor.
        let mut waker = Some(waker.clone());
        std::mem::swap(&mut *lock(&self.0), &mut waker);
    }
}

impl Source for Alarm {
    fn timeout(self: Arc<Self>, _now: Duration) {
        let waker = lock(&self.0).take();
        if let Some(waker) = waker {
            reactor::wake_tasks(waker.into());
        }
    }
}

/// An alarm that is set. Dropping it cancels it.
struct SetAlarm {
    moment: Time,
    alarm: Arc<Alarm>,
    reactor: OfProcess<Arc<Reactor>>,
    timer: TimerId,
}

impl SetAlarm {
    fn new(moment: Time, waker: &Waker) -> Result<SetAlarm, Error> {
        let reactor = reactor::current()?;
        let alarm = Arc::new(Alarm(Mutex::new(Some(waker.clone()))));
        let timer = reactor.at(moment, alarm.clone());
        Ok(SetAlarm { moment, alarm, reactor: OfProcess::new(reactor), timer })
    }
}

impl Drop for SetAlarm {
    fn drop(&mut self) {
        self.reactor.get().into_iter().for_each(|reactor| reactor.cancel(self.timer));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;
    use crate::message::Payload;
    use crate::option::Setting;
    use crate::protocol;
    use crate::socket::{AF_SP, close, enter, open, send};

    fn receiving() -> TaskReceiving<usize> {
        TaskReceiving {
            place: 0,
            put: |length: &mut usize, received| {
                *length = received.length();
                Ok(())
            },
        }
    }

    /// A socket that has sent a message over tcp, and its peer, which has received it.
    fn asking_pair() -> [i32; 2] {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("tcp://127.0.0.1:{port}");
        let pair = [(); 2].map(|()| open(AF_SP, protocol::PAIR.number.into()).unwrap());
        enter(pair[0]).unwrap().bind(address.as_bytes()).unwrap();
        enter(pair[1]).unwrap().connect(address.as_bytes()).unwrap();
        send(pair[0], &mut Outgoing::new(Payload::Borrowed(b"question")), false).unwrap();
        crate::socket::recv(pair[1], false, |_| ()).unwrap();
        pair
    }

    #[test]
    fn a_task_that_is_dropped_while_it_looks_returns_the_connections() {
        let [one, other] = asking_pair();
        let mut call = TaskCall::new(SocketRef::of(&enter(one).unwrap()), receiving(), Wait::Option);
        assert!(call.poll(Waker::noop()).is_pending());
        let reads_directly = || enter(one).unwrap().core.lock().reads_directly;
        assert!(call.looks.is_some() && reads_directly());
        drop(call);
        assert!(!reads_directly());
        [one, other].into_iter().for_each(|id| close(id).unwrap());
    }

    #[test]
    fn a_deadline_can_be_set_while_the_task_waits() {
        let [one, other] = asking_pair();
        let mut call = TaskCall::new(SocketRef::of(&enter(other).unwrap()), receiving(), Wait::Option);
        assert!(call.poll(Waker::noop()).is_pending());
        call.wait = Wait::Until(now());
        assert_eq!(call.poll(Waker::noop()), Poll::Ready(Err(Error::TimedOut)));
        [one, other].into_iter().for_each(|id| close(id).unwrap());
    }

    #[test]
    fn a_task_that_waits_goes_on_as_one_of_a_context() {
        for (number, peer) in [(protocol::REP, protocol::REQ), (protocol::SUB, protocol::PUB)] {
            let [parent, late] = [(); 2].map(|()| open(AF_SP, number.number.into()).unwrap());
            let sender = open(AF_SP, peer.number.into()).unwrap();
            let address = format!("inproc://task_call/{}", peer.number);
            enter(parent).unwrap().bind(address.as_bytes()).unwrap();
            enter(sender).unwrap().connect(address.as_bytes()).unwrap();
            if peer == protocol::PUB {
                enter(late).unwrap().set_protocol_option(protocol::SUBSCRIBE, Setting::Bytes(b"")).unwrap();
            }
            let mut call = TaskCall::new(SocketRef::of(&enter(late).unwrap()), receiving(), Wait::Option);
            assert!(call.poll(Waker::noop()).is_pending());
            enter(late).unwrap().share(parent).unwrap();
            assert!(!enter(late).unwrap().receivers.has_waiters(), "it was woken");
            assert!(call.poll(Waker::noop()).is_pending());
            send(sender, &mut Outgoing::new(Payload::Borrowed(b"late")), false).unwrap();
            assert_eq!(call.poll(Waker::noop()), Poll::Ready(Ok(Ok(()))));
            assert_eq!(call.attempt.place, 4);
            drop(call);
            [parent, late, sender].into_iter().for_each(|id| close(id).unwrap());
        }
    }

    /// Tells of each time that a task was woken.
    struct Wakes(mpsc::Sender<()>);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            _ = self.0.send(());
        }
    }

    /// A message that a task sends.
    struct Lent(Outgoing<'static>);

    impl LendMessage for Lent {
        fn lend<R>(&mut self, send: impl FnOnce(&mut Outgoing<'_>) -> R) -> R {
            send(&mut self.0)
        }
    }

    #[test]
    fn a_task_that_publishes_goes_on_when_the_receivers_have_caught_up() {
        let [publisher, subscriber] =
            [protocol::PUB, protocol::SUB].map(|protocol| open(AF_SP, protocol.number.into()).unwrap());
        enter(subscriber).unwrap().set_protocol_option(protocol::SUBSCRIBE, Setting::Bytes(b"")).unwrap();
        let address = b"inproc://task_call/lagging";
        enter(publisher).unwrap().bind(address).unwrap();
        enter(subscriber).unwrap().connect(address).unwrap();
        let mut waiting = 0;
        while !enter(publisher).unwrap().core.lock().pipes.await_lagging() {
            send(publisher, &mut Outgoing::new(Payload::Borrowed(&[0; 1000])), true).unwrap();
            waiting += 1;
        }
        // So late that only the receiver can end the wait.
        enter(publisher).unwrap().core.lock().send_not_before = now() + Duration::from_secs(3600);
        let (wakes, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Wakes(wakes)));
        let sending = TaskSending(Lent(Outgoing::new(Payload::Borrowed(b"next"))));
        let mut call = TaskCall::new(SocketRef::of(&enter(publisher).unwrap()), sending, Wait::Option);
        assert!(call.poll(&waker).is_pending());
        for _ in 0..waiting {
            crate::socket::recv(subscriber, true, |_| ()).unwrap();
        }
        woken.recv().unwrap();
        assert_eq!(call.poll(&waker), Poll::Ready(Ok(())));
        drop(call);
        assert_eq!(crate::socket::recv(subscriber, true, |received| received.length()), Ok(4));
        [publisher, subscriber].into_iter().for_each(|id| close(id).unwrap());
    }
}
